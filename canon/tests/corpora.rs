//! Real documents: recorded agent runs, made canonical. They stay outside the repository; the
//! folder comes in `PROOFLINE_CORPORA`. The expected digests were computed by the Python reference
//! of `vectors/`, over the canonical lines, each followed by a newline.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and skips loudly"
)]

use std::path::PathBuf;

use proofline_canon::{Limits, Profile, Sha256Hasher, canonicalize, check_canonical};

const FILES: [(&str, usize, &str); 3] = [
    ("airline-calls.jsonl", 1018, "95b81e36d0fed4b1404d35e8aed6783b9281d76fb78c4122777b4f2fd02ea281"),
    (
        "airline-older-style.otlp.jsonl",
        20,
        "ef2deef2478c74fc2e9ae04051e30983ef2a6ceac8e3843734d30e5ca30df785",
    ),
    ("airline.otlp.jsonl", 150, "6b4def7f65e9ac778bce699c7cd468f664261f02c94d027c035fbd296fd45162"),
];

#[test]
fn recorded_runs_have_the_canonical_bytes_that_another_program_gives_them() {
    let Some(corpora) = std::env::var_os("PROOFLINE_CORPORA").map(PathBuf::from) else {
        eprintln!("SKIPPED: set PROOFLINE_CORPORA to the folder of recorded runs to test on real documents");
        return;
    };
    for (name, lines, expected) in FILES {
        let text = std::fs::read(corpora.join("agent-runs").join(name)).expect(name);
        let mut hasher = Sha256Hasher::new();
        let mut count = 0;
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let canonical = canonicalize(line, Profile::Content, &Limits::CONTENT).unwrap();
            check_canonical(&canonical, Profile::Content, &Limits::CONTENT).unwrap();
            hasher.update(&canonical);
            hasher.update(b"\n");
            count += 1;
        }
        assert_eq!((count, hasher.finalize().to_string().as_str()), (lines, expected), "{name}");
    }
}
