//! The tools that `proofline replay` runs again, by name.

use std::time::Duration;

use proofline::replay::{Tools, ToolsError};
use proofline::{CommandError, CommandLimits, CommandTool};

use super::error::CliError;
use super::exit::Exit;
use super::output::{Format, note};

/// What stands before the name of a handler that is shipped.
const SHIPPED: &str = "builtin:";

/// Which tool calls are run again, and by what.
#[derive(clap::Args)]
pub(crate) struct ToolArgs {
    /// Run the calls of a tool again, by a command, or by builtin:calculator, builtin:json-canonical,
    /// builtin:json-merge-patch, builtin:json-pick, builtin:json-sort; NAME is a tool_name, or
    /// adapter_id/tool_name; may be given several times
    #[arg(long = "tool", value_name = "NAME=COMMAND")]
    tools: Vec<String>,
    /// The time that one run of a command may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    tool_seconds: u64,
    /// The length that the answer of a command may have
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    tool_bytes: u64,
}

/// Why a tool is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolTrouble {
    /// Its name, or that of a shipped handler.
    #[error(transparent)]
    Name(#[from] ToolsError),
    /// Its command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// No name and command.
    #[error("a tool is given as NAME=COMMAND, and this has no `=`")]
    NoCommand,
}

impl ToolTrouble {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Name(error) => error.code(),
            Self::Command(error) => error.code(),
            Self::NoCommand => "tools.form",
        }
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Name(_) | Self::NoCommand | Self::Command(CommandError::Empty) => Exit::Usage,
            Self::Command(_) => Exit::BadInput,
        }
    }

    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::Name(ToolsError::Twice(_)) => "give one handler for each name",
            Self::Name(_) | Self::NoCommand | Self::Command(CommandError::Empty) => {
                "write it like calculate=builtin:calculator, or desk/sum=/opt/tools/sum"
            }
            Self::Command(_) => {
                "name a program that this user can read and run, by its path or as PATH has it"
            }
        }
    }
}

impl ToolArgs {
    pub(crate) const fn is_given(&self) -> bool {
        !self.tools.is_empty()
    }

    /// The handlers. Says once where commands are not cut off from the network.
    pub(crate) fn registry(&self, format: Format) -> Result<Tools, CliError> {
        let mut tools = Tools::default();
        let mut has_commands = false;
        for given in &self.tools {
            has_commands |= self.take(&mut tools, given)?;
        }
        if has_commands && !CommandTool::has_no_network() {
            let message =
                "commands given with --tool can reach the network: this system gives them none of their own";
            note(format, "tools.network", message);
        }
        Ok(tools)
    }

    /// Whether it is a command.
    fn take(&self, tools: &mut Tools, given: &str) -> Result<bool, ToolTrouble> {
        let (name, command) = given.split_once('=').ok_or(ToolTrouble::NoCommand)?;
        let name = name.parse()?;
        if let Some(shipped) = command.strip_prefix(SHIPPED) {
            tools.register_shipped(name, shipped)?;
            return Ok(false);
        }
        let limits =
            CommandLimits { time: Duration::from_secs(self.tool_seconds), answer_bytes: self.tool_bytes };
        tools.register(name, CommandTool::new(command, limits)?)?;
        Ok(true)
    }
}
