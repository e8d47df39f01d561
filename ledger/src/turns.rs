//! Who goes to the log next. One thread at a time leads: it takes all that wait, up to the limits of a group, through
//! the log with one sync, answers them, and hands the turn to whoever waits first. The others sleep, each at a place of
//! its own: nobody wakes to find that there is nothing for him.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::error::LedgerError;

/// How often a leader lets others run who were answered a moment ago and are likely to come again: a sync that they
/// share is worth more than the time. A lone writer never does, and on an idle machine these are some microseconds.
const PATIENCE: usize = 100;

/// What a group may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupLimits {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

type Answer<O> = Result<Vec<O>, Arc<LedgerError>>;

/// The queue before the log.
#[derive(Debug)]
pub(crate) struct Turns<I, O> {
    queue: Mutex<Queue<I, O>>,
    /// Tickets that wait, for those who look without the lock.
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct Queue<I, O> {
    waiting: VecDeque<Ticket<I, O>>,
    /// True while somebody leads, or was told to. While nobody does, nobody waits.
    is_led: bool,
    /// How many came lately: those of the last group, and those who came while it was on its way.
    crowd: usize,
}

/// Items that stay together, and who brought them.
#[derive(Debug)]
struct Ticket<I, O> {
    items: Vec<I>,
    size_bytes: usize,
    place: Arc<Place<I, O>>,
}

/// Where a thread sleeps.
#[derive(Debug)]
struct Place<I, O> {
    desk: Mutex<Desk<I, O>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Desk<I, O> {
    news: News<I, O>,
    /// Whether somebody has to be woken: a leader finds its own answer without sleeping.
    sleeps: bool,
}

#[derive(Debug)]
enum News<I, O> {
    None,
    /// It is to lead; its ticket waits first.
    Lead,
    /// It is answered. Its items come back with that, for it to drop and not for the leader.
    Answer(Answer<O>, Vec<I>),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half-changed by a panic while one of these is held: they are only moved in and out of.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<I, O> Place<I, O> {
    fn new() -> Arc<Self> {
        Arc::new(Place {
            desk: Mutex::new(Desk { news: News::None, sleeps: false }),
            changed: Condvar::new(),
        })
    }

    fn tell(&self, news: News<I, O>) {
        let mut desk = lock(&self.desk);
        desk.news = news;
        if desk.sleeps {
            self.changed.notify_one();
        }
    }

    fn wait(&self) -> News<I, O> {
        let mut desk = lock(&self.desk);
        while matches!(desk.news, News::None) {
            desk.sleeps = true;
            desk = self.changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
        desk.sleeps = false;
        std::mem::replace(&mut desk.news, News::None)
    }
}

impl<I, O> Turns<I, O> {
    pub(crate) fn new() -> Self {
        let queue = Queue { waiting: VecDeque::new(), is_led: false, crowd: 0 };
        Turns { queue: Mutex::new(queue), waiting: AtomicUsize::new(0) }
    }

    /// Waits until these items, alone or with others, went through `work`, on this thread or another. `work` answers
    /// every item that it is given, in order, or none of them.
    pub(crate) fn submit(
        &self,
        items: Vec<I>,
        size_bytes: usize,
        limits: GroupLimits,
        work: impl FnOnce(&[&[I]]) -> Result<Vec<O>, LedgerError>,
    ) -> Answer<O> {
        let place = Place::new();
        let ticket = Ticket { items, size_bytes, place: Arc::clone(&place) };
        if !self.join(ticket) {
            match place.wait() {
                News::Answer(answer, items) => {
                    drop(items);
                    return answer;
                }
                News::Lead | News::None => self.linger(limits),
            }
        }
        let tickets = self.take_group(limits);
        let mut leading = Leading { turns: self, answered: 0, tickets };
        let items: Vec<&[I]> = leading.tickets.iter().map(|ticket| &ticket.items[..]).collect();
        let result = work(&items);
        leading.answer(result);
        drop(leading);
        match place.wait() {
            News::Answer(answer, items) => {
                drop(items);
                answer
            }
            News::Lead | News::None => Err(Arc::new(unanswered())),
        }
    }

    /// Waits behind the others; true where nobody leads, so that this thread does.
    fn join(&self, ticket: Ticket<I, O>) -> bool {
        let mut queue = lock(&self.queue);
        queue.waiting.push_back(ticket);
        self.waiting.store(queue.waiting.len(), Ordering::Relaxed);
        !std::mem::replace(&mut queue.is_led, true)
    }

    /// Lets others come, if many came lately.
    fn linger(&self, limits: GroupLimits) {
        let expected = lock(&self.queue).crowd.min(limits.items);
        for _ in 0..PATIENCE {
            if self.waiting.load(Ordering::Relaxed) >= expected {
                break;
            }
            thread::yield_now();
        }
    }

    /// The tickets at the front that fit into one group, at least one.
    fn take_group(&self, limits: GroupLimits) -> Vec<Ticket<I, O>> {
        let mut queue = lock(&self.queue);
        let (mut items, mut bytes) = (0, 0);
        let fitting = queue.waiting.iter().take_while(|ticket| {
            items += ticket.items.len();
            bytes += ticket.size_bytes;
            items <= limits.items && bytes <= limits.bytes
        });
        let count = fitting.count().max(1).min(queue.waiting.len());
        let group = queue.waiting.drain(..count).collect();
        self.waiting.store(queue.waiting.len(), Ordering::Relaxed);
        group
    }
}

/// Whoever leads answers everybody in its group and hands the turn on, however the work ends.
struct Leading<'a, I, O> {
    turns: &'a Turns<I, O>,
    tickets: Vec<Ticket<I, O>>,
    answered: usize,
}

impl<I, O> Leading<'_, I, O> {
    fn answer(&mut self, result: Result<Vec<O>, LedgerError>) {
        let mut result = result.map(Vec::into_iter).map_err(Arc::new);
        for ticket in self.tickets.drain(..) {
            let count = ticket.items.len();
            let answer = match &mut result {
                Ok(outcomes) => Ok(outcomes.by_ref().take(count).collect()),
                Err(error) => Err(Arc::clone(error)),
            };
            ticket.place.tell(News::Answer(answer, ticket.items));
            self.answered += 1;
        }
    }
}

impl<I, O> Drop for Leading<'_, I, O> {
    fn drop(&mut self) {
        if !self.tickets.is_empty() {
            self.answer(Err(unanswered()));
        }
        let mut queue = lock(&self.turns.queue);
        queue.crowd = self.answered + queue.waiting.len();
        match queue.waiting.front() {
            Some(ticket) => ticket.place.tell(News::Lead),
            None => queue.is_led = false,
        }
    }
}

fn unanswered() -> LedgerError {
    LedgerError::Poisoned("the thread that wrote to it panicked".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc::channel;

    use super::*;

    const LIMITS: GroupLimits = GroupLimits { items: 40, bytes: 1000 };

    /// A log that answers each item with its place in it, and sees to it that one thread at a time writes.
    #[derive(Default)]
    struct Log {
        items: Mutex<Vec<u64>>,
        groups: AtomicUsize,
        is_led: AtomicBool,
    }

    impl Log {
        fn write(&self, groups: &[&[u64]]) -> Result<Vec<usize>, LedgerError> {
            assert!(!self.is_led.swap(true, Ordering::SeqCst), "two lead at once");
            self.groups.fetch_add(1, Ordering::SeqCst);
            let count: usize = groups.iter().map(|items| items.len()).sum();
            assert!(count <= LIMITS.items || groups.len() == 1);
            thread::yield_now();
            let mut items = lock(&self.items);
            let from = items.len();
            groups.iter().for_each(|group| items.extend_from_slice(group));
            self.is_led.store(false, Ordering::SeqCst);
            Ok((from..items.len()).collect())
        }
    }

    #[test]
    fn many_threads_are_each_answered_once_and_in_order() {
        let (turns, log) = (Turns::new(), Log::default());
        let (threads, rounds) = (24_u64, 400_u64);
        thread::scope(|scope| {
            for number in 0..threads {
                let (turns, log) = (&turns, &log);
                scope.spawn(move || {
                    for round in 0..rounds {
                        let size = 1 + (number * 7 + round) % 5;
                        let items: Vec<u64> = (0..size).map(|at| number << 32 | round << 8 | at).collect();
                        let bytes = usize::try_from(size).unwrap() * 100;
                        let places = turns.submit(items.clone(), bytes, LIMITS, |groups| log.write(groups));
                        let places = places.unwrap();
                        let held = lock(&log.items);
                        let found: Vec<u64> = places.iter().map(|at| *held.get(*at).unwrap()).collect();
                        assert_eq!(found, items);
                    }
                });
            }
        });
        let queue = lock(&turns.queue);
        assert!(!queue.is_led && queue.waiting.is_empty());
        let items = lock(&log.items);
        let mut sorted = items.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), items.len(), "an item went through twice");
        for number in 0..threads {
            let own: Vec<u64> = items.iter().copied().filter(|item| item >> 32 == number).collect();
            assert!(own.is_sorted(), "the items of a thread changed places");
        }
    }

