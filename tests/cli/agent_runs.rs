//! The recorded airline runs, counted from their files alone and by the program: what a policy stops in each run, and
//! where the trials of a task part first. `vectors/reference/agent_runs.py` counts the same a third time, and every
//! place behind the first.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::run::{Ledger, program, ran, vectors};

#[expect(clippy::print_stderr, reason = "a test that skips says so loudly")]
fn corpora() -> Option<PathBuf> {
    let folder = std::env::var_os("PROOFLINE_CORPORA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!(
            "SKIPPED: PROOFLINE_CORPORA names no folder, so nothing was counted over the recorded runs"
        );
    }
    folder.map(|folder| folder.join("agent-runs"))
}

fn lines(file: PathBuf) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap()
}

/// An attribute, whatever its type; a text that is JSON is what it says.
fn attribute(holder: &Value, key: &str) -> Option<Value> {
    let found = holder["attributes"].as_array()?.iter().find(|it| it["key"] == key)?;
    let value = found["value"].as_object()?.values().next()?.clone();
    let parsed = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    Some(parsed.filter(|it| it.is_object() || it.is_array()).unwrap_or(value))
}

/// One call of a run.
#[derive(Debug, Clone, PartialEq)]
struct Call {
    span_id: String,
    record_type: &'static str,
    name: String,
    action: &'static str,
    asked: Value,
    status: Value,
    answered: Value,
}

fn call(span: &Value) -> Option<Call> {
    let all = |keys: &[&str]| -> Value { keys.iter().map(|key| json!(attribute(span, key))).collect() };
    let named = |key: &str| attribute(span, key).unwrap().as_str().unwrap().to_owned();
    let (record_type, name, action, asked, answered) = match named("gen_ai.operation.name").as_str() {
        "chat" => (
            "model_call",
            format!("{}/{}", named("gen_ai.provider.name"), named("gen_ai.response.model")),
            "model:chat",
            all(&[
                "gen_ai.request.model",
                "gen_ai.system_instructions",
                "gen_ai.input.messages",
                "gen_ai.tool.definitions",
            ]),
            all(&["gen_ai.response.model", "gen_ai.output.messages"]),
        ),
        "execute_tool" => (
            "tool_call",
            format!("{}/{}", named("gen_ai.tool.type"), named("gen_ai.tool.name")),
            "tool:execute",
            all(&["gen_ai.tool.call.arguments"]),
            all(&["gen_ai.tool.call.result"]),
        ),
        _ => return None,
    };
    let status = json!([attribute(span, "error.type"), span["status"]]);
    Some(Call {
        span_id: text(span, "spanId").to_owned(),
        record_type,
        name,
        action,
        asked,
        status,
        answered,
    })
}

struct Trial {
    trace_id: String,
    task: String,
    calls: Vec<Call>,
}

fn trial(message: &Value) -> Trial {
    let of = &message["resourceSpans"][0];
    let mut spans: Vec<&Value> = of["scopeSpans"][0]["spans"].as_array().unwrap().iter().collect();
    spans.sort_by_key(|span| text(span, "startTimeUnixNano").parse::<u64>().unwrap());
    Trial {
        trace_id: text(spans[0], "traceId").to_owned(),
        task: attribute(&of["resource"], "benchmark.task_id").unwrap().as_str().unwrap().to_owned(),
        calls: spans.into_iter().filter_map(call).collect(),
    }
}

/// Where two runs part first, by docs/drift.md, as long as the same step is there in both: the cause, the record of
/// the baseline (behind the context, and two a step), and the step.
fn parting(one: &Trial, other: &Trial) -> Option<(&'static str, u64, usize)> {
    let at = one.calls.iter().zip(&other.calls).position(|(one, other)| {
        let Call { span_id, .. } = other;
        Call { span_id: span_id.clone(), ..one.clone() } != *other
    })?;
    let (a, b) = (&one.calls[at], &other.calls[at]);
    assert_eq!((&a.name, a.action), (&b.name, b.action), "steps that are not alike are not counted here");
    let cause = match a {
        _ if a.asked != b.asked => "input",
        _ if a.status != b.status => "outcome",
        _ => "response",
    };
    Some((cause, 2 * at as u64 + 3, at))
}

