//! A proof's whole life as a person meets it: made, handed on, checked without the ledger, and refused when anything
//! of it is another.

use std::fs;

use proofline::canon::{base64, unbase64};
use proofline::proof::tree::Frontier;
use proofline::proof::{Checkpoint, KeyRole, LeafHash, Signer};
use serde_json::Value;

use crate::hostile::assert_harmless;
use crate::proven::{ORIGIN, Proven, secret, verify_proof};
use crate::run::{Ran, fed, member_names, program, ran};

const FORMS: [&str; 3] = ["tlog-proof", "cose", "dsse"];

fn code(ran: &Ran) -> String {
    ran.error().0
}

/// The root of the first entries, leaf by leaf.
fn root_of(proven: &Proven, size: u64) -> String {
    let snapshot = proven.snapshot();
    let mut frontier = Frontier::empty();
    for seq in 0..size {
        let entry = snapshot.entry(proofline::ledger::Seq::new(seq)).unwrap().unwrap();
        frontier.push(LeafHash::of_header(&entry.header.encode()));
    }
    frontier.root().to_string()
}

#[test]
fn a_stranger_checks_an_entry_in_every_form_without_the_ledger() {
    let (proven, [_, latest]) = Proven::new();
    let root = root_of(&proven, latest.size);
    for seq in [0, 3, 17, latest.size - 1] {
        let envelope = proven.envelope(seq);
        let shown = proven.ledger.run("show", &[&seq.to_string(), "--format", "json"]).json().remove(0);
        for form in FORMS {
            let proof = proven.proof(form, &[&seq.to_string()]);
            let key = proven.public(form);
            let arguments = [&proof, "--key", &key, "--envelope", &envelope, "--format", "json"];
            let said = verify_proof(&arguments).well().json().remove(0);
            assert_eq!(said["proves"], "inclusion");
            assert_eq!(said["form"], form);
            assert_eq!(said["origin"], ORIGIN);
            assert_eq!(said["index"], seq);
            assert_eq!(said["size"], latest.size);
            assert_eq!(said["root"], root);
            assert_eq!(said["envelope_matches"], true);
            assert_eq!(said["leaf_hash"], shown["leaf_hash"]);
            for name in ["seq", "kind", "envelope_hash", "trace_id", "error_kind", "recorded_at_ms"] {
                assert_eq!(said["entry"][name], shown[name], "{name}");
            }
            let signer = key.rsplit_once('+').unwrap().0;
            assert_eq!(said["signers"], serde_json::json!([signer]));
            assert_eq!(said["bound"], serde_json::json!(["origin", "size", "root", "index", "entry"]));
            assert_eq!(said["unbound"], serde_json::json!([]));
            let issued = if form == "cose" { Value::from(1_769_817_600) } else { Value::Null };
            assert_eq!(said["signed_at_s"], issued);
        }
    }
}

#[test]
fn a_stranger_checks_that_the_log_only_grew_in_every_form() {
    let (proven, [first, latest]) = Proven::new();
    let old_file = proven.kept(first.size);
    let old_file = old_file.to_str().unwrap();
    let (old_root, new_root) = (root_of(&proven, first.size), root_of(&proven, latest.size));
    let policy = proven.file("trust.policy", format!("log {}\nquorum none\n", proven.log.verifier()));
    for form in FORMS {
        for old in [old_file, &first.size.to_string(), "17"] {
            let size = if old == "17" { 17 } else { first.size };
            let proof = proven.proof(form, &["--consistency", old]);
            let tree = format!("{size}:{}", root_of(&proven, size));
            let arguments = [&proof, "--key", &proven.public(form), "--old", &tree, "--format", "json"];
            let said = verify_proof(&arguments).well().json().remove(0);
            assert_eq!(said["proves"], "consistency");
            assert_eq!(said["old_size"], size);
            assert_eq!(said["size"], latest.size);
            assert_eq!(said["root"], new_root);
            let wrong = format!("{size}:{new_root}");
            let refused = verify_proof(&[&proof, "--key", &proven.public(form), "--old", &wrong]).exits(9);
            assert!(refused.stdout.is_empty());
            let shorter = format!("{}:{old_root}", size - 1);
            verify_proof(&[&proof, "--key", &proven.public(form), "--old", &shorter]).exits(9);
        }
        // The older checkpoint itself, believed by the same policy.
        let proof = proven.proof(form, &["--consistency", old_file]);
        let mut arguments = vec![proof.as_str(), "--policy", &policy, "--old", old_file];
        let key = proven.public(form);
        if form != "tlog-proof" {
            arguments.extend(["--key", &key]);
        }
        let shown = verify_proof(&arguments).well().stdout;
        let begin = format!("the proof holds: the first {} entries of the log {ORIGIN}", first.size);
        assert!(shown.starts_with(&begin), "{shown}");
    }
}

