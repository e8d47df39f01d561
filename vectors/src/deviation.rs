//! How a run after a model change departs from the run before it: each way that constrained replay tells apart.

use proofline_trace::{DecisionResult, StringSet};

use crate::random::SplitMix64;
use crate::session::{resource, set, token};
use crate::work::{Call, Item, Side, Step};
use crate::world;

/// What a run does otherwise than the run before; beside its ids, hashes and times.
///
/// All but [`Same`](Self::Same) bring other answers of the models too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deviation {
    /// The same answers, word for word.
    Same,
    /// Other answers and usage of the models: new weights under the old name.
    Answers,
    /// Two steps the other way round.
    OtherOrder,
    /// A last step done twice, its decision included.
    OneMoreStep,
    /// A last call made twice under its decision.
    OneMoreCall,
    /// A last call not made; policy was asked all the same.
    OneFewerCall,
    /// A tool called with another argument.
    OtherArgument,
    /// Policy says no where it said yes; the call is tried and refused.
    DeniedRequest,
    /// The models have new names.
    RenamedModel,
    /// A tool answers otherwise.
    OtherToolResult,
    /// A model's call fails.
    OtherOutcome,
    /// The context was handed in with a wrong hash, and the run given up.
    NeverBegan,
}

impl Deviation {
    /// Every deviation.
    pub const ALL: [Self; 12] = [
        Self::Same,
        Self::Answers,
        Self::OtherOrder,
        Self::OneMoreStep,
        Self::OneMoreCall,
        Self::OneFewerCall,
        Self::OtherArgument,
        Self::DeniedRequest,
        Self::RenamedModel,
        Self::OtherToolResult,
        Self::OtherOutcome,
        Self::NeverBegan,
    ];

    /// The mixture of the file that ships, by the number of the trace: of eighteen, seven give other
    /// answers alone and each other deviation comes once.
    #[must_use]
    pub const fn shipped(index: u64) -> Self {
        match index % 18 {
            1 => Self::OneMoreCall,
            3 => Self::Same,
            5 => Self::OtherArgument,
            6 => Self::RenamedModel,
            8 => Self::OneFewerCall,
            9 => Self::OtherOrder,
            10 => Self::DeniedRequest,
            12 => Self::OtherToolResult,
            13 => Self::OneMoreStep,
            15 => Self::OtherOutcome,
            16 => Self::NeverBegan,
            _ => Self::Answers,
        }
    }

    /// Makes the change. What the trace gives no occasion for becomes [`Answers`](Self::Answers), and
    /// that [`Same`](Self::Same) where no model answered; returns what was done.
    pub(crate) fn apply(self, items: &mut Vec<Item>, random: &mut SplitMix64) -> Self {
        if self == Self::Same || self == Self::NeverBegan {
            return self;
        }
        // Before the path changes, so that a call made twice has one answer.
        let answered = answer_otherwise(items, random);
        let done = match self {
            Self::Same | Self::NeverBegan | Self::Answers => None,
            Self::OtherOrder => swap_steps(items),
            Self::OneMoreStep => repeat_step(items),
            Self::OneMoreCall => last_step(items).and_then(repeat_call),
            Self::OneFewerCall => last_step(items).and_then(|step| step.calls.pop()).map(drop),
            Self::OtherArgument => last_tool(items).map(|call| other_argument(call, random)),
            Self::DeniedRequest => last_step(items).map(|step| deny(step, random)),
            Self::RenamedModel => rename(items, random),
            Self::OtherToolResult => last_tool(items).map(|call| other_result(call, random)),
            Self::OtherOutcome => last_model(items).and_then(|call| fail(call, random)),
        };
        match (done, answered) {
            (Some(()), _) => self,
            (None, true) => Self::Answers,
            (None, false) => Self::Same,
        }
    }
}

fn steps(items: &mut [Item]) -> impl DoubleEndedIterator<Item = &mut Step> {
    items.iter_mut().filter_map(|item| match item {
        Item::Step(step) => Some(&mut **step),
        Item::Context(_) => None,
    })
}

