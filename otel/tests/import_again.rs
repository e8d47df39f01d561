//! An import is idempotent: twice, in overlapping files, in pieces, under another policy, and killed at every step.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod dying;
mod made;

use std::io::Cursor;
use std::sync::Arc;

use dying::DyingDisk;
use made::{NOW_MS, count, entries, import, init, lines, message, run, span, text, under};
use proofline_canon::ContentStore;
use proofline_ledger::disk::Disk;
use proofline_ledger::{Blobs, EntryKind, Ledger, Options, verify};
use proofline_otel::read::ReadOptions;
use proofline_otel::{ImportOrder, import_file};

const NO_CANCELLING: &str = r#"
    @id("calls") permit(principal, action, resource);
    @id("no-cancelling") forbid(principal, action == Action::"tool:execute", resource in Resource::"tool/cancel");
"#;

fn three_runs() -> Vec<Vec<serde_json::Value>> {
    vec![
        run(0, &[("look", r#"{"id":1}"#), ("cancel", r#"{"id":1}"#)]),
        run(1, &[("cancel", r#"{"id":2}"#), ("cancel", r#"{"id":2}"#)]),
        run(2, &[]),
    ]
}

#[test]
fn twice_and_overlapping_change_nothing() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let (runs, order) = (three_runs(), under(NO_CANCELLING));
    let first = import(home.path(), &order, &lines(&runs[..2]));
    assert_eq!((first.account.totals.denied.get(), first.account.totals.allowed.get()), (3, 3));
    let kept = entries(home.path());
    assert_eq!(count(&kept, EntryKind::Rejected), 3, "denied calls are kept");
    assert_eq!(count(&kept, EntryKind::Artifact), 3, "one a trace, and the account");

    assert_eq!(import(home.path(), &order, &lines(&runs[..2])).appended, 0);
    assert_eq!(entries(home.path()), kept);
    // The overlap is known, the rest is new.
    let second = import(home.path(), &order, &lines(&runs[1..]));
    assert_eq!((second.new_spans, second.account.totals.spans.get()), (2, 6));
    assert_eq!(entries(home.path())[..kept.len()], kept);
    // The same spans in another order of files come to the same records.
    let other = tempfile::tempdir().unwrap();
    init(other.path());
    import(other.path(), &order, &lines(&runs[1..]));
    import(other.path(), &order, &lines(&runs[..2]));
    let records = |dir: &std::path::Path| {
        let mut kept: Vec<_> =
            entries(dir).into_iter().filter(|it| it.kind != EntryKind::Artifact).map(|it| it.body).collect();
        kept.sort();
        kept
    };
    assert_eq!(records(home.path()), records(other.path()));
}

#[test]
fn a_trace_in_pieces_has_one_context_and_an_artifact_a_piece() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let order = ImportOrder::recording().unwrap();
    let spans = run(0, &[("look", "{}"), ("book", "{}")]);
    import(home.path(), &order, &message(&spans[..2]));
    import(home.path(), &order, &message(&spans[2..]));
    let kept = entries(home.path());
    let of_type = |name: &str| {
        kept.iter().filter(|it| it.body.contains(&format!("\"record_type\":\"{name}\""))).count()
    };
    assert_eq!((of_type("auth_context"), of_type("policy_decision"), of_type("tool_call")), (1, 3, 2));
    let imports = kept.iter().filter(|it| it.body.contains("\"otel_import\"")).count();
    assert_eq!(imports, 2);
    // All of it again, as one.
    let again = import(home.path(), &order, &message(&spans));
    assert_eq!((again.new_spans, again.appended), (0, 1), "only an account, of a file that was not there");
}

#[test]
fn a_piece_without_its_root_has_its_context_at_its_first_call() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    import(home.path(), &ImportOrder::recording().unwrap(), &message(&run(0, &[])[1..]));
    let kept = entries(home.path());
    let context = kept.iter().find(|it| it.body.contains("\"auth_context\"")).unwrap();
    assert!(context.body.contains(&format!("\"span_id\":\"{}\"", made::id(1))));
    // That the agent's span, which nobody has sent, is a root is not claimed.
    assert!(context.body.contains(&format!("\"parent_span_id\":\"{}\"", made::id(0))));
    assert!(!context.body.contains("\"span_kind\":\"root\""));
}

#[test]
fn another_policy_decides_again() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let file = lines(&three_runs());
    import(home.path(), &ImportOrder::recording().unwrap(), &file);
    let other = import(home.path(), &under(NO_CANCELLING), &file);
    assert_eq!((other.new_spans, other.account.totals.denied.get()), (10, 3));
    assert_eq!(import(home.path(), &under(NO_CANCELLING), &file).appended, 0);
    assert_eq!(import(home.path(), &ImportOrder::recording().unwrap(), &file).appended, 0);
}

#[test]
fn a_span_with_the_id_of_another_is_refused_and_kept() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let order = ImportOrder::recording().unwrap();
    let mut spans = run(0, &[]);
    let twin = span(0, 1, "chat other", &[text("gen_ai.operation.name", "chat")]);
    spans.push(twin);
    let imported = import(home.path(), &order, &message(&spans));
    assert_eq!((imported.account.totals.refused.get(), imported.account.totals.model_calls.get()), (1, 1));
    assert_eq!(imported.account.refusals[0].what.as_str(), "span-clash");
    assert_eq!(import(home.path(), &order, &message(&spans)).appended, 0);
    let kept = entries(home.path());
    assert!(kept.iter().any(|it| it.body.contains("\"chat other\"")), "its row has its name");
    // Its content is in the document of the trace's spans.
    let blobs = Blobs::open(home.path()).unwrap();
    let texts = blobs.names().map(|name| blobs.get(&name.unwrap()).unwrap().unwrap());
    let texts: Vec<String> = texts.map(|bytes| String::from_utf8(bytes).unwrap()).collect();
    assert!(
        texts.iter().any(|it| it.contains("proofline.otel.spans") && it.contains("\"name\":\"chat other\""))
    );
}

#[test]
fn an_import_killed_at_any_step_and_repeated_leaves_the_same_ledger() {
    let (file, order) = (lines(&three_runs()), under(NO_CANCELLING));
    let undisturbed = tempfile::tempdir().unwrap();
    init(undisturbed.path());
    import(undisturbed.path(), &order, &file);
    let expected = entries(undisturbed.path());

    let (mut killed, mut step, mut eighths) = (0, 0, 1);
    loop {
        let home = tempfile::tempdir().unwrap();
        init(home.path());
        let disk: Arc<dyn Disk> = Arc::new(DyingDisk::after(step, eighths));
        let ledger = Ledger::open_on(Arc::clone(&disk), home.path(), Options::default());
        let blobs = Blobs::open_on(Arc::clone(&disk), home.path());
        let died = match (ledger, blobs) {
            (Ok(ledger), Ok(blobs)) => {
                let (options, mut input) = (ReadOptions::default(), Cursor::new(file.as_bytes()));
                let clock = &mut || NOW_MS;
                import_file(&ledger, &blobs, &order, &mut input, &options, clock, &mut |_| {}).is_err()
            }
            _ => true,
        };
        let again = import(home.path(), &order, &file);
        assert_eq!(entries(home.path()), expected, "killed at step {step}, {eighths}/8");
        assert!(died || again.appended == 0);
        let report = verify(home.path(), &mut |_| {}).unwrap();
        assert!(report.damage.is_empty(), "killed at step {step}, {eighths}/8: {:?}", report.damage);
        if !died {
            break;
        }
        killed += 1;
        (step, eighths) = if eighths == 7 { (step + 1, 1) } else { (step, eighths + 2) };
    }
    assert!(killed > 10, "{killed}");
}
