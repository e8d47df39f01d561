//! The tree and its proofs against a naive recursive reading of RFC 6962 §2.1 written for this test:
//! every size up to 300, every pair of sizes up to 64, every bit flipped, and the known answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests fail by panicking"
)]

use std::convert::Infallible;
use std::ops::Range;

use proofline_canon::{Sha256Digest, unhex};
use proofline_proof::tree::{
    Frontier, HashTree, TILE_HASHES, TileBuilder, TileHashes, TreeFault, consistency_nodes,
    consistency_proof, consistency_root, inclusion_nodes, inclusion_proof, inclusion_root, multiproof_root,
    root, tile_widths, verify_consistency, verify_inclusion,
};
use proofline_proof::{LeafHash, NodeHash};
use proptest::prelude::*;

/// RFC 6962 §2.1 as it stands there.
mod naive {
    use super::*;

    pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        *Sha256Digest::of(&parts.concat()).as_bytes()
    }

    fn split(count: usize) -> usize {
        let mut k = 1;
        while k * 2 < count {
            k *= 2;
        }
        k
    }

    pub(crate) fn mth(leaves: &[[u8; 32]]) -> [u8; 32] {
        match leaves {
            [] => sha256(&[]),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                sha256(&[&[1], &mth(left), &mth(right)])
            }
        }
    }

    pub(crate) fn path(m: usize, leaves: &[[u8; 32]]) -> Vec<[u8; 32]> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let k = split(leaves.len());
        let (left, right) = leaves.split_at(k);
        let (mut path, sibling) =
            if m < k { (self::path(m, left), mth(right)) } else { (self::path(m - k, right), mth(left)) };
        path.push(sibling);
        path
    }

    pub(crate) fn proof(m: usize, leaves: &[[u8; 32]]) -> Vec<[u8; 32]> {
        sub(m, leaves, true)
    }

    fn sub(m: usize, leaves: &[[u8; 32]], known: bool) -> Vec<[u8; 32]> {
        if m == leaves.len() {
            return if known { Vec::new() } else { vec![mth(leaves)] };
        }
        let k = split(leaves.len());
        let (left, right) = leaves.split_at(k);
        let (mut path, sibling) =
            if m <= k { (sub(m, left, known), mth(right)) } else { (sub(m - k, right, false), mth(left)) };
        path.push(sibling);
        path
    }
}

/// The leaves "0", "1", ... of the known answers.
fn leaves(count: usize) -> Vec<LeafHash> {
    (0..count).map(|number| LeafHash::of_header(number.to_string().as_bytes())).collect()
}

fn bytes(leaves: &[LeafHash]) -> Vec<[u8; 32]> {
    leaves.iter().map(|leaf| *leaf.as_bytes()).collect()
}

fn nodes(hashes: Vec<[u8; 32]>) -> Vec<NodeHash> {
    hashes.into_iter().map(NodeHash::from_bytes).collect()
}

/// Tile hashes as a builder hands them on.
#[derive(Default)]
struct Tiles(Vec<Vec<NodeHash>>);

impl Tiles {
    fn of(leaves: &[LeafHash]) -> Self {
        let (mut builder, mut tiles) = (TileBuilder::empty(), Tiles::default());
        for leaf in leaves {
            builder.push(*leaf, |level, hash| {
                let level = level as usize;
                if tiles.0.len() <= level {
                    tiles.0.resize(level + 1, Vec::new());
                }
                tiles.0[level].push(hash);
            });
        }
        assert_eq!(builder.size(), leaves.len() as u64);
        tiles
    }
}

impl TileHashes for Tiles {
    type Error = Infallible;

    fn tile_hashes(&self, level: u32, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), Infallible> {
        out.extend(&self.0[level as usize][range.start as usize..range.end as usize]);
        Ok(())
    }
}

fn node(hex: &str) -> NodeHash {
    NodeHash::from_bytes(unhex(hex).expect("hex"))
}

