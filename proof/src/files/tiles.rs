//! The names and bytes of a tiled log's resources (C2SP tlog-tiles §2, §3 and §5), written and read
//! strictly. Nothing here fetches or keeps one.
//!
//! | resource | path | bytes |
//! |---|---|---|
//! | hash tile | `tile/<L>/<N>[.p/<W>]` | 256 hashes of 32 bytes, or W of them |
//! | entry bundle | `tile/entries/<N>[.p/<W>]` | 256 entries, or W: each a u16 big-endian length, then that many bytes |

use std::fmt;
use std::num::NonZeroU8;
use std::str::FromStr;

use thiserror::Error;

use crate::ids::{LeafHash, NodeHash};

/// The longest entry that a bundle can hold, in bytes.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// The longest bundle: 256 of the longest entries with their lengths, in bytes.
pub const MAX_BUNDLE_BYTES: usize = FULL * (MAX_ENTRY_BYTES + 2);

const FULL: usize = 256;
const HASH_BYTES: usize = 32;
/// Levels 8 and above hold nothing for 64-bit sizes; the format knows them up to here.
const MAX_LEVEL: u8 = 63;

/// Why a path or bytes are no resource of a tiled log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TileError {
    /// Not `tile/<L>/<N>[.p/<W>]`, or a number that is not in its one form.
    #[error("this is no path of a tile: expected tile/<L>/<N>, with .p/<W> for a partial one")]
    Path,
    /// A tile of another length than its width asks for.
    #[error("a tile of {expected} bytes is expected, this one has {found}")]
    TileLength {
        /// 32 for each hash.
        expected: usize,
        /// What there is.
        found: usize,
    },
    /// An entry too long for its length field.
    #[error("an entry of {0} bytes fits no bundle; at most 65535 are allowed")]
    EntryTooLong(usize),
    /// No entry, or more than 256, or another number than the width asks for.
    #[error("a bundle of {expected} entries is expected, this one has {found}")]
    EntryCount {
        /// The bundle's width; 256 for a full one.
        expected: usize,
        /// What there is: for a bundle that goes on too long, one more than expected.
        found: usize,
    },
    /// A length that runs past the end, or a single byte where a length should be.
    #[error("the bundle ends inside entry {0}")]
    Truncated(usize),
    /// An entry whose leaf hash is not the one in the tile.
    #[error("entry {0} of the bundle does not have the leaf hash of its tile")]
    Leaf(usize),
}

impl TileError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            TileError::Path => "tile.path",
            TileError::TileLength { .. } => "tile.length",
            TileError::EntryTooLong(_) => "tile.entry_too_long",
            TileError::EntryCount { .. } => "tile.entry_count",
            TileError::Truncated(_) => "tile.truncated",
            TileError::Leaf(_) => "tile.leaf",
        }
    }
}

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of this tile level, 0 to 63; level 0 are the leaves.
    Hashes(u8),
    /// The entries of a tile of level 0.
    Entries,
}

/// The name of a tile or a bundle.
///
/// ```
/// use proofline_proof::files::tiles::{TileKind, TilePath};
///
/// let path: TilePath = "tile/entries/x001/x234/067.p/8".parse()?;
/// assert_eq!((path.kind, path.index, path.hashes()), (TileKind::Entries, 1_234_067, 8));
/// assert_eq!(path.to_string(), "tile/entries/x001/x234/067.p/8");
/// # Ok::<(), proofline_proof::files::tiles::TileError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    /// What it holds. A level above 63 has no path that can be read.
    pub kind: TileKind,
    /// Its place among the tiles of its level.
    pub index: u64,
    /// How many of the 256 it holds, if it is partial.
    pub partial: Option<NonZeroU8>,
}

impl TilePath {
    /// How many hashes or entries it holds.
    #[must_use]
    pub fn hashes(&self) -> usize {
        self.partial.map_or(FULL, |width| usize::from(width.get()))
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (place, group) in groups.iter().enumerate().rev() {
            match place {
                0 => write!(f, "{group:03}")?,
                _ => write!(f, "x{group:03}/")?,
            }
        }
        self.partial.map_or(Ok(()), |width| write!(f, ".p/{width}"))
    }
}

