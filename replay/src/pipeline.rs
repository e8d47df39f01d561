//! Work in pieces that are taken in their order: while the threads of a pool work at one, the next is listed and
//! the one before is handed on. No answer depends on which piece was done first.

use std::collections::VecDeque;
use std::sync::mpsc::sync_channel;

use rayon::ThreadPool;

use crate::error::ReplayError;

/// Pieces that are worked at and not taken yet, where there are several threads: while one ends, the others keep
/// all of them busy.
const PIECES_AT_ONCE: usize = 4;

/// Works at the pieces that `next` lists, on the pool, and gives what they came to to `take`, in order. The first
/// error ends it; what was listed before `next` failed is taken.
pub(crate) fn run<J: Send, D: Send>(
    pool: &ThreadPool,
    mut next: impl FnMut() -> Result<Option<J>, ReplayError>,
    work: impl Fn(J) -> Result<D, ReplayError> + Sync,
    mut take: impl FnMut(D) -> Result<(), ReplayError>,
) -> Result<(), ReplayError> {
    // One thread is to be one: nothing is done beside its work.
    let most = if pool.current_num_threads() > 1 { PIECES_AT_ONCE } else { 1 };
    let work = &work;
    pool.in_place_scope(|scope| {
        let (mut at_work, mut end) = (VecDeque::new(), None);
        loop {
            while end.is_none() && at_work.len() < most {
                match next() {
                    Ok(Some(piece)) => {
                        let (give, done) = sync_channel(1);
                        // Where nobody takes it any more it is not needed.
                        scope.spawn(move |_| drop(give.send(work(piece))));
                        at_work.push_back(done);
                    }
                    Ok(None) => end = Some(Ok(())),
                    Err(error) => end = Some(Err(error)),
                }
            }
            let Some(first) = at_work.pop_front() else { return end.unwrap_or(Ok(())) };
            match first.recv() {
                Ok(done) => take(done?)?,
                // Nothing came: it panicked, and so does the scope when it ends.
                Err(_) => return Ok(()),
            }
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use rayon::ThreadPoolBuilder;

    use super::*;

    /// What was taken, and how it ended.
    fn taken(threads: usize, listed: u32, fails_at: Option<u32>) -> (Vec<u32>, Result<(), ReplayError>) {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (mut at, mut taken) = (0, Vec::new());
        let next = || {
            at += 1;
            if at > listed { Err(ReplayError::OtherDamage) } else { Ok(Some(at)) }
        };
        let work = |piece| {
            // Later ones are done first.
            std::thread::sleep(std::time::Duration::from_millis(u64::from(7 - piece % 7)));
            if Some(piece) == fails_at { Err(ReplayError::Stopped) } else { Ok(piece) }
        };
        let end = run(&pool, next, work, |piece| {
            taken.push(piece);
            Ok(())
        });
        (taken, end)
    }

    #[test]
    fn pieces_are_taken_in_order_and_all_that_were_listed() {
        for threads in [1, 2, 4] {
            let (all, end) = taken(threads, 20, None);
            assert_eq!(all, (1..=20).collect::<Vec<_>>());
            assert!(matches!(end, Err(ReplayError::OtherDamage)));
            let (some, end) = taken(threads, 20, Some(13));
            assert_eq!(some, (1..=12).collect::<Vec<_>>());
            assert!(matches!(end, Err(ReplayError::Stopped)));
        }
    }
}
