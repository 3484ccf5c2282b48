//! The main loop of every rank but 0: passes orders to the computing thread and its answers to rank 0.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::compute::Compute;
use super::{Answer, ClusterError, Message, Order, Presence, Seat, Stop, Transport, Wish};
use crate::engine::Place;
use crate::work::Model;

/// Between two looks at the computing thread.
const PATIENCE: Duration = Duration::from_millis(1);
/// Between two signs of life.
const ALIVE: Duration = Duration::from_secs(5);
/// Rank 0 is gone if it has been silent for so long.
const SILENCE: Duration = Duration::from_secs(1200);

/// Works for rank 0 until it sends [`Order::Quit`].
pub fn serve<T: Transport>(transport: &mut T, wish: Wish, stop: &Stop) -> Result<(), ClusterError> {
    let here = Presence::of_this_process(transport.node(), wish);
    transport.send(0, Message::Answer(Answer::Here(here)))?;
    let Some((seat, place)) = seated(transport)? else { return Ok(()) };
    log::debug!("{seat:?}");
    let compute = Compute::start(seat.threads as usize, place)?;
    let mut models: HashMap<u32, Arc<Model>> = HashMap::new();
    let (mut said, mut stop_said) = (transport.now(), false);
    let mut heard = transport.now();
    loop {
        if let Some((from, message)) = transport.receive(PATIENCE)? {
            heard = transport.now();
            match message {
                Message::Order(Order::Quit) => return Ok(()),
                Message::Order(Order::PassOn { model, to }) => pass_on(transport, &models, model, to)?,
                Message::Order(order) => {
                    if let Some(answer) = note(&mut models, &order) {
                        transport.send(0, Message::Answer(answer))?;
                    }
                    compute.order(order);
                }
                Message::Answer(_) => return Err(unexpected(from)),
            }
        }
        check_rank_0(transport.now() - heard)?;
        let mut answers: Vec<Answer> = std::iter::from_fn(|| compute.answer()).collect();
        if let Some(signal) = stop.asked().filter(|_| !stop_said) {
            stop_said = true;
            answers.push(Answer::StopAsked(signal.into()));
        }
        if answers.is_empty() && transport.now() - said > ALIVE {
            answers.push(Answer::Alive);
        }
        for answer in answers {
            said = transport.now();
            transport.send(0, Message::Answer(answer))?;
        }
    }
}

/// Rank 0 says now and then that it is there, unless it reads or makes large files.
fn check_rank_0(silent: Duration) -> Result<(), ClusterError> {
    match silent > SILENCE {
        true => Err(ClusterError::Lost { rank: 0, seconds: silent.as_secs() }),
        false => Ok(()),
    }
}

/// The rank's seat and what it computes on; nothing if rank 0 ends before the start.
fn seated<T: Transport>(transport: &mut T) -> Result<Option<(Seat, Place)>, ClusterError> {
    let began = transport.now();
    let mut opened = Place::Cpu;
    loop {
        match transport.receive(ALIVE)? {
            None => check_rank_0(transport.now() - began)?,
            Some((_, Message::Order(Order::TryGpu(gpu)))) => {
                let tried = Place::gpu(gpu as usize);
                let obstacle = tried.as_ref().err().map(ToString::to_string);
                opened = tried.unwrap_or(Place::Cpu);
                transport.send(0, Message::Answer(Answer::Tried(obstacle)))?;
            }
            Some((_, Message::Order(Order::Seat(seat)))) => {
                // Another rank may be without a GPU.
                let place = if seat.device.is_some() { opened } else { Place::Cpu };
                return Ok(Some((seat, place)));
            }
            Some((_, Message::Order(Order::Quit))) => return Ok(None),
            Some((from, _)) => return Err(unexpected(from)),
        }
    }
}

/// Remembers models, which other ranks may need from here, and says so at once.
fn note(models: &mut HashMap<u32, Arc<Model>>, order: &Order) -> Option<Answer> {
    match order {
        Order::Model(number, model) => {
            models.insert(*number, model.clone());
            return Some(Answer::Have(*number));
        }
        Order::Forget { models: forgotten, .. } => models.retain(|number, _| !forgotten.contains(number)),
        _ => {}
    }
    None
}

fn pass_on<T: Transport>(
    transport: &mut T,
    models: &HashMap<u32, Arc<Model>>,
    model: u32,
    to: u32,
) -> Result<(), ClusterError> {
    match models.get(&model) {
        Some(known) => transport.send(to as usize, Message::Order(Order::Model(model, known.clone()))),
        // The order crossed the news that nobody needs the model any more.
        None => Ok(()),
    }
}

fn unexpected(rank: usize) -> ClusterError {
    ClusterError::Protocol { rank, what: "it sent a message that does not belong here".into() }
}
