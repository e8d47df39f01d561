//! Whom a verifier believes (C2SP tlog-policy): the keys of logs, the keys of witnesses, and how many
//! witnesses have to agree. [`Policy::verify`] is the way from bytes to a checkpoint.

mod parse;
mod verify;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::key::{KeyError, KeyId, KeyRole, VerifierKey};

pub use parse::MAX_POLICY_BYTES;
pub use verify::{CheckpointError, Cosigned, VerifiedCheckpoint};

/// What is wrong with a line of a policy, or with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// More than [`MAX_POLICY_BYTES`].
    #[error("the policy is longer than 1 MiB")]
    TooLong,
    /// An octet other than tab, space and what is printed, or UTF-8 beyond ASCII.
    #[error("a control character stands here")]
    Octet,
    /// A last line without its newline.
    #[error("the last line does not end in a newline; the file may have been cut")]
    Unfinished,
    /// A first item that is no keyword.
    #[error("a line begins with log, witness, group, quorum or #")]
    Keyword,
    /// More or fewer items than the line has.
    #[error("this line has too many items, or too few")]
    Items,
    /// A key that cannot be used.
    #[error("the key: {0}")]
    Key(#[from] KeyError),
    /// A key that is not made for this part: a log's is of type 01 or 06, a witness's of type 04 or 06.
    #[error("a {0} key has no place here")]
    Role(KeyRole),
    /// The same public key for two logs, or for two witnesses.
    #[error("another line has the same public key")]
    SameKey,
    /// Two keys that a signature line cannot tell apart.
    #[error("another key has the same name and id")]
    Ambiguous,
    /// A name that is defined already, or `none`.
    #[error("the name is taken")]
    NameTaken,
    /// A member or quorum that no earlier line defines, or `none` as a member.
    #[error("no earlier line defines this name")]
    Undefined,
    /// A member for the second time, in this group or another.
    #[error("a name can be a member only once in the whole policy")]
    MemberTwice,
    /// A number of members that is not between 1 and what there are.
    #[error("a group asks for all, any, or a number from 1 to that of its members")]
    Threshold,
    /// A second quorum line.
    #[error("a policy has one quorum line, and this is another")]
    SecondQuorum,
    /// None.
    #[error("the policy has no quorum line")]
    NoQuorum,
}

impl PolicyFault {
    /// The stable code of this fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            PolicyFault::TooLong => "policy.too_long",
            PolicyFault::Octet => "policy.octet",
            PolicyFault::Unfinished => "policy.unfinished",
            PolicyFault::Keyword => "policy.keyword",
            PolicyFault::Items => "policy.items",
            PolicyFault::Key(error) => error.code(),
            PolicyFault::Role(_) => "policy.role",
            PolicyFault::SameKey => "policy.same_key",
            PolicyFault::Ambiguous => "policy.ambiguous",
            PolicyFault::NameTaken => "policy.name_taken",
            PolicyFault::Undefined => "policy.undefined",
            PolicyFault::MemberTwice => "policy.member_twice",
            PolicyFault::Threshold => "policy.threshold",
            PolicyFault::SecondQuorum => "policy.second_quorum",
            PolicyFault::NoQuorum => "policy.no_quorum",
        }
    }
}

/// Why there is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{unit} {at} of the policy: {fault}")]
pub struct PolicyError {
    unit: &'static str,
    at: usize,
    fault: PolicyFault,
}

impl PolicyError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// The line, or the key of [`Policy::of_keys`], counted from 1.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// What is wrong there.
    #[must_use]
    pub const fn fault(&self) -> PolicyFault {
        self.fault
    }
}

/// A log or a witness of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyKey {
    name: Box<[u8]>,
    key: VerifierKey,
    url: Option<Box<[u8]>>,
}

impl PolicyKey {
    /// The name that the policy gives a witness, any octets; for a log its origin.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The public key. That of a log has the origin as its name.
    #[must_use]
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The URL that the policy gives, unread.
    #[must_use]
    pub fn url(&self) -> Option<&[u8]> {
        self.url.as_deref()
    }
}

/// A log or a witness, by its place in the policy.
#[derive(Clone, Copy, Debug)]
enum Party {
    Log(usize),
    Witness(usize),
}

/// What a name stands for; a group's members are earlier nodes.
#[derive(Clone, Debug)]
enum Node {
    Witness(usize),
    Group { threshold: usize, members: Vec<usize> },
}

