//! Policies that decide: what is recorded, what is refused before anything is, and what `policy check` lists.

use std::fs;
use std::path::PathBuf;

use proofline::canon::Sha256Digest;
use serde_json::Value;
use tempfile::TempDir;

use crate::run::{CLOCK, Ledger, Ran, fed, member_names, program, ran};

const LATER: &str = "2026-01-31T00:00:00.001Z";

const CONTEXT: &str = r#"{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context","ts_ms":1769817600000,"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","span_kind":"root"},"producer":{"layer":"cpo","component":"gateway"},"actor":{"actor_kind":"user","actor_id":"staff/ines"},"credential":{"credential_kind":"oidc","issuer":"https://id.example","presented_hash_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","verified_at_ms":1769817600000,"expires_at_ms":1769821200000},"grants":{"tickets:read":true}}"#;

const DESK: &str = r#"@id("readers-read") @obligation("log-prompt")
permit(principal in Grant::"tickets:read", action in Action::"tickets", resource in Resource::"desk");
@id("Not after hours!")
forbid(principal, action, resource) when { context.component == "night" };
"#;

const ACTIONS: &str = r#"action "tickets";
action "tickets:read" in ["tickets"] appliesTo { principal: Actor, resource: Resource, context: Question };
"#;

/// A ledger with one accepted context, and a folder for policies.
struct Desk {
    ledger: Ledger,
    files: TempDir,
    auth: String,
}

impl Desk {
    fn new() -> Self {
        let ledger = Ledger::empty();
        let auth = commit(&ledger, CONTEXT);
        Self { ledger, files: tempfile::tempdir().unwrap(), auth }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Asks whether desk 7 may be read.
    fn decide(&self, policy: &str, more: &[&str]) -> Ran {
        let policy = self.file("Desk Rules.cedar", policy);
        let asked = ["--auth", &self.auth, "--action", "tickets:read", "--resource", "desk/7"];
        let policy = ["--policy", policy.to_str().unwrap(), "--format", "json"];
        self.ledger.run("decide", &[&asked, &policy[..], more].concat())
    }

    fn decide_at_clock(&self, policy: &str, more: &[&str]) -> Ran {
        self.decide(policy, &[&["--clock", CLOCK], more].concat())
    }

    fn entries(&self) -> u64 {
        self.ledger.run("stat", &["--format", "json"]).exits(0).json()[0]["entries"].as_u64().unwrap()
    }

    fn blob(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.ledger.dir.join("blobs").join(&name[..2]).join(&name[2..])).ok()
    }

    fn body(&self, hash: &str) -> Value {
        self.ledger.run("show", &[hash, "--format", "json"]).exits(0).json()[0]["body"].clone()
    }

    /// Nothing was committed or kept since there was the context alone.
    fn is_untouched(&self) -> bool {
        self.entries() == 2 && !self.ledger.dir.join("blobs").exists()
    }
}