    /// A third of the leaders fail and a third panic: everybody in their groups hears of it, and work goes on.
    #[test]
    fn nobody_waits_for_good_where_leaders_fail_and_panic() {
        let (turns, log) = (Turns::new(), Log::default());
        let turn = AtomicUsize::new(0);
        let outcomes = Mutex::new([0_usize; 3]);
        thread::scope(|scope| {
            for number in 0..16_u64 {
                let (turns, log, turn, outcomes) = (&turns, &log, &turn, &outcomes);
                scope.spawn(move || {
                    for round in 0..200_u64 {
                        let work = |groups: &[&[u64]]| match turn.fetch_add(1, Ordering::SeqCst) % 3 {
                            0 => log.write(groups),
                            1 => Err(LedgerError::Poisoned("failed".to_owned())),
                            _ => std::panic::resume_unwind(Box::new("a disk gave way")),
                        };
                        let submit = || turns.submit(vec![number << 32 | round], 1, LIMITS, work);
                        let at = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(submit)) {
                            Ok(Ok(places)) => {
                                assert_eq!(places.len(), 1);
                                0
                            }
                            Ok(Err(error)) => {
                                assert_eq!(error.code(), "ledger.poisoned");
                                1
                            }
                            Err(_) => 2,
                        };
                        *lock(outcomes).get_mut(at).unwrap() += 1;
                    }
                });
            }
        });
        let [kept, failed, panicked] = *lock(&outcomes);
        assert_eq!(kept + failed + panicked, 16 * 200);
        assert_eq!(kept, lock(&log.items).len());
        assert_eq!(panicked, turn.load(Ordering::SeqCst) / 3);
        assert!(kept > 0 && failed > 0 && panicked > 0);
        assert!(!lock(&turns.queue).is_led);
    }

    /// One leads and stays there; those behind it go as one group, in the order in which they came.
    #[test]
    fn those_who_wait_go_together_and_in_their_order() {
        let (turns, log) = (Turns::new(), Log::default());
        let (go, wait) = channel::<()>();
        thread::scope(|scope| {
            let (turns, log) = (&turns, &log);
            scope.spawn(move || {
                turns.submit(vec![0], 1, LIMITS, |groups| {
                    wait.recv().unwrap();
                    log.write(groups)
                })
            });
            while !lock(&turns.queue).is_led {
                thread::yield_now();
            }
            for number in 1..=10 {
                scope.spawn(move || turns.submit(vec![number], 1, LIMITS, |groups| log.write(groups)));
                while turns.waiting.load(Ordering::SeqCst) < usize::try_from(number).unwrap() {
                    thread::yield_now();
                }
            }
            go.send(()).unwrap();
        });
        assert_eq!(*lock(&log.items), (0..=10).collect::<Vec<u64>>());
        assert_eq!(log.groups.load(Ordering::SeqCst), 2);
    }
}
