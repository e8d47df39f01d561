//! A tool that is a program of the system: the request on its standard input, the response on its standard
//! output. Here stands what a replay itself must not touch: processes, a clock for the limit, a folder.
//!
//! Each run begins in an empty folder that goes away, in an environment of five fixed variables, in a process
//! group of its own, which is killed at the end. On Linux it has a network of its own without any
//! interface where the system lets users make one (`unshare` of util-linux), and then processes of its own
//! too, none of which outlives it. Nothing else is cut off: it reads the files that its user can read.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use proofline_canon::{Profile, Sha256Digest, Value};
use proofline_replay::{Tool, ToolFault};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use thiserror::Error;

/// How long one waits before looking again whether a program has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Why a command cannot be a tool.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It has no words.
    #[error("the command has no words")]
    Empty,
    /// There is no such program.
    #[error("there is no program {0:?}")]
    NoProgram(String),
    /// The program, or a file that an argument names, cannot be read.
    #[error("cannot read {path}, which the command names: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl CommandError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "tools.command",
            Self::NoProgram(_) => "tools.no_program",
            Self::Unreadable { .. } => "tools.unreadable",
        }
    }
}

/// What one run of a command may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandLimits {
    /// Time until its output and itself have ended.
    pub time: Duration,
    /// The length of its answer in bytes.
    pub answer_bytes: u64,
}

impl Default for CommandLimits {
    /// Ten seconds and a mebibyte.
    fn default() -> Self {
        Self { time: Duration::from_secs(10), answer_bytes: 1 << 20 }
    }
}

/// A program that runs a tool again.
///
/// ```
/// use proofline::replay::Tool;
/// use proofline::{CommandLimits, CommandTool};
///
/// let sort = CommandTool::new("sort -r", CommandLimits::default())?;
/// assert_eq!(sort.run(b"a\nb\n")?, b"b\na\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct CommandTool {
    program: PathBuf,
    arguments: Vec<String>,
    limits: CommandLimits,
    version: String,
}

