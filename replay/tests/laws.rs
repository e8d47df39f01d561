//! Laws: whatever was submitted, in whatever groups, what the gate accepted passes and what it
//! refused is refused again; and the run over it is the same however it is asked for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::num::NonZeroUsize;

use common::evidence::{Place, auth_context_at, bare, decision_at, declared, hash_of, tool_call_at};
use common::{NOW_MS, fresh, output, run};
use proofline_ledger::{Options, Outcome};
use proofline_replay::{Plan, RunVerdict, Selection, TraceReplay};
use proptest::prelude::*;

/// A submission to be: most are well formed, and many have no right to be accepted.
#[derive(Debug, Clone)]
struct Wish {
    kind: u8,
    trace: u32,
    span: u32,
    parent: Option<u32>,
    time_ms: u64,
    allow: bool,
    /// Which earlier record of each kind to name; past the end for one that never was.
    context: usize,
    decision: usize,
    /// Zero for a wrong declared hash, one for none of its own, else bare.
    hash: u8,
}

prop_compose! {
    fn wish()(
        kind in 0_u8..6,
        trace in 1_u32..4,
        span in 1_u32..9,
        parent in proptest::option::of(1_u32..9),
        time_ms in 1000_u64..1006,
        allow in proptest::bool::weighted(0.7),
        context in 0_usize..6,
        decision in 0_usize..6,
        hash in 0_u8..12,
    ) -> Wish {
        Wish { kind, trace, span, parent, time_ms, allow, context, decision, hash }
    }
}

/// The envelopes of some wishes, each naming earlier ones.
fn envelopes(wishes: &[Wish]) -> Vec<(&'static str, String)> {
    let (mut contexts, mut decisions) = (Vec::new(), Vec::new());
    let never = "5".repeat(64);
    let mut lines = Vec::new();
    for wish in wishes {
        let place = Place { trace: wish.trace, span: wish.span, parent: wish.parent };
        let context = contexts.iter().rev().nth(wish.context).unwrap_or(&never).clone();
        let decision = decisions.iter().rev().nth(wish.decision).unwrap_or(&never).clone();
        let result = if wish.allow { "allow" } else { "deny" };
        lines.push(match wish.kind {
            0 => {
                let line = auth_context_at(place, "staff/ines", wish.time_ms, 9000);
                contexts.push(hash_of(&line));
                ("auth_context", line)
            }
            1 | 2 => {
                let line = decision_at(place, &context, wish.time_ms, result);
                decisions.push(hash_of(&line));
                ("policy_decision", line)
            }
            _ => ("tool_call", tool_call_at(place, &context, &decision, (wish.time_ms, wish.time_ms + 1))),
        });
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_the_gate_accepted_passes(
        wishes in proptest::collection::vec(wish(), 1..60),
        group in 1_usize..20,
        small_segments in any::<bool>(),
        include_rejected in any::<bool>(),
    ) {
        let segment_bytes = if small_segments { 4096 } else { 64 << 20 };
        let (_dir, ledger) = fresh(Options { segment_bytes, ..Options::default() });
        let lines = envelopes(&wishes);
        let wrong = "0".repeat(64);
        let actions: Vec<_> = wishes.iter().zip(&lines).map(|(wish, (record_type, line))| match wish.hash {
            0 => declared(record_type, &wrong, line),
            1 => declared(record_type, "", line),
            _ => bare(line),
        }).collect();
        let (mut accepted, mut refused) = (0, 0);
        for group in actions.chunks(group) {
            for outcome in ledger.commit_actions(group, NOW_MS).unwrap() {
                match outcome {
                    Outcome::Accepted { duplicate, .. } => accepted += u64::from(!duplicate),
                    Outcome::Refused { seq, .. } => refused += u64::from(seq.is_some()),
                    other @ Outcome::ArtifactRefused(_) => panic!("{other:?}"),
                }
            }
        }
        let snapshot = ledger.snapshot().unwrap();
        let plan = Plan { include_rejected, ..Plan::default() };
        let (verdicts, summary) = run(&snapshot, &plan);
        prop_assert_eq!(summary.verdict(), RunVerdict::AllWell);
        prop_assert!(verdicts.iter().all(TraceReplay::is_pass));
        prop_assert_eq!(summary.records, accepted + if include_rejected { refused } else { 0 });
        prop_assert_eq!(summary.verified, summary.records);
        prop_assert_eq!(summary.gate_rechecked, accepted);
        let reproduced = !summary.findings.keys().any(|code| code.as_str() == "REJECTION_NOT_REPRODUCED");
        prop_assert!(reproduced);
        prop_assert_eq!(snapshot.entries(), 1 + accepted + refused);

        // Alone or with the others, on one thread or three: the same verdicts.
        let traces: Selection = verdicts.iter().rev().map(TraceReplay::trace_id).collect();
        let threads = NonZeroUsize::new(3);
        let (chosen, _) = run(&snapshot, &Plan { traces, threads, ..plan.clone() });
        prop_assert_eq!(chosen, verdicts);
        prop_assert_eq!(output(&snapshot, &plan), output(&snapshot, &Plan { threads, ..plan }));
    }
}
