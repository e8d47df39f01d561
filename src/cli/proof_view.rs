//! A proof that holds, as `prove` and `verify-proof` show it: what is proven, by whom it is signed, what a signature
//! binds and what none does.

use proofline::proof::files::{Backing, Dialect, Fact, VerifiedConsistency, VerifiedInclusion};
use proofline::proof::header::{EntryHeader, EntryStatus};
use serde::Serialize;

use super::clock::moment;
use super::error::CliError;
use super::output::Out;
use super::phrase::{counted, wrap_words};
use super::proof_check::Verified;
use super::safe::{safe, safe_cut};

/// A proof as JSON shows it.
#[derive(Serialize)]
pub(crate) struct ProofLine {
    proves: &'static str,
    form: &'static str,
    origin: Option<String>,
    size: u64,
    root: String,
    index: Option<u64>,
    leaf_hash: Option<String>,
    entry: Option<HeaderLine>,
    envelope_matches: Option<bool>,
    old_size: Option<u64>,
    old_root: Option<String>,
    signers: Vec<String>,
    witnesses: Vec<String>,
    signed_at_s: Option<i64>,
    bound: Vec<&'static str>,
    unbound: Vec<&'static str>,
}

/// The header of an entry as JSON shows it.
#[derive(Serialize)]
pub(crate) struct HeaderLine {
    seq: u64,
    kind: &'static str,
    envelope_hash: String,
    trace_id: Option<String>,
    classification: Option<String>,
    error_kind: Option<String>,
    recorded_at_ms: u64,
}

impl HeaderLine {
    fn of(header: &EntryHeader) -> Self {
        let (classification, error_kind) = match &header.status {
            EntryStatus::Accepted => (Some("ACCEPT".to_owned()), None),
            EntryStatus::Rejected { classification, error_kind, .. } => {
                (Some(classification.to_string()), Some(error_kind.to_string()))
            }
            _ => (None, None),
        };
        Self {
            seq: header.seq.get(),
            kind: header.status.kind().as_str(),
            envelope_hash: header.envelope_hash.to_string(),
            trace_id: header.trace.map(|link| link.trace_id.to_string()),
            classification,
            error_kind,
            recorded_at_ms: header.recorded_at_ms,
        }
    }
}

/// A form's name on command lines: that of its file.
pub(crate) const fn form_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Tlog => "tlog-proof",
        Dialect::Cose => "cose",
        Dialect::Dsse => "dsse",
    }
}

impl ProofLine {
    /// How many entries the tree has that the proof is about.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// `has_envelope`: whether an envelope was given to compare with.
    pub(crate) fn of(verified: &Verified, has_envelope: bool) -> Self {
        let backing = verified.backing();
        let names = |facts: &[Fact]| facts.iter().map(|fact| fact.as_str()).collect();
        let shared = Self {
            proves: "",
            form: form_name(backing.dialect),
            origin: backing.origin.clone(),
            size: 0,
            root: String::new(),
            index: None,
            leaf_hash: None,
            entry: None,
            envelope_matches: None,
            old_size: None,
            old_root: None,
            signers: backing.signers.clone(),
            witnesses: backing.witnesses.clone(),
            signed_at_s: backing.signed_at_s,
            bound: names(&backing.bound),
            unbound: names(&backing.unbound),
        };
        match verified {
            Verified::Inclusion(proof) => Self {
                proves: "inclusion",
                size: proof.size,
                root: proof.root.to_string(),
                index: Some(proof.index),
                leaf_hash: Some(proof.leaf.to_string()),
                entry: proof.header.as_ref().map(HeaderLine::of),
                envelope_matches: has_envelope.then_some(proof.envelope_matches),
                ..shared
            },
            Verified::Consistency(proof) => Self {
                proves: "consistency",
                size: proof.new_size,
                root: proof.new_root.to_string(),
                old_size: Some(proof.old.size),
                old_root: Some(proof.old.root.to_string()),
                ..shared
            },
        }
    }
}

