//! `docs/tour.md`: every command of the page is run, in order, in an empty folder; what the page shows is what they
//! print, and its pictures are made of it. `INSTA_UPDATE=always` writes what differs into the page.

use std::env;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::vectors;
use crate::svg::{picture, plain};

/// A block of commands, and how the page shows what they print.
#[derive(Debug)]
struct Step {
    line: usize,
    script: String,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Nowhere,
    /// Lines of the page, and what stands in them.
    Text {
        from: usize,
        to: usize,
    },
    Picture {
        file: String,
        title: String,
    },
}

/// Where the fences of a block are.
fn block(lines: &[&str], from: usize, language: &str) -> Option<(usize, usize)> {
    let at = (from..lines.len()).find(|at| !lines[*at].trim().is_empty())?;
    (lines[at] == format!("```{language}")).then_some(())?;
    Some((at + 1, (at + 1..lines.len()).find(|at| lines[*at] == "```").expect("the block ends")))
}

fn steps(page: &str) -> Vec<Step> {
    let lines: Vec<&str> = page.lines().collect();
    let (mut steps, mut at) = (Vec::new(), 0);
    while at < lines.len() {
        if lines[at] != "```sh" {
            at += 1;
            continue;
        }
        let (from, to) = block(&lines, at, "sh").unwrap();
        let script = lines[from..to].join("\n");
        let behind = lines.get(to + 2).copied().unwrap_or_default();
        let shown = if let Some((from, to)) = block(&lines, to + 1, "text") {
            Shown::Text { from, to }
        } else if let Some((title, file)) = behind.strip_prefix("![").and_then(|rest| rest.split_once("](")) {
            Shown::Picture { title: title.to_owned(), file: file.trim_end_matches(')').to_owned() }
        } else {
            Shown::Nowhere
        };
        steps.push(Step { line: from, script, shown });
        at = to + 1;
    }
    steps
}

/// Whether lines are what the page shows: a line of `...` stands for any lines, and within one for any text.
fn fits(shown: &[&str], printed: &[&str]) -> bool {
    match (shown, printed) {
        ([], []) => true,
        (["...", rest @ ..], _) => (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..])),
        ([one, shown @ ..], [other, printed @ ..]) => line_fits(one, other) && fits(shown, printed),
        _ => false,
    }
}

