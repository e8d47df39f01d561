//! The work on the records of one call that needs no other record, on several threads. The results come in the order of
//! the records, whatever thread was first, and a bounded way ahead of whoever takes them: the next group is examined
//! while the one before is written.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Items that are worked on at once: enough to be worth a lock, and for those who hash many at once.
const CHUNK_ITEMS: usize = 64;
const CHUNK_BYTES: usize = 256 << 10;

/// How far the threads run ahead.
const AHEAD_BYTES: usize = 8 << 20;
const AHEAD_ITEMS: usize = 8192;

/// Hands the results of `work` over the items to `take`, in order. `size_of` is how many bytes an item holds on to.
pub(crate) fn in_order<T: Sync, R: Send, E>(
    items: &[T],
    threads: Option<NonZeroUsize>,
    size_of: impl Fn(&T) -> usize,
    work: impl Fn(&[T]) -> Vec<R> + Sync,
    mut take: impl FnMut(Vec<R>) -> Result<(), E>,
) -> Result<(), E> {
    let chunks = chunks_of(items, size_of);
    let helpers = helpers(chunks.len(), threads);
    let of_chunk = |at: usize| {
        let range = chunks.get(at).map_or(0..0, |chunk| chunk.items.clone());
        work(items.get(range).unwrap_or_default())
    };
    if helpers == 0 {
        return (0..chunks.len()).try_for_each(|at| take(of_chunk(at)));
    }
    let shared = Shared { chunks: &chunks, state: Mutex::new(State::new()), changed: Condvar::new() };
    thread::scope(|scope| {
        let help = || shared.help(&of_chunk);
        let stopping = Stopping(&shared);
        let builder = || thread::Builder::new().name("examine".to_owned());
        // Where there are no more threads to be had, this one does it all.
        let started: Vec<_> = (0..helpers).filter_map(|_| builder().spawn_scoped(scope, help).ok()).collect();
        let result = (0..chunks.len()).try_for_each(|at| take(shared.result(at, &of_chunk)));
        drop(stopping);
        // What one of them panicked over was done again here, and panicked here or did not.
        started.into_iter().for_each(|thread| drop(thread.join()));
        result
    })
}

/// How many threads beside the caller's are worth starting.
fn helpers(chunks: usize, threads: Option<NonZeroUsize>) -> usize {
    if chunks < 2 {
        return 0;
    }
    let threads = threads.or_else(|| thread::available_parallelism().ok());
    threads.map_or(1, NonZeroUsize::get).min(chunks) - 1
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Chunk {
    items: Range<usize>,
    bytes: usize,
}

fn chunks_of<T>(items: &[T], size_of: impl Fn(&T) -> usize) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::with_capacity(items.len() / CHUNK_ITEMS + 1);
    for (at, item) in items.iter().enumerate() {
        let bytes = size_of(item);
        match chunks.last_mut() {
            Some(last) if last.items.len() < CHUNK_ITEMS && last.bytes + bytes <= CHUNK_BYTES => {
                last.items.end = at + 1;
                last.bytes += bytes;
            }
            _ => chunks.push(Chunk { items: at..at + 1, bytes }),
        }
    }
    chunks
}

struct Shared<'a, R> {
    chunks: &'a [Chunk],
    state: Mutex<State<R>>,
    changed: Condvar,
}

struct State<R> {
    /// The first chunk that nobody works on yet.
    next: usize,
    /// Results that were not taken yet; none of a chunk that a thread panicked over.
    done: BTreeMap<usize, Option<Vec<R>>>,
    /// Bytes and items that were begun and not taken yet.
    ahead_bytes: usize,
    ahead_items: usize,
    is_over: bool,
}

impl<R> State<R> {
    const fn new() -> Self {
        State { next: 0, done: BTreeMap::new(), ahead_bytes: 0, ahead_items: 0, is_over: false }
    }

    /// Takes on the next chunk, if there is one and room for it.
    fn begin(&mut self, chunks: &[Chunk]) -> Option<usize> {
        let chunk = chunks.get(self.next)?;
        let has_room = self.ahead_items == 0
            || self.ahead_bytes + chunk.bytes <= AHEAD_BYTES
                && self.ahead_items + chunk.items.len() <= AHEAD_ITEMS;
        if !has_room {
            return None;
        }
        self.ahead_bytes += chunk.bytes;
        self.ahead_items += chunk.items.len();
        self.next += 1;
        Some(self.next - 1)
    }
}

