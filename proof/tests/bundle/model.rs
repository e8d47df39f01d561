//! A log kept in plain lists, the bundles that a writer of it makes by the words of `docs/bundle.md`, and the lies that
//! such a writer can sign. Hashes, proofs and files are made here, not by the code under test.

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::{Sha256Digest, base64};
use proofline_proof::bundle::schema_sha256;
use proofline_proof::header::{EntryHeader, EntryStatus, TraceLink};
use proofline_proof::{KeyList, KeyName, KeyRole, LeafHash, Note, SecretKey, Seq, Signer};
use proofline_trace::{EnvelopeHash, LedgerId, Origin, TraceId};
use zeroize::Zeroizing;

use crate::tar::pack;

pub(crate) const ORIGIN: &str = "log.example/model";
const LEDGER: &str = "000102030405060708090a0b0c0d0e0f";

type Hash = [u8; 32];

/// What a writer signs of its index that is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    LeaveOut,
    CountUp,
    CountDown,
    OtherLast,
    MoreKeys,
    FewerKeys,
    MoreTraces,
    Unsorted,
    Gap,
}

impl Lie {
    pub(crate) const ALL: [Lie; 9] = [
        Lie::LeaveOut,
        Lie::CountUp,
        Lie::CountDown,
        Lie::OtherLast,
        Lie::MoreKeys,
        Lie::FewerKeys,
        Lie::MoreTraces,
        Lie::Unsorted,
        Lie::Gap,
    ];
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Leaf {
    trace: TraceId,
    count: u64,
    last: Hash,
}

impl Leaf {
    fn hash(&self) -> Hash {
        let bytes = [&[0][..], self.trace.as_bytes(), &self.count.to_be_bytes(), &self.last].concat();
        *Sha256Digest::of(&bytes).as_bytes()
    }
}

struct Index {
    from: u64,
    traces: u64,
    leaves: Vec<Leaf>,
}

/// A log in memory.
pub(crate) struct Log {
    pub(crate) key: SecretKey,
    entries: Vec<(EntryHeader, Vec<u8>)>,
    /// The last entry and the count of each trace.
    pub(crate) traces: BTreeMap<TraceId, (Seq, u64)>,
    index: BTreeMap<u64, Index>,
    keys: u64,
}

fn leaf_hash(header: &EntryHeader) -> Hash {
    *Sha256Digest::of(&[&[0][..], &header.encode()].concat()).as_bytes()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    *Sha256Digest::of(&[&[1][..], left, right].concat()).as_bytes()
}

/// RFC 9162 §2.1.1, word for word.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => *Sha256Digest::of(&[]).as_bytes(),
        [only] => *only,
        many => {
            let middle = many.len().next_power_of_two() / 2;
            node(&root(&many[..middle]), &root(&many[middle..]))
        }
    }
}

/// The list of a multiproof: the hash of each largest part without a chosen leaf.
fn multiproof(leaves: &[Hash], first: u64, chosen: &BTreeSet<u64>, out: &mut Vec<Hash>) {
    if leaves.is_empty() {
        return;
    }
    if chosen.range(first..first + leaves.len() as u64).next().is_none() {
        out.push(root(leaves));
    } else if leaves.len() > 1 {
        let middle = leaves.len().next_power_of_two() / 2;
        multiproof(&leaves[..middle], first, chosen, out);
        multiproof(&leaves[middle..], first + middle as u64, chosen, out);
    }
}

fn hash_lines(hashes: &[Hash]) -> String {
    hashes.iter().map(|hash| base64(hash) + "\n").collect()
}

fn record(trace: TraceId, number: u64) -> Vec<u8> {
    format!(
        r#"{{"actor":{{"actor_id":"staff/ines","actor_kind":"user"}},"canon_version":"1","credential":{{"credential_kind":"oidc","expires_at_ms":9000,"issuer":"https://id.example","presented_hash_sha256":"{:064x}","verified_at_ms":900}},"grants":{{"tickets:read":true}},"producer":{{"component":"gateway","layer":"cpo"}},"record_type":"auth_context","spec_version":"1.0.0","trace":{{"span_id":"{:016x}","span_kind":"root","trace_id":"{trace}"}},"ts_ms":{number}}}"#,
        7,
        number + 1
    )
    .into_bytes()
}

impl Log {
    pub(crate) fn new() -> Self {
        let name = KeyName::new(ORIGIN).unwrap();
        let key = SecretKey::from_seed(name, KeyRole::Log, &Zeroizing::new([9; 32])).unwrap();
        let mut log =
            Log { key, entries: Vec::new(), traces: BTreeMap::new(), index: BTreeMap::new(), keys: 0 };
        let genesis = format!(
            r#"{{"format_version":1,"ledger_id":"{LEDGER}","origin":"{ORIGIN}","system_type":"genesis","version":"1"}}"#
        );
        log.append(EntryStatus::Genesis, None, genesis.into_bytes());
        let ledger_id: LedgerId = LEDGER.parse().unwrap();
        let list = KeyList::new(ledger_id, Origin::new(ORIGIN).unwrap());
        let added = list.addition(&log.key, None).unwrap();
        log.append(EntryStatus::System, None, added.canonical());
        log.keys = 1;
        log
    }