/// The last step whose calls went through.
fn last_step(items: &mut [Item]) -> Option<&mut Step> {
    steps(items).rev().find(|step| step.is_allowed() && !step.calls.is_empty())
}

fn last_call(items: &mut [Item], is_model: bool) -> Option<&mut Call> {
    let calls =
        steps(items).rev().filter(|step| step.is_allowed()).flat_map(|step| step.calls.iter_mut().rev());
    calls.into_iter().find(|call| call.is_ok() && call.is_model() == is_model)
}

fn last_tool(items: &mut [Item]) -> Option<&mut Call> {
    last_call(items, false)
}

fn last_model(items: &mut [Item]) -> Option<&mut Call> {
    last_call(items, true)
}

/// Seven of eight answers are new, the first one always.
fn answer_otherwise(items: &mut [Item], random: &mut SplitMix64) -> bool {
    let mut any = false;
    for step in steps(items).filter(|step| step.is_allowed()) {
        for call in step.calls.iter_mut().filter(|call| call.is_model() && call.is_ok()) {
            if !any || !random.chance(125) {
                call.answer_otherwise(random);
                call.count_otherwise(random);
                any = true;
            }
        }
    }
    any
}

fn swap_steps(items: &mut [Item]) -> Option<()> {
    let differ = |pair: &[Item]| match pair {
        [Item::Step(one), Item::Step(two)] => one.decision.record.request != two.decision.record.request,
        _ => false,
    };
    let place = items.windows(2).rposition(differ)?;
    items.get_mut(place..place + 2)?.reverse();
    Some(())
}

fn repeat_step(items: &mut Vec<Item>) -> Option<()> {
    let again = last_step(items)?.clone();
    items.push(Item::Step(Box::new(again)));
    Some(())
}

fn repeat_call(step: &mut Step) -> Option<()> {
    let again = step.calls.last()?.clone();
    step.calls.push(again);
    Some(())
}

fn other_argument(call: &mut Call, random: &mut SplitMix64) {
    call.rewrite(random, Side::Request, |text| {
        text.replacen(r#""arguments":{"#, r#""arguments":{"locale":"nb-NO","#, 1)
    });
}

fn other_result(call: &mut Call, random: &mut SplitMix64) {
    call.rewrite(random, Side::Response, |text| {
        text.replacen(r#""result":{"#, r#""result":{"cached":true,"#, 1)
    });
}

/// The first try is refused, and none follows.
fn deny(step: &mut Step, random: &mut SplitMix64) {
    let decision = &mut step.decision.record.decision;
    decision.result = DecisionResult::Deny;
    decision.reason_codes = set(&[*random.pick(&world::DENY_REASONS)]);
    decision.obligations = StringSet::new();
    step.calls.truncate(1);
}

/// Another name in every model call, in what policy was asked for it, and in what the model was asked.
fn rename(items: &mut [Item], random: &mut SplitMix64) -> Option<()> {
    let mut done = None;
    for step in steps(items) {
        for (model, new_name) in world::MODELS.iter().zip(world::NEW_NAMES) {
            let of = |name: &str| resource(&format!("models/{}/{name}", model.provider));
            let request = &mut step.decision.record.request;
            if request.resource != of(model.name) {
                continue;
            }
            request.resource = of(new_name);
            done = Some(());
            for call in &mut step.calls {
                if let Some(record) = call.model() {
                    record.model.model = token(new_name);
                }
                let quoted = |name: &str| format!(r#""model":"{name}""#);
                call.rewrite(random, Side::Request, |text| {
                    text.replacen(&quoted(model.name), &quoted(new_name), 1)
                });
            }
            break;
        }
    }
    done
}

fn fail(call: &mut Call, random: &mut SplitMix64) -> Option<()> {
    let failure = *random.pick(&world::FAILURES);
    call.rewrite(random, Side::Response, |_| format!(r#"{{"error":{{"code":"{failure}","retry":true}}}}"#));
    let record = call.model()?;
    record.outcome.status = token(failure);
    record.usage = None;
    Some(())
}
