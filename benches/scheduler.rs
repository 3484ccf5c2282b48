//! Simulates campaigns on up to thousands of ranks with the real coordinator and measured costs; writes
//! results/scheduler.csv and a table for results/scheduler.md.
//!
//! `cargo bench --bench costs -- NAME=M.model ...`, then `cargo bench --bench scheduler`

mod simulation;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use s2dpes::potential::Potential;
use s2dpes::work::{Model, Precision};
use simulation::jobs::{Campaign, Price};
use simulation::machine::Machine;
use simulation::{Outcome, bound, landscapes, simulate};

#[derive(Parser)]
struct Arguments {
    /// Only scenarios whose name begins so.
    #[arg(long, default_value = "")]
    only: String,
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 16, 64, 256, 1024, 4096])]
    ranks: Vec<usize>,
    /// How much faster points are than measured.
    #[arg(long, value_delimiter = ',', default_values_t = [1.0, 100.0])]
    speeds: Vec<f64>,
    /// Factor on what tiles cost rank 0.
    #[arg(long, default_value_t = 1.0)]
    tile_costs: f64,
    /// Where the costs are and the results go.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/results"))]
    folder: PathBuf,
    /// Given by cargo.
    #[arg(long)]
    bench: bool,
}

type Failure = Box<dyn std::error::Error>;

/// Structures of a campaign.
const STRUCTURES: usize = 300;
/// Models of a campaign: those that were measured, the first ones twice.
const MODELS: usize = 10;
/// Model of the large landscape.
const LARGE: &str = "mp0-medium";

/// One kind of campaign.
struct Scenario {
    name: &'static str,
    campaign: fn(&Costs, f64) -> Result<Campaign, Failure>,
    /// Nodes along an axis, by which rank 0's costs of a tile are known.
    points: usize,
}

const SCENARIOS: [Scenario; 3] = [
    Scenario { name: "a", campaign: large, points: 4000 },
    Scenario { name: "b", campaign: |costs, speed| many(costs, speed, 120), points: 120 },
    Scenario { name: "c", campaign: |costs, speed| many(costs, speed, 24), points: 24 },
];

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let costs = Costs::read(&arguments.folder)?;
    let mut table = String::from(CSV_HEAD);
    println!("{MD_HEAD}");
    for scenario in SCENARIOS.iter().filter(|s| s.name.starts_with(&arguments.only)) {
        let mut machine = costs.machine(scenario.points)?;
        machine.first_tile *= arguments.tile_costs;
        machine.tile *= arguments.tile_costs;
        for speed in &arguments.speeds {
            let campaign = (scenario.campaign)(&costs, *speed)?;
            for ranks in &arguments.ranks {
                let outcome = simulate(&campaign, &machine, *ranks, &mut |_| {})?;
                let row = Row::new(&campaign, *ranks, &outcome);
                table += &row.csv(scenario.name, *speed);
                println!("{}", row.markdown(scenario.name, *speed));
            }
        }
    }
    if arguments.only.is_empty() {
        std::fs::write(arguments.folder.join("scheduler.csv"), table)?;
    }
    Ok(())
}

/// What was measured.
struct Costs {
    /// By structure and model.
    surfaces: HashMap<(String, String), Price>,
    /// In the order of the file.
    models: Vec<String>,
    rank0: HashMap<String, f64>,
}

