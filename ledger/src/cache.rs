//! A bounded memory of what was looked up lately: two generations, the older one dropped whole.

use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    generation_entries: usize,
}

impl<K: Eq + Hash, V: Copy> Cache<K, V> {
    /// Holds at least the last `entries` that were put in, at most twice as many.
    pub(crate) fn new(entries: usize) -> Self {
        let (young, old) = (HashMap::new(), HashMap::new());
        Cache { young, old, generation_entries: entries.max(1) }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.generation_entries {
            // Emptied and swapped: neither map has to grow again.
            self.old.clear();
            std::mem::swap(&mut self.young, &mut self.old);
        }
        self.young.insert(key, value);
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn the_latest_entries_stay_and_the_number_is_bounded() {
        let mut cache = Cache::new(10);
        for key in 0..1000 {
            cache.put(key, key * 2);
            assert!(cache.young.len() + cache.old.len() <= 20);
        }
        for key in 990..1000 {
            assert_eq!(cache.get(&key), Some(key * 2));
        }
        assert_eq!(cache.get(&900), None);
        cache.put(999, 7);
        assert_eq!(cache.get(&999), Some(7));
    }
}
