//! `proofline canon`: canonical bytes of a JSON document.

use std::path::PathBuf;

use proofline::canon::{CanonError, Limits, Profile, Sha256Digest, canonicalize, check_canonical};
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::input::Source;
use super::output::{self, Out, OutputArgs};
use super::safe::safe_json;

/// Prints the canonical bytes of a JSON document
///
/// Canonical bytes are RFC 8785: members sorted, no white space, one spelling
/// of each string and number. Nothing follows them, no newline either, so that
/// `proofline canon FILE | sha256sum` is the document's hash. On a terminal
/// only, a newline follows, and characters that a terminal would obey or hide
/// are shown as \u escapes.
///
/// Examples:
///   proofline canon envelope.json
///   proofline canon --profile content --check payload.json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CanonArgs {
    /// The document; `-`, or nothing, for the standard input
    file: Option<PathBuf>,
    /// Print nothing but whether the bytes are canonical already; exit 1 if they are not
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How a document is read.
#[derive(Clone, Copy, clap::Args)]
pub(crate) struct ReadingArgs {
    /// Which numbers a document may have
    #[arg(long, value_enum, default_value_t, value_name = "PROFILE")]
    pub(crate) profile: ProfileName,
    /// The longest document [default: 1048576 for envelopes, 67108864 for content]
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_bytes: Option<usize>,
    /// The deepest nesting, at most 512 [default: 64 for envelopes, 128 for content]
    #[arg(long, value_name = "LEVELS")]
    pub(crate) max_depth: Option<usize>,
}

/// A profile, by its name here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ProfileName {
    /// Evidence records: integers only, exact
    #[default]
    Envelope,
    /// Any JSON: numbers as doubles; an integer that would change is refused
    Content,
    /// Any JSON: every number that would change is refused
    Exact,
}

impl ReadingArgs {
    pub(crate) const fn profile(&self) -> Profile {
        match self.profile {
            ProfileName::Envelope => Profile::Envelope,
            ProfileName::Content => Profile::Content,
            ProfileName::Exact => Profile::ContentExact,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        let limits = match self.profile {
            ProfileName::Envelope => Limits::ENVELOPE,
            ProfileName::Content | ProfileName::Exact => Limits::CONTENT,
        };
        let limits = self.max_bytes.map_or(limits, |bytes| limits.with_max_bytes(bytes));
        self.max_depth.map_or(limits, |depth| limits.with_max_depth(depth))
    }
}

#[derive(Serialize)]
struct CanonLine<'a> {
    profile: &'a str,
    is_canonical: bool,
    sha256: String,
    canonical: Option<&'a str>,
}

/// Prints or checks canonical bytes.
pub(crate) fn run(args: &CanonArgs, out: &mut Out) -> Result<Exit, CliError> {
    let source = Source::of(args.file.as_deref());
    let (profile, limits) = (args.reading.profile(), args.reading.limits());
    let bytes = source.read_all(limits.max_bytes())?;
    let named = |error| CliError::Content { name: source.name(), source: error };
    let canonical = canonicalize(&bytes, profile, &limits).map_err(named)?;
    let fault = match check_canonical(&bytes, profile, &limits) {
        Ok(()) => None,
        Err(CanonError::NotCanonical { offset }) => Some(offset),
        Err(error) => return Err(named(error)),
    };
    if out.is_json() {
        let text = String::from_utf8_lossy(&canonical);
        out.json(&CanonLine {
            profile: profile_name(args.reading.profile),
            is_canonical: fault.is_none(),
            sha256: Sha256Digest::of(&canonical).to_string(),
            canonical: (!args.check).then_some(&text),
        })?;
    } else if args.check {
        match fault {
            None => out.line("canonical")?,
            Some(offset) => out.line(format_args!("not canonical from byte {offset} on"))?,
        }
    } else if output::is_terminal() {
        out.line(safe_json(String::from_utf8_lossy(&canonical).into_owned()))?;
    } else {
        out.bytes(&canonical)?;
    }
    Ok(Exit::when(args.check && fault.is_some(), Exit::Failed))
}

const fn profile_name(profile: ProfileName) -> &'static str {
    match profile {
        ProfileName::Envelope => "envelope",
        ProfileName::Content => "content",
        ProfileName::Exact => "exact",
    }
}
