//! The system entries that add a key to a ledger's list and retire it: which keys may sign its
//! checkpoints and receipts, and whose signatures of producers count.

use proofline_canon::Value;

use crate::rejection::{SchemaFault, Violation, named};
use crate::walk::{Node, Path, word};
use crate::words::{KeyReference, KeyText, SignatureText};
use crate::write::text;

const SYSTEM_TYPE: &str = "key";
const VERSION: &str = "1";

/// What becomes of the key; the texts are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyEvent {
    /// It counts for entries and checkpoints behind this entry.
    Added,
    /// It counts no more behind this entry, for good.
    Retired,
}

named!(KeyEvent, "an event of a key", {
    Added => "added",
    Retired => "retired",
});

/// A signature of an event by a key that was current.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endorsement {
    /// Which key signed.
    pub key: KeyReference,
    /// Its signature over the statement of the event.
    pub signature: SignatureText,
}

/// An event in the life of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRecord {
    /// The public key in the text form of C2SP signed-note.
    pub key: KeyText,
    /// What becomes of it, and who says so.
    pub change: KeyChange,
}

/// What becomes of a key, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyChange {
    /// [`KeyEvent::Added`].
    Added {
        /// The key's own signature over the statement: whoever adds it holds it.
        signature: SignatureText,
        /// A key that vouches for it; without one it rests on whoever knows it from elsewhere.
        endorsement: Option<Endorsement>,
    },
    /// [`KeyEvent::Retired`], said by a key that is current, perhaps itself.
    Retired(Endorsement),
}

super::identity!(KeyRecord);

impl KeyRecord {
    /// What becomes of the key.
    #[must_use]
    pub const fn event(&self) -> KeyEvent {
        match self.change {
            KeyChange::Added { .. } => KeyEvent::Added,
            KeyChange::Retired(_) => KeyEvent::Retired,
        }
    }

    /// Who else signed.
    #[must_use]
    pub const fn endorsement(&self) -> Option<&Endorsement> {
        match &self.change {
            KeyChange::Added { endorsement, .. } => endorsement.as_ref(),
            KeyChange::Retired(endorsement) => Some(endorsement),
        }
    }

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let head = [
            ("system_type", text(SYSTEM_TYPE)),
            ("version", text(VERSION)),
            ("event", text(self.event())),
            ("key", text(&self.key)),
        ];
        let signature = match &self.change {
            KeyChange::Added { signature, .. } => Some(("signature", text(signature))),
            KeyChange::Retired(_) => None,
        };
        let endorsement = self.endorsement().map(|by| {
            let by = Value::object([("key", text(&by.key)), ("signature", text(&by.signature))]);
            ("endorsement", by)
        });
        Value::object(head.into_iter().chain(signature).chain(endorsement))
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the key record");
        let node = Node { value, path: &path };
        let members =
            node.members(&["system_type", "version", "event", "key"], &["signature", "endorsement"])?;
        members.get("system_type", |node| node.text_const(SYSTEM_TYPE))?;
        members.get("version", |node| node.text_const(VERSION))?;
        let event = members.get("event", |node| node.name(KeyEvent::ALL))?;
        let key = members.get("key", word)?;
        let signature = members.optional("signature", word)?;
        let endorsement = members.optional("endorsement", endorsement)?;
        let missing = |name: &str| {
            let fault = SchemaFault::Required(name.to_owned());
            path.fail(fault, &format!("lacks the member `{name}`, which goes with this event"))
        };
        let change = match (event, signature) {
            (KeyEvent::Added, Some(signature)) => KeyChange::Added { signature, endorsement },
            (KeyEvent::Added, None) => return Err(missing("signature")),
            (KeyEvent::Retired, None) => {
                KeyChange::Retired(endorsement.ok_or_else(|| missing("endorsement"))?)
            }
            (KeyEvent::Retired, Some(_)) => {
                let place = Path::Member(&path, "signature");
                let predicate = "is a member that does not go with this event";
                return Err(place.fail(SchemaFault::AdditionalProperties, predicate));
            }
        };
        Ok(KeyRecord { key, change })
    }
}

fn endorsement(node: Node<'_>) -> Result<Endorsement, Violation> {
    let members = node.members(&["key", "signature"], &[])?;
    Ok(Endorsement { key: members.get("key", word)?, signature: members.get("signature", word)? })
}
