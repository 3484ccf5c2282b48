//! Irreducible points: one node for each set of nodes that hold equivalent crystals.

use rayon::prelude::*;

use super::{Axis, Grid, GridMap, Point, Relation};

/// Which nodes count as the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Equivalence {
    /// The most that may be done to a crystal to call it the same; `None` keeps every node.
    pub relation: Option<Relation>,
    /// Whether mirror images differ: for potentials that are not invariant under reflections.
    pub proper_only: bool,
}

/// The nodes to evaluate and where their results go.
#[derive(Clone, Debug)]
pub struct Irreducible {
    /// For every node, the node whose result it takes: the first of its set.
    pub representative: Vec<u32>,
    /// The first nodes of all sets, in order.
    pub points: Vec<Point>,
}

/// A map meets a node when it comes this close, in steps of the grid.
const ON_NODE: f64 = 1e-6;

impl Irreducible {
    pub(super) fn new(axes: &[Axis], grid: &Grid, maps: &[GridMap], equivalence: Equivalence) -> Irreducible {
        let wanted =
            |m: &&GridMap| equivalence.relation.is_some_and(|r| m.is_within(r, equivalence.proper_only));
        // Those that send the grid onto itself form a group, so the smallest image is the same for a whole set.
        let maps: Vec<&GridMap> = maps.iter().filter(wanted).filter(|m| keeps_grid(axes, grid, m)).collect();
        let smallest = |point: Point| {
            let images = maps.iter().filter_map(|m| image(axes, grid, m, point));
            images.fold(point.0, |smallest, p| smallest.min(p.0))
        };
        let representative: Vec<u32> =
            (0..grid.len() as u32).into_par_iter().map(|i| smallest(Point(i))).collect();
        let points = grid.points().filter(|p| representative[p.index()] == p.0).collect();
        Irreducible { representative, points }
    }

    /// How many nodes take the result of each irreducible point, in the order of `points`.
    pub fn weights(&self) -> Vec<usize> {
        let mut counts = vec![0; self.representative.len()];
        self.representative.iter().for_each(|r| counts[*r as usize] += 1);
        self.points.iter().map(|p| counts[p.index()]).collect()
    }
}

fn keeps_grid(axes: &[Axis], grid: &Grid, map: &GridMap) -> bool {
    (0..grid.len() as u32).into_par_iter().all(|i| image(axes, grid, map, Point(i)).is_some())
}

/// The node that a map sends a node to, if it is one.
fn image(axes: &[Axis], grid: &Grid, map: &GridMap, point: Point) -> Option<Point> {
    let mut index = 0;
    for (row, axis) in axes.iter().enumerate() {
        let mut value = map.shift[row];
        for (column, other) in axes.iter().enumerate() {
            let factor = map.matrix[(row, column)];
            if factor != 0.0 {
                value += factor * other.value(grid.coordinate(point, column));
            }
        }
        index = index * axis.points + node_at(axis, value)?;
    }
    Some(Point(index as u32))
}

/// The node of an axis at a coordinate, modulo the period.
fn node_at(axis: &Axis, value: f64) -> Option<usize> {
    let step = axis.step();
    let steps = (value - axis.range[0]).rem_euclid(1.0) / step;
    let nearest = steps.round();
    if (steps - nearest).abs() > ON_NODE {
        // Just below the lower end of a range is just below a whole period above it.
        let below = (value - axis.range[0]).rem_euclid(1.0) - 1.0;
        return ((below / step).abs() < ON_NODE).then_some(0);
    }
    let node = nearest as usize;
    if axis.is_periodic() { Some(node % axis.points) } else { (node < axis.points).then_some(node) }
}
