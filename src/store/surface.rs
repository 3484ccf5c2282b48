//! The arrays of one surface, as they are being filled.
//!
//! Results of a tile spread over the grid by symmetry. They are gathered in memory, and rectangles of neighbouring
//! nodes are written at once, since many small writes would cost more than computing does.

use std::ops::Range;

use hdf5::{Dataset, Group, H5Type, Hyperslab, SliceOrIndex};
use ndarray::ArrayView;

use super::schema;
use crate::engine::PointResult;
use crate::work::SurfaceWork;

/// An array over a grid, in memory and in the file.
struct GridArray<T> {
    dataset: Dataset,
    values: Vec<T>,
}

impl<T: H5Type + Copy> GridArray<T> {
    fn open(group: &Group, name: &str) -> hdf5::Result<GridArray<T>> {
        let dataset = group.dataset(name)?;
        let values = dataset.read_raw()?;
        Ok(GridArray { dataset, values })
    }

    /// Writes regions.
    fn write(&self, regions: &[Region]) -> hdf5::Result<()> {
        let shape = self.dataset.shape();
        let row: usize = shape[1..].iter().product();
        for Region { rows, columns } in regions {
            let mut slices = vec![SliceOrIndex::from(rows.clone())];
            let mut extent = shape.clone();
            extent[0] = rows.len();
            if columns.len() < row {
                // Only grids of two axes have regions narrower than a row.
                slices.push(SliceOrIndex::from(columns.clone()));
                extent[1] = columns.len();
            } else {
                slices.extend(shape[1..].iter().map(|n| SliceOrIndex::from(0..*n)));
            }
            let values: Vec<T> = (rows.clone())
                .flat_map(|r| &self.values[r * row + columns.start..r * row + columns.end])
                .copied()
                .collect();
            let view = ArrayView::from_shape(extent, &values).map_err(|e| e.to_string())?;
            self.dataset.write_slice(view, Hyperslab::from(slices))?;
        }
        Ok(())
    }
}

/// Distances of a landscape, which all its surfaces share.
pub(super) struct Distances {
    cost: GridArray<f64>,
    minimum: GridArray<f64>,
}

impl Distances {
    pub(super) fn open(landscape: &Group) -> hdf5::Result<Distances> {
        Ok(Distances {
            cost: GridArray::open(landscape, schema::DISTANCE_COST.name)?,
            minimum: GridArray::open(landscape, schema::MINIMUM_DISTANCE.name)?,
        })
    }
}

/// One surface.
pub(super) struct SurfaceArrays {
    energy: GridArray<f64>,
    status: GridArray<u8>,
    tile_state: Dataset,
    tile_seconds: Dataset,
    /// Nodes ordered by their representative, and where each representative's nodes begin.
    nodes: Vec<u32>,
    starts: Vec<u32>,
    /// Number of the last write, counted over all surfaces.
    pub(super) last_use: u64,
}

impl SurfaceArrays {
    pub(super) fn open(group: &Group, work: &SurfaceWork) -> hdf5::Result<SurfaceArrays> {
        let (nodes, starts) = by_representative(&work.irreducible.representative);
        Ok(SurfaceArrays {
            energy: GridArray::open(group, schema::ENERGY.name)?,
            status: GridArray::open(group, schema::STATUS.name)?,
            tile_state: group.dataset(schema::TILE_STATE.name)?,
            tile_seconds: group.dataset(schema::TILE_SECONDS.name)?,
            nodes,
            starts,
            last_use: 0,
        })
    }

    /// Memory, that of the landscape's distances included.
    pub(super) fn bytes(&self) -> usize {
        let node = 3 * size_of::<f64>() + size_of::<u8>() + 2 * size_of::<u32>();
        self.energy.values.len() * node
    }

