//! Tiles: blocks of a grid, the unit of work that is computed, stored and resumed as one.

use super::{Grid, Irreducible, Point};

/// The irreducible points within one block of the grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Points in order; neighbours along both axes, so that what an axis shares is computed once.
    pub points: Vec<Point>,
}

/// Divides the irreducible points into blocks of at most `points_per_tile` nodes, near to square. Blocks without an
/// irreducible point are left out.
pub fn tiles(grid: &Grid, irreducible: &Irreducible, points_per_tile: usize) -> Vec<Tile> {
    let axes = grid.shape().len();
    if axes == 0 {
        return vec![Tile { points: irreducible.points.clone() }];
    }
    let edge = ((points_per_tile.max(1) as f64).powf(1.0 / axes as f64) + 1e-9).floor().max(1.0) as usize;
    let blocks: Vec<usize> = grid.shape().iter().map(|n| n.div_ceil(edge)).collect();
    let mut tiles = vec![Tile { points: Vec::new() }; blocks.iter().product()];
    for point in &irreducible.points {
        let block = (0..axes).fold(0, |index, a| index * blocks[a] + grid.coordinate(*point, a) / edge);
        tiles[block].points.push(*point);
    }
    tiles.retain(|t| !t.points.is_empty());
    tiles
}