impl Costs {
    fn read(folder: &Path) -> Result<Costs, Failure> {
        let text = |name: &str| {
            std::fs::read_to_string(folder.join(name))
                .map_err(|e| format!("{name}: {e}; run the bench `costs`"))
        };
        let mut rank0 = HashMap::new();
        for line in text("rank0-costs.csv")?.lines().skip(1) {
            let (name, value) = line.split_once(',').ok_or("rank0-costs.csv: a line without a comma")?;
            rank0.insert(name.to_string(), value.parse()?);
        }
        let (mut surfaces, mut models) = (HashMap::new(), Vec::new());
        for line in text("campaign-costs.csv")?.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let [structure, model, _, _, _, engine, scene, first_call, point] = cells[..] else {
                return Err(format!("campaign-costs.csv: {line}").into());
            };
            let model_bytes = *rank0.get(&format!("model_bytes:{model}")).ok_or("a model without a size")?;
            let price = Price {
                engine: engine.parse()?,
                scene: scene.parse()?,
                first_call: first_call.parse()?,
                point: point.parse()?,
                model_bytes,
            };
            surfaces.insert((structure.to_string(), model.to_string()), price);
            if !models.iter().any(|m| m == model) {
                models.push(model.to_string());
            }
        }
        Ok(Costs { surfaces, models, rank0 })
    }

    fn rank0(&self, name: &str) -> Result<f64, Failure> {
        self.rank0.get(name).copied().ok_or_else(|| format!("rank0-costs.csv has no {name}").into())
    }

    /// Rank 0's costs; what is not measured is assumed here.
    fn machine(&self, points: usize) -> Result<Machine, Failure> {
        let mean = |name: &str| -> Result<f64, Failure> {
            let each = |m: &String| self.rank0(&format!("{name}:{m}"));
            Ok(self.models.iter().map(each).sum::<Result<f64, _>>()? / self.models.len() as f64)
        };
        let bytes = mean("model_bytes")?;
        Ok(Machine {
            latency: 5e-6,
            bandwidth: 10e9,
            notice: 500e-6,
            pick_up: 500e-6,
            message: 8e-6,
            point: self.rank0("task_encode_seconds")? / 1024.0,
            result: self.rank0("result_decode_seconds")? / 1024.0,
            landscape: self.rank0("landscape_encode_seconds")?,
            encode: mean("model_encode_seconds")? / bytes,
            decode: mean("model_decode_seconds")? / bytes,
            first_tile: self.rank0(&format!("first_tile_seconds:{points}"))?,
            tile: self.rank0(&format!("tile_seconds:{points}"))?,
        })
    }

    fn price(&self, structure: &str, model: &str, speed: f64) -> Option<Price> {
        let price = self.surfaces.get(&(structure.to_string(), model.to_string()))?;
        Some(Price { point: price.point / speed, ..*price })
    }
}

/// A model of the simulation, which needs no weights.
fn model(name: &str, potential: &Arc<Potential>) -> Arc<Model> {
    Arc::new(Model { name: name.into(), potential: potential.clone(), head: 0, precision: Precision::Single })
}

/// One landscape of 4000 x 4000 nodes.
fn large(costs: &Costs, speed: f64) -> Result<Campaign, Failure> {
    let file = landscapes::large();
    let landscape = landscapes::landscape(&file, 4000).ok_or("W2N3 has no landscape")?;
    let price = costs.price(&landscapes::name(&file), LARGE, speed).ok_or("W2N3 was not measured")?;
    let mut campaign = Campaign::default();
    let potential = Arc::new(Potential::load("embedded:demo-wn")?);
    campaign.add(&landscape, &[(model(LARGE, &potential), price)], 1024);
    Ok(campaign)
}

/// Many landscapes for many models.
fn many(costs: &Costs, speed: f64, points: usize) -> Result<Campaign, Failure> {
    let potential = Arc::new(Potential::load("embedded:demo-wn")?);
    let names: Vec<&String> = costs.models.iter().cycle().take(MODELS).collect();
    let models: Vec<Arc<Model>> = names.iter().map(|name| model(name, &potential)).collect();
    let mut campaign = Campaign::default();
    for file in landscapes::files() {
        let structure = landscapes::name(&file);
        let prices: Option<Vec<Price>> = names.iter().map(|m| costs.price(&structure, m, speed)).collect();
        let Some(prices) = prices else { continue };
        let Some(landscape) = landscapes::landscape(&file, points) else { continue };
        let surfaces: Vec<_> = models.iter().cloned().zip(prices).collect();
        campaign.add(&landscape, &surfaces, 1024);
        if campaign.surfaces.len() == STRUCTURES * MODELS {
            break;
        }
    }
    Ok(campaign)
}

