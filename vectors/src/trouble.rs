//! Evidence files with one kind of trouble each, good lines around it: a bad line never stops the rest.
//! What each line must lead to is not said here; the Python reference computes it.

use proofline_canon::Limits;
use proofline_trace::{RecordType, SealedEnvelope, read_envelope};

use crate::evidence::Generator;
use crate::line::spelled;
use crate::plan::EvidencePlan;
use crate::random::SplitMix64;

/// Each file's name and bytes.
pub(crate) fn trouble() -> Vec<(&'static str, Vec<u8>)> {
    let cast = Cast::new();
    [text_trouble(&cast), line_trouble(&cast), schema_trouble(&cast), gate_trouble(&cast), benign(&cast)]
        .concat()
}

/// Records to spoil: one trace with a call, and the head of another.
struct Cast {
    context: SealedEnvelope,
    decision: SealedEnvelope,
    call: SealedEnvelope,
    other_context: SealedEnvelope,
    other_decision: SealedEnvelope,
}

impl Cast {
    fn new() -> Self {
        let plan =
            EvidencePlan { joined_per_mille: 0, retried_per_mille: 0, ..EvidencePlan::clean(0x7E0, 2) };
        let all: Vec<SealedEnvelope> = Generator::new(&plan).map(|submission| submission.sealed).collect();
        let contexts: Vec<_> = of_type(&all, RecordType::AuthContext);
        let first = nth(&contexts, 0);
        let second = nth(&contexts, 1);
        let below = |context: &SealedEnvelope, kinds: &[RecordType]| {
            let mine: Vec<_> = all
                .iter()
                .filter(|one| one.envelope().auth_context_hash() == Some(context.hash()))
                .filter(|one| kinds.contains(&one.envelope().record_type()))
                .cloned()
                .collect();
            nth(&mine, 0)
        };
        let calls = [RecordType::ModelCall, RecordType::ToolCall];
        Self {
            decision: below(&first, &[RecordType::PolicyDecision]),
            call: below(&first, &calls),
            other_decision: below(&second, &[RecordType::PolicyDecision]),
            context: first,
            other_context: second,
        }
    }
}

fn of_type(all: &[SealedEnvelope], wanted: RecordType) -> Vec<SealedEnvelope> {
    all.iter().filter(|one| one.envelope().record_type() == wanted).cloned().collect()
}

#[expect(clippy::expect_used, reason = "every trace of the plan has a context, a decision and a call")]
fn nth(all: &[SealedEnvelope], place: usize) -> SealedEnvelope {
    all.get(place).cloned().expect("a whole trace")
}

fn text(sealed: &SealedEnvelope) -> String {
    String::from_utf8_lossy(sealed.canonical()).into_owned()
}

/// The record with a piece of its canonical text replaced; it stays valid.
#[expect(clippy::expect_used, reason = "edits keep the record valid; the drift test makes them all")]
fn edited(sealed: &SealedEnvelope, from: &str, to: &str) -> SealedEnvelope {
    let changed = replaced(&text(sealed), from, to);
    read_envelope(changed.as_bytes(), &Limits::ENVELOPE).expect("still a valid record")
}

/// The text with the first `from` replaced, which must be there.
fn replaced(whole: &str, from: &str, to: &str) -> String {
    assert!(whole.contains(from), "nothing to replace: {from}");
    whole.replacen(from, to, 1)
}