/// What a proof without its signature is about: changes that each form must notice, wherever its bytes lie.
#[test]
fn any_changed_character_of_a_proof_is_refused() {
    let (proven, _) = Proven::new();
    for form in FORMS {
        let proof = proven.proof(form, &["17"]);
        let key = proven.public(form);
        let bytes = fs::read(&proof).unwrap();
        for at in (0..bytes.len()).step_by(7).chain([0, bytes.len() - 2]) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let file = proven.file("changed", &changed);
            let refused = verify_proof(&[&file, "--key", &key, "--format", "json"]);
            // The key id of a statement and the ids of labels that nobody knows are hints that nothing covers.
            let hint = form == "dsse" && within(&bytes, "\"keyid\":\"", at);
            if !hint {
                assert!(
                    [4, 9].contains(&refused.code),
                    "{form}, byte {at}: {} {}",
                    refused.code,
                    refused.stdout
                );
                assert_eq!(refused.stdout, "");
            }
        }
        for end in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            let file = proven.file("cut", &bytes[..end]);
            assert!([4, 9].contains(&verify_proof(&[&file, "--key", &key]).code), "{form} cut at {end}");
        }
        let longer = proven.file("longer", [&bytes[..], b"x"].concat());
        assert!([4, 9].contains(&verify_proof(&[&longer, "--key", &key]).code), "{form}");
    }
}

/// True where `at` lies in the string behind `name`, or in the name.
fn within(bytes: &[u8], name: &str, at: usize) -> bool {
    let from = crate::run::find(bytes, name);
    let length = bytes[from + name.len()..].iter().position(|byte| *byte == b'"').unwrap();
    (from..from + name.len() + length + 1).contains(&at)
}

#[test]
fn another_key_role_envelope_header_or_log_is_refused() {
    let (proven, _) = Proven::new();
    let refused = |arguments: &[&str], exit: i32, expected: &str| {
        let ran = verify_proof(&[arguments, &["--format", "json"]].concat()).exits(exit);
        assert_eq!(code(&ran), expected, "{arguments:?}");
        assert_eq!(ran.stdout, "");
    };
    let other_envelope = proven.envelope(18);
    let header =
        |seq| proven.snapshot().entry(proofline::ledger::Seq::new(seq)).unwrap().unwrap().header.encode();
    let (own_header, other_header) =
        (proven.file("17.header", header(17)), proven.file("18.header", header(18)));
    for (form, role, signature) in [
        ("tlog-proof", KeyRole::Log, "checkpoint.no_log"),
        ("cose", KeyRole::Cose, "cose.signature"),
        ("dsse", KeyRole::Dsse, "dsse.threshold"),
    ] {
        let proof = proven.proof(form, &["17"]);
        let key = proven.public(form);
        let stranger = secret(ORIGIN, role, 99).verifier().to_string();
        refused(&[&proof, "--key", &stranger], 9, signature);
        // The right seed under another role is another key, and nothing to check this form with.
        let other_role = if form == "cose" { KeyRole::Dsse } else { KeyRole::Cose };
        let misused = secret(ORIGIN, other_role, 1).verifier().to_string();
        refused(&[&proof, "--key", &misused], 2, "proof.no_trust");
        refused(&[&proof, "--key", &key, "--envelope", &other_envelope], 9, "proof.envelope");
        verify_proof(&[&proof, "--key", &key, "--entry", &own_header]).well();
        let other = match form {
            "tlog-proof" => "proof.root",
            "cose" => "cose.signature",
            _ => "proof.other_entry",
        };
        refused(&[&proof, "--key", &key, "--entry", &other_header], 9, other);
        refused(&[&proof, "--key", &key, "--old", &format!("3:{}", "0".repeat(64))], 4, "proof.kind");
        let grown = proven.proof(form, &["--consistency", "17"]);
        refused(&[&grown, "--key", &key], 4, "proof.kind");
    }
    let other_log = secret("other.example", KeyRole::Log, 1).verifier().to_string();
    refused(&[&proven.proof("tlog-proof", &["17"]), "--key", &other_log], 9, "checkpoint.no_log");
    let receipt = proven.proof("cose", &["17"]);
    refused(&[&receipt, "--key", &proven.public("cose"), "--threshold", "2"], 2, "proof.threshold");
    let statement = proven.proof("dsse", &["17"]);
    refused(&[&statement, "--key", &proven.public("dsse"), "--threshold", "2"], 9, "dsse.threshold");
}