impl<R> Shared<'_, R> {
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<R>>) -> MutexGuard<'a, State<R>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// The work of a thread beside the caller's.
    fn help(&self, of_chunk: &(impl Fn(usize) -> Vec<R> + Sync)) {
        while let Some(at) = self.next_to_help() {
            let mut working = Working { shared: self, at, result: None };
            working.result = Some(of_chunk(at));
        }
    }

    /// Waits for a chunk to work on; none once there are no more.
    fn next_to_help(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.is_over || state.next >= self.chunks.len() {
                return None;
            }
            if let Some(at) = state.begin(self.chunks) {
                return Some(at);
            }
            state = self.wait(state);
        }
    }

    /// The result of the next chunk in order. Until it is there this thread works on others.
    fn result(&self, at: usize, of_chunk: &impl Fn(usize) -> Vec<R>) -> Vec<R> {
        let mut state = self.lock();
        let result = loop {
            if let Some(result) = state.done.remove(&at) {
                break result;
            }
            let Some(other) = state.begin(self.chunks) else {
                state = self.wait(state);
                continue;
            };
            drop(state);
            let result = of_chunk(other);
            state = self.lock();
            if other == at {
                break Some(result);
            }
            state.done.insert(other, Some(result));
        };
        let was_full = self.chunks.get(state.next).is_some();
        if let Some(chunk) = self.chunks.get(at) {
            state.ahead_bytes -= chunk.bytes;
            state.ahead_items -= chunk.items.len();
        }
        drop(state);
        if was_full {
            self.changed.notify_all();
        }
        result.unwrap_or_else(|| of_chunk(at))
    }
}

/// A chunk that a thread works on: whoever waits for it hears of the end, whatever that is.
struct Working<'a, R> {
    shared: &'a Shared<'a, R>,
    at: usize,
    result: Option<Vec<R>>,
}

impl<R> Drop for Working<'_, R> {
    fn drop(&mut self) {
        let result = self.result.take();
        self.shared.lock().done.insert(self.at, result);
        self.shared.changed.notify_all();
    }
}

/// However the caller ends, the threads do.
struct Stopping<'a, R>(&'a Shared<'a, R>);

impl<R> Drop for Stopping<'_, R> {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn threads(count: usize) -> Option<NonZeroUsize> {
        NonZeroUsize::new(count)
    }

    #[test]
    fn results_come_in_order_whatever_the_number_of_threads() {
        for count in [0, 1, 63, 64, 65, 1000, 20_000] {
            let items: Vec<usize> = (0..count).collect();
            for number in [1, 2, 3, 8] {
                let mut taken = Vec::new();
                let work = |items: &[usize]| items.iter().map(|item| item * 3).collect();
                let result = in_order(
                    &items,
                    threads(number),
                    |item| item % 9000,
                    work,
                    |results: Vec<usize>| {
                        taken.extend(results);
                        Ok::<(), ()>(())
                    },
                );
                result.unwrap();
                assert_eq!(taken, (0..count).map(|item| item * 3).collect::<Vec<_>>());
            }
        }
    }

    /// What was begun and not taken stays within the bounds, also while the one who takes stands still.
    #[test]
    fn nobody_runs_ahead_without_bounds() {
        let items: Vec<usize> = (0..4000).collect();
        let (begun, mut taken) = (AtomicUsize::new(0), 0);
        let bytes = 64 << 10;
        let work = |items: &[usize]| {
            begun.fetch_add(items.len(), Ordering::SeqCst);
            items.to_vec()
        };
        let result = in_order(
            &items,
            threads(4),
            |_| bytes,
            work,
            |results: Vec<usize>| {
                (0..200).for_each(|_| thread::yield_now());
                assert!((begun.load(Ordering::SeqCst) - taken) * bytes <= AHEAD_BYTES + CHUNK_BYTES);
                taken += results.len();
                Ok::<(), ()>(())
            },
        );
        result.unwrap();
        assert_eq!((taken, begun.into_inner()), (4000, 4000));
    }

    #[test]
    fn an_error_ends_the_work() {
        let items: Vec<usize> = (0..100_000).collect();
        let begun = AtomicUsize::new(0);
        let work = |items: &[usize]| {
            begun.fetch_add(items.len(), Ordering::SeqCst);
            items.to_vec()
        };
        let result = in_order(
            &items,
            threads(3),
            |_| 1,
            work,
            |results| {
                if results.contains(&1000) { Err("no more") } else { Ok(()) }
            },
        );
        assert_eq!(result, Err("no more"));
        assert!(begun.into_inner() <= 1100 + AHEAD_ITEMS);
    }

    /// A panic of the work reaches the caller, from whatever thread, and nobody waits for good.
    #[test]
    fn a_panic_reaches_the_caller() {
        let items: Vec<usize> = (0..2000).collect();
        for number in [1, 2, 4] {
            let work = |items: &[usize]| {
                if items.contains(&777) {
                    std::panic::resume_unwind(Box::new("a record gave way"));
                }
                items.to_vec()
            };
            let mut taken = 0;
            let run = || {
                in_order(
                    &items,
                    threads(number),
                    |_| 1,
                    work,
                    |results: Vec<usize>| {
                        taken += results.len();
                        Ok::<(), ()>(())
                    },
                )
            };
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
            assert_eq!(taken, 768, "all before, nothing behind");
        }
    }
}
