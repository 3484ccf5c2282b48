//! The distance cost of a picture: as stored, or with other thresholds.

use s2dpes::config::parse_thresholds;
use s2dpes::crystal::Element;
use s2dpes::landscape::{Axis, DistanceCost, Thresholds, TooClose, pair_name};
use s2dpes::store::{Geometry, LandscapeResult, Results, StoreError};

use super::super::Failure;
use super::Arguments;

/// Pairs that the key names.
const MOST_PAIRS: usize = 2;

/// Where the distance cost comes from.
pub(super) struct Distances<'a> {
    results: &'a Results,
    /// Thresholds that the command line asks for.
    asked: Option<Thresholds>,
    /// What the key says of them, and for which pair it holds.
    words: Vec<(Option<(Element, Element)>, String)>,
}

/// The distance cost of a landscape and what is said about it.
pub(super) struct Costs {
    pub(super) cost: Vec<f64>,
    /// As [`s2dpes::plot::Landscape::cost_remark`].
    pub(super) remark: String,
    /// As [`s2dpes::plot::Landscape::closest`].
    pub(super) closest: String,
}

impl<'a> Distances<'a> {
    /// The thresholds of the campaign with the changes that are asked for, if any are.
    pub(super) fn new(arguments: &Arguments, results: &'a Results) -> Result<Distances<'a>, Failure> {
        let Arguments { distance_scale, distance_pair, cap, no_cap, .. } = arguments;
        if distance_scale.is_none() && distance_pair.is_empty() && !cap && !no_cap {
            return Ok(Distances { results, asked: None, words: Vec::new() });
        }
        let text = results.campaign().map_err(Failure::input)?;
        let mut thresholds = parse_thresholds(&text, results.path()).map_err(Failure::input)?;
        let mut words = Vec::new();
        if let Some(scale) = distance_scale {
            thresholds = thresholds.with_scale(*scale).map_err(Failure::input)?;
            words.push((None, format!("{scale} × radii")));
        }
        for (pair, distance) in distance_pair {
            thresholds = thresholds.with_pair(*pair, *distance).map_err(Failure::input)?;
            words.push((Some(*pair), format!("{} from {distance} Å", pair_name(*pair))));
        }
        if *cap || *no_cap {
            thresholds = thresholds.with_cap(*cap);
        }
        Ok(Distances { results, asked: Some(thresholds), words })
    }

    /// The cost of every point of a landscape.
    pub(super) fn of(&self, landscape: &LandscapeResult) -> Result<Costs, Failure> {
        match &self.asked {
            Some(thresholds) => self.computed(landscape, thresholds),
            None => Ok(self.stored(landscape)),
        }
    }

    fn stored(&self, landscape: &LandscapeResult) -> Costs {
        let capped = landscape.pair_distances.iter().filter(|pair| pair.minimum < pair.uncapped);
        let words =
            capped.map(|pair| format!("{} from {:.2}", pair_name(pair.elements), pair.minimum)).collect();
        let cost = landscape.distance_cost.clone();
        let closest = match is_all_masked(&cost) {
            true => self.closest_stored(landscape).unwrap_or_else(|error| {
                log::warn!("{error}");
                String::new()
            }),
            false => String::new(),
        };
        Costs { cost, remark: capped_words(words), closest }
    }

    fn closest_stored(&self, landscape: &LandscapeResult) -> Result<String, StoreError> {
        let geometry = self.results.geometry(&landscape.structure, &landscape.name)?;
        let known = landscape.pair_distances.iter().filter(|pair| pair.minimum.is_finite());
        let thresholds = known.fold(Thresholds::default(), |thresholds, pair| {
            thresholds.clone().with_pair(pair.elements, pair.minimum).unwrap_or(thresholds)
        });
        Ok(closest(landscape, &geometry, &thresholds))
    }

    fn computed(&self, landscape: &LandscapeResult, thresholds: &Thresholds) -> Result<Costs, Failure> {
        let geometry =
            self.results.geometry(&landscape.structure, &landscape.name).map_err(Failure::input)?;
        let thresholds = thresholds.capped_by(&geometry.crystal).map_err(Failure::input)?;
        let at_nodes = geometry.separations(&thresholds).map_err(Failure::input)?;
        // Equal points get the same number to the last bit, as those of a run do.
        let equal_to = landscape.models.first().map(|m| &m.irreducible_index[..]).unwrap_or_default();
        let same = |i: usize| equal_to.get(i).and_then(|j| at_nodes.get(*j as usize)).unwrap_or(&at_nodes[i]);
        let cost: Vec<f64> = (0..at_nodes.len()).map(|i| same(i).cost).collect();
        let caps = thresholds.caps().map(|(pair, cap)| format!("{} from {:.2}", pair_name(pair), cap.to));
        let capped = Some(capped_words(caps.collect())).filter(|words| !words.is_empty());
        let has = |element: &Element| geometry.crystal.orbits.iter().any(|orbit| orbit.element == *element);
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            self.words.iter().partition(|(pair, _)| pair.is_none_or(|(a, b)| has(&a) && has(&b)));
        for (_, words) in elsewhere {
            log::warn!("{}: there is no such pair of elements ({words})", landscape.structure);
        }
        let here = here.into_iter().map(|(_, words)| words.clone());
        let remark = here.chain(capped).collect::<Vec<_>>().join(", ");
        let closest =
            if is_all_masked(&cost) { closest(landscape, &geometry, &thresholds) } else { String::new() };
        Ok(Costs { cost, remark, closest })
    }
}

/// `P-O from 1.51, S-O from 1.40 Å and 2 more`.
fn capped_words(words: Vec<String>) -> String {
    match words.len() {
        0 => String::new(),
        n if n <= MOST_PAIRS => format!("{} Å", words.join(", ")),
        n => format!("{} Å and {} more", words[..MOST_PAIRS].join(", "), n - MOST_PAIRS),
    }
}

fn is_all_masked(cost: &[f64]) -> bool {
    cost.iter().all(|cost| *cost > 0.0)
}

/// The atoms that are too close in the input structure, or else at the point where the cost is least.
fn closest(landscape: &LandscapeResult, geometry: &Geometry, thresholds: &Thresholds) -> String {
    let Ok(cost) = DistanceCost::new(&geometry.crystal, &geometry.axes, thresholds) else {
        return String::new();
    };
    let input: Vec<f64> = landscape.axes.iter().map(|axis| axis.reference).collect();
    let least = || {
        let costs = cost.over(&geometry.axes, &geometry.grid);
        let least =
            geometry.grid.points().min_by(|a, b| costs[a.index()].cost.total_cmp(&costs[b.index()].cost))?;
        let value = |(i, axis): (usize, &Axis)| axis.value(geometry.grid.coordinate(least, i));
        cost.closest(&geometry.axes.iter().enumerate().map(value).collect::<Vec<f64>>())
    };
    let Some(TooClose { elements, distance, minimum }) = cost.closest(&input).or_else(least) else {
        return String::new();
    };
    let name = format!("{}/{}", landscape.structure, landscape.name);
    let pair = pair_name(elements);
    log::warn!(
        "{name}: all points are masked, since {pair} at {distance:.2} Angstrom is below {minimum:.2}; \
         `s2dpes plot --distance-pair {pair}={:.2}` or `--distance-scale` draw with other thresholds",
        0.99 * distance
    );
    format!("{pair}\u{a0}{distance:.2}\u{a0}Å <\u{a0}{minimum:.2}\u{a0}Å")
}
