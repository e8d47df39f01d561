//! Deterministic tools, run again: a [`Tool`] gets the request that a call recorded and must give the
//! response that it recorded. Forensic replay alone does so, after every other check of the trace held,
//! and only for tools that somebody registered: nothing is run that was not asked for.

pub(crate) mod again;
mod calculator;
mod expression;
mod json;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use proofline_trace::{Token, ToolRef};
use thiserror::Error;

pub use again::OutputDifference;
pub use calculator::Calculator;
pub use json::JsonTransform;

/// What runs a deterministic tool again.
///
/// Replays of several traces call it from several threads at once. The same request has one answer for ever,
/// as long as the version is the same.
pub trait Tool: Send + Sync + fmt::Debug {
    /// Its version, as sealed verdicts cite it: another version may answer otherwise.
    fn version(&self) -> String;

    /// The response to a request, both as payload bytes.
    ///
    /// # Errors
    /// [`ToolFault`]: there is no answer, and the replay of the trace fails. What the recorded tool answered
    /// with, an error message included, is no fault but the response.
    fn run(&self, request: &[u8]) -> Result<Vec<u8>, ToolFault>;
}

/// Why a tool gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ToolFault {
    /// The request is none that the handler knows the answer to.
    #[error("the request is none that it can answer: {0}")]
    Request(String),
    /// The handler came to no answer.
    #[error("it failed: {0}")]
    Failed(String),
    /// The handler could not be started.
    #[error("it could not be started: {0}")]
    Start(String),
    /// The handler took longer than it may.
    #[error("it gave no answer within {seconds} s")]
    Time {
        /// The limit.
        seconds: u64,
    },
    /// The answer is longer than it may be.
    #[error("its answer is longer than {most_bytes} bytes")]
    Length {
        /// The limit.
        most_bytes: u64,
    },
    /// The handler panicked.
    #[error("it panicked: {0}")]
    Panicked(String),
}

impl ToolFault {
    /// The stable code of this fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Request(_) => "tool.request",
            Self::Failed(_) => "tool.failed",
            Self::Start(_) => "tool.start",
            Self::Time { .. } => "tool.time",
            Self::Length { .. } => "tool.length",
            Self::Panicked(_) => "tool.panicked",
        }
    }
}

/// Which calls a handler is for: `tool_name`, or `adapter_id/tool_name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolName {
    /// The adapter; none for any.
    pub adapter_id: Option<Token>,
    /// The tool.
    pub tool_name: Token,
}

impl fmt::Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.adapter_id {
            Some(adapter_id) => write!(f, "{adapter_id}/{}", self.tool_name),
            None => write!(f, "{}", self.tool_name),
        }
    }
}

impl FromStr for ToolName {
    type Err = ToolsError;

    fn from_str(text: &str) -> Result<Self, ToolsError> {
        let token = |word: &str| Token::new(word).map_err(|_| ToolsError::Name(text.to_owned()));
        let (adapter_id, tool_name) = match text.split_once('/') {
            Some((adapter_id, tool_name)) => (Some(token(adapter_id)?), tool_name),
            None => (None, text),
        };
        Ok(Self { adapter_id, tool_name: token(tool_name)? })
    }
}

/// Why a handler was not registered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ToolsError {
    /// No name of a tool.
    #[error("{0:?} is no name of a tool: a tool_name, or adapter_id/tool_name, as records have them")]
    Name(String),
    /// A second handler for the same name.
    #[error("there are two handlers for {0}")]
    Twice(ToolName),
    /// No handler of this name is shipped.
    #[error("{0:?} is no handler that is shipped; there are {names}", names = shipped())]
    Shipped(String),
}

impl ToolsError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "tools.name",
            Self::Twice(_) => "tools.twice",
            Self::Shipped(_) => "tools.shipped",
        }
    }
}

fn shipped() -> String {
    Tools::SHIPPED.join(", ")
}

/// The handlers that a replay may run.
///
/// ```
/// use proofline_replay::{Calculator, Tools};
///
/// let mut tools = Tools::default();
/// tools.register("calculate".parse()?, Calculator)?; // of any adapter
/// tools.register_shipped("desk/sort".parse()?, "json-sort")?; // of this one
/// # Ok::<(), proofline_replay::ToolsError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Tools {
    handlers: BTreeMap<ToolName, Arc<dyn Tool>>,
}

impl Tools {
    /// The names of the handlers that are shipped.
    pub const SHIPPED: [&'static str; 5] =
        ["calculator", "json-canonical", "json-merge-patch", "json-pick", "json-sort"];

    /// Takes a handler for the calls of this name.
    ///
    /// # Errors
    /// [`ToolsError::Twice`].
    pub fn register(&mut self, name: ToolName, tool: impl Tool + 'static) -> Result<(), ToolsError> {
        self.take(name, Arc::new(tool))
    }

    /// Takes a shipped handler, one of [`Tools::SHIPPED`], for the calls of this name.
    ///
    /// # Errors
    /// [`ToolsError::Twice`], [`ToolsError::Shipped`].
    pub fn register_shipped(&mut self, name: ToolName, shipped: &str) -> Result<(), ToolsError> {
        let tool: Arc<dyn Tool> = match shipped {
            "calculator" => Arc::new(Calculator),
            "json-canonical" => Arc::new(JsonTransform::Canonical),
            "json-merge-patch" => Arc::new(JsonTransform::MergePatch),
            "json-pick" => Arc::new(JsonTransform::Pick),
            "json-sort" => Arc::new(JsonTransform::Sort),
            other => return Err(ToolsError::Shipped(other.to_owned())),
        };
        self.take(name, tool)
    }

    fn take(&mut self, name: ToolName, tool: Arc<dyn Tool>) -> Result<(), ToolsError> {
        if self.handlers.contains_key(&name) {
            return Err(ToolsError::Twice(name));
        }
        self.handlers.insert(name, tool);
        Ok(())
    }

    /// The handler for a call of this tool: one that names its adapter comes before one for any.
    #[must_use]
    pub fn of(&self, called: &ToolRef) -> Option<&dyn Tool> {
        let name = |adapter_id| ToolName { adapter_id, tool_name: called.tool_name.clone() };
        let exact = self.handlers.get(&name(Some(called.adapter_id.clone())));
        exact.or_else(|| self.handlers.get(&name(None))).map(|tool| &**tool)
    }

    /// Takes the handler that another registry has for this very tool, and gives its version.
    pub(crate) fn take_from(
        &mut self,
        other: &Self,
        adapter_id: &Token,
        tool_name: &Token,
    ) -> Option<String> {
        let name = |adapter_id| ToolName { adapter_id, tool_name: tool_name.clone() };
        let exact = name(Some(adapter_id.clone()));
        let tool = other.handlers.get(&exact).or_else(|| other.handlers.get(&name(None)))?;
        self.handlers.insert(exact, Arc::clone(tool));
        Some(tool.version())
    }

    /// Each handler's name and version, by name.
    pub fn versions(&self) -> impl Iterator<Item = (&ToolName, String)> {
        self.handlers.iter().map(|(name, tool)| (name, tool.version()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.handlers.is_empty()
    }
}
