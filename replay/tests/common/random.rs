//! A seeded generator, so that a failing run can be run again.

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// Lists merged into one, each in its own order.
    pub fn interleaved<T>(&mut self, lists: Vec<Vec<T>>) -> Vec<T> {
        let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).filter(|list| list.len() > 0).collect();
        let mut merged = Vec::new();
        while !lists.is_empty() {
            let at = self.below(lists.len());
            merged.extend(lists[at].next());
            if lists[at].len() == 0 {
                lists.swap_remove(at);
            }
        }
        merged
    }
}
