//! Who goes to the log next. One thread at a time leads: it takes all that come, up to the limits of a group, through
//! the log with one sync, and answers them. Whoever comes first behind it leads the next group. All others of a group
//! sleep at one bell, which a single call rings for all of them.
//!
//! A leader takes what there is and, if many came lately, goes on taking while they come: it decides the first while
//! the last are still being examined.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
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
}

#[derive(Debug)]
struct Queue<I, O> {
    /// The group that is taken through the log, until it is closed, and those behind it. Only the last grows.
    groups: VecDeque<Gathering<I, O>>,
    /// True while somebody leads, or was told to. While nobody does, nobody waits.
    is_led: bool,
    /// How many came lately: those of the last group, and those who came while it was on its way.
    crowd: usize,
}

/// A group that is coming together.
#[derive(Debug)]
struct Gathering<I, O> {
    /// Those that its leader has not taken yet.
    tickets: VecDeque<Ticket<I, O>>,
    /// Of all who came, taken or not.
    items: usize,
    bytes: usize,
    bell: Arc<Bell>,
}

/// Items that stay together, and where their answer goes.
#[derive(Debug)]
struct Ticket<I, O> {
    items: Vec<I>,
    slot: Slot<I, O>,
}

/// An answer, once there is one. The items come back with it, for whoever brought them to drop and not for the leader.
type Slot<I, O> = Arc<Mutex<Option<(Answer<O>, Vec<I>)>>>;

/// Where the threads of a group sleep.
#[derive(Debug, Default)]
struct Bell {
    /// Its leader may begin.
    turn: OnceLock<()>,
    /// All are answered.
    over: OnceLock<()>,
    /// How many came, for a leader that looks without the lock.
    came: AtomicUsize,
    /// Nobody else fits.
    is_full: AtomicBool,
}

/// What a thread is in its group.
enum Role {
    /// It leads, at once.
    Leader,
    /// It leads once the groups before are through.
    NextLeader,
    /// Another one leads.
    Follower,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half-changed by a panic while one of these is held: they are only moved in and out of.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<I, O> Gathering<I, O> {
    fn new() -> Self {
        Gathering { tickets: VecDeque::new(), items: 0, bytes: 0, bell: Arc::default() }
    }

    fn has_room(&self, items: usize, bytes: usize, limits: GroupLimits) -> bool {
        self.items + items <= limits.items && self.bytes.saturating_add(bytes) <= limits.bytes
    }

    fn push(&mut self, ticket: Ticket<I, O>, bytes: usize, limits: GroupLimits) {
        self.items += ticket.items.len();
        self.bytes = self.bytes.saturating_add(bytes);
        self.tickets.push_back(ticket);
        self.bell.came.fetch_add(1, Ordering::Relaxed);
        if !self.has_room(1, 1, limits) {
            self.bell.is_full.store(true, Ordering::Relaxed);
        }
    }
}

impl<I, O> Turns<I, O> {
    pub(crate) fn new() -> Self {
        Turns { queue: Mutex::new(Queue { groups: VecDeque::new(), is_led: false, crowd: 0 }) }
    }

