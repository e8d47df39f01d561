//! That a policy asked by slices, or not asked again, answers as one that is asked every question whole: its result,
//! what determined it with the obligations, and its errors word for word. Over random policies and questions.

use std::collections::HashMap;

use proofline_canon::Sha256Digest;
use proofline_policy::{Answer, CedarEngine, Memory, PlainCedarEngine, Policy, PolicyEngine};
use proofline_trace::DecisionResult;

use crate::random::{Asked, Random, policy};

const QUESTIONS_PER_POLICY: usize = 24;

/// A million questions with `PROOFLINE_EFFORT=full`.
fn policies() -> usize {
    match std::env::var("PROOFLINE_EFFORT").as_deref() {
        Ok("full") => 1_000_000 / QUESTIONS_PER_POLICY,
        Ok("ci") | Err(_) => 600,
        Ok(other) => panic!("PROOFLINE_EFFORT is ci or full, not {other}"),
    }
}

#[derive(Default, Debug)]
struct Seen {
    texts: usize,
    refused: usize,
    questions: usize,
    allowed: usize,
    determined: usize,
    failed: usize,
    /// Of other questions, with a view that one had before.
    met: usize,
}

impl Seen {
    fn count(&mut self, answer: &Answer) {
        self.questions += 1;
        self.allowed += usize::from(answer.result == DecisionResult::Allow);
        self.determined += usize::from(!answer.determining.is_empty());
        self.failed += usize::from(!answer.errors.is_empty());
    }
}

#[test]
fn what_is_remembered_is_what_would_be_answered() {
    let mut random = Random::seeded(0x5eed_dec1);
    // So small that much of it is forgotten, and one that forgets nothing.
    let memories = [Memory::new(64 << 10), Memory::new(256 << 20)];
    let mut seen = Seen::default();
    for _ in 0..policies() {
        let text = policy(&mut random);
        seen.texts += 1;
        let (plain, sliced) = (PlainCedarEngine.load(text.as_bytes()), CedarEngine.load(text.as_bytes()));
        let (plain, sliced) = match (plain, sliced) {
            (Ok(plain), Ok(sliced)) => (plain, sliced),
            (plain, sliced) => {
                assert_eq!(plain.err(), sliced.err(), "{text}");
                seen.refused += 1;
                continue;
            }
        };
        let name = Sha256Digest::of(text.as_bytes());
        let mut by_view: HashMap<Vec<u8>, (Answer, Asked)> = HashMap::new();
        for _ in 0..QUESTIONS_PER_POLICY {
            let asked = Asked::drawn(&mut random);
            let question = asked.question();
            let answer = plain.ask(&question);
            seen.count(&answer);
            assert_eq!(sliced.ask(&question), answer, "{text}{asked:?}");
            for memory in &memories {
                let reply = memory.reply(&name, &*sliced, &question);
                assert_eq!(
                    (&reply.answer, &reply.decision),
                    (&answer, &answer.decision()),
                    "{text}{asked:?}"
                );
            }
            let mut view = Vec::new();
            assert!(sliced.write_view(&question, &mut view) && !plain.write_view(&question, &mut Vec::new()));
            let (first, of) = by_view.entry(view).or_insert_with(|| (answer.clone(), asked.clone()));
            assert_eq!(*first, answer, "{text}{asked:?}\n{of:?}");
            seen.met += usize::from(*of != asked);
        }
    }
    assert!(seen.refused * 20 < seen.texts, "{seen:?}");
    for (count, one_in) in [(seen.allowed, 10), (seen.determined, 4), (seen.failed, 20), (seen.met, 10)] {
        assert!(count * one_in > seen.questions, "{seen:?}");
    }
}

/// Whether two times of one question are one view of a policy.
fn tells_times_apart(text: &str) -> bool {
    let policy = CedarEngine.load(text.as_bytes()).unwrap();
    let mut random = Random::seeded(1);
    let asked = Asked::drawn(&mut random);
    let view = |ts_ms: u64| {
        let mut view = Vec::new();
        let question = proofline_policy::Question { ts_ms: ts_ms.try_into().unwrap(), ..asked.question() };
        assert!(policy.write_view(&question, &mut view));
        view
    };
    view(1) != view(2)
}

#[test]
fn a_time_that_no_statement_reads_is_no_part_of_the_view() {
    for (condition, is_read) in [
        ("principal.kind == \"user\"", false),
        ("context has ts_ms.x", true),
        ("context has trace && context.auth_context.ts_ms > 1", false),
        ("context.ts_ms > 1", true),
        ("context[\"ts_ms\"] > 1", true),
        ("{a: context}.a.component == \"a\"", true),
        ("(if true then context else context).component == \"a\"", true),
        ("context == context", true),
        // An error that would tell the names of what is there.
        ("context.nothing == 1", true),
    ] {
        let text = format!("@id(\"a\") permit(principal, action, resource) when {{ {condition} }};");
        assert_eq!(tells_times_apart(&text), is_read, "{condition}");
    }
    // A statement whose scope does not admit the question reads nothing of it.
    let elsewhere =
        "@id(\"a\") permit(principal, action, resource == Resource::\"nowhere\") when { context.ts_ms > 1 };";
    assert!(!tells_times_apart(elsewhere));
}

#[test]
fn every_part_of_a_question_that_is_compared_as_a_whole_is_part_of_the_view() {
    let text = "@id(\"a\") permit(principal, action, resource) when {
        [principal, action, resource].contains(context) };";
    let policy = CedarEngine.load(text.as_bytes()).unwrap();
    let mut random = Random::seeded(2);
    let mut views: HashMap<Vec<u8>, Asked> = HashMap::new();
    for _ in 0..3000 {
        let asked = Asked::drawn(&mut random);
        let mut view = Vec::new();
        assert!(policy.write_view(&asked.question(), &mut view));
        let first = views.entry(view).or_insert_with(|| asked.clone());
        assert_eq!(*first, asked);
    }
    assert!(views.len() > 2500);
}

#[test]
fn threads_share_a_memory_and_agree() {
    let mut random = Random::seeded(3);
    let text =
        policy(&mut random) + "@id(\"t\") permit(principal, action, resource) when { context.ts_ms > 7 };";
    let (policy, plain) =
        (CedarEngine.load(text.as_bytes()).unwrap(), PlainCedarEngine.load(text.as_bytes()).unwrap());
    let (name, memory) = (Sha256Digest::of(text.as_bytes()), Memory::new(16 << 10));
    let asked: Vec<Asked> = (0..400).map(|_| Asked::drawn(&mut random)).collect();
    let expected: Vec<Answer> = asked.iter().map(|asked| plain.ask(&asked.question())).collect();
    let policy: &dyn Policy = &*policy;
    std::thread::scope(|scope| {
        for offset in 0..4 {
            let (asked, expected, memory, name) = (&asked, &expected, &memory, &name);
            scope.spawn(move || {
                for at in (0..asked.len()).map(|at| (at + offset * 100) % asked.len()) {
                    let reply = memory.reply(name, policy, &asked[at].question());
                    assert_eq!(reply.answer, expected[at]);
                }
            });
        }
    });
}
