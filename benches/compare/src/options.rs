//! The command line.

use std::path::PathBuf;

/// Proofline beside what people would pick instead, in one run; prints a table of ratios
///
/// README.md of this package says what each row does on each side.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "proofline-compare", verbatim_doc_comment)]
pub(crate) struct Options {
    /// How many records; rows that build many stores use a fifth of them
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(crate) records: u64,
    /// Rows to measure, by name, in this order [default: all]
    #[arg(long, value_name = "ROWS", value_delimiter = ',')]
    pub(crate) rows: Vec<String>,
    /// Lists the rows and what each measures
    #[arg(long)]
    pub(crate) list: bool,
    /// Measure memory and growth over ten times as many records
    #[arg(long)]
    pub(crate) big: bool,
    /// How often each side does its work; at least five for a figure to rely on
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) rounds: usize,
    /// The `proofline` to measure [default: built from this repository]
    #[arg(long, value_name = "PATH")]
    pub(crate) proofline: Option<PathBuf>,
    /// Where stores are made, on the disk to be measured; what is made there goes away [default: target/]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Drop files from the page cache before each replay
    #[arg(long)]
    pub(crate) cold: bool,
    /// Draw charts into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) charts: Option<PathBuf>,
    /// How the table is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
}

/// How the table is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For pages
    #[default]
    Markdown,
    /// For programs
    Json,
}