    /// Waits until these items, alone or with others, went through `work`, on this thread or another. `work` takes
    /// all that comes and answers every item, in order, or none of them.
    pub(crate) fn submit(
        &self,
        items: Vec<I>,
        size_bytes: usize,
        limits: GroupLimits,
        work: impl FnOnce(&mut Group<'_, I, O>) -> Result<Vec<O>, LedgerError>,
    ) -> Answer<O> {
        let slot = Slot::default();
        let ticket = Ticket { items, slot: Arc::clone(&slot) };
        let (role, bell) = self.join(ticket, size_bytes, limits);
        match role {
            Role::Follower => bell.over.wait(),
            Role::NextLeader => {
                bell.turn.wait();
                self.lead(bell, work);
                &()
            }
            Role::Leader => {
                self.lead(bell, work);
                &()
            }
        };
        let answered = lock(&slot).take();
        answered.map_or_else(|| Err(Arc::new(unanswered())), |(answer, _)| answer)
    }

    /// Goes into the last group that is not closed, or begins one.
    fn join(&self, ticket: Ticket<I, O>, size_bytes: usize, limits: GroupLimits) -> (Role, Arc<Bell>) {
        let mut queue = lock(&self.queue);
        let count = ticket.items.len();
        if let Some(last) = queue.groups.back_mut() {
            if last.has_room(count, size_bytes, limits) {
                last.push(ticket, size_bytes, limits);
                return (Role::Follower, Arc::clone(&last.bell));
            }
            last.bell.is_full.store(true, Ordering::Relaxed);
        }
        let mut group = Gathering::new();
        group.push(ticket, size_bytes, limits);
        let bell = Arc::clone(&group.bell);
        queue.groups.push_back(group);
        let is_led = std::mem::replace(&mut queue.is_led, true);
        (if is_led { Role::NextLeader } else { Role::Leader }, bell)
    }

    fn lead(&self, bell: Arc<Bell>, work: impl FnOnce(&mut Group<'_, I, O>) -> Result<Vec<O>, LedgerError>) {
        let expected = lock(&self.queue).crowd;
        let mut group =
            Group { turns: self, bell, taken: Vec::new(), is_open: true, expected, patience: PATIENCE };
        let result = work(&mut group);
        group.answer(result);
    }
}

/// The first group, as its leader sees it. It answers everybody in it and hands the turn on, however the work ends.
pub(crate) struct Group<'a, I, O> {
    turns: &'a Turns<I, O>,
    bell: Arc<Bell>,
    taken: Vec<Ticket<I, O>>,
    /// Whether others may still come.
    is_open: bool,
    /// How many are likely to come, and how often they are still waited for.
    expected: usize,
    patience: usize,
}

impl<I, O> Group<'_, I, O> {
    /// The items that come next and stay together. None, from then on, once nobody else comes.
    pub(crate) fn next_items(&mut self) -> Option<&[I]> {
        while self.is_open {
            if self.bell.came.load(Ordering::Relaxed) == self.taken.len() && self.is_worth_waiting() {
                self.patience -= 1;
                thread::yield_now();
                continue;
            }
            let mut queue = lock(&self.turns.queue);
            if let Some(ticket) = queue.groups.front_mut().and_then(|group| group.tickets.pop_front()) {
                drop(queue);
                self.taken.push(ticket);
                return self.taken.last().map(|ticket| &ticket.items[..]);
            }
            queue.groups.pop_front();
            self.is_open = false;
        }
        None
    }

    fn is_worth_waiting(&self) -> bool {
        self.taken.len() < self.expected && self.patience > 0 && !self.bell.is_full.load(Ordering::Relaxed)
    }

    /// Whoever was not taken when the work ended hears what the others do.
    fn close(&mut self) {
        if std::mem::replace(&mut self.is_open, false) {
            let rest = lock(&self.turns.queue).groups.pop_front();
            self.taken.extend(rest.into_iter().flat_map(|group| group.tickets));
        }
    }