#[test]
fn an_envelope_in_another_spelling_is_told_from_another_envelope() {
    let (proven, _) = Proven::new();
    let proof = proven.proof("tlog-proof", &["17"]);
    let envelope = fs::read_to_string(proven.envelope(17)).unwrap();
    let spaced = proven.file("spaced.json", format!(" {envelope}\n"));
    let key = proven.public("tlog-proof");
    let ran = verify_proof(&[&proof, "--key", &key, "--envelope", &spaced, "--format", "json"]).exits(9);
    assert_eq!(code(&ran), "proof.envelope_spelling");
}

/// A receipt states a size under its signature, and a text has it in the checkpoint: another size that turns the same
/// way (entry 3 of five, of seven) is refused all the same.
#[test]
fn another_size_with_the_same_turns_is_refused() {
    let (proven, _) = Proven::new();
    let proof = proven.proof("cose", &["3", "--at", "5"]);
    let mut bytes = fs::read(&proof).unwrap();
    // [5, 3, [...]] in CBOR.
    let at = bytes.windows(3).position(|window| window == [0x83, 5, 3]).unwrap();
    bytes[at + 1] = 7;
    let changed = proven.file("seven.cose", bytes);
    let ran = verify_proof(&[&changed, "--key", &proven.public("cose"), "--format", "json"]).exits(9);
    assert_eq!(code(&ran), "cose.tree_size");
}

#[test]
fn proofs_are_made_in_past_and_present_trees() {
    let (proven, [first, latest]) = Proven::new();
    // Genesis, three keys, an index entry.
    assert_eq!(first.size, 5);
    let old_file = proven.kept(first.size).to_str().unwrap().to_owned();
    let size_of = |proof: &str, form: &str| {
        let said = verify_proof(&[proof, "--key", &proven.public(form), "--format", "json"]).well().json();
        said[0]["size"].as_u64().unwrap()
    };
    for form in FORMS {
        for (at, expected) in
            [(old_file.as_str(), first.size), ("5", 5), (&latest.size.to_string(), latest.size)]
        {
            assert_eq!(size_of(&proven.proof(form, &["2", "--at", at]), form), expected);
        }
        assert_eq!(size_of(&proven.proof(form, &["2"]), form), latest.size, "the latest that is kept");
    }
    // Receipts and statements are signed for trees that no checkpoint states.
    for form in ["cose", "dsse"] {
        assert_eq!(size_of(&proven.proof(form, &["2", "--at", "100"]), form), 100);
    }
    let refused = |more: &[&str], expected: &str| {
        let ran = proven.prove(&[more, &["--format", "json"]].concat()).exits(4);
        assert_eq!(code(&ran), expected, "{more:?}");
    };
    refused(&["2", "--at", "100"], "prove.no_checkpoint");
    refused(&["17", "--at", &old_file], "prove.not_covered");
    refused(&["17", "--at", &first.size.to_string()], "prove.not_covered");
    refused(&["5", "--at", "5"], "prove.not_covered");
    refused(&["99999"], "ledger.no_such_entry");
    refused(&[&"0".repeat(64)], "ledger.no_such_hash");
    refused(&["--consistency", &latest.size.to_string(), "--at", &first.size.to_string()], "proof.sizes");
    refused(&["--consistency", "0"], "proof.sizes");
    refused(&["--consistency", "99999"], "tree.past_end");
    // Entries behind the last checkpoint: receipts and statements go to the end of the log.
    proven.retire(&proven.dsse);
    let last = latest.size.to_string();
    refused(&[&last], "prove.not_covered");
    assert_eq!(size_of(&proven.proof("cose", &[&last]), "cose"), latest.size + 1);
}

