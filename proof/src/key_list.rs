//! The list of keys that a ledger keeps as system entries: which key could sign what at which size,
//! who vouched for it, and the rule by which an event is let in.
//!
//! A key counts for what comes behind its entry and, once retired, never again: a checkpoint of size
//! `n` is good under a log key that the first `n` entries add and do not retire. A log key without an
//! endorsement is a root: it rests on whoever knows it from elsewhere. All others lead to a root.

use proofline_trace::{
    Endorsement, KeyChange, KeyEvent, KeyRecord, KeyReference, KeyText, LedgerId, Origin, SignatureText,
};
use thiserror::Error;

use crate::ids::Seq;
use crate::key::{KeyError, KeyRole, VerifierKey};
use crate::signer::{SignError, Signer, sign_checked};

/// Why an event of a key is not let in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyListError {
    /// No key, or none that is good for anything.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key of a role that a ledger does not list.
    #[error("a {0} key belongs into a policy file, not into a ledger's list")]
    Role(KeyRole),
    /// The key of a log bears another name than the log's origin.
    #[error("a log key is named as its log, {origin}, and this one is named {name}")]
    Name {
        /// The ledger's origin.
        origin: String,
        /// The key's name.
        name: String,
    },
    /// The key is listed; a retired one never comes back.
    #[error("the key {0} is on the list already, or was")]
    Listed(String),
    /// The key to be retired is not current.
    #[error("the key {0} is not current, so it cannot be retired")]
    NotCurrent(String),
    /// The key's own signature does not verify.
    #[error("the key {0} did not sign its own addition")]
    Possession(String),
    /// A key that is no log key needs somebody who vouches for it.
    #[error("a {0} key needs the signature of a current log key")]
    Unendorsed(KeyRole),
    /// Who vouches is no current log key of this ledger.
    #[error("{0} is no current log key of this ledger, so it can vouch for nothing")]
    Endorser(String),
    /// The endorsement does not verify.
    #[error("the signature of {0} over this event does not verify")]
    Endorsement(String),
}

impl KeyListError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            KeyListError::Key(error) => error.code(),
            KeyListError::Role(_) => "keys.role",
            KeyListError::Name { .. } => "keys.name",
            KeyListError::Listed(_) => "keys.listed",
            KeyListError::NotCurrent(_) => "keys.not_current",
            KeyListError::Possession(_) => "keys.possession",
            KeyListError::Unendorsed(_) => "keys.unendorsed",
            KeyListError::Endorser(_) => "keys.endorser",
            KeyListError::Endorsement(_) => "keys.endorsement",
        }
    }
}

/// A key as the list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// The key.
    pub key: VerifierKey,
    /// The entry that adds it.
    pub added: Seq,
    /// The log key that vouched for it, as `name+hex8`; none for a root.
    pub endorsed_by: Option<String>,
    /// The entry that retires it, and the log key that says so.
    pub retired: Option<(Seq, String)>,
}

impl ListedKey {
    /// True when the first `size` entries add the key and do not retire it.
    #[must_use]
    pub fn is_current_at(&self, size: u64) -> bool {
        self.added.get() < size && self.retired.as_ref().is_none_or(|(at, _)| at.get() >= size)
    }
}

/// The keys of a ledger, in the order in which they were added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyList {
    ledger_id: LedgerId,
    origin: Origin,
    keys: Vec<ListedKey>,
}

/// What is signed of an event: by the key that is added, and by whoever vouches.
///
/// Five lines, each ended by a newline: `proofline/key/v1`, `ledger ID`, `origin ORIGIN`, `added` or
/// `retired`, `key KEY`. No checkpoint and no DSSE encoding begins so.
#[must_use]
pub fn key_statement(ledger_id: LedgerId, origin: &Origin, event: KeyEvent, key: &str) -> Vec<u8> {
    format!("proofline/key/v1\nledger {ledger_id}\norigin {origin}\n{event}\nkey {key}\n").into_bytes()
}

