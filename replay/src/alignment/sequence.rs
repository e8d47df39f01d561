//! What two lists have in common, in order: the longest common subsequence of small lists, a good one
//! of huge lists. Symmetric: swapping the lists swaps the members of every pair and changes nothing else.

use std::collections::BTreeMap;
use std::ops::Range;

/// The most cells of the table that is filled for two lists, 8 MiB: about 2,000 items against 2,000.
const TABLE_CELLS: usize = 1 << 22;

/// Places of equal items, rising on both sides. An item that is `None` equals nothing.
///
/// Equal beginnings and ends are paired first. What is left is compared in full where the table
/// allows it. Where it does not, the k-th item of a key is paired with the k-th of the same key as far
/// as the pairs do not cross, and what stands between such pairs is compared in full where it fits.
/// So time is at most about a thousand steps an item, memory a table, whatever the lists are.
pub(crate) fn common<K: Ord + Copy>(a: &[Option<K>], b: &[Option<K>]) -> Vec<(usize, usize)> {
    // Where several answers are equally long, neither side may be the one that decides.
    if b < a { swapped(trimmed(b, a)) } else { trimmed(a, b) }
}

fn swapped(pairs: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    pairs.into_iter().map(|(one, other)| (other, one)).collect()
}

fn is_same<K: Ord>(one: Option<&Option<K>>, other: Option<&Option<K>>) -> bool {
    matches!((one, other), (Some(Some(one)), Some(Some(other))) if one == other)
}

fn trimmed<K: Ord + Copy>(a: &[Option<K>], b: &[Option<K>]) -> Vec<(usize, usize)> {
    let alike = |(one, other): &(&Option<K>, &Option<K>)| is_same(Some(one), Some(other));
    let head = a.iter().zip(b).take_while(alike).count();
    let (rest_a, rest_b) = (part(a, head..a.len()), part(b, head..b.len()));
    let tail = rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(alike).count();
    let (end_a, end_b) = (a.len() - tail, b.len() - tail);
    let between = middle(part(a, head..end_a), part(b, head..end_b));
    let mut pairs: Vec<_> = (0..head).map(|at| (at, at)).collect();
    pairs.extend(between.into_iter().map(|(one, other)| (head + one, head + other)));
    pairs.extend((0..tail).map(|at| (end_a + at, end_b + at)));
    pairs
}

fn part<T>(list: &[T], range: Range<usize>) -> &[T] {
    list.get(range).unwrap_or_default()
}

fn fits(a_len: usize, b_len: usize) -> bool {
    (a_len + 1).checked_mul(b_len + 1).is_some_and(|cells| cells <= TABLE_CELLS)
}

fn middle<K: Ord + Copy>(a: &[Option<K>], b: &[Option<K>]) -> Vec<(usize, usize)> {
    if fits(a.len(), b.len()) {
        return longest(a, b);
    }
    let mut pairs = kth_with_kth(a, b);
    let mut between = Vec::new();
    for (of_a, of_b) in gaps(&pairs, a.len(), b.len()) {
        if fits(of_a.len(), of_b.len()) {
            let found = longest(part(a, of_a.clone()), part(b, of_b.clone()));
            between.extend(found.into_iter().map(|(one, other)| (of_a.start + one, of_b.start + other)));
        }
    }
    pairs.extend(between);
    pairs.sort_unstable();
    pairs
}

/// What lies before, between and behind pairs, where either side has something there.
pub(crate) fn gaps(
    pairs: &[(usize, usize)],
    a_len: usize,
    b_len: usize,
) -> Vec<(Range<usize>, Range<usize>)> {
    let mut found = Vec::new();
    let (mut from_a, mut from_b) = (0, 0);
    for (one, other) in pairs.iter().copied().chain([(a_len, b_len)]) {
        if from_a < one || from_b < other {
            found.push((from_a..one, from_b..other));
        }
        (from_a, from_b) = (one + 1, other + 1);
    }
    found
}

/// The longest common subsequence.
fn longest<K: Ord + Copy>(a: &[Option<K>], b: &[Option<K>]) -> Vec<(usize, usize)> {
    if a.is_empty() || b.is_empty() {
        return Vec::new();
    }
    let table = Lengths::of(a, b);
    let (mut one, mut other, mut pairs) = (0, 0, Vec::new());
    while one < a.len() && other < b.len() {
        if is_same(a.get(one), b.get(other)) {
            pairs.push((one, other));
            (one, other) = (one + 1, other + 1);
        } else if table.get(one + 1, other) >= table.get(one, other + 1) {
            one += 1;
        } else {
            other += 1;
        }
    }
    pairs
}

/// How long the longest common subsequence of the rests from two places is. Two lists that fit the
/// table have less than 2,048 items in common.
struct Lengths {
    width: usize,
    cells: Vec<u16>,
}

impl Lengths {
    fn of<K: Ord>(a: &[Option<K>], b: &[Option<K>]) -> Self {
        let width = b.len() + 1;
        let mut table = Self { width, cells: vec![0; (a.len() + 1) * width] };
        for one in (0..a.len()).rev() {
            for other in (0..b.len()).rev() {
                let length = if is_same(a.get(one), b.get(other)) {
                    table.get(one + 1, other + 1).saturating_add(1)
                } else {
                    table.get(one + 1, other).max(table.get(one, other + 1))
                };
                if let Some(cell) = table.cells.get_mut(one * width + other) {
                    *cell = length;
                }
            }
        }
        table
    }

