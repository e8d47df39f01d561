//! `proofline traces`: what traces there are.

use std::path::PathBuf;

use proofline::canon::Limits;
use proofline::ledger::{Entry, EntryFault, EntryKind, Snapshot};
use proofline::trace::{Actor, Envelope, TraceId, read_envelope};
use serde::Serialize;

use super::archives::{ArchivesArgs, Away};
use super::clock::moment;
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::output::{self, Out, OutputArgs};
use super::phrase::counted;
use super::table::{Cell, Column, plain, row, titles};

/// How many trace ids are asked for at once.
const PAGE: usize = 1000;

/// Lists the traces: how many records, since when, by whom
///
/// One line a trace, in the order of their ids.
///
/// Examples:
///   proofline traces ledger
///   proofline traces ledger --format json | head
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct TracesArgs {
    /// The ledger's folder
    dir: PathBuf,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// One trace as JSON shows it.
#[derive(Serialize)]
struct TraceLine {
    trace_id: TraceId,
    accepted: u64,
    rejected: u64,
    artifacts: u64,
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    first_time_ms: Option<u64>,
    last_time_ms: Option<u64>,
    actor: Option<ActorLine>,
}

#[derive(Serialize)]
struct ActorLine {
    actor_kind: String,
    actor_id: String,
}

impl TraceLine {
    const fn new(trace_id: TraceId) -> Self {
        Self {
            trace_id,
            accepted: 0,
            rejected: 0,
            artifacts: 0,
            first_seq: None,
            last_seq: None,
            first_time_ms: None,
            last_time_ms: None,
            actor: None,
        }
    }

    fn add(&mut self, entry: &Entry) {
        let seq = entry.header.seq.get();
        self.first_seq.get_or_insert(seq);
        self.last_seq = Some(seq);
        let kind = entry.header.status.kind();
        self.accepted += u64::from(kind == EntryKind::Accepted);
        self.rejected += u64::from(kind == EntryKind::Rejected);
        self.artifacts += u64::from(kind == EntryKind::Artifact);
        if !matches!(kind, EntryKind::Accepted | EntryKind::Rejected) {
            return;
        }
        // A body that is no envelope is damage, which `verify` and `replay` tell.
        let Ok(sealed) = read_envelope(&entry.body, &Limits::CONTENT) else { return };
        let time_ms = sealed.envelope().time_ms().get();
        self.first_time_ms = Some(self.first_time_ms.map_or(time_ms, |first| first.min(time_ms)));
        self.last_time_ms = Some(self.last_time_ms.map_or(time_ms, |last| last.max(time_ms)));
        if let (Envelope::AuthContext(context), None) = (sealed.envelope(), &self.actor) {
            let Actor { actor_kind, actor_id } = &context.actor;
            let (actor_kind, actor_id) = (actor_kind.to_string(), actor_id.to_string());
            self.actor = Some(ActorLine { actor_kind, actor_id });
        }
    }
}

/// Lists the traces.
pub(crate) fn run(args: &TracesArgs, out: &mut Out) -> Result<Exit, CliError> {
    let snapshot = args.archives.snapshot(&args.dir)?;
    let columns = columns(out.columns_or_wide());
    if !out.is_json() {
        let titles = out.paint().faint(&titles(&columns));
        out.line(titles)?;
    }
    let (mut exit, mut count, mut after) = (Exit::Ok, 0_u64, None);
    let mut away = Away::default();
    loop {
        let page = snapshot.traces_after(after, PAGE)?;
        for trace_id in &page {
            let (line, damaged) = read_trace(&snapshot, *trace_id, args.output, &mut away)?;
            exit = Exit::first([exit, damaged]);
            if out.is_json() {
                out.json(&line)?
            } else {
                show(out, &columns, &line)?
            }
            count += 1;
        }
        let Some(last) = page.last() else { break };
        after = Some(*last);
    }
    if !out.is_json() {
        out.line(counted(count, "trace", "traces"))?;
    }
    away.tell(args.output.format);
    Ok(Exit::first([exit, warn_of_damage(args.output.format, &snapshot)]))
}

fn read_trace(
    snapshot: &Snapshot,
    trace_id: TraceId,
    output: OutputArgs,
    away: &mut Away,
) -> Result<(TraceLine, Exit), CliError> {
    let (mut line, mut exit) = (TraceLine::new(trace_id), Exit::Ok);
    for seq in snapshot.of_trace(trace_id)? {
        match snapshot.entry(seq) {
            Ok(Some(entry)) => line.add(&entry),
            Ok(None) => {}
            Err(EntryFault::Archived(archived)) => {
                away.take(snapshot, seq, archived)?.iter().for_each(|entry| line.add(entry));
            }
            Err(EntryFault::Io(error)) => return Err(EntryFault::Io(error).into()),
            Err(fault) => {
                let error = CliError::from(fault);
                exit = error.exit();
                output::report(&error, output.format);
            }
        }
    }
    Ok((line, exit))
}

/// On a narrow line the time has no seconds, and a long actor is cut.
fn columns(width: usize) -> [Column; 5] {
    let time = if width >= 100 { 23 } else { 16 };
    let actor = width.saturating_sub(32 + 4 + 7 + time + 8).max(12);
    [
        Column::text("trace", 32),
        Column::number("recs", 4),
        Column::number("refused", 7),
        Column::text("first record", time),
        Column::text("actor", actor),
    ]
}

fn show(out: &mut Out, columns: &[Column; 5], line: &TraceLine) -> Result<(), CliError> {
    let paint = out.paint();
    let time = line.first_time_ms.map_or_else(String::new, |ms| {
        moment(ms).map_or_else(|| ms.to_string(), |at| at.to_string().replace('T', " ").replace('Z', ""))
    });
    let [_, _, _, time_column, _] = columns;
    let time: String = time.chars().take(time_column.width()).collect();
    let actor = line.actor.as_ref().map(|actor| actor.actor_id.clone()).unwrap_or_default();
    let bad: &dyn Fn(&str) -> String = &|text| paint.bad(text);
    let cells: [Cell<'_>; 5] = [
        (line.trace_id.to_string(), &plain),
        (line.accepted.to_string(), &plain),
        (line.rejected.to_string(), if line.rejected > 0 { bad } else { &plain }),
        (time, &plain),
        (actor, &plain),
    ];
    let row = row(columns, &cells);
    out.line(row)
}