#[test]
fn a_ledger_without_checkpoints_still_gives_receipts_and_statements() {
    let (proven, [first, latest]) = Proven::new();
    for size in [first.size, latest.size] {
        fs::remove_file(proven.kept(size)).unwrap();
    }
    let ran = proven.prove(&["17", "--format", "json"]).exits(4);
    assert_eq!(code(&ran), "prove.no_checkpoint");
    for form in ["cose", "dsse"] {
        let proof = proven.proof(form, &["17"]);
        verify_proof(&[&proof, "--key", &proven.public(form)]).well();
    }
}

#[test]
fn a_hash_names_its_entry_and_one_of_several_entries_names_none() {
    let (proven, _) = Proven::new();
    let of = |seq: u64| {
        let shown = proven.ledger.run("show", &[&seq.to_string(), "--format", "json"]).json();
        shown[0]["envelope_hash"].as_str().unwrap().to_owned()
    };
    let proof = proven.proof("tlog-proof", &[&of(17)]);
    let said =
        verify_proof(&[&proof, "--key", &proven.public("tlog-proof"), "--format", "json"]).well().json();
    assert_eq!(said[0]["index"], 17);
    let all: Vec<String> = (4..proven.snapshot().entries()).map(of).collect();
    let twice = all.iter().find(|hash| all.iter().filter(|other| other == hash).count() > 1).unwrap();
    let ran = proven.prove(&[twice, "--format", "json"]).exits(4);
    assert_eq!(code(&ran), "prove.several_entries");
    for (at, _) in all.iter().enumerate().filter(|(_, hash)| *hash == twice) {
        assert!(ran.stderr.contains(&format!("{} (", at + 4)), "{}", ran.stderr);
    }
}

#[test]
fn checkpoints_of_others_and_of_another_history_are_refused() {
    let (proven, [_, latest]) = Proven::new();
    let root = proofline::proof::NodeHash::from_bytes([7; 32]);
    let signed = |origin: &str, size: u64, seed: u8| {
        let key = secret(origin, KeyRole::Log, seed);
        let note = Checkpoint::new(origin, size, root).unwrap().sign(&[&key]).unwrap();
        proven.file(&format!("{origin}-{seed}-{size}.checkpoint").replace('/', "-"), note.to_bytes())
    };
    let cases = [
        (signed("other.example", latest.size, 1), 9, "checkpoint.no_log"),
        (signed(ORIGIN, latest.size, 9), 9, "checkpoint.no_log"),
        (signed(ORIGIN, latest.size, 1), 8, "prove.fork"),
        (signed(ORIGIN, latest.size + 5, 1), 8, "prove.truncated"),
        (proven.file("none", "no note"), 4, "note.form"),
        (proven.path("absent"), 4, "input.unreadable"),
    ];
    for (file, exit, expected) in cases {
        for more in [&["17", "--at", file.as_str()][..], &["--consistency", file.as_str()]] {
            let ran = proven.prove(&[more, &["--format", "json"]].concat()).exits(exit);
            let (found, place, _) = ran.error();
            let is_note = expected == "note.form" && found.starts_with("note.");
            assert!(found == expected || is_note, "{found} {more:?}");
            assert!(place.unwrap().contains(&file));
        }
    }
    // A kept checkpoint that was changed is believed no more than a given one.
    let kept = proven.kept(latest.size);
    let text = fs::read_to_string(&kept).unwrap();
    fs::write(&kept, text.replacen(&format!("\n{}\n", latest.size), &format!("\n{}\n", latest.size - 1), 1))
        .unwrap();
    assert_eq!(code(&proven.prove(&["17", "--format", "json"]).exits(9)), "checkpoint.signature");
}

