//! Imports at once into one ledger: of one process and of two, at every order of their steps, they leave what one
//! after the other would. Two that had each read what is known of a trace once kept a denied call twice.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod made;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io::Cursor;
use std::path::Path;

use made::{Kept, NOW_MS, count, entries, import, init, lines, run, under};
use proofline_canon::Sha256Digest;
use proofline_ledger::{ArtifactKind, Blobs, EntryKind, Ledger, Options, verify};
use proofline_otel::read::{Item, ReadOptions, read};
use proofline_otel::{ImportOrder, Importer, Source};
use proofline_trace::Token;
use proofline_vectors::SplitMix64;
use serde_json::Value;

const NO_CANCELLING: &str = r#"
    @id("calls") permit(principal, action, resource);
    @id("no-cancelling") forbid(principal, action == Action::"tool:execute", resource in Resource::"tool/cancel");
"#;

/// More than an importer lets wait: what comes with it is mapped at once, and what was mapped before is committed.
const A_PIECE_BYTES: u64 = 16 << 20;

/// A run with denied calls, two of which are the same.
fn denied_run(number: u64) -> Vec<Value> {
    let id = format!(r#"{{"id":{number}}}"#);
    run(number, &[("cancel", &id), ("look", &id), ("cancel", "{}"), ("cancel", "{}")])
}

/// Each span by itself, and each is a piece that does not wait for others.
fn span_by_span(file: &str) -> (VecDeque<Item>, Source) {
    let mut items = VecDeque::new();
    let reading = read(&mut Cursor::new(file), &ReadOptions::default(), &mut |item| {
        let Item::Batch(batch) = item else { panic!("{item:?}") };
        for span in &batch.spans {
            let mut one = batch.clone();
            one.spans = vec![span.clone()];
            one.spans[0].bytes = A_PIECE_BYTES;
            items.push_back(Item::Batch(one));
        }
        Ok::<(), Infallible>(())
    });
    let reading = reading.unwrap();
    let source = Source {
        sha256: Sha256Digest::of(file.as_bytes()),
        size_bytes: file.len() as u64,
        framing: Token::of_name(reading.framing.name()),
        messages: reading.messages,
        warnings: Vec::new(),
    };
    (items, source)
}

/// An import that goes on when it is told to.
struct Stepping<'a> {
    importer: Option<Importer<'a>>,
    items: VecDeque<Item>,
    source: Source,
}

impl<'a> Stepping<'a> {
    fn new(ledger: &'a Ledger, blobs: &'a Blobs, order: &'a ImportOrder, file: &str) -> Self {
        let (items, source) = span_by_span(file);
        let importer = Some(Importer::new(ledger, blobs, order).unwrap());
        Self { importer, items, source }
    }

    /// Takes the next span, or ends; false when it had ended.
    fn step(&mut self) -> bool {
        let Some(mut importer) = self.importer.take() else { return false };
        match self.items.pop_front() {
            Some(item) => {
                importer.take(item, NOW_MS).unwrap();
                self.importer = Some(importer);
            }
            None => drop(importer.finish(self.source.clone(), NOW_MS).unwrap()),
        }
        true
    }
}

/// Every record and refused attempt, sorted.
fn records(kept: &[Kept]) -> Vec<(String, String)> {
    let records = kept.iter().filter(|it| it.kind != EntryKind::Artifact);
    let mut records: Vec<_> = records.map(|it| (format!("{:?}", it.kind), it.body.clone())).collect();
    records.sort();
    records
}

/// How often imports name each span.
fn named(kept: &[Kept]) -> BTreeMap<(String, String), usize> {
    let mut named = BTreeMap::new();
    for entry in kept.iter().filter(|it| it.kind == EntryKind::Artifact) {
        if let Ok(ArtifactKind::OtelImport(import)) = ArtifactKind::read(entry.body.as_bytes()) {
            for span in &import.spans {
                *named.entry((import.target_trace_id.to_string(), span.span_id.to_string())).or_default() +=
                    1;
            }
        }
    }
    named
}

