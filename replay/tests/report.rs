//! Reports: any number of shards merges into the bytes of one run, on any number of threads, over ledgers that are
//! well, that fail and that are damaged; and what does not go together is refused with its file and line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::path::{Path, PathBuf};

use common::reports::{damaged, failing, many, on, samples, shipped, write, write_shards};
use proofline_ledger::{Options, Snapshot};
use proofline_replay::report::{End, LineFault, ReportError, ReportFile, Verdicts, merge, verdict_line};
use proofline_replay::{Means, Mode, Plan, RunVerdict, TraceReplay, replay};

fn merged(files: &[PathBuf]) -> Result<Vec<u8>, ReportError> {
    let mut out = Vec::new();
    merge(files, &mut out)?;
    Ok(out)
}

/// The code, file name and line of what is refused.
#[track_caller]
fn refused(files: &[PathBuf]) -> (&'static str, String, u64) {
    let error = merged(files).unwrap_err();
    let (file, line) = error.place().unwrap();
    (error.code(), file.file_name().unwrap().to_string_lossy().into_owned(), line.unwrap())
}

#[test]
fn shards_merge_into_the_bytes_of_one_run() {
    for sample in samples() {
        let snapshot = sample.snapshot();
        let folder = tempfile::tempdir().unwrap();
        for (number, (mode, include_rejected)) in
            [(Mode::Forensic, false), (Mode::Forensic, true), (Mode::Invariant, false)]
                .into_iter()
                .enumerate()
        {
            let plan = |threads| Plan { mode: mode.clone(), include_rejected, ..on(threads) };
            let whole = folder.path().join(format!("whole-{number}.jsonl"));
            write(&snapshot, &plan(1), &whole);
            let expected = std::fs::read(&whole).unwrap();
            let again = folder.path().join(format!("again-{number}.jsonl"));
            write(&snapshot, &plan(2), &again);
            assert_eq!(std::fs::read(&again).unwrap(), expected, "{}: two threads", sample.what);
            // The most shards once: each writes and syncs a file of its own.
            for of in [1_u8, 2, 7, 64].into_iter().take(if number == 0 { 4 } else { 3 }) {
                let shards = tempfile::tempdir().unwrap();
                let mut files =
                    write_shards(&snapshot, &plan(1 + usize::from(of) % 2), of.into(), shards.path());
                assert_eq!(merged(&files).unwrap(), expected, "{}: {of} shards", sample.what);
                // In another order, some twice, and beside the whole.
                files.reverse();
                files.rotate_left(usize::from(of) / 3);
                files.push(files[0].clone());
                assert_eq!(merged(&files).unwrap(), expected, "{}: {of} shards, moved", sample.what);
                files.push(whole.clone());
                assert_eq!(merged(&files).unwrap(), expected, "{}: {of} shards and the whole", sample.what);
            }
        }
    }
}

#[test]
fn the_samples_have_all_that_a_report_can_tell_of() {
    let all: Vec<_> = samples().iter().map(|sample| summary(&sample.snapshot())).collect();
    let [shipped, failing, damaged, hidden] = &all[..] else { panic!("four samples") };
    assert_eq!(shipped.verdict(), RunVerdict::AllWell);
    assert!(shipped.unlisted_traces >= 20 && !shipped.findings.is_empty());
    assert_eq!((failing.verdict(), failing.failed, failing.passed), (RunVerdict::SomeFailed, 20, 40));
    assert_eq!(damaged.verdict(), RunVerdict::Damaged);
    assert!(damaged.failed > 0 && damaged.passed > 0 && damaged.damage_count > 10);
    let codes: Vec<&str> = hidden.damage.iter().map(|damage| damage.code).collect();
    assert_eq!((codes, hidden.failed), (vec!["index.incomplete"], 0));
}

fn summary(snapshot: &Snapshot) -> proofline_replay::Summary {
    replay(snapshot, &Means::default(), &on(1), &mut Vec::new()).unwrap()
}

