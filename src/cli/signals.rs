//! A signal to stop, as a flag that a long run looks at. The first one is heeded when the work at hand is whole; a
//! second one ends the program at once, as if nobody had listened.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::error::CliError;
use super::exit::Exit;

/// Whether a signal to stop has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    came: Arc<AtomicUsize>,
}

const INTERRUPT: usize = 1;
const TERMINATE: usize = 2;

impl Stop {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Self, CliError> {
        let stop = Self::default();
        let signals = [(SIGINT, INTERRUPT, Exit::Interrupted), (SIGTERM, TERMINATE, Exit::Terminated)];
        for (signal, came, exit) in signals {
            stop.listen_to(signal, came, exit).map_err(|error| {
                CliError::Internal(format!("the system lets nobody listen to signals: {error}"))
            })?;
        }
        Ok(stop)
    }

    fn listen_to(&self, signal: i32, came: usize, exit: Exit) -> io::Result<()> {
        // In this order: the first signal finds the flag of the second one down.
        let is_second = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(signal, i32::from(exit.number()), Arc::clone(&is_second))?;
        flag::register(signal, is_second)?;
        flag::register_usize(signal, Arc::clone(&self.came), came)?;
        Ok(())
    }

    /// What to exit with, once a signal has come.
    pub(crate) fn asked(&self) -> Option<Exit> {
        match self.came.load(Ordering::SeqCst) {
            INTERRUPT => Some(Exit::Interrupted),
            TERMINATE => Some(Exit::Terminated),
            _ => None,
        }
    }
}