fn commit(ledger: &Ledger, line: &str) -> String {
    let clock = ["commit", ledger.dir.to_str().unwrap(), "--clock", CLOCK, "--format", "json"];
    let answer = fed(clock, line).json().remove(0);
    answer["envelope_hash"].as_str().unwrap().to_owned()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[test]
fn an_allow_is_recorded_with_the_policy_that_gave_it() {
    let desk = Desk::new();
    let answer = desk.decide_at_clock(DESK, &[]).well().json().remove(0);
    assert_eq!(text(&answer, "event"), "decided");
    assert_eq!((text(&answer, "result"), text(&answer, "engine_result")), ("allow", "allow"));
    assert_eq!(
        answer["determining"],
        serde_json::json!([{"id": "readers-read", "obligations": ["log-prompt"]}])
    );
    assert_eq!((answer["seq"].as_u64(), answer["duplicate"].as_bool()), (Some(2), Some(false)));

    let sha256 = Sha256Digest::of(DESK.as_bytes()).to_string();
    assert_eq!(desk.blob(&sha256).unwrap(), DESK.as_bytes());
    let named = Sha256Digest::of(b"Desk Rules").to_string();
    let body = desk.body(text(&answer, "envelope_hash"));
    assert_eq!(
        body,
        serde_json::json!({
            "spec_version": "1.0.0", "canon_version": "1", "record_type": "policy_decision",
            "ts_ms": 1_769_817_600_000_u64,
            "trace": {
                "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": text(&answer, "span_id"),
                "span_kind": "child", "parent_span_id": "00f067aa0ba902b7",
            },
            "producer": {"layer": "cpo", "component": "proofline"}, "auth_context_envelope_sha256": desk.auth,
            "policy": {
                "policy_id": format!("x.desk-rules.{named}"), "policy_version": format!("sha256:{}", &sha256[..16]),
                "policy_sha256": sha256,
            },
            "request": {"action": "tickets:read", "resource": "desk/7"},
            "decision": {
                "result": "allow", "reason_codes": {"readers-read": true}, "obligations": {"log-prompt": true},
            },
        })
    );
    desk.ledger.run("replay", &["--fail-on-findings"]).exits(0);
    desk.ledger.run("verify", &[]).exits(0);
}

/// The rule of docs/policy.md, by hand.
#[test]
fn the_span_is_drawn_from_what_the_decision_is_made_of() {
    let desk = Desk::new();
    let sha256 = Sha256Digest::of(DESK.as_bytes()).to_string();
    let options = ["--policy-id", "desk", "--policy-version", "7", "--component", "kernel", "--clock", LATER];
    let answer = desk.decide(DESK, &options).well().json().remove(0);
    let lines = [
        "proofline decide",
        &desk.auth,
        "desk",
        "7",
        &sha256,
        "tickets:read",
        "desk/7",
        "kernel",
        "00f067aa0ba902b7",
        "1769817600001",
    ];
    let drawn = Sha256Digest::of(lines.map(|line| format!("{line}\n")).concat().as_bytes()).to_string();
    assert_eq!(text(&answer, "span_id"), &drawn[..16]);
    let given = ["--span", "53995c3f42cd8ad8", "--parent", "a2fb4a1d1a96d312", "--clock", LATER];
    let answer = desk.decide(DESK, &given).well().json().remove(0);
    let trace = &desk.body(text(&answer, "envelope_hash"))["trace"];
    assert_eq!(
        (text(trace, "span_id"), text(trace, "parent_span_id")),
        ("53995c3f42cd8ad8", "a2fb4a1d1a96d312")
    );
}

#[test]
fn a_denial_is_recorded_and_exits_with_1() {
    let desk = Desk::new();
    let answer = desk.decide_at_clock(DESK, &["--component", "night"]).exits(1).json().remove(0);
    let code = format!("x.not-after-hours-.{}", Sha256Digest::of(b"Not after hours!"));
    assert_eq!((text(&answer, "result"), &answer["reason_codes"]), ("deny", &serde_json::json!([code])));
    let decision = &desk.body(text(&answer, "envelope_hash"))["decision"];
    assert_eq!(
        decision,
        &serde_json::json!({"result": "deny", "reason_codes": {code: true}, "obligations": {}})
    );
    // Where nothing applies there is no reason.
    let answer = desk.decide_at_clock("", &[]).exits(1).json().remove(0);
    assert_eq!((text(&answer, "result"), &answer["reason_codes"]), ("deny", &serde_json::json!([])));
    assert_eq!(desk.blob(&Sha256Digest::of(b"").to_string()).unwrap(), b"");
}

#[test]
fn an_error_in_the_policy_denies_whatever_the_engine_says() {
    let desk = Desk::new();
    let policy =
        format!("{DESK}@id(\"limit\") forbid(principal, action, resource) when {{ context.amount > 3 }};");
    let answer = desk.decide_at_clock(&policy, &[]).exits(1).json().remove(0);
    assert_eq!((text(&answer, "result"), text(&answer, "engine_result")), ("deny", "allow"));
    assert_eq!(answer["reason_codes"], serde_json::json!(["policy-error"]));
    assert_eq!(answer["obligations"], serde_json::json!([]));
    assert_eq!(text(&answer["errors"][0], "id"), "limit");
    let decision = &desk.body(text(&answer, "envelope_hash"))["decision"];
    assert_eq!(text(decision, "result"), "deny");
    assert!(!decision.to_string().contains("amount"), "what the engine says is no evidence");
}

#[test]
fn a_bad_policy_commits_nothing() {
    let desk = Desk::new();
    let place = desk.files.path().join("Desk Rules.cedar");
    let at = |line: &str| Some(format!("{}{line}", place.display()));
    let (code, told, hint) = desk.decide("\npermit(principal, action, resource);", &[]).exits(4).error();
    assert_eq!((code.as_str(), told, hint.is_some()), ("cedar.no_id", at(", line 2"), true));
    let (code, told, _) = desk.decide("@id(\"a\")\npermit(it);", &[]).exits(4).error();
    assert_eq!((code.as_str(), told), ("cedar.syntax", at(", line 2")));
    let (code, told, _) = desk.decide("permit\0(", &[]).exits(4).error();
    assert_eq!((code.as_str(), told), ("cedar.syntax", at(", line 1")));
    assert!(desk.is_untouched());

    let schema = desk.file("actions", ACTIONS);
    let schema = ["--schema", schema.to_str().unwrap()];
    let never = "@id(\"a\") permit(principal, action, resource);\n@id(\"b\")\n\
                 forbid(principal is Resource, action, resource);";
    let (code, told, _) = desk.decide(never, &schema).exits(4).error();
    assert_eq!((code.as_str(), told), ("cedar.not_valid", at(", line 2")));
    let bad_schema = desk.file("bad", "action \"a\" appliesTo {\n\n;");
    let (code, told, _) = desk.decide(DESK, &["--schema", bad_schema.to_str().unwrap()]).exits(4).error();
    assert_eq!(code, "cedar.schema_syntax");
    assert!(told.unwrap().starts_with(bad_schema.to_str().unwrap()), "it names the schema");
    assert!(desk.is_untouched());
    let passing = DESK.replace("Not after", "not after");
    desk.decide(&passing, &schema).well();
    assert_eq!(desk.entries(), 3);
}

#[test]
fn who_is_not_authenticated_gets_no_decision() {
    let mut desk = Desk::new();
    let sound = desk.auth.clone();
    desk.auth = "ab".repeat(32);
    assert_eq!(desk.decide(DESK, &[]).exits(4).error().0, "decide.no_context");
    // An attempt that the gate refused and kept authenticates nobody.
    let other = CONTEXT.replace("staff/ines", "staff/root");
    let lie = format!(r#"{{"record_type":"auth_context","declared_hash":"{sound}","envelope":{other}}}"#);
    desk.auth = commit(&desk.ledger, &lie);
    assert_ne!(desk.auth, sound);
    assert_eq!(desk.decide(DESK, &[]).exits(4).error().0, "decide.no_context");
    desk.auth = sound;
    let decision = desk.decide_at_clock(DESK, &[]).well().json().remove(0);
    desk.auth = text(&decision, "envelope_hash").to_owned();
    let before = desk.entries();
    let (code, _, hint) = desk.decide(DESK, &[]).exits(4).error();
    assert_eq!((code.as_str(), hint.is_some()), ("decide.not_a_context", true));
    assert_eq!(desk.entries(), before);
}

#[test]
fn a_dry_run_says_the_same_and_commits_nothing() {
    let desk = Desk::new();
    let dry = desk.decide_at_clock(DESK, &["--dry-run"]).well().json().remove(0);
    assert_eq!(
        (text(&dry, "event"), &dry["envelope_hash"], &dry["seq"]),
        ("would_decide", &Value::Null, &Value::Null)
    );
    desk.decide_at_clock("", &["--dry-run"]).exits(1);
    assert!(desk.is_untouched());
    let decided = desk.decide_at_clock(DESK, &[]).well().json().remove(0);
    for name in
        ["result", "reason_codes", "obligations", "determining", "policy", "trace_id", "span_id", "ts_ms"]
    {
        assert_eq!(dry[name], decided[name], "{name}");
    }
}

/// The same decision of the same millisecond is the same record, so it is there once; at another time it is another.
#[test]
fn a_repeated_decision_is_a_duplicate_only_at_the_same_time() {
    let desk = Desk::new();
    let once = desk.decide_at_clock(DESK, &[]).well().json().remove(0);
    let again = desk.decide_at_clock(DESK, &[]).well().json().remove(0);
    assert_eq!((&again["envelope_hash"], &again["seq"]), (&once["envelope_hash"], &once["seq"]));
    assert_eq!(again["duplicate"].as_bool(), Some(true));
    let later = desk.decide(DESK, &["--clock", LATER]).well().json().remove(0);
    assert_eq!((later["duplicate"].as_bool(), later["seq"].as_u64()), (Some(false), Some(3)));
    assert_ne!(later["span_id"], once["span_id"]);
}

/// A decision that allows an erasure erases another policy, which then decides nothing more.
#[test]
fn an_erased_policy_decides_nothing() {
    let desk = Desk::new();
    desk.decide_at_clock(DESK, &[]).well();
    let name = Sha256Digest::of(DESK.as_bytes()).to_string();
    let keeper =
        "@id(\"keeper\") permit(principal, action == Action::\"erase\", resource in Resource::\"blob\");";
    let keeper = desk.file("keeper.cedar", keeper);
    let resource = format!("blob/{name}");
    let asked = ["--auth", &desk.auth, "--action", "erase", "--resource", &resource, "--clock", CLOCK];
    let policy = ["--policy", keeper.to_str().unwrap(), "--format", "json"];
    let allowed = desk.ledger.run("decide", &[&asked[..], &policy].concat()).well().json().remove(0);
    let authority = text(&allowed, "envelope_hash");
    desk.ledger.run("erase", &["--blob", &name, "--reason", "by mistake", "--authority", authority]).exits(0);
    let before = desk.entries();
    let (code, _, hint) = desk.decide(DESK, &[]).exits(4).error();
    assert_eq!((code.as_str(), hint.is_some()), ("blob.erased", true));
    assert_eq!((desk.entries(), desk.blob(&name)), (before, None));
}

#[test]
fn decisions_have_one_shape() {
    let desk = Desk::new();
    let line = desk.decide_at_clock(DESK, &[]).well().stdout;
    assert_eq!(
        member_names(line.trim_end()).join(" "),
        "event result reason_codes obligations engine engine_result determining errors policy trace_id span_id ts_ms \
         envelope_hash seq duplicate"
    );
    let engine = desk.decide_at_clock(DESK, &[]).json().remove(0)["engine"].clone();
    assert_eq!(engine, "cedar-policy 4.14.1");
}

#[test]
fn text_says_why_and_shows_no_controls() {
    let desk = Desk::new();
    let shown = |policy: &str, more: &[&str]| {
        let policy = desk.file("desk.cedar", policy);
        let asked =
            ["--auth", &desk.auth, "--action", "tickets:read", "--resource", "desk/7", "--clock", CLOCK];
        let policy = ["--policy", policy.to_str().unwrap()];
        desk.ledger.run("decide", &[&asked, &policy[..], more].concat())
    };
    let hash = desk.decide_at_clock(DESK, &["--policy-id", "desk"]).well().json().remove(0);
    let allowed = shown(DESK, &[]).well().stdout;
    let sha256 = Sha256Digest::of(DESK.as_bytes()).to_string();
    let expected = [
        "allow  tickets:read on desk/7".to_owned(),
        "  reason      readers-read".to_owned(),
        "  obligation  log-prompt".to_owned(),
        format!("  policy      desk, version sha256:{}", &sha256[..16]),
        format!("  sha256      {sha256}"),
        format!("  span        {} of trace 4bf92f3577b34da6a3ce929d0e0e4736", text(&hash, "span_id")),
        "recorded by entry 2, as it was before: nothing was appended".to_owned(),
        format!("  {}\n", text(&hash, "envelope_hash")),
    ]
    .join("\n");
    assert_eq!(allowed, expected);
    let none = shown("", &["--dry-run"]).exits(1).stdout;
    assert!(none.contains("no statement applies") && none.ends_with("nothing was committed\n"), "{none}");
    let hostile = "@id(\"a\\u{1b}[31m\") permit(principal, action, resource);\n\
                   @id(\"b\\u{202e}\") forbid(principal, action, resource) when { context.no };";
    for ran in
        [shown(hostile, &["--dry-run"]), shown(&hostile[..hostile.find('\n').unwrap()], &["--dry-run"])]
    {
        assert!(!ran.stdout.contains(['\u{1b}', '\u{202e}']), "{}", ran.stdout);
        assert!(ran.stdout.contains("\\u{"), "{}", ran.stdout);
    }
}

#[test]
fn a_policy_may_come_from_the_standard_input() {
    let desk = Desk::new();
    let dir = desk.ledger.dir.to_str().unwrap();
    let asked = ["decide", dir, "--auth", &desk.auth, "--action", "tickets:read", "--resource", "desk/7"];
    let answer =
        fed([&asked[..], &["--policy", "-", "--format", "json"]].concat(), DESK).well().json().remove(0);
    assert_eq!(text(&answer["policy"], "policy_id"), "stdin");
}

fn check(more: &[&str]) -> Ran {
    ran(program().args(["policy", "check"]).args(more))
}

#[test]
fn policy_check_lists_statements() {
    let desk = Desk::new();
    let policy = desk.file("desk.cedar", DESK);
    let policy = policy.to_str().unwrap();
    let lines = check(&[policy, "--format", "json"]).well();
    assert_eq!(
        member_names(lines.stdout.lines().next().unwrap()).join(" "),
        "line effect id reason_code obligations"
    );
    let code = format!("x.not-after-hours-.{}", Sha256Digest::of(b"Not after hours!"));
    assert_eq!(
        lines.json(),
        [
            serde_json::json!({
                "line": 1, "effect": "permit", "id": "readers-read", "reason_code": "readers-read",
                "obligations": [{"name": "log-prompt", "token": "log-prompt"}],
            }),
            serde_json::json!({
                "line": 3, "effect": "forbid", "id": "Not after hours!", "reason_code": code, "obligations": [],
            }),
        ]
    );
    let shown = check(&[policy]).well().stdout;
    let expected = format!(
        "line     1  permit  readers-read\n            obliges to log-prompt\nline     3  forbid  \"Not after hours!\", as \
         {code}\n2 statements\n"
    );
    assert_eq!(shown, expected);
    let schema = desk.file("actions", ACTIONS);
    check(&[policy, "--schema", schema.to_str().unwrap()]).well();
}

#[test]
fn policy_check_lists_faults_and_exits_with_4() {
    let desk = Desk::new();
    let policy = desk.file("bad.cedar", "permit(principal, action, resource);\n\n@id(\"a\") permit(it);\n");
    let faults = check(&[policy.to_str().unwrap(), "--format", "json"]).exits(4);
    assert_eq!(faults.stderr, "");
    let listed: Vec<_> = faults
        .json()
        .iter()
        .map(|it| (text(&it["fault"], "code").to_owned(), it["fault"]["line"].as_u64()))
        .collect();
    assert_eq!(listed, [("cedar.no_id".to_owned(), Some(1)), ("cedar.syntax".to_owned(), Some(3))]);
    let first = faults.stdout.lines().next().unwrap();
    let inner = &first[r#"{"fault":"#.len()..first.len() - 1];
    assert_eq!(member_names(inner).join(" "), "code line id is_warning message");
    let shown = check(&[policy.to_str().unwrap()]).exits(4).stdout;
    assert!(shown.ends_with("2 faults: this policy is not asked\n"), "{shown}");

    let schema = desk.file("actions", ACTIONS);
    let dead = desk.file("dead.cedar", "@id(\"dead\")\nforbid(principal is Resource, action, resource);");
    let faults =
        check(&[dead.to_str().unwrap(), "--schema", schema.to_str().unwrap(), "--format", "json"]).exits(4);
    let fault = &faults.json()[0]["fault"];
    assert_eq!((text(fault, "code"), text(fault, "id")), ("cedar.not_valid", "dead"));
    assert_eq!((fault["line"].as_u64(), fault["is_warning"].as_bool()), (Some(1), Some(true)));
    let (code, place, _) = check(&["/no/such/policy", "--format", "json"]).exits(4).error();
    assert_eq!((code.as_str(), place.as_deref()), ("input.unreadable", Some("/no/such/policy")));
}
