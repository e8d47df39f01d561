//! Times and what becomes of them: sides take turns (A B A B ...), so that a machine that drifts drifts for all of
//! them, and of each the median counts.

use std::time::Duration;

use serde::Serialize;

use crate::failure::Failure;

/// One side of a comparison: does its work once and says how long that took.
pub(crate) type Side<'a> = &'a mut dyn FnMut() -> Result<Duration, Failure>;

/// The times of each side, in turns.
pub(crate) fn in_turns(rounds: usize, sides: &mut [Side<'_>]) -> Result<Vec<Vec<Duration>>, Failure> {
    let mut times = vec![Vec::new(); sides.len()];
    for _ in 0..rounds {
        for (side, times) in sides.iter_mut().zip(&mut times) {
            times.push(side()?);
        }
    }
    Ok(times)
}

/// A figure of several rounds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) rounds: usize,
    pub(crate) unit: &'static str,
}

impl Figure {
    /// Of these numbers, of which there is one.
    pub(crate) fn of(mut numbers: Vec<f64>, unit: &'static str) -> Self {
        numbers.sort_by(f64::total_cmp);
        let at = |place: usize| numbers.get(place).copied().unwrap_or(f64::NAN);
        let last = numbers.len().saturating_sub(1);
        let median = f64::midpoint(at(last / 2), at(last.div_ceil(2)));
        Self { median, least: at(0), most: at(last), rounds: numbers.len(), unit }
    }

    /// One number that is no measurement of time, such as a size.
    pub(crate) fn one(number: f64, unit: &'static str) -> Self {
        Self::of(vec![number], unit)
    }

    /// So much in each of these times, a second.
    pub(crate) fn rate(amount: f64, times: &[Duration], unit: &'static str) -> Self {
        Self::of(times.iter().map(|time| amount / time.as_secs_f64()).collect(), unit)
    }

    /// The time that each of so many takes, in so many parts of a second.
    pub(crate) fn each(count: f64, times: &[Duration], parts: f64, unit: &'static str) -> Self {
        Self::of(times.iter().map(|time| time.as_secs_f64() * parts / count).collect(), unit)
    }
}

/// A number with three significant digits, and no exponent.
pub(crate) fn shown(number: f64) -> String {
    let size = number.abs();
    match size {
        _ if size >= 100.0 => format!("{number:.0}"),
        _ if size >= 10.0 => format!("{number:.1}"),
        _ if size >= 0.095 => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        let figure = Figure::of(vec![5.0, 1.0, 9.0, 3.0], "x");
        assert_eq!((figure.least, figure.median, figure.most), (1.0, 4.0, 9.0));
        assert_eq!(Figure::of(vec![3.0, 1.0, 2.0], "x").median, 2.0);
    }

    #[test]
    fn sides_take_turns() {
        let order = std::cell::RefCell::new(String::new());
        let side = |name: char| {
            order.borrow_mut().push(name);
            Ok(Duration::from_secs(1))
        };
        in_turns(2, &mut [&mut || side('a'), &mut || side('b')]).unwrap();
        assert_eq!(*order.borrow(), "abab");
    }
}
