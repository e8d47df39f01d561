//! Tools that are programs: what they are given, what they may take, and that nothing of them stays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proofline::replay::Tool;
use proofline::{CommandLimits, CommandTool};
use tempfile::TempDir;

/// Far longer than any run takes, however busy the machine is.
const AMPLE: CommandLimits = CommandLimits { time: Duration::from_secs(300), answer_bytes: 1 << 20 };
/// Over at once for a program that sleeps, however fast the machine is.
const SHORT: CommandLimits = CommandLimits { time: Duration::from_millis(200), ..AMPLE };

/// A program of these lines of shell.
fn script(lines: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tool");
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, path)
}

fn tool(path: &Path, limits: CommandLimits) -> CommandTool {
    CommandTool::new(path.to_str().unwrap(), limits).unwrap()
}

fn ran(lines: &str, request: &[u8], limits: CommandLimits) -> Result<String, String> {
    let (_folder, path) = script(lines);
    let answer = tool(&path, limits).run(request);
    answer.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|fault| fault.code().to_owned())
}

#[test]
fn the_request_goes_in_and_the_answer_comes_out() {
    let large = vec![b'x'; 900_000];
    let cat = CommandTool::new("cat", AMPLE).unwrap();
    assert_eq!(cat.run(&large).unwrap(), large);
    assert_eq!(cat.run(b"").unwrap(), b"");
    assert_eq!(CommandTool::new("  tr a-c   A-C ", AMPLE).unwrap().run(b"abcd").unwrap(), b"ABCd");
    // One that does not read its request may answer all the same.
    assert_eq!(ran("echo done", &large, AMPLE).as_deref(), Ok("done\n"));
    // No shell reads the command.
    assert_eq!(CommandTool::new("echo $HOME;ls", AMPLE).unwrap().run(b"").unwrap(), b"$HOME;ls\n");
}

#[test]
fn it_runs_in_an_empty_folder_and_a_clean_environment() {
    let answer = ran("ls -A; pwd; echo kept > file; env | grep -v '^_=' | sort", b"", AMPLE).unwrap();
    let lines: Vec<&str> = answer.lines().collect();
    let folder = lines.first().unwrap();
    assert!(folder.contains("proofline-tool-") && !Path::new(folder).exists(), "{answer}");
    let expected = [
        (*folder).to_owned(),
        format!("HOME={folder}"),
        "LC_ALL=C".to_owned(),
        "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
        // Shells add where they are.
        format!("PWD={folder}"),
        format!("TMPDIR={folder}"),
        "TZ=UTC".to_owned(),
    ];
    let found: Vec<&str> = lines.iter().copied().filter(|line| !line.starts_with("SHLVL=")).collect();
    let found: Vec<&str> = found.into_iter().filter(|line| !line.starts_with("OLDPWD=")).collect();
    assert_eq!(found, expected);
}

#[test]
fn an_exit_code_is_a_failure_whatever_was_answered() {
    assert_eq!(ran("echo answer; exit 3", b"", AMPLE), Err("tool.failed".to_owned()));
    assert_eq!(ran("kill -9 $$", b"", AMPLE), Err("tool.failed".to_owned()));
}

#[test]
fn one_that_takes_too_long_is_killed_with_all_it_started() {
    for lines in ["sleep 600", "exec >&-; sleep 600", "trap '' TERM INT HUP; sleep 600"] {
        let begin = Instant::now();
        assert_eq!(ran(lines, b"", SHORT), Err("tool.time".to_owned()), "{lines}");
        assert!(begin.elapsed() < Duration::from_secs(300), "{lines}");
    }
    // The program's end is the end of its answer, whatever holds its output open.
    assert_eq!(ran("sleep 600 & echo answer", b"", AMPLE).as_deref(), Ok("answer\n"));
    // What stays behind a program that ended in time, its output closed, is killed too.
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let lines = format!(
        "(exec >&- 2>&-; while [ -d {0} ]; do echo x >> {0}/mark; sleep 0.02; done) & echo answer",
        folder.path().display()
    );
    assert_eq!(ran(&lines, b"", AMPLE).as_deref(), Ok("answer\n"));
    let size = || std::fs::metadata(&mark).map_or(0, |data| data.len());
    let before = size();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(size(), before, "it still writes");
}

#[test]
fn one_that_says_too_much_is_cut_off() {
    let limits = CommandLimits { answer_bytes: 10, ..AMPLE };
    assert_eq!(ran("printf 0123456789", b"", limits).as_deref(), Ok("0123456789"));
    assert_eq!(ran("printf 0123456789a", b"", limits), Err("tool.length".to_owned()));
    assert_eq!(ran("exec cat /dev/zero", b"", limits), Err("tool.length".to_owned()));
}

/// Where it can be cut off: the one interface is a loopback that is down.
#[test]
fn it_has_no_network() {
    if !CommandTool::has_no_network() {
        eprintln!("SKIPPED: this system gives no network namespaces to users");
        return;
    }
    let interfaces = ran("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '", b"", AMPLE).unwrap();
    assert!(interfaces.is_empty() || interfaces == "lo\n", "{interfaces}");
    let routes = ran("tail -n +2 /proc/net/route", b"", AMPLE).unwrap();
    assert_eq!(routes, "");
}

#[test]
fn what_is_no_command_is_refused() {
    let code = |command: &str| CommandTool::new(command, AMPLE).unwrap_err().code();
    assert_eq!(code("  "), "tools.command");
    assert_eq!(code("no-such-program-anywhere x"), "tools.no_program");
    assert_eq!(code("/no/such/program"), "tools.no_program");
}

#[test]
fn its_version_follows_its_program_arguments_and_files() {
    let (_folder, path) = script("exit 0");
    let data = tempfile::NamedTempFile::new().unwrap();
    let version = |arguments: &str| {
        CommandTool::new(&format!("{} {arguments}", path.display()), AMPLE).unwrap().version()
    };
    let file = data.path().to_str().unwrap();
    let (plain, other, with_file) = (version("a"), version("b"), version(file));
    assert_eq!(plain, version("a"));
    std::fs::write(data.path(), "changed").unwrap();
    let changed_file = version(file);
    std::fs::write(&path, "#!/bin/sh\nexit 1\n").unwrap();
    let versions = [plain, other, with_file, changed_file, version("a")];
    let all: std::collections::BTreeSet<&String> = versions.iter().collect();
    assert_eq!(all.len(), versions.len());
}
