//! `import otlp` as somebody with telemetry meets it: the account, what a policy would have stopped, bad files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use insta::assert_snapshot;
use serde_json::Value;

use crate::run::{CLOCK, Ledger, Ran, member_names, program, ran, vectors};

fn path(name: &str) -> String {
    vectors(name).to_str().unwrap().to_owned()
}

fn import(ledger: &Ledger, more: &[&str]) -> Ran {
    let dir = ledger.dir.to_str().unwrap();
    ran(program().args(["import", "otlp", dir]).args(more).args(["--clock", CLOCK]))
}

/// The telemetry that ships, under the policy that ships.
fn governed(ledger: &Ledger, more: &[&str]) -> Ran {
    let (file, policy, rules) =
        (path("otel/desk.otlp.jsonl"), path("otel/desk.cedar"), path("otel/desk-rules.json"));
    let own = [file.as_str(), "--policy", &policy, "--map", &rules];
    import(ledger, &[&own, more].concat())
}

#[test]
fn telemetry_comes_in_and_is_replayed() {
    let ledger = Ledger::empty();
    let imported = governed(&ledger, &["--format", "json"]).exits(0);
    let expected: Value = serde_json::from_slice(&fs::read(vectors("otel/expected.json")).unwrap()).unwrap();
    assert_eq!(
        member_names(imported.stdout.trim_end()).join(" "),
        "event file account_sha256 source_sha256 source_bytes framing capture policy_sha256 rules_sha256 new_spans \
         appended erased_payloads known_otherwise denied_by_others totals refusals absent warnings denial_reasons asked"
    );
    let line = imported.json().remove(0);
    let desk = &expected["desk"];
    for (total, name) in [
        ("spans", "spans"),
        ("model_calls", "model_call"),
        ("tool_calls", "tool_call"),
        ("shapes", "shape"),
        ("denied", "denied"),
    ] {
        assert_eq!(line["totals"][total], desk[name], "{total}");
    }
    for (mode, re_decided) in [("forensic", 0), ("invariant", 18)] {
        let replayed = ledger.run("replay", &["--mode", mode, "--format", "json"]).exits(0).json();
        let summary = &replayed.last().unwrap()["summary"];
        assert_eq!(summary["policy_re_decided"], re_decided, "{summary}");
        assert_eq!((&summary["passed"], &summary["verdict"]), (&4.into(), &"all_well".into()), "{summary}");
        // Spans that are no records leave no gap in the tree.
        assert_eq!(summary["findings"], serde_json::json!({}), "{summary}");
    }
    // Again: every span is known, and so is the account.
    let again = governed(&ledger, &["--format", "json"]).exits(0).json().remove(0);
    assert_eq!((&again["appended"], &again["new_spans"]), (&0.into(), &0.into()));
    assert_eq!(again["account_sha256"], line["account_sha256"]);
    assert!(governed(&ledger, &[]).exits(0).stdout.ends_with("nothing new: every span was known\n"));
    ledger.run("verify", &[]).exits(0);
}

#[test]
fn the_account_is_a_table() {
    let ledger = Ledger::empty();
    let shown = governed(&ledger, &[]).exits(0).stdout;
    let shown = shown.replace(&path("otel/desk.otlp.jsonl"), "desk.otlp.jsonl");
    assert_snapshot!("import_otlp", shown);
}