#[test]
fn keys_are_asked_for_where_they_belong_and_kept_from_others() {
    use std::os::unix::fs::PermissionsExt;
    let (proven, _) = Proven::new();
    let refused = |more: &[&str], exit: i32, expected: &str| {
        let ran = proven.prove(&[&["17", "--format", "json"], more].concat()).exits(exit);
        assert_eq!(code(&ran), expected, "{more:?}");
        assert_eq!(ran.stdout, "");
    };
    let cose = proven.key_file("c.key", &proven.cose);
    let dsse = proven.key_file("d.key", &proven.dsse);
    refused(&["--format", "cose"], 2, "cli.usage");
    refused(&["--key", &cose], 2, "cli.usage");
    refused(&["--format", "cose", "--format", "dsse", "--key", &cose], 2, "cli.usage");
    refused(&["--format", "dsse", "--key", &cose], 9, "sign.role");
    refused(&["--format", "cose", "--key", &dsse], 9, "sign.role");
    let public = proven.file("p.key", proven.public("cose"));
    fs::set_permissions(&public, fs::Permissions::from_mode(0o600)).unwrap();
    refused(&["--format", "cose", "--key", &public], 4, "key.kind");
    refused(&["--format", "cose", "--key", &proven.path("absent")], 4, "input.unreadable");
    for mode in [0o640, 0o604, 0o644] {
        fs::set_permissions(&cose, fs::Permissions::from_mode(mode)).unwrap();
        refused(&["--format", "cose", "--key", &cose], 4, "key.permissions");
    }
    let secret_text = proven.dsse.to_secret_text();
    let ran = verify_proof(&["-", "--key", &secret_text, "--format", "json"]).exits(4);
    assert_eq!(code(&ran), "key.kind");
    assert!(!ran.stderr.contains(secret_text.rsplit_once('+').unwrap().1), "a secret is not repeated");
    // A key that the ledger does not list signs, and that is said; a retired one does not.
    let own = proven.key_file("own.key", &secret("auditor.example", KeyRole::Dsse, 8));
    let ran = proven.prove(&["17", "--format", "dsse", "--key", &own]).exits(0);
    assert!(ran.stderr.starts_with("note[prove.unlisted_key]: the ledger does not list auditor.example+"));
    proven.retire(&proven.dsse);
    refused(&["--format", "dsse", "--key", &dsse], 9, "prove.retired_key");
}

#[test]
fn proofs_go_through_pipes_and_into_files_alike() {
    let (proven, _) = Proven::new();
    for form in FORMS {
        let file = fs::read(proven.proof(form, &["17"])).unwrap();
        let key = proven.path(&format!("{form}.key"));
        let mut arguments = vec!["17", "--format", form, "--clock", crate::run::CLOCK];
        if form != "tlog-proof" {
            arguments.extend(["--key", &key]);
        }
        let output = program().arg("prove").arg(&proven.ledger.dir).args(&arguments).output().unwrap();
        assert_eq!(output.stdout, file, "{form}");
        assert!(output.stderr.is_empty());
        let checked = fed(["verify-proof", "-", "--key", &proven.public(form)], file.clone()).well();
        assert!(checked.stdout.starts_with("the proof holds: entry 17 is in the log ledger.example/test"));
        // A report for programs holds the proof.
        arguments.extend(["--format", "json"]);
        let report = ran(program().arg("prove").arg(&proven.ledger.dir).args(&arguments)).well().json();
        assert_eq!(unbase64(report[0]["proof_base64"].as_str().unwrap()).unwrap(), file);
        assert_eq!(report[0]["proof_base64"], base64(&file));
        assert_eq!(report[0]["proof_bytes"], file.len());
        assert_eq!(report[0]["file"], Value::Null);
    }
}

