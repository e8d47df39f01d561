//! Which spans without counterpart have one elsewhere: below another span, or in another order. Subtrees that say
//! the same are found by digest, the largest first, so the work grows with the number of spans.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proofline_canon::Sha256Digest;

use super::run::Node;

/// The nodes of either side that have no counterpart where they stand, and what they were found to be.
pub(super) struct Moves<'a> {
    a: Side<'a>,
    b: Side<'a>,
    /// Pairs of places, of the first side's and of the second side's nodes.
    found: Vec<(usize, usize)>,
}

struct Side<'a> {
    nodes: &'a [Node<'a>],
    /// By place: whether it still looks for a counterpart.
    is_open: Vec<bool>,
    /// By place: how many spans there are from it down.
    sizes: Vec<usize>,
}

impl<'a> Side<'a> {
    fn of(nodes: &'a [Node<'a>], alone: &[usize]) -> Self {
        let mut sizes = vec![1; nodes.len()];
        // Children stand behind their parent.
        for (at, node) in nodes.iter().enumerate().rev() {
            let below: usize = node.children.iter().filter_map(|child| sizes.get(*child)).sum();
            if let Some(size) = sizes.get_mut(at) {
                *size += below;
            }
        }
        let mut is_open = vec![false; nodes.len()];
        for at in alone {
            if let Some(open) = is_open.get_mut(*at) {
                *open = true;
            }
        }
        Self { nodes, is_open, sizes }
    }

    fn is_open(&self, at: usize) -> bool {
        self.is_open.get(at).copied().unwrap_or_default()
    }

    fn size(&self, at: usize) -> usize {
        self.sizes.get(at).copied().unwrap_or_default()
    }

    fn close(&mut self, at: usize) {
        if let Some(open) = self.is_open.get_mut(at) {
            *open = false;
        }
    }

    /// The open ones by size and digest, in the order of the drawing.
    fn by_digest(
        &self,
        digest: impl Fn(&Node<'_>) -> Sha256Digest,
        sized: bool,
    ) -> BTreeMap<(Reverse<usize>, Sha256Digest), Vec<usize>> {
        let mut found: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (at, node) in self.nodes.iter().enumerate().filter(|(at, _)| self.is_open(*at)) {
            let size = if sized { self.size(at) } else { 1 };
            found.entry((Reverse(size), digest(node))).or_default().push(at);
        }
        found
    }
}

/// The spans that moved, as pairs of places: subtrees that say the same; then those that say the same but for what
/// came back; then single spans that say the same. Of equal ones the k-th is the k-th.
pub(super) fn moves(
    nodes_a: &[Node<'_>],
    nodes_b: &[Node<'_>],
    alone_a: &[usize],
    alone_b: &[usize],
) -> Vec<(usize, usize)> {
    if alone_a.is_empty() || alone_b.is_empty() {
        return Vec::new();
    }
    let (a, b) = (Side::of(nodes_a, alone_a), Side::of(nodes_b, alone_b));
    let mut moves = Moves { a, b, found: Vec::new() };
    moves.find(|node| node.below, true);
    moves.find(|node| node.asked_below, true);
    moves.find(|node| node.content, false);
    moves.found
}

impl Moves<'_> {
    /// Largest first: a small subtree must not take the counterpart of a part of a larger one.
    fn find(&mut self, digest: impl Fn(&Node<'_>) -> Sha256Digest, whole: bool) {
        let of_a = self.a.by_digest(&digest, whole);
        let of_b = self.b.by_digest(&digest, whole);
        for (key, places_a) in &of_a {
            let Some(places_b) = of_b.get(key) else { continue };
            let open_a: Vec<usize> = places_a.iter().copied().filter(|at| self.a.is_open(*at)).collect();
            let open_b: Vec<usize> = places_b.iter().copied().filter(|at| self.b.is_open(*at)).collect();
            for (one, other) in open_a.into_iter().zip(open_b) {
                let count = if whole { self.a.size(one).min(self.b.size(other)) } else { 1 };
                self.pair(one, other, count);
            }
        }
    }

    /// Two equal subtrees are drawn alike: the n-th span of one is the n-th of the other.
    fn pair(&mut self, one: usize, other: usize, count: usize) {
        for (one, other) in (one..one + count).zip(other..other + count) {
            if self.a.is_open(one) && self.b.is_open(other) {
                self.a.close(one);
                self.b.close(other);
                self.found.push((one, other));
            }
        }
    }
}
