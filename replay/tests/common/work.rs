//! A piece of work as a plan, and runs of it under any trace id; and what a comparison of two plans
//! must come to, from the plans alone.

use std::collections::BTreeMap;

use super::evidence::{Place, auth_context, call, decision_at, hash_of};

/// One call under a decision. Numbers stand for payloads and states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub is_model: bool,
    pub request: u32,
    pub response: u32,
    pub status: u32,
    pub usage: u64,
}

/// A decision over a resource, and the calls under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub resource: u32,
    pub calls: Vec<Call>,
}

/// The records of a run, which the gate accepts in this order. Calls start in the order of the plan.
pub fn records(trace: u32, steps: &[Step]) -> Vec<String> {
    let context = auth_context(trace, "staff/ines");
    let context_hash = hash_of(&context);
    let (mut lines, mut span) = (vec![context], 10);
    for step in steps {
        let place = Place { trace, span, parent: Some(1) };
        let decision = decision_at(place, &context_hash, 1000 + u64::from(span), "allow");
        let decision = decision.replace("tickets/42", &format!("tickets/{}", step.resource));
        let names = (context_hash.as_str(), hash_of(&decision));
        lines.push(decision);
        for it in &step.calls {
            span += 1;
            let place = Place { trace, span, parent: Some(place.span) };
            let payloads = (format!("request {}", it.request), format!("response {}", it.response));
            lines.push(call(
                place,
                (names.0, &names.1),
                1000 + u64::from(span),
                (&payloads.0, &payloads.1),
                &format!("state-{}", it.status),
                it.is_model.then_some(it.usage),
            ));
        }
        span += 1;
    }
    lines
}

/// What differs between two runs, by the contract: either the path, or pairs of calls, each as
/// (is_model, member) in the order of the baseline.
#[derive(Debug, PartialEq, Eq)]
pub enum Expected {
    OtherPath,
    Varies(Vec<(bool, &'static str)>),
}

pub fn expected(baseline: &[Step], candidate: &[Step]) -> Expected {
    type Identity = (u32, bool, u32);
    let signatures = |steps: &[Step]| {
        let mut all: Vec<u32> = steps.iter().map(|step| step.resource).collect();
        all.sort_unstable();
        all
    };
    let calls = |steps: &[Step]| -> Vec<(Identity, Call)> {
        let of_step = |step: &Step| {
            let resource = step.resource;
            step.calls.clone().into_iter().map(move |it| ((resource, it.is_model, it.request), it))
        };
        steps.iter().flat_map(of_step).collect()
    };
    let (before, after) = (calls(baseline), calls(candidate));
    let mut others: BTreeMap<Identity, Vec<Call>> = BTreeMap::new();
    after.iter().for_each(|(identity, it)| others.entry(*identity).or_default().push(*it));
    let mut varies = Vec::new();
    if signatures(baseline) != signatures(candidate) || before.len() != after.len() {
        return Expected::OtherPath;
    }
    for (identity, one) in before {
        let Some(left) = others.get_mut(&identity).filter(|left| !left.is_empty()) else {
            return Expected::OtherPath;
        };
        let other = left.remove(0);
        let differs = [
            ("response", one.response != other.response),
            ("outcome", one.status != other.status),
            ("usage", one.is_model && one.usage != other.usage),
        ];
        varies.extend(
            differs.iter().filter(|(_, differs)| *differs).map(|(member, _)| (one.is_model, *member)),
        );
    }
    Expected::Varies(varies)
}
