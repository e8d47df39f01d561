//! A reader of a tiled log that shares nothing with the writer but SHA-256 and base64: its own paths,
//! its own tree, written down from C2SP tlog-tiles and RFC 9162 and made to be plain, not quick.

use proofline_canon::{Sha256Digest, unbase64};

pub(crate) type Hash = [u8; 32];

fn sha256(bytes: &[u8]) -> Hash {
    *Sha256Digest::of(bytes).as_bytes()
}

pub(crate) fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry].concat())
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left.as_slice(), right].concat())
}

/// The greatest power of two below `n`.
fn split(n: u64) -> u64 {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// MTH of RFC 9162 section 2.1.1, over leaf hashes.
pub(crate) fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(usize::try_from(split(leaves.len() as u64)).unwrap());
            node_hash(&mth(left), &mth(right))
        }
    }
}

/// The path of a resource; a width of 256 is a full one.
pub(crate) fn path(kind: &str, n: u64, width: u64) -> String {
    let mut n = n;
    let mut text = format!("{:03}", n % 1000);
    while n >= 1000 {
        n /= 1000;
        text = format!("x{:03}/{text}", n % 1000);
    }
    let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
    format!("tile/{kind}/{text}{partial}")
}

/// Width of tile `n` of level `l` in a tree of `size`.
fn width(size: u64, l: u32, n: u64) -> u64 {
    let hashes = size / 256_u64.pow(l);
    if n < hashes / 256 { 256 } else { hashes % 256 }
}

pub(crate) struct Reader<'a> {
    pub(crate) fetch: &'a dyn Fn(&str) -> Option<Vec<u8>>,
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

impl<'a> Reader<'a> {
    /// Reads the checkpoint's text; that it is signed is for the caller to check.
    pub(crate) fn open(fetch: &'a dyn Fn(&str) -> Option<Vec<u8>>) -> Option<Self> {
        let text = String::from_utf8(fetch("checkpoint")?).unwrap();
        let mut lines = text.lines().skip(1);
        let size = lines.next().unwrap().parse().unwrap();
        let root = unbase64(lines.next().unwrap()).unwrap().try_into().unwrap();
        Some(Reader { fetch, size, root })
    }

    fn get(&self, path: &str) -> Vec<u8> {
        (self.fetch)(path).unwrap_or_else(|| panic!("{path} is not there, size {}", self.size))
    }

    fn tile(&self, l: u32, n: u64) -> Vec<Hash> {
        let width = width(self.size, l, n);
        let bytes = self.get(&path(&l.to_string(), n, width));
        assert_eq!(bytes.len() as u64, 32 * width, "tile {n} of level {l}");
        bytes.chunks(32).map(|hash| hash.try_into().unwrap()).collect()
    }

    fn level(&self, l: u32) -> Vec<Hash> {
        let tiles = (self.size / 256_u64.pow(l)).div_ceil(256);
        (0..tiles).flat_map(|n| self.tile(l, n)).collect()
    }

    fn bundle(&self, n: u64) -> Vec<Vec<u8>> {
        let width = width(self.size, 0, n);
        let bytes = self.get(&path("entries", n, width));
        let (mut entries, mut rest) = (Vec::new(), bytes.as_slice());
        while !rest.is_empty() {
            let length = usize::from(rest[0]) << 8 | usize::from(rest[1]);
            entries.push(rest[2..2 + length].to_vec());
            rest = &rest[2 + length..];
        }
        assert_eq!(entries.len() as u64, width, "bundle {n}");
        entries
    }

    /// Reads all there is, checks every tile against the one above and every bundle against level 0,
    /// and gives the entries.
    pub(crate) fn read_all(&self) -> Vec<Vec<u8>> {
        let leaves = self.level(0);
        assert_eq!(leaves.len() as u64, self.size);
        assert_eq!(mth(&leaves), self.root, "size {}", self.size);
        let (mut below, mut l) = (leaves.clone(), 1);
        while below.len() >= 256 {
            let level = self.level(l);
            let expected: Vec<Hash> = below.chunks(256).filter(|tile| tile.len() == 256).map(mth).collect();
            assert_eq!(level, expected, "level {l}");
            (below, l) = (level, l + 1);
        }
        let entries: Vec<Vec<u8>> = (0..self.size.div_ceil(256)).flat_map(|n| self.bundle(n)).collect();
        let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        assert_eq!(hashes, leaves);
        entries
    }

