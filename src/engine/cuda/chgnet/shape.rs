//! Lengths of a scene's arrays, and the memory that a batch takes.

use super::atoms::AtomShape;
use crate::engine::cuda::layout::{AngleRow, BondRow, Place};
use crate::potential::chgnet::FEATURES;

/// Most points of a batch: enough rows for every kernel.
pub const BATCH: usize = 2048;

/// Features of both branches of a gated message.
pub const BOTH: usize = 2 * FEATURES;

/// Numbers that are counted of a point, `ROW_KINDS` in `kernels/bond_rows.cu`.
pub const ROW_KINDS: usize = 5;

/// Numbers of rows of a batch, in the order in which the device has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// 0.
    None = 0,
    /// Bonds without direction that are short.
    Short = 1,
    /// All of these.
    Bonds = 2,
    /// Directed bonds.
    Directed = 3,
    /// Those of them that are short.
    ShortDirected = 4,
    /// Angles.
    Angles = 5,
    /// Atoms.
    Atoms = 6,
}

impl Total {
    /// How many there are.
    pub const COUNT: usize = 7;
}

/// Most rows of a point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MostRows {
    /// Bonds without direction that are short.
    pub short: usize,
    /// All of these.
    pub bonds: usize,
    /// Directed bonds.
    pub directed: usize,
    /// Those of them that are short.
    pub short_directed: usize,
    /// Angles.
    pub angles: usize,
}

/// Lengths of a scene.
#[derive(Clone, Debug)]
pub struct ChgnetShape {
    /// Axes, sites and atoms, for positions, distances and energies.
    pub atoms: AtomShape,
    /// Bonds of the network without direction.
    pub bonds: usize,
    /// Directed bonds of the network.
    pub directed: usize,
    /// Its angles.
    pub angles: usize,
    /// Of a point.
    pub most: MostRows,
}

/// Lengths of the buffers for batches of at most so many points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowLengths {
    /// Lengths and rows of the bonds of the network.
    pub network: usize,
    /// Counts and begins of the points' rows.
    pub counts: usize,
    /// Begins of the sites' directed bonds.
    pub site_begins: usize,
    /// Rows of atoms.
    pub atoms: usize,
    /// Most rows of each kind.
    pub most: MostRows,
}

impl RowLengths {
    /// What atoms add to first layers.
    pub fn of_atoms(&self) -> usize {
        self.atoms * 2 * BOTH
    }

    /// What bonds add to first layers along bonds or along angles.
    pub fn of_bonds(&self) -> usize {
        (self.most.bonds * BOTH).max(self.most.short * 2 * BOTH)
    }

    /// Messages along bonds or along angles.
    pub fn messages(&self) -> usize {
        self.most.directed.max(self.most.angles) * FEATURES
    }

    /// Sums of messages.
    pub fn sums(&self) -> usize {
        self.atoms.max(self.most.short) * FEATURES
    }

    fn bytes<T>(&self) -> usize {
        let MostRows { short, bonds, directed, short_directed, angles } = self.most;
        let features = FEATURES * (self.atoms + 2 * short + bonds + angles);
        let numbers =
            features + self.of_atoms() + self.of_bonds() + BOTH * angles + self.messages() + self.sums();
        let integers = self.network + 2 * self.counts + Total::COUNT + 2 * self.site_begins + short + 1;
        size_of::<T>() * numbers
            + size_of::<f64>() * self.network
            + size_of::<i32>() * integers
            + size_of::<Place<T>>() * (2 * bonds + short + angles)
            + size_of::<BondRow>() * (directed + short_directed)
            + size_of::<AngleRow>() * angles
    }
}

impl ChgnetShape {
    /// Lengths for batches of at most so many points.
    pub fn lengths(&self, points: usize) -> RowLengths {
        let MostRows { short, bonds, directed, short_directed, angles } = self.most;
        RowLengths {
            network: points * self.bonds,
            counts: points * ROW_KINDS,
            site_begins: points * (self.atoms.sites + 1),
            atoms: points * self.atoms.sites,
            most: MostRows {
                short: points * short,
                bonds: points * bonds,
                directed: points * directed,
                short_directed: points * short_directed,
                angles: points * angles,
            },
        }
    }

    /// Most rows of so many points.
    pub fn rows(&self, total: Total, points: usize) -> usize {
        let RowLengths { atoms, most, .. } = self.lengths(points);
        match total {
            Total::None => 0,
            Total::Short => most.short,
            Total::Bonds => most.bonds,
            Total::Directed => most.directed,
            Total::ShortDirected => most.short_directed,
            Total::Angles => most.angles,
            Total::Atoms => atoms,
        }
    }

    /// Bytes of all buffers for batches of at most so many points.
    pub fn bytes<T>(&self, points: usize) -> usize {
        self.atoms.bytes::<T>(points) + self.lengths(points).bytes::<T>()
    }

    /// Threads of the largest launch for so many points, or more.
    pub fn most_threads(&self, points: usize) -> usize {
        let RowLengths { network, atoms, most, .. } = self.lengths(points);
        let rows = atoms.max(most.bonds).max(most.directed).max(most.angles);
        // A thread a quad of both branches.
        (rows * BOTH / 4).max(network).max(32 * points).max(self.atoms.most_threads(points))
    }
}
