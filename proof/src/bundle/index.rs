//! The members `index/…`: leaves of the tree that an index entry commits to, and the hashes that lead from them to
//! its root.
//!
//! ```text
//! INDEX TRACE COUNT LEAF        a line for each leaf shown, ascending
//! (empty)
//! HASH                          a line for each hash of the multiproof
//! ```

use std::io::{BufRead, Write};

use proofline_trace::TraceId;

use crate::checkpoint::decimal;
use crate::ids::{LeafHash, NodeHash, Seq};
use crate::trace_index::TraceLeaf;
use crate::tree::{TreeFault, multiproof_root};

use super::entries::line;
use super::fault::{BundleError, BundleFault};

/// A leaf with its place among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownLeaf {
    /// Its index in the tree.
    pub index: u64,
    /// What it says.
    pub leaf: TraceLeaf,
}

/// The longest line of a leaf, and more than a line of a hash.
const MAX_LINE_BYTES: usize = 20 + 1 + 32 + 1 + 20 + 1 + 44;

/// What an index entry states of its tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexTree {
    pub(crate) seq: Seq,
    pub(crate) traces: u64,
    pub(crate) root: NodeHash,
}

impl ShownLeaf {
    fn parse(line: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let index = decimal(words.next()?)?;
        let trace_id: TraceId = words.next()?.parse().ok()?;
        let count = decimal(words.next()?)?;
        let last_leaf = LeafHash::from_bytes(*NodeHash::from_base64(words.next()?)?.as_bytes());
        let leaf = TraceLeaf { trace_id, count, last_leaf };
        (count > 0 && words.next().is_none()).then_some(ShownLeaf { index, leaf })
    }
}

impl IndexTree {
    /// The leaves shown, which lead to the root that is stated. At most `most` of them are kept in memory.
    pub(crate) fn read(&self, reader: &mut impl BufRead, most: usize) -> Result<Vec<ShownLeaf>, BundleError> {
        let seq = self.seq;
        let mut leaves: Vec<ShownLeaf> = Vec::new();
        let mut place = 0;
        loop {
            place += 1;
            let malformed = || BundleFault::IndexLine { seq, line: place };
            let text = line(reader, MAX_LINE_BYTES)?.ok_or_else(malformed)?;
            if text.is_empty() {
                break;
            }
            let shown = ShownLeaf::parse(&text).ok_or_else(malformed)?;
            let fits = leaves
                .last()
                .is_none_or(|last| last.index < shown.index && last.leaf.trace_id < shown.leaf.trace_id);
            if !fits {
                return Err(malformed().into());
            }
            if leaves.len() == most {
                return Err(BundleFault::IndexSurplus { seq }.into());
            }
            leaves.push(shown);
        }
        let mut hashes = HashLines { reader, place, fault: |line| BundleFault::IndexLine { seq, line } };
        let chosen = leaves.iter().map(|shown| Ok((shown.index, shown.leaf.hash())));
        let root = multiproof_root::<HashFault>(self.traces, chosen, &mut hashes);
        let found = root.map_err(|fault| match fault {
            HashFault::Read(error) => error,
            HashFault::Tree(source) => BundleFault::IndexProof { seq, source }.into(),
        })?;
        if found == self.root {
            Ok(leaves)
        } else {
            Err(BundleFault::IndexRoot { seq, expected: self.root, found }.into())
        }
    }
}

/// What stops a multiproof that is read as it is used.
pub(crate) enum HashFault {
    Tree(TreeFault),
    Read(BundleError),
}

impl From<TreeFault> for HashFault {
    fn from(fault: TreeFault) -> Self {
        HashFault::Tree(fault)
    }
}

/// Hashes, a line each, to the end.
pub(crate) struct HashLines<'a, R, F> {
    pub(crate) reader: &'a mut R,
    /// Lines before.
    pub(crate) place: u64,
    pub(crate) fault: F,
}

impl<R: BufRead, F: Fn(u64) -> BundleFault> Iterator for HashLines<'_, R, F> {
    type Item = Result<NodeHash, HashFault>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.reader.fill_buf() {
            Ok([]) => return None,
            Ok(_) => {}
            Err(error) => return Some(Err(HashFault::Read(error.into()))),
        }
        self.place += 1;
        let hash = line(self.reader, MAX_LINE_BYTES).map_err(|error| HashFault::Read(error.into()));
        let malformed = || HashFault::Read((self.fault)(self.place).into());
        let read = |text: Vec<u8>| NodeHash::from_base64(std::str::from_utf8(&text).ok()?);
        Some(hash.and_then(|text| text.and_then(read).ok_or_else(malformed)))
    }
}

/// Writes such a member.
pub(crate) fn write_index(
    writer: &mut impl Write,
    leaves: &[ShownLeaf],
    hashes: &[NodeHash],
) -> std::io::Result<()> {
    for ShownLeaf { index, leaf: TraceLeaf { trace_id, count, last_leaf } } in leaves {
        writeln!(writer, "{index} {trace_id} {count} {}", NodeHash::from(*last_leaf).to_base64())?;
    }
    writer.write_all(b"\n")?;
    write_hashes(writer, hashes)
}

/// Writes hashes, a line each.
pub(crate) fn write_hashes(writer: &mut impl Write, hashes: &[NodeHash]) -> std::io::Result<()> {
    hashes.iter().try_for_each(|hash| writeln!(writer, "{}", hash.to_base64()))
}
