//! The target that reads a report of a replay.

use proofline_replay::report::{ReportLine, ReportReader, verdict_line};

/// Whatever line is taken is the one line that says what it says, and a last line counts those in front of it.
pub fn report(data: &[u8]) {
    let Ok(mut reader) = ReportReader::new(data, "a report") else { return };
    assert_eq!(
        reader.head().to_line().expect("a head that was read can be written").as_bytes(),
        reader.bytes()
    );
    let (mut traces, mut unlisted) = (0, 0);
    while let Ok(Some(line)) = reader.next_line() {
        match line {
            ReportLine::Verdict(replay) => {
                traces += 1;
                assert_eq!(
                    verdict_line(&replay).expect("a verdict that was read").as_bytes(),
                    reader.bytes()
                );
                assert_eq!(replay.result.sha256(), replay.artifact_sha256);
            }
            ReportLine::Unlisted(_) => unlisted += 1,
            ReportLine::End(end) => {
                assert_eq!((end.summary().traces, end.summary().unlisted_traces), (traces, unlisted));
            }
            _ => {}
        }
    }
}
