//! Completeness over random logs: what is whole is believed, with the counts that a walk over the log gives; what is
//! left out, and each lie of the writer that a bundle can show, is refused by the claim that it breaks.

use std::collections::BTreeSet;

use proofline_proof::Signer;
use proofline_proof::bundle::{BundleStep, Question};
use proofline_trace::TraceId;

use crate::model::{Lie, Log};
use crate::vectors::judge;

/// SplitMix64: every run is the same run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

fn effort(ci: u64, full: u64) -> u64 {
    match std::env::var("PROOFLINE_EFFORT").as_deref() {
        Ok("full") => full,
        Ok("ci") | Err(_) => ci,
        Ok(other) => panic!("PROOFLINE_EFFORT is ci or full, not {other}"),
    }
}

fn trace(number: usize) -> TraceId {
    format!("{:032x}", number * 3 + 1).parse().unwrap()
}

/// A random log without its last index entry.
fn log(random: &mut Random) -> Log {
    let mut log = Log::new();
    let many = 1 + random.below(12);
    for _ in 0..random.below(40) {
        if random.below(7) == 0 {
            let from = beginning(&log, random);
            log.index(from, None);
        } else {
            log.record(trace(random.below(many)));
        }
    }
    log
}

fn beginning(log: &Log, random: &mut Random) -> u64 {
    let places = log.beginnings();
    places[random.below(places.len())]
}

/// Some traces, of which some have no entry.
fn selection(random: &mut Random) -> BTreeSet<TraceId> {
    let mut traces = BTreeSet::new();
    for _ in 0..1 + random.below(6) {
        let id = format!("{:032x}", 1 + random.below(50));
        traces.insert(id.parse().unwrap());
    }
    traces
}

#[test]
fn what_is_whole_is_believed() {
    for seed in 0..effort(400, 20_000) {
        let mut random = Random(seed);
        let mut log = log(&mut random);
        let from = beginning(&log, &mut random);
        log.index(from, None);
        let traces = selection(&mut random);
        let report = judge(&log.bundle(&traces, &BTreeSet::new()), &[log.key.verifier().clone()]);
        assert_eq!(report.fault(), None, "seed {seed}");
        for claim in &report.manifest.unwrap().traces {
            assert_eq!(claim.entries, log.seqs_of(claim.trace_id).len() as u64, "seed {seed}");
        }
    }
}

#[test]
fn what_is_left_out_is_missed() {
    let mut dropped_ones = 0;
    for seed in 0..effort(800, 20_000) {
        let mut random = Random(seed);
        let mut log = log(&mut random);
        let from = beginning(&log, &mut random);
        log.index(from, None);
        let traces = selection(&mut random);
        let there: Vec<u64> = traces.iter().flat_map(|trace| log.seqs_of(*trace)).collect();
        if there.is_empty() {
            continue;
        }
        dropped_ones += 1;
        // Proof and manifest are made for what is left: only the claim of completeness tells.
        let dropped = (0..1 + random.below(3)).map(|_| there[random.below(there.len())]).collect();
        let report = judge(&log.bundle(&traces, &dropped), &[log.key.verifier().clone()]);
        assert_eq!(report.fault().unwrap().step(), BundleStep::Completeness, "seed {seed}");
        assert_eq!(report.answer(Question::Integrity), proofline_proof::bundle::Answer::Holds, "seed {seed}");
    }
    assert!(dropped_ones > 150, "only {dropped_ones} logs had something to drop");
}

#[test]
fn each_lie_breaks_its_claim() {
    let mut told = std::collections::BTreeMap::new();
    for seed in 0..effort(900, 40_000) {
        let mut random = Random(seed);
        let mut log = log(&mut random);
        let lie = Lie::ALL[usize::try_from(seed % 9).unwrap()];
        let from = beginning(&log, &mut random);
        let Some(about) = log.index(from, Some((lie, random.below(100)))) else { continue };
        *told.entry(format!("{lie:?}")).or_insert(0) += 1;
        let mut traces = selection(&mut random);
        traces.extend(about);
        let report = judge(&log.bundle(&traces, &BTreeSet::new()), &[log.key.verifier().clone()]);
        if lie == Lie::MoreTraces && report.holds() {
            // A larger tree can have the same hashes on its left: then what is said of the traces is true all the same.
            for claim in &report.manifest.unwrap().traces {
                assert_eq!(claim.entries, log.seqs_of(claim.trace_id).len() as u64, "seed {seed}");
            }
            continue;
        }
        let found = report.fault().unwrap_or_else(|| panic!("seed {seed}: {lie:?} is believed"));
        let expected = match lie {
            Lie::LeaveOut | Lie::CountUp | Lie::OtherLast => BundleStep::Completeness,
            // A count of 0 is no leaf.
            Lie::CountDown if found.step() == BundleStep::Cover => BundleStep::Cover,
            Lie::CountDown => BundleStep::Completeness,
            Lie::MoreKeys | Lie::FewerKeys => BundleStep::Keys,
            Lie::MoreTraces | Lie::Unsorted | Lie::Gap => BundleStep::Cover,
        };
        assert_eq!(found.step(), expected, "seed {seed}: {lie:?}, {found}");
    }
    assert!(told.len() == 9 && told.values().all(|count| *count > 10), "{told:?}");
}