    /// The perfect node at level `v`, index `j`, from one tile (tlog-tiles, what a client does).
    fn node(&self, v: u32, j: u64) -> Hash {
        let (l, inner) = (v / 8, v % 8);
        let n = j >> (8 - inner);
        let first = usize::try_from((j - (n << (8 - inner))) << inner).unwrap();
        mth(&self.tile(l, n)[first..first + (1 << inner)])
    }

    fn range(&self, start: u64, length: u64) -> Hash {
        if length.is_power_of_two() && start.is_multiple_of(length) {
            return self.node(length.trailing_zeros(), start / length);
        }
        let k = split(length);
        node_hash(&self.range(start, k), &self.range(start + k, length - k))
    }

    /// PATH of RFC 9162 section 2.1.3.1, over the entries `start .. start + n`.
    fn inclusion(&self, m: u64, start: u64, n: u64) -> Vec<Hash> {
        if n == 1 {
            return Vec::new();
        }
        let k = split(n);
        let (mut path, last) = if m < k {
            (self.inclusion(m, start, k), self.range(start + k, n - k))
        } else {
            (self.inclusion(m - k, start + k, n - k), self.range(start, k))
        };
        path.push(last);
        path
    }

    /// SUBPROOF of RFC 9162 section 2.1.4.1.
    fn consistency(&self, m: u64, start: u64, n: u64, is_whole: bool) -> Vec<Hash> {
        if m == n {
            return if is_whole { Vec::new() } else { vec![self.range(start, n)] };
        }
        let k = split(n);
        let (mut path, last) = if m <= k {
            (self.consistency(m, start, k, is_whole), self.range(start + k, n - k))
        } else {
            (self.consistency(m - k, start + k, n - k, false), self.range(start, k))
        };
        path.push(last);
        path
    }

    /// Proves from tiles alone that the entry is in the tree.
    pub(crate) fn proves_inclusion(&self, index: u64, entry: &[u8]) -> bool {
        fn climb(m: u64, n: u64, leaf: Hash, path: &[Hash]) -> Hash {
            let Some((last, path)) = path.split_last() else { return leaf };
            let k = split(n);
            if m < k {
                node_hash(&climb(m, k, leaf, path), last)
            } else {
                node_hash(last, &climb(m - k, n - k, leaf, path))
            }
        }
        let path = self.inclusion(index, 0, self.size);
        climb(index, self.size, leaf_hash(entry), &path) == self.root
    }

    /// Proves from tiles alone that the tree begins with that of `old` entries and this root.
    pub(crate) fn proves_consistency(&self, old: u64, old_root: &Hash) -> bool {
        fn walk(m: u64, n: u64, whole: Option<Hash>, path: &mut std::vec::IntoIter<Hash>) -> (Hash, Hash) {
            if m == n {
                let hash = whole.unwrap_or_else(|| path.next().unwrap());
                return (hash, hash);
            }
            let k = split(n);
            if m <= k {
                let (old, new) = walk(m, k, whole, path);
                (old, node_hash(&new, &path.next().unwrap()))
            } else {
                let (old, new) = walk(m - k, n - k, None, path);
                let left = path.next().unwrap();
                (node_hash(&left, &old), node_hash(&left, &new))
            }
        }
        let mut path = self.consistency(old, 0, self.size, true).into_iter();
        walk(old, self.size, Some(*old_root), &mut path) == (*old_root, self.root) && path.next().is_none()
    }
}

#[test]
fn paths_are_those_of_the_specification() {
    let expected = [(0, "000"), (999, "999"), (1000, "x001/000"), (1_234_067, "x001/x234/067")];
    for (n, text) in expected {
        assert_eq!(path("0", n, 256), format!("tile/0/{text}"));
        assert_eq!(path("entries", n, 8), format!("tile/entries/{text}.p/8"));
    }
}
