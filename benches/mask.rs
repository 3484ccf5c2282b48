//! What the mask of close distances hides in a result file, with the thresholds of the paper and with those that the input
//! structures cap: `cargo bench --bench mask -- FILE.h5`. `benches/results/mask.md` keeps a table.

use std::path::Path;
use std::process::ExitCode;

use s2dpes::landscape::{DistanceCost, Thresholds, pair_name};
use s2dpes::store::{Geometry, LandscapeResult, Results};

/// Energies that differ by less count as equal, in eV/atom.
const SAME: f64 = 1e-3;

/// What is hidden of a landscape.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hidden {
    Nothing,
    /// The minimum of the input's basin, which lies below all points outside the mask.
    Basin,
    /// Every point.
    All,
}

impl Hidden {
    fn words(self) -> &'static str {
        match self {
            Hidden::Nothing => "-",
            Hidden::Basin => "lowest basin",
            Hidden::All => "all",
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    let Some(file) = arguments.next_back() else {
        eprintln!("name a result file");
        return ExitCode::from(2);
    };
    match report(Path::new(&file)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn report(file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let results = Results::open(file)?;
    let mut counts = [[0; 3]; 2];
    let (mut inputs, mut landscapes) = ([0; 2], 0);
    let mut lines = Vec::new();
    for (structure, name) in results.landscapes()? {
        let (landscape, geometry) =
            (results.landscape(&structure, &name)?, results.geometry(&structure, &name)?);
        landscapes += 1;
        let paper = Thresholds::default().with_cap(false);
        let capped = Thresholds::default().capped_by(&geometry.crystal)?;
        let mut found = [Hidden::Nothing; 2];
        for (i, thresholds) in [&paper, &capped].into_iter().enumerate() {
            let cost = DistanceCost::new(&geometry.crystal, &geometry.axes, thresholds)?;
            let reference: Vec<f64> = landscape.axes.iter().map(|a| a.reference).collect();
            inputs[i] += usize::from(cost.at(&reference).cost > 0.0);
            found[i] = hidden(&landscape, &geometry, thresholds)?;
            counts[i][found[i] as usize] += 1;
        }
        if found[0] != Hidden::Nothing || found[1] != Hidden::Nothing {
            let caps: Vec<String> = (capped.caps())
                .map(|(pair, cap)| format!("{} {:.3} to {:.3}", pair_name(pair), cap.from, cap.to))
                .collect();
            let [before, after] = found.map(Hidden::words);
            lines.push(format!("| {structure}/{name} | {before} | {after} | {} |", caps.join(", ")));
        }
    }
    println!("{landscapes} landscapes\n\n| | paper | capped |\n| --- | ---: | ---: |");
    for (words, hidden) in [("all points hidden", Hidden::All), ("lowest basin hidden", Hidden::Basin)] {
        println!("| {words} | {} | {} |", counts[0][hidden as usize], counts[1][hidden as usize]);
    }
    println!("| input structure masked | {} | {} |", inputs[0], inputs[1]);
    println!("\n| landscape | hidden, paper | hidden, capped | caps (Angstrom) |\n| --- | --- | --- | --- |");
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn hidden(
    landscape: &LandscapeResult,
    geometry: &Geometry,
    thresholds: &Thresholds,
) -> Result<Hidden, Box<dyn std::error::Error>> {
    let energy = &landscape.models.first().ok_or("a landscape has no model")?.energy;
    let masked: Vec<bool> = geometry.separations(thresholds)?.iter().map(|s| s.cost > 0.0).collect();
    if masked.iter().all(|m| *m) {
        return Ok(Hidden::All);
    }
    let open = energy.iter().zip(&masked).filter(|(e, masked)| e.is_finite() && !**masked).map(|(e, _)| *e);
    let lowest = open.fold(f64::INFINITY, f64::min);
    let basin = basin(landscape, energy);
    Ok(if masked[basin] && energy[basin] < lowest - SAME { Hidden::Basin } else { Hidden::Nothing })
}

/// From the node nearest to the input downhill to a minimum, whatever is masked.
fn basin(landscape: &LandscapeResult, energy: &[f64]) -> usize {
    let sizes: Vec<usize> = landscape.axes.iter().map(|a| a.values.len()).collect();
    let index = |place: &[usize]| place.iter().zip(&sizes).fold(0, |index, (i, n)| index * n + i);
    let mut place: Vec<usize> = (landscape.axes.iter())
        .map(|axis| {
            let distance = |value: f64| (value - axis.reference - (value - axis.reference).round()).abs();
            let nearest =
                |a: &usize, b: &usize| distance(axis.values[*a]).total_cmp(&distance(axis.values[*b]));
            (0..axis.values.len()).min_by(nearest).unwrap_or(0)
        })
        .collect();
    loop {
        let mut best = place.clone();
        for neighbour in 0..3_usize.pow(sizes.len() as u32) {
            let step = |i: usize| (neighbour / 3_usize.pow(i as u32)) % 3;
            let moved: Vec<usize> =
                (0..sizes.len()).map(|i| (place[i] + sizes[i] + step(i) - 1) % sizes[i]).collect();
            if energy[index(&moved)] < energy[index(&best)] {
                best = moved;
            }
        }
        if best == place {
            return index(&place);
        }
        place = best;
    }
}