/// What a proof says, in one sentence, safe to print.
pub(crate) fn sentence(verified: &Verified) -> String {
    let log = |backing: &Backing| match &backing.origin {
        Some(origin) => format!("the log {}", safe_cut(origin, 200)),
        None => "a log that no signature names".to_owned(),
    };
    let entries = |size| counted(size, "entry", "entries");
    match verified {
        Verified::Inclusion(proof) => {
            format!("entry {} is in {} of {}", proof.index, log(&proof.backing), entries(proof.size))
        }
        Verified::Consistency(proof) => format!(
            "the first {} of {} are still the same now that it has {}",
            entries(proof.old.size),
            log(&proof.backing),
            proof.new_size
        ),
    }
}

/// The facts of a proof in lines of text.
pub(crate) fn show(out: &mut Out, verified: &Verified, has_envelope: bool) -> Result<(), CliError> {
    let backing = verified.backing();
    let mut facts = vec![("signed by", signers(backing))];
    let cosigned = backing.dialect == Dialect::Tlog;
    facts.extend(
        cosigned.then(|| ("cosigned by", names(&backing.witnesses, "no witness that is known here"))),
    );
    facts.extend(backing.signed_at_s.map(|at_s| ("signed at", format!("{}, says the signer", time(at_s)))));
    match verified {
        Verified::Inclusion(proof) => facts.extend(inclusion_facts(proof, has_envelope)),
        Verified::Consistency(proof) => facts.extend(consistency_facts(proof)),
    }
    facts.push(("bound", fact_names(&backing.bound)));
    facts.push(("not bound", fact_names(&backing.unbound)));
    for (name, fact) in facts {
        let fact = safe(&fact).into_owned();
        for (at, line) in wrap_words(&fact, out.columns().saturating_sub(17)).iter().enumerate() {
            out.line(format_args!("  {:<14} {line}", if at == 0 { name } else { "" }))?;
        }
    }
    Ok(())
}

fn inclusion_facts(proof: &VerifiedInclusion, has_envelope: bool) -> Vec<(&'static str, String)> {
    let mut facts = vec![("root", proof.root.to_string()), ("leaf hash", proof.leaf.to_string())];
    let Some(header) = &proof.header else {
        facts.push(("entry", "of another kind of log; it names no envelope".to_owned()));
        return facts;
    };
    let line = HeaderLine::of(header);
    let answer = match (line.classification, line.error_kind) {
        (Some(class), Some(kind)) => format!(", {class} {kind}"),
        _ => String::new(),
    };
    facts.push(("entry", format!("{}{answer}", line.kind)));
    facts.extend(line.trace_id.map(|trace| ("trace", trace)));
    facts.push(("recorded at", super::entry_view::time_text(line.recorded_at_ms)));
    facts.push(("envelope hash", line.envelope_hash));
    let envelope = if has_envelope { "the one given has this hash" } else { "none was given to compare" };
    facts.push(("envelope", envelope.to_owned()));
    facts
}

fn consistency_facts(proof: &VerifiedConsistency) -> Vec<(&'static str, String)> {
    let [old, new] = [("older root", proof.old.root), ("newer root", proof.new_root)];
    vec![(old.0, old.1.to_string()), (new.0, new.1.to_string())]
}

fn signers(backing: &Backing) -> String {
    names(&backing.signers, "nobody")
}

fn names(list: &[String], none: &str) -> String {
    if list.is_empty() { none.to_owned() } else { list.join(", ") }
}

/// What a fact is to a reader who never heard of trees.
const fn fact_text(fact: Fact) -> &'static str {
    match fact {
        Fact::Origin => "the log's name",
        Fact::Size => "size",
        Fact::Root => "root",
        Fact::Index => "the entry's number",
        Fact::Entry => "the entry",
        _ => "more",
    }
}

fn fact_names(facts: &[Fact]) -> String {
    let texts: Vec<&str> = facts.iter().map(|fact| fact_text(*fact)).collect();
    if texts.is_empty() { "nothing that the proof states".to_owned() } else { texts.join(", ") }
}

fn time(at_s: i64) -> String {
    let moment = u64::try_from(at_s).ok().and_then(|at_s| moment(at_s.checked_mul(1000)?));
    moment.map_or_else(|| format!("{at_s} s after 1970"), |moment| moment.to_string())
}
