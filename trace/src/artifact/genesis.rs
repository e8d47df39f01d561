//! The first entry of every ledger: which ledger this is, and in which format it is written.

use proofline_canon::Value;

use crate::ids::LedgerId;
use crate::rejection::{ErrorKind, SchemaFault, Violation};
use crate::walk::{Node, Path, word};
use crate::words::Origin;
use crate::write::text;

const SYSTEM_TYPE: &str = "genesis";
const VERSION: &str = "1";

/// The genesis record of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GenesisRecord {
    /// The version of the ledger's headers and frames, one of [`GenesisRecord::FORMAT_VERSIONS`].
    pub format_version: u64,
    /// The ledger.
    pub ledger_id: LedgerId,
    /// The origin its checkpoints carry.
    pub origin: Origin,
}

super::identity!(GenesisRecord);

impl GenesisRecord {
    /// The versions of headers and frames that there are, oldest first.
    pub const FORMAT_VERSIONS: [u64; 2] = [0, 1];

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("system_type", text(SYSTEM_TYPE)),
            ("version", text(VERSION)),
            ("format_version", self.format_version.into()),
            ("ledger_id", text(self.ledger_id)),
            ("origin", text(&self.origin)),
        ])
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first violation of the schema; a ledger of another format version is `enum` at `/format_version`.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the genesis record");
        let required = ["system_type", "version", "format_version", "ledger_id", "origin"];
        let members = Node { value, path: &path }.members(&required, &[])?;
        members.get("system_type", |node| node.text_const(SYSTEM_TYPE))?;
        members.get("version", |node| node.text_const(VERSION))?;
        let format_version = members.get("format_version", format_version)?;
        Ok(Self {
            format_version,
            ledger_id: members.get("ledger_id", word)?,
            origin: members.get("origin", word)?,
        })
    }
}

/// A typed enum: what is no integer is `type`, every other integer `enum`.
fn format_version(node: Node<'_>) -> Result<u64, Violation> {
    match node.integer() {
        Ok(version) if GenesisRecord::FORMAT_VERSIONS.contains(&version) => Ok(version),
        Err(violation) if violation.kind == ErrorKind::SchemaViolation(SchemaFault::Type) => Err(violation),
        _ => Err(node.not_one_of(&GenesisRecord::FORMAT_VERSIONS)),
    }
}