fn line_fits(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split("...");
    let Some(mut rest) = printed.strip_prefix(parts.next().unwrap()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The line as the page had it, where it left something out of it.
fn elided(printed: &str, shown: &[&str]) -> String {
    let mut partly = shown.iter().filter(|line| line.contains("...") && **line != "...");
    partly.find(|line| line_fits(line, printed)).map_or(printed, |line| *line).to_owned()
}

fn exit_code(script: &str) -> i32 {
    script
        .split("# exits with ")
        .nth(1)
        .map_or(0, |code| code.split_whitespace().next().unwrap().parse().unwrap())
}

fn run(script: &str, folder: &Path, corpora: &Path, colours: bool) -> (String, Option<i32>) {
    let program = Path::new(env!("CARGO_BIN_EXE_proofline"));
    let path = env::join_paths(
        std::iter::once(program.parent().unwrap().to_owned())
            .chain(env::split_paths(&env::var_os("PATH").unwrap())),
    );
    let mut command = Command::new("sh");
    command.args(["-e", "-c", &format!("exec 2>&1\n{script}")]).current_dir(folder);
    command.env("PATH", path.unwrap()).env("PROOFLINE_CORPORA", corpora).env("COLUMNS", "80");
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    if colours {
        command.env("CLICOLOR_FORCE", "1");
    }
    let output = command.output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

#[expect(clippy::print_stderr, reason = "a test that skips says so loudly")]
fn corpora() -> Option<PathBuf> {
    let folder = env::var_os("PROOFLINE_CORPORA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: PROOFLINE_CORPORA names no folder, so no command of docs/tour.md was run");
    }
    folder
}

#[test]
fn every_command_of_the_tour_does_what_it_shows() {
    let Some(corpora) = corpora() else { return };
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let (file, rewrites) = (docs.join("tour.md"), env::var("INSTA_UPDATE").as_deref() == Ok("always"));
    let page = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = page.lines().collect();
    let (folder, steps) = (tempfile::tempdir().unwrap(), steps(&page));
    assert!(steps.len() > 10, "{} blocks of commands", steps.len());
    let mut written: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let (mut differing, mut pictures) = (Vec::new(), Vec::new());
    let mut replaced: Vec<(Range<usize>, Vec<String>)> = Vec::new();
    for step in &steps {
        let is_picture = matches!(step.shown, Shown::Picture { .. });
        let (printed, code) = run(&step.script, folder.path(), &corpora, is_picture);
        assert_eq!(code, Some(exit_code(&step.script)), "line {}: {}\n{printed}", step.line, step.script);
        match &step.shown {
            Shown::Nowhere => {}
            Shown::Text { from, to } => {
                let printed: Vec<&str> = printed.trim_end().lines().collect();
                if !fits(&lines[*from..*to], &printed) {
                    differing.push(format!("line {from}: prints\n{}", printed.join("\n")));
                    let written = printed.iter().map(|line| elided(line, &lines[*from..*to]));
                    replaced.push((*from..*to, written.collect()));
                }
            }
            Shown::Picture { file, title } => {
                let command = step.script.lines().last().unwrap().split("   #").next().unwrap();
                assert!(plain(&printed).lines().count() > 5, "{printed}");
                let (svg, path) = (picture(title, command, &printed), docs.join(file));
                if fs::read_to_string(&path).is_ok_and(|there| there == svg) {
                    pictures.push(path);
                    continue;
                }
                differing.push(format!("{file} is another picture"));
                if rewrites {
                    fs::write(&path, svg).unwrap();
                    pictures.push(path);
                }
            }
        }
    }
    // From the end, so that lines keep their numbers.
    for (range, printed) in replaced.into_iter().rev() {
        written.splice(range, printed);
    }
    if rewrites {
        fs::write(&file, written.join("\n") + "\n").unwrap();
    }
    assert!(rewrites || differing.is_empty(), "INSTA_UPDATE=always rewrites it:\n{}", differing.join("\n\n"));
    // The files that the page makes are those that the numbers are checked with.
    for name in ["rules.json", "refunds.cedar"] {
        let made = fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(made, fs::read_to_string(vectors("agent-runs").join(name)).unwrap(), "{name}");
    }
    pictures.sort();
    let mut there: Vec<PathBuf> =
        fs::read_dir(docs.join("tour")).unwrap().map(|entry| entry.unwrap().path()).collect();
    there.sort();
    assert_eq!(pictures, there, "pictures that the page shows, and those that there are");
}

#[test]
fn blocks_are_found_and_compared() {
    let page = "# A\n```sh\na\nb   # exits with 3\n```\n\n```text\nx\n...\nz\n```\n```sh\nc\n```\n\n![T](p.svg)\n\n```sh\nd\n```\n";
    let found = steps(page);
    assert_eq!(found.len(), 3);
    assert_eq!((exit_code(&found[0].script), exit_code(&found[1].script)), (3, 0));
    assert!(matches!(found[0].shown, Shown::Text { from: 7, to: 10 }), "{found:?}");
    assert!(matches!(&found[1].shown, Shown::Picture { file, title } if file == "p.svg" && title == "T"));
    assert!(matches!(found[2].shown, Shown::Nowhere));
    assert!(fits(&["x", "...", "z"], &["x", "z"]) && fits(&["x", "...", "z"], &["x", "y", "y", "z"]));
    assert!(!fits(&["x", "...", "z"], &["x", "z", "y"]) && !fits(&["x"], &[]) && !fits(&[], &["x"]));
    assert_eq!(elided("made 7 in all", &["...", "made ... in ..."]), "made ... in ...");
    assert_eq!(elided("made 7", &["...", "made ... in ..."]), "made 7");
    assert!(fits(&["made ... in ...!"], &["made 7 in all!"]) && !fits(&["made ... in"], &["made 7 in all"]));
}
