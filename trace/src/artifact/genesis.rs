//! The first entry of every ledger: which ledger this is, and in which format it is written.

use proofline_canon::Value;

use crate::ids::LedgerId;
use crate::phrase;
use crate::rejection::{ErrorKind, SchemaFault, Violation};
use crate::walk::{Node, Path, word};
use crate::words::Origin;
use crate::write::text;

const SYSTEM_TYPE: &str = "genesis";
const VERSION: &str = "1";

/// The genesis record of a ledger of format version 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GenesisRecord {
    /// The ledger.
    pub ledger_id: LedgerId,
    /// The origin its checkpoints carry.
    pub origin: Origin,
}

super::identity!(GenesisRecord);

impl GenesisRecord {
    /// The version of headers and frames that a ledger of this record has.
    pub const FORMAT_VERSION: u64 = 0;

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("system_type", text(SYSTEM_TYPE)),
            ("version", text(VERSION)),
            ("format_version", Self::FORMAT_VERSION.into()),
            ("ledger_id", text(self.ledger_id)),
            ("origin", text(&self.origin)),
        ])
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first violation of the schema; a ledger of another format version is `const` at `/format_version`.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the genesis record");
        let required = ["system_type", "version", "format_version", "ledger_id", "origin"];
        let members = Node { value, path: &path }.members(&required, &[])?;
        members.get("system_type", |node| node.text_const(SYSTEM_TYPE))?;
        members.get("version", |node| node.text_const(VERSION))?;
        members.get("format_version", format_version)?;
        Ok(Self { ledger_id: members.get("ledger_id", word)?, origin: members.get("origin", word)? })
    }
}

/// A typed const: what is no integer is `type`, every other integer `const`.
fn format_version(node: Node<'_>) -> Result<(), Violation> {
    match node.integer() {
        Ok(GenesisRecord::FORMAT_VERSION) => Ok(()),
        Err(violation) if violation.kind == ErrorKind::SchemaViolation(SchemaFault::Type) => Err(violation),
        _ => {
            let found = phrase::found(node.value);
            Err(node.fail(SchemaFault::Const, &format!("is {found}; this program reads format version 0")))
        }
    }
}
