//! Ranks: rank 0 hands out tasks and gathers results, every rank computes.
//!
//! ```text
//! launch       environment -> rank and number of ranks
//! stop         signals -> the wish to stop
//! message      what travels: orders from rank 0, answers to it
//! transport    how it travels: channels between threads of a process, or MPI
//! placement    ranks -> nodes, threads, GPUs
//! devices      whether they compute on those GPUs
//! compute      the thread of each rank that runs engines
//! crew         rank 0 gathers the ranks, seats them, and sends them home
//! worker       the main loop of every rank but 0
//! schedule     what is open -> the next task of a rank
//! copies       who has a model and who passes it on
//! coordinator  the main loop of rank 0
//! ```
//!
//! Every rank has two threads of its own: one computes, the other one talks to the other ranks, so that only the main
//! thread of a process calls MPI. A rank always has one more task than it is computing. Models and landscapes are sent
//! when a rank first needs them, and dropped when nobody will; large models are passed on by ranks that have them.

mod compute;
mod coordinator;
mod copies;
mod crew;
mod devices;
mod launch;
mod message;
#[cfg(feature = "mpi")]
mod mpi;
mod placement;
mod schedule;
mod stop;
mod transport;
mod worker;

pub use coordinator::{Coordinator, Event, Job, Pace};
pub use crew::Crew;
pub(crate) use devices::tally;
pub use launch::{Launch, LaunchError};
pub use message::{Answer, Computed, Message, Order, Presence, Task};
#[cfg(feature = "mpi")]
pub use mpi::Mpi;
pub use placement::{Seat, Wish};
pub use stop::Stop;
pub use transport::{Channels, Transport};
pub use worker::serve;

/// Why ranks cannot go on together.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A message that is none, or none that belongs here.
    #[error("rank {rank}: {what}; are all ranks the same version of s2dpes?")]
    Protocol {
        /// Who sent it.
        rank: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A rank's code failed.
    #[error("rank {rank} panicked ({message}); please report this. Finished tiles are stored")]
    Panicked {
        /// Which.
        rank: usize,
        /// Its last words.
        message: String,
    },
    /// A rank's device failed.
    #[error("rank {rank}: {why}. Finished tiles are stored; run the same command again")]
    Device {
        /// Which.
        rank: usize,
        /// A sentence.
        why: String,
    },
    /// A rank that has work does not answer any more.
    #[error(
        "rank {rank} has not been heard of for {seconds} s; finished tiles are stored, run the same command again"
    )]
    Lost {
        /// Which.
        rank: usize,
        /// Since when.
        seconds: u64,
    },
    /// GPUs are wanted, and a rank has none.
    #[error(
        "GPUs were asked for, but {0}. `s2dpes doctor` shows what there is; without `--engine cuda` CPUs compute"
    )]
    NoGpu(String),
    /// The ranks cannot talk.
    #[error("{0}")]
    Transport(String),
}
