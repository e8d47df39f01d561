//! What a caller decides before anything is read: the framing, and how much of what is held at once.

use std::path::PathBuf;

/// How the messages of a file are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Framing {
    /// Found out: the one framing that consumes the whole file.
    #[default]
    Auto,
    /// JSON documents one behind the other: pretty, compact or lines.
    Json,
    /// One protobuf message, the whole file.
    Single,
    /// Protobuf messages, each behind its length as a varint.
    Varint,
    /// Protobuf messages, each behind its length in four bytes, most significant first.
    U32be,
}

/// Limits and framing of one reading. Everything that is held in memory is bounded by them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// How messages are told apart.
    pub framing: Framing,
    /// The most bytes that gzip may unpack to, all layers together.
    pub unpacked_bytes: u64,
    /// The most unpacked bytes for each packed one, judged after [`ReadOptions::RATIO_FROM_BYTES`].
    pub unpacked_ratio: u64,
    /// The most bytes that are held as one: a JSON span, resource or scope; a protobuf `ResourceSpans`.
    pub message_bytes: usize,
    /// Arrays and objects open at once in one JSON span, resource or scope; canon allows 512 at most.
    pub json_depth: usize,
    /// The most spans of a batch.
    pub batch_spans: usize,
    /// About how many bytes of input a batch holds; a span that is longer travels alone.
    pub batch_bytes: usize,
    /// Where what does not fit into memory is put for the time of the reading; the system's folder
    /// for temporary files if none is named. The files have no name and go with the process.
    pub temporary: Option<PathBuf>,
}

impl ReadOptions {
    /// Up to here the ratio of unpacked to packed bytes is not judged: 64 MiB.
    pub const RATIO_FROM_BYTES: u64 = 64 << 20;
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            framing: Framing::Auto,
            unpacked_bytes: 64 << 30,
            unpacked_ratio: 200,
            message_bytes: 256 << 20,
            json_depth: 128,
            batch_spans: 1000,
            batch_bytes: 8 << 20,
            temporary: None,
        }
    }
}
