//! Index entries as whoever writes a log by hand makes them, by docs/bundle.md and with nothing of the
//! library's but SHA-256; and attacks by which one says what the log does not.

use std::collections::BTreeMap;

use proofline::canon::Sha256Digest;
use proofline::ledger::{EntryStatus, LeafHash, Seq, Snapshot};
use proofline::trace::TraceId;

use crate::attack::Attack;
use crate::forge::{Forged, chain, chain_again, entries};
use crate::history::a_lie;
use crate::house::{House, NOW_MS, keep, root, sign_at};

const TRACE_INDEX: &str = "\"system_type\":\"trace_index\"";

/// What an index entry says.
pub(crate) struct Statement {
    from: u64,
    keys: u64,
    leaves: Vec<Vec<u8>>,
}

impl Statement {
    pub(crate) fn body(&self) -> Vec<u8> {
        let (from, keys, traces, root) = (self.from, self.keys, self.leaves.len(), tree(&self.leaves));
        format!(
            r#"{{"from":{from},"keys":{keys},"root":"{root}",{TRACE_INDEX},"traces":{traces},"version":"1"}}"#
        )
        .into_bytes()
    }
}

/// RFC 9162 §2.1.1.
fn tree(leaves: &[Vec<u8>]) -> Sha256Digest {
    match leaves {
        [] => Sha256Digest::of(b""),
        [leaf] => Sha256Digest::of(&[b"\0", leaf.as_slice()].concat()),
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Sha256Digest::of(&[b"\x01", tree(left).as_bytes().as_slice(), tree(right).as_bytes()].concat())
        }
    }
}

/// What the entries so far come to.
#[derive(Default)]
pub(crate) struct SoFar {
    size: u64,
    /// Seq, count and leaf hash of the last entry of each trace.
    ends: BTreeMap<TraceId, (u64, u64, LeafHash)>,
    keys: u64,
    /// Seq and first entry of the index entries that lie side by side.
    cover: Vec<(u64, u64)>,
}

impl SoFar {
    /// What an index entry says that stands here.
    pub(crate) fn statement(&self) -> Statement {
        let mut from = self.cover.last().map_or(0, |(seq, _)| *seq);
        for (seq, first) in self.cover.iter().rev() {
            if seq - first > 2 * (self.size - from) {
                break;
            }
            from = *first;
        }
        let within = self.ends.iter().filter(|(_, (seq, _, _))| *seq >= from);
        let leaf = |(id, (_, count, last)): (&TraceId, &(u64, u64, LeafHash))| {
            [id.as_bytes().as_slice(), &count.to_be_bytes(), last.as_bytes()].concat()
        };
        Statement { from, keys: self.keys, leaves: within.map(leaf).collect() }
    }

    /// Takes in an entry: its trace and count there, and its leaf hash.
    pub(crate) fn take(&mut self, entry: &Forged, trace: Option<(TraceId, u64)>, leaf: LeafHash) {
        if let Some((id, count)) = trace {
            self.ends.insert(id, (self.size, count, leaf));
        }
        if is_index(entry) {
            let from = self.statement().from;
            self.cover.retain(|(seq, _)| *seq <= from);
            self.cover.push((self.size, from));
        } else if entry.status == EntryStatus::System {
            self.keys += 1;
        }
        self.size += 1;
    }
}

pub(crate) fn is_index(entry: &Forged) -> bool {
    entry.status == EntryStatus::System && String::from_utf8_lossy(&entry.body).contains(TRACE_INDEX)
}

/// What is changed in a true statement.
type Lie<'a> = &'a dyn Fn(&mut Statement);

/// An index entry at the end, whatever it says.
fn with_index_at_end(house: &House, name: &str, lie: Lie<'_>) -> std::path::PathBuf {
    let dir = house.copy(name);
    let mut forged = entries(&dir);
    let size = forged.len();
    forged.push(Forged {
        status: EntryStatus::System,
        trace_id: None,
        body: format!("{{{TRACE_INDEX}}}").into_bytes(),
        recorded_at_ms: NOW_MS + 1000 * size as u64,
    });
    chain(&dir, &forged, &mut |seq, so_far| {
        let mut statement = so_far.statement();
        if seq == size {
            let before = statement.body();
            lie(&mut statement);
            assert_ne!(before, statement.body());
        }
        Some(statement.body())
    });
    // The history that was signed is as it was: the checkpoints stay.
    keep(&dir, house.first.size, &house.first.note);
    keep(&dir, house.second.size, &house.second.note);
    dir
}

fn leave_a_trace_out(statement: &mut Statement) {
    statement.leaves.remove(1);
}

pub(crate) fn attacks(house: &House) -> Vec<Attack> {
    let lies: [(&str, Lie<'_>); 4] = [
        ("sign an index entry that leaves a trace out", &leave_a_trace_out),
        ("sign an index entry with the root of other leaves", &|statement| statement.leaves[0][23] ^= 1),
        ("sign an index entry that rests on none", &|statement| statement.from = house.second.size - 2),
        ("sign an index entry that leaves a key out", &|statement| statement.keys -= 1),
    ];
    let mut all: Vec<Attack> = lies
        .into_iter()
        .map(|(name, lie)| {
            let dir = with_index_at_end(house, name, lie);
            let size = Snapshot::open(&dir).unwrap().entries();
            keep(&dir, size, &sign_at(&dir, size, &[&root()]));
            Attack::new(house, name, dir)
        })
        .collect();

    let name = "append an index entry that leaves a trace out, without a key";
    all.push(Attack::new(house, name, with_index_at_end(house, name, &leave_a_trace_out)));

    let dir = house.copy("index as it was");
    let mut forged = entries(&dir);
    let (truth, lie) = a_lie(house);
    forged.iter_mut().find(|entry| entry.body == truth).unwrap().body = lie;
    chain(&dir, &forged, &mut |_, _| None);
    all.push(Attack::new(house, "rewrite history and leave the index entries as they were", dir));
    all
}

/// The log's own index entries say what the page has them say, also behind each sealed segment.
#[test]
fn the_log_states_what_the_page_says() {
    let house = House::new();
    let own = entries(&house.dir);
    let dir = house.copy("again");
    chain_again(&dir, &own);
    let again = entries(&dir);
    let places: Vec<usize> = (0..own.len()).filter(|seq| is_index(&own[*seq])).collect();
    for signed in [&house.first, &house.second] {
        assert!(places.contains(&usize::try_from(signed.size - 1).unwrap()), "{places:?}");
    }
    let segments = crate::forge::log_files(&house.dir, "seg");
    assert!(segments.len() > 4, "{segments:?}");
    for file in &segments[1..] {
        let first: usize = file.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        assert!(first + 1 >= own.len() || places.iter().any(|seq| seq + 1 >= first), "{first} {places:?}");
    }
    for (own, again) in own.iter().zip(&again) {
        assert_eq!(String::from_utf8_lossy(&own.body), String::from_utf8_lossy(&again.body));
    }
    let last = Seq::new(own.len() as u64 - 1);
    let leaf = |dir| Snapshot::open(dir).unwrap().entry(last).unwrap().unwrap().leaf_hash();
    assert_eq!(leaf(&house.dir), leaf(&dir));
}