    pub(crate) fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    fn append(&mut self, status: EntryStatus, trace: Option<TraceId>, body: Vec<u8>) {
        let seq = Seq::new(self.size());
        let trace = trace.map(|trace_id| {
            let before = self.traces.get(&trace_id).copied();
            let count = before.map_or(0, |(_, count)| count) + 1;
            self.traces.insert(trace_id, (seq, count));
            TraceLink { trace_id, previous: before.map(|(seq, _)| seq), count }
        });
        let header = EntryHeader {
            format: 1,
            seq,
            previous_leaf: self.entries.last().map(|(before, _)| LeafHash::from_bytes(leaf_hash(before))),
            trace,
            envelope_hash: EnvelopeHash::of(&body),
            status,
            recorded_at_ms: 1000 + seq.get(),
        };
        self.entries.push((header, body));
    }

    pub(crate) fn record(&mut self, trace: TraceId) {
        let number = self.size();
        self.append(EntryStatus::Accepted, Some(trace), record(trace, number));
    }

    /// Places where a range may begin.
    pub(crate) fn beginnings(&self) -> Vec<u64> {
        [0].into_iter().chain(self.index.keys().copied()).collect()
    }

    /// Appends an index entry over the entries from `from` on. Gives the trace that a lie is about, if there is
    /// something to lie about.
    pub(crate) fn index(&mut self, from: u64, lie: Option<(Lie, usize)>) -> Option<BTreeSet<TraceId>> {
        let mut last: BTreeMap<TraceId, Leaf> = BTreeMap::new();
        for (header, _) in &self.entries[usize::try_from(from).unwrap()..] {
            if let Some(link) = &header.trace {
                let leaf = Leaf { trace: link.trace_id, count: link.count, last: leaf_hash(header) };
                last.insert(link.trace_id, leaf);
            }
        }
        let mut leaves: Vec<Leaf> = last.into_values().collect();
        let (mut from, mut keys, mut more) = (from, self.keys, 0);
        let about = match lie {
            None => Some(BTreeSet::new()),
            Some((Lie::MoreKeys, _)) => {
                keys += 1;
                Some(BTreeSet::new())
            }
            Some((Lie::FewerKeys, _)) => {
                keys -= 1;
                Some(BTreeSet::new())
            }
            Some((Lie::Gap, _)) if from > 0 => {
                // Behind the index entry that it should rest on, where there is none.
                from += 1;
                (!self.index.contains_key(&from) && from < self.size()).then(BTreeSet::new)
            }
            Some((Lie::Gap, _)) => None,
            Some((Lie::MoreTraces, at)) if !leaves.is_empty() => {
                more = 1;
                Some(BTreeSet::from([leaves[at % leaves.len()].trace]))
            }
            Some((Lie::Unsorted, at)) if leaves.len() > 1 => {
                let at = at % (leaves.len() - 1);
                leaves.swap(at, at + 1);
                Some(BTreeSet::from([leaves[at].trace, leaves[at + 1].trace]))
            }
            Some((lie, at)) if !leaves.is_empty() && lie != Lie::Unsorted => {
                let at = at % leaves.len();
                let trace = leaves[at].trace;
                match lie {
                    Lie::LeaveOut => drop(leaves.remove(at)),
                    Lie::CountUp => leaves[at].count += 1,
                    Lie::CountDown => leaves[at].count -= 1,
                    _ => leaves[at].last[0] ^= 1,
                }
                Some(BTreeSet::from([trace]))
            }
            Some(_) => None,
        };
        let hashes: Vec<Hash> = leaves.iter().map(Leaf::hash).collect();
        let traces = leaves.len() as u64 + more;
        let body = format!(
            r#"{{"from":{from},"keys":{keys},"root":"{}","system_type":"trace_index","traces":{traces},"version":"1"}}"#,
            proofline_canon::hex(&root(&hashes))
        );
        self.index.insert(self.size(), Index { from, traces, leaves });
        self.append(EntryStatus::System, None, body.into_bytes());
        about
    }

