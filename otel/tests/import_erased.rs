//! Telemetry whose content was erased before: its calls are recorded and name what they held, and the bytes stay out.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod made;

use std::path::Path;

use made::{NOW_MS, by_rules, count, entries, import, init, message, run};
use proofline_canon::{ContentStore, Sha256Digest};
use proofline_ledger::{Action, Blobs, EntryKind, Ledger, Options, Outcome, verify};
use proofline_otel::ImportOrder;
use proofline_trace::{EnvelopeHash, ErasureRecord, ErasureTarget};
use serde_json::json;

/// Payloads in which this text is.
fn payloads_with(dir: &Path, text: &str) -> Vec<Sha256Digest> {
    let blobs = Blobs::open(dir).unwrap();
    let names = blobs.names().map(Result::unwrap);
    let has =
        |name: &Sha256Digest| String::from_utf8(blobs.get(name).unwrap().unwrap()).unwrap().contains(text);
    names.filter(has).collect()
}

/// Erases a payload by a decision that allows it, imported as well.
fn erase(dir: &Path, payload: Sha256Digest) {
    let rules = json!({
        "version": "1",
        "requests": [{"when": {"tool": "erase"}, "action": "erase", "resource": format!("blob/{payload}")}],
    });
    let order = by_rules(ImportOrder::recording().unwrap(), &rules);
    import(dir, &order, &message(&run(90, &[("erase", "{}")])));
    let allowed = entries(dir).into_iter().find(|it| it.body.contains("\"action\":\"erase\"")).unwrap();
    let record = ErasureRecord {
        target: ErasureTarget::Blob(payload),
        reason: "asked for by the subject".parse().unwrap(),
        authority: EnvelopeHash::of(allowed.body.as_bytes()),
    };
    let ledger = Ledger::open(dir, Options::default()).unwrap();
    let outcome = ledger.commit_action(&Action::System(&record.canonical()), NOW_MS).unwrap();
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
}

#[test]
fn a_payload_that_was_erased_stays_out_and_its_call_comes_in() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let order = ImportOrder::recording().unwrap();
    let secret = ("look", r#"{"name":"Ines Sola"}"#);
    import(home.path(), &order, &message(&run(0, &[secret])));
    let with_it = payloads_with(home.path(), "Ines Sola");
    assert_eq!(with_it.len(), 1, "the document of the spans has content by digest");
    let payload = with_it[0];
    erase(home.path(), payload);
    assert_eq!(payloads_with(home.path(), "Ines Sola"), []);

    let before = entries(home.path());
    let spans = message(&run(1, &[secret, ("look", r#"{"name":"somebody else"}"#)]));
    let imported = import(home.path(), &order, &spans);
    assert_eq!((imported.new_spans, imported.erased_payloads), (4, 1));
    assert_eq!(imported.account.totals.refused.get(), 0);
    assert_eq!(imported.account.totals.tool_calls.get(), 2);
    assert_eq!(payloads_with(home.path(), "Ines Sola"), []);
    assert_eq!(payloads_with(home.path(), "somebody else").len(), 1);
    let after = entries(home.path());
    let new = &after[before.len()..];
    assert_eq!(count(new, EntryKind::Accepted), 1 + 2 * 3);
    let names_it = |it: &&made::Kept| it.body.contains(&payload.to_string());
    assert_eq!(new.iter().filter(names_it).count(), 1, "the call names what it was given");
    assert!(verify(home.path(), &mut |_| ()).unwrap().is_sound());
    Blobs::open(home.path()).unwrap().check(&mut |damage| panic!("{damage:?}")).unwrap();

    let again = import(home.path(), &order, &spans);
    assert_eq!((again.appended, again.erased_payloads), (0, 0));
    assert_eq!(entries(home.path()), after);
}

/// The account is of the file alone: it is the same where nothing was erased.
#[test]
fn an_account_does_not_tell_of_erasures() {
    let (with, without) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let order = ImportOrder::recording().unwrap();
    let secret = ("look", r#"{"name":"Ines Sola"}"#);
    init(with.path());
    import(with.path(), &order, &message(&run(0, &[secret])));
    erase(with.path(), payloads_with(with.path(), "Ines Sola")[0]);
    init(without.path());
    let spans = message(&run(1, &[secret]));
    let (one, other) = (import(with.path(), &order, &spans), import(without.path(), &order, &spans));
    assert_eq!((one.erased_payloads, other.erased_payloads), (1, 0));
    assert_eq!(one.account, other.account);
}
