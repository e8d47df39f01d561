//! Two processes that import the same telemetry into one ledger at the same time.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::run::{CLOCK, Ledger};

/// More spans than one turn of an import has.
const RUNS: usize = 1_500;

fn span(run: usize, number: usize, attributes: &[(&str, String)]) -> Value {
    let attribute = |(key, value): &(&str, String)| json!({"key": key, "value": {"stringValue": value}});
    let start = 1_727_740_800_000_000_000 + number as u64 * 1_000_000_000;
    let mut span = json!({
        "traceId": format!("{:032x}", run + 1), "spanId": format!("{:016x}", number + 1), "name": "made",
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 5).to_string(),
        "attributes": attributes.iter().map(attribute).collect::<Vec<_>>(),
    });
    if number > 0 {
        span["parentSpanId"] = json!(format!("{:016x}", 1));
    }
    span
}

/// A run: the agent, one thing that is looked up, and the same order cancelled twice.
fn line(run: usize) -> String {
    let tool = |number, name: &str| {
        span(
            run,
            number,
            &[
                ("gen_ai.operation.name", "execute_tool".to_owned()),
                ("gen_ai.tool.name", name.to_owned()),
                ("gen_ai.tool.call.arguments", format!(r#"{{"order":{run}}}"#)),
            ],
        )
    };
    let agent = span(run, 0, &[("gen_ai.operation.name", "invoke_agent".to_owned())]);
    let spans = [agent, tool(1, "look_up"), tool(2, "cancel_order"), tool(3, "cancel_order")];
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
}

fn importing(dir: &Path, file: &Path, policy: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proofline"));
    command.args(["import", "otlp"]).arg(dir).arg(file).arg("--policy").arg(policy);
    command.args(["--capture", "digest", "--format", "json", "--clock", CLOCK]).env("COLUMNS", "80");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// How often each record and each refused attempt is there.
fn kept(ledger: &Ledger) -> BTreeMap<(String, String), usize> {
    let told = ledger.run("query", &["kind = accepted or kind = rejected", "--format", "json"]).exits(0);
    let mut kept = BTreeMap::new();
    for line in told.json().iter().filter(|line| line.get("summary").is_none()) {
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        *kept.entry((text("kind"), text("envelope_hash"))).or_default() += 1;
    }
    kept
}

/// Waits until the process has the file open: it is about to wait for its lock.
#[cfg(target_os = "linux")]
fn until_it_waits(child: &mut Child, lock: &Path) {
    let lock = lock.canonicalize().unwrap();
    let patience = Instant::now() + Duration::from_secs(120);
    let is_open = |id: u32| {
        let files = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten();
        files.filter_map(|file| fs::read_link(file.ok()?.path()).ok()).any(|path| path == lock)
    };
    while !is_open(child.id()) {
        assert!(child.try_wait().unwrap().is_none() && Instant::now() < patience, "it never waited");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(not(target_os = "linux"))]
fn until_it_waits(_: &mut Child, _: &Path) {}

#[test]
fn two_processes_keep_each_denied_call_once() {
    let (ledger, one_by_one, home) = (Ledger::empty(), Ledger::empty(), tempfile::tempdir().unwrap());
    let policy = home.path().join("desk.cedar");
    let rule =
        r#"forbid(principal, action == Action::"tool:execute", resource in Resource::"tool/cancel_order");"#;
    fs::write(
        &policy,
        format!("@id(\"calls\") permit(principal, action, resource);\n@id(\"kept\") {rule}\n"),
    )
    .unwrap();
    // Two files that overlap: each has a thousand runs that the other has, too, in another order.
    let files = ["one", "two"].map(|name| home.path().join(name));
    let runs: [Vec<usize>; 2] = [(0..1_250).collect(), (250..RUNS).rev().collect()];
    for (file, runs) in files.iter().zip(runs) {
        let text: Vec<String> = runs.into_iter().map(line).collect();
        fs::File::create(file).unwrap().write_all(text.join("\n").as_bytes()).unwrap();
    }
    let lock_path = ledger.dir.join("import.lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).unwrap();
    lock.lock().unwrap();
    let mut children = files.each_ref().map(|file| importing(&ledger.dir, file, &policy));
    children.iter_mut().for_each(|child| until_it_waits(child, &lock_path));
    assert_eq!(kept(&ledger).len(), 0, "nothing is committed without a turn");
    drop(lock);
    for child in children {
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    for file in &files {
        let ended = importing(&one_by_one.dir, file, &policy).wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let (kept, expected) = (kept(&ledger), kept(&one_by_one));
    let refused: usize =
        kept.iter().filter(|((kind, _), _)| kind == "rejected").map(|(_, count)| *count).sum();
    assert_eq!(refused, 2 * RUNS, "two denied calls of each run, each once");
    assert!(kept == expected, "other records than imports one after the other leave");
    ledger.run("verify", &[]).exits(0);
}
