//! How messages travel.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::{ClusterError, Message};

/// A rank's end of the connections to all others. Messages between two ranks arrive in the order in which they were
/// sent; sending does not wait for the receiver.
pub trait Transport {
    /// This rank.
    fn rank(&self) -> usize;

    /// Number of ranks.
    fn size(&self) -> usize;

    /// Lowest rank on the same machine.
    fn node(&self) -> usize;

    /// Sends a message to another rank.
    fn send(&mut self, to: usize, message: Message) -> Result<(), ClusterError>;

    /// The next message and its sender, waiting no longer than `patience`.
    fn receive(&mut self, patience: Duration) -> Result<Option<(usize, Message)>, ClusterError>;

    /// Time since the start.
    fn now(&self) -> Duration;
}

impl<T: Transport> Transport for &mut T {
    fn rank(&self) -> usize {
        (**self).rank()
    }

    fn size(&self) -> usize {
        (**self).size()
    }

    fn node(&self) -> usize {
        (**self).node()
    }

    fn send(&mut self, to: usize, message: Message) -> Result<(), ClusterError> {
        (**self).send(to, message)
    }

    fn receive(&mut self, patience: Duration) -> Result<Option<(usize, Message)>, ClusterError> {
        (**self).receive(patience)
    }

    fn now(&self) -> Duration {
        (**self).now()
    }
}

/// Ranks that are threads of one process.
pub struct Channels {
    rank: usize,
    everyone: Vec<Sender<(usize, Message)>>,
    inbox: Receiver<(usize, Message)>,
    started: Instant,
}

impl Channels {
    /// The only rank.
    pub fn alone() -> Channels {
        let (sender, inbox) = channel();
        Channels { rank: 0, everyone: vec![sender], inbox, started: Instant::now() }
    }

    /// The ends of some ranks, in order.
    pub fn group(size: usize) -> Vec<Channels> {
        let (everyone, inboxes): (Vec<_>, Vec<_>) = (0..size).map(|_| channel()).unzip();
        let end =
            |(rank, inbox)| Channels { rank, everyone: everyone.clone(), inbox, started: Instant::now() };
        inboxes.into_iter().enumerate().map(end).collect()
    }
}

impl Transport for Channels {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.everyone.len()
    }

    fn node(&self) -> usize {
        0
    }

    fn send(&mut self, to: usize, message: Message) -> Result<(), ClusterError> {
        // A rank that has left needs no message.
        let _ = self.everyone[to].send((self.rank, message));
        Ok(())
    }

    fn receive(&mut self, patience: Duration) -> Result<Option<(usize, Message)>, ClusterError> {
        match self.inbox.recv_timeout(patience) {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}
