//! Makes one report of several. All are read side by side in the order of traces, so that memory holds a line of each;
//! what two of them have must be equal, what one should have must be there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use super::batch::End;
use super::error::{LineFault, ReportError};
use super::head::{Head, Side};
use super::line::Key;
use super::part::Part;
use super::read::{ReportFile, ReportLine, ReportReader};
use super::spelling;
use crate::summary::Summary;

/// What a merge came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// The first line of the report.
    pub head: Head,
    /// Its last one.
    pub summary: Summary,
    /// How many reports were read.
    pub reports: u64,
}

/// Merges reports into the one of the whole, whatever their order: all shards of a run, once or more often, and also
/// shards of another number beside them, which must then say the same.
///
/// # Errors
/// [`ReportError`] with the file and the line. What was written by then is no report.
pub fn merge(files: &[PathBuf], out: &mut dyn Write) -> Result<Merged, ReportError> {
    let mut inputs = files.iter().map(|file| Input::open(file)).collect::<Result<Vec<_>, _>>()?;
    let head = same_head(&inputs)?;
    whole(&inputs)?;
    put(out, &head.to_line()?)?;
    while let Some(key) = inputs.iter().filter_map(Input::key).min() {
        step(&mut inputs, key, out)?;
    }
    let summary = conclude(&inputs)?;
    put(out, &spelling::line(&summary.to_value())?)?;
    Ok(Merged { head, summary, reports: inputs.len() as u64 })
}

fn put(out: &mut dyn Write, line: &str) -> Result<(), ReportError> {
    out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).map_err(ReportError::Output)
}

/// A report and its next line.
struct Input {
    reader: ReportReader<BufReader<File>>,
    line: ReportLine,
}

impl Input {
    fn open(file: &Path) -> Result<Self, ReportError> {
        let mut reader = ReportFile::reader(file)?;
        let line = next(&mut reader)?;
        Ok(Self { reader, line })
    }

    fn key(&self) -> Option<Key> {
        self.line.key()
    }

    fn covers(&self, key: Key) -> bool {
        self.reader.head().shard.is_none_or(|shard| shard.covers(key.trace))
    }

    fn end(&self) -> Option<&End> {
        match &self.line {
            ReportLine::End(end) => Some(end),
            ReportLine::Verdict(_) | ReportLine::Unlisted(_) => None,
        }
    }

    /// Which shard this is, of how many; `0` of `0` is a whole.
    fn shard(&self) -> (u64, u64) {
        self.reader.head().shard.map_or((0, 0), |shard| (shard.of(), shard.index()))
    }

    fn unequal(&self, other: &Self) -> ReportError {
        let fault =
            LineFault::Unequal { other: other.reader.file().to_owned(), other_line: other.reader.number() };
        self.reader.fault(fault)
    }
}

/// The next line. Behind the last one there must be nothing; the reader stays at that last one.
fn next(reader: &mut ReportReader<BufReader<File>>) -> Result<ReportLine, ReportError> {
    let Some(line) = reader.next_line()? else { return Err(reader.fault(LineFault::Cut)) };
    if let ReportLine::End(_) = line {
        reader.expect_end()?;
    }
    Ok(line)
}

/// The head that all have, the shard aside.
fn same_head(inputs: &[Input]) -> Result<Head, ReportError> {
    let Some((first, rest)) = inputs.split_first() else { return Err(ReportError::Nothing) };
    for input in rest {
        if let Some(difference) = first.reader.head().difference(input.reader.head()) {
            let (other, member) = (first.reader.file().to_owned(), difference.member);
            let fault = match difference.side {
                Side::Ledger => LineFault::OtherLedger { other, member },
                Side::Size => LineFault::OtherSize { other, member },
                Side::Plan => LineFault::OtherPlan { other, member },
            };
            return Err(ReportError::Line {
                file: input.reader.file().to_owned(),
                line: 1,
                fault: Box::new(fault),
            });
        }
    }
    Ok(first.reader.head().of_whole())
}

