//! One typed launch a kernel: buffers and lengths are checked here, so that no thread reaches beyond them.
//!
//! ```text
//! operators   axis values -> entries, angular parts, scalars and operators of a group of pairs
//! network     operators -> messages -> features -> energies
//! ```
//!
//! All of them are asynchronous: an error of a kernel comes out of a later call.

mod network;
mod operators;

pub use network::{
    apply_first, apply_later, contract, energy, first_messages, hidden_readout, later_messages, linear,
    linear_readout, normalise,
};
pub use operators::{
    angular, distance_cost, embed, harmonics, neighbours, operators, pair_scalars, places, sum_scalars,
};
