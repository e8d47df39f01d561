//! Which version of a policy is in force where: by first appearance in the log. A version is its name and the hash of
//! its bytes, so other bytes under an old name are a new version.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use proofline_ledger::{Damage, EntryKind, Seq, Snapshot};
use proofline_trace::{Envelope, PolicyRef, RecordType, Token};
use rayon::ThreadPool;
use rayon::prelude::*;

use super::{RecordAt, RulesEvent, RulesSink};
use crate::chain::{ByteRule, Record};
use crate::error::ReplayError;
use crate::reading::read_entry;

/// Entries of one range: the work of one thread at a time.
const RANGE_ENTRIES: u64 = 512;
/// Ranges between two events.
const RANGES_PER_WINDOW: u64 = 32;

/// How a decision begins to name itself. Canonical text has this outside of strings alone: inside, quotes are escaped.
const DECISION: &[u8] = br#""record_type":"policy_decision""#;

/// The versions of every policy that decisions were made by.
#[derive(Debug, Default)]
pub(super) struct PolicyVersions {
    /// By policy, in the order of their first use.
    policies: BTreeMap<Token, Vec<(PolicyRef, RecordAt)>>,
}

type Uses = BTreeMap<(Token, Token, [u8; 32]), (PolicyRef, RecordAt)>;

impl PolicyVersions {
    /// Looks the whole log through.
    pub(super) fn of(
        pool: &ThreadPool,
        snapshot: &Snapshot,
        sink: &mut dyn RulesSink,
        found: &mut dyn FnMut(Damage),
    ) -> Result<Self, ReplayError> {
        let (total, mut read, mut first) = (snapshot.entries(), 0, Uses::new());
        while read < total {
            let end = total.min(read + RANGE_ENTRIES * RANGES_PER_WINDOW);
            let ranges: Vec<Range<u64>> = (read..end)
                .step_by(usize::try_from(RANGE_ENTRIES).unwrap_or(1))
                .map(|start| start..end.min(start + RANGE_ENTRIES))
                .collect();
            let uses: Result<Vec<_>, ReplayError> =
                pool.install(|| ranges.into_par_iter().map(|range| uses_in(snapshot, range)).collect());
            for (uses, damage) in uses? {
                damage.into_iter().for_each(&mut *found);
                // Ranges come in the order of the log, so what is there already is earlier.
                uses.into_iter().for_each(|(version, used)| _ = first.entry(version).or_insert(used));
            }
            read = end;
            if let ControlFlow::Break(()) = sink.event(&RulesEvent::EntriesRead { read, total }) {
                return Err(ReplayError::Stopped);
            }
        }
        let mut policies = BTreeMap::<Token, Vec<(PolicyRef, RecordAt)>>::new();
        for (policy, used) in first.into_values() {
            policies.entry(policy.policy_id.clone()).or_default().push((policy, used));
        }
        policies.values_mut().for_each(|versions| versions.sort_by_key(|(_, used)| used.seq));
        Ok(Self { policies })
    }

    /// The first use, before an entry, of a version that was first used later than this one: it is why this one is
    /// not in force there.
    pub(super) fn newer(&self, policy: &PolicyRef, before: Seq) -> Option<RecordAt> {
        let versions = self.policies.get(&policy.policy_id)?;
        let own = versions.iter().position(|(version, _)| version == policy)?;
        versions.get(own + 1).map(|(_, used)| *used).filter(|used| used.seq < before)
    }
}

fn uses_in(snapshot: &Snapshot, range: Range<u64>) -> Result<(Uses, Vec<Damage>), ReplayError> {
    let (mut uses, mut damage) = (Uses::new(), Vec::new());
    for seq in range.map(Seq::new) {
        let entry = match read_entry(snapshot, seq)? {
            Ok(entry) => entry,
            Err(found) => {
                damage.push(found);
                continue;
            }
        };
        let is_accepted = entry.header.status.kind() == EntryKind::Accepted;
        if !is_accepted || !entry.body.windows(DECISION.len()).any(|window| window == DECISION) {
            continue;
        }
        // A record whose bytes do not hold is told of where its trace is read.
        let Some(record) = Record::of(&entry, ByteRule::Stored).filter(|record| record.fault.is_none())
        else {
            continue;
        };
        let Some(Envelope::PolicyDecision(decision)) = record.envelope else { continue };
        let policy = decision.policy;
        let used = RecordAt {
            trace_id: decision.trace.trace_id(),
            seq,
            envelope_sha256: record.key,
            record_type: RecordType::PolicyDecision,
        };
        let (id, version) = (policy.policy_id.clone(), policy.policy_version.clone());
        let key = (id, version, *policy.policy_sha256.as_bytes());
        uses.entry(key).or_insert((policy, used));
    }
    Ok((uses, damage))
}
