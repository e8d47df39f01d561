//! What is remembered is what was answered, and memory stays within its bound.

use proofline_trace::DecisionResult;

use super::*;
use crate::EvaluationFault;

/// Sees the time alone, and counts how often it is asked.
#[derive(Debug, Default)]
struct Clockwork(std::sync::atomic::AtomicUsize);

impl Clockwork {
    fn asked(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl Policy for Clockwork {
    fn ask(&self, question: &Question<'_>) -> Answer {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let id = question.ts_ms.get().to_string();
        let determining = vec![crate::Determining { id, obligations: Vec::new() }];
        let fault = |message: String| EvaluationFault { id: "fails".to_owned(), message };
        let errors = (question.ts_ms.get() == 17).then(|| fault(format!("asked {} times", self.asked())));
        Answer { result: DecisionResult::Allow, determining, errors: errors.into_iter().collect() }
    }

    fn write_view(&self, question: &Question<'_>, view: &mut Vec<u8>) -> bool {
        view.extend_from_slice(&question.ts_ms.get().to_be_bytes());
        question.ts_ms.get() != 13
    }
}

fn ask(memory: &Memory, name: u8, policy: &Clockwork, ts_ms: u64) -> String {
    let [sample, _] = crate::cedar::samples();
    let question = Question { ts_ms: ts_ms.try_into().unwrap(), ..sample.question() };
    let reply = memory.reply(&Sha256Digest::from_bytes([name; 32]), policy, &question);
    assert_eq!(reply.decision, reply.answer.decision());
    reply.answer.determining[0].id.clone()
}

#[test]
fn a_view_is_asked_once_under_each_name() {
    let (memory, policy) = (Memory::new(1 << 20), Clockwork::default());
    for ts_ms in [1, 2, 1, 2] {
        assert_eq!(ask(&memory, 7, &policy, ts_ms), ts_ms.to_string());
    }
    assert_eq!(policy.asked(), 2);
    ask(&memory, 8, &policy, 1);
    assert_eq!((policy.asked(), memory.len()), (3, 3));
    // What has no view is asked each time.
    ask(&memory, 7, &policy, 13);
    ask(&memory, 7, &policy, 13);
    assert_eq!((policy.asked(), memory.len()), (5, 3));
    // So is what fails.
    ask(&memory, 7, &policy, 17);
    ask(&memory, 7, &policy, 17);
    assert_eq!((policy.asked(), memory.len()), (7, 3));
}

#[test]
fn a_full_memory_forgets_what_was_not_asked_for_lately() {
    let max_bytes = 1 << 20;
    let (memory, policy) = (Memory::new(max_bytes), Clockwork::default());
    for ts_ms in 100..20_000 {
        assert_eq!(ask(&memory, 7, &policy, ts_ms), ts_ms.to_string());
        ask(&memory, 7, &policy, 20);
    }
    let asked = policy.asked();
    ask(&memory, 7, &policy, 20);
    assert_eq!(policy.asked(), asked, "asked for all along");
    ask(&memory, 7, &policy, 100);
    assert_eq!(policy.asked(), asked + 1, "long ago");
    let least = 32 + 8 + ENTRY_BYTES + TEXT_BYTES;
    assert!(memory.len() > 100 && memory.len() * least <= max_bytes, "{}", memory.len());
    // Nothing fits, and every answer is right.
    let (none, before) = (Memory::new(0), policy.asked());
    assert_eq!([ask(&none, 7, &policy, 5), ask(&none, 7, &policy, 5)], ["5", "5"]);
    assert_eq!((none.len(), policy.asked()), (0, before + 2));
}