impl CommandTool {
    /// A command, split on blanks: no shell reads it. A program without a slash is looked for in `PATH`. As the
    /// command runs in an empty folder, files in its arguments are to be named by absolute paths.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn new(command: &str, limits: CommandLimits) -> Result<Self, CommandError> {
        let mut words = command.split_ascii_whitespace().map(str::to_owned);
        let program = found(&words.next().ok_or(CommandError::Empty)?)?;
        let arguments: Vec<String> = words.collect();
        let version = version(&program, &arguments)?;
        Ok(Self { program, arguments, limits, version })
    }

    /// Whether commands have no network: the system lets `unshare` give them an empty one.
    #[must_use]
    pub fn has_no_network() -> bool {
        unshare().is_some()
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = match unshare() {
            Some(unshare) => {
                let mut command = Command::new(unshare);
                // The first process of its kind is deaf to signals of its own, so that is not the program.
                command.args(APART).arg(unshare).args(["--fork", "--"]).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.args(&self.arguments).current_dir(folder).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.env("HOME", folder).env("TMPDIR", folder).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    fn late(&self) -> ToolFault {
        ToolFault::Time { seconds: self.limits.time.as_secs() }
    }
}

impl Tool for CommandTool {
    /// SHA-256 over the program, its arguments, and the content of files that they name by absolute paths.
    fn version(&self) -> String {
        self.version.clone()
    }

    fn run(&self, request: &[u8]) -> Result<Vec<u8>, ToolFault> {
        let start = |error: io::Error| ToolFault::Start(error.to_string());
        let folder = tempfile::Builder::new().prefix("proofline-tool-").tempdir().map_err(start)?;
        let end = Instant::now() + self.limits.time;
        let mut running = Running(self.command(folder.path()).spawn().map_err(start)?);
        running.feed(request.to_vec());
        let most_bytes = self.limits.answer_bytes;
        let answers = running.answer(most_bytes);
        let answer = running.heard(&answers, end).map_err(start)?.ok_or_else(|| self.late())?;
        let answer = answer.map_err(|error| ToolFault::Failed(error.to_string()))?;
        if answer.len() as u64 > most_bytes {
            return Err(ToolFault::Length { most_bytes });
        }
        running.wait(end).map_err(start)?.then_some(()).ok_or_else(|| self.late())?;
        let status = running.end().map_err(start)?;
        match status.success() {
            true => Ok(answer),
            false => Err(ToolFault::Failed(format!("it ended with {status}"))),
        }
    }
}

fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

/// A program that runs; its whole group is killed when this goes.
struct Running(Child);

impl Running {
    /// Writes the request beside everything else: who does not read it may answer all the same.
    fn feed(&mut self, request: Vec<u8>) {
        if let Some(mut stdin) = self.0.stdin.take() {
            std::thread::spawn(move || stdin.write_all(&request));
        }
    }

    /// The answer, once its end is there; one byte more than allowed is enough to refuse it.
    fn answer(&mut self, most_bytes: u64) -> mpsc::Receiver<io::Result<Vec<u8>>> {
        let (sender, receiver) = mpsc::channel();
        if let Some(stdout) = self.0.stdout.take() {
            std::thread::spawn(move || {
                let mut answer = Vec::new();
                let read = stdout.take(most_bytes.saturating_add(1)).read_to_end(&mut answer);
                // Nobody listens any more when the time was over.
                let _ = sender.send(read.map(|_| answer));
            });
        }
        receiver
    }

    /// The answer, if its end comes in time. The program's end is the end of it: what it started and left
    /// behind is killed, and can keep nobody waiting.
    fn heard<T>(&self, answers: &mpsc::Receiver<T>, end: Instant) -> io::Result<Option<T>> {
        while !left(end).is_zero() {
            match answers.recv_timeout(LOOK_AGAIN) {
                Ok(answer) => return Ok(Some(answer)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) if self.has_ended()? => {
                    self.kill();
                    return Ok(answers.recv_timeout(left(end)).ok());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Ok(None)
    }

    /// Whether the program ended in time.
    fn wait(&self, end: Instant) -> io::Result<bool> {
        while !self.has_ended()? {
            if left(end).is_zero() {
                return Ok(false);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(true)
    }

    /// It is left to be reaped, so that its number stays its group's.
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(Pid::from_child(&self.0)), options)?.is_some())
    }

    fn kill(&self) {
        // The group is gone where there is nothing to kill.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
    }

    /// Kills what the program left behind in its group, and reaps the program.
    fn end(&mut self) -> io::Result<std::process::ExitStatus> {
        self.kill();
        self.0.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once reaped, its number may be another's.
        if matches!(self.0.try_wait(), Ok(None)) {
            self.kill();
            let _ = self.0.wait();
        }
    }
}

/// Namespaces of its own for the network and the processes, which end with the first of them.
const APART: [&str; 6] = ["--net", "--map-root-user", "--pid", "--fork", "--kill-child", "--"];

/// `unshare`, where it gives a program no network; asked once.
fn unshare() -> Option<&'static Path> {
    static UNSHARE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let works = |unshare: &PathBuf| {
        let mut probe = Command::new(unshare);
        probe.args(APART).arg(unshare).arg("--version").env_clear();
        probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    };
    let places = || ["/usr/bin/unshare", "/bin/unshare"].map(PathBuf::from);
    let found = || if cfg!(target_os = "linux") { places().into_iter().find(works) } else { None };
    UNSHARE.get_or_init(found).as_deref()
}

/// The program of this name, as an absolute path.
fn found(program: &str) -> Result<PathBuf, CommandError> {
    let missing = || CommandError::NoProgram(program.to_owned());
    let folders = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
    let path = match program.contains('/') {
        true => Some(PathBuf::from(program)),
        false => {
            std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
        }
    };
    let path = path.filter(|path| path.is_file()).ok_or_else(missing)?;
    std::path::absolute(&path).map_err(|source| CommandError::Unreadable { path, source })
}

fn version(program: &Path, arguments: &[String]) -> Result<String, CommandError> {
    let sha256 = |path: &Path| {
        let bytes = std::fs::read(path);
        let bytes = bytes.map_err(|source| CommandError::Unreadable { path: path.to_owned(), source });
        bytes.map(|bytes| Sha256Digest::of(&bytes).to_string())
    };
    let mut parts = vec![sha256(program)?];
    for argument in arguments {
        let path = Path::new(argument);
        let is_file = path.is_absolute() && path.is_file();
        parts.push(if is_file { sha256(path)? } else { argument.clone() });
    }
    let parts = Value::array(parts).to_canonical(Profile::Envelope).unwrap_or_default();
    Ok(format!("command:{}", Sha256Digest::of(&parts)))
}
