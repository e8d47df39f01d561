//! JUnit XML, which build servers read: a test case a trace, in one suite, and in another one for the log itself.
//! There is no schema that all of them agree on; this keeps to what they have in common.

use std::fmt::Write as _;
use std::io::Write;
use std::ops::ControlFlow;

use proofline_ledger::Damage;
use proofline_trace::{Failure, Finding};

use super::error::ReportError;
use super::head::Head;
use super::read::{ReportFile, ReportLine};
use crate::sink::Unlisted;
use crate::summary::Summary;
use crate::verdict::TraceReplay;
use proofline_trace::is_treacherous;

/// Places of damage that the failure of the log lists.
const DAMAGE_SHOWN: usize = 50;

/// Writes a report as JUnit XML. A failed verdict is a failure of its class; findings are output; a trace of refused
/// attempts alone is skipped; damage of the log is a failure of the log.
///
/// # Errors
/// [`ReportError`].
pub fn write_junit(report: &ReportFile, out: &mut dyn Write) -> Result<(), ReportError> {
    let (head, summary) = (report.head(), report.end().summary());
    let mut put = |text: String| out.write_all(text.as_bytes()).map_err(ReportError::Output);
    put(opening(head, summary))?;
    report.visit(&mut |line, _| {
        match line {
            ReportLine::Verdict(replay) => put(case(&replay))?,
            ReportLine::Unlisted(unlisted) => put(skipped(head, &unlisted))?,
            ReportLine::End(_) => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    put(closing(head, summary))
}

fn opening(head: &Head, summary: &Summary) -> String {
    let name = format!("proofline {} replay", head.replay_type);
    let (listed, damaged) =
        (summary.traces.saturating_add(summary.unlisted_traces), u64::from(is_damaged(summary)));
    let counts = |tests: u64, failures: u64, skipped: u64| {
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"")
    };
    let all =
        counts(listed.saturating_add(1), summary.failed.saturating_add(damaged), summary.unlisted_traces);
    let root = head.root.map_or_else(|| "none".to_owned(), |root| proofline_canon::hex(root.as_bytes()));
    let shard = head.shard.map_or_else(|| "none".to_owned(), |shard| shard.to_string());
    let properties = [
        ("ledger_id", head.ledger_id.to_string()),
        ("origin", head.origin.clone().unwrap_or_else(|| "none".to_owned())),
        ("entries", head.entries.to_string()),
        ("root", root),
        ("end", head.end.as_str().to_owned()),
        ("generated_at", head.generated_at.to_string()),
        ("include_rejected", head.include_rejected.to_string()),
        ("proofline", head.proofline.clone()),
        ("policy_engine", head.policy_engine.clone().unwrap_or_else(|| "none".to_owned())),
        ("shard", shard),
    ];
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(text, "<testsuites name=\"{}\" {all}>", escaped(&name));
    let _ = writeln!(
        text,
        "  <testsuite name=\"{} of traces\" {}>",
        escaped(&name),
        counts(listed, summary.failed, summary.unlisted_traces)
    );
    text.push_str("    <properties>\n");
    for (name, value) in properties {
        let _ = writeln!(text, "      <property name=\"{name}\" value=\"{}\"/>", escaped(&value));
    }
    text.push_str("    </properties>\n");
    text
}

fn case(replay: &TraceReplay) -> String {
    let class = format!("proofline.{}", replay.result.replay_type());
    let name = match replay.baseline() {
        Some(baseline) => format!("{baseline} {}", replay.trace_id()),
        None => replay.trace_id().to_string(),
    };
    let mut text = format!("    <testcase classname=\"{class}\" name=\"{name}\"");
    if replay.failure().is_none() && replay.findings().is_empty() {
        text.push_str("/>\n");
        return text;
    }
    text.push_str(">\n");
    if let Some(failure) = replay.failure() {
        let _ = writeln!(
            text,
            "      <failure type=\"{}\" message=\"{}\">{}</failure>",
            failure.class,
            escaped(&failure.message),
            escaped(&facts(replay, failure))
        );
    }
    text.push_str(&output(replay.findings()));
    text.push_str("    </testcase>\n");
    text
}

/// What is known of a failure, a fact a line.
fn facts(replay: &TraceReplay, failure: &Failure) -> String {
    let entry = failure.seq.map(|seq| seq.to_string());
    let facts = [
        ("check", Some(failure.check.to_string())),
        ("class", Some(failure.class.to_string())),
        ("kind", failure.error_kind.as_ref().map(ToString::to_string)),
        ("entry", entry),
        ("record", failure.envelope_hash.map(|hash| hash.to_string())),
        ("record type", failure.record_type.map(|record_type| record_type.to_string())),
        ("at", failure.pointer.as_ref().map(ToString::to_string)),
        ("expected", failure.expected.clone()),
        ("found", failure.found.clone()),
        ("message", Some(failure.message.clone())),
        ("artifact", Some(replay.artifact_sha256.to_string())),
    ];
    let mut text = String::new();
    for (name, fact) in facts.into_iter().filter_map(|(name, fact)| Some((name, fact?))) {
        let _ = writeln!(text, "{name}: {}", fact.replace('\n', "\\n"));
    }
    text
}

fn output(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for finding in findings {
        let seqs: Vec<String> = finding.seqs.iter().map(|seq| format!("#{seq}")).collect();
        let _ = writeln!(
            text,
            "{} ({}): {} {}",
            finding.code,
            finding.severity,
            finding.message.replace('\n', "\\n"),
            seqs.join(" ")
        );
    }
    format!("      <system-out>{}</system-out>\n", escaped(&text))
}

fn skipped(head: &Head, unlisted: &Unlisted) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "    <testcase classname=\"proofline.{}\" name=\"{}\">",
        head.replay_type, unlisted.trace_id
    );
    let _ = writeln!(text, "      <skipped message=\"refused attempts alone: {}\"/>", unlisted.attempts);
    text + &output(&unlisted.findings) + "    </testcase>\n"
}

