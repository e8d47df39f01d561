//! What many pairs came to: how many part, where, why and in which models and tools; the last line of the output.

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::Value;
use proofline_ledger::{Damage, Seq, Snapshot, damage_value};
use proofline_trace::{DifferenceKind, LedgerId};

use super::divergence::{Cause, Subject};
use super::{DriftVerdict, PairDrift, counts};

/// Subjects beyond this are counted together: names come from evidence, and memory is bounded.
const SUBJECTS_KEPT: usize = 10_000;
/// Damage beyond this is counted and not kept.
const DAMAGE_KEPT: usize = 1_000;

/// How often a step is where runs part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SubjectCount {
    /// Pairs that part first at it.
    pub first: u64,
    /// Pairs of which a run has it.
    pub pairs: u64,
}

/// What all pairs came to. The maps have no zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftSummary {
    /// The ledger that was read.
    pub ledger_id: LedgerId,
    /// How many entries it had.
    pub entries: u64,
    /// Pairs.
    pub pairs: u64,
    /// Pairs in which nothing differs that counts.
    pub same: u64,
    /// Pairs that differ as the variance policy allows.
    pub within: u64,
    /// Pairs that part.
    pub parts: u64,
    /// Pairs that could not be compared.
    pub not_compared: u64,
    /// Pairs by the cause of their first divergence.
    pub first_causes: BTreeMap<Cause, u64>,
    /// All places at which pairs part, by cause.
    pub causes: BTreeMap<Cause, u64>,
    /// Differences that the variance policy allowed, by kind.
    pub allowed: BTreeMap<DifferenceKind, u64>,
    /// Pairs by the place of their first divergence among the records of the baseline: 1, 2, up to 4, up to 8, and so
    /// on, under the last of them.
    pub depths: BTreeMap<u64, u64>,
    /// By model, tool or action.
    pub subjects: BTreeMap<Subject, SubjectCount>,
    /// Pairs that part first at a subject beyond the first ten thousand.
    pub other_subjects: u64,
    /// Damage of the log, the first thousand places.
    pub damage: Vec<Damage>,
    /// All places of damage.
    pub damage_count: u64,
}

impl DriftSummary {
    /// Whether every pair was compared, and none parts.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.parts == 0 && self.not_compared == 0
    }

    /// The summary as JSON: `{"summary":{...}}`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let subject = |(subject, count): (&Subject, &SubjectCount)| {
            Value::object([
                ("record_type", Value::from(subject.record_type.as_str())),
                ("name", Value::from(subject.name.as_str())),
                ("first", Value::from(count.first)),
                ("pairs", Value::from(count.pairs)),
            ])
        };
        let depth = |(up_to, pairs): (&u64, &u64)| {
            Value::object([("up_to", Value::from(*up_to)), ("pairs", Value::from(*pairs))])
        };
        let summary = Value::object([
            ("ledger_id", Value::from(self.ledger_id.to_string())),
            ("entries", Value::from(self.entries)),
            ("pairs", Value::from(self.pairs)),
            ("same", Value::from(self.same)),
            ("within", Value::from(self.within)),
            ("parts", Value::from(self.parts)),
            ("not_compared", Value::from(self.not_compared)),
            ("first_causes", counts(&self.first_causes, |cause| cause.as_str())),
            ("causes", counts(&self.causes, |cause| cause.as_str())),
            ("allowed", counts(&self.allowed, |kind| kind.as_str())),
            ("depths", Value::array(self.depths.iter().map(depth))),
            ("subjects", Value::array(self.subjects.iter().map(subject))),
            ("other_subjects", Value::from(self.other_subjects)),
            ("damage", Value::array(self.damage.iter().map(damage_value))),
            ("damage_count", Value::from(self.damage_count)),
        ]);
        Value::object([("summary", summary)])
    }
}

/// A summary in the making.
pub(super) struct Tally {
    summary: DriftSummary,
    known: BTreeSet<(Option<Seq>, &'static str)>,
}

impl Tally {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let summary = DriftSummary {
            ledger_id: snapshot.ledger_id(),
            entries: snapshot.entries(),
            pairs: 0,
            same: 0,
            within: 0,
            parts: 0,
            not_compared: 0,
            first_causes: BTreeMap::new(),
            causes: BTreeMap::new(),
            allowed: BTreeMap::new(),
            depths: BTreeMap::new(),
            subjects: BTreeMap::new(),
            other_subjects: 0,
            damage: Vec::new(),
            damage_count: 0,
        };
        let mut tally = Self { summary, known: BTreeSet::new() };
        snapshot.damage().iter().for_each(|damage| tally.damage(damage));
        tally
    }

    /// An entry is met by every pair that has its trace.
    fn damage(&mut self, damage: &Damage) {
        if self.known.insert((damage.seq, damage.code)) {
            self.summary.damage_count += 1;
            if self.summary.damage.len() < DAMAGE_KEPT {
                self.summary.damage.push(damage.clone());
            }
        }
    }

    pub(super) fn add(&mut self, drift: &PairDrift) {
        drift.damage.iter().for_each(|damage| self.damage(damage));
        let summary = &mut self.summary;
        summary.pairs += 1;
        *match drift.verdict {
            DriftVerdict::Same => &mut summary.same,
            DriftVerdict::Within => &mut summary.within,
            DriftVerdict::Parts => &mut summary.parts,
            DriftVerdict::NotCompared => &mut summary.not_compared,
        } += 1;
        for (kind, count) in &drift.allowed {
            *summary.allowed.entry(*kind).or_default() += count;
        }
        for (cause, count) in &drift.causes {
            *summary.causes.entry(*cause).or_default() += count;
        }
        for subject in &drift.subjects {
            if let Some(count) = of_subject(&mut summary.subjects, subject) {
                count.pairs += 1;
            }
        }
        if let Some(first) = &drift.first {
            *summary.first_causes.entry(first.cause).or_default() += 1;
            *summary.depths.entry(first.place.next_power_of_two()).or_default() += 1;
            match of_subject(&mut summary.subjects, &first.subject) {
                Some(count) => count.first += 1,
                None => summary.other_subjects += 1,
            }
        }
    }

    pub(super) fn finish(self) -> DriftSummary {
        self.summary
    }
}

fn of_subject<'s>(
    subjects: &'s mut BTreeMap<Subject, SubjectCount>,
    subject: &Subject,
) -> Option<&'s mut SubjectCount> {
    if subjects.len() >= SUBJECTS_KEPT && !subjects.contains_key(subject) {
        return None;
    }
    Some(subjects.entry(subject.clone()).or_default())
}
