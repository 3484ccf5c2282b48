//! The arrays of one surface, as they are being filled.
//!
//! Results of a tile spread over the grid by symmetry. Rectangles of nodes that hold them are read, changed and written,
//! since a write for each node would cost more than computing does, and keeping whole arrays too much memory.

use std::ops::Range;

use hdf5::{Dataset, Group, H5Type, Hyperslab, SliceOrIndex};
use ndarray::{ArrayD, IxDyn};

use super::schema;
use crate::engine::PointResult;
use crate::work::SurfaceWork;

/// Distances of a landscape, which all its surfaces share.
pub(super) struct Distances {
    cost: Dataset,
    minimum: Dataset,
}

impl Distances {
    pub(super) fn open(landscape: &Group) -> hdf5::Result<Distances> {
        Ok(Distances {
            cost: landscape.dataset(schema::DISTANCE_COST.name)?,
            minimum: landscape.dataset(schema::MINIMUM_DISTANCE.name)?,
        })
    }
}

/// One surface.
pub(super) struct SurfaceArrays {
    energy: Dataset,
    status: Dataset,
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
            energy: group.dataset(schema::ENERGY.name)?,
            status: group.dataset(schema::STATUS.name)?,
            tile_state: group.dataset(schema::TILE_STATE.name)?,
            tile_seconds: group.dataset(schema::TILE_SECONDS.name)?,
            nodes,
            starts,
            last_use: 0,
        })
    }

    /// Memory.
    pub(super) fn bytes(&self) -> usize {
        2 * self.nodes.len() * size_of::<u32>()
    }

    /// Stores a tile: its values first, its state last.
    pub(super) fn write(
        &self,
        distances: &Distances,
        work: &SurfaceWork,
        tile: usize,
        (results, seconds): (&[PointResult], f64),
    ) -> hdf5::Result<()> {
        let images = |(place, point): (usize, &crate::landscape::Point)| {
            let images = self.starts[point.index()] as usize..self.starts[point.index() + 1] as usize;
            self.nodes[images].iter().map(move |node| (*node as usize, place))
        };
        let touched: Vec<(usize, usize)> =
            work.tiles[tile].points[..results.len()].iter().enumerate().flat_map(images).collect();
        let regions = regions(touched, &self.energy.shape());
        change(&distances.cost, &regions, |place| results[place].distance_cost)?;
        change(&distances.minimum, &regions, |place| results[place].minimum_distance)?;
        change(&self.energy, &regions, |place| results[place].energy)?;
        change(&self.status, &regions, |place| results[place].status as u8)?;
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

/// A rectangle of nodes: rows of the last axis but one, columns of the last.
#[derive(Clone, Debug, PartialEq)]
struct Region {
    /// Place along the axes before these, row-major.
    leading: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    /// Nodes of it that have values, as (row, column), and the places of their values.
    values: Vec<((usize, usize), usize)>,
}

/// Lines of the last axis of up to so many nodes are written whole: a few kilobytes cost no more than a part of them.
const WHOLE_LINE: usize = 512;
/// Columns this close are written together.
const GAP: usize = 64;
/// With more regions than this, whole lines are cheaper.
const MANY: usize = 64;

/// Rectangles that cover some nodes, which come with the places of their values.
fn regions(mut nodes: Vec<(usize, usize)>, shape: &[usize]) -> Vec<Region> {
    nodes.sort_unstable();
    let line = shape.last().copied().unwrap_or(1);
    let narrow = if line > WHOLE_LINE { cover(&nodes, shape, false) } else { Vec::new() };
    if narrow.is_empty() || narrow.len() > MANY { cover(&nodes, shape, true) } else { narrow }
}

fn cover(nodes: &[(usize, usize)], shape: &[usize], whole_lines: bool) -> Vec<Region> {
    let line = shape.last().copied().unwrap_or(1);
    let rows = shape.iter().rev().nth(1).copied().unwrap_or(1);
    let mut regions: Vec<Region> = Vec::new();
    let is_near = |a: &(usize, usize), b: &(usize, usize)| {
        a.0 / line == b.0 / line && (whole_lines || b.0 - a.0 <= GAP)
    };
    for run in nodes.chunk_by(is_near) {
        let (first, last) = (run[0].0, run[run.len() - 1].0);
        let (leading, row) = (first / line / rows, first / line % rows);
        let columns = if whole_lines { 0..line } else { first % line..last % line + 1 };
        let values = run.iter().map(|(node, place)| ((row, node % line), *place));
        let follows = |g: &&mut Region| g.leading == leading && g.rows.end == row && g.columns == columns;
        match regions.iter_mut().find(follows) {
            Some(region) => {
                region.rows.end += 1;
                region.values.extend(values);
            }
            None => regions.push(Region { leading, rows: row..row + 1, columns, values: values.collect() }),
        }
    }
    regions
}

impl Region {
    /// Its nodes along each axis.
    fn extent(&self, shape: &[usize]) -> Vec<usize> {
        let mut extent = vec![1; shape.len()];
        let axes = [self.columns.len(), self.rows.len()];
        extent.iter_mut().rev().zip(axes).for_each(|(size, own)| *size = own);
        extent
    }

    fn selection(&self, shape: &[usize]) -> Hyperslab {
        let mut slices = vec![SliceOrIndex::from(self.columns.clone())];
        let mut leading = self.leading;
        for (place, size) in shape.iter().rev().skip(1).enumerate() {
            slices.push(match place {
                0 => SliceOrIndex::from(self.rows.clone()),
                _ => SliceOrIndex::from(leading % size..leading % size + 1),
            });
            leading /= if place == 0 { 1 } else { *size };
        }
        slices.reverse();
        Hyperslab::from(slices)
    }
}

/// Changes some nodes of an array over the grid; a value is asked for by its place.
fn change<T: H5Type + Copy>(
    dataset: &Dataset,
    regions: &[Region],
    value: impl Fn(usize) -> T,
) -> hdf5::Result<()> {
    let shape = dataset.shape();
    for region in regions {
        let width = region.columns.len();
        let mut block: ArrayD<T> = match region.values.first() {
            // Nothing of it stays.
            Some((_, place)) if region.values.len() == region.rows.len() * width => {
                ArrayD::from_elem(region.extent(&shape), value(*place))
            }
            _ => dataset.read_slice::<T, _, IxDyn>(region.selection(&shape))?,
        };
        let values = block.as_slice_mut().ok_or("a block of the file is not contiguous")?;
        for ((row, column), place) in &region.values {
            values[(row - region.rows.start) * width + column - region.columns.start] = value(*place);
        }
        dataset.write_slice(&block, region.selection(&shape))?;
    }
    Ok(())
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

    /// Rectangles of some nodes.
    fn rectangles(nodes: Vec<usize>, shape: &[usize]) -> Vec<(usize, Range<usize>, Range<usize>)> {
        let nodes: Vec<(usize, usize)> = nodes.into_iter().zip(0..).collect();
        let regions = regions(nodes.clone(), shape);
        assert_eq!(regions.iter().map(|r| r.values.len()).sum::<usize>(), nodes.len());
        regions.into_iter().map(|r| (r.leading, r.rows, r.columns)).collect()
    }

    #[test]
    fn nodes_join_into_regions() {
        // Short lines are written whole.
        assert_eq!(rectangles(vec![31, 12, 25, 70, 71], &[8, 10]), [(0, 1..4, 0..10), (0, 7..8, 0..10)]);
        assert_eq!(rectangles(vec![3, 7], &[10]), [(0, 0..1, 0..10)]);
        // Of long ones, blocks and their images.
        let block =
            |column: usize| (5..9).flat_map(move |r| (column..column + 32).map(move |c| r * 4000 + c));
        let nodes: Vec<usize> = block(64).chain(block(3000)).collect();
        assert_eq!(rectangles(nodes, &[4000, 4000]), [(0, 5..9, 64..96), (0, 5..9, 3000..3032)]);
        // Sheared ones would be many.
        let sheared: Vec<usize> = (0..100).map(|r| r * 4000 + 100 + r).collect();
        assert_eq!(rectangles(sheared, &[4000, 4000]), [(0, 0..100, 0..4000)]);
        assert_eq!(rectangles(vec![2000 * 2000 + 7], &[4, 2000, 2000]), [(1, 0..1, 7..8)]);
    }

    #[test]
    fn values_reach_their_nodes_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = hdf5::File::create(folder.path().join("x.h5")).unwrap();
        for (name, shape) in
            [("a", vec![700]), ("b", vec![3, 5]), ("c", vec![40, 900]), ("d", vec![3, 4, 2, 600])]
        {
            let size: usize = shape.iter().product();
            let dataset = file.new_dataset::<f64>().shape(shape.clone()).create(name).unwrap();
            let mut expected = vec![-1.0; size];
            dataset.write_raw(&expected).unwrap();
            // Blocks, single nodes, and nodes across lines.
            let nodes: Vec<usize> =
                (0..size).filter(|n| n % 97 < 5 || n % 613 == 11 || n % 599 > 590).collect();
            let places: Vec<(usize, usize)> = nodes.iter().rev().copied().zip(0..).collect();
            places.iter().for_each(|(node, place)| expected[*node] = *place as f64);
            for part in places.chunks(50) {
                change(&dataset, &regions(part.to_vec(), &shape), |place| place as f64).unwrap();
            }
            assert_eq!(dataset.read_raw::<f64>().unwrap(), expected, "{name}");
        }
    }
}