#[test]
fn roots_and_proofs_are_those_of_the_known_answers() {
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "db3426e878068d28d269b6c87172322ce5372b65756d0789001d34835f601c03",
        "cb00989d94a569c0a678ae042b63dcd4625db96440517f37a6eb7976ea24ed4b",
        "725d5230db68f557470dc35f1d8865813acd7ebb07ad152774141decbae71327",
        "9f4a3fc20d4162dc37d4e23d907848731a76043ffff6d69288bf1abfbcff478e",
        "b6748f6ed7a99de7da84fd97e1a3bac6fab8999f4a43695cab9528a2de431147",
        "32805cc5e94134743d0aa580ef2ee332687b687fc2e4e2f72fee1cc712e0ba0c",
        "a3e23b32ccb6bf96d092d165d8aa546e09829de8f03b0e8957581d1e16b92bdf",
        "3b85a9626c1ccb64c6b95ec7fa64888defe2cf12e39e77e10812ce5fcb9cb58e",
    ];
    let tiles = Tiles::of(&leaves(8));
    for (size, expected) in roots.into_iter().enumerate() {
        assert_eq!(root(&tiles, size as u64).unwrap(), node(expected), "size {size}");
    }
    let h = |hex| node(hex);
    let h0123 = h("9f4a3fc20d4162dc37d4e23d907848731a76043ffff6d69288bf1abfbcff478e");
    let h01 = h("cb00989d94a569c0a678ae042b63dcd4625db96440517f37a6eb7976ea24ed4b");
    let h2 = h("fa61e3dec3439589f4784c893bf321d0084f04c572c7af2b68e3f3360a35b486");
    let h3 = h("906c5d2485cae722073a430f4d04fe1767507592cef226629aeadb85a2ec909d");
    let h4 = h("11e1f558223f4c71b6be1cecfd1f0de87146d2594877c27b29ec519f9040213c");
    let h5 = h("53304f5e3fd4bcd20b39abdef2fe118031cc5ae8217bcea008dea7e27869348a");
    let h6 = h("3bf9c81c231cae70b678d3f3038f9f4f6d6b9d7adcf9b378f25919ae53d17686");
    let h7 = h("797427cf8368051fe7b8e3e9d5ade9c5bc9d0cf96f4f3fad2a1e1d7848368188");
    let h45 = h("d2737dce8a7df1d7d5cf4d5f52d274802c71bfe20a2e078682e71c182d398c90");
    let h67 = h("f384a00ff1483ad123c05cb5035c9bfa46a2d925548a5fa36acf1776c9b0f448");
    let h456 = h("973f083957c7359fb1943acf9e6689bca6ca5ea7197d808aad3c14498689efe0");
    let h4567 = h("31f2973ab63e19375dfe0d165a92ebd9a13d28b5e6fc78072c4068bd7bbfbc37");
    let inclusion = |index, size| inclusion_proof(&tiles, index, size).unwrap().unwrap();
    assert_eq!(inclusion(0, 1), []);
    assert_eq!(inclusion(2, 3), [h01]);
    assert_eq!(inclusion(4, 7), [h5, h6, h0123]);
    assert_eq!(inclusion(6, 7), [h45, h0123]);
    assert_eq!(inclusion(5, 8), [h4, h67, h0123]);
    let consistency = |old, new| consistency_proof(&tiles, old, new).unwrap().unwrap();
    assert_eq!(consistency(2, 3), [h2]);
    assert_eq!(consistency(3, 4), [h2, h3, h01]);
    assert_eq!(consistency(3, 7), [h2, h3, h01, h456]);
    assert_eq!(consistency(4, 7), [h456]);
    assert_eq!(consistency(4, 8), [h4567]);
    assert_eq!(consistency(6, 7), [h45, h6, h0123]);
    assert_eq!(consistency(6, 8), [h45, h67, h0123]);
    assert_eq!(consistency(7, 8), [h6, h7, h45, h0123]);
}

