//! Targets that read what strangers send: signed notes, policy files, timestamp tokens.

use std::sync::LazyLock;

use proofline_proof::{Checkpoint, Note, Policy, TimestampToken};

/// The log and the witness of the golden files.
const POLICY: &str = "\
log log.example/demo+6bd2f923+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea
witness w1 witness.example/w1+04d2d833+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM
quorum none
";

const TEXT: &str = "log.example/demo\n5\ntnSPbtepnefahP2X4aO6xvq4mZ9KQ2lcq5Uoot5DEUc=\n";
const LINE: &str = "\u{2014} log.example/demo \
    a9L5I3qaTFVHhDv8SH2kqfm0VmjKJNVA7KyeO0kWxpDiy1Ejw6LUKFK55S3qaBpToKmlx16n7yq/ZDK2A9wKuhltKg0=\n";

static KNOWN: LazyLock<Policy> =
    LazyLock::new(|| Policy::parse(POLICY.as_bytes()).expect("the policy is one"));

/// A note is written as the same bytes again; what is believed is a checkpoint, signed by its log.
pub fn note(data: &[u8]) {
    let believed = KNOWN.verify(data);
    let Ok(note) = Note::parse(data) else {
        assert!(believed.is_err(), "no note, and believed");
        return;
    };
    assert_eq!(note.to_bytes(), data, "another note is written than was read");
    assert!(note.text().ends_with('\n') && !note.signatures().is_empty());
    if let Ok(checkpoint) = Checkpoint::parse_text(note.text()) {
        assert_eq!(checkpoint.to_text(), note.text(), "another checkpoint is written than was read");
    }
    if let Ok(verified) = believed {
        assert_eq!(verified.checkpoint().to_text(), note.text());
        let [key] = verified.log_keys() else { panic!("{verified:?}") };
        assert!(note.signatures().iter().any(|line| key.verify(note.text().as_bytes(), line.bytes())));
    }
}

/// What is a policy gives an answer about a note, and one that asks for no witness believes what a
/// log it lists has signed.
pub fn policy(data: &[u8]) {
    let note = format!("{TEXT}\n{LINE}");
    match Policy::parse(data) {
        Err(error) => assert!(error.at() >= 1 && !error.code().is_empty()),
        Ok(policy) => {
            let lists_log = policy.logs().iter().any(|log| LINE.contains(log.key().name().as_str()));
            match policy.verify(note.as_bytes()) {
                Ok(verified) => assert!(lists_log && verified.witnesses().is_empty()),
                Err(error) => assert!(policy.has_quorum() || error.code() == "checkpoint.no_log", "{error}"),
            }
        }
    }
}

/// A token taken out of a response is a token, and says the same.
pub fn timestamp(data: &[u8]) {
    if let Ok(token) = TimestampToken::parse(data) {
        assert!(data.ends_with(token.to_der()), "the token is not the response's end");
        assert_eq!(TimestampToken::parse(token.to_der()).as_ref(), Ok(&token));
    }
}
