//! One call for every dialect: what holds is told in one shape, with what was bound; what was changed
//! or is missing is refused.

use std::num::NonZeroUsize;

use proofline_canon::{Sha256Digest, base64, hex};
use proofline_proof::files::cose::{ENTRY_HEADER_LABEL, Receipt, ReceiptClaims, ReceiptProof};
use proofline_proof::files::dsse::DsseEnvelope;
use proofline_proof::files::statement::{
    ConsistencyStatement, InclusionStatement, STATEMENT_PAYLOAD_TYPE, Statement,
};
use proofline_proof::files::{
    ConsistencyFile, Dialect, Fact, Given, OldTree, ProofFile, TlogProof, Trust, VerifiedInclusion,
};
use proofline_proof::header::{EntryHeader, EntryStatus};
use proofline_proof::{
    Checkpoint, KeyRole, LeafHash, NodeHash, Note, Policy, SecretKey, Seq, Signer, VerifierKey,
};
use proofline_trace::EnvelopeHash;
use proptest::prelude::*;

use crate::common::{SEEDS, h01, h2, h3, h4, key, leaf3, path3to5, root3, root5};
use crate::text::example;

const ORIGIN: &str = "log.example/demo";
const ENVELOPE: &[u8] = br#"{"a":1,"b":"hello","c":true}"#;

/// The policy of the worked example.
fn policy() -> Policy {
    Policy::parse(
        b"log log.example/demo+6bd2f923+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea\n\
        witness w1 witness.example/w1+04d2d833+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM\n\
        quorum w1\n",
    )
    .unwrap()
}

#[test]
fn the_worked_example_holds_for_its_entry() {
    let proof = ProofFile::parse(&example()).unwrap();
    assert_eq!(proof.dialect(), Dialect::Tlog);
    let policy = policy();
    let given = Given { entry: Some(b"3"), envelope: None };
    let held = proof.verify_inclusion(&Trust::policy(&policy), &given).unwrap();
    assert_eq!((held.index, held.size, held.root, held.leaf), (3, 5, root5(), leaf3()));
    assert_eq!((held.header, held.envelope_matches), (None, false), "the entry is of no ledger of ours");
    assert_eq!(held.backing.origin.as_deref(), Some(ORIGIN));
    assert_eq!(held.backing.signers, ["log.example/demo+6bd2f923"]);
    assert_eq!(held.backing.witnesses, ["witness.example/w1+04d2d833"]);
    assert_eq!(held.backing.bound, [Fact::Origin, Fact::Size, Fact::Root, Fact::Index, Fact::Entry]);
    assert_eq!(held.backing.unbound, []);

    let code = |given: Given<'_>| proof.verify_inclusion(&Trust::policy(&policy), &given).unwrap_err().code();
    assert_eq!(code(Given { entry: Some(b"4"), envelope: None }), "proof.root");
    assert_eq!(code(Given::default()), "proof.no_entry");
    assert_eq!(code(Given { entry: Some(b"3"), envelope: Some(b"{}") }), "proof.no_header");
    let given = Given { entry: Some(b"3"), envelope: None };
    assert_eq!(proof.verify_inclusion(&Trust::keys(&[]), &given).unwrap_err().code(), "proof.no_trust");
    let old = OldTree::new(3, root3());
    assert_eq!(proof.verify_consistency(&Trust::policy(&policy), &old).unwrap_err().code(), "proof.kind");
}

