//! Lengths of a scene's arrays, and the memory that a batch takes.

use crate::engine::cuda::layout::{Place, PointOutput};
use crate::engine::cuda::slot::StagingLengths;

/// Most points of a batch.
pub const BATCH: usize = 4096;

/// Lengths of a group of pairs.
#[derive(Clone, Debug)]
pub struct GroupShape {
    /// Axes of the landscape that move it.
    pub axes: Vec<usize>,
    /// Whether these are all axes, so that every point is a node.
    pub moves_with_all: bool,
    /// Different values that these axes have on the grid.
    pub node_limit: usize,
    /// Whether operators are kept.
    pub kept: bool,
    /// Candidate shells.
    pub shells: usize,
    /// Most of them that are within the cutoff at a node.
    pub entries: usize,
    /// Pairs.
    pub pairs: usize,
    /// Most bonds of a shell.
    pub bonds_of_shell: usize,
    /// Most rows of an entry's angular parts.
    pub rows: usize,
    /// Sums of scalars of a node.
    pub sums: usize,
    /// Rows of the operators of a node, if they are kept.
    pub operator_rows: usize,
}

/// Numbers of a point in the arrays between operators and energies; none of those that a family does without.
#[derive(Clone, Debug, Default)]
pub struct NetworkShape {
    /// Messages after their linear maps.
    pub messages: usize,
    /// Messages of a later layer by paths, the most of all layers.
    pub paths: usize,
    /// Products of messages, the most of all layers.
    pub products: usize,
    /// Features that are sent, the most of all layers.
    pub up: usize,
    /// Features of each array of them.
    pub features: Vec<usize>,
    /// Hidden units, the most of all readouts.
    pub hidden: usize,
    /// Density normalisers.
    pub normalisers: usize,
}

/// Lengths of a scene.
#[derive(Clone, Debug)]
pub struct SceneShape {
    /// Axes of the landscape.
    pub axes: usize,
    /// Channels of a row, as kernels of operators and messages see it: every padded number of columns of the model is a
    /// multiple of it.
    pub channels: usize,
    /// Evaluated atoms.
    pub sites: usize,
    /// Harmonics of a bond.
    pub components: usize,
    /// Sums of scalars of a direction.
    pub scalars: usize,
    /// By group.
    pub groups: Vec<GroupShape>,
    /// What follows the operators.
    pub network: NetworkShape,
    /// Atoms of the conventional cell.
    pub atoms: usize,
    /// Orbits.
    pub representatives: usize,
}

/// Lengths of a group's buffers for batches of at most so many points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupLengths {
    /// Nodes.
    pub nodes: usize,
    /// Nodes by point, if they are neither one nor the points.
    pub index: usize,
    /// Values of all axes of the landscape at each node.
    pub values: usize,
    /// Begins of the pairs' entries.
    pub begins: usize,
    /// Entries, their distances and places.
    pub entries: usize,
    /// Harmonics of all bonds of all entries.
    pub harmonics: usize,
    /// Angular parts.
    pub angular: usize,
    /// Scalars of entries.
    pub pair_scalars: usize,
    /// Sums of scalars.
    pub scalars: usize,
    /// Operators.
    pub operators: usize,
}

impl GroupShape {
    /// Whether no axis moves it.
    pub fn is_frozen(&self) -> bool {
        self.axes.is_empty()
    }

    /// Whether a list tells the node of each point.
    pub fn has_index(&self) -> bool {
        !self.is_frozen() && !self.moves_with_all
    }

    /// Lengths for batches of at most so many points.
    pub fn lengths(&self, scene: &SceneShape, points: usize) -> GroupLengths {
        let nodes = self.node_limit.min(points).max(1);
        let entries = nodes * self.entries;
        GroupLengths {
            nodes,
            index: if self.has_index() { points } else { 0 },
            values: nodes * scene.axes,
            begins: nodes * (self.pairs + 1),
            entries,
            harmonics: entries * self.bonds_of_shell * scene.components,
            angular: entries * self.rows,
            pair_scalars: entries * scene.scalars,
            scalars: nodes * self.sums,
            operators: nodes * self.operator_rows * scene.channels,
        }
    }
}

impl GroupLengths {
    fn bytes<T>(&self) -> usize {
        let doubles = self.values + self.harmonics + self.pair_scalars + self.scalars + self.entries;
        let numbers = self.angular + self.operators;
        size_of::<f64>() * doubles
            + size_of::<T>() * numbers
            + size_of::<i32>() * (self.index + self.begins + self.entries)
            + size_of::<Place<T>>() * self.entries
    }

    /// Threads of the largest launch.
    fn most_threads(&self) -> usize {
        let of_entries = self.angular.max(self.harmonics);
        of_entries.max(self.scalars).max(self.operators / 4).max(32 * self.nodes)
    }
}

/// Lengths of the buffers over points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointLengths {
    /// Axis values.
    pub values: usize,
    /// Positions.
    pub positions: usize,
    /// Parts of the distance cost, and of smallest distances.
    pub separations: usize,
    /// Readouts.
    pub sites: usize,
    /// Points.
    pub points: usize,
}

impl NetworkShape {
    /// Numbers of a point, all arrays together.
    fn numbers(&self) -> usize {
        let features = self.features.iter().sum::<usize>();
        self.messages + self.paths + self.products + self.up + features + self.hidden + self.normalisers
    }

    /// Numbers of a point in the largest array.
    fn most(&self) -> usize {
        let features = self.features.iter().max().copied().unwrap_or(0);
        self.messages.max(self.paths).max(self.products).max(self.up).max(features)
    }
}

impl SceneShape {
    /// Lengths for batches of at most so many points.
    pub fn point_lengths(&self, points: usize) -> PointLengths {
        PointLengths {
            values: points * self.axes,
            positions: points * self.atoms * 3,
            separations: points * self.representatives,
            sites: points * self.sites,
            points,
        }
    }

    /// Lengths on the host for batches of at most so many points: axis values of the points and of the nodes of each group,
    /// nodes of the points for each group that has a list of them.
    pub fn staging(&self, points: usize) -> StagingLengths {
        let groups = || self.groups.iter().map(|g| g.lengths(self, points));
        StagingLengths {
            values: self.point_lengths(points).values + groups().map(|l| l.values).sum::<usize>(),
            index: groups().map(|l| l.index).sum(),
            outputs: points,
        }
    }

    /// Bytes of all buffers for batches of at most so many points.
    pub fn bytes<T>(&self, points: usize) -> usize {
        let of = self.point_lengths(points);
        let groups: usize = self.groups.iter().map(|g| g.lengths(self, points).bytes::<T>()).sum();
        let doubles = of.values + of.positions + 2 * of.separations + of.sites;
        groups
            + size_of::<T>() * points * self.network.numbers()
            + size_of::<f64>() * doubles
            + size_of::<PointOutput>() * of.points
    }

    /// Bytes of the operators that are kept.
    pub fn operator_bytes<T>(&self, points: usize) -> usize {
        self.groups.iter().map(|g| g.lengths(self, points).operators * size_of::<T>()).sum()
    }

    /// Threads of the largest launch for so many points, or more.
    pub fn most_threads(&self, points: usize) -> usize {
        let of = self.point_lengths(points);
        let groups = self.groups.iter().map(|g| g.lengths(self, points).most_threads()).max();
        groups.unwrap_or(0).max(points * self.network.most()).max(32 * of.sites).max(of.positions)
    }
}
