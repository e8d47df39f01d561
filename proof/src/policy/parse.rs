//! Reads a policy file. Names are octets and compared as such.
//!
//! ```text
//! log <key> [<url>]
//! witness <name> <key> [<url>]
//! group <name> all|any|<k> <member>...
//! quorum <name>|none
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::{Node, Policy, PolicyError, PolicyFault, PolicyKey};
use crate::checkpoint::decimal;
use crate::key::{KeyError, VerifierKey};

/// The longest policy file, in bytes.
pub const MAX_POLICY_BYTES: usize = 1 << 20;

/// A policy of which some lines are read.
#[derive(Default)]
struct Reader<'a> {
    policy: Policy,
    /// Nodes by name.
    names: BTreeMap<&'a [u8], usize>,
    /// Nodes that are members of a group.
    members: BTreeSet<usize>,
    has_quorum: bool,
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError`], with the line.
    pub fn parse(file: &[u8]) -> Result<Self, PolicyError> {
        let at_line = |at: usize, fault| PolicyError { unit: "line", at, fault };
        if file.len() > MAX_POLICY_BYTES {
            return Err(at_line(1, PolicyFault::TooLong));
        }
        let mut reader = Reader::default();
        let mut count = 0;
        for line in file.split_inclusive(|byte| *byte == b'\n') {
            count += 1;
            reader.line(line).map_err(|fault| at_line(count, fault))?;
        }
        if reader.has_quorum { Ok(reader.policy) } else { Err(at_line(count.max(1), PolicyFault::NoQuorum)) }
    }
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a [u8]) -> Result<(), PolicyFault> {
        let line = line.strip_suffix(b"\n").ok_or(PolicyFault::Unfinished)?;
        if !line.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e | 0x80..)) {
            return Err(PolicyFault::Octet);
        }
        let items = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|item| !item.is_empty());
        let items: Vec<&[u8]> = items.collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", rest @ ..] => self.log(rest),
            [b"witness", rest @ ..] => self.witness(rest),
            [b"group", rest @ ..] => self.group(rest),
            [b"quorum", rest @ ..] => self.quorum(rest),
            _ => Err(PolicyFault::Keyword),
        }
    }

    fn log(&mut self, items: &[&[u8]]) -> Result<(), PolicyFault> {
        let (key, url) = match items {
            [key] => (key, None),
            [key, url] => (key, Some((*url).into())),
            _ => return Err(PolicyFault::Items),
        };
        let key = read_key(key)?;
        self.policy.add_log(PolicyKey { name: key.name().as_str().as_bytes().into(), key, url })
    }

    fn witness(&mut self, items: &[&'a [u8]]) -> Result<(), PolicyFault> {
        let (name, key, url) = match items {
            [name, key] => (*name, key, None),
            [name, key, url] => (*name, key, Some((*url).into())),
            _ => return Err(PolicyFault::Items),
        };
        self.check_free(name)?;
        let place = self.policy.witnesses.len();
        self.policy.add_witness(PolicyKey { name: name.into(), key: read_key(key)?, url })?;
        self.define(name, Node::Witness(place));
        Ok(())
    }

    fn group(&mut self, items: &[&'a [u8]]) -> Result<(), PolicyFault> {
        let [name, threshold, members @ ..] = items else { return Err(PolicyFault::Items) };
        if members.is_empty() {
            return Err(PolicyFault::Items);
        }
        self.check_free(name)?;
        let members = members.iter().map(|member| self.member(member)).collect::<Result<Vec<_>, _>>()?;
        let threshold = read_threshold(threshold, members.len()).ok_or(PolicyFault::Threshold)?;
        self.define(name, Node::Group { threshold, members });
        Ok(())
    }

    fn quorum(&mut self, items: &[&[u8]]) -> Result<(), PolicyFault> {
        let [name] = items else { return Err(PolicyFault::Items) };
        if std::mem::replace(&mut self.has_quorum, true) {
            return Err(PolicyFault::SecondQuorum);
        }
        if *name != b"none" {
            self.policy.quorum = Some(self.defined(name)?);
        }
        Ok(())
    }

    fn check_free(&self, name: &[u8]) -> Result<(), PolicyFault> {
        let is_taken = name == b"none" || self.names.contains_key(name);
        if is_taken { Err(PolicyFault::NameTaken) } else { Ok(()) }
    }

    fn define(&mut self, name: &'a [u8], node: Node) {
        self.names.insert(name, self.policy.nodes.len());
        self.policy.nodes.push(node);
    }

    fn defined(&self, name: &[u8]) -> Result<usize, PolicyFault> {
        self.names.get(name).copied().ok_or(PolicyFault::Undefined)
    }

    fn member(&mut self, name: &[u8]) -> Result<usize, PolicyFault> {
        let node = self.defined(name)?;
        if self.members.insert(node) { Ok(node) } else { Err(PolicyFault::MemberTwice) }
    }
}

fn read_key(item: &[u8]) -> Result<VerifierKey, KeyError> {
    std::str::from_utf8(item).map_err(|_| KeyError::Name)?.parse()
}

/// How many of this many members have to hold.
fn read_threshold(item: &[u8], members: usize) -> Option<usize> {
    match item {
        b"any" => Some(1),
        b"all" => Some(members),
        _ => {
            let number = usize::try_from(decimal(std::str::from_utf8(item).ok()?)?).ok()?;
            (1..=members).contains(&number).then_some(number)
        }
    }
}
