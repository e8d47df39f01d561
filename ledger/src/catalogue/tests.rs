//! What takes a hand inside: keys that following never put, and a kill between two calls.

use proofline_canon::{Limits, Profile, canonicalize};
use proofline_trace::LedgerId;

use super::note::{of_name, of_trace};
use super::store::Put;
use super::*;
use crate::{Action, Genesis, Ledger, Options, Submission};

fn context(trace: u8, actor: &str) -> String {
    let (trace, hash) = ("0".repeat(30) + &format!("{trace:02x}"), "a".repeat(64));
    format!(
        r#"{{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context","ts_ms":1000,
        "trace":{{"trace_id":"{trace}","span_id":"00f067aa0ba902b7","span_kind":"root"}},
        "producer":{{"layer":"cpo","component":"gateway"}},
        "actor":{{"actor_kind":"user","actor_id":"{actor}"}},
        "credential":{{"credential_kind":"oidc","issuer":"https://id.example",
        "presented_hash_sha256":"{hash}","verified_at_ms":900,"expires_at_ms":9000}},"grants":{{}}}}"#
    )
}

fn ledger(contexts: u8) -> (tempfile::TempDir, Snapshot) {
    let dir = tempfile::tempdir().unwrap();
    let genesis = Genesis {
        ledger_id: LedgerId::from_bytes([7; 16]),
        origin: "ledger.example/test".parse().unwrap(),
        created_at_ms: 5,
    };
    let path = dir.path().join("ledger");
    Ledger::init(&path, &genesis).unwrap();
    let ledger = Ledger::open(&path, Options::default()).unwrap();
    for trace in 1..=contexts {
        let envelope = context(trace, if trace % 2 == 0 { "staff/ines" } else { "staff/omar" });
        let bytes = canonicalize(envelope.as_bytes(), Profile::Envelope, &Limits::ENVELOPE).unwrap();
        ledger.commit_action(&Action::Evidence(Submission::bare(&bytes)), 5).unwrap();
    }
    let snapshot = ledger.snapshot().unwrap();
    assert_eq!(snapshot.entries(), u64::from(contexts) + 1);
    (dir, snapshot)
}

fn followed(snapshot: &Snapshot) -> Catalogue {
    let mut catalogue = Catalogue::open(snapshot).unwrap();
    catalogue.follow(snapshot, &mut |_| ()).unwrap();
    catalogue
}

fn slip_in(catalogue: &Catalogue, put: Put) {
    catalogue.store.as_ref().unwrap().apply(&[put], &catalogue.state.encode()).unwrap();
}

#[test]
fn a_hit_that_the_log_does_not_bear_out_is_reported_and_never_returned() {
    let trace =
        |number: u8| TraceId::from_bytes([&[0; 15][..], &[number]].concat().try_into().unwrap()).unwrap();
    let (_dir, snapshot) = ledger(4);
    let named = |tree, name| Put { tree, key: of_name(name, Seq::new(2)), value: Vec::new() };
    let traced = |tree, number, value: &[u8]| {
        let key = of_trace(trace(number), Seq::new(2));
        Put { tree, key, value: value.to_vec() }
    };
    type Ask<'a> = Box<dyn Fn(&Catalogue) -> Result<u64, CatalogueError> + 'a>;
    let snapshot = &snapshot;
    let cases: Vec<(Put, Ask<'_>)> = vec![
        (
            named(Tree::Actors, "staff/omar"),
            Box::new(|c| Ok(c.entries_by_actor(snapshot, "staff/omar", None, 9)?.len() as u64)),
        ),
        (
            named(Tree::Tools, "tickets/read"),
            Box::new(|c| Ok(c.entries_by_tool(snapshot, "tickets", "read", None, 9)?.len() as u64)),
        ),
        (
            named(Tree::Models, "acme/large"),
            Box::new(|c| Ok(c.entries_by_model(snapshot, "acme", "large", None, 9)?.len() as u64)),
        ),
        (
            named(Tree::Actions, "tickets:read"),
            Box::new(|c| Ok(c.entries_by_action(snapshot, "tickets:read", None, 9)?.len() as u64)),
        ),
        (
            traced(Tree::Artifacts, 2, &[1; 32]),
            Box::new(|c| Ok(c.artifacts_of(snapshot, trace(2), None, 9)?.len() as u64)),
        ),
        (
            traced(Tree::Traces, 2, &9_u64.to_be_bytes()), // a wrong count under a right key
            Box::new(|c| Ok(c.trace(snapshot, trace(2))?.map_or(0, |span| span.count))),
        ),
    ];
    let right = [2, 0, 0, 0, 0, 1];
    for ((put, ask), right) in cases.into_iter().zip(right) {
        let mut catalogue = followed(snapshot);
        assert_eq!(ask(&catalogue).unwrap(), right);
        slip_in(&catalogue, put.clone());
        let CatalogueError::WrongHit(damage) = ask(&catalogue).unwrap_err() else { panic!("{put:?}") };
        assert_eq!((damage.code, damage.seq), ("catalogue.wrong_hit", Some(Seq::new(2))));
        assert!(damage.message.contains(put.tree.name()), "{damage}");
        // The next follow makes it again, and says why.
        assert_eq!(catalogue.replaced(), None);
        catalogue.follow(snapshot, &mut |_| ()).unwrap();
        assert_eq!(catalogue.replaced(), Some(&Replaced::WrongHit(damage)));
        assert_eq!(ask(&catalogue).unwrap(), right);
    }
}