/// Refusals of C2SP tlog-proof that need the checkpoint.
#[test]
fn the_worked_example_changed_is_refused() {
    let policy = policy();
    let text = String::from_utf8(example()).unwrap();
    let lines: Vec<&str> = text.lines().skip(2).take(3).collect();
    let [first, second, third] = lines[..] else { panic!("three hashes") };
    let code = |text: String| {
        let given = Given { entry: Some(b"3"), envelope: None };
        let held = ProofFile::parse(text.as_bytes())
            .and_then(|proof| proof.verify_inclusion(&Trust::policy(&policy), &given));
        held.map_or_else(|error| error.code(), |_| "none")
    };
    assert_eq!(code(text.clone()), "none");
    assert_eq!(code(text.replace("index 3", "index 5")), "proof.index");
    assert_eq!(code(text.replace("index 3", "index 18446744073709551615")), "proof.index");
    assert_eq!(code(text.replace("index 3", "index 2")), "proof.root");
    assert_eq!(code(text.replace("index 3", "index 4")), "proof.node_count");
    assert_eq!(code(text.replace(&format!("{second}\n"), "")), "proof.node_count", "one dropped");
    assert_eq!(code(text.replace(second, &format!("{second}\n{second}"))), "proof.node_count", "one added");
    let swapped = text.replacen(&format!("{first}\n{second}"), &format!("{second}\n{first}"), 1);
    assert_eq!(code(swapped), "proof.root");
    let none = text.replace(&format!("{first}\n{second}\n{third}\n"), "");
    assert_eq!(code(none), "proof.node_count", "an empty line directly behind the index");
    assert_eq!(code(text.replacen("\n5\n", "\n6\n", 1)), "checkpoint.signature", "another size");
    assert_eq!(code(text.trim_end().to_owned()), "tlog_proof.no_checkpoint");
    // Without its witness the checkpoint is that of the log, and no quorum.
    let alone = &text[..text.find("— witness").unwrap()];
    assert_eq!(code(alone.to_owned()), "checkpoint.quorum");
}

fn header(seq: u64) -> EntryHeader {
    EntryHeader {
        format: 1,
        seq: Seq::new(seq),
        previous_leaf: (seq > 0).then(|| LeafHash::from_bytes([7; 32])),
        trace: None,
        envelope_hash: EnvelopeHash::of(ENVELOPE),
        status: if seq > 0 { EntryStatus::Artifact } else { EntryStatus::Genesis },
        recorded_at_ms: 1_700_000_000_000,
    }
}

/// A tree of five in which entry 3 is one of ours: its path and root.
fn tree(leaf: LeafHash) -> (Vec<NodeHash>, NodeHash) {
    let h23 = NodeHash::over(&h2(), &leaf.into());
    let root = NodeHash::over(&NodeHash::over(&h01(), &h23), &h4());
    (vec![h2(), h01(), h4()], root)
}

fn log() -> SecretKey {
    key(ORIGIN, KeyRole::Log, SEEDS[0])
}

fn cose() -> SecretKey {
    key(ORIGIN, KeyRole::Cose, SEEDS[0])
}

fn dsse(at: usize) -> SecretKey {
    key(["a.example", "b.example"][at], KeyRole::Dsse, SEEDS[at])
}

fn keys() -> Vec<VerifierKey> {
    [cose(), dsse(0), dsse(1)].iter().map(|signer| signer.verifier().clone()).collect()
}

fn log_policy() -> Policy {
    Policy::of_keys(vec![log().verifier().clone()]).unwrap()
}

fn note(size: u64, root: NodeHash) -> Vec<u8> {
    Checkpoint::new(ORIGIN, size, root).unwrap().sign(&[&log()]).unwrap().to_bytes()
}

/// The inclusion proof of a header as entry `index` of five, where a signature covers the root alone.
fn unsigned_inclusions(header: &EntryHeader, index: u64) -> [Vec<u8>; 2] {
    let bytes = header.encode();
    let (path, root) = tree(LeafHash::of_header(&bytes));
    let text = TlogProof { index, path: path.clone(), extra: Some(bytes.clone()), checkpoint: note(5, root) };
    let proof = ReceiptProof::Inclusion { size: 5, index, path };
    let receipt = Receipt::issue(proof, &root, ORIGIN, Some(1_700_000_000), Some(bytes), &cose()).unwrap();
    [text.write(), receipt.write()]
}

/// The inclusion proof of a header as entry 3 of five, in every dialect.
fn inclusions(header: &EntryHeader) -> [Vec<u8>; 3] {
    let (path, root) = tree(LeafHash::of_header(&header.encode()));
    let [text, receipt] = unsigned_inclusions(header, 3);
    let statement = InclusionStatement {
        origin: ORIGIN.to_owned(),
        tree_size: 5,
        leaf_index: 3,
        root,
        header: header.clone(),
        path,
    };
    [text, receipt, envelope(Statement::Inclusion(statement).write().unwrap())]
}

fn envelope(payload: Vec<u8>) -> Vec<u8> {
    let signed = DsseEnvelope::sign(STATEMENT_PAYLOAD_TYPE, payload, KeyRole::Dsse, &dsse(0)).unwrap();
    signed.write().unwrap()
}

