//! What one entry of the log adds to the catalogue. Following, answering and checking all ask
//! this one function, so that an answer is right exactly when the entry would add it again.
//!
//! | tree | key | value |
//! |---|---|---|
//! | traces | trace id, seq | entries of the trace so far, u64 big-endian |
//! | artifacts | trace id, seq | artifact hash |
//! | actors | actor id, 0, seq | |
//! | tools | adapter id, `/`, tool name, 0, seq | |
//! | models | provider, `/`, model, 0, seq | |
//! | actions | action, 0, seq | |
//!
//! Trace ids are 16 bytes, seqs u64 big-endian. Names are tokens and resources of the contract:
//! none holds a zero byte, and none of a tool or model a slash.

use proofline_trace::{Envelope, RecordType, TraceId};

use super::store::{Put, Tree};
use crate::error::Damage;
use crate::segments::{Entry, EntryFault};
use crate::snapshot::{Snapshot, envelope_of};
use proofline_proof::Seq;
use proofline_proof::header::EntryKind;

/// What an entry adds.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) record_type: Option<RecordType>,
    pub(super) puts: Vec<Put>,
}

impl Note {
    /// `None` if the entry should hold an envelope and does not.
    pub(super) fn of(entry: &Entry) -> Option<Note> {
        let header = &entry.header;
        let kind = header.status.kind();
        let mut puts = Vec::with_capacity(2);
        if let Some(link) = &header.trace {
            let key = of_trace(link.trace_id, header.seq);
            if kind == EntryKind::Artifact {
                let value = header.envelope_hash.as_bytes().to_vec();
                puts.push(Put { tree: Tree::Artifacts, key: key.clone(), value });
            }
            puts.push(Put { tree: Tree::Traces, key, value: link.count.to_be_bytes().to_vec() });
        }
        if !matches!(kind, EntryKind::Accepted | EntryKind::Rejected) {
            return Some(Note { record_type: None, puts });
        }
        let envelope = envelope_of(&entry.body)?;
        let (tree, name) = subject(&envelope);
        puts.push(Put { tree, key: of_name(&name, header.seq), value: Vec::new() });
        Some(Note { record_type: Some(envelope.record_type()), puts })
    }
}

/// The query tree that lists a record, and the name it is listed under.
fn subject(envelope: &Envelope) -> (Tree, String) {
    match envelope {
        Envelope::AuthContext(context) => (Tree::Actors, context.actor.actor_id.as_str().to_owned()),
        Envelope::PolicyDecision(decision) => (Tree::Actions, decision.request.action.as_str().to_owned()),
        Envelope::ModelCall(call) => {
            (Tree::Models, joined(call.model.provider.as_str(), call.model.model.as_str()))
        }
        Envelope::ToolCall(call) => {
            (Tree::Tools, joined(call.tool.adapter_id.as_str(), call.tool.tool_name.as_str()))
        }
    }
}

/// The name of a tool or model.
pub(super) fn joined(owner: &str, name: &str) -> String {
    format!("{owner}/{name}")
}

/// The key of an entry under a trace.
pub(super) fn of_trace(trace: TraceId, seq: Seq) -> Vec<u8> {
    [trace.as_bytes().as_slice(), &seq.get().to_be_bytes()].concat()
}

/// The key of an entry under a name.
pub(super) fn of_name(name: &str, seq: Seq) -> Vec<u8> {
    [name.as_bytes(), &[0], &seq.get().to_be_bytes()].concat()
}

/// Reads an entry of the log and what it adds.
pub(super) fn read(snapshot: &Snapshot, seq: Seq) -> Result<(Entry, Note), EntryFault> {
    let damaged = |code, message: &str| {
        let (file, offset) = snapshot.place(seq).unwrap_or_default();
        EntryFault::Damaged(Damage { code, file, offset, seq: Some(seq), message: message.to_owned() })
    };
    let entry = snapshot.entry(seq)?.ok_or_else(|| damaged("log.truncated", "the entry is missing"))?;
    let note = Note::of(&entry).ok_or_else(|| damaged("log.body", "the body holds no envelope"))?;
    Ok((entry, note))
}