#[test]
fn trials_part_where_their_files_say() {
    let Some(corpora) = corpora() else { return };
    let trials: Vec<Trial> = lines(corpora.join("airline.otlp.jsonl")).iter().map(trial).collect();
    assert_eq!(trials.len(), 150);
    let ledger = Ledger::empty();
    let file = corpora.join("airline.otlp.jsonl");
    ran(program().args(["import", "otlp"]).arg(&ledger.dir).arg(file)).exits(0);
    let key = ["--key", "attribute:resource:benchmark.task_id", "--each-with-each", "--format", "json"];
    let told = ledger.run("drift", &key).exits(1).json();
    let (summary, told) = told.split_last().unwrap();
    let by_pair: BTreeMap<(&str, &str), &Value> =
        told.iter().map(|line| ((text(line, "baseline"), text(line, "candidate")), line)).collect();

    let (mut pairs, mut same, mut causes, mut depths) = (0_u64, 0_u64, BTreeMap::new(), BTreeMap::new());
    let (mut subjects, mut tasks) = (BTreeMap::new(), BTreeMap::new());
    for (at, one) in trials.iter().enumerate() {
        for other in trials[at + 1..].iter().filter(|other| other.task == one.task) {
            let line = by_pair[&(one.trace_id.as_str(), other.trace_id.as_str())];
            let task: &mut (u64, u64) = tasks.entry(one.task.clone()).or_default();
            pairs += 1;
            task.0 += 1;
            let mut named: Vec<(&str, String)> = [one, other]
                .iter()
                .flat_map(|trial| &trial.calls)
                .flat_map(|call| {
                    [(call.record_type, call.name.clone()), ("policy_decision", call.action.to_owned())]
                })
                .collect();
            named.sort();
            named.dedup();
            for subject in named {
                let count: &mut (u64, u64) = subjects.entry(subject).or_default();
                count.1 += 1;
            }
            let Some((cause, place, step)) = parting(one, other) else {
                assert_eq!(line["verdict"], "same");
                same += 1;
                continue;
            };
            let (a, b) = (&one.calls[step], &other.calls[step]);
            let first = &line["first"];
            assert_eq!(
                (&first["cause"], &first["place"], &first["of"]),
                (&cause.into(), &place.into(), &(1 + 2 * one.calls.len()).into())
            );
            assert_eq!(first["subject"], json!({"record_type": a.record_type, "name": a.name}));
            assert_eq!(
                (&first["baseline"]["span_id"], &first["candidate"]["span_id"]),
                (&json!(a.span_id), &json!(b.span_id))
            );
            task.1 += 1;
            *causes.entry(cause).or_insert(0_u64) += 1;
            *depths.entry(place.next_power_of_two()).or_insert(0_u64) += 1;
            subjects.get_mut(&(a.record_type, a.name.clone())).unwrap().0 += 1;
        }
    }
    assert_eq!(by_pair.len() as u64, pairs);
    assert!(pairs > 200 && tasks.len() > 30, "{pairs} pairs of {} tasks", tasks.len());
    let summary = &summary["summary"];
    assert_eq!(
        [
            &summary["pairs"],
            &summary["same"],
            &summary["parts"],
            &summary["within"],
            &summary["not_compared"]
        ],
        [&json!(pairs), &json!(same), &json!(pairs - same), &json!(0), &json!(0)]
    );
    assert_eq!(summary["first_causes"], json!(causes));
    let depths: Vec<Value> =
        depths.iter().map(|(up_to, pairs)| json!({"up_to": up_to, "pairs": pairs})).collect();
    assert_eq!(summary["depths"], json!(depths));
    let listed = |it: &Value| {
        let count = |name: &str| it[name].as_u64().unwrap();
        ((text(it, "record_type").to_owned(), text(it, "name").to_owned()), (count("first"), count("pairs")))
    };
    let listed: BTreeMap<_, _> = summary["subjects"].as_array().unwrap().iter().map(listed).collect();
    let counted = subjects.into_iter().map(|((kind, name), count)| ((kind.to_owned(), name), count));
    assert_eq!(listed, counted.collect());
    let rows = summary["keys"].as_array().unwrap();
    let rows = rows.iter().map(|row| {
        assert_eq!(
            row["runs"].as_u64().unwrap(),
            trials.iter().filter(|it| it.task == row["key"]).count() as u64
        );
        (text(row, "key").to_owned(), (row["pairs"].as_u64().unwrap(), row["parts"].as_u64().unwrap()))
    });
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), tasks);
}

#[test]
fn what_a_policy_stops_in_each_run_is_what_a_count_says() {
    let Some(corpora) = corpora() else { return };
    let mut counted = BTreeMap::new();
    for call in lines(corpora.join("airline-calls.jsonl")) {
        let is_over = call["arguments"]["amount"].as_f64().is_some_and(|amount| amount > 100.0);
        let name = text(&call, "name");
        if name == "cancel_reservation" || (name == "send_certificate" && is_over) {
            *counted.entry((text(&call, "trace_id").to_owned(), name.to_owned())).or_insert(0_u64) += 1;
        }
    }
    assert!(counted.values().sum::<u64>() > 60 && counted.len() > 30, "{counted:?}");
    let (policy, rules) = (vectors("agent-runs/refunds.cedar"), vectors("agent-runs/rules.json"));
    let import = |governed: bool| {
        let ledger = Ledger::empty();
        let mut command = program();
        command.args(["import", "otlp"]).arg(&ledger.dir).arg(corpora.join("airline.otlp.jsonl"));
        command.arg("--map").arg(&rules);
        if governed {
            command.arg("--policy").arg(&policy);
        }
        ran(&mut command).exits(0);
        ledger
    };
    let tally = |calls: Vec<(String, String)>| {
        let mut tally = BTreeMap::new();
        calls.into_iter().for_each(|call| *tally.entry(call).or_insert(0_u64) += 1);
        tally
    };
    // Stopped at the gate.
    let refused = import(true).run("query", &["kind = rejected", "--format", "json"]).exits(0).json();
    let refused = refused.iter().filter(|line| line["summary"].is_null());
    let refused = refused
        .map(|it| (text(it, "trace_id").to_owned(), text(&it["body"]["tool"], "tool_name").to_owned()));
    assert_eq!(tally(refused.collect()), counted);
    // Asked afterwards.
    let asked = import(false).run("replay", &["--with-policy", policy.to_str().unwrap(), "--format", "json"]);
    let asked = asked.exits(1).json();
    let lost = asked.iter().filter(|line| line["changed"]["change"] == "allow_to_deny").flat_map(|line| {
        let changed = &line["changed"];
        let calls = changed["calls"].as_array().unwrap();
        calls.iter().map(|it| {
            let name = text(it, "name").rsplit('/').next().unwrap();
            (text(changed, "trace_id").to_owned(), name.to_owned())
        })
    });
    assert_eq!(tally(lost.collect()), counted);
}