/// A line of the tables.
struct Row {
    ranks: usize,
    makespan: f64,
    /// All points, and all that must be prepared once, shared by all ranks.
    ideal: f64,
    /// What no schedule can beat.
    bound: f64,
    points: f64,
    preparation: f64,
    before: f64,
    after: f64,
    rank0: f64,
    coordinator_us: f64,
    outcome: Outcome,
}

const CSV_HEAD: &str = "scenario,speed,ranks,makespan_s,ideal_s,bound_s,efficiency_points,efficiency_ideal,\
    efficiency_bound,idle,idle_before,idle_after,preparation,rank0_busy,rank0_writing,tasks,tiles,messages,bytes,models_sent\n";
const MD_HEAD: &str = "| | points | ranks | makespan, s | ideal, s | bound, s | of points | of ideal | of bound | idle \
    | before the first task | after the last | preparing | rank 0 busy | rank 0 writing | tasks | messages | models | coordinator, µs a task |\n\
    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

impl Row {
    fn new(campaign: &Campaign, ranks: usize, outcome: &Outcome) -> Row {
        let seconds = campaign.seconds();
        let (points, preparing) = seconds.iter().fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
        let all = ranks as f64 * outcome.makespan;
        Row {
            ranks,
            makespan: outcome.makespan,
            ideal: (points + preparing) / ranks as f64,
            bound: bound::shortest(&seconds, ranks),
            points: outcome.totals.point_seconds / all,
            preparation: outcome.totals.preparation / all,
            before: outcome.waited.0 / all,
            after: outcome.waited.1 / all,
            rank0: outcome.rank0 / outcome.makespan,
            coordinator_us: 1e6 * outcome.coordinator.as_secs_f64() / outcome.totals.tasks as f64,
            outcome: outcome.clone(),
        }
    }

    fn idle(&self) -> f64 {
        1.0 - self.points - self.preparation
    }

    fn writing(&self) -> f64 {
        self.outcome.writing / self.makespan
    }

    fn csv(&self, scenario: &str, speed: f64) -> String {
        let Row { ranks, makespan, ideal, bound, points, preparation, before, after, rank0, outcome, .. } =
            self;
        let totals = &outcome.totals;
        let mut line = format!("{scenario},{speed},{ranks},{makespan:.4},{ideal:.4},{bound:.4},{points:.4}");
        for value in [
            ideal / makespan,
            bound / makespan,
            self.idle(),
            *before,
            *after,
            *preparation,
            *rank0,
            self.writing(),
        ] {
            // Writing to a string cannot fail.
            let _ = write!(line, ",{value:.4}");
        }
        let counts = [totals.tasks, outcome.tiles, totals.messages, totals.bytes as usize, totals.models];
        counts.iter().for_each(|n| line += &format!(",{n}"));
        line + "\n"
    }

    fn markdown(&self, scenario: &str, speed: f64) -> String {
        let Row { ranks, makespan, ideal, bound, points, preparation, before, after, rank0, outcome, .. } =
            self;
        let percent = |value: f64| format!("{:.0} %", 100.0 * value);
        let totals = &outcome.totals;
        format!(
            "| {scenario} | x{speed} | {ranks} | {makespan:.2} | {ideal:.2} | {bound:.2} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.0} |",
            percent(*points),
            percent(ideal / makespan),
            percent(bound / makespan),
            percent(self.idle()),
            percent(*before),
            percent(*after),
            percent(*preparation),
            percent(*rank0),
            percent(self.writing()),
            totals.tasks,
            totals.messages,
            totals.models,
            self.coordinator_us
        )
    }
}
