//! What rank 0 spends on messages and tiles.

use std::fmt::Write as _;
use std::sync::Arc;

use s2dpes::campaign::prepare;
use s2dpes::cluster::{Answer, Computed, Message, Order, Stop, Task};
use s2dpes::config::Campaign;
use s2dpes::engine::{PointResult, Status};
use s2dpes::landscape::Point;
use s2dpes::store::{ResultFile, RunRecord};
use s2dpes::work::{Model, SurfaceId, Work};

use super::{Failure, TILE, cpu_seconds, landscapes, timed};

/// How often a message is encoded and decoded.
const TURNS: usize = 200;
/// Tiles of a large landscape that are written.
const TILES: usize = 400;

/// A table of names and values.
pub(super) fn measure(models: &[Model]) -> Result<String, Failure> {
    let mut table = String::from("quantity,value\n");
    let mut add = |name: &str, value: f64| writeln!(table, "{name},{value:.3e}");
    for (name, message) in [("task", task()), ("empty_task", empty_task()), ("result", result())] {
        let (bytes, encode, decode) = message_costs(&message, TURNS)?;
        add(&format!("{name}_bytes"), bytes)?;
        add(&format!("{name}_encode_seconds"), encode)?;
        add(&format!("{name}_decode_seconds"), decode)?;
    }
    let mut sizes = Vec::new();
    for landscape in landscapes::files().iter().step_by(10).filter_map(|f| landscapes::landscape(f, 120)) {
        sizes.push(message_costs(&Message::Order(Order::Landscape(1, landscape)), 5)?);
    }
    add("landscape_bytes", sizes.iter().map(|s| s.0).sum::<f64>() / sizes.len() as f64)?;
    add("landscape_encode_seconds", sizes.iter().map(|s| s.1).sum::<f64>() / sizes.len() as f64)?;
    for model in models {
        let order = Message::Order(Order::Model(1, Arc::new(model.clone())));
        let (bytes, encode, decode) = message_costs(&order, 2)?;
        add(&format!("model_bytes:{}", model.name), bytes)?;
        add(&format!("model_encode_seconds:{}", model.name), encode)?;
        add(&format!("model_decode_seconds:{}", model.name), decode)?;
    }
    for points in [24, 120, 4000] {
        let (open, first, later) = tile_costs(points)?;
        add(&format!("file_seconds_a_surface:{points}"), open)?;
        add(&format!("first_tile_seconds:{points}"), first)?;
        add(&format!("tile_seconds:{points}"), later)?;
    }
    Ok(table)
}

fn task() -> Message {
    let points = (0..TILE as u32).map(|i| Point(5_000_000 + i)).collect();
    Message::Order(Order::Task(Task { number: 1000, model: 1, landscape: 100, reference: false, points }))
}

fn empty_task() -> Message {
    Message::Order(Order::Task(Task {
        number: 1000,
        model: 1,
        landscape: 100,
        reference: false,
        points: Vec::new(),
    }))
}

fn results() -> Vec<PointResult> {
    let one = PointResult { energy: -8.5, distance_cost: 0.25, minimum_distance: 1.5, status: Status::Done };
    vec![one; TILE]
}

fn result() -> Message {
    let computed =
        Computed { task: 1000, results: results(), seconds: 1.0, preparation: 0.0, reference: None };
    Message::Answer(Answer::Computed(computed))
}

/// Bytes, and seconds to encode and to decode.
fn message_costs(message: &Message, turns: usize) -> Result<(f64, f64, f64), Failure> {
    let bytes = postcard::to_stdvec(message)?;
    let (lengths, encode) =
        timed(|| (0..turns).map(|_| postcard::to_stdvec(message).map_or(0, |b| b.len())).sum::<usize>());
    let (decoded, decode) =
        timed(|| (0..turns).filter(|_| postcard::from_bytes::<Message>(&bytes).is_ok()).count());
    assert_eq!((lengths, decoded), (bytes.len() * turns, turns));
    Ok((bytes.len() as f64, encode / turns as f64, decode / turns as f64))
}

/// Seconds a surface of making the file, of the first tile of a surface, and of a later one.
fn tile_costs(points: usize) -> Result<(f64, f64, f64), Failure> {
    let folder = tempfile::tempdir()?;
    let surfaces = if points > 1000 { 1 } else { 20 };
    let text = campaign_text(points, surfaces);
    let campaign = Campaign::parse(&text, &folder.path().join("campaign.toml"))?;
    let work = prepare(&campaign, &Stop::by_hand())?;
    let run = RunRecord::default();
    let (file, open) = timed(|| ResultFile::open(&campaign.output, &text, &work, run, false));
    let (mut file, results) = (file?, results());
    let (mut first, mut later) = (0.0, Vec::new());
    for id in work.surfaces().collect::<Vec<_>>() {
        for tile in 0..work.surface(id).tiles.len().min(TILES) {
            let seconds = write(&mut file, &work, (id, tile), &results)?;
            if tile == 0 { first += seconds } else { later.push(seconds) }
        }
        first += timed(|| file.close_surface(id)).1;
    }
    let surfaces = surfaces as f64;
    let mean = later.iter().fold(0.0, |sum, s| sum + s) / later.len().max(1) as f64;
    Ok((open / surfaces, first / surfaces, mean))
}

fn write(
    file: &mut ResultFile,
    work: &Work,
    (id, tile): (SurfaceId, usize),
    results: &[PointResult],
) -> Result<f64, Failure> {
    let count = work.surface(id).tiles[tile].points.len();
    let start = cpu_seconds();
    file.write_tile(work, id, tile, (&results[..count], 1.0))?;
    Ok(cpu_seconds() - start)
}

fn campaign_text(points: usize, surfaces: usize) -> String {
    let structure = landscapes::large();
    let mut text = String::from("[campaign]\noutput = \"result.h5\"\n");
    for surface in 0..surfaces {
        text += &format!("[[model]]\nname = \"m{surface}\"\nfile = \"embedded:demo-wn\"\n");
    }
    text += &format!("[[structure]]\nname = \"W2N3\"\nfile = {:?}\n", structure.display().to_string());
    text += "[[structure.landscape]]\naxes = [ ";
    text += &format!("{{ dof = \"W1.x\", points = {points} }}, {{ dof = \"W1.z\", points = {points} }} ]\n");
    text
}
