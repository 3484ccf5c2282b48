//! The lowest point of a panel and those equal to it.

use super::contour::is_masked;
use super::{Landscape, Panel};

/// Energies that differ by less, in eV/atom, are equal to float32: of points that no symmetry of the grid relates, as where
/// a crystal moves along a polar axis, the one nearest the input structure is the lowest.
const SAME: f64 = 2e-6;
/// So many equal minima are ringed, all of them; of more, only that nearest the input structure.
const MOST: usize = 16;

/// Where a model is lowest.
#[derive(Clone, Debug, PartialEq)]
pub struct Lowest {
    /// The lowest energy in eV/atom.
    pub energy: f64,
    /// The nodes to mark, `[i0, i1]` along the axes: the lowest and those equal to it by symmetry.
    pub nodes: Vec<[usize; 2]>,
    /// How many equal nodes there are, marked or not.
    pub equal: usize,
    /// True if the energy falls on into the masked region beside it.
    pub at_edge: bool,
}

/// The nodes of a landscape and how they are neighbours; one axis counts as two, the second with one node.
struct Nodes<'a> {
    landscape: &'a Landscape,
    size: [usize; 2],
}

impl Nodes<'_> {
    fn new(landscape: &Landscape) -> Nodes<'_> {
        let size = [0, 1].map(|i| landscape.axes.get(i).map_or(1, |axis| axis.values.len()));
        Nodes { landscape, size }
    }

    fn place(&self, index: usize) -> [usize; 2] {
        [index / self.size[1], index % self.size[1]]
    }

    /// Up to eight nodes around one, round periodic axes.
    fn around(&self, index: usize) -> impl Iterator<Item = usize> {
        let [i, j] = self.place(index);
        let (rows, columns, width) = (self.beside(0, i), self.beside(1, j), self.size[1]);
        let nodes =
            rows.into_iter().flat_map(move |i| columns.clone().into_iter().map(move |j| i * width + j));
        nodes.filter(move |other| *other != index)
    }

    /// A place along an axis and those before and after it.
    fn beside(&self, axis: usize, place: usize) -> Vec<usize> {
        let periodic = self.landscape.axes.get(axis).is_some_and(|axis| axis.periodic);
        let size = self.size[axis] as i64;
        let moved = (-1..=1).map(|step| place as i64 + step);
        let there = moved.map(|to| if periodic { to.rem_euclid(size) } else { to });
        there.filter(|to| (0..size).contains(to)).map(|to| to as usize).collect()
    }

    /// Square of the distance from the input structure, in periods.
    fn distance_from_input(&self, index: usize) -> f64 {
        let along = |(i, axis): (usize, &super::Axis)| {
            let difference = axis.values[self.place(index)[i]] - axis.reference.filter(|r| r.is_finite())?;
            Some((difference - difference.round()).powi(2))
        };
        self.landscape.axes.iter().enumerate().filter_map(along).sum()
    }
}

/// The lowest of the `open` nodes among those of at least `floor`. Beside energies below that, a point counts only if no open one around it is lower: the slope of a hole is no minimum.
pub fn lowest(
    landscape: &Landscape,
    panel: &Panel,
    energy: &[f64],
    open: &[bool],
    floor: f64,
) -> Option<Lowest> {
    let nodes = Nodes::new(landscape);
    let is_open = |i: &usize| open[*i] && energy[*i].is_finite();
    let has_holes = (0..energy.len()).any(|i| is_open(&i) && energy[i] < floor);
    let is_bottom = |i: &usize| nodes.around(*i).all(|j| !is_open(&j) || energy[j] >= energy[*i]);
    let may_be_lowest = |i: &usize| is_open(i) && energy[*i] >= floor && (!has_holes || is_bottom(i));
    let least = (0..energy.len()).filter(may_be_lowest).map(|i| energy[i]).min_by(f64::total_cmp)?;
    let by_nearness =
        |a: &usize, b: &usize| nodes.distance_from_input(*a).total_cmp(&nodes.distance_from_input(*b));
    let lowest =
        (0..energy.len()).filter(|i| may_be_lowest(i) && energy[*i] <= least + SAME).min_by(by_nearness)?;
    let mut equals = match &panel.equal_to {
        Some(equal_to) => {
            (0..energy.len()).filter(|i| equal_to[*i] == equal_to[lowest] && is_open(i)).collect()
        }
        None => vec![lowest],
    };
    let equal = equals.len();
    let falls_on = |i: &usize| {
        let masked = |j: &usize| is_masked(landscape.distance_cost[*j]);
        nodes.around(*i).filter(masked).any(|j| energy[j] < energy[*i])
    };
    let at_edge = equals.iter().any(falls_on);
    if equal > MOST {
        equals.sort_by(by_nearness);
        equals.truncate(1);
    }
    let nodes = equals.into_iter().map(|i| nodes.place(i)).collect();
    Some(Lowest { energy: least, nodes, equal, at_edge })
}
