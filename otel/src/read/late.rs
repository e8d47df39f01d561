//! Resources, scopes and schemas that stand behind the spans they are of. The survey notes where
//! they are, so that the second reading knows them in time; the notes go to a temporary file when
//! they are many.

use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use tempfile::SpooledTempFile;

use super::error::ReadError;

/// Up to here notes stay in memory.
const MEMORY_BYTES: usize = 4 << 20;

/// Two members that came late, of the group with this number; `u64::MAX` if one did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Late {
    pub(crate) group: u64,
    pub(crate) context: Option<u64>,
    pub(crate) schema: Option<u64>,
}

const NONE: u64 = u64::MAX;

impl Late {
    fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let words = [self.group, self.context.unwrap_or(NONE), self.schema.unwrap_or(NONE)];
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; 24]) -> Self {
        let mut words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or(NONE);
        let (group, context, schema) = (next(), next(), next());
        let known = |offset: u64| (offset != NONE).then_some(offset);
        Self { group, context: known(context), schema: known(schema) }
    }
}

fn failed(doing: &'static str) -> impl FnOnce(std::io::Error) -> ReadError {
    move |source| ReadError::Io { doing, offset: 0, source }
}

pub(crate) fn temporary(folder: Option<&Path>, memory_bytes: usize) -> SpooledTempFile {
    match folder {
        Some(folder) => SpooledTempFile::new_in(memory_bytes, folder),
        None => SpooledTempFile::new(memory_bytes),
    }
}

/// Takes notes, in the order of their groups.
pub(crate) struct LateWriter(BufWriter<SpooledTempFile>);

impl LateWriter {
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        Self(BufWriter::new(temporary(folder, MEMORY_BYTES)))
    }

    pub(crate) fn add(&mut self, late: Late) -> Result<(), ReadError> {
        if late.context.is_none() && late.schema.is_none() {
            return Ok(());
        }
        self.0.write_all(&late.to_bytes()).map_err(failed("noted"))
    }

    pub(crate) fn into_reader(self) -> Result<LateReader, ReadError> {
        let written = self.0.into_inner();
        let mut file = written.map_err(|error| failed("noted")(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(failed("noted"))?;
        let mut reader = LateReader { file: BufReader::new(file), next: None };
        reader.step()?;
        Ok(reader)
    }
}

/// Gives the notes back.
pub(crate) struct LateReader {
    file: BufReader<SpooledTempFile>,
    next: Option<Late>,
}

impl LateReader {
    fn step(&mut self) -> Result<(), ReadError> {
        let mut bytes = [0; 24];
        self.next = match self.file.read_exact(&mut bytes) {
            Ok(()) => Some(Late::from_bytes(&bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => None,
            Err(source) => return Err(failed("read")(source)),
        };
        Ok(())
    }

    /// The note about a group, if there is one; groups are asked about in their order.
    pub(crate) fn of(&mut self, group: u64) -> Result<Option<Late>, ReadError> {
        let Some(late) = self.next.filter(|late| late.group == group) else { return Ok(None) };
        self.step()?;
        Ok(Some(late))
    }
}