impl KeyList {
    /// The list of a ledger that has no keys yet.
    #[must_use]
    pub const fn new(ledger_id: LedgerId, origin: Origin) -> Self {
        KeyList { ledger_id, origin, keys: Vec::new() }
    }

    /// The ledger's origin, which its log keys are named by.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Every key that was ever added.
    #[must_use]
    pub fn all(&self) -> &[ListedKey] {
        &self.keys
    }

    /// The keys of a role that are current for the first `size` entries.
    pub fn current(&self, role: KeyRole, size: u64) -> impl Iterator<Item = &ListedKey> {
        self.keys.iter().filter(move |listed| listed.key.role() == role && listed.is_current_at(size))
    }

    /// The key named `name+hex8`, if it is current for the first `size` entries.
    #[must_use]
    pub fn find(&self, reference: &str, size: u64) -> Option<&ListedKey> {
        self.keys.iter().find(|listed| listed.key.short_name() == reference && listed.is_current_at(size))
    }

    /// Takes in the event of the entry `seq`, if the rule lets it in: this is the gate of key records.
    ///
    /// # Errors
    /// [`KeyListError`]; the list is then as before.
    pub fn apply(&mut self, seq: Seq, record: &KeyRecord) -> Result<(), KeyListError> {
        let key: VerifierKey = record.key.as_str().parse()?;
        let size = seq.get();
        let by = match record.endorsement() {
            Some(endorsement) => Some(self.check_endorsement(record, endorsement, size)?),
            None => None,
        };
        match &record.change {
            KeyChange::Added { signature, .. } => {
                self.check_addition(record, &key, signature, by.is_some())?;
                self.keys.push(ListedKey { key, added: seq, endorsed_by: by, retired: None });
            }
            KeyChange::Retired(_) => {
                let name = key.short_name();
                let not_current = || KeyListError::NotCurrent(name.clone());
                let current = |listed: &&mut ListedKey| listed.key == key && listed.is_current_at(size);
                let listed = self.keys.iter_mut().find(current).ok_or_else(not_current)?;
                listed.retired = by.map(|by| (seq, by));
            }
        }
        Ok(())
    }

    fn check_addition(
        &self,
        record: &KeyRecord,
        key: &VerifierKey,
        signature: &SignatureText,
        is_endorsed: bool,
    ) -> Result<(), KeyListError> {
        match key.role() {
            KeyRole::Log if key.name().as_str() != self.origin.as_str() => {
                let (origin, name) = (self.origin.to_string(), key.name().to_string());
                return Err(KeyListError::Name { origin, name });
            }
            KeyRole::Cose | KeyRole::Dsse | KeyRole::Producer if !is_endorsed => {
                return Err(KeyListError::Unendorsed(key.role()));
            }
            KeyRole::Log | KeyRole::Cose | KeyRole::Dsse | KeyRole::Producer => {}
            role => return Err(KeyListError::Role(role)),
        }
        // The same name and id is the same key to every reader of signatures.
        if self.keys.iter().any(|listed| listed.key.short_name() == key.short_name()) {
            return Err(KeyListError::Listed(key.short_name()));
        }
        let signature = proofline_canon::unbase64(signature.as_str()).unwrap_or_default();
        if !key.verify(&self.statement(record), &signature) {
            return Err(KeyListError::Possession(key.short_name()));
        }
        Ok(())
    }

    fn check_endorsement(
        &self,
        record: &KeyRecord,
        endorsement: &Endorsement,
        size: u64,
    ) -> Result<String, KeyListError> {
        let name = endorsement.key.to_string();
        let endorser = self.find(&name, size).filter(|listed| listed.key.role() == KeyRole::Log);
        let Some(endorser) = endorser else { return Err(KeyListError::Endorser(name)) };
        let signature = proofline_canon::unbase64(endorsement.signature.as_str()).unwrap_or_default();
        if !endorser.key.verify(&self.statement(record), &signature) {
            return Err(KeyListError::Endorsement(name));
        }
        Ok(name)
    }