    fn get(&self, one: usize, other: usize) -> u16 {
        self.cells.get(one * self.width + other).copied().unwrap_or_default()
    }
}

/// The k-th of a key with the k-th of the same, as many as do not cross.
fn kth_with_kth<K: Ord + Copy>(a: &[Option<K>], b: &[Option<K>]) -> Vec<(usize, usize)> {
    let in_b: BTreeMap<(K, usize), usize> = numbered(b).collect();
    let pairs: Vec<_> =
        numbered(a).filter_map(|(key, at)| in_b.get(&key).map(|other| (at, *other))).collect();
    longest_rising(&pairs)
}

/// Every key with how many of it stand before, and where it is.
fn numbered<K: Ord + Copy>(list: &[Option<K>]) -> impl Iterator<Item = ((K, usize), usize)> {
    let mut counts: BTreeMap<K, usize> = BTreeMap::new();
    list.iter().enumerate().filter_map(move |(at, key)| {
        let count = counts.entry((*key)?).or_default();
        *count += 1;
        Some((((*key)?, *count), at))
    })
}

/// The longest run of pairs, given in the order of their first members, whose second members rise.
fn longest_rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let second = |at: &usize| pairs.get(*at).map(|(_, other)| *other);
    // The run of each length that ends lowest, by its last pair.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (at, (_, other)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| second(end) < Some(*other));
        before.push(length.checked_sub(1).and_then(|shorter| ends.get(shorter)).copied());
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let step = |at: &usize| before.get(*at).copied().flatten();
    let mut run: Vec<_> =
        std::iter::successors(ends.last().copied(), step).filter_map(|at| pairs.get(at).copied()).collect();
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(text: &str) -> Vec<Option<char>> {
        text.chars().map(|c| (c != '-').then_some(c)).collect()
    }

    /// By trying all: as slow as it is plain.
    fn longest_length(a: &[Option<u8>], b: &[Option<u8>]) -> usize {
        match (a, b) {
            ([one, rest_a @ ..], [other, rest_b @ ..]) => {
                let apart = longest_length(rest_a, b).max(longest_length(a, rest_b));
                let together = usize::from(one.is_some() && one == other);
                apart.max(together + longest_length(rest_a, rest_b))
            }
            _ => 0,
        }
    }

    #[test]
    fn what_is_common_is_found_and_nothing_equals_nothing() {
        assert_eq!(common(&keys("abcd"), &keys("abxcd")), [(0, 0), (1, 1), (2, 3), (3, 4)]);
        assert_eq!(common(&keys("a-b"), &keys("a-b")), [(0, 0), (2, 2)]);
        assert_eq!(common(&keys(""), &keys("abc")), []);
        assert_eq!(gaps(&[(1, 1), (2, 3)], 3, 5), [(0..1, 0..1), (2..2, 2..3), (3..3, 4..5)]);
    }

    #[test]
    fn lists_that_fit_no_table_are_paired_by_their_order() {
        // 5,000 that stand once, the last at the beginning of the other list, one of a hundred changed.
        let a: Vec<Option<u32>> = (0..5_000).map(Some).collect();
        let mut b: Vec<Option<u32>> =
            a.iter().map(|key| key.map(|key| if key % 100 == 0 { key + 10_000 } else { key })).collect();
        b.rotate_right(1);
        assert!(!fits(a.len(), b.len()));
        let pairs = common(&a, &b);
        assert_eq!(pairs.len(), 5_000 - 50 - 1);
        assert!(pairs.iter().all(|(one, other)| *other == one + 1));
    }

    #[test]
    fn long_lists_of_few_keys_are_paired_in_order_and_alike_from_either_side() {
        let mut seed = 7_u32;
        let mut list = |keys: u32| -> Vec<Option<u32>> {
            let mut next = || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                Some((seed >> 16) % keys)
            };
            (0..20_000).map(|_| next()).collect()
        };
        for keys in [2, 300] {
            let (a, b) = (list(keys), list(keys));
            let pairs = common(&a, &b);
            assert!(pairs.iter().all(|(one, other)| a[*one] == b[*other]));
            assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
            assert!(pairs.len() > 500, "{}", pairs.len());
            assert_eq!(swapped(common(&b, &a)), pairs);
        }
    }

    proptest! {
        #[test]
        fn nothing_longer_is_common(
            a in proptest::collection::vec(proptest::option::weighted(0.9, 0_u8..4), 0..8),
            b in proptest::collection::vec(proptest::option::weighted(0.9, 0_u8..4), 0..8),
        ) {
            let pairs = common(&a, &b);
            prop_assert_eq!(pairs.len(), longest_length(&a, &b));
            prop_assert!(pairs.iter().all(|(one, other)| a[*one].is_some() && a[*one] == b[*other]));
            prop_assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
            prop_assert_eq!(swapped(common(&b, &a)), pairs);
        }

        #[test]
        fn the_order_of_kth_and_kth_holds_the_same_laws(
            a in proptest::collection::vec(proptest::option::weighted(0.9, 0_u8..4), 0..12),
            b in proptest::collection::vec(proptest::option::weighted(0.9, 0_u8..4), 0..12),
        ) {
            let pairs = kth_with_kth(&a, &b);
            prop_assert!(pairs.iter().all(|(one, other)| a[*one].is_some() && a[*one] == b[*other]));
            prop_assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
            prop_assert_eq!(kth_with_kth(&a, &a).len(), a.iter().flatten().count());
        }
    }
}
