//! What the program's exit code says. The numbers are stable; docs/cli.md lists them.

use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: all well.
    Ok,
    /// 1: a verdict failed, a finding was asked to fail the run, the gate refused and kept an attempt of a
    /// `commit`, `canon --check` met bytes that are not canonical, `diff` found a difference, or `decide` says deny.
    Failed,
    /// 2: the command line makes no sense.
    Usage,
    /// 3: the log is damaged.
    DamagedLedger,
    /// 4: something that was handed in cannot be used: a line that is no evidence, an unreadable file, a folder
    /// that is no ledger, an id that is not there.
    BadInput,
    /// 5: the log is sound, and a file that is derived from it is missing or damaged.
    DerivedDamaged,
    /// 6: the system refused: a full disk, a read-only folder, an I/O error, a closed output.
    SystemRefused,
    /// 7: a fault of this program.
    Internal,
    /// 8: entries are missing: a gap, a cut, or another history than was published or signed.
    Incomplete,
    /// 9: a signature, a key or a proof is not what it has to be.
    Unauthentic,
    /// 10: a payload that was erased is there, or an erasure, hold or release was not allowed.
    NotErased,
    /// 130: a batch job was stopped by SIGINT, and can be resumed.
    Interrupted,
    /// 143: a batch job was stopped by SIGTERM, and can be resumed.
    Terminated,
}

impl Exit {
    /// The number.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::DamagedLedger => 3,
            Self::BadInput => 4,
            Self::DerivedDamaged => 5,
            Self::SystemRefused => 6,
            Self::Internal => 7,
            Self::Incomplete => 8,
            Self::Unauthentic => 9,
            Self::NotErased => 10,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// `exit` where the condition holds, else [`Exit::Ok`].
    pub(crate) const fn when(condition: bool, exit: Self) -> Self {
        if condition { exit } else { Self::Ok }
    }

    /// The first of these that is not [`Exit::Ok`].
    pub(crate) fn first(exits: impl IntoIterator<Item = Self>) -> Self {
        exits.into_iter().find(|exit| *exit != Self::Ok).unwrap_or(Self::Ok)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
