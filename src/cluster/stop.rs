//! Signals that ask for an end in good order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;

/// Exit code after a second Ctrl-C, as a shell reports one.
const INTERRUPTED: i32 = 130;

/// Whether somebody wants the run to stop.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// Listens to SIGUSR1, SIGTERM and SIGINT from now on. A second SIGINT ends the process at once.
    pub fn listen() -> std::io::Result<Stop> {
        let stop = Stop::default();
        let interrupted = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(SIGINT, INTERRUPTED, interrupted.clone())?;
        flag::register(SIGINT, interrupted)?;
        for (signal, _) in SIGNALS {
            flag::register_usize(signal, stop.0.clone(), signal as usize)?;
        }
        Ok(stop)
    }

    /// A wish that can only be [asked](Stop::ask) for by the program itself.
    pub fn by_hand() -> Stop {
        Stop::default()
    }

    /// As if this process had been sent SIGTERM.
    pub fn ask(&self) {
        self.0.store(SIGTERM as usize, Ordering::Relaxed);
    }

    /// The signal that asked, if one has.
    pub fn asked(&self) -> Option<&'static str> {
        let asked = self.0.load(Ordering::Relaxed);
        SIGNALS.iter().find(|(signal, _)| *signal as usize == asked).map(|(_, name)| *name)
    }
}

const SIGNALS: [(i32, &str); 3] = [(SIGUSR1, "SIGUSR1"), (SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")];
