//! The shapes of the JSON that programs read, member by member, in the order that docs/cli.md gives.

use crate::run::{AGENT_WORK, Ledger, fed, member_names, program, proofline, ran, vectors};

#[track_caller]
fn assert_shape(line: &str, expected: &str) {
    assert_eq!(member_names(line).join(" "), expected, "{line}");
}

/// The text of a member of a JSON object.
fn member<'a>(line: &'a str, name: &str) -> &'a str {
    let members = proofline::canon::members(line.as_bytes(), &proofline::canon::Limits::CONTENT).unwrap();
    &line[members.get(name).unwrap()]
}

#[test]
fn commit_answers_in_the_shape_of_the_contract() {
    let committed = Ledger::empty().commit(&vectors(AGENT_WORK), &["--format", "json"]);
    for line in committed.stdout.lines() {
        assert_shape(line, "line classification error_kind path message envelope_hash seq duplicate");
    }
}

#[test]
fn replay_has_one_line_a_trace_and_a_summary() {
    let replayed = ran(program().arg("replay").arg(vectors(AGENT_WORK)).args(["--format", "json"]));
    let lines: Vec<&str> = replayed.stdout.lines().collect();
    let (summary, verdicts) = lines.split_last().unwrap();
    for line in verdicts {
        assert_shape(line, "record artifact_sha256 diagnostics findings");
        // The record stands there in its canonical bytes.
        let record = member(line, "record");
        let hashed = fed(["hash", "--raw", "--format", "json"], record).json().remove(0);
        assert_eq!(member(line, "artifact_sha256"), hashed["sha256"].to_string());
    }
    assert_shape(summary, "summary");
    assert_shape(
        member(summary, "summary"),
        "damage damage_count derived_damage end entries entries_checked failed failures findings gate_rechecked \
         generated_at ingest ledger_id passed policy_absent policy_re_decided policy_unusable \
         producer_signatures re_executed records replay_type severities \
         traces unlisted_attempts unlisted_traces verdict verified",
    );
    assert_shape(
        member(member(summary, "summary"), "ingest"),
        "accepted bad blank duplicates lines rejected",
    );
}

#[test]
fn other_verbs_keep_their_shapes() {
    let ledger = Ledger::of(AGENT_WORK);
    let line = |verb: &str, more: &[&str]| {
        let ran = ledger.run(verb, &[more, &["--format", "json"]].concat()).exits(0);
        ran.stdout.lines().next().unwrap().to_owned()
    };
    assert_shape(
        &line("show", &["1"]),
        "seq kind envelope_hash leaf_hash previous_leaf_hash trace_id trace_previous_seq trace_count classification \
         error_kind declared_hash recorded_at_ms file offset body_bytes payloads_gone body",
    );
    assert_shape(
        &line("traces", &[]),
        "trace_id accepted rejected artifacts first_seq last_seq first_time_ms last_time_ms actor",
    );
    let span = line("trace", &["e85a"]);
    assert_shape(&span, "span_id parent_span_id depth records");
    let record = member(&span, "records").trim_matches(['[', ']']).to_owned();
    assert_shape(
        &record,
        "seq envelope_hash record_type classification error_kind start_ms end_ms says payloads_gone",
    );
    let names_of_record = member_names(&record);
    let compared = ledger.run("diff", &["e85a", "da95", "--format", "json"]).exits(1);
    let pair = compared.stdout.lines().find(|line| line.starts_with(r#"{"change":"changed""#)).unwrap();
    assert_shape(pair, "change depth a b differences elsewhere payloads");
    let span = member(pair, "b");
    assert_shape(span, "span_id parent_span_id records");
    assert_shape(member(span, "records").trim_matches(['[', ']']), &names_of_record.join(" "));
    let (first, _) = member(pair, "differences").trim_start_matches('[').split_once("},{\"kind").unwrap();
    let difference = format!("{first}}}");
    assert_shape(&difference, "kind a b");
    assert_shape(member(&difference, "a"), "seq value");
    let summary = compared.stdout.lines().last().unwrap();
    assert_shape(summary, "summary");
    assert_shape(member(summary, "summary"), "a b differ same changed only_a only_b moved differences");
    assert_shape(member(member(summary, "summary"), "a"), "trace_id spans accepted rejected");
    assert_shape(
        &line("stat", &[]),
        "ledger_id origin entries traces kinds record_types classifications first_recorded_at_ms \
         last_recorded_at_ms segments log_bytes head end unpublished_bytes torn_tails archived_segments \
         archived_bytes archived_entries payloads_erased payloads_closed subjects_erased holds_in_force derived \
         damage damage_count hints",
    );
    assert_shape(
        &line("verify", &[]),
        "verdict ledger_id origin entries segments log_bytes head end unpublished_entries archived integrity \
         completeness authenticity erasure damage derived payloads payload_bytes payload_damage \
         payloads_closed",
    );
    assert_shape(
        &line("reindex", &[]),
        "entries indexes recovered_entries torn_tails mark_was_damaged catalogue_entries archived_segments",
    );
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    assert_shape(&line("salvage", &[out.to_str().unwrap()]), "entries evidence unlinked archived blobs gaps");
    let made = ran(program().arg("init").arg(folder.path().join("new")).args(["--format", "json"])).well();
    assert_shape(made.stdout.trim_end(), "ledger_id origin entries head");
    let canon = fed(["canon", "--format", "json"], "1").well().stdout;
    assert_shape(canon.trim_end(), "profile is_canonical sha256 canonical");
    assert_shape(
        fed(["hash", "--format", "json"], "1").well().stdout.trim_end(),
        "sha256 blake3 cid size_bytes",
    );
    let measured =
        proofline(["bench", "--records", "100", "--threads", "2", "--format", "json"]).well().stdout;
    let rate = "seconds records_per_second mb_per_second";
    assert_shape(
        measured.trim_end(),
        "program machine seed records traces canonical_bytes sha256 group_records commit replays verify open_ms \
         disk_bytes page_cache kept_in",
    );
    assert_shape(member(&measured, "machine"), "cpu cores sha_extensions file_system");
    assert_shape(member(&measured, "sha256"), rate);
    assert_shape(member(&measured, "commit"), rate);
    assert_shape(member(&measured, "verify"), rate);
    let (first, _) = member(&measured, "replays").trim_start_matches('[').split_once("},").unwrap();
    assert_shape(&format!("{first}}}"), &format!("replay_type threads {rate}"));
    let imported = proofline(["bench", "otlp", "--spans", "30", "--format", "json"]).well().stdout;
    assert_shape(
        imported.trim_end(),
        "program machine spans traces contents text_bytes capture telemetry_bytes records entries payloads \
         payload_bytes threads made read import replay verify peak_memory_bytes disk_bytes page_cache kept_in",
    );
    assert_shape(member(&imported, "import"), "seconds spans_per_second mb_per_second");
    assert_shape(proofline(["man", "--format", "json"]).well().stdout.trim_end(), "page files");
    assert_shape(
        proofline(["completions", "fish", "--format", "json"]).well().stdout.trim_end(),
        "shell script",
    );
    let error = ledger.run("show", &["999", "--format", "json"]).exits(4).stderr;
    assert_shape(member(error.trim_end(), "error"), "code message place hint");
}
