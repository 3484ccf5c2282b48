//! Campaigns on ranks that do not exist: the coordinator is the real one, time is virtual and nothing is evaluated.
//!
//! ```text
//! landscapes   structures of the campaign set -> landscapes
//! jobs         landscapes x models -> jobs
//! machine      what messages and tiles cost
//! worker       a rank: its main thread and its computing thread
//! world        the ranks, and the transport that rank 0 sees
//! bound        the shortest time that any schedule could take
//! ```
//!
//! The same input gives the same numbers on every machine.

#![allow(dead_code, reason = "benches and tests use parts of this")]

pub mod bound;
pub mod jobs;
pub mod landscapes;
pub mod machine;
mod worker;
pub mod world;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use s2dpes::cluster::{ClusterError, Coordinator, Event, Stop};

use jobs::Campaign;
use machine::Machine;
use world::{Simulated, Totals, World};

/// How a campaign went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Virtual seconds from the first order to the last tile.
    pub makespan: f64,
    /// Virtual seconds that rank 0 was busy with messages and tiles.
    pub rank0: f64,
    /// Those of them that went to tiles.
    pub writing: f64,
    pub tiles: usize,
    /// Seconds that all ranks together waited for their first task, and after their last one.
    pub waited: (f64, f64),
    pub totals: Totals,
    /// Real time that the coordinator's code took.
    pub coordinator: Duration,
}

/// Runs a campaign on some ranks. Everything that comes out of the coordinator is shown to `see`.
pub fn simulate(
    campaign: &Campaign,
    machine: &Machine,
    ranks: usize,
    see: &mut dyn FnMut(&Event),
) -> Result<Outcome, ClusterError> {
    let world = Rc::new(RefCell::new(World::new(machine.clone(), campaign.prices(), ranks)));
    let began = Instant::now();
    let threads = vec![1; ranks];
    let transport = Simulated(world.clone());
    let mut coordinator = Coordinator::new(transport, &threads, campaign.jobs(), Stop::by_hand());
    let (mut tiles, mut writing, mut opened) = (0, 0.0, vec![false; campaign.surfaces.len()]);
    let mut outside = Duration::ZERO;
    while let Some(event) = coordinator.next_event()? {
        let pause = Instant::now();
        if let Event::Tile { job, .. } = event {
            tiles += 1;
            let is_first = !std::mem::replace(&mut opened[job], true);
            let seconds = if is_first { machine.first_tile } else { machine.tile };
            writing += seconds;
            world.borrow_mut().spend(seconds);
        }
        see(&event);
        outside += pause.elapsed();
    }
    let coordinator = began.elapsed().saturating_sub(outside);
    let world = world.borrow();
    Ok(Outcome {
        makespan: world.clock,
        rank0: world.busy,
        writing,
        tiles,
        waited: world.waited(),
        totals: world.totals.clone(),
        coordinator: coordinator.saturating_sub(world.inside),
    })
}