    /// Stores a tile: its values first, its state last.
    pub(super) fn write(
        &mut self,
        distances: &mut Distances,
        work: &SurfaceWork,
        tile: usize,
        (results, seconds): (&[PointResult], f64),
    ) -> hdf5::Result<()> {
        let shape = self.energy.dataset.shape();
        let mut touched: Vec<usize> = Vec::new();
        for (point, result) in work.tiles[tile].points.iter().zip(results) {
            let images = self.starts[point.index()] as usize..self.starts[point.index() + 1] as usize;
            for node in self.nodes[images].iter().map(|n| *n as usize) {
                self.energy.values[node] = result.energy;
                self.status.values[node] = result.status as u8;
                distances.cost.values[node] = result.distance_cost;
                distances.minimum.values[node] = result.minimum_distance;
                touched.push(node);
            }
        }
        let regions = regions(touched, &shape);
        distances.cost.write(&regions)?;
        distances.minimum.write(&regions)?;
        self.energy.write(&regions)?;
        self.status.write(&regions)?;
        self.tile_seconds.write_slice(&[seconds], tile..tile + 1)?;
        self.tile_state.write_slice(&[schema::TILE_DONE], tile..tile + 1)
    }
}

/// Nodes in the order of their representatives (a counting sort), and the offsets of each.
fn by_representative(representative: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; representative.len() + 1];
    representative.iter().for_each(|r| starts[*r as usize + 1] += 1);
    for i in 0..representative.len() {
        starts[i + 1] += starts[i];
    }
    let mut next = starts.clone();
    let mut nodes = vec![0; representative.len()];
    for (node, r) in representative.iter().enumerate() {
        nodes[next[*r as usize] as usize] = node as u32;
        next[*r as usize] += 1;
    }
    (nodes, starts)
}

/// A rectangle of nodes: rows of the first axis, and a range of the nodes in a row.
#[derive(Clone, Debug, PartialEq)]
struct Region {
    rows: Range<usize>,
    columns: Range<usize>,
}

/// Rows of up to so many nodes are written whole: a few kilobytes cost no more than a part of them.
const WHOLE_ROW: usize = 512;
/// Columns this close are written together.
const GAP: usize = 64;

/// Rectangles that cover some nodes.
fn regions(mut nodes: Vec<usize>, shape: &[usize]) -> Vec<Region> {
    let row: usize = shape[1..].iter().product();
    let is_whole = shape.len() != 2 || row <= WHOLE_ROW;
    nodes.sort_unstable();
    let mut regions: Vec<Region> = Vec::new();
    for of_row in nodes.chunk_by(|a, b| a / row == b / row) {
        let r = of_row[0] / row;
        // Whole rows have no gaps to part at.
        let runs = of_row.chunk_by(|a, b| is_whole || b - a <= GAP);
        let range = |run: &[usize]| match is_whole {
            true => 0..row,
            false => run[0] % row..run[run.len() - 1] % row + 1,
        };
        for columns in runs.map(range) {
            match regions.iter_mut().find(|g| g.rows.end == r && g.columns == columns) {
                Some(region) => region.rows.end += 1,
                None => regions.push(Region { rows: r..r + 1, columns }),
            }
        }
    }
    regions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_grouped_by_representative() {
        let (nodes, starts) = by_representative(&[0, 1, 0, 1, 4]);
        assert_eq!(nodes, [0, 2, 1, 3, 4]);
        assert_eq!(starts, [0, 2, 4, 4, 4, 5]);
    }

    #[test]
    fn nodes_join_into_regions() {
        let region = |rows: Range<usize>, columns: Range<usize>| Region { rows, columns };
        // Narrow rows are written whole.
        assert_eq!(regions(vec![31, 12, 25, 70, 71], &[8, 10]), [region(1..4, 0..10), region(7..8, 0..10)]);
        // Of wide ones, blocks and their images.
        let block =
            |column: usize| (5..9).flat_map(move |r| (column..column + 32).map(move |c| r * 4000 + c));
        let nodes: Vec<usize> = block(64).chain(block(3000)).collect();
        assert_eq!(regions(nodes, &[4000, 4000]), [region(5..9, 64..96), region(5..9, 3000..3032)]);
        assert_eq!(regions(vec![2000 * 2000], &[4, 2000, 2000]), [region(1..2, 0..4_000_000)]);
    }
}
