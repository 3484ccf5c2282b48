//! One typed launch a kernel: buffers and lengths are checked here, so that no thread reaches beyond them. Rows that
//! only the device has counted are never more than the shape says.
//!
//! ```text
//! rows        axis values -> bonds and angles that are short enough
//! features    tables -> features; sums of messages; what the readout makes of atoms
//! gated       features -> gated messages
//! ```
//!
//! All of them are asynchronous: an error of a kernel comes out of a later call.

mod features;
mod gated;
mod rows;

pub use features::{
    activate, first_atoms, linear_rows, long_messages, look_up, norm_atoms, sum_atoms, sum_bonds,
};
pub use gated::{AngleInputs, angle_messages, bond_messages, update_angles};
pub use rows::{bond_lengths, count_rows, fill_angles, fill_bonds, fill_directed, scan_rows};

use super::shape::{ChgnetShape, Total};
use crate::engine::cuda::queue::Queue;

/// A batch of points of a scene.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    /// Where it is computed.
    pub queue: &'a Queue,
    /// Lengths.
    pub shape: &'a ChgnetShape,
    /// Points.
    pub points: usize,
}

impl Batch<'_> {
    /// Most rows of a kind.
    pub fn rows(&self, total: Total) -> usize {
        self.shape.rows(total, self.points)
    }
}