/// What a report says is what the engine says to whoever calls it.
#[test]
fn a_report_holds_the_verdicts_and_the_summary_of_the_run() {
    for sample in samples() {
        let snapshot = sample.snapshot();
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("report.jsonl");
        let end = write(&snapshot, &on(2), &out);
        let mut verdicts: Vec<TraceReplay> = Vec::new();
        let summary = replay(&snapshot, &Means::default(), &on(2), &mut verdicts).unwrap();
        assert_eq!(end, End::Whole(summary.clone()));

        let text = std::fs::read_to_string(&out).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(r#"{"record":"#)).collect();
        let expected: Vec<String> = verdicts.iter().map(|replay| verdict_line(replay).unwrap()).collect();
        assert_eq!(lines, expected);

        let report = ReportFile::open(&out).unwrap();
        assert_eq!(report.end().summary().to_value(), summary.to_value());
        assert_eq!(
            (report.head().entries, report.head().ledger_id),
            (snapshot.entries(), snapshot.ledger_id())
        );
        let root = snapshot.tree().root(snapshot.entries()).ok();
        assert_eq!(report.head().root, root);
        let mut read = Vec::new();
        report
            .each(&mut |replay| {
                read.push(replay);
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        verdicts.iter_mut().for_each(|replay| replay.damage.clear());
        assert_eq!(read, verdicts, "{}", sample.what);
    }
}

/// Damage in more places than are listed: some that every shard comes upon, most that only one does.
#[test]
fn the_first_thousand_places_of_damage_are_those_of_one_run() {
    let sample = many(900, Options { segment_bytes: 1 << 16, ..Options::default() });
    for file in std::fs::read_dir(sample.dir.join("log")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "seg") {
            let mut bytes = std::fs::read(&path).unwrap();
            // In every record, once: the frame of each then does not hold.
            let needle = br#""spec_version""#;
            let places: Vec<usize> =
                (0..bytes.len() - needle.len()).filter(|at| bytes[*at..].starts_with(needle)).collect();
            places.into_iter().for_each(|at| bytes[at] ^= 0x01);
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let snapshot = sample.snapshot();
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.jsonl");
    let End::Whole(summary) = write(&snapshot, &on(2), &whole) else { panic!("a whole") };
    assert_eq!((summary.damage.len(), summary.damage_count), (1000, 2700));
    assert!(!snapshot.damage().is_empty() && snapshot.damage().len() < 1000);
    for of in [2, 7] {
        let files = write_shards(&snapshot, &on(2), of, folder.path());
        assert_eq!(merged(&files).unwrap(), std::fs::read(&whole).unwrap());
    }
}

#[test]
fn shards_of_other_numbers_must_say_the_same() {
    let sample = shipped();
    let snapshot = sample.snapshot();
    let folder = tempfile::tempdir().unwrap();
    let (of_two, of_three) = (
        write_shards(&snapshot, &on(1), 2, folder.path()),
        write_shards(&snapshot, &on(1), 3, folder.path()),
    );
    let expected = merged(&of_two).unwrap();
    assert_eq!(merged(&of_three).unwrap(), expected);
    assert_eq!(merged(&[of_two.clone(), of_three.clone()].concat()).unwrap(), expected);
    assert_eq!(merged(&[of_two.clone(), of_three[1..2].to_vec()].concat()).unwrap(), expected);
    // One of each makes no whole, whatever they cover together.
    assert_eq!(refused(&[of_two[0].clone(), of_three[1].clone()]).0, "report.missing_shards");
}

/// Writes a changed copy of a report, and gives its name.
fn changed(file: &Path, name: &str, change: impl FnOnce(&mut Vec<String>)) -> PathBuf {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    let out = file.with_file_name(name);
    std::fs::write(&out, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    out
}

#[test]
fn what_does_not_go_together_is_refused_with_its_place() {
    let (sample, other) = (failing(), damaged());
    let snapshot = sample.snapshot();
    let folder = tempfile::tempdir().unwrap();
    let files = write_shards(&snapshot, &on(1), 2, folder.path());
    let with = |second: &Path| refused(&[files[0].clone(), second.to_owned()]);
    let copy = |name: &str, change: &dyn Fn(&mut Vec<String>)| changed(&files[1], name, change);

    // Other ledgers, states and questions.
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign = write_shards(&other.snapshot(), &on(1), 2, elsewhere.path());
    assert_eq!(with(&foreign[1]), ("report.other_size", "2-of-2.jsonl".to_owned(), 1));
    let renamed = copy("renamed.jsonl", &|lines| {
        for line in lines {
            *line = line.replace(&"07".repeat(16), &"08".repeat(16));
        }
    });
    assert_eq!(with(&renamed), ("report.other_ledger", "renamed.jsonl".to_owned(), 1));
    let shorter = tempfile::tempdir().unwrap();
    let cut = write_shards(&snapshot.at(snapshot.entries() - 1).unwrap(), &on(1), 2, shorter.path());
    assert_eq!(with(&cut[1]), ("report.other_size", "2-of-2.jsonl".to_owned(), 1));
    let asked = tempfile::tempdir().unwrap();
    for plan in [
        Plan { mode: Mode::Invariant, ..on(1) },
        Plan { include_rejected: true, ..on(1) },
        Plan { generated_at: "2026-01-31T00:00:00.000Z".parse().unwrap(), ..on(1) },
    ] {
        let out = asked.path().join("2.jsonl");
        let _ = std::fs::remove_file(&out);
        write(&snapshot, &Plan { shard: Some("2/2".parse().unwrap()), ..plan }, &out);
        assert_eq!(with(&out), ("report.other_plan", "2.jsonl".to_owned(), 1));
    }

    // What is missing.
    assert_eq!(refused(&files[..1]), ("report.missing_shards", "1-of-2.jsonl".to_owned(), 1));
    let lines = std::fs::read_to_string(&files[1]).unwrap().lines().count() as u64;
    let short = copy("short.jsonl", &|lines| {
        lines.pop();
    });
    assert_eq!(with(&short), ("report.cut", "short.jsonl".to_owned(), lines));
    let torn = folder.path().join("torn.jsonl");
    let bytes = std::fs::read(&files[1]).unwrap();
    for length in [bytes.len() - 1, bytes.len() - 10, bytes.len() / 2] {
        std::fs::write(&torn, &bytes[..length]).unwrap();
        assert_eq!(with(&torn).0, "report.cut");
        assert_eq!(ReportFile::open(&torn).unwrap_err().code(), "report.cut");
    }

    // Lines that are not where they belong.
    let gone = copy("gone.jsonl", &|lines| {
        lines.remove(3);
    });
    assert_eq!(with(&gone), ("report.counts", "gone.jsonl".to_owned(), lines - 1));
    let twice = copy("twice.jsonl", &|lines| lines.insert(3, lines[3].clone()));
    assert_eq!(with(&twice), ("report.order", "twice.jsonl".to_owned(), 5));
    let swapped = copy("swapped.jsonl", &|lines| lines.swap(2, 3));
    assert_eq!(with(&swapped), ("report.order", "swapped.jsonl".to_owned(), 4));
    let behind = copy("behind.jsonl", &|lines| lines.push(lines[1].clone()));
    assert_eq!(with(&behind), ("report.surplus", "behind.jsonl".to_owned(), lines + 1));
    let own = std::fs::read_to_string(&files[0]).unwrap().lines().nth(1).unwrap().to_owned();
    let stray = copy("stray.jsonl", &|lines| lines[1] = own.clone());
    assert_eq!(with(&stray), ("report.foreign_trace", "stray.jsonl".to_owned(), 2));
    let no_head = copy("no_head.jsonl", &|lines| {
        lines.remove(0);
    });
    assert_eq!(with(&no_head), ("report.not_a_report", "no_head.jsonl".to_owned(), 1));
    let newer = copy("newer.jsonl", &|lines| lines[0] = lines[0].replace(r#""version":1"#, r#""version":2"#));
    assert_eq!(with(&newer), ("report.version", "newer.jsonl".to_owned(), 1));

    // Lines that say something else.
    let failing_line =
        |lines: &[String]| lines.iter().position(|line| line.contains(r#""result":"fail""#)).unwrap();
    let at = {
        let text = std::fs::read_to_string(&files[1]).unwrap();
        failing_line(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let spaced = copy("spaced.jsonl", &|lines| lines[at].insert(1, ' '));
    assert_eq!(with(&spaced), ("report.spelling", "spaced.jsonl".to_owned(), at as u64 + 1));
    let passed = copy("passed.jsonl", &|lines| {
        let line = lines[at].replacen(r#""failure_class":"MISSING_PREREQ","#, "", 1);
        lines[at] = line.replacen(r#""result":"fail""#, r#""result":"pass""#, 1);
    });
    assert_eq!(with(&passed), ("report.unbacked", "passed.jsonl".to_owned(), at as u64 + 1));
    let unknown = copy("unknown.jsonl", &|lines| {
        lines[at] = lines[at].replacen(r#""result":"fail""#, r#""result":"fine""#, 1);
    });
    assert_eq!(with(&unknown), ("report.record", "unknown.jsonl".to_owned(), at as u64 + 1));

    // A copy that says the same of everything but one message: alone it passes, beside the other it does not.
    let reworded = copy("reworded.jsonl", &|lines| {
        lines[at] =
            lines[at].replace(r#""message":"#, r#""message":"No: "+"#).replace("\"No: \"+\"", "\"No: ")
    });
    assert_eq!(
        refused(&[files[0].clone(), files[1].clone(), reworded.clone()]),
        ("report.unequal", "reworded.jsonl".to_owned(), at as u64 + 1)
    );
    let part = copy("part.jsonl", &|lines| {
        let last = lines.last_mut().unwrap();
        *last = last.replacen(r#""in_order""#, "", 1).replacen(
            r#""producer_signatures":0"#,
            r#""producer_signatures":1"#,
            1,
        );
    });
    assert_eq!(
        refused(&[files[0].clone(), files[1].clone(), part]),
        ("report.unequal", "part.jsonl".to_owned(), lines)
    );
    // A trace that is left out, and counted as left out.
    let error = merged(&[]).unwrap_err();
    assert_eq!((error.code(), error.place()), ("report.nothing", None));
}

/// A trace that two shards of different numbers cover, and only one has.
#[test]
fn a_trace_that_one_report_leaves_out_is_named() {
    let sample = many(12, Options::default());
    let (snapshot, folder) = (sample.snapshot(), tempfile::tempdir().unwrap());
    let whole = folder.path().join("whole.jsonl");
    write(&snapshot, &on(1), &whole);
    let fewer = changed(&whole, "fewer.jsonl", |lines| {
        lines.remove(4);
        let last = lines.last_mut().unwrap();
        for (from, to) in [
            (r#""traces":12"#, r#""traces":11"#),
            (r#""passed":12"#, r#""passed":11"#),
            (r#""records":36"#, r#""records":33"#),
            (r#""verified":36"#, r#""verified":33"#),
            (r#""gate_rechecked":36"#, r#""gate_rechecked":33"#),
        ] {
            assert!(last.contains(from), "{from} in {last}");
            *last = last.replacen(from, to, 1);
        }
    });
    ReportFile::open(&fewer).unwrap().each(&mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    let error = merged(&[whole, fewer]).unwrap_err();
    let ReportError::Line { file, line, fault } = &error else { panic!("{error}") };
    assert_eq!((file.file_name().unwrap().to_str(), *line), (Some("fewer.jsonl"), 5));
    assert!(matches!(**fault, LineFault::MissingTrace { other_line: 5, .. }), "{error}");
}
