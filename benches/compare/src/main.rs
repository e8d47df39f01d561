//! Proofline beside what people would pick instead: SQLite, redb, fjall and sled, `sha256sum` and `openssl`, a bare
//! policy engine, a bare loop of writes. One run, one table of ratios.

mod charts;
mod child;
mod data;
mod failure;
mod files;
mod machine;
mod measure;
mod options;
mod rows;
mod run;
mod stores;
mod table;

use std::process::ExitCode;

use clap::Parser;

use failure::Failure;
use machine::Machine;
use options::{Format, Options};
use rows::{ROWS, Row};
use run::Run;
use table::{Part, Report};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ended = match arguments.split_first() {
        Some((first, rest)) if first == child::CHILD => child::main(rest),
        _ => compare(Options::parse()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: Options) -> Result<(), Failure> {
    if options.list {
        ROWS.iter().for_each(|row| println!("{:10} {}", row.name, row.what));
        return Ok(());
    }
    let rows = chosen(&options.rows)?;
    let mut run = Run::new(options)?;
    let machine = Machine::of(&run.options, run.home());
    let mut parts = Vec::new();
    for row in rows {
        eprintln!("{}: {}", row.name, row.what);
        let found = (row.measure)(&mut run);
        let part = Part::of(row.name, found, std::mem::take(&mut run.missing));
        part.missing.iter().for_each(|missing| eprintln!("  {missing}"));
        parts.push(part);
    }
    if let Some(folder) = &run.options.charts {
        charts::draw(folder, &run.curves)?;
    }
    print(&run, &Report { machine, parts })
}

/// The rows of these names, or all.
fn chosen(names: &[String]) -> Result<Vec<&'static Row>, Failure> {
    if names.is_empty() {
        return Ok(ROWS.iter().collect());
    }
    let find = |name: &String| {
        let row = ROWS.iter().find(|row| row.name == name);
        row.ok_or_else(|| Failure::Wrong(format!("no row {name}; --list lists them")))
    };
    names.iter().map(find).collect()
}

fn print(run: &Run, report: &Report) -> Result<(), Failure> {
    match run.options.format {
        Format::Markdown => print!("{}", report.markdown()),
        Format::Json => {
            #[derive(serde::Serialize)]
            struct Whole<'a> {
                #[serde(flatten)]
                report: &'a Report,
                curves: &'a [charts::Curve],
            }
            let whole = Whole { report, curves: &run.curves };
            println!("{}", serde_json::to_string(&whole).map_err(Failure::of("serde_json"))?);
        }
    }
    Ok(())
}
