//! The coordinator with ranks that do not exist, in virtual time; `benches/scheduler.rs` does the same for thousands.

#[path = "../benches/simulation/mod.rs"]
mod simulation;

use std::sync::Arc;

use s2dpes::cluster::Event;
use s2dpes::potential::Potential;
use s2dpes::work::{Model, Precision};
use simulation::jobs::{Campaign, Price};
use simulation::machine::Machine;
use simulation::{Outcome, bound, landscapes, simulate};

const MACHINE: Machine = Machine {
    latency: 5e-6,
    bandwidth: 1e10,
    notice: 5e-4,
    pick_up: 5e-4,
    message: 5e-6,
    point: 8e-9,
    result: 1.5e-8,
    landscape: 1e-6,
    encode: 1e-9,
    decode: 1e-9,
    first_tile: 2e-4,
    tile: 1e-4,
};

/// Ten landscapes of 24 x 24 nodes for four models.
fn campaign() -> Campaign {
    let potential = Arc::new(Potential::load("embedded:demo-wn").unwrap());
    let model = |name: usize| {
        let (name, potential) = (format!("model {name}"), potential.clone());
        Arc::new(Model { name, potential, head: 0, precision: Precision::Single })
    };
    let models: Vec<Arc<Model>> = (0..4).map(model).collect();
    let mut campaign = Campaign::default();
    for file in landscapes::files().iter().step_by(31) {
        let landscape = landscapes::landscape(file, 24).unwrap();
        // Unlike what the scheduler expects of the number of orbits.
        let point = 1e-3 * (landscape.crystal.atom_count() as f64).sqrt();
        let price = |m: usize| Price {
            engine: 0.02,
            scene: 1e-3,
            first_call: 5e-3,
            point: point * (m + 1) as f64,
            model_bytes: 4e7,
        };
        let surfaces: Vec<_> =
            models.iter().cloned().enumerate().map(|(m, model)| (model, price(m))).collect();
        campaign.add(&landscape, &surfaces, 64);
    }
    assert_eq!(campaign.surfaces.len(), 40);
    campaign
}

/// Runs a campaign and checks that every point is evaluated once and every tile comes once, with its own results.
fn run(campaign: &Campaign, ranks: usize) -> Outcome {
    let mut seen: Vec<Vec<bool>> =
        campaign.surfaces.iter().map(|s| vec![false; s.work.tiles.len()]).collect();
    let (mut finished, mut references) = (0, 0);
    let mut see = |event: &Event| match event {
        Event::Tile { job, tile, results, .. } => {
            assert!(!std::mem::replace(&mut seen[*job][*tile], true));
            let points = &campaign.surfaces[*job].work.tiles[*tile].points;
            // Energies of the simulation are numbers of points.
            assert!(results.len() == points.len());
            assert!(results.iter().zip(points).all(|(r, p)| r.energy == f64::from(p.0)));
        }
        Event::Reference { .. } => references += 1,
        Event::Finished(_) => finished += 1,
        Event::Failed { .. } | Event::Stopping(_) => panic!("{event:?}"),
        Event::Tick(_) => {}
    };
    let outcome = simulate(campaign, &MACHINE, ranks, &mut see).unwrap();
    let points: usize = campaign.surfaces.iter().map(|s| s.points()).sum();
    assert!(seen.iter().flatten().all(|s| *s));
    assert_eq!((outcome.totals.points, finished, references), (points, 40, 40));
    outcome
}

/// The shortest possible time divided by what it took.
fn efficiency(campaign: &Campaign, ranks: usize) -> f64 {
    bound::shortest(&campaign.seconds(), ranks) / run(campaign, ranks).makespan
}

#[test]
fn many_ranks_share_few_surfaces_evenly() {
    let campaign = campaign();
    for (ranks, least) in [(1, 0.98), (7, 0.9), (64, 0.6)] {
        let efficiency = efficiency(&campaign, ranks);
        assert!(efficiency > least && efficiency <= 1.0, "{ranks} ranks: {efficiency:.3}");
    }
}

#[test]
fn the_same_campaign_takes_the_same_time() {
    let campaign = campaign();
    assert_eq!(run(&campaign, 33).makespan.to_bits(), run(&campaign, 33).makespan.to_bits());
}

#[test]
fn a_model_is_sent_once_to_a_rank_that_needs_it() {
    let campaign = campaign();
    // Ranks stay with a model as long as it has something to do.
    assert!(run(&campaign, 16).totals.models <= 40);
}
