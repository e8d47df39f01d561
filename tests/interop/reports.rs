//! JUnit XML, read by Python's parser: what the report counts is what another program finds, of a
//! sound ledger and of a damaged one.

use std::process::Command;

use serde_json::Value;

use crate::run::{AGENT_WORK, Ledger};

/// Counts the elements, and gives the texts of failures.
const COUNT: &str = "
import json, sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
suites = root.findall('testsuite')
number = lambda element, name: int(element.get(name))
print(json.dumps({
    'root': root.tag,
    'tests': [number(root, 'tests'), sum(number(s, 'tests') for s in suites), len(root.findall('testsuite/testcase'))],
    'failures': [number(root, 'failures'), sum(number(s, 'failures') for s in suites), len(root.findall('.//failure'))],
    'skipped': [number(root, 'skipped'), sum(number(s, 'skipped') for s in suites), len(root.findall('.//skipped'))],
    'types': sorted(f.get('type') for f in root.findall('.//failure')),
    'outputs': len(root.findall('.//system-out')),
    'names': [c.get('name') for c in root.findall('testsuite/testcase')],
}))
";

#[test]
fn another_parser_finds_what_the_report_counts() {
    let Ok(python) = std::env::var("PROOFLINE_INTEROP_PYTHON") else {
        eprintln!("skipped: PROOFLINE_INTEROP_PYTHON names no Python; .ci/interop runs this");
        return;
    };
    for damage in [false, true] {
        let (ledger, folder) = (Ledger::of(AGENT_WORK), tempfile::tempdir().unwrap());
        if damage {
            ledger.edit(&ledger.segment(), |bytes| {
                (3000..40_000).step_by(4001).for_each(|at| bytes[at] ^= 0x1b)
            });
        }
        let [lines, xml] = ["report.jsonl", "report.xml"].map(|name| folder.path().join(name));
        for out in [&lines, &xml] {
            let run = ledger.run("replay", &["--out", out.to_str().unwrap()]);
            run.exits(if damage { 3 } else { 0 });
        }
        let text = std::fs::read_to_string(&lines).unwrap();
        let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let count = |name: &str| summary["summary"][name].as_u64().unwrap();
        let output = Command::new(&python).args(["-c", COUNT]).arg(&xml).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["root"], "testsuites");
        let all = |number: u64| Value::from(vec![number; 3]);
        assert_eq!(found["tests"], all(count("traces") + count("unlisted_traces") + 1));
        assert_eq!(found["failures"], all(count("failed") + u64::from(damage)));
        assert_eq!(found["skipped"], all(count("unlisted_traces")));
        let traces = text.lines().count() - 2;
        assert_eq!(found["names"].as_array().unwrap().len(), traces + 1);
        let damaged = found["types"].as_array().unwrap().iter().filter(|name| *name == "DAMAGED").count();
        assert_eq!(damaged, usize::from(damage));
    }
}
