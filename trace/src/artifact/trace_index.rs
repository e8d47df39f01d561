//! The system entries by which a log says which traces it holds, so that a holder of some entries of
//! a trace can be shown that there are no others.

use proofline_canon::{Sha256Digest, Value};

use crate::rejection::Violation;
use crate::walk::{Node, Path, digest, safe_int};
use crate::words::SafeInt;
use crate::write::{integer, text};

const SYSTEM_TYPE: &str = "trace_index";
const VERSION: &str = "1";

/// What an index entry says of the entries from [`from`](Self::from) up to itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceIndexRecord {
    /// The seq of the first entry that it covers: 0, or that of an earlier index entry.
    pub from: SafeInt,
    /// How many key entries the whole log has below this entry.
    pub keys: SafeInt,
    /// The root of the tree over one leaf for each trace, ascending by id.
    pub root: Sha256Digest,
    /// How many traces there are.
    pub traces: SafeInt,
}

super::identity!(TraceIndexRecord);

impl TraceIndexRecord {
    /// The member `system_type` of such an entry.
    pub const SYSTEM_TYPE: &str = SYSTEM_TYPE;

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("system_type", text(SYSTEM_TYPE)),
            ("version", text(VERSION)),
            ("from", integer(self.from)),
            ("keys", integer(self.keys)),
            ("root", text(self.root)),
            ("traces", integer(self.traces)),
        ])
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the index entry");
        let required = ["system_type", "version", "from", "keys", "root", "traces"];
        let members = Node { value, path: &path }.members(&required, &[])?;
        members.get("system_type", |node| node.text_const(SYSTEM_TYPE))?;
        members.get("version", |node| node.text_const(VERSION))?;
        Ok(TraceIndexRecord {
            from: members.get("from", safe_int)?,
            keys: members.get("keys", safe_int)?,
            root: members.get("root", digest)?,
            traces: members.get("traces", safe_int)?,
        })
    }
}
