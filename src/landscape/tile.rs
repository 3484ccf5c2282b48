//! Tiles: blocks of a grid, the unit of work that is computed, stored and resumed as one.

use std::collections::BTreeMap;

use super::{Grid, Irreducible, Point};

/// Points of a tile come in patches of at most this many nodes, near to square: points evaluated together then share
/// what belongs to a value of either axis.
const PATCH: usize = 16;

/// The irreducible points within one block of the grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Points, patch by patch, in order within a patch.
    pub points: Vec<Point>,
}

/// Divides the irreducible points into blocks of at most `points_per_tile` nodes, near to square. Blocks without an
/// irreducible point are left out.
pub fn tiles(grid: &Grid, irreducible: &Irreducible, points_per_tile: usize) -> Vec<Tile> {
    let axes = grid.shape().len();
    if axes == 0 {
        return vec![Tile { points: irreducible.points.clone() }];
    }
    let (edge, patch_edge) = (edge(points_per_tile, axes), edge(PATCH, axes));
    let blocks: Vec<usize> = grid.shape().iter().map(|n| n.div_ceil(edge)).collect();
    let mut tiles: BTreeMap<usize, Vec<Point>> = BTreeMap::new();
    for point in &irreducible.points {
        let block = (0..axes).fold(0, |index, a| index * blocks[a] + grid.coordinate(*point, a) / edge);
        tiles.entry(block).or_default().push(*point);
    }
    let patch = |point: &Point| -> Vec<usize> {
        (0..axes).map(|a| grid.coordinate(*point, a) / patch_edge).collect()
    };
    let in_patches = |mut points: Vec<Point>| {
        points.sort_by_cached_key(|p| (patch(p), *p));
        Tile { points }
    };
    tiles.into_values().map(in_patches).collect()
}

/// Edge of the largest cube with at most so many nodes.
fn edge(nodes: usize, axes: usize) -> usize {
    ((nodes.max(1) as f64).powf(1.0 / axes as f64) + 1e-9).floor().max(1.0) as usize
}