/// The consistency proof from three to five of the known answers, in every dialect.
fn consistencies() -> [Vec<u8>; 3] {
    let text = ConsistencyFile { old: 3, path: path3to5(), checkpoint: note(5, root5()) };
    let proof = ReceiptProof::Consistency { old_size: 3, new_size: 5, path: path3to5() };
    let receipt = Receipt::issue(proof, &root5(), ORIGIN, None, None, &cose()).unwrap();
    let statement = ConsistencyStatement {
        origin: ORIGIN.to_owned(),
        old_size: 3,
        old_root: root3(),
        new_size: 5,
        new_root: root5(),
        path: path3to5(),
    };
    let payload = Statement::Consistency(statement).write().unwrap();
    [text.write().unwrap(), receipt.write(), envelope(payload)]
}

/// Verifies with everything that is trusted.
fn verify(bytes: &[u8], given: &Given<'_>) -> Result<VerifiedInclusion, &'static str> {
    let (policy, keys) = (log_policy(), keys());
    let trust = Trust { policy: Some(&policy), ..Trust::keys(&keys) };
    let proof = ProofFile::parse(bytes).map_err(|error| error.code())?;
    proof.verify_inclusion(&trust, given).map_err(|error| error.code())
}

#[test]
fn every_dialect_tells_the_same() {
    let header = header(3);
    let bytes = header.encode();
    let (_, root) = tree(LeafHash::of_header(&bytes));
    let given = Given { entry: None, envelope: Some(ENVELOPE) };
    for (file, dialect) in inclusions(&header).iter().zip(Dialect::ALL) {
        let held = verify(file, &given).unwrap();
        assert_eq!(held.backing.dialect, dialect);
        assert_eq!(ProofFile::parse(file).unwrap().dialect(), dialect);
        assert_eq!((held.index, held.size, held.root), (3, 5, root), "{dialect}");
        assert_eq!((held.leaf, held.header.as_ref()), (LeafHash::of_header(&bytes), Some(&header)));
        assert!(held.envelope_matches);
        assert_eq!(held.backing.origin.as_deref(), Some(ORIGIN));
        assert_eq!(held.backing.bound, [Fact::Origin, Fact::Size, Fact::Root, Fact::Index, Fact::Entry]);
        assert_eq!(held.backing.unbound, []);
        let signer = if dialect == Dialect::Dsse { "a.example" } else { ORIGIN };
        assert!(held.backing.signers[0].starts_with(signer) && held.backing.signers.len() == 1);
        let time = (dialect == Dialect::Cose).then_some(1_700_000_000);
        assert_eq!(held.backing.signed_at_s, time);
        // The header from outside does as well, and no other.
        let outside = Given { entry: Some(&bytes), envelope: None };
        assert_eq!(verify(file, &outside).unwrap().header.as_ref(), Some(&header));
        let other = self::header(4).encode();
        let refused = verify(file, &Given { entry: Some(&other), envelope: None }).unwrap_err();
        assert_eq!(refused, ["proof.root", "cose.signature", "proof.other_entry"][dialect as usize]);
    }
}

#[test]
fn an_envelope_is_the_one_of_the_header_or_refused() {
    for file in inclusions(&header(3)) {
        let code =
            |envelope: &[u8]| verify(&file, &Given { entry: None, envelope: Some(envelope) }).unwrap_err();
        assert_eq!(code(br#"{"a":2,"b":"hello","c":true}"#), "proof.envelope");
        assert_eq!(code(b"no JSON at all"), "proof.envelope");
        assert_eq!(code(br#"{"b":"hello", "c":true, "a":1}"#), "proof.envelope_spelling");
        assert_eq!(code(&[ENVELOPE, b"\n"].concat()), "proof.envelope_spelling");
    }
}

#[test]
fn the_number_in_the_header_is_that_of_the_proof() {
    let [text, receipt] = unsigned_inclusions(&header(4), 3);
    assert_eq!(verify(&text, &Given::default()), Err("proof.seq"));
    assert_eq!(verify(&receipt, &Given::default()), Err("proof.seq"));
}

#[test]
fn a_header_that_did_not_travel_has_to_be_given() {
    let header = header(3);
    let bytes = header.encode();
    let (path, root) = tree(LeafHash::of_header(&bytes));
    let text = TlogProof { index: 3, path: path.clone(), extra: None, checkpoint: note(5, root) };
    let junk = TlogProof { extra: Some(b"junk".to_vec()), ..text.clone() };
    let proof = ReceiptProof::Inclusion { size: 5, index: 3, path };
    let receipt = Receipt::issue(proof.clone(), &root, ORIGIN, None, None, &cose()).unwrap();
    let outside = Given { entry: Some(&bytes), envelope: Some(ENVELOPE) };
    for (file, code) in [
        (text.write(), "proof.no_entry"),
        (junk.write(), "proof.header"),
        (receipt.write(), "proof.no_entry"),
    ] {
        assert_eq!(verify(&file, &Given::default()), Err(code));
        assert!(verify(&file, &outside).unwrap().envelope_matches);
    }
    // A receipt of others signs no size and names no log: our header still binds the index.
    let plain = Receipt::sign(proof, &root, ReceiptClaims::none(), &cose()).unwrap().write();
    let held = verify(&plain, &outside).unwrap();
    assert_eq!(held.backing.bound, [Fact::Root, Fact::Index, Fact::Entry]);
    assert_eq!((held.backing.unbound, held.backing.origin), (vec![Fact::Size], None));
}

#[test]
fn entries_of_other_logs_in_a_receipt_leave_the_index_unbound() {
    let proof = ReceiptProof::Inclusion { size: 5, index: 3, path: crate::common::path3() };
    let plain = Receipt::sign(proof, &root5(), ReceiptClaims::none(), &cose()).unwrap().write();
    let held = verify(&plain, &Given { entry: Some(b"3"), envelope: None }).unwrap();
    assert_eq!(held.backing.bound, [Fact::Root, Fact::Entry]);
    assert_eq!(held.backing.unbound, [Fact::Size, Fact::Index]);
}

#[test]
fn each_dialect_needs_its_own_trust() {
    let (policy, keys) = (log_policy(), keys());
    let same_bytes: Vec<VerifierKey> = [KeyRole::Log, KeyRole::Producer, KeyRole::Witness]
        .map(|role| key(ORIGIN, role, SEEDS[0]).verifier().clone())
        .into();
    let [text, receipt, statement] = inclusions(&header(3)).map(|file| ProofFile::parse(&file).unwrap());
    let code = |file: &ProofFile, trust: Trust<'_>| {
        file.verify_inclusion(&trust, &Given::default()).map_or_else(|error| error.code(), |_| "none")
    };
    for (file, trust, expected) in [
        (&text, Trust::keys(&keys), "proof.no_trust"),
        (&receipt, Trust::policy(&policy), "proof.no_trust"),
        (&statement, Trust::policy(&policy), "proof.no_trust"),
        (&receipt, Trust::keys(&keys[1..]), "proof.no_trust"),
        (&statement, Trust::keys(&keys[..1]), "proof.no_trust"),
        (&receipt, Trust::keys(&same_bytes), "proof.no_trust"),
        (&statement, Trust::keys(&same_bytes), "proof.no_trust"),
        (&statement, Trust::keys(&keys[2..]), "dsse.threshold"),
        (&receipt, Trust::keys(&keys), "none"),
        (&statement, Trust::keys(&keys), "none"),
    ] {
        assert_eq!(code(file, trust), expected);
    }
    let two = Trust { threshold: NonZeroUsize::new(2).unwrap(), ..Trust::keys(&keys) };
    assert_eq!(code(&receipt, two), "proof.threshold");
    assert_eq!(code(&statement, two), "dsse.threshold");
    let ProofFile::Envelope(mut joined) = statement else { panic!("an envelope") };
    let payload = joined
        .verify(STATEMENT_PAYLOAD_TYPE, KeyRole::Dsse, &keys, NonZeroUsize::MIN)
        .unwrap()
        .payload
        .to_vec();
    joined
        .join(DsseEnvelope::sign(STATEMENT_PAYLOAD_TYPE, payload, KeyRole::Dsse, &dsse(1)).unwrap())
        .unwrap();
    let held = ProofFile::Envelope(joined).verify_inclusion(&two, &Given::default()).unwrap();
    assert_eq!(held.backing.signers, [keys[1].short_name(), keys[2].short_name()]);
}

#[test]
fn consistency_holds_from_the_tree_that_the_verifier_knows() {
    let (policy, keys) = (log_policy(), keys());
    let trust = Trust { policy: Some(&policy), ..Trust::keys(&keys) };
    let old = OldTree::of_checkpoint(&note(3, root3()), &policy).unwrap();
    assert_eq!(old, OldTree { origin: Some(ORIGIN.to_owned()), size: 3, root: root3() });
    for (file, dialect) in consistencies().iter().zip(Dialect::ALL) {
        let file = ProofFile::parse(file).unwrap();
        let held = file.verify_consistency(&trust, &old).unwrap();
        assert_eq!((held.new_size, held.new_root, &held.old), (5, root5(), &old), "{dialect}");
        assert_eq!(held.backing.bound, [Fact::Origin, Fact::Size, Fact::Root]);
        let loose = OldTree::new(3, root3());
        assert_eq!(file.verify_consistency(&trust, &loose).unwrap().old, loose);
        let code = |old: &OldTree| file.verify_consistency(&trust, old).unwrap_err().code();
        assert_eq!(code(&OldTree::new(3, root5())), "proof.old_root");
        assert_eq!(code(&OldTree::new(4, root3())), "proof.old_size");
        assert_eq!(
            code(&OldTree { origin: Some("log.example/fork".to_owned()), ..old.clone() }),
            "proof.other_log"
        );
        assert_eq!(file.verify_inclusion(&trust, &Given::default()).unwrap_err().code(), "proof.kind");
    }
    let changed = String::from_utf8(note(3, root3())).unwrap().replace("\n3\n", "\n4\n");
    let refused = OldTree::of_checkpoint(changed.as_bytes(), &policy).unwrap_err();
    assert_eq!(refused.code(), "checkpoint.signature");
    // From nothing everything follows: it is no proof.
    let first = ConsistencyFile { old: 0, path: Vec::new(), checkpoint: note(5, root5()) };
    let nothing = OldTree::new(0, NodeHash::empty_root());
    assert_eq!(first.verify(&trust, &nothing).unwrap_err().code(), "proof.sizes");
}

/// The right proof and root, for which the key of another log stands, and which is trusted for that alone.
#[test]
fn a_log_does_not_speak_for_another() {
    let other = key("log.example/other", KeyRole::Log, SEEDS[1]);
    let policy = Policy::of_keys(vec![log().verifier().clone(), other.verifier().clone()]).unwrap();
    let text = Checkpoint::new(ORIGIN, 5, root5()).unwrap().to_text();
    let checkpoint = Note::sign(&text, &[&other]).unwrap().to_bytes();
    let proof = TlogProof { index: 3, path: crate::common::path3(), extra: None, checkpoint };
    let given = Given { entry: Some(b"3"), envelope: None };
    let refused = proof.verify(&Trust::policy(&policy), &given).unwrap_err();
    assert_eq!(refused.code(), "checkpoint.other_log");
}

/// A log that rewrote its past cannot lead on from the older root, under its own good signature.
#[test]
fn a_forked_log_is_found_out() {
    let (policy, keys) = (log_policy(), keys());
    let trust = Trust { policy: Some(&policy), ..Trust::keys(&keys) };
    let forked = NodeHash::over(&NodeHash::over(&h01(), &NodeHash::over(&h3(), &h3())), &h4());
    let path = vec![h3(), h3(), h01(), h4()];
    let file = ConsistencyFile { old: 3, path, checkpoint: note(5, forked) };
    let old = OldTree::new(3, root3());
    assert_eq!(file.verify(&trust, &old).unwrap_err().code(), "proof.old_root");
}

#[test]
fn statements_say_in_text_what_they_prove() {
    let bytes = header(3).encode();
    let (path, root) = tree(LeafHash::of_header(&bytes));
    let file = String::from_utf8(inclusions(&header(3))[2].clone()).unwrap();
    let path: Vec<String> = path.iter().map(|hash| format!("\"{}\"", base64(hash.as_bytes()))).collect();
    let payload = format!(
        "{{\"_type\":\"https://in-toto.io/Statement/v1\",\
        \"predicate\":{{\"header\":\"{}\",\"leaf_index\":3,\"origin\":\"{ORIGIN}\",\"path\":[{}],\
        \"root\":\"{root}\",\"tree_size\":5}},\
        \"predicateType\":\"https://proofline.dev/inclusion/v1\",\
        \"subject\":[{{\"digest\":{{\"sha256\":\"{}\"}}}}]}}",
        base64(&bytes),
        path.join(","),
        Sha256Digest::of(ENVELOPE),
    );
    assert!(file.contains(&format!("\"payload\":\"{}\"", base64(payload.as_bytes()))), "{payload}");
    let statement = Statement::read(payload.as_bytes()).unwrap();
    assert_eq!(statement.write().unwrap(), payload.as_bytes());
    assert_eq!(statement.subject(), Sha256Digest::of(ENVELOPE));

    let other = Sha256Digest::of(b"other").to_string();
    let mine = Sha256Digest::of(ENVELOPE).to_string();
    for (from, to, code) in [
        ("Statement/v1", "Statement/v0.1", "statement.type"),
        ("inclusion/v1", "inclusion/v2", "statement.predicate_type"),
        (mine.as_str(), other.as_str(), "statement.subject"),
        (mine.as_str(), &mine.to_uppercase(), "statement.member"),
        ("[{\"digest\"", "[{},{\"digest\"", "statement.subject"),
        ("sha256", "sha512", "statement.member"),
        ("\"subject\":[", "\"subject\":[],\"x\":[", "statement.subject"),
        ("\"subject\":", "\"subjects\":", "statement.member"),
        ("\"leaf_index\":3", "\"leaf_index\":2", "proof.seq"),
        ("\"leaf_index\":3", "\"leaf_index\":3.0", "statement.member"),
        ("\"leaf_index\":3", "\"leaf_index\":-3", "statement.member"),
        ("\"tree_size\":5", "\"tree_size\":\"5\"", "statement.member"),
        ("\"tree_size\":5", "\"tree_size\":3", "proof.index"),
        ("\"tree_size\":5", "\"tree_size\":9", "proof.node_count"),
        ("\"tree_size\":5", "\"tree_size\":5,\"tree_size\":5", "canon.duplicate_member"),
        ("\"header\":\"", "\"header\":\"A", "statement.member"),
        ("\"header\":\"", "\"header\":\"AAAA", "proof.header"),
        ("\"path\":[", "\"path\":[\"AAAA\",", "statement.member"),
        ("\"path\":[", "\"path\":[1,", "statement.member"),
        (root.to_string().as_str(), other.as_str(), "proof.root"),
        ("\"origin\":\"", "\"from\":\"", "statement.member"),
        ("\"predicate\":{", "\"predicated\":{", "statement.member"),
    ] {
        assert!(payload.contains(from), "{from}");
        let changed = payload.replacen(from, to, 1);
        assert_eq!(Statement::read(changed.as_bytes()).unwrap_err().code(), code, "{from} to {to}");
    }
    // in-toto asks readers to pass over what they do not know.
    let more = payload.replacen("\"origin\"", "\"more\":[1.5],\"origin\"", 1);
    assert_eq!(Statement::read(more.as_bytes()).unwrap(), statement);
}

#[test]
fn statements_that_do_not_hold_are_not_written() {
    let (path, root) = tree(LeafHash::of_header(&header(3).encode()));
    let good = InclusionStatement {
        origin: ORIGIN.to_owned(),
        tree_size: 5,
        leaf_index: 3,
        root,
        header: header(3),
        path,
    };
    let code = |statement: InclusionStatement| Statement::Inclusion(statement).write().unwrap_err().code();
    assert_eq!(code(InclusionStatement { root: root5(), ..good.clone() }), "proof.root");
    assert_eq!(code(InclusionStatement { header: header(2), ..good.clone() }), "proof.seq");
    assert_eq!(code(InclusionStatement { path: Vec::new(), ..good }), "proof.node_count");
    // A tree of one leaf has a statement and a tlog-proof, and no receipt.
    let genesis = header(0);
    let leaf = LeafHash::of_header(&genesis.encode());
    let one = InclusionStatement {
        origin: ORIGIN.to_owned(),
        tree_size: 1,
        leaf_index: 0,
        root: leaf.into(),
        header: genesis.clone(),
        path: Vec::new(),
    };
    let file = envelope(Statement::Inclusion(one).write().unwrap());
    assert_eq!(verify(&file, &Given::default()).unwrap().header, Some(genesis.clone()));
    let text = TlogProof {
        index: 0,
        path: Vec::new(),
        extra: Some(genesis.encode()),
        checkpoint: note(1, leaf.into()),
    };
    assert_eq!(verify(&text.write(), &Given::default()).unwrap().header, Some(genesis));
}

#[test]
fn what_is_in_no_dialect_is_said_to_be_so() {
    for bytes in
        [&b""[..], b"c2sp.org/tlog-proof", b"PK\x03\x04", b"[]", b"\xd8\x12", b"index 3\n", b"\xef\xbb\xbf{}"]
    {
        assert_eq!(ProofFile::parse(bytes).unwrap_err().code(), "proof.dialect", "{bytes:?}");
    }
    for (bytes, code) in [
        (&b"c2sp.org/tlog-proof@v2\n"[..], "tlog_proof.first_line"),
        (b"old 3", "tlog_proof.no_checkpoint"),
        (b"\xd2\x80", "cose.form"),
        (b" \n{}", "dsse.member"),
    ] {
        assert_eq!(ProofFile::parse(bytes).unwrap_err().code(), code, "{bytes:?}");
    }
}

/// Where a bit may be flipped without a refusal: by dialect, the bytes that nothing covers.
fn is_free(dialect: Dialect, file: &[u8], at: usize) -> bool {
    match dialect {
        Dialect::Tlog => false,
        // The label could become another one, and its value is not read then.
        Dialect::Cose => {
            let label = hex(file).find(&hex(ENTRY_HEADER_LABEL.as_bytes())).unwrap() / 2;
            (label..label + ENTRY_HEADER_LABEL.len() + 2 + header(3).encode().len()).contains(&at)
        }
        Dialect::Dsse => {
            let text = std::str::from_utf8(file).unwrap();
            let keyid = text.find("\"keyid\":\"").unwrap();
            (keyid + 1..text.find("\",\"sig\"").unwrap()).contains(&at)
        }
    }
}

fn flips(file: &[u8], mut check: impl FnMut(usize, &[u8])) {
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut flipped = file.to_vec();
            flipped[at] ^= 1 << bit;
            check(at, &flipped);
        }
    }
}

/// Every bit of every file, the header travelling: a flip is refused, or nothing that is told changes.
#[test]
fn a_flipped_bit_is_refused_or_changes_nothing() {
    let (policy, keys) = (log_policy(), keys());
    let trust = Trust { policy: Some(&policy), ..Trust::keys(&keys) };
    let old = OldTree::new(3, root3());
    for (file, dialect) in inclusions(&header(3)).iter().zip(Dialect::ALL) {
        let whole = verify(file, &Given::default()).unwrap();
        let check = |at: usize, flipped: &[u8]| {
            let held = ProofFile::parse(flipped).and_then(|f| f.verify_inclusion(&trust, &Given::default()));
            let Ok(held) = held else { return };
            assert!(is_free(dialect, file, at), "{dialect}: byte {at} of {}", file.len());
            assert_eq!(held, whole);
        };
        flips(file, check);
    }
    for (file, dialect) in consistencies().iter().zip(Dialect::ALL) {
        let whole = ProofFile::parse(file).unwrap().verify_consistency(&trust, &old).unwrap();
        let check = |at: usize, flipped: &[u8]| {
            let held = ProofFile::parse(flipped).and_then(|f| f.verify_consistency(&trust, &old));
            let Ok(held) = held else { return };
            assert!(dialect == Dialect::Dsse && is_free(dialect, file, at), "{dialect}: byte {at}");
            assert_eq!(held, whole);
        };
        flips(file, check);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), start in 0..5_usize) {
        let starts = [&b""[..], b"c2sp.org/tlog-proof@v1\n", b"old ", b"\xd2\x84", b"{\"payload\":"];
        let bytes = [starts[start], &bytes].concat();
        if let Err(error) = ProofFile::parse(&bytes) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    /// Runs of bytes overwritten, cut or doubled: refused, or the same answer.
    #[test]
    fn a_changed_file_never_tells_something_else(
        which in 0..3_usize,
        at: prop::sample::Index,
        length in 0..8_usize,
        with in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let file = &inclusions(&header(3))[which];
        let start = at.index(file.len());
        let end = (start + length).min(file.len());
        let mut changed = file.clone();
        changed.splice(start..end, with);
        if let Ok(held) = verify(&changed, &Given::default()) {
            prop_assert_eq!(Ok(held), verify(file, &Given::default()));
        }
    }
}
