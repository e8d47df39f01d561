//! Which version of a policy is in force where: by first appearance in the log. A version is its name and the hash of
//! its bytes, so other bytes under an old name are a new version.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use proofline_ledger::{Damage, EntryKind, Seq, Snapshot};
use proofline_trace::{Envelope, PolicyRef, RecordType, Token};
use rayon::ThreadPool;
use rayon::prelude::*;

use super::cases::unsound;
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

/// A version of a policy: its policy, its name, the hash of its bytes.
type Version = (Token, Token, [u8; 32]);

/// The first use of each version.
type Uses = BTreeMap<Version, RecordAt>;

/// The versions of every policy that decisions were made by.
#[derive(Debug, Default)]
pub(super) struct PolicyVersions {
    /// By policy, the first use of each version, in the order of the log.
    uses: BTreeMap<Token, Vec<RecordAt>>,
    /// Which of them a version is.
    places: BTreeMap<Version, usize>,
}

fn version(policy: &PolicyRef) -> Version {
    (policy.policy_id.clone(), policy.policy_version.clone(), *policy.policy_sha256.as_bytes())
}

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
        Ok(Self::in_order(first))
    }

    fn in_order(first: Uses) -> Self {
        let mut by_entry: Vec<(Version, RecordAt)> = first.into_iter().collect();
        by_entry.sort_by_key(|(_, used)| used.seq);
        let mut versions = Self::default();
        for (version, used) in by_entry {
            let uses = versions.uses.entry(version.0.clone()).or_default();
            versions.places.insert(version, uses.len());
            uses.push(used);
        }
        versions
    }

    /// The first use, before an entry, of a version that was first used later than this one: it is why this one is
    /// not in force there.
    pub(super) fn newer(&self, policy: &PolicyRef, before: Seq) -> Option<RecordAt> {
        let own = self.places.get(&version(policy))?;
        let next = self.uses.get(&policy.policy_id)?.get(own + 1)?;
        (next.seq < before).then_some(*next)
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
        let Some(record) = Record::of(entry, ByteRule::Stored) else { continue };
        // It may be the first use of a version, of a trace that nobody asks about.
        if let Some(fault) = &record.fault {
            damage.push(unsound(snapshot, seq, fault));
            continue;
        }
        let Some(Envelope::PolicyDecision(decision)) = record.envelope else { continue };
        let used = RecordAt {
            trace_id: decision.trace.trace_id(),
            seq,
            envelope_sha256: record.key,
            record_type: RecordType::PolicyDecision,
        };
        uses.entry(version(&decision.policy)).or_insert(used);
    }
    Ok((uses, damage))
}