/// `script` gives the program a terminal.
#[test]
fn a_receipt_is_not_sent_to_a_terminal() {
    let (proven, _) = Proven::new();
    let key = proven.key_file("t.key", &proven.cose);
    let program_path = env!("CARGO_BIN_EXE_proofline");
    let dir = proven.ledger.dir.to_str().unwrap();
    for (more, expected) in [
        (format!("--format cose --key {key}"), "error[cli.usage]"),
        (format!("--format cose --key {key} --out /dev/tty"), "error[cli.usage]"),
        (String::new(), "c2sp.org/tlog-proof@v1"),
    ] {
        let line = format!("{program_path} prove {dir} 17 {more}");
        let output = std::process::Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env("NO_COLOR", "1")
            .stdin(std::process::Stdio::null())
            .output();
        let Ok(output) = output else { return }; // a system without `script`
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(expected), "{text}");
        assert_harmless(&text.replace('\r', ""));
    }
}

#[test]
fn hostile_names_are_shown_and_not_obeyed() {
    let (proven, [_, latest]) = Proven::new();
    // A line of an unknown key in a checkpoint may have any name; so may files and keys.
    let kept = proven.kept(latest.size);
    let mut note = fs::read(&kept).unwrap();
    note.extend_from_slice("— \u{202e}gpj.\u{200b}exe AAAAAAAA\n".as_bytes());
    let at = proven.file("\u{1b}[2J\u{202e}.checkpoint", note);
    let out = proven.path("\u{1b}]0;x\u{7}\u{202e}.proof");
    let hostile_key = secret("\u{202e}log.example", KeyRole::Cose, 5);
    for format in ["text", "json"] {
        let ran = proven.prove(&["17", "--at", &at, "--out", &out, "--format", format]).well();
        assert_harmless(&ran.stdout);
        let absent = proven.path("\u{1b}[31m");
        for arguments in [
            &[out.as_str(), "--key", &proven.public("tlog-proof"), "--format", format][..],
            &[&at, "--key", &proven.public("tlog-proof"), "--format", format],
            &[&absent, "--key", &proven.public("tlog-proof"), "--format", format],
            &[&out, "--key", "\u{1b}[31m+\u{202e}+x", "--format", format],
            &[&out, "--key", &proven.public("tlog-proof"), "--old", "3:\u{1b}", "--format", format],
        ] {
            let ran = verify_proof(arguments);
            assert_harmless(&ran.stdout);
            assert_harmless(&ran.stderr);
        }
        let key = proven.key_file("h.key", &hostile_key);
        let receipt = proven.path("h.cose");
        let mut ran = proven
            .prove(&["17", "--format", "cose", "--key", &key, "--out", &receipt, "--format", format])
            .exits(0);
        assert_harmless(&ran.stdout);
        assert_harmless(&ran.stderr);
        ran = verify_proof(&[&receipt, "--key", &hostile_key.verifier().to_string(), "--format", format])
            .well();
        assert_harmless(&ran.stdout);
    }
}