    fn statement(&self, record: &KeyRecord) -> Vec<u8> {
        key_statement(self.ledger_id, &self.origin, record.event(), record.key.as_str())
    }

    /// The record that adds a key, vouched for by a current log key or by nobody.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn addition(&self, key: &dyn Signer, endorser: Option<&dyn Signer>) -> Result<KeyRecord, SignError> {
        let text = key_text(key.verifier())?;
        let statement = key_statement(self.ledger_id, &self.origin, KeyEvent::Added, text.as_str());
        let signature = signature_text(key, &statement)?;
        let endorsement = endorser.map(|endorser| endorse(endorser, &statement)).transpose()?;
        Ok(KeyRecord { key: text, change: KeyChange::Added { signature, endorsement } })
    }

    /// The record that retires a key, said by a current log key.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn retirement(&self, key: &VerifierKey, endorser: &dyn Signer) -> Result<KeyRecord, SignError> {
        let text = key_text(key)?;
        let statement = key_statement(self.ledger_id, &self.origin, KeyEvent::Retired, text.as_str());
        Ok(KeyRecord { key: text, change: KeyChange::Retired(endorse(endorser, &statement)?) })
    }

    /// The part of the list that rests on these keys: each of them, each key that one of those
    /// vouched for while it was current, and the retirements that they said. What others added or
    /// retired is left out, so nobody takes over a ledger by adding a key of their own.
    #[must_use]
    pub fn resting_on(&self, roots: &[VerifierKey]) -> KeyList {
        let mut trusted: Vec<ListedKey> = Vec::new();
        let is_trusted = |trusted: &[ListedKey], by: &str, size: u64| {
            trusted.iter().any(|listed| listed.key.short_name() == by && listed.is_current_at(size))
        };
        // Events in the order of their entries: an addition and a retirement are two of them.
        let additions = self.keys.iter().map(|listed| (listed.added, listed, None));
        let retirements = self
            .keys
            .iter()
            .filter_map(|listed| Some((listed.retired.as_ref()?.0, listed, listed.retired.as_ref())));
        let mut events: Vec<_> = additions.chain(retirements).collect();
        events.sort_by_key(|(seq, ..)| *seq);
        for (seq, listed, retired) in events {
            match retired {
                None => {
                    let vouched = listed.endorsed_by.as_deref();
                    let is_in = roots.contains(&listed.key)
                        || vouched.is_some_and(|by| is_trusted(&trusted, by, seq.get()));
                    if is_in {
                        trusted.push(ListedKey { retired: None, ..listed.clone() });
                    }
                }
                Some((_, by)) if is_trusted(&trusted, by, seq.get()) => {
                    let found = trusted.iter_mut().find(|other| other.key == listed.key);
                    found.into_iter().for_each(|other| other.retired.clone_from(&listed.retired));
                }
                Some(_) => {}
            }
        }
        KeyList { keys: trusted, ..self.clone() }
    }
}

fn endorse(endorser: &dyn Signer, statement: &[u8]) -> Result<Endorsement, SignError> {
    let verifier = endorser.verifier();
    if verifier.role() != KeyRole::Log {
        return Err(SignError::Role { key: verifier.short_name(), found: verifier.role(), wanted: "log" });
    }
    let key = KeyReference::new(&verifier.short_name()).map_err(|error| unfit(verifier, &error))?;
    Ok(Endorsement { key, signature: signature_text(endorser, statement)? })
}

fn key_text(key: &VerifierKey) -> Result<KeyText, SignError> {
    KeyText::new(&key.to_string()).map_err(|error| unfit(key, &error))
}

fn signature_text(signer: &dyn Signer, statement: &[u8]) -> Result<SignatureText, SignError> {
    let signature = proofline_canon::base64(&sign_checked(signer, statement)?);
    SignatureText::new(&signature).map_err(|error| unfit(signer.verifier(), &error))
}

fn unfit(key: &VerifierKey, error: &proofline_trace::WordError) -> SignError {
    SignError::Unavailable { key: key.short_name(), reason: error.to_string() }
}
