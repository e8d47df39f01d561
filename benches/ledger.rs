//! How fast records go in and are found again: the gate, durable commits, lookups, opening, reading from end to
//! end. The floor `ledger`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::TempLedger;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use proofline::canon::{ContentStore, Sha256Digest};
use proofline::ledger::gate::{AcceptedRecords, Examined, Facts, examine, relate};
use proofline::ledger::{
    Blobs, Entry, EvidenceLine, ExportOrder, Ledger, Options, Seq, Snapshot, backup, export, import, verify,
};
use proofline::trace::EnvelopeHash;
use proofline_vectors::{SplitMix64, Submission};

fn main() {
    let mut criterion = common::criterion();
    gate(&mut criterion, &common::records(common::amount(1000, 60)));
    commits(&mut criterion);
    let small = grown(2);
    lookups(&mut criterion, &small);
    reading(&mut criterion, &small);
    opening(&mut criterion, &small);
    moving(&mut criterion, &small);
    let large = grown(common::amount(16, 3));
    lookups(&mut criterion, &large);
    opening(&mut criterion, &large);
    criterion.final_summary();
}

/// Accepted records in memory, so that the gate's own work is measured and not its lookups.
struct Remembered(HashMap<EnvelopeHash, Facts>);

impl AcceptedRecords for Remembered {
    type Error = Infallible;

    fn facts(&self, hash: &EnvelopeHash) -> Result<Option<Facts>, Infallible> {
        Ok(self.0.get(hash).copied())
    }
}

/// Lines as they are sent, in five spellings: taken apart, examined (checks 0 to 3), related (checks 4 to 6).
fn gate(criterion: &mut Criterion, records: &[Submission]) {
    let limits = Options::default().limits;
    let texts: Vec<Vec<u8>> = records.iter().map(Submission::line).collect();
    let lines: Vec<EvidenceLine<'_>> =
        texts.iter().map(|text| EvidenceLine::read(text, &limits).unwrap()).collect();
    let placed: Vec<(&Submission, Seq)> = records.iter().zip((1..).map(Seq::new)).collect();
    let facts = |(record, seq): &(&Submission, Seq)| {
        (record.sealed.hash(), Facts::of(record.sealed.envelope(), *seq))
    };
    let accepted = Remembered(placed.iter().map(facts).collect());

    let mut group = common::group(criterion, "gate");
    group.throughput(common::throughput(texts.iter().map(Vec::as_slice)));
    common::each(&mut group, "line", &texts, |text| EvidenceLine::read(text, &limits).unwrap());
    common::each(&mut group, "examine", &lines, |line| {
        let examined = examine(&line.submission(), &limits);
        assert!(matches!(examined, Examined::Sound(_)));
        examined
    });
    common::each(&mut group, "relate", &placed, |(record, seq)| {
        let Ok(rejection) = relate(record.sealed.envelope(), *seq, &accepted);
        assert_eq!(rejection, None);
    });
    group.finish();
}

/// What one sync costs when it is shared by so many records.
fn commits(criterion: &mut Criterion) {
    let mut group = common::slow_group(criterion, "commit");
    for size in [1, 10, 100, 1000] {
        let ledger = TempLedger::new();
        let writer = ledger.open(Options::default());
        let mut evidence = common::evidence();
        let sample: Vec<Submission> = common::records(1000);
        group.throughput(scaled(&sample, size));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_custom(|groups| {
                let mut next_group = || evidence.by_ref().take(size).collect::<Vec<_>>();
                (0..groups).map(|_| timed_commit(&writer, &next_group())).sum()
            });
        });
    }
    group.finish();
}

/// So many records of average length.
fn scaled(sample: &[Submission], size: usize) -> Throughput {
    let bytes: usize = sample.iter().map(|record| record.sealed.canonical().len()).sum();
    Throughput::ElementsAndBytes { elements: size as u64, bytes: (bytes * size / sample.len()) as u64 }
}

/// A group has to be new each time; making it is not timed.
fn timed_commit(writer: &Ledger, group: &[Submission]) -> Duration {
    let actions = common::actions(group);
    let begun = Instant::now();
    let outcomes = writer.commit_actions(&actions, common::NOW_MS).unwrap();
    let taken = begun.elapsed();
    common::assert_accepted(&outcomes);
    taken
}

/// A ledger of so many sealed segments, and an open one that is half full: what opening reads depends on that.
fn grown(sealed: usize) -> TempLedger {
    let segment_bytes = common::amount(4 << 20, 128 << 10) as u64;
    let ledger = TempLedger::new();
    let writer = ledger.open(Options { segment_bytes, ..Options::default() });
    let mut evidence = common::evidence();
    loop {
        let group: Vec<Submission> = evidence.by_ref().take(50).collect();
        common::assert_accepted(&writer.commit_actions(&common::actions(&group), common::NOW_MS).unwrap());
        let segments = ledger.segments();
        let open_bytes = segments.last().map_or(0, |open| fs::metadata(open).unwrap().len());
        if segments.len() > sealed && open_bytes >= segment_bytes / 2 {
            return ledger;
        }
    }
}

/// A ledger's size as its benches bear it in their names: the same for as long as segments are as long.
fn size_of(ledger: &TempLedger) -> String {
    format!("{}_segments", ledger.segments().len())
}