/// The keys that a verifier was given, and the quorum of witnesses it asks for.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    logs: Vec<PolicyKey>,
    witnesses: Vec<PolicyKey>,
    nodes: Vec<Node>,
    /// The node that must hold; none where no witness is asked for.
    quorum: Option<usize>,
    parties: BTreeMap<(String, KeyId), Party>,
    /// Public keys, by whether a log has them.
    public_keys: BTreeSet<(bool, Box<[u8]>)>,
}

impl Policy {
    /// A policy of these keys of logs and witnesses. It asks for no witness, but refuses what a
    /// witness it knows did not sign.
    ///
    /// # Errors
    /// [`PolicyError`]: a key that is neither a log's nor a witness's, or one given twice.
    pub fn of_keys(keys: Vec<VerifierKey>) -> Result<Self, PolicyError> {
        let mut policy = Policy::default();
        for (at, key) in keys.into_iter().enumerate() {
            let name = key.name().as_str().as_bytes().into();
            let party = PolicyKey { name, key, url: None };
            let added = match party.key.role() {
                KeyRole::Log => policy.add_log(party),
                _ => policy.add_witness(party),
            };
            added.map_err(|fault| PolicyError { unit: "key", at: at + 1, fault })?;
        }
        Ok(policy)
    }

    /// This policy with more keys of logs, such as those that a ledger's list vouches for; keys that it
    /// has already are passed over.
    ///
    /// # Errors
    /// [`PolicyError`]: a key that is no log's, or one that cannot be told from another.
    pub fn with_logs(mut self, keys: impl IntoIterator<Item = VerifierKey>) -> Result<Self, PolicyError> {
        for (at, key) in keys.into_iter().enumerate() {
            if self.logs.iter().any(|log| log.key == key) {
                continue;
            }
            let name = key.name().as_str().as_bytes().into();
            let added = self.add_log(PolicyKey { name, key, url: None });
            added.map_err(|fault| PolicyError { unit: "key", at: at + 1, fault })?;
        }
        Ok(self)
    }

    /// The logs, in order.
    #[must_use]
    pub fn logs(&self) -> &[PolicyKey] {
        &self.logs
    }

    /// The witnesses, in order.
    #[must_use]
    pub fn witnesses(&self) -> &[PolicyKey] {
        &self.witnesses
    }

    /// True when a checkpoint needs cosignatures.
    #[must_use]
    pub const fn has_quorum(&self) -> bool {
        self.quorum.is_some()
    }

    fn add_log(&mut self, log: PolicyKey) -> Result<(), PolicyFault> {
        if !matches!(log.key.role(), KeyRole::Log | KeyRole::WitnessMlDsa44) {
            return Err(PolicyFault::Role(log.key.role()));
        }
        self.add_key(&log.key, Party::Log(self.logs.len()))?;
        self.logs.push(log);
        Ok(())
    }

    fn add_witness(&mut self, witness: PolicyKey) -> Result<(), PolicyFault> {
        if !witness.key.role().is_witness() {
            return Err(PolicyFault::Role(witness.key.role()));
        }
        self.add_key(&witness.key, Party::Witness(self.witnesses.len()))?;
        self.witnesses.push(witness);
        Ok(())
    }

    fn add_key(&mut self, key: &VerifierKey, party: Party) -> Result<(), PolicyFault> {
        let is_log = matches!(party, Party::Log(_));
        if !self.public_keys.insert((is_log, key.key_bytes().into())) {
            return Err(PolicyFault::SameKey);
        }
        let line = (key.name().as_str().to_owned(), key.id());
        match self.parties.insert(line, party) {
            None => Ok(()),
            Some(_) => Err(PolicyFault::Ambiguous),
        }
    }

    /// Whether the quorum holds when these witnesses cosigned, one flag each.
    fn holds(&self, cosigned: &[bool]) -> bool {
        let Some(quorum) = self.quorum else { return true };
        let is_true = |states: &[bool], at: usize| states.get(at).copied().unwrap_or(false);
        let mut states = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let state = match node {
                Node::Witness(at) => is_true(cosigned, *at),
                Node::Group { threshold, members } => {
                    members.iter().filter(|member| is_true(&states, **member)).count() >= *threshold
                }
            };
            states.push(state);
        }
        is_true(&states, quorum)
    }
}
