//! How fast telemetry is read and imported: spans and bytes a second, on one thread and on all. The floor `otel`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use proofline::ledger::{Blobs, Options};
use proofline::otel::generate::{Telemetry, TelemetryPlan};
use proofline::otel::opentelemetry_proto::tonic::trace::v1::TracesData;
use proofline::otel::read::{Item, ReadOptions, read};
use proofline::otel::write::protobuf_frame;
use proofline::otel::{ImportOrder, Imported, import_file};
use proofline::trace::Capture;

const NOW_MS: u64 = 1_790_000_000_000;
/// Contents of calls that come again.
const CONTENTS: u64 = 300;

fn main() {
    let mut criterion = common::criterion();
    let spans = common::amount(12_000, 60) as u64;
    let plan = TelemetryPlan { spans, contents: CONTENTS, ..TelemetryPlan::default() };
    reading(&mut criterion, &text_of(plan));
    // A file system is slow to make files where others went away a moment ago: ledgers stay until all is measured.
    let mut ledgers = Vec::new();
    let mut group = common::slow_group(&mut criterion, "otlp_import");
    for capture in [Capture::Full, Capture::Structural, Capture::Digest] {
        importing(&mut group, plan, capture, &mut ledgers);
    }
    group.finish();
    // Each call with two payloads of its own.
    let mut group = common::slow_group(&mut criterion, "otlp_import_payloads");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(1));
    importing(&mut group, TelemetryPlan { contents: spans, ..plan }, Capture::Digest, &mut ledgers);
    group.finish();
    criterion.final_summary();
}

fn text_of(plan: TelemetryPlan) -> String {
    let mut text = String::new();
    Telemetry::new(plan).read_to_string(&mut text).unwrap();
    text
}

fn read_all(bytes: &[u8]) -> u64 {
    let mut spans = 0;
    let reading = read(&mut Cursor::new(bytes), &ReadOptions::default(), &mut |item| {
        if let Item::Batch(batch) = item {
            spans += batch.spans.len() as u64;
        }
        Ok::<(), std::convert::Infallible>(())
    });
    assert_eq!(reading.unwrap().spans, spans);
    spans
}

fn in_protobuf(json: &str) -> Vec<u8> {
    let mut out = Vec::new();
    read(&mut Cursor::new(json), &ReadOptions::default(), &mut |item| {
        if let Item::Batch(batch) = item {
            out.extend(protobuf_frame(&TracesData::from(&batch)));
        }
        Ok::<(), std::convert::Infallible>(())
    })
    .unwrap();
    out
}

fn reading(criterion: &mut Criterion, json: &str) {
    let mut group = common::group(criterion, "otlp_read");
    let protobuf = in_protobuf(json);
    assert_eq!(read_all(json.as_bytes()), read_all(&protobuf));
    for (name, bytes) in [("json", json.as_bytes()), ("protobuf", &protobuf)] {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| read_all(bytes)));
    }
    group.finish();
}

fn importing(
    group: &mut BenchmarkGroup<'_, WallTime>,
    plan: TelemetryPlan,
    capture: Capture,
    ledgers: &mut Vec<common::TempLedger>,
) {
    let json = text_of(plan);
    let all = std::thread::available_parallelism().unwrap().get();
    group.throughput(Throughput::ElementsAndBytes { elements: plan.spans, bytes: json.len() as u64 });
    let order = ImportOrder { capture, ..ImportOrder::recording().unwrap() };
    for threads in BTreeSet::from([1, all]) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut timed = |rounds: u64| {
            (0..rounds)
                .map(|_| {
                    let ledger = common::TempLedger::new();
                    let begun = Instant::now();
                    let imported = pool.install(|| import(&ledger, &order, &json, threads));
                    let taken = begun.elapsed();
                    assert_eq!((imported.new_spans, imported.account.totals.refused.get()), (plan.spans, 0));
                    ledgers.push(ledger);
                    taken
                })
                .sum()
        };
        let id = BenchmarkId::new(capture.as_str(), threads);
        group.bench_function(id, |bencher| bencher.iter_custom(&mut timed));
    }
}

fn import(ledger: &common::TempLedger, order: &ImportOrder, json: &str, threads: usize) -> Imported {
    let writer = ledger.open(Options::default()).with_threads(NonZeroUsize::new(threads));
    let blobs = Blobs::open(ledger.path()).unwrap();
    let (options, mut input) = (ReadOptions::default(), Cursor::new(json));
    import_file(&writer, &blobs, order, &mut input, &options, &mut || NOW_MS, &mut |_| {}).unwrap()
}
