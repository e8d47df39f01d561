//! What an entry erased stays erased: it leaves no ledger, comes into none, and goes out of copies.

use proofline_canon::Sha256Digest;
use proofline_ledger::disk::Disk;
use proofline_ledger::{Action, ExportOrder, Outcome, VerifyPlan, verify_on};

use crate::common::recovered::dir;
use crate::common::sim_disk::SimDisk;
use crate::common::{NOW_MS, auth_context, bare, decision, hash_of};
use crate::house::{ALL, back_up, commit, export, furnished, import, open, out, payload, put_payload};
use crate::parts::{Parts, blobs};
use crate::refused::refused;

fn place(root: &std::path::Path, name: &Sha256Digest) -> std::path::PathBuf {
    let name = name.to_string();
    root.join("blobs").join(&name[..2]).join(&name[2..])
}

/// Records the erasure of a payload, the bytes staying as they are; the size before it.
fn record_erasure(disk: &SimDisk, name: &Sha256Digest) -> u64 {
    let ledger = open(disk);
    let size = ledger.entries();
    let context = auth_context(950, "staff/ines");
    let allowed = decision(950, &hash_of(&context), "allow")
        .replace("tickets:read\",\"resource", "erase\",\"resource")
        .replace("tickets/42", &format!("blob/{name}"));
    for line in [&context, &allowed] {
        let outcome = ledger.commit_action(&bare(line), NOW_MS).unwrap();
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    }
    let entry = format!(
        r#"{{"authority":"{}","reason":"they asked","system_type":"erasure","target":{{"kind":"blob","sha256":"{name}"}},"version":"1"}}"#,
        hash_of(&allowed)
    );
    let outcome = ledger.commit_action(&Action::System(entry.as_bytes()), NOW_MS).unwrap();
    assert!(matches!(outcome, Outcome::Accepted { duplicate: false, .. }), "{outcome:?}");
    assert!(!disk.exists(&place(dir(), name)));
    // As after a crash that came before the bytes went.
    disk.meddle(&place(dir(), name), Some(payload(7)));
    size
}

/// The copy is sound in all answers, the marks of what is erased included.
fn assert_sound(disk: &SimDisk) {
    let report = verify_on(disk, out(), &VerifyPlan::default(), &mut |_| ()).unwrap();
    assert!(report.is_sound() && report.derived.is_empty(), "{report:?}");
    assert!(report.erasure.troubles.is_empty(), "{:?}", report.erasure);
}

#[test]
fn what_is_erased_is_in_no_stream_though_its_bytes_lie_there_still() {
    let disk = furnished();
    let held = blobs(&disk, dir()).len();
    let name = put_payload(&disk, 7);
    let size = record_erasure(&disk, &name);
    assert!(disk.exists(&place(dir(), &name)), "a crash came before the bytes went");
    for at in [None, Some(size)] {
        let order = ExportOrder { with_blobs: true, at };
        let target = SimDisk::new();
        import(&target, &export(&disk, dir(), &order).unwrap()).unwrap();
        assert!(!target.exists(&place(out(), &name)));
        assert_eq!(Parts::of(&target, out()).blobs.len(), held);
        assert_sound(&target);
    }
}

/// A stream of before the erasure, its payload put into one of after it.
#[test]
fn a_stream_that_brings_it_back_is_refused() {
    let disk = furnished();
    let held = blobs(&disk, dir()).len();
    let name = put_payload(&disk, 7);
    assert!(import(&SimDisk::new(), &export(&disk, dir(), &ALL).unwrap()).is_ok());
    record_erasure(&disk, &name);
    let brought_back = Parts::of(&disk, dir());
    assert_eq!(brought_back.blobs.len(), held + 1);
    refused(&brought_back.bytes(), "import.erased");
    let honest = Parts {
        blobs: brought_back.blobs.iter().filter(|(other, _)| other != name.as_bytes()).cloned().collect(),
        ..brought_back
    };
    assert!(honest.bytes() == export(&disk, dir(), &ALL).unwrap());
}

#[test]
fn a_copy_loses_it_with_the_next_backup_and_never_gets_it_again() {
    let disk = furnished();
    let name = put_payload(&disk, 7);
    back_up(&disk).unwrap();
    assert_eq!(disk.contents()[&place(out(), &name)], payload(7));
    commit(&disk, 600..602);
    record_erasure(&disk, &name);
    let report = back_up(&disk).unwrap();
    assert_eq!((report.blobs_erased, disk.exists(&place(out(), &name))), (1, false));
    assert_sound(&disk);
    // The ledger's own bytes may lie there still, or be brought back by hand.
    assert!(disk.exists(&place(dir(), &name)));
    let report = back_up(&disk).unwrap();
    assert_eq!((report.blobs_erased, report.blobs, disk.exists(&place(out(), &name))), (0, 0, false));
    // An old copy of the payload, laid into the copy.
    disk.meddle(&place(out(), &name), Some(payload(7)));
    assert_eq!(back_up(&disk).unwrap().blobs_erased, 1);
    assert!(!disk.exists(&place(out(), &name)));
}

/// An erasure that the gate would not let in is no erasure.
#[test]
fn a_forged_erasure_is_refused() {
    let disk = furnished();
    let name = put_payload(&disk, 7);
    record_erasure(&disk, &name);
    let parts = Parts::of(&disk, dir());
    let error = crate::forged::without_entry(&parts, parts.frames.len() - 2);
    refused(&error, "erasure.authority");
}