/// Shards by how many there are of them.
fn groups(inputs: &[Input]) -> BTreeMap<u64, BTreeSet<u64>> {
    let mut groups: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for (of, index) in inputs.iter().map(Input::shard) {
        groups.entry(of).or_default().insert(index);
    }
    groups
}

fn is_complete(of: u64, indexes: &BTreeSet<u64>) -> bool {
    indexes.len() as u64 == of.max(1)
}

/// Refuses reports that leave out a shard, however they are put together.
fn whole(inputs: &[Input]) -> Result<(), ReportError> {
    let groups = groups(inputs);
    if groups.iter().any(|(of, indexes)| is_complete(*of, indexes)) {
        return Ok(());
    }
    let nearest = groups.iter().min_by_key(|(of, indexes)| (**of - indexes.len() as u64, **of));
    let Some((of, indexes)) = nearest else { return Err(ReportError::Nothing) };
    let missing: Vec<String> =
        (1..=*of).filter(|index| !indexes.contains(index)).map(|index| index.to_string()).collect();
    let file = inputs.iter().find(|input| input.shard().0 == *of).map(|input| input.reader.file().to_owned());
    Err(ReportError::Line {
        file: file.unwrap_or_default(),
        line: 1,
        fault: Box::new(LineFault::MissingShards { of: *of, missing: missing.join(", ") }),
    })
}

/// Writes the line of one trace, which every report that covers it must have.
fn step(inputs: &mut [Input], key: Key, out: &mut dyn Write) -> Result<(), ReportError> {
    let Some(first) = inputs.iter().find(|input| input.key() == Some(key)) else { return Ok(()) };
    for input in inputs.iter().filter(|input| input.covers(key)) {
        if input.key() != Some(key) {
            let (other, other_line) = (first.reader.file().to_owned(), first.reader.number());
            return Err(input.reader.fault(LineFault::MissingTrace { trace: key.trace, other, other_line }));
        }
        if input.reader.bytes() != first.reader.bytes() {
            return Err(input.unequal(first));
        }
    }
    out.write_all(first.reader.bytes()).and_then(|()| out.write_all(b"\n")).map_err(ReportError::Output)?;
    for input in inputs.iter_mut().filter(|input| input.key() == Some(key)) {
        input.line = next(&mut input.reader)?;
    }
    Ok(())
}

/// The summary of the whole, which every complete set of shards must give.
fn conclude(inputs: &[Input]) -> Result<Summary, ReportError> {
    let mut by_shard: BTreeMap<(u64, u64), &Input> = BTreeMap::new();
    for input in inputs {
        let first = by_shard.entry(input.shard()).or_insert(input);
        if first.end() != input.end() {
            return Err(input.unequal(first));
        }
    }
    let mut answer: Option<(Summary, &Input)> = None;
    for (of, indexes) in groups(inputs).iter().filter(|(of, indexes)| is_complete(**of, indexes)) {
        let shards: Vec<&Input> =
            indexes.iter().filter_map(|index| by_shard.get(&(*of, *index)).copied()).collect();
        let Some(last) = shards.last() else { continue };
        let summary = add_up(&shards)?;
        match &answer {
            Some((known, first)) if *known != summary => return Err(last.unequal(first)),
            Some(_) => {}
            None => answer = Some((summary, last)),
        }
    }
    answer.map(|(summary, _)| summary).ok_or(ReportError::Nothing)
}

/// What the shards of one set come to, in their order.
fn add_up(shards: &[&Input]) -> Result<Summary, ReportError> {
    let mut sum: Option<(Part, &Input)> = None;
    for input in shards {
        match (input.end(), &mut sum) {
            (Some(End::Whole(summary)), _) => return Ok(summary.clone()),
            (Some(End::Part(part)), None) => sum = Some((part.clone(), input)),
            (Some(End::Part(part)), Some((sum, first))) => {
                if !sum.add(part.clone()) {
                    return Err(input.unequal(first));
                }
            }
            (None, _) => return Err(input.reader.fault(LineFault::Cut)),
        }
    }
    sum.map(|(part, _)| part.conclude()).ok_or(ReportError::Nothing)
}