    /// A bundle of these traces that rests on the last entry, which is an index entry. The records that stand in
    /// `dropped` are left out, and the proof is made for what is left.
    pub(crate) fn bundle(&self, traces: &BTreeSet<TraceId>, dropped: &BTreeSet<u64>) -> Vec<u8> {
        let (mut cover, mut at) = (Vec::new(), self.size() - 1);
        loop {
            cover.push(at);
            match self.index.get(&at) {
                Some(index) if index.from > 0 && index.from < at => at = index.from,
                _ => break,
            }
        }
        let is_of_trace =
            |header: &EntryHeader| header.trace.as_ref().is_some_and(|link| traces.contains(&link.trace_id));
        let mut seqs: BTreeSet<u64> = [0, 1].into_iter().chain(cover.iter().copied()).collect();
        for (header, _) in self.entries.iter().filter(|(header, _)| is_of_trace(header)) {
            seqs.insert(header.seq.get());
        }
        seqs.retain(|seq| !dropped.contains(seq));
        let there = |seq: &u64| &self.entries[usize::try_from(*seq).unwrap()];
        let mut entries = Vec::new();
        for (header, body) in seqs.iter().map(there) {
            entries.extend(base64(&header.encode()).into_bytes());
            entries.push(b'\n');
            entries.extend(body);
            entries.push(b'\n');
        }
        let all: Vec<Hash> = self.entries.iter().map(|(header, _)| leaf_hash(header)).collect();
        let mut proof = Vec::new();
        multiproof(&all, 0, &seqs, &mut proof);
        let checkpoint = format!("{ORIGIN}\n{}\n{}\n", all.len(), base64(&root(&all)));
        let note = Note::sign(&checkpoint, &[&self.key as &dyn Signer]).unwrap().to_bytes();
        let mut members = vec![
            ("bundle.json".to_owned(), self.manifest(traces, &cover, &seqs).into_bytes()),
            ("checkpoint".to_owned(), note),
            ("entries".to_owned(), entries),
            ("log.proof".to_owned(), hash_lines(&proof).into_bytes()),
        ];
        let mut sought = traces.clone();
        for seq in cover {
            let content = self.index.get(&seq).map_or_else(String::new, |index| shown(index, &mut sought));
            members.push((format!("index/{seq:020}"), content.into_bytes()));
        }
        pack(&members)
    }

    fn manifest(&self, traces: &BTreeSet<TraceId>, cover: &[u64], seqs: &BTreeSet<u64>) -> String {
        let count = |trace: &TraceId| {
            let of_trace = seqs.iter().filter(|seq| {
                let (header, _) = &self.entries[usize::try_from(**seq).unwrap()];
                header.trace.as_ref().is_some_and(|link| link.trace_id == *trace)
            });
            of_trace.count()
        };
        let claims: Vec<String> = traces
            .iter()
            .map(|trace| format!(r#"{{"entries":{},"trace_id":"{trace}"}}"#, count(trace)))
            .collect();
        let mut kinds = BTreeSet::from(["genesis", "key"]);
        kinds.extend(traces.iter().any(|trace| count(trace) > 0).then_some("auth_context"));
        let is_index = |seq: &u64| self.index.contains_key(seq);
        kinds.extend(cover.iter().any(is_index).then_some("trace_index"));
        let schemas: Vec<String> = kinds
            .iter()
            .map(|name| format!(r#"{{"name":"{name}","sha256":"{}"}}"#, schema_sha256(name).unwrap()))
            .collect();
        let cover: Vec<String> = cover.iter().map(u64::to_string).collect();
        format!(
            r#"{{"blobs":[],"bundle_type":"proofline.evidence","cover":[{}],"ledger_id":"{LEDGER}","origin":"{ORIGIN}","schemas":[{}],"size":{},"traces":[{}],"version":"1","withheld":[]}}"#,
            cover.join(","),
            schemas.join(","),
            self.size(),
            claims.join(",")
        )
    }

    /// The entries of a trace.
    pub(crate) fn seqs_of(&self, trace: TraceId) -> Vec<u64> {
        let of_trace = self
            .entries
            .iter()
            .filter(|(header, _)| header.trace.as_ref().is_some_and(|link| link.trace_id == trace));
        of_trace.map(|(header, _)| header.seq.get()).collect()
    }
}

/// What an index entry shows of the traces sought, of which it takes out those that it lists.
fn shown(index: &Index, sought: &mut BTreeSet<TraceId>) -> String {
    let mut chosen = BTreeSet::new();
    for trace in sought.clone() {
        if let Some(at) = index.leaves.iter().position(|leaf| leaf.trace == trace) {
            chosen.insert(at as u64);
            sought.remove(&trace);
            continue;
        }
        let behind = index.leaves.iter().position(|leaf| leaf.trace > trace).unwrap_or(index.leaves.len());
        chosen.extend(behind.checked_sub(1).map(|at| at as u64));
        chosen.extend((behind < index.leaves.len()).then_some(behind as u64));
    }
    let hashes: Vec<Hash> = index.leaves.iter().map(Leaf::hash).collect();
    let mut proof = Vec::new();
    multiproof(&hashes, 0, &chosen, &mut proof);
    let line = |at: &u64| {
        let Leaf { trace, count, last } = &index.leaves[usize::try_from(*at).unwrap()];
        format!("{at} {trace} {count} {}\n", base64(last))
    };
    let lines: String = chosen.iter().map(line).collect();
    assert!(index.traces >= index.leaves.len() as u64);
    format!("{lines}\n{}", hash_lines(&proof))
}