const fn is_damaged(summary: &Summary) -> bool {
    summary.damage_count > 0
}

fn closing(head: &Head, summary: &Summary) -> String {
    let failures = u64::from(is_damaged(summary));
    let mut text = String::from("  </testsuite>\n");
    let name = format!("proofline {} replay of the log", head.replay_type);
    let _ = writeln!(
        text,
        "  <testsuite name=\"{name}\" tests=\"1\" failures=\"{failures}\" errors=\"0\" skipped=\"0\">"
    );
    text.push_str("    <testcase classname=\"proofline.log\" name=\"integrity\"");
    if is_damaged(summary) {
        let _ = writeln!(
            text,
            ">\n      <failure type=\"DAMAGED\" message=\"places of damage: {}\">{}</failure>\n    </testcase>",
            summary.damage_count,
            escaped(&places(summary))
        );
    } else {
        text.push_str("/>\n");
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn places(summary: &Summary) -> String {
    let line = |damage: &Damage| format!("{damage}\n").replace('\n', " ").trim_end().to_owned() + "\n";
    let mut text: String = summary.damage.iter().take(DAMAGE_SHOWN).map(line).collect();
    let more = summary.damage_count.saturating_sub(summary.damage.len().min(DAMAGE_SHOWN) as u64);
    if more > 0 {
        let _ = writeln!(text, "and {more} more");
    }
    text
}

/// Text for an element or an attribute in double quotes. Characters that XML 1.0 cannot hold (its section 2.2), and
/// those that a terminal would obey or hide, are spelled out, as in `\u{1b}`; ends of lines stay.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\n' => safe.push_str("&#10;"),
            '\t' => safe.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => spell(&mut safe, c),
            c if is_treacherous(c) => spell(&mut safe, c),
            c => safe.push(c),
        }
    }
    safe
}