#[test]
fn the_tree_of_certificate_transparency_has_its_published_roots() {
    let entries =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let leaves: Vec<LeafHash> = entries.iter().map(|entry| LeafHash::of_header(&unhex(entry))).collect();
    let tiles = Tiles::of(&leaves);
    let roots = [
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    for (size, expected) in (7..).zip(roots) {
        assert_eq!(root(&tiles, size).unwrap(), node(expected));
    }
}

#[test]
fn every_inclusion_proof_up_to_300_is_the_naive_one_and_holds() {
    let leaves = leaves(300);
    let (tiles, naive_leaves) = (Tiles::of(&leaves), bytes(&leaves));
    let mut frontier = Frontier::empty();
    for size in 1..=300_usize {
        frontier.push(leaves[size - 1]);
        let expected = NodeHash::from_bytes(naive::mth(&naive_leaves[..size]));
        assert_eq!((frontier.root(), frontier.size()), (expected, size as u64));
        assert_eq!(root(&tiles, size as u64).unwrap(), expected);
        assert_eq!(Frontier::read(&tiles, size as u64).unwrap(), frontier);
        for (index, leaf) in leaves[..size].iter().enumerate() {
            let (at, of) = (index as u64, size as u64);
            let path = inclusion_proof(&tiles, at, of).unwrap().unwrap();
            assert_eq!(path, nodes(naive::path(index, &naive_leaves[..size])), "({index}, {size})");
            assert_eq!(inclusion_nodes(at, of), Ok(path.len()));
            assert_eq!(verify_inclusion(at, of, *leaf, &path, &expected), Ok(()));
        }
    }
}

#[test]
fn every_consistency_proof_up_to_300_is_the_naive_one_and_holds() {
    let leaves = leaves(300);
    let (tiles, naive_leaves) = (Tiles::of(&leaves), bytes(&leaves));
    let root_of = |size: usize| NodeHash::from_bytes(naive::mth(&naive_leaves[..size]));
    let news = (1..=64_usize).chain([100, 128, 129, 255, 256, 257, 300]);
    for new in news {
        for old in 1..=new {
            let path = consistency_proof(&tiles, old as u64, new as u64).unwrap().unwrap();
            assert_eq!(path, nodes(naive::proof(old, &naive_leaves[..new])), "({old}, {new})");
            assert_eq!(consistency_nodes(old as u64, new as u64), Ok(path.len()));
            let (before, after) = (root_of(old), root_of(new));
            assert_eq!(verify_consistency(old as u64, &before, new as u64, &after, &path), Ok(()));
        }
    }
}

fn flip(hash: &NodeHash, bit: usize) -> NodeHash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    NodeHash::from_bytes(bytes)
}