    fn answer(&mut self, result: Result<Vec<O>, LedgerError>) {
        let is_whole = !self.is_open;
        self.close();
        let result = if is_whole || result.is_err() { result } else { Err(unanswered()) };
        let mut result = result.map(Vec::into_iter).map_err(Arc::new);
        for ticket in &mut self.taken {
            let count = ticket.items.len();
            let answer = match &mut result {
                Ok(outcomes) => Ok(outcomes.by_ref().take(count).collect()),
                Err(error) => Err(Arc::clone(error)),
            };
            *lock(&ticket.slot) = Some((answer, std::mem::take(&mut ticket.items)));
        }
    }
}

impl<I, O> Drop for Group<'_, I, O> {
    fn drop(&mut self) {
        self.close();
        // Who was not answered finds nothing in its place, and knows by that.
        let mut queue = lock(&self.turns.queue);
        queue.crowd = self.taken.len() + queue.groups.iter().map(|group| group.tickets.len()).sum::<usize>();
        match queue.groups.front() {
            Some(next) => next.bell.turn.get_or_init(|| ()),
            None => {
                queue.is_led = false;
                &()
            }
        };
        drop(queue);
        self.bell.over.get_or_init(|| ());
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
        fn write(&self, group: &mut Group<'_, u64, usize>) -> Result<Vec<usize>, LedgerError> {
            assert!(!self.is_led.swap(true, Ordering::SeqCst), "two lead at once");
            self.groups.fetch_add(1, Ordering::SeqCst);
            let (mut taken, mut tickets) = (Vec::new(), 0);
            while let Some(items) = group.next_items() {
                taken.extend_from_slice(items);
                tickets += 1;
            }
            assert!(taken.len() <= LIMITS.items || tickets == 1);
            assert_eq!(group.next_items(), None);
            thread::yield_now();
            let mut items = lock(&self.items);
            let from = items.len();
            items.append(&mut taken);
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
                        let places = turns.submit(items.clone(), bytes, LIMITS, |group| log.write(group));
                        let places = places.unwrap();
                        let held = lock(&log.items);
                        let found: Vec<u64> = places.iter().map(|at| *held.get(*at).unwrap()).collect();
                        assert_eq!(found, items);
                    }
                });
            }
        });
        let queue = lock(&turns.queue);
        assert!(!queue.is_led && queue.groups.is_empty());
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
                        let next = || turn.fetch_add(1, Ordering::SeqCst) % 3;
                        let work = |group: &mut Group<'_, u64, usize>| match next() {
                            0 => log.write(group),
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
                turns.submit(vec![0], 1, LIMITS, |group| {
                    // It is alone: those who come from here on are not of its group.
                    let answer = log.write(group);
                    wait.recv().unwrap();
                    answer
                })
            });
            let waiting = || lock(&turns.queue).groups.iter().map(|group| group.tickets.len()).sum::<usize>();
            let is_closed = || {
                let queue = lock(&turns.queue);
                queue.is_led && queue.groups.is_empty()
            };
            while !is_closed() {
                thread::yield_now();
            }
            for number in 1..=10 {
                scope.spawn(move || turns.submit(vec![number], 1, LIMITS, |group| log.write(group)));
                while waiting() < usize::try_from(number).unwrap() {
                    thread::yield_now();
                }
            }
            go.send(()).unwrap();
        });
        assert_eq!(*lock(&log.items), (0..=10).collect::<Vec<u64>>());
        assert_eq!(log.groups.load(Ordering::SeqCst), 2);
    }

    /// Three come while a leader is at work: those whom it takes are of its group, and so are, where it fails, those
    /// whom it did not take.
    #[test]
    fn those_who_come_while_a_leader_takes_are_of_its_group() {
        for fails in [false, true] {
            let (turns, log) = (Turns::new(), Log::default());
            let (go, wait) = channel::<()>();
            let answers: Vec<Answer<usize>> = thread::scope(|scope| {
                let (turns, log) = (&turns, &log);
                let lead = move |group: &mut Group<'_, u64, usize>| {
                    assert_eq!(group.next_items(), Some(&[0][..]));
                    go.send(()).unwrap();
                    while group.bell.came.load(Ordering::SeqCst) < 4 {
                        thread::yield_now();
                    }
                    if fails {
                        return Err(LedgerError::Poisoned("failed".to_owned()));
                    }
                    let mut places = vec![100];
                    places.extend(log.write(group)?);
                    Ok(places)
                };
                let leader = scope.spawn(move || turns.submit(vec![0], 1, LIMITS, lead));
                wait.recv().unwrap();
                let follow = |number| move || turns.submit(vec![number], 1, LIMITS, |group| log.write(group));
                let followers: Vec<_> = (1..=3).map(|number| scope.spawn(follow(number))).collect();
                let threads = std::iter::once(leader).chain(followers);
                threads.map(|thread| thread.join().unwrap()).collect()
            });
            if fails {
                assert!(
                    answers.iter().all(|answer| answer.as_ref().unwrap_err().code() == "ledger.poisoned")
                );
                assert_eq!(log.groups.load(Ordering::SeqCst), 0);
            } else {
                let mut places: Vec<usize> = answers.into_iter().flat_map(Result::unwrap).collect();
                places.sort_unstable();
                assert_eq!(places, [0, 1, 2, 100]);
                assert_eq!(log.groups.load(Ordering::SeqCst), 1);
            }
        }
    }
}
