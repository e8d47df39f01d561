//! `proofline show`: one entry, or all that were submitted under one hash.

use std::path::PathBuf;

use proofline::ledger::{LedgerError, Seq};
use proofline::trace::EnvelopeHash;

use super::archives::ArchivesArgs;
use super::entry_view::{EntryLine, show_entry, warn_of_damage};
use super::error::CliError;
use super::exit::Exit;
use super::gone::Gone;
use super::output::{self, Out, OutputArgs};

/// Shows an entry: header, leaf hash, place, and the record in lines
///
/// Given a hash it shows every entry with that hash: the accepted record, and
/// each attempt at it that was refused and kept.
///
/// Examples:
///   proofline show ledger 17
///   proofline show ledger 17 --format json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ShowArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// An envelope hash, 64 lower-case hex digits, or a sequence number
    #[arg(value_name = "HASH|SEQ", value_parser = Wanted::parse)]
    what: Wanted,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// An entry, as a command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Hash(EnvelopeHash),
    Seq(Seq),
}

/// As many digits as a 64-bit number has.
const MAX_SEQ_DIGITS: usize = 20;

/// A text that names no entry.
#[derive(Debug, thiserror::Error)]
#[error("neither 64 lower-case hex digits nor a sequence number")]
pub(crate) struct NamesNoEntry;

impl Wanted {
    pub(crate) fn parse(text: &str) -> Result<Self, NamesNoEntry> {
        if let Ok(hash) = text.parse() {
            return Ok(Self::Hash(hash));
        }
        // Longer ones are hashes that lost a digit, zeros in front or not.
        let plain = text.len() <= MAX_SEQ_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| plain);
        number.map(|number| Self::Seq(Seq::new(number))).ok_or(NamesNoEntry)
    }
}

/// Shows the entries.
pub(crate) fn run(args: &ShowArgs, out: &mut Out) -> Result<Exit, CliError> {
    let snapshot = args.archives.snapshot(&args.dir)?;
    let seqs = match args.what {
        Wanted::Seq(seq) => vec![seq],
        Wanted::Hash(hash) => snapshot.with_hash(&hash)?,
    };
    let gone = Gone::of(&snapshot)?;
    let mut exit = Exit::Ok;
    for (index, seq) in seqs.iter().enumerate() {
        if index > 0 && !out.is_json() {
            out.space()?;
        }
        match snapshot.entry(*seq) {
            Ok(Some(entry)) => {
                let (place, gone) = (snapshot.place(*seq), gone.named_in(&entry)?);
                if out.is_json() {
                    out.json(&EntryLine::of(&entry, place, gone))?;
                } else {
                    show_entry(out, &entry, place, gone)?;
                }
            }
            Ok(None) => {
                return Err(LedgerError::NoSuchEntry { seq: *seq, entries: snapshot.entries() }.into());
            }
            Err(fault) => {
                let error = CliError::from(fault);
                exit = error.exit();
                output::report(&error, args.output.format);
            }
        }
    }
    let damaged = warn_of_damage(args.output.format, &snapshot);
    match args.what {
        Wanted::Hash(hash) if seqs.is_empty() => Err(CliError::NoSuchHash(hash.to_string())),
        _ => Ok(Exit::first([exit, damaged])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_told_from_a_number_by_its_length() {
        let digits = "1".repeat(64);
        assert!(matches!(Wanted::parse(&digits), Ok(Wanted::Hash(hash)) if hash.to_string() == digits));
        assert_eq!(Wanted::parse("017").unwrap(), Wanted::Seq(Seq::new(17)));
        for bad in ["", "+1", "-1", "abc", "99999999999999999999999", &"A".repeat(64), &"0".repeat(63)] {
            assert!(Wanted::parse(bad).is_err(), "{bad}");
        }
    }
}
