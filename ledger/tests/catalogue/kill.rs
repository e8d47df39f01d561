//! Other processes: one that has the catalogue open, and some that are killed at work.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use proofline_ledger::{CATALOGUE_DIR, Catalogue, Snapshot};

use crate::work::{ask, copy, counted, follow, leftovers, recovers, worked};

const ROLE: &str = "PROOFLINE_CATALOGUE_TEST_ROLE";
const LEDGER: &str = "PROOFLINE_CATALOGUE_TEST_LEDGER";

/// Not a test by itself: what a child process does, one line of output for each step.
#[test]
fn as_a_child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").unwrap();
        out.flush().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5)); // to be killed here
    };
    let snapshot = Snapshot::open(std::env::var(LEDGER).unwrap()).unwrap();
    match role.as_str() {
        "hold" => {
            let _catalogue = Catalogue::open(&snapshot).unwrap();
            say("step: held".to_owned());
            std::thread::sleep(std::time::Duration::from_secs(600));
        }
        "rebuild" => {
            Catalogue::rebuild(&snapshot, &mut |step| say(format!("step: {}", step.followed))).unwrap();
            say("step: done".to_owned());
        }
        "follow" => {
            let mut catalogue = Catalogue::open(&snapshot).unwrap();
            catalogue.follow(&snapshot, &mut |step| say(format!("step: {}", step.followed))).unwrap();
            say("step: done".to_owned());
        }
        other => panic!("{other}"),
    }
}

/// Starts a child in a role and waits until it has said so many steps, or ended.
fn child(role: &str, ledger: &Path, steps: usize) -> (Child, usize) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::as_a_child", "--exact", "--nocapture"])
        .env(ROLE, role)
        .env(LEDGER, ledger)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.as_mut().unwrap());
    let said = output.lines().map(Result::unwrap).filter(|line| line.contains("step: ")).take(steps).count();
    (child, said)
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_second_process_is_told_that_the_catalogue_is_open_until_the_first_is_killed() {
    let (_dir, path, known) = worked(3);
    let (holder, said) = child("hold", &path, 1);
    assert_eq!(said, 1);
    let snapshot = Snapshot::open(&path).unwrap();
    assert_eq!(Catalogue::open(&snapshot).unwrap_err().code(), "catalogue.busy");
    kill(holder);
    recovers(&path, &known, 3, "after the kill");
}

#[test]
fn a_kill_in_the_middle_of_a_rebuild_leaves_the_old_catalogue() {
    let (_dir, path, known) = worked(80);
    let snapshot = Snapshot::open(&path).unwrap();
    follow(&mut Catalogue::open(&snapshot).unwrap(), &snapshot);
    let mut killed_halfway = 0;
    for steps in 1..=9 {
        let (rebuilding, said) = child("rebuild", &path, steps);
        kill(rebuilding);
        killed_halfway += usize::from(said == steps && !leftovers(&path).is_empty());
        let opened = Catalogue::open(&snapshot).unwrap();
        assert_eq!(opened.replaced(), None, "killed after {said} steps");
        assert_eq!(ask(&opened, &snapshot, 80), counted(&known, 80), "killed after {said} steps");
        assert_eq!(leftovers(&path), Vec::<String>::new());
    }
    assert!(killed_halfway >= 3, "{killed_halfway} kills hit a rebuild in the middle");
}

#[test]
fn a_kill_while_following_is_made_good_from_where_it_happened() {
    let (dir, path, known) = worked(1200);
    let mut killed_halfway = 0;
    // sled writes when half a megabyte has come together: the first steps are lost whole.
    for steps in [1, 70, 90, 110, 125] {
        let victim = dir.path().join("victim");
        copy(&path, &victim);
        let (following, _) = child("follow", &victim, steps);
        kill(following);
        let snapshot = Snapshot::open(&victim).unwrap();
        let opened = Catalogue::open(&snapshot).unwrap();
        killed_halfway += usize::from(opened.entries() > 0 && opened.entries() < snapshot.entries());
        let at = usize::try_from(opened.entries()).unwrap();
        assert_eq!(ask(&opened, &snapshot, 1200), counted(&known[..at], 1200), "killed after {steps} steps");
        assert_eq!(opened.check(&snapshot, &mut |damage| panic!("{damage}")).unwrap(), at as u64);
        drop(opened);
        recovers(&victim, &known, 1200, "killed while following");
        fs::remove_dir_all(&victim).unwrap();
    }
    assert!(killed_halfway >= 2, "{killed_halfway} kills hit following in the middle");
}

#[test]
fn what_kills_left_between_two_renames_is_swept_away() {
    let (_dir, path, known) = worked(6);
    let snapshot = Snapshot::open(&path).unwrap();
    follow(&mut Catalogue::open(&snapshot).unwrap(), &snapshot);
    // After the first rename of a swap: no catalogue, a whole new one, and the old one.
    copy(&path.join(CATALOGUE_DIR), &path.join("catalogue.new-1"));
    fs::rename(path.join(CATALOGUE_DIR), path.join("catalogue.old-1")).unwrap();
    fs::write(path.join("catalogue.new-2"), b"a file").unwrap();
    recovers(&path, &known, 6, "between the renames");
}