/// A decimal number with no sign and no leading zero.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let is_short = text == "0" || !text.starts_with('0');
    (is_plain && is_short).then(|| text.parse().ok())?
}

fn index(text: &str) -> Option<u64> {
    let (above, last) = text.rsplit_once('/').map_or((None, text), |(above, last)| (Some(above), last));
    let mut index = 0_u64;
    let above = above.into_iter().flat_map(|above| above.split('/')).map(|group| group.strip_prefix('x'));
    for group in above.chain([Some(last)]) {
        let group = group.filter(|digits| digits.len() == 3 && digits.bytes().all(|d| d.is_ascii_digit()))?;
        index = index.checked_mul(1000)?.checked_add(group.parse().ok()?)?;
    }
    // `x000` in front says nothing, and no writer puts it there.
    (!text.starts_with("x000")).then_some(index)
}

impl FromStr for TilePath {
    type Err = TileError;

    fn from_str(text: &str) -> Result<Self, TileError> {
        let read = || {
            let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
            let kind = match kind {
                "entries" => TileKind::Entries,
                level => {
                    let level = u8::try_from(decimal(level)?).ok()?;
                    (level <= MAX_LEVEL).then_some(TileKind::Hashes(level))?
                }
            };
            let (number, width) = match rest.split_once(".p/") {
                Some((number, width)) => (number, Some(width)),
                None => (rest, None),
            };
            let partial = match width {
                Some(width) => Some(NonZeroU8::new(u8::try_from(decimal(width)?).ok()?)?),
                None => None,
            };
            Some(TilePath { kind, index: index(number)?, partial })
        };
        read().ok_or(TileError::Path)
    }
}

/// The bytes of a tile with these hashes.
#[must_use]
pub fn encode_tile(hashes: &[NodeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.as_bytes()).copied().collect()
}

/// Reads a tile of `width` hashes. Trust them once a path from them leads to a signed root.
///
/// # Errors
/// [`TileError::TileLength`].
pub fn decode_tile(bytes: &[u8], width: usize) -> Result<Vec<NodeHash>, TileError> {
    let expected = width.saturating_mul(HASH_BYTES);
    if bytes.len() != expected {
        return Err(TileError::TileLength { expected, found: bytes.len() });
    }
    Ok(bytes.chunks(HASH_BYTES).filter_map(NodeHash::from_slice).collect())
}

/// The bytes of a bundle with these entries.
///
/// # Errors
/// [`TileError::EntryCount`] for none or more than 256, [`TileError::EntryTooLong`].
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, TileError> {
    if entries.is_empty() || entries.len() > FULL {
        return Err(TileError::EntryCount { expected: FULL, found: entries.len() });
    }
    let mut out = Vec::new();
    for entry in entries {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong(entry.len()))?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(entry);
    }
    Ok(out)
}

/// Reads a bundle of exactly `width` entries.
///
/// # Errors
/// [`TileError::Truncated`], [`TileError::EntryCount`].
pub fn decode_bundle(bytes: &[u8], width: usize) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::with_capacity(width.min(FULL));
    let mut rest = bytes;
    while !rest.is_empty() {
        if entries.len() == width {
            return Err(TileError::EntryCount { expected: width, found: width.saturating_add(1) });
        }
        let truncated = TileError::Truncated(entries.len());
        let (length, behind) = rest.split_first_chunk::<2>().ok_or(truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, behind) = behind.split_at_checked(length).ok_or(truncated)?;
        entries.push(entry);
        rest = behind;
    }
    let found = entries.len();
    if found == width { Ok(entries) } else { Err(TileError::EntryCount { expected: width, found }) }
}

/// Checks that the entries of a bundle are those of its level-0 tile.
///
/// # Errors
/// [`TileError::EntryCount`], [`TileError::Leaf`].
pub fn check_bundle(entries: &[&[u8]], tile: &[NodeHash]) -> Result<(), TileError> {
    if entries.len() != tile.len() {
        return Err(TileError::EntryCount { expected: tile.len(), found: entries.len() });
    }
    let mut pairs = entries.iter().zip(tile);
    match pairs.position(|(entry, hash)| NodeHash::from(LeafHash::of_header(entry)) != *hash) {
        Some(place) => Err(TileError::Leaf(place)),
        None => Ok(()),
    }
}
