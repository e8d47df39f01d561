//! How fast telemetry is read and imported: spans and bytes a second, on one thread and on all. The floor `otel`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::num::NonZeroUsize;

use criterion::{BenchmarkId, Criterion, Throughput};
use proofline::ledger::{Blobs, Options};
use proofline::otel::opentelemetry_proto::tonic::trace::v1::TracesData;
use proofline::otel::read::{Item, ReadOptions, read};
use proofline::otel::write::protobuf_frame;
use proofline::otel::{ImportOrder, import_file};
use proofline::trace::Capture;

/// The telemetry that ships.
const DESK: &str = include_str!("../vectors/otel/desk.otlp.jsonl");
const NOW_MS: u64 = 1_790_000_000_000;

fn main() {
    let mut criterion = common::criterion();
    let count = common::amount(500, 2);
    let spans = repeated(count);
    reading(&mut criterion, &spans);
    importing(&mut criterion, &spans);
    criterion.final_summary();
}

/// The shipped runs so often, each time as other traces.
fn repeated(count: usize) -> String {
    let traces: BTreeSet<&str> =
        DESK.split("\"traceId\":\"").skip(1).filter_map(|rest| rest.get(..32)).collect();
    let mut out = String::new();
    for number in 0..count {
        let mut text = DESK.to_owned();
        for trace in &traces {
            let tail = trace.get(8..).unwrap_or_default();
            text = text.replace(trace, &format!("{number:08x}{tail}"));
        }
        out.push_str(&text);
    }
    out
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
    let mut group = criterion.benchmark_group("otlp_read");
    let protobuf = in_protobuf(json);
    assert_eq!(read_all(json.as_bytes()), read_all(&protobuf));
    for (name, bytes) in [("json", json.as_bytes()), ("protobuf", &protobuf)] {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| read_all(bytes)));
    }
    group.finish();
}

fn importing(criterion: &mut Criterion, json: &str) {
    let mut group = common::slow_group(criterion, "otlp_import");
    let all = std::thread::available_parallelism().unwrap().get();
    let (elements, bytes) = (read_all(json.as_bytes()), json.len() as u64);
    group.throughput(Throughput::ElementsAndBytes { elements, bytes });
    for capture in [Capture::Full, Capture::Structural, Capture::Digest] {
        let order = ImportOrder { capture, ..ImportOrder::recording().unwrap() };
        for threads in BTreeSet::from([1, all]) {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let import = || {
                let ledger = common::TempLedger::new();
                let writer = ledger.open(Options::default()).with_threads(NonZeroUsize::new(threads));
                let blobs = Blobs::open(ledger.path()).unwrap();
                let (options, mut input) = (ReadOptions::default(), Cursor::new(json));
                let clock = &mut || NOW_MS;
                pool.install(|| {
                    import_file(&writer, &blobs, &order, &mut input, &options, clock, &mut |_| {})
                })
                .unwrap()
            };
            assert_eq!(import().account.totals.refused.get(), 0);
            let id = BenchmarkId::new(capture.as_str(), threads);
            group.bench_function(id, |bencher| bencher.iter(import));
        }
    }
    group.finish();
}