fn spell(safe: &mut String, c: char) {
    let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
mod tests {
    use proofline_trace::{
        AllowedVariance, Coverage, FailureClass, FindingCode, ReplayDiagnostics, ReplayMode, ReplayResult,
        Timestamp, Verdict,
    };
    use proptest::prelude::*;

    use super::*;

    /// A strict hand: the text must be well-formed for the few things that are written here. Gives the text of
    /// attributes and elements, unescaped.
    fn texts(xml: &str) -> Vec<String> {
        let allowed = |c: char| c == '\n' || c >= '\u{20}' && !matches!(c, '\u{fffe}' | '\u{ffff}');
        assert!(xml.chars().all(allowed), "a character that XML 1.0 does not have");
        let (mut open, mut found, mut rest) = (Vec::new(), Vec::new(), xml);
        while let Some(at) = rest.find('<') {
            found.push(unescaped(&rest[..at]));
            let end = at + rest[at..].find('>').unwrap();
            let tag = &rest[at + 1..end];
            assert!(!tag.contains('<'), "a tag in a tag: {tag}");
            rest = &rest[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name));
                continue;
            }
            let body = tag.strip_suffix('/').unwrap_or(tag);
            let (name, attributes) = body.split_once(' ').unwrap_or((body, ""));
            let parts: Vec<&str> = attributes.split('"').collect();
            assert_eq!(parts.len() % 2, 1, "{tag}");
            for pair in parts.chunks(2).filter(|pair| pair.len() == 2) {
                let name = pair[0].trim_start().strip_suffix('=').unwrap();
                assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
                found.push(unescaped(pair[1]));
            }
            if !tag.ends_with('/') {
                open.push(name.to_owned());
            }
        }
        assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
        found
    }

    fn unescaped(text: &str) -> String {
        let mut parts = text.split('&');
        let mut found = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, rest) = part.split_once(';').unwrap();
            let known = [
                ("amp", "&"),
                ("lt", "<"),
                ("gt", ">"),
                ("quot", "\""),
                ("apos", "'"),
                ("#10", "\n"),
                ("#9", "\t"),
            ];
            found.push_str(known.iter().find(|(known, _)| *known == name).unwrap().1);
            found.push_str(rest);
        }
        found
    }

    fn failed(message: &str) -> TraceReplay {
        let result = ReplayResult {
            mode: ReplayMode::Forensic,
            target_trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap(),
            input_envelope_hashes: Vec::new(),
            verdict: Verdict::Fail(FailureClass::SchemaReject),
            generated_at: Timestamp::EPOCH,
        };
        let mut failure = Failure::new("schema".parse().unwrap(), FailureClass::SchemaReject, message);
        failure.expected = Some(message.to_owned());
        failure.found = Some(message.to_owned());
        let diagnostics = ReplayDiagnostics {
            result_sha256: result.sha256(),
            replay_type: result.replay_type(),
            target_trace_id: result.target_trace_id,
            coverage: Coverage::default(),
            failures: vec![failure],
            findings: vec![Finding::new(FindingCode::LateParent, message)],
            variance: AllowedVariance::default(),
            differences: Vec::new(),
        };
        TraceReplay { artifact_sha256: result.sha256(), result, diagnostics, damage: Vec::new() }
    }

    #[test]
    fn hostile_texts_stay_texts() {
        for hostile in [
            "</failure><testcase name=\"ours\"/>",
            "]]>&amp;&#x0;<!-- -->",
            "\" onload='x' \u{1b}[2J\u{0}\u{7}\u{fffe}\u{ffff}\u{202e}\u{85}",
            "a\r\nb\tc",
        ] {
            let xml = case(&failed(hostile));
            assert_eq!(xml.matches("<testcase").count(), 1);
            let found = texts(&xml);
            assert!(found.iter().any(|text| text.starts_with("check: schema\n")), "{xml}");
        }
        let found = texts(&case(&failed("x<y & \"z\"\n\u{1b}")));
        assert!(found.contains(&"x<y & \"z\"\n\\u{1b}".to_owned()), "{found:?}");
    }

    proptest! {
        #[test]
        fn whatever_evidence_says_is_well_formed(text in "\\PC*|(?s:.{0,40})") {
            let found = texts(&case(&failed(&text)));
            let spelled = |text: &str| {
                let keep = |c: char| !is_treacherous(c) && !matches!(c, '\u{fffe}' | '\u{ffff}');
                text.chars().filter(|c| keep(*c)).count()
            };
            prop_assert!(found.iter().any(|found| found.chars().count() >= spelled(&text)));
        }
    }
}