#[test]
fn shapes() {
    let (proven, [first, _]) = Proven::new();
    let shape = "proves form origin size root index leaf_hash entry envelope_matches old_size old_root signers \
                 witnesses signed_at_s bound unbound";
    let proof = proven.proof("tlog-proof", &["17"]);
    let line =
        verify_proof(&[&proof, "--key", &proven.public("tlog-proof"), "--format", "json"]).well().stdout;
    assert_eq!(member_names(line.trim_end()).join(" "), shape);
    let out = proven.path("out");
    let line = proven.prove(&["17", "--out", &out, "--format", "json"]).well().stdout;
    assert_eq!(member_names(line.trim_end()).join(" "), format!("{shape} file proof_bytes proof_base64"));
    let json: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        member_names(&json["entry"].to_string()).len(),
        "seq kind envelope_hash trace_id classification error_kind recorded_at_ms".split(' ').count()
    );
    assert_eq!(json["file"], out.as_str());
    let old = first.size.to_string();
    let line = proven.prove(&["--consistency", &old, "--format", "json"]).well().stdout;
    assert_eq!(member_names(line.trim_end()).join(" "), format!("{shape} file proof_bytes proof_base64"));
}

#[test]
fn witnesses_are_named_and_a_quorum_is_asked_for() {
    let (proven, [_, latest]) = Proven::new();
    let witness = secret("witness.example/w1", KeyRole::Witness, 11);
    let post_quantum = secret("witness.example/w2", KeyRole::WitnessMlDsa44, 12);
    let own = proofline::proof::Policy::of_keys(vec![proven.log.verifier().clone()]).unwrap();
    let mut note = latest.note.clone();
    for key in [&witness, &post_quantum] {
        note = own.verify(&note).unwrap().cosign(key, 1_769_817_600).unwrap().to_bytes();
    }
    let plain = proven.proof("tlog-proof", &["17"]);
    let cosigned = proven.file("cosigned", &note);
    let proof = proven.proof("tlog-proof", &["17", "--at", &cosigned]);
    let policy = |rules: &str| {
        let text = format!(
            "log {}\nwitness w1 {}\nwitness w2 {}\n{rules}\n",
            proven.log.verifier(),
            witness.verifier(),
            post_quantum.verifier()
        );
        proven.file("q.policy", text)
    };
    let both = policy("group both all w1 w2\nquorum both");
    let said = verify_proof(&[&proof, "--policy", &both, "--format", "json"]).well().json().remove(0);
    let names = [&witness, &post_quantum].map(|key| key.verifier().short_name());
    assert_eq!(said["witnesses"], serde_json::json!(names));
    let ran = verify_proof(&[&plain, "--policy", &both, "--format", "json"]).exits(9);
    assert_eq!(code(&ran), "checkpoint.quorum");
    // The witness that is asked for signed nothing; another's line is no stand-in.
    let stranger = secret("witness.example/w3", KeyRole::Witness, 13);
    let rules = format!("log {}\nwitness w3 {}\nquorum w3\n", proven.log.verifier(), stranger.verifier());
    let third = proven.file("third.policy", rules);
    let ran = verify_proof(&[&proof, "--policy", &third, "--format", "json"]).exits(9);
    assert_eq!(code(&ran), "checkpoint.quorum");
    let ran = verify_proof(&[&proof, "--policy", &both, "--key", &proven.public("tlog-proof")]).exits(2);
    assert!(ran.stderr.contains("cli.usage"));
    let bad = proven.file("bad.policy", "log nonsense\n");
    assert_eq!(verify_proof(&[&proof, "--policy", &bad]).code, 4);
}

/// Whoever checks a proof stands on `proofline::proof` alone: the code that decides names no other floor than that.
#[test]
fn the_path_that_verifies_imports_no_ledger() {
    let source =
        |name: &str| fs::read_to_string(format!("{}/src/cli/{name}.rs", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let uses = |text: &str| {
        text.lines().filter(|line| line.starts_with("use ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let check = source("proof_check");
    assert!(uses(&check).iter().all(|line| line.starts_with("use proofline::proof::")), "{:?}", uses(&check));
    assert!(!uses(&check).is_empty());
    for name in ["proof_check", "verify_proof", "proof_view"] {
        let text = source(name);
        assert!(!text.contains("proofline::ledger") && !text.contains("Snapshot"), "{name}");
    }
    let manifest = fs::read_to_string(format!("{}/proof/Cargo.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert!(!manifest.contains("proofline-ledger") && manifest.contains("proofline-canon"));
}
