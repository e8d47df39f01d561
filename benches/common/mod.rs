//! What the benches share: seeded evidence, ledgers of it in folders that go away, and how long criterion measures.
//! Data is made once per process, and much less of it where nothing is measured (`cargo test --benches`).
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each bench takes what it needs, and stops where it cannot go on"
)]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use proofline::ledger::{Action, EvidenceLine, Genesis, Ledger, Options, Outcome, Seq, Snapshot, Submission};
use proofline::trace::LedgerId;
use proofline_vectors::{EvidencePlan, Generator};
use tempfile::TempDir;

const SEED: u64 = 0x00BE_9C4E;

/// A fixed time for all that is committed: 2026-03-02T08:00:00Z.
pub(crate) const NOW_MS: u64 = 1_772_438_400_000;

/// Whether this run measures. Cargo says so, and criterion goes by the same.
pub(crate) fn is_measuring() -> bool {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    has("--bench") && !has("--test")
}

/// How much of something: enough to measure, or enough to see that it runs.
pub(crate) fn amount(to_measure: usize, to_try: usize) -> usize {
    if is_measuring() { to_measure } else { to_try }
}

/// Criterion as all benches use it: the whole suite is to end within minutes.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .sample_size(50)
        .configure_from_args()
}

/// A group of benches. Its samples are equally long: with most rounds in milliseconds, samples that grow would take
/// much longer and tell no more.
pub(crate) fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group
}

/// A group of benches that take long, or wait for the disk: fewer samples, and more time for them.
pub(crate) fn slow_group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = group(criterion, name);
    group.sample_size(20).measurement_time(Duration::from_secs(8));
    group
}

/// The traces that evidence is made of: many at once, every record accepted.
pub(crate) const fn plan(traces: u64) -> EvidencePlan {
    EvidencePlan::clean(SEED, traces)
}

/// Evidence without end, in the order in which the gate accepts it.
pub(crate) fn evidence() -> Generator {
    Generator::new(&plan(u64::MAX))
}

/// So many records of [`evidence`].
pub(crate) fn records(count: usize) -> Vec<proofline_vectors::Submission> {
    evidence().take(count).collect()
}

/// One element for each text, and their bytes.
pub(crate) fn throughput<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Throughput {
    let (elements, bytes) =
        texts.fold((0, 0), |(elements, bytes), text| (elements + 1, bytes + text.len() as u64));
    Throughput::ElementsAndBytes { elements, bytes }
}

/// The records of a ledger, and the bytes of their bodies.
pub(crate) fn throughput_of(snapshot: &Snapshot) -> Throughput {
    let bodies: Vec<Vec<u8>> =
        (1..snapshot.entries()).map(|seq| snapshot.entry(Seq::new(seq)).unwrap().unwrap().body).collect();
    throughput(bodies.iter().map(Vec::as_slice))
}

/// Measures `work` on every item, one after the other; what it returns is dropped within the time.
pub(crate) fn each<'a, T, R>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    items: &'a [T],
    work: impl Fn(&'a T) -> R,
) {
    let all = || items.iter().for_each(|item| drop(black_box(work(black_box(item)))));
    group.bench_function(name, |bencher| bencher.iter(all));
}

/// A ledger in a folder that goes away with it, on the disk that builds lie on: a temporary folder in memory
/// would make every sync free.
pub(crate) struct TempLedger {
    _home: TempDir,
    path: PathBuf,
}

impl TempLedger {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = home.path().join("ledger");
        let genesis = Genesis {
            ledger_id: LedgerId::from_bytes([0xbe; 16]),
            origin: "bench.example".parse().unwrap(),
            created_at_ms: NOW_MS,
        };
        Ledger::init(&path, &genesis).unwrap();
        Self { _home: home, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn open(&self, options: Options) -> Ledger {
        Ledger::open(&self.path, options).unwrap()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::open(&self.path).unwrap()
    }

    /// The segment files, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path.join("log")).unwrap().map(|file| file.unwrap().path());
        let mut segments: Vec<PathBuf> =
            files.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
        segments.sort();
        segments
    }
}

/// These records as actions, each as a bare envelope.
pub(crate) fn actions(records: &[proofline_vectors::Submission]) -> Vec<Action<'_>> {
    let bare = records.iter().map(|record| Submission::bare(record.sealed.canonical()));
    bare.map(Action::Evidence).collect()
}

/// Commits these lines of evidence; each must be new, and accepted.
pub(crate) fn commit_lines(ledger: &Ledger, lines: &[Vec<u8>]) {
    let limits = Options::default().limits;
    let lines: Vec<EvidenceLine<'_>> =
        lines.iter().map(|line| EvidenceLine::read(line, &limits).unwrap()).collect();
    let actions: Vec<Action<'_>> = lines.iter().map(|line| Action::Evidence(line.submission())).collect();
    assert_accepted(&ledger.commit_actions(&actions, NOW_MS).unwrap());
}

/// What is refused or there before is quicker, and not what a bench of commits is about.
pub(crate) fn assert_accepted(outcomes: &[Outcome]) {
    let other =
        outcomes.iter().find(|outcome| !matches!(outcome, Outcome::Accepted { duplicate: false, .. }));
    assert_eq!(other, None);
}