#[test]
fn keys_beyond_the_state_are_leftovers_of_a_kill_and_count_for_nothing() {
    let (_dir, snapshot) = ledger(6);
    let mut early = Catalogue::open(&snapshot).unwrap();
    // A kill after the puts and before the state: the keys are there, the state knows nothing.
    for seq in 1..=6 {
        let (_, note) = note::read(&snapshot, Seq::new(seq)).unwrap();
        note.puts.into_iter().for_each(|put| slip_in(&early, put));
    }
    assert_eq!(early.entries(), 0);
    assert_eq!(early.entries_by_actor(&snapshot, "staff/ines", None, 9).unwrap(), []);
    drop(early);
    early = Catalogue::open(&snapshot).unwrap();
    assert_eq!(early.replaced(), None);
    assert_eq!(early.follow(&snapshot, &mut |_| ()).unwrap(), 7);
    let of_ines = [2, 4, 6].map(Seq::new);
    assert_eq!(early.entries_by_actor(&snapshot, "staff/ines", None, 9).unwrap(), of_ines);
    drop(early);
    let again = Catalogue::open(&snapshot).unwrap();
    assert_eq!((again.replaced(), again.entries()), (None, 7));
}

#[test]
fn pages_of_an_answer_join_without_gap_or_repetition() {
    let (_dir, snapshot) = ledger(9);
    let catalogue = followed(&snapshot);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = catalogue.entries_by_actor(&snapshot, "staff/omar", after, 2).unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(*last);
        found.extend(page);
    }
    assert_eq!(found, [1, 3, 5, 7, 9].map(Seq::new));
    // A name that another begins with, and one that goes on after the end, are other names.
    for name in ["staff/oma", "staff/omar2", "", "staff/omar\0"] {
        assert_eq!(catalogue.entries_by_actor(&snapshot, name, None, 9).unwrap(), [], "{name:?}");
    }
}

#[test]
fn a_refill_that_fails_leaves_the_reason_for_the_next_one() {
    let (dir, snapshot) = ledger(4);
    let mut catalogue = followed(&snapshot);
    slip_in(&catalogue, Put { tree: Tree::Actors, key: of_name("ghost", Seq::new(1)), value: Vec::new() });
    catalogue.entries_by_actor(&snapshot, "ghost", None, 9).unwrap_err();
    let failed = catalogue.replace(Replaced::Asked, |_, _| Err(CatalogueError::Busy(dir.path().to_owned())));
    assert_eq!(failed.unwrap_err().code(), "catalogue.busy");
    assert!(!dir.path().join("ledger/catalogue.new-1").exists());
    catalogue.follow(&snapshot, &mut |_| ()).unwrap();
    assert_eq!(catalogue.replaced().unwrap().code(), "catalogue.wrong_hit");
    assert_eq!(catalogue.entries_by_actor(&snapshot, "ghost", None, 9).unwrap(), []);
}