#[test]
fn every_flipped_bit_of_an_inclusion_proof_is_refused() {
    let leaves = leaves(64);
    let tiles = Tiles::of(&leaves);
    for (index, size) in [(0, 1), (0, 2), (2, 3), (6, 7), (5, 8), (20, 21), (63, 64), (33, 50)] {
        let leaf = leaves[index as usize];
        let (path, root) =
            (inclusion_proof(&tiles, index, size).unwrap().unwrap(), root(&tiles, size).unwrap());
        for bit in 0..256 {
            let other = *flip(&NodeHash::from(leaf), bit).as_bytes();
            assert!(verify_inclusion(index, size, LeafHash::from_bytes(other), &path, &root).is_err());
            assert!(verify_inclusion(index, size, leaf, &path, &flip(&root, bit)).is_err());
            for at in 0..path.len() {
                let mut other = path.clone();
                other[at] = flip(&other[at], bit);
                assert!(verify_inclusion(index, size, leaf, &other, &root).is_err(), "({index}, {size})");
            }
        }
        for bit in 0..64 {
            let other = index ^ (1 << bit);
            assert!(verify_inclusion(other, size, leaf, &path, &root).is_err(), "index {other} of {size}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_consistency_proof_is_refused() {
    let leaves = leaves(64);
    let tiles = Tiles::of(&leaves);
    for (old, new) in [(1, 2), (2, 3), (3, 4), (3, 7), (6, 8), (7, 8), (33, 64), (32, 64), (5, 5), (49, 50)] {
        let (before, after) = (root(&tiles, old).unwrap(), root(&tiles, new).unwrap());
        let path = consistency_proof(&tiles, old, new).unwrap().unwrap();
        for bit in 0..256 {
            assert!(verify_consistency(old, &flip(&before, bit), new, &after, &path).is_err());
            assert!(verify_consistency(old, &before, new, &flip(&after, bit), &path).is_err());
            for at in 0..path.len() {
                let mut other = path.clone();
                other[at] = flip(&other[at], bit);
                assert!(verify_consistency(old, &before, new, &after, &other).is_err(), "({old}, {new})");
            }
        }
        for bit in 0..64 {
            let other = old ^ (1 << bit);
            assert!(verify_consistency(other, &before, new, &after, &path).is_err(), "old {other} of {new}");
        }
    }
}

#[test]
fn what_must_be_refused_is_refused_by_name() {
    let leaves = leaves(8);
    let tiles = Tiles::of(&leaves);
    let top = root(&tiles, 8).unwrap();
    let path = inclusion_proof(&tiles, 5, 8).unwrap().unwrap();
    let include = |index, size, path: &[NodeHash]| verify_inclusion(index, size, leaves[5], path, &top);
    assert_eq!(include(0, 0, &[]), Err(TreeFault::IndexPastSize { index: 0, size: 0 }));
    assert_eq!(include(8, 8, &path), Err(TreeFault::IndexPastSize { index: 8, size: 8 }));
    assert_eq!(include(u64::MAX, 8, &path), Err(TreeFault::IndexPastSize { index: u64::MAX, size: 8 }));
    let surplus = [&path[..], &[top]].concat();
    assert_eq!(include(5, 8, &surplus), Err(TreeFault::NodeCount { expected: 3, found: 4 }));
    assert_eq!(include(5, 8, &path[..2]), Err(TreeFault::NodeCount { expected: 3, found: 2 }));
    assert_eq!(include(5, 8, &[]), Err(TreeFault::NodeCount { expected: 3, found: 0 }));
    let seven = root(&tiles, 7).unwrap();
    let path = consistency_proof(&tiles, 7, 8).unwrap().unwrap();
    let extend = |old, new, path: &[NodeHash]| verify_consistency(old, &seven, new, &top, path);
    assert_eq!(extend(0, 8, &path), Err(TreeFault::Sizes { old: 0, new: 8 }));
    assert_eq!(extend(9, 8, &path), Err(TreeFault::Sizes { old: 9, new: 8 }));
    assert_eq!(extend(7, 8, &path[..3]), Err(TreeFault::NodeCount { expected: 4, found: 3 }));
    assert_eq!(extend(7, 8, &[]), Err(TreeFault::NodeCount { expected: 4, found: 0 }));
    assert_eq!(extend(8, 8, &path[..1]), Err(TreeFault::NodeCount { expected: 0, found: 1 }));
    assert_eq!(extend(7, 7, &[]), Err(TreeFault::Root { expected: top, found: seven }));
    assert_eq!(NodeHash::from_slice(&[0; 31]), None);
    assert_eq!(NodeHash::from_slice(&[0; 33]), None);
    assert!(inclusion_proof(&tiles, 8, 8).unwrap().is_err());
    assert!(consistency_proof(&tiles, 0, 8).unwrap().is_err());
}

/// RFC 6962 proofs fix the turns of a path and no more: these pairs share one. Only a size that is
/// signed together with the root tells them apart.
#[test]
fn pairs_that_share_a_path_are_known() {
    let leaves = leaves(8);
    let tiles = Tiles::of(&leaves);
    let path = inclusion_proof(&tiles, 2, 3).unwrap().unwrap();
    let top = root(&tiles, 3).unwrap();
    for (index, size) in [(2, 3), (1, 2), (4, 5), (8, 9), (16, 17)] {
        assert_eq!(verify_inclusion(index, size, leaves[2], &path, &top), Ok(()), "({index}, {size})");
    }
    let (path, top) = (inclusion_proof(&tiles, 0, 7).unwrap().unwrap(), root(&tiles, 7).unwrap());
    for size in [5, 6, 7, 8] {
        assert_eq!(verify_inclusion(0, size, leaves[0], &path, &top), Ok(()), "size {size}");
    }
    let (old, new) = (root(&tiles, 3).unwrap(), root(&tiles, 7).unwrap());
    let path = consistency_proof(&tiles, 3, 7).unwrap().unwrap();
    for (before, after) in [(3, 5), (3, 6), (3, 7), (3, 8), (6, 9), (6, 12), (6, 16)] {
        assert_eq!(verify_consistency(before, &old, after, &new, &path), Ok(()), "({before}, {after})");
    }
}

#[test]
fn sizes_at_the_edge_of_u64_neither_overflow_nor_loop() {
    let hash = NodeHash::empty_root();
    assert_eq!(inclusion_nodes(u64::MAX - 1, u64::MAX), Ok(63));
    assert_eq!(inclusion_nodes(0, u64::MAX), Ok(64));
    assert_eq!(consistency_nodes(u64::MAX - 1, u64::MAX), Ok(64));
    assert_eq!(consistency_nodes(1, u64::MAX), Ok(64));
    assert_eq!(consistency_nodes((1 << 63) + 1, u64::MAX), Ok(65));
    let leaf = LeafHash::of_header(b"0");
    assert!(inclusion_root(u64::MAX - 1, u64::MAX, leaf, &[hash; 63]).is_ok());
    assert!(consistency_root((1 << 63) + 1, &hash, u64::MAX, &[hash; 65]).is_err());
    assert!(consistency_root(u64::MAX, &hash, u64::MAX, &[]).is_ok());
}

#[test]
fn tiles_are_as_wide_as_the_published_table_says() {
    let widths = |size| tile_widths(size).map(|width| (width.full, width.partial)).collect::<Vec<_>>();
    assert_eq!(widths(0), []);
    assert_eq!(widths(1), [(0, 1)]);
    assert_eq!(widths(256), [(1, 0), (0, 1)]);
    assert_eq!(widths(65_535), [(255, 255), (0, 255)]);
    assert_eq!(widths(65_536), [(256, 0), (1, 0), (0, 1)]);
    assert_eq!(widths(65_537), [(256, 1), (1, 0), (0, 1)]);
    assert_eq!(widths(70_000), [(273, 112), (1, 17), (0, 1)]);
    assert_eq!(tile_widths(u64::MAX).count(), 8);
}

#[test]
fn a_tree_of_three_tile_levels_has_the_naive_root() {
    let leaves = leaves(66_000);
    let (tiles, naive_leaves) = (Tiles::of(&leaves), bytes(&leaves));
    assert_eq!(tiles.0.iter().map(Vec::len).collect::<Vec<_>>(), [66_000, 257, 1]);
    for size in [65_535, 65_536, 65_537, 66_000] {
        let expected = NodeHash::from_bytes(naive::mth(&naive_leaves[..size]));
        assert_eq!(root(&tiles, size as u64).unwrap(), expected);
        for index in [0, 255, 256, 65_535.min(size - 1), size - 1] {
            let path = inclusion_proof(&tiles, index as u64, size as u64).unwrap().unwrap();
            assert_eq!(path, nodes(naive::path(index, &naive_leaves[..size])));
        }
        for old in [1, 255, 256, 257, 65_535] {
            let path = consistency_proof(&tiles, old as u64, size as u64).unwrap().unwrap();
            assert_eq!(path, nodes(naive::proof(old, &naive_leaves[..size])));
        }
    }
}

proptest! {
    /// A builder that is taken apart and put together again goes on as if nothing had happened.
    #[test]
    fn a_builder_goes_on_from_its_parts(size in 0_usize..700, more in 0_usize..300) {
        let leaves = leaves(size + more);
        let tiles = Tiles::of(&leaves);
        let parts = tile_widths(size as u64).map(|width| {
            let start = width.full * TILE_HASHES;
            let mut hashes = Vec::new();
            tiles.tile_hashes(width.level, start..start + width.partial, &mut hashes).unwrap();
            hashes
        });
        let mut builder = TileBuilder::from_parts(size as u64, parts.collect()).unwrap();
        let mut whole = TileBuilder::empty();
        leaves[..size].iter().for_each(|leaf| whole.push(*leaf, |_, _| ()));
        prop_assert_eq!(&builder, &whole);
        let (mut one, mut other) = (Vec::new(), Vec::new());
        for leaf in &leaves[size..] {
            builder.push(*leaf, |level, hash| one.push((level, hash)));
            whole.push(*leaf, |level, hash| other.push((level, hash)));
        }
        prop_assert_eq!(one, other);
        prop_assert_eq!(TileBuilder::from_parts(size as u64 + 1, Vec::new()).is_some(), false);
    }

    /// No other size or index of the same shape verifies unless the paths have equal turns; what
    /// verifies has the length that its own sizes ask for.
    #[test]
    fn a_proof_that_holds_has_the_length_of_its_sizes(
        index in 0_u64..64,
        size in 1_u64..64,
        other in 1_u64..128,
        at in 0_u64..128,
    ) {
        prop_assume!(index < size);
        let leaves = leaves(64);
        let tiles = Tiles::of(&leaves);
        let path = inclusion_proof(&tiles, index, size).unwrap().unwrap();
        let top = root(&tiles, size).unwrap();
        if verify_inclusion(at, other, leaves[index as usize], &path, &top).is_ok() {
            prop_assert_eq!(inclusion_nodes(at, other), Ok(path.len()));
        }
    }
}

/// The multiproof as `docs/bundle.md` writes it down, over plain slices.
mod naive_multi {
    use super::*;

    pub(crate) fn list(leaves: &[[u8; 32]], chosen: &[usize], out: &mut Vec<[u8; 32]>) {
        if chosen.is_empty() {
            out.push(naive::mth(leaves));
        } else if leaves.len() > 1 {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            let left: Vec<usize> = chosen.iter().copied().filter(|at| *at < k).collect();
            let right: Vec<usize> = chosen.iter().filter(|at| **at >= k).map(|at| at - k).collect();
            list(&leaves[..k], &left, out);
            list(&leaves[k..], &right, out);
        }
    }
}

fn leaves_of(size: usize) -> Vec<LeafHash> {
    (0..size).map(|at| LeafHash::of(&at.to_be_bytes())).collect()
}

fn multi_root(size: u64, chosen: &[(u64, LeafHash)], hashes: &[NodeHash]) -> Result<NodeHash, TreeFault> {
    multiproof_root(size, chosen.iter().map(|leaf| Ok(*leaf)), hashes.iter().map(|hash| Ok(*hash)))
}

/// Every way to choose from up to nine leaves: the list is the naive one and leads to the naive root;
/// every change of it does not.
#[test]
fn multiproofs_of_every_choice_are_the_naive_ones_and_no_other_list_will_do() {
    for size in 0..=9_usize {
        let leaves = leaves_of(size);
        let plain: Vec<[u8; 32]> = leaves.iter().map(|leaf| *leaf.as_bytes()).collect();
        let expected_root = NodeHash::from_bytes(naive::mth(&plain));
        let tree = HashTree::of(leaves.iter().copied());
        assert_eq!((tree.size(), tree.root()), (size as u64, expected_root));
        for mask in 0..1_u32 << size {
            let chosen: Vec<usize> = (0..size).filter(|at| mask >> at & 1 == 1).collect();
            let mut expected = Vec::new();
            if size > 0 {
                naive_multi::list(&plain, &chosen, &mut expected);
            }
            let indexes: Vec<u64> = chosen.iter().map(|at| *at as u64).collect();
            let proof = tree.multiproof(&indexes).unwrap();
            assert_eq!(proof, expected.into_iter().map(NodeHash::from_bytes).collect::<Vec<_>>());
            let known: Vec<(u64, LeafHash)> = chosen.iter().map(|at| (*at as u64, leaves[*at])).collect();
            assert_eq!(multi_root(size as u64, &known, &proof), Ok(expected_root));
            assert_multiproof_is_strict(size as u64, &known, &proof, expected_root);
        }
    }
}

fn assert_multiproof_is_strict(size: u64, known: &[(u64, LeafHash)], proof: &[NodeHash], root: NodeHash) {
    let differs = |known: &[(u64, LeafHash)], proof: &[NodeHash], size: u64| {
        assert_ne!(multi_root(size, known, proof), Ok(root), "{size} {known:?} {proof:?}");
    };
    let mut longer = proof.to_vec();
    longer.push(NodeHash::empty_root());
    differs(known, &longer, size);
    for at in 0..proof.len() {
        let mut changed = proof.to_vec();
        changed.remove(at);
        differs(known, &changed, size);
        let mut changed = proof.to_vec();
        changed[at] = NodeHash::over(&changed[at], &changed[at]);
        differs(known, &changed, size);
        if at > 0 && proof[at] != proof[at - 1] {
            let mut changed = proof.to_vec();
            changed.swap(at, at - 1);
            differs(known, &changed, size);
        }
    }
    for at in 0..known.len() {
        let mut changed = known.to_vec();
        changed.remove(at);
        differs(&changed, proof, size);
        let mut changed = known.to_vec();
        changed.insert(at, known[at]);
        assert_eq!(multi_root(size, &changed, proof), Err(TreeFault::Order { index: known[at].0 }));
        let mut changed = known.to_vec();
        changed[at].1 = LeafHash::of(b"another");
        differs(&changed, proof, size);
    }
    let mut past = known.to_vec();
    past.push((size, LeafHash::of(b"past")));
    assert!(matches!(
        multi_root(size, &past, proof),
        Err(TreeFault::IndexPastSize { .. } | TreeFault::TooManyHashes | TreeFault::TooFewHashes)
    ));
    let errors = multiproof_root(
        size,
        known.iter().map(|leaf| Ok(*leaf)).chain([Err(TreeFault::NodeCount { expected: 1, found: 2 })]),
        proof.iter().map(|hash| Ok(*hash)),
    );
    assert_eq!(errors, Err(TreeFault::NodeCount { expected: 1, found: 2 }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Larger trees, over more than one tile: from a folder of tiles and from memory alike.
    #[test]
    fn multiproofs_of_large_trees_hold(
        size in 1_usize..1500,
        picks in prop::collection::btree_set(0_usize..1500, 0..40),
    ) {
        let leaves = leaves_of(size);
        let plain: Vec<[u8; 32]> = leaves.iter().map(|leaf| *leaf.as_bytes()).collect();
        let chosen: Vec<usize> = picks.into_iter().filter(|at| *at < size).collect();
        let indexes: Vec<u64> = chosen.iter().map(|at| *at as u64).collect();
        let mut expected = Vec::new();
        naive_multi::list(&plain, &chosen, &mut expected);
        let proof = HashTree::of(leaves.iter().copied()).multiproof(&indexes).unwrap();
        prop_assert_eq!(&proof, &expected.into_iter().map(NodeHash::from_bytes).collect::<Vec<_>>());
        let known: Vec<(u64, LeafHash)> = chosen.iter().map(|at| (*at as u64, leaves[*at])).collect();
        prop_assert_eq!(multi_root(size as u64, &known, &proof), Ok(NodeHash::from_bytes(naive::mth(&plain))));
    }
}

#[test]
fn multiproofs_are_refused_for_what_a_tree_has_not() {
    let tree = HashTree::of(leaves_of(5));
    assert_eq!(tree.multiproof(&[5]), Err(TreeFault::IndexPastSize { index: 5, size: 5 }));
    assert_eq!(tree.multiproof(&[3, 3]), Err(TreeFault::Order { index: 3 }));
    assert_eq!(tree.multiproof(&[3, 1]), Err(TreeFault::Order { index: 1 }));
    assert_eq!(HashTree::of([]).multiproof(&[0]), Err(TreeFault::IndexPastSize { index: 0, size: 0 }));
}
