//! SQLite in WAL mode with `synchronous=FULL`: one table, an index of hashes and one of traces, one transaction a
//! group. Bare, and behind the gate that Proofline has, which looks up prerequisites in the same database.

use std::path::Path;
use std::thread;

use proofline::canon::Limits;
use proofline::ledger::Seq;
use proofline::ledger::gate::{AcceptedRecords, Examined, Facts, Submission, examine, relate};
use proofline::trace::{EnvelopeHash, SealedEnvelope, TraceId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Store;
use crate::data::{Record, standing_columns, standing_of};
use crate::failure::Failure;

const NAME: &str = "SQLite";

/// The columns behind `trace` are what the gate asks for: better they lie in the row than that bodies are parsed.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -262144;
    CREATE TABLE entries (
        seq INTEGER PRIMARY KEY,
        hash BLOB NOT NULL,
        trace BLOB NOT NULL,
        kind INTEGER NOT NULL,
        auth_context BLOB,
        body BLOB NOT NULL
    );
    CREATE UNIQUE INDEX by_hash ON entries (hash);
    CREATE INDEX by_trace ON entries (trace);";

const INSERT: &str =
    "INSERT INTO entries (seq, hash, trace, kind, auth_context, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const FACTS: &str = "SELECT seq, trace, kind, auth_context FROM entries WHERE hash = ?1";

/// A database without a gate.
pub(crate) struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    fn open(dir: &Path) -> rusqlite::Result<Connection> {
        let connection = Connection::open(dir.join("store.sqlite"))?;
        connection.execute_batch(SCHEMA)?;
        connection.set_prepared_statement_cache_capacity(16);
        Ok(connection)
    }

    fn write(&mut self, first: u64, group: &[Record]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for (number, record) in (first..).zip(group) {
                let (hash, trace) = (record.hash.as_bytes().as_slice(), record.trace.as_bytes().as_slice());
                insert.execute(params![key(number), hash, trace, 0, None::<Vec<u8>>, record.bytes])?;
            }
        }
        transaction.commit()
    }
}

impl Store for Sqlite {
    fn create(dir: &Path) -> Result<Self, Failure> {
        let connection = Self::open(dir).map_err(Failure::of(NAME))?;
        Ok(Self { connection })
    }

    fn commit(&mut self, first: u64, group: &[Record]) -> Result<(), Failure> {
        self.write(first, group).map_err(Failure::of(NAME))
    }
}

/// A database behind the gate: bytes are parsed, validated, made canonical and hashed on all cores, then each record
/// is related to those before it, in order, and inserted.
pub(crate) struct Gated(Sqlite);

impl Store for Gated {
    fn create(dir: &Path) -> Result<Self, Failure> {
        Sqlite::create(dir).map(Self)
    }

    fn commit(&mut self, first: u64, group: &[Record]) -> Result<(), Failure> {
        let examined = examine_all(group)?;
        let transaction = self.0.connection.transaction().map_err(Failure::of(NAME))?;
        for (number, sealed) in (first..).zip(&examined) {
            admit(&transaction, number, sealed)?;
        }
        transaction.commit().map_err(Failure::of(NAME))
    }
}

/// Checks 0 to 3, which need no other record.
fn examine_all(group: &[Record]) -> Result<Vec<SealedEnvelope>, Failure> {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let parts: Vec<_> = thread::scope(|scope| {
        let chunks = group.chunks(group.len().div_ceil(cores).max(1));
        let workers: Vec<_> = chunks.map(|chunk| scope.spawn(|| examine_some(chunk))).collect();
        workers.into_iter().map(|worker| worker.join()).collect()
    });
    let mut examined = Vec::with_capacity(group.len());
    for part in parts {
        examined.extend(part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
    }
    Ok(examined)
}

fn examine_some(records: &[Record]) -> Result<Vec<SealedEnvelope>, Failure> {
    let sound = |record: &Record| match examine(&Submission::bare(&record.bytes), &Limits::ENVELOPE) {
        Examined::Sound(sealed) => Ok(sealed),
        other => Err(Failure::Wrong(format!("the gate before SQLite refuses a record: {other:?}"))),
    };
    records.iter().map(sound).collect()
}

/// Checks 4 to 6, whether it is there already, and the row.
fn admit(transaction: &Transaction<'_>, number: u64, sealed: &SealedEnvelope) -> Result<(), Failure> {
    let lookup = Lookup(transaction);
    let known = lookup.facts(&sealed.hash())?;
    let refused = relate(sealed.envelope(), Seq::new(number), &lookup)?;
    if known.is_some() || refused.is_some() {
        return Err(Failure::Wrong(format!("the gate before SQLite: {known:?}, {refused:?}")));
    }
    insert(transaction, number, sealed).map_err(Failure::of(NAME))
}

fn insert(transaction: &Transaction<'_>, number: u64, sealed: &SealedEnvelope) -> rusqlite::Result<()> {
    let (kind, auth_context) = standing_columns(sealed.envelope());
    let (hash, trace) = (sealed.hash(), sealed.envelope().trace_id());
    let (hash, trace) = (hash.as_bytes().as_slice(), trace.as_bytes().as_slice());
    let mut insert = transaction.prepare_cached(INSERT)?;
    insert.execute(params![key(number), hash, trace, kind, auth_context, sealed.canonical()])?;
    Ok(())
}

/// SQLite's numbers have a sign.
fn key(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Accepted records, as the gate asks for them.
struct Lookup<'a>(&'a Transaction<'a>);

type Row = (i64, [u8; 16], i64, Option<[u8; 32]>);

impl Lookup<'_> {
    fn row(&self, hash: &EnvelopeHash) -> rusqlite::Result<Option<Row>> {
        let mut select = self.0.prepare_cached(FACTS)?;
        let row = select.query_row([hash.as_bytes().as_slice()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        });
        row.optional()
    }
}

impl AcceptedRecords for Lookup<'_> {
    type Error = Failure;

    fn facts(&self, hash: &EnvelopeHash) -> Result<Option<Facts>, Failure> {
        let Some((seq, trace, kind, auth_context)) = self.row(hash).map_err(Failure::of(NAME))? else {
            return Ok(None);
        };
        let trace_id = TraceId::from_bytes(trace).map_err(Failure::of(NAME))?;
        let standing = standing_of(kind, auth_context);
        let standing = standing.ok_or_else(|| Failure::Wrong(format!("SQLite gave a kind {kind}")))?;
        Ok(Some(Facts { seq: Seq::new(u64::try_from(seq).unwrap_or(0)), trace_id, standing }))
    }
}