/// The ledger holds what imports of these files one after the other leave, and they change nothing any more.
fn assert_as_one_by_one(dir: &Path, order: &ImportOrder, files: &[String], how: &str) {
    let one_by_one = tempfile::tempdir().unwrap();
    init(one_by_one.path());
    files.iter().for_each(|file| drop(import(one_by_one.path(), order, file)));
    let (expected, found) = (entries(one_by_one.path()), entries(dir));
    assert_eq!(records(&found), records(&expected), "{how}");
    assert!(count(&found, EntryKind::Rejected) > 0, "{how}: nothing was denied");
    let named = named(&found);
    assert!(named.values().all(|count| *count == 1), "{how}: {named:?}");
    assert_eq!(named, self::named(&expected), "{how}");
    let (ledger, blobs) = (Ledger::open(dir, Options::default()).unwrap(), Blobs::open(dir).unwrap());
    for file in files {
        let mut again = Stepping::new(&ledger, &blobs, order, file);
        while again.step() {}
    }
    assert!(entries(dir) == found, "{how}: what is known is skipped, and the account is there");
    assert!(verify(dir, &mut |_| {}).unwrap().is_sound(), "{how}");
}

#[test]
fn two_imports_that_take_turns_keep_each_denied_call_once() {
    let (order, file) = (under(NO_CANCELLING), lines(&[denied_run(0), denied_run(1)]));
    for is_one_process in [true, false] {
        let home = tempfile::tempdir().unwrap();
        init(home.path());
        let blobs = Blobs::open(home.path()).unwrap();
        let ledgers = [(); 2].map(|()| Ledger::open(home.path(), Options::default()).unwrap());
        let other = if is_one_process { &ledgers[0] } else { &ledgers[1] };
        let mut one = Stepping::new(&ledgers[0], &blobs, &order, &file);
        let mut two = Stepping::new(other, &blobs, &order, &file);
        while one.step() | two.step() {}
        let how = if is_one_process { "one process" } else { "two processes" };
        assert_as_one_by_one(home.path(), &order, &[file.clone(), file.clone()], how);
    }
}

#[test]
fn imports_of_any_number_in_any_order_are_as_one_by_one() {
    let order = under(NO_CANCELLING);
    let mut random = SplitMix64::new(23);
    let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
    for round in 0..12 {
        let home = tempfile::tempdir().unwrap();
        init(home.path());
        let blobs = Blobs::open(home.path()).unwrap();
        let ledgers = [(); 2].map(|()| Ledger::open(home.path(), Options::default()).unwrap());
        let pick = |from: usize, many: usize| -> String {
            lines(&(from..from + many).map(|number| denied_run(number as u64)).collect::<Vec<_>>())
        };
        let files: Vec<String> = (0..2 + below(2)).map(|_| pick(below(3), 1 + below(2))).collect();
        let mut imports: Vec<Stepping<'_>> =
            files.iter().map(|file| Stepping::new(&ledgers[below(2)], &blobs, &order, file)).collect();
        loop {
            let going: Vec<usize> = (0..imports.len()).filter(|at| imports[*at].importer.is_some()).collect();
            if going.is_empty() {
                break;
            }
            // One goes on for a while, as one does that is alone on a processor.
            let at = going[below(going.len())];
            (0..=below(6)).all(|_| imports[at].step());
        }
        assert_as_one_by_one(home.path(), &order, &files, &format!("round {round}"));
    }
}

#[test]
fn threads_that_import_the_same_spans_keep_each_once() {
    let order = under(NO_CANCELLING);
    let file = lines(&(0..4).map(denied_run).collect::<Vec<_>>());
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let blobs = Blobs::open(home.path()).unwrap();
    let ledgers = [(); 2].map(|()| Ledger::open(home.path(), Options::default()).unwrap());
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (ledger, blobs, order, file) = (&ledgers[number % 2], &blobs, &order, &file);
            scope.spawn(move || {
                let mut import = Stepping::new(ledger, blobs, order, file);
                while import.step() {}
            });
        }
    });
    assert_as_one_by_one(home.path(), &order, std::slice::from_ref(&file), "threads");
}

/// A thread of a pool that waits for a part of its import may be given another import to work at. That one must not
/// wait for what the first holds.
#[test]
fn imports_on_the_threads_of_one_pool_end() {
    let order = under(NO_CANCELLING);
    let file = lines(&(0..4).map(denied_run).collect::<Vec<_>>());
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let blobs = Blobs::open(home.path()).unwrap();
    let ledger = Ledger::open(home.path(), Options::default()).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    pool.scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|_| {
                let mut import = Stepping::new(&ledger, &blobs, &order, &file);
                while import.step() {}
            });
        }
    });
    assert_as_one_by_one(home.path(), &order, std::slice::from_ref(&file), "one pool");
}
