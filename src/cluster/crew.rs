//! All ranks, from the side of rank 0.

use std::time::Duration;

use super::compute::Compute;
use super::devices::assign;
use super::placement::{Wish, describe, seats, warn};
use super::{Answer, ClusterError, Message, Order, Presence, Seat, Transport};

/// All ranks, as rank 0 sees them. When it goes, they are told to end.
pub struct Crew<T: Transport> {
    transport: T,
    own: Compute,
    /// By rank.
    pub seats: Vec<Seat>,
}

/// Ranks that do not show up for so long never will.
const ARRIVAL: Duration = Duration::from_secs(300);
/// Between two looks at the own computing thread.
const POLL: Duration = Duration::from_millis(1);

impl<T: Transport> Crew<T> {
    /// Waits for all ranks and seats them. All have the same wish.
    pub fn muster(mut transport: T, wish: Wish) -> Result<Crew<T>, ClusterError> {
        let mut here: Vec<Option<Presence>> = vec![None; transport.size()];
        here[0] = Some(Presence::of_this_process(transport.node(), wish));
        while here.iter().any(Option::is_none) {
            match transport.receive(ARRIVAL)? {
                Some((rank, Message::Answer(Answer::Here(presence)))) => here[rank] = Some(presence),
                Some((rank, _)) => {
                    return Err(ClusterError::Protocol { rank, what: "it did not introduce itself".into() });
                }
                None => {
                    let rank = here.iter().position(Option::is_none).unwrap_or(0);
                    return Err(ClusterError::Lost { rank, seconds: ARRIVAL.as_secs() });
                }
            }
        }
        let here: Vec<Presence> = here.into_iter().flatten().collect();
        let mut seats = seats(&here);
        if seats.len() > 1 {
            describe(&seats).iter().for_each(|line| log::info!("{line}"));
        }
        warn(&here, &seats);
        let place = assign(&mut transport, wish.engine, &here, &mut seats)?;
        for (rank, seat) in seats.iter().enumerate().skip(1) {
            transport.send(rank, Message::Order(Order::Seat(seat.clone())))?;
        }
        let own = Compute::start(seats[0].threads as usize, place)?;
        Ok(Crew { transport, own, seats })
    }
}

/// Rank 0 reaches its own computing thread as it reaches the other ranks.
impl<T: Transport> Transport for Crew<T> {
    fn rank(&self) -> usize {
        self.transport.rank()
    }

    fn size(&self) -> usize {
        self.transport.size()
    }

    fn node(&self) -> usize {
        self.transport.node()
    }

    fn send(&mut self, to: usize, message: Message) -> Result<(), ClusterError> {
        match message {
            Message::Order(order) if to == self.rank() => {
                self.own.order(order);
                Ok(())
            }
            message => self.transport.send(to, message),
        }
    }

    fn receive(&mut self, patience: Duration) -> Result<Option<(usize, Message)>, ClusterError> {
        let until = self.now() + patience;
        loop {
            if let Some(answer) = self.own.answer() {
                return Ok(Some((self.rank(), Message::Answer(answer))));
            }
            let left = until.saturating_sub(self.now());
            if let Some(received) = self.transport.receive(left.min(POLL))? {
                return Ok(Some(received));
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }

    fn now(&self) -> Duration {
        self.transport.now()
    }
}

impl<T: Transport> Drop for Crew<T> {
    fn drop(&mut self) {
        for rank in 0..self.size() {
            // A rank that cannot be reached any more needs no end.
            let _ = self.send(rank, Message::Order(Order::Quit));
        }
    }
}
