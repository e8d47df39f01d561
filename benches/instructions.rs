//! The main paths over little, for a count of instructions: what `.ci/instructions` runs under Valgrind. Noise cannot
//! fool such a count as it fools a clock. Without arguments each path runs once, as a bench that measures nothing does.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]
#![allow(clippy::print_stdout, reason = "what is printed is read by a script")]

mod common;

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use common::TempLedger;
use proofline::canon::{Limits, Profile, parse};
use proofline::ledger::{Ledger, Options, verify};
use proofline::policy::{CedarEngine, PolicyEngine, Question};
use proofline::replay::{Means, Mode, Plan, ReplaySink, RunVerdict, TraceReplay, replay};
use proofline::trace::Envelope;
use proofline_vectors::Submission;

/// Records in each ledger.
const RECORDS: usize = 1_000;
/// How often a policy is asked.
const QUESTIONS: usize = 200;

/// A path: what it needs first, and whether to go it.
type Path = (&'static str, fn(bool));

const PATHS: [Path; 6] = [
    ("commit", commit),
    ("replay_forensic", |go| replayed(Mode::Forensic, go)),
    ("replay_invariant", |go| replayed(Mode::Invariant, go)),
    ("verify", verified),
    ("canonical_check", canonical),
    ("decision", decided),
];

/// `PATH` goes a path, `PATH setup` makes only what it needs, so that the difference is the path's; `list` says which
/// there are, `features` what the processor is taken for.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["list"] => PATHS.iter().for_each(|(name, _)| println!("{name}")),
        ["features"] => println!("{}", features()),
        [name] => path(name)(true),
        [name, "setup"] => path(name)(false),
        _ => PATHS.iter().for_each(|(_, path)| path(true)),
    }
}

fn path(name: &str) -> fn(bool) {
    PATHS.iter().find(|(known, _)| *known == name).unwrap().1
}

/// What decides which code runs: hashing by instructions for it, by wide registers, or by neither.
fn features() -> String {
    let arch = std::env::consts::ARCH;
    #[cfg(target_arch = "x86_64")]
    let found = [
        ("sha", std::arch::is_x86_feature_detected!("sha")),
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("avx512", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let found: [(&str, bool); 0] = [];
    let named = found.iter().filter(|(_, has)| *has).map(|(name, _)| *name);
    std::iter::once(arch).chain(named).collect::<Vec<_>>().join("+")
}

fn commit(go: bool) {
    let (ledger, records) = (TempLedger::new(), common::records(RECORDS));
    let writer = ledger.open(Options::default());
    let actions = common::actions(&records);
    if go {
        common::assert_accepted(&writer.commit_actions(&actions, common::NOW_MS).unwrap());
    }
}

/// A ledger of the records, closed.
fn filled() -> TempLedger {
    let ledger = TempLedger::new();
    let writer: Ledger = ledger.open(Options::default());
    let records: Vec<Submission> = common::records(RECORDS);
    common::assert_accepted(&writer.commit_actions(&common::actions(&records), common::NOW_MS).unwrap());
    ledger
}

/// Takes verdicts and keeps none.
struct Dropped;

impl ReplaySink for Dropped {
    fn verdict(&mut self, _: TraceReplay) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn replayed(mode: Mode, go: bool) {
    let ledger = filled();
    let plan = Plan { mode, threads: Some(NonZeroUsize::MIN), ..Plan::default() };
    if go {
        let summary = replay(&ledger.snapshot(), &Means::default(), &plan, &mut Dropped).unwrap();
        assert_eq!((summary.verdict(), summary.verified), (RunVerdict::AllWell, RECORDS as u64));
    }
}

fn verified(go: bool) {
    let ledger = filled();
    if go {
        assert!(verify(ledger.path(), &mut |_| {}).unwrap().is_sound());
    }
}

/// Whether bytes are canonical already: parsed, written, compared.
fn canonical(go: bool) {
    let records = common::records(RECORDS);
    for record in records.iter().filter(|_| go) {
        let value = parse(record.sealed.canonical(), &Limits::ENVELOPE).unwrap();
        assert_eq!(value.to_canonical(Profile::Envelope).unwrap(), record.sealed.canonical());
    }
}

/// One question of a policy again and again, through the seam.
fn decided(go: bool) {
    const POLICY: &str = r#"@id("in-time") permit(principal, action, resource)
        when { context.ts_ms <= context.auth_context.credential.expires_at_ms };
        @id("no-robots") forbid(principal in ActorKind::"robot", action, resource);"#;
    let records = common::records(100);
    let mut envelopes = records.iter().map(|record| record.sealed.envelope());
    let decision = envelopes.clone().find_map(|envelope| match envelope {
        Envelope::PolicyDecision(decision) => Some(decision),
        _ => None,
    });
    let decision = decision.unwrap();
    let context = envelopes.find_map(|envelope| match envelope {
        Envelope::AuthContext(context) if context.trace.trace_id() == decision.trace.trace_id() => {
            Some(context)
        }
        _ => None,
    });
    let policy = CedarEngine.load(POLICY.as_bytes()).unwrap();
    let question = Question::of(context.unwrap(), decision);
    for _ in (0..QUESTIONS).filter(|_| go) {
        let answer = policy.ask(black_box(&question)).decision();
        assert!(black_box(answer).reason_codes.contains("in-time"));
    }
}
