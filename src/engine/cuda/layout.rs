//! Structures that kernels read, field by field as in `kernels/*.cu`.

use cudarc::driver::{DeviceRepr, ValidAsZeroBits};

use super::CudaReal;
use crate::engine::PointResult;
use crate::landscape::Separation;

/// Declares structures of plain numbers that host and device share.
macro_rules! shared {
    ($($(#[$doc:meta])* struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        #[repr(C)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        // SAFETY: all fields are plain numbers, laid out as C does, and any bits are valid for them.
        unsafe impl DeviceRepr for $name {}
        // SAFETY: zero is a valid value of all fields.
        unsafe impl ValidAsZeroBits for $name {}
    )*};
}

/// Where a distance lies on the radial tables, and the shell it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C, align(16))]
pub struct Place<T> {
    /// Of the six rows that it touches.
    pub weights: [T; 6],
    /// The first of them.
    pub row: i32,
    /// Place among the group's shells.
    pub shell: i32,
}

// SAFETY: plain numbers, laid out as C does with the alignment of the kernels' structure; any bits are valid.
unsafe impl<T: CudaReal> DeviceRepr for Place<T> {}
// SAFETY: zero is a valid value of all fields.
unsafe impl<T: CudaReal> ValidAsZeroBits for Place<T> {}

/// A reduced cell.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Cell {
    /// Lattice vectors as columns, column by column, Angstrom.
    pub basis: [f64; 9],
    /// Cartesian components of the 27 nearest images.
    pub images: [[f64; 27]; 3],
    /// Square of the shortest lattice vector.
    pub shortest_squared: f64,
}

// SAFETY: plain numbers, laid out as C does; any bits are valid.
unsafe impl DeviceRepr for Cell {}
// SAFETY: zero is a valid value of all fields.
unsafe impl ValidAsZeroBits for Cell {}