fn wrapped(sealed: &SealedEnvelope) -> String {
    wrapper(sealed, &format!(r#""{}""#, sealed.hash()), &text(sealed))
}

fn wrapper(sealed: &SealedEnvelope, declared: &str, envelope: &str) -> String {
    let record_type = sealed.envelope().record_type();
    format!(r#"{{"record_type":"{record_type}","declared_hash":{declared},"envelope":{envelope}}}"#)
}

/// Lines with a newline after each.
fn lines(all: &[String]) -> Vec<u8> {
    all.iter().flat_map(|line| line.bytes().chain(*b"\n")).collect()
}

type Files = Vec<(&'static str, Vec<u8>)>;

/// Bytes that are no text, or not this text.
fn text_trouble(cast: &Cast) -> Files {
    let good = wrapped(&cast.context);
    let good_bytes = lines(std::slice::from_ref(&good));
    let latin = lines(&[text(&cast.decision)]).into_iter().map(|byte| if byte == b'y' { 0xfd } else { byte });
    let utf16 = format!("{}\n", text(&cast.decision));
    let utf16 = utf16.encode_utf16().flat_map(u16::to_le_bytes);
    let mut random = SplitMix64::new(0xB1AA);
    let binary = std::iter::repeat_with(|| random.bytes::<64>()).take(64).flatten();
    vec![
        ("bom.jsonl", [b"\xef\xbb\xbf".to_vec(), lines(&[good.clone(), wrapped(&cast.decision)])].concat()),
        ("invalid-utf8.jsonl", [good_bytes.clone(), latin.collect()].concat()),
        ("utf16.jsonl", [vec![0xff, 0xfe], utf16.collect()].concat()),
        ("binary.jsonl", [good_bytes.clone(), binary.collect(), b"\n".to_vec(), good_bytes].concat()),
        ("empty.jsonl", Vec::new()),
    ]
}

/// Lines that are not one strict JSON value, or not one record.
fn line_trouble(cast: &Cast) -> Files {
    let (context, decision, call) = (text(&cast.context), text(&cast.decision), text(&cast.call));
    let again = replaced(&decision, r#""ts_ms":"#, r#""ts_ms":0,"ts_ms":"#);
    let escaped = replaced(&decision, r#""ts_ms":"#, r#""ts_ms":0,"\u0074s_ms":"#);
    let inside = replaced(&decision, r#""result":"#, r#""result":"deny","result":"#);
    let hash = format!(r#""{}""#, cast.decision.hash());
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let nested = |levels| {
        replaced(&decision, r#""reason_codes":{"#, &format!(r#""reason_codes":{{"a":{},"#, deep(levels)))
    };
    let cut = |whole: &str| whole.split_at(whole.len() / 2).0.to_owned();
    let long = replaced(&context, r#""issuer":""#, &format!(r#""issuer":"{}"#, "x".repeat(1 << 20)));
    let surrogate = replaced(&decision, r#""policy_id":""#, r#""policy_id":"\ud83d"#);
    vec![
        (
            "duplicate-member.jsonl",
            lines(&[
                context.clone(),
                again.clone(),
                escaped,
                inside,
                wrapper(&cast.decision, &hash, &again),
                decision.clone(),
            ]),
        ),
        (
            "truncated-line.jsonl",
            [lines(&[context.clone(), cut(&decision), decision.clone()]), cut(&call).into_bytes()].concat(),
        ),
        (
            "too-deep.jsonl",
            lines(&[
                context.clone(),
                nested(62),
                nested(61),
                wrapper(&cast.decision, &hash, &nested(62)),
                wrapper(&cast.decision, &hash, &nested(61)),
                deep(20_000),
                "[".repeat(20_000),
                decision.clone(),
            ]),
        ),
        (
            "lone-surrogate.jsonl",
            lines(&[context.clone(), surrogate.clone(), wrapper(&cast.decision, &hash, &surrogate)]),
        ),
        (
            "two-on-a-line.jsonl",
            lines(&[format!("{context}{decision}"), format!("{context},"), format!("[{context}]")]),
        ),
        ("over-long-line.jsonl", lines(&[context.clone(), long, decision.clone()])),
        (
            "not-an-envelope.jsonl",
            lines(
                &[
                    "[]",
                    "null",
                    "42",
                    "\"auth_context\"",
                    "{}",
                    "true",
                    "2026-03-02 08:00:01 INFO started",
                    "{",
                    "}",
                ]
                .map(str::to_owned),
            ),
        ),
        (
            "wrapper.jsonl",
            lines(&[
                format!(r#"{{"declared_hash":{hash},"envelope":{context}}}"#),
                format!(r#"{{"record_type":"auth_context","declared_hash":{hash}}}"#),
                format!(
                    r#"{{"record_type":"auth_context","declared_hash":"{}","envelope":{context},"sent_by":"x"}}"#,
                    cast.context.hash()
                ),
                format!(
                    r#"{{"record_type":"session","declared_hash":"{}","envelope":{context}}}"#,
                    cast.context.hash()
                ),
                format!(
                    r#"{{"record_type":"tool_call","declared_hash":"{}","envelope":{context}}}"#,
                    cast.context.hash()
                ),
                format!(
                    r#"{{"record_type":7,"declared_hash":"{}","envelope":{context}}}"#,
                    cast.context.hash()
                ),
                wrapper(&cast.context, &format!(r#""{}""#, cast.context.hash()), "null"),
                wrapped(&cast.context),
            ]),
        ),
    ]
}

/// JSON that no schema allows.
fn schema_trouble(cast: &Cast) -> Files {
    let (context, decision, call) = (text(&cast.context), text(&cast.decision), text(&cast.call));
    let started = format!(r#""started_at_ms":{}"#, cast.call.envelope().time_ms());
    let started_as = |spelling: &str| replaced(&call, &started, &format!(r#""started_at_ms":{spelling}"#));
    let trace_id = format!(r#","trace_id":"{}""#, cast.decision.envelope().trace_id());
    vec![
        (
            "unknown-record-type.jsonl",
            lines(&[
                replaced(&context, "auth_context", "session"),
                replaced(&context, "auth_context", "AUTH_CONTEXT"),
                replaced(&context, r#""auth_context""#, "null"),
                replaced(&context, r#""record_type":"auth_context","#, ""),
                wrapper(&cast.context, "null", &replaced(&context, "auth_context", "session")),
                context.clone(),
            ]),
        ),
        (
            "unknown-member.jsonl",
            lines(&[
                context.clone(),
                replaced(
                    &decision,
                    r#"{"auth_context"#,
                    r#"{"approved_by":"people/mara.olsen","auth_context"#,
                ),
                replaced(&decision, r#""action":"#, r#""Action":"x","action":"#),
                replaced(&decision, r#""trace_id":"#, r#""flags":1,"trace_id":"#),
                decision.clone(),
            ]),
        ),
        (
            "wrong-types.jsonl",
            lines(&[
                context.clone(),
                decision.clone(),
                started_as("\"1772438400000\""),
                started_as("1772438400000.0"),
                started_as("1.7724384e12"),
                started_as("-0"),
                started_as("-1"),
                started_as("9007199254740992"),
                started_as("9007199254740993"),
                started_as("null"),
                call.clone(),
            ]),
        ),
        (
            "missing-trace-id.jsonl",
            lines(&[
                context.clone(),
                replaced(&decision, &trace_id, ""),
                replaced(&decision, &trace_id, &format!(r#","trace_id":"{}""#, "0".repeat(32))),
                replaced(&decision, &trace_id, &trace_id.to_uppercase().replace("TRACE_ID", "trace_id")),
                decision,
            ]),
        ),
    ]
}

/// Records that are fine by themselves and that the gate refuses.
fn gate_trouble(cast: &Cast) -> Files {
    let (context, decision, call) = (&cast.context, &cast.decision, &cast.call);
    let (auth, policy) = (context.hash().to_string(), decision.hash().to_string());
    let other_auth = cast.other_context.hash().to_string();
    let trace = context.envelope().trace_id().to_string();
    let other_trace = cast.other_context.envelope().trace_id().to_string();
    let declared = |value: String| wrapper(context, &value, &text(context));
    let quoted = |value: &str| format!("\"{value}\"");

    let guest = edited(context, r#""actor_id":""#, r#""actor_id":"guests/"#);
    let spliced = edited(
        call,
        &format!(r#""auth_context_envelope_sha256":"{auth}""#),
        &format!(r#""auth_context_envelope_sha256":"{}""#, guest.hash()),
    );
    let denial = edited(decision, r#""result":"allow""#, r#""result":"deny""#);
    let denied = edited(call, &policy, &denial.hash().to_string());
    let stale = edited(
        decision,
        &auth,
        &edited(context, r#""actor_id":""#, r#""actor_id":"old/"#).hash().to_string(),
    );
    let moved = edited(decision, &trace, &other_trace);
    let foreign = edited(
        call,
        &format!(r#""auth_context_envelope_sha256":"{auth}""#),
        &format!(r#""auth_context_envelope_sha256":"{other_auth}""#),
    );
    vec![
        (
            "wrong-declared-hash.jsonl",
            lines(&[
                declared(quoted(&"0".repeat(64))),
                declared(quoted(&auth.to_uppercase())),
                declared(quoted(&format!("sha256:{auth}"))),
                declared(quoted(&auth.repeat(4))),
                declared("null".to_owned()),
                declared("12".to_owned()),
                format!(r#"{{"record_type":"auth_context","envelope":{}}}"#, text(context)),
                wrapped(context),
            ]),
        ),
        (
            "missing-prerequisite.jsonl",
            lines(&[
                wrapped(call),
                wrapped(decision),
                wrapped(context),
                wrapped(call),
                wrapped(&stale),
                wrapped(decision),
                wrapped(call),
            ]),
        ),
        (
            "wrong-prerequisite-type.jsonl",
            lines(&[
                wrapped(context),
                wrapped(decision),
                wrapped(&edited(call, &policy, &auth)),
                wrapped(&edited(decision, &auth, &policy)),
                wrapped(&edited(call, &auth, &policy)),
                wrapped(call),
            ]),
        ),
        (
            "other-trace.jsonl",
            lines(&[
                wrapped(context),
                wrapped(&cast.other_context),
                wrapped(&moved),
                wrapped(decision),
                wrapped(&cast.other_decision),
                wrapped(&edited(call, &trace, &other_trace)),
                wrapped(&foreign),
                wrapped(call),
            ]),
        ),
        (
            "spliced-authority.jsonl",
            lines(&[wrapped(context), wrapped(&guest), wrapped(decision), wrapped(&spliced), wrapped(call)]),
        ),
        (
            "denied-call.jsonl",
            lines(&[
                wrapped(context),
                wrapped(&denial),
                wrapped(&denied),
                wrapped(&denied),
                wrapped(decision),
                wrapped(call),
            ]),
        ),
    ]
}

/// What looks like trouble and is none.
fn benign(cast: &Cast) -> Files {
    let all = [&cast.context, &cast.decision, &cast.call].map(wrapped);
    let schema_order = spelled(&cast.context.envelope().to_value(), "  ");
    let hostile = edited(
        &cast.context,
        r#""issuer":""#,
        "\"issuer\":\"\\u001b[2J\\u001b]0;owned\\u0007\u{202e}gpj.exe\u{2066}\u{200b}\\r\\n<script>alert(1)</script> ",
    );
    vec![
        ("crlf.jsonl", all.iter().flat_map(|line| line.bytes().chain(*b"\r\n")).collect()),
        ("blank-lines.jsonl", format!("\n  \n{}\n\t\r\n\n{}\n{}\n\n", all[0], all[1], all[2]).into_bytes()),
        ("no-last-newline.jsonl", all.join("\n").into_bytes()),
        (
            "repeated-line.jsonl",
            lines(&[
                all[0].clone(),
                all[0].clone(),
                text(&cast.context),
                schema_order,
                all[1].clone(),
                all[0].clone(),
            ]),
        ),
        ("hostile-text.jsonl", lines(&[wrapped(&hostile), text(&hostile)])),
    ]
}