/// Some hundred records here and there: all that is read is in the page cache.
fn lookups(criterion: &mut Criterion, ledger: &TempLedger) {
    let snapshot = ledger.snapshot();
    let entries = snapshot.entries();
    let mut random = SplitMix64::new(entries);
    let asked: Vec<Entry> =
        (0..common::amount(500, 20)).map(|_| read(&snapshot, 1 + random.below(entries - 1))).collect();
    let known: Vec<EnvelopeHash> = asked.iter().map(|entry| entry.header.envelope_hash).collect();
    let unknown: Vec<EnvelopeHash> = known.iter().map(|hash| EnvelopeHash::of(hash.as_bytes())).collect();

    let mut group = common::group(criterion, "lookup");
    group.throughput(Throughput::Elements(known.len() as u64));
    let name = |what: &str| format!("{what}/{}", size_of(ledger));
    common::each(&mut group, &name("absent"), &unknown, |hash| {
        assert_eq!(snapshot.accepted(hash).unwrap(), None);
    });
    common::each(&mut group, &name("place"), &known, |hash| snapshot.accepted(hash).unwrap().unwrap());
    group.throughput(common::throughput(asked.iter().map(|entry| entry.body.as_slice())));
    common::each(&mut group, &name("entry"), &known, |hash| {
        let seq = snapshot.accepted(hash).unwrap().unwrap();
        snapshot.entry(seq).unwrap().unwrap()
    });
    group.finish();
}

fn read(snapshot: &Snapshot, seq: u64) -> Entry {
    snapshot.entry(Seq::new(seq)).unwrap().unwrap()
}

/// Every entry once, by a reader that wants them all, and by `verify`, which checks each of them too.
fn reading(criterion: &mut Criterion, ledger: &TempLedger) {
    let snapshot = ledger.snapshot();
    let mut group = common::slow_group(criterion, "read_all");
    group.throughput(common::throughput_of(&snapshot));
    group.bench_function("scan", |bencher| {
        bencher.iter(|| (1..snapshot.entries()).for_each(|seq| drop(black_box(read(&snapshot, seq)))));
    });
    group.bench_function("verify", |bencher| {
        bencher.iter(|| assert!(verify(ledger.path(), &mut |_| {}).unwrap().is_sound()));
    });
    group.finish();
}

/// Opening reads the open segment, and a sealed one whose index is missing; a writer makes that index again.
fn opening(criterion: &mut Criterion, ledger: &TempLedger) {
    let size = size_of(ledger);
    let index = ledger.segments().first().unwrap().with_extension("idx");
    let lose_index = || fs::remove_file(&index).unwrap();
    let open = || ledger.open(Options::default());
    let mut group = common::slow_group(criterion, "open");

    group.bench_function(BenchmarkId::new("read", &size), |bencher| bencher.iter(|| ledger.snapshot()));
    group.bench_function(BenchmarkId::new("write", &size), |bencher| bencher.iter(open));
    group.bench_function(BenchmarkId::new("write_without_an_index", &size), |bencher| {
        bencher.iter_batched(lose_index, |()| open(), BatchSize::PerIteration);
        assert!(index.exists());
    });
    lose_index();
    assert_eq!(ledger.snapshot().derived_damage().len(), 1);
    group.bench_function(BenchmarkId::new("read_without_an_index", &size), |bencher| {
        bencher.iter(|| ledger.snapshot());
    });
    assert_eq!(open().recovery().rebuilt_indexes, 1);
    group.finish();
}

/// A whole ledger out as a stream and in again, every entry decided again, with payloads of 1 MiB; and a backup,
/// from nothing and with nothing new.
fn moving(criterion: &mut Criterion, ledger: &TempLedger) {
    let blobs = Blobs::open(ledger.path()).unwrap();
    for number in 0..common::amount(64, 2) {
        let payload = vec![u8::try_from(number).unwrap(); 1 << 20];
        blobs.put(&Sha256Digest::of(&payload), &payload).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = 0_u64..;
    let mut fresh = || folder.path().join(numbers.next().unwrap().to_string());
    let mut group = common::slow_group(criterion, "move");
    for (name, with_blobs) in [("entries", false), ("entries_and_payloads", true)] {
        let order = ExportOrder { with_blobs, at: None };
        let exported = |out: &mut Vec<u8>| {
            out.clear();
            export(ledger.path(), &order, out, &mut |_| ControlFlow::Continue(())).unwrap();
        };
        let mut stream = Vec::new();
        exported(&mut stream);
        group.throughput(Throughput::ElementsAndBytes {
            elements: ledger.snapshot().entries(),
            bytes: stream.len() as u64,
        });
        let mut again = Vec::with_capacity(stream.len());
        group.bench_function(BenchmarkId::new("export", name), |bencher| {
            bencher.iter(|| exported(&mut again))
        });
        assert!(again == stream);
        group.bench_function(BenchmarkId::new("import", name), |bencher| {
            bencher.iter_batched(
                &mut fresh,
                |dir| {
                    let go_on = &mut |_| ControlFlow::Continue(());
                    import(&mut &stream[..], &dir, &Options::default(), go_on).unwrap()
                },
                BatchSize::PerIteration,
            );
        });
    }
    let back_up = |out: PathBuf| {
        backup(ledger.path(), &out, &mut |_| ControlFlow::Continue(())).unwrap();
        out
    };
    group.bench_function(BenchmarkId::new("backup", "from_nothing"), |bencher| {
        bencher.iter_batched(&mut fresh, back_up, BatchSize::PerIteration);
    });
    let copy = back_up(fresh());
    group.bench_function(BenchmarkId::new("backup", "nothing_new"), |bencher| {
        bencher.iter(|| back_up(copy.clone()));
    });
    group.finish();
}