/// What an import says of spans that another one made, of calls that others denied, and of those that are new.
#[test]
fn what_is_new_and_whose_denial_it_is_are_told() {
    let ledger = Ledger::empty();
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let text = |key: &str, value: &str| serde_json::json!({"key": key, "value": {"stringValue": value}});
    let span = serde_json::json!({"traceId": "11".repeat(16), "spanId": "22".repeat(8), "name": "a tool",
        "startTimeUnixNano": "1727740800000000000", "endTimeUnixNano": "1727740801000000000",
        "attributes": [text("gen_ai.operation.name", "execute_tool"), text("gen_ai.tool.name", "refund"),
            text("guard.verdict", "block")]});
    let message =
        serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string() + "\n";
    let spans = file("spans.jsonl", &message.repeat(3));
    let rules = r#"{"version":"1","decision":{"result":{"from":["span:guard.verdict"]},"allow":[],"deny":["block"]}}"#;
    let rules = file("rules.json", rules);
    let policy = file("no.cedar", r#"@id("no") forbid(principal, action, resource);"#);

    let shown = import(&ledger, &[&spans, "--map", &rules]).exits(0).stdout;
    assert!(shown.contains("what others denied, by what the spans say\n"), "{shown}");
    let counts = |shown: &str| {
        let row = shown.lines().find(|line| line.ends_with("tool/refund")).unwrap().to_owned();
        row.split_whitespace().take(3).map(|it| it.parse().unwrap()).collect::<Vec<u64>>()
    };
    assert_eq!(counts(&shown), [0, 3, 1]);
    assert_eq!(counts(&import(&ledger, &[&spans, "--map", &rules]).exits(0).stdout), [0, 3, 0]);

    let shown = import(&ledger, &[&spans, "--policy", &policy]).exits(0).stdout;
    assert!(shown.contains("what the policy would have stopped\n"), "{shown}");
    assert_eq!(counts(&shown), [0, 3, 1]);
    let otherwise = [spans.as_str(), "--policy", &policy, "--map", &rules];
    let shown = import(&ledger, &otherwise).exits(0).stdout;
    assert!(shown.contains("3 spans are known from an import by other rules"), "{shown}");
    let line = import(&ledger, &[&otherwise[..], &["--format", "json"]].concat()).exits(0).json().remove(0);
    let told = ["known_otherwise", "denied_by_others", "new_spans"].map(|name| line[name].as_u64().unwrap());
    assert_eq!((told, &line["asked"][0]["new_denied"]), ([3, 3, 0], &0.into()));
}

#[test]
fn the_standard_input_gives_what_a_file_gives() {
    let (one, two) = (Ledger::empty(), Ledger::empty());
    let from_file = governed(&one, &["--format", "json"]).exits(0).json().remove(0);
    let (policy, rules) = (path("otel/desk.cedar"), path("otel/desk-rules.json"));
    let dir = two.dir.to_str().unwrap();
    let mut command = program();
    command.args(["import", "otlp", dir, "-", "--policy", &policy, "--map", &rules]);
    command
        .args(["--format", "json", "--clock", CLOCK])
        .write_stdin(fs::read(vectors("otel/desk.otlp.jsonl")).unwrap());
    let from_pipe = ran(&mut command).exits(0).json().remove(0);
    assert_eq!(from_pipe["account_sha256"], from_file["account_sha256"]);
}

#[test]
fn what_is_no_telemetry_is_refused_with_a_place() {
    let ledger = Ledger::empty();
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = home.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let prose = file("prose.txt", b"the quick brown fox");
    let logs = file("logs.json", br#"{"resourceLogs":[{"scopeLogs":[]}]}"#);
    let zstd = file("spans.zst", &[0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0]);
    for (given, code) in [
        (&prose, "otlp.no_framing"),
        (&logs, "otlp.not_traces"),
        (&zstd, "otlp.zstd"),
        (&"missing".to_owned(), "input.unreadable"),
    ] {
        let error = import(&ledger, &[given, "--format", "json"]).exits(4).stderr;
        let error: Value = serde_json::from_str(error.lines().last().unwrap()).unwrap();
        assert_eq!(error["error"]["code"], code, "{error}");
        assert!(error["error"]["hint"].is_string(), "{error}");
    }
    let rules = file("rules.json", br#"{"version":"1","requests":[{"when":{"weather":"fine"}}]}"#);
    let spans = path("otel/desk.otlp.jsonl");
    let error = import(&ledger, &[&spans, "--map", &rules, "--format", "json"]).exits(4).stderr;
    assert!(error.contains("otel.rules_word") && error.contains("operation, tool"), "{error}");
    assert_eq!(ledger.run("stat", &["--format", "json"]).json()[0]["entries"], 1);
    import(&ledger, &[]).exits(2);
    import(&ledger, &[&spans, "--actor", "Agent|7"]).exits(2);
}

#[test]
fn refused_spans_are_told_and_end_with_1() {
    let ledger = Ledger::empty();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("spans.json");
    // No start; an id of zeros; a name that a terminal would obey.
    let span = |id: &str, start: &str, name: &str| {
        serde_json::json!({"traceId": "11".repeat(16), "spanId": id, "name": name, "startTimeUnixNano": start,
            "endTimeUnixNano": "1727740800000000000", "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]})
    };
    let spans = [
        span(&"22".repeat(8), "0", "chat"),
        span(&"00".repeat(8), "1727740800000000000", "chat"),
        span(&"33".repeat(8), "1727740801000000000", "\u{1b}[31mchat"),
    ];
    let message = serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    fs::write(&file, message.to_string()).unwrap();
    let line = import(&ledger, &[file.to_str().unwrap(), "--format", "json"]).exits(1).json().remove(0);
    assert_eq!((&line["totals"]["refused"], &line["totals"]["unreadable"]), (&1.into(), &1.into()));
    let refusals: Vec<&str> =
        line["refusals"].as_array().unwrap().iter().map(|it| it["what"].as_str().unwrap()).collect();
    assert_eq!(refusals, ["no-start-time", "span-id"]);
    let text = ledger.run("log", &[]).exits(0).stdout
        + &ledger.run("trace", &["11111111111111111111111111111111"]).stdout;
    assert!(!text.contains('\u{1b}'));
    // It ended before it began, and a replay says so.
    let replayed = ledger.run("replay", &["--format", "json"]).exits(0).stdout;
    assert!(replayed.contains("END_BEFORE_START"), "{replayed}");
}

/// What a file has that was not taken in is told, and changes the exit code; members that are ignored are told.
#[test]
fn what_is_lost_of_a_file_is_told() {
    let home = tempfile::tempdir().unwrap();
    let whole = fs::read_to_string(vectors("otel/desk.otlp.jsonl")).unwrap();
    let first = whole.lines().next().unwrap();
    let snake = first.replacen("\"parentSpanId\"", "\"parent_span_id\"", 1);
    assert_ne!(snake, first);
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cut = file("cut", &format!("{first}\n{}", &first[..first.len() - 20]));
    let other = file("other", r#"{"batches":[{"scopeSpans":[]}]}"#);
    let bare = file("bare", "{\"resource_spans\":[{\"scope_spans\":[]}]}\n{}");
    let snake = file("snake", &snake);
    for (given, code, notes, entries) in [
        (&cut, 1, &["otlp.truncated"][..], true),
        (&other, 1, &["otlp.no_spans"], false),
        (&bare, 1, &["otlp.no_spans", "otlp.snake_case_key"], false),
        (&snake, 0, &["otlp.snake_case_key"], true),
    ] {
        let ledger = Ledger::empty();
        let ran = import(&ledger, &[given, "--format", "json"]).exits(code);
        let told = ran.stderr.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        let told: Vec<String> = told.map(|it| it["note"]["code"].as_str().unwrap().to_owned()).collect();
        assert_eq!(told, notes, "{given}");
        let line = ran.json().remove(0);
        assert_eq!(line["totals"]["model_calls"] != 0, entries, "{given}: {line}");
        // The account is kept, and the same file again appends nothing.
        assert!(line["appended"].as_u64().unwrap() > 0, "{given}: {line}");
        let again = import(&ledger, &[given, "--format", "json"]).exits(code).json().remove(0);
        assert_eq!(again["appended"], 0, "{given}: {again}");
    }
    // Nothing at all is an error, and nothing is kept of it; the files beside it are taken in.
    let (empty, blank, good) = (file("empty", ""), file("blank", " \n\t\n"), file("good", first));
    let ledger = Ledger::empty();
    for given in [&empty, &blank] {
        let error = import(&ledger, &[given, "--format", "json"]).exits(4).stderr;
        let error: Value = serde_json::from_str(error.trim_end()).unwrap();
        assert_eq!(
            (&error["error"]["code"], &error["error"]["place"]),
            (&"otlp.empty".into(), &given.as_str().into())
        );
    }
    assert_eq!(ledger.run("stat", &["--format", "json"]).json()[0]["entries"], 1);
    let line = import(&ledger, &[&empty, &good, "--format", "json"]).exits(4).json().remove(0);
    assert!(line["new_spans"].as_u64().unwrap() > 0);
    let line = import(&ledger, &[&cut, &empty, "--format", "json"]).exits(4).json().remove(0);
    assert_eq!(line["new_spans"], 0);
}

/// A record below a span that is none: the span is there, and a replay does not miss it. One that nobody sent is
/// missed.
#[test]
fn spans_that_are_no_records_leave_no_gap() {
    let span = |id: u8, parent: Option<u8>, operation: &str| {
        let parent = parent.map(|parent| format!("{parent:016x}")).unwrap_or_default();
        serde_json::json!({"traceId": "11".repeat(16), "spanId": format!("{id:016x}"), "parentSpanId": parent,
            "name": operation, "startTimeUnixNano": "1727740800000000000", "endTimeUnixNano": "1727740801000000000",
            "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": operation}}]})
    };
    let findings = |spans: &[Value]| {
        let ledger = Ledger::empty();
        let file = ledger.dir.with_file_name("spans.json");
        let message = serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
        fs::write(&file, message.to_string()).unwrap();
        import(&ledger, &[file.to_str().unwrap()]).exits(0);
        let replayed = ledger.run("replay", &["--format", "json"]).exits(0).json();
        replayed.last().unwrap()["summary"]["findings"].clone()
    };
    let (agent, workflow) = (span(1, None, "invoke_agent"), span(2, Some(1), "invoke_workflow"));
    let chat = span(3, Some(2), "chat");
    assert_eq!(findings(&[agent.clone(), workflow, chat.clone()]), serde_json::json!({}));
    assert_eq!(findings(&[agent, chat]), serde_json::json!({"PARENT_SPAN_MISSING": 1}));
}

#[expect(clippy::print_stderr, reason = "a test that skips says so loudly")]
fn corpora() -> Option<PathBuf> {
    let folder = std::env::var_os("PROOFLINE_CORPORA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: PROOFLINE_CORPORA names no folder, so no recorded runs were imported");
    }
    folder.map(|folder| folder.join("agent-runs"))
}

/// The recorded runs under a policy that forbids cancelling, and certificates above a bound: what it would have
/// stopped is
/// what a count of the recorded calls says.
#[test]
fn what_a_policy_would_have_stopped_is_what_a_count_says() {
    let Some(corpora) = corpora() else { return };
    let (bound, mut counts) = (100.0, BTreeMap::new());
    for line in fs::read_to_string(corpora.join("airline-calls.jsonl")).unwrap().lines() {
        let call: Value = serde_json::from_str(line).unwrap();
        let over = call["arguments"]["amount"].as_f64().is_some_and(|amount| amount > bound);
        match call["name"].as_str().unwrap() {
            "cancel_reservation" => *counts.entry("no-cancelling").or_insert(0_u64) += 1,
            "send_certificate" if over => *counts.entry("refund-limit").or_insert(0) += 1,
            _ => {}
        }
    }
    let home = tempfile::tempdir().unwrap();
    let (policy, rules) = (home.path().join("airline.cedar"), home.path().join("rules.json"));
    fs::write(
        &policy,
        r#"@id("may") permit(principal, action, resource);
           @id("no-cancelling") forbid(principal, action, resource in Resource::"tool/cancel_reservation");
           @id("refund-limit") forbid(principal, action, resource in Resource::"tool/send_certificate")
               when { !resource.hasTag("amount") || resource.getTag("amount") > 100 };"#,
    )
    .unwrap();
    fs::write(
        &rules,
        r#"{"version":"1","requests":[{"when":{"tool":"send_certificate"},"numbers":{"amount":"/amount"}}]}"#,
    )
    .unwrap();
    let (policy, rules) = (policy.to_str().unwrap(), rules.to_str().unwrap());
    let file = corpora.join("airline.otlp.jsonl");
    let ledger = Ledger::empty();
    let given = [file.to_str().unwrap(), "--policy", policy, "--map", rules, "--format", "json"];
    let line = import(&ledger, &given).exits(0).json().remove(0);
    let reasons = line["denial_reasons"].as_array().unwrap().iter();
    let denied: BTreeMap<&str, u64> =
        reasons.map(|it| (it["what"].as_str().unwrap(), it["count"].as_u64().unwrap())).collect();
    assert_eq!(denied, counts);
    assert!(denied.len() == 2 && denied.values().all(|count| *count > 0), "{denied:?}");
    assert_eq!(line["totals"]["denied"], denied.values().sum::<u64>());

    // The same history, recorded first and asked afterwards.
    let plain = Ledger::empty();
    import(&plain, &[file.to_str().unwrap(), "--map", rules]).exits(0);
    let report = plain.run("replay", &["--with-policy", policy, "--format", "json"]).stdout;
    let report: Value = serde_json::from_str(report.lines().last().unwrap()).unwrap();
    let changed = report.to_string();
    assert!(changed.contains(&format!("\"allow_to_deny\":{}", denied.values().sum::<u64>())), "{changed}");
    for mode in ["forensic", "invariant"] {
        let replayed = plain.run("replay", &["--mode", mode, "--format", "json"]).exits(0).json();
        assert_eq!(replayed.last().unwrap()["summary"]["passed"], 150);
    }
}