shared! {
    /// Distances over which radial functions are smooth: rows of a table.
    struct Piece {
        /// Where it begins, Angstrom.
        start: f64,
        /// Intervals an Angstrom.
        inverse_step: f64,
        /// Intervals.
        intervals: i32,
        /// First row.
        row: i32,
    }

    /// A group of pairs as kernels see it: device addresses, 0 for none, and lengths.
    struct Group {
        /// `[node][values]`.
        operators: u64,
        /// `[node][scalars]`.
        scalars: u64,
        /// `[node][pairs + 1]`.
        begins: u64,
        /// `[node][most]`.
        places: u64,
        /// `[node][most][rows]`.
        angular: u64,
        /// The node of each point; 0 if it is `step * point`.
        nodes: u64,
        /// Of a node.
        value_count: i64,
        /// Of a node.
        scalar_count: i32,
        /// Pairs.
        pair_count: i32,
        /// Most entries of a node.
        most: i32,
        /// Rows of an entry's angular parts.
        row_count: i32,
        /// See `nodes`.
        step: i32,
        /// Unused.
        padding: i32,
    }

    /// Repulsion of a pair of elements; the range is 0 where there is none.
    struct Repulsion {
        /// Where it ends, Angstrom.
        range: f64,
        /// `0.5 * 14.3996 za zb`, eV Angstrom.
        strength: f64,
        /// Screening length, Angstrom.
        length: f64,
        /// Of the envelope.
        exponent: f64,
        /// Of the screening function.
        coefficients: [f64; 4],
    }

    /// A sum over the entries of a pair.
    struct ScalarSum {
        /// Place in its group.
        pair: i32,
        /// 0 or 1.
        direction: i32,
        /// A density, or the repulsion last.
        column: i32,
    }

    /// Scalars of a direction into a site.
    struct Incoming {
        /// Group.
        group: i32,
        /// First of them in a node's scalars.
        offset: i32,
    }

    /// A row of an operator that is kept.
    struct OperatorRow {
        /// Place in its group.
        pair: i32,
        /// Row of the entry's angular parts.
        row: i32,
        /// First function in the first row of its table.
        table: i64,
        /// Columns of that table.
        columns: i32,
        /// Unused.
        padding: i32,
    }

    /// A row of messages: at `base * points + stride * point + slot`. The senders' features lie in the same way from the
    /// row on that a [`Term`] says.
    struct Output {
        /// See above.
        base: i64,
        /// See above.
        slot: i32,
        /// See above.
        stride: i32,
        /// Of the features.
        feature_slot: i32,
        /// Of the features.
        feature_stride: i32,
        /// Its terms.
        first_term: i32,
        /// How many.
        term_count: i32,
    }

    /// A row of an operator that is kept, and the senders' features that it acts on.
    struct Term {
        /// In the operators of a node.
        offset: i64,
        /// Group.
        group: i32,
        /// Base of the features.
        feature: i32,
    }

    /// Rows of messages of one site that share radial functions and the senders' degree.
    struct Block {
        /// Of the first row, as in [`Output`].
        base: i64,
        /// As in [`Output`].
        slot: i32,
        /// As in [`Output`]; the next row's base is this much larger.
        stride: i32,
        /// Rows.
        rows: i32,
        /// What comes in.
        first_way: i32,
        /// How many.
        way_count: i32,
        /// Of the features, as in [`Output`].
        feature_slot: i32,
        /// Of the features.
        feature_stride: i32,
        /// Unused.
        padding: i32,
    }

    /// What comes into a block from one site through operators that are not kept.
    struct Way {
        /// First function in the first row of its table.
        table: i64,
        /// Columns of that table.
        columns: i32,
        /// Group.
        group: i32,
        /// Place in the group.
        pair: i32,
        /// First row of the angular parts: `[rows][senders]`.
        angular: i32,
        /// Components of the senders.
        senders: i32,
        /// Base of their first component's features; the next one's is a stride larger.
        feature: i32,
    }

    /// Blocks by the degree of their senders: 0, 1, 2.
    struct BlockCounts {
        /// How many.
        of_degree: [i32; 3],
    }

    /// A matrix product `[rows * points][inputs] * [inputs][outputs]`; places count values of one point.
    struct Product {
        /// Place of the inputs.
        input: i64,
        /// Place of the matrix.
        weights: i64,
        /// Place of the result.
        output: i64,
        /// Place of a row that is added, or -1.
        bias: i64,
        /// Rows of a point.
        rows: i32,
        /// Inner length.
        inputs: i32,
        /// Columns.
        outputs: i32,
        /// Whether to add to what is there.
        accumulate: i32,
    }

    /// Sixteen channels of a component of SevenNet's features; places of rows as in [`Output`].
    struct Gate {
        /// Scalars or gates in z.
        gate_base: i64,
        /// Rows of the component in z, or -1 for scalars.
        z_base: i64,
        /// The result.
        output_base: i64,
        /// Place of a row that is added to the gates, or -1.
        bias: i64,
        /// Of the gates.
        gate_slot: i32,
        /// Of the gates.
        gate_stride: i32,
        /// Of the component.
        z_slot: i32,
        /// Of the component.
        z_stride: i32,
        /// Of the result.
        output_slot: i32,
        /// Of the result.
        output_stride: i32,
    }

    /// A component of a site's contraction.
    struct Polynomial {
        /// Where its program begins.
        program: i32,
        /// First indices in it.
        term_count: i32,
        /// Where its coefficients begin.
        coefficients: i64,
        /// Row of the result.
        row: i32,
        /// Unused.
        padding: i32,
    }

    /// A site's contraction.
    struct Contraction {
        /// Its components.
        first_polynomial: i32,
        /// How many.
        polynomial_count: i32,
        /// Rows of its messages by degree.
        first_rows: [i32; 4],
        /// How many.
        rows: [i32; 4],
    }

    /// What a site adds to the energy.
    struct SiteEnergy {
        /// Of all atoms.
        share: f64,
        /// Of the isolated atom, eV.
        atomic: f64,
        /// Factor of all the rest.
        scale: f64,
    }

    /// A directed bond of a network.
    struct BondCandidate {
        /// Its bond without direction.
        bond: i32,
        /// Site.
        receiver: i32,
        /// Site.
        sender: i32,
        /// Neighbours that it stands for.
        weight: f32,
    }

    /// An angle of a network.
    struct AngleCandidate {
        /// Bond without direction of the second leg.
        other: i32,
        /// Directed bond that is the first leg.
        directed: i32,
        /// Second leg.
        leg: i32,
        /// Site.
        centre: i32,
        /// Angles that it stands for.
        weight: f32,
    }

    /// A directed bond that is short enough.
    struct BondRow {
        /// Row of an atom.
        centre: i32,
        /// Row of an atom.
        neighbour: i32,
        /// Row of its bond without direction.
        bond: i32,
        /// Neighbours that it stands for.
        weight: f32,
    }

    /// An angle whose legs are short enough.
    struct AngleRow {
        /// Row of the first leg's bond without direction.
        bond: i32,
        /// Of the second leg's.
        other: i32,
        /// Row of an atom.
        centre: i32,
        /// Angles that it stands for.
        weight: f32,
    }

    /// The grid of a table.
    struct TableGrid {
        /// Intervals in a unit of what it is over.
        inverse_step: f64,
        /// Intervals.
        intervals: i32,
        /// Unused.
        padding: i32,
    }

    /// Where bonds end, and the tables over them.
    struct RowLimits {
        /// Angstrom.
        cutoff: f64,
        /// Of the legs of angles, Angstrom.
        angle_cutoff: f64,
        /// Up to the cutoff.
        bonds: TableGrid,
        /// Up to the angle cutoff.
        short_bonds: TableGrid,
        /// From there on up to the cutoff.
        first_messages: TableGrid,
        /// Up to pi.
        angles: TableGrid,
    }

    /// What comes out for a point.
    struct PointOutput {
        /// eV per atom.
        energy: f64,
        /// Angstrom.
        distance_cost: f64,
        /// Angstrom.
        minimum_distance: f64,
    }
}

impl From<PointOutput> for PointResult {
    fn from(out: PointOutput) -> PointResult {
        PointResult::new(out.energy, Separation { cost: out.distance_cost, minimum: out.minimum_distance })
    }
}
