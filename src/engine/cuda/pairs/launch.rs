//! One typed launch a kernel: buffers and lengths are checked here, so that no thread reaches beyond them.
//!
//! ```text
//! operators   axis values -> entries, angular parts, scalars and operators of a group of pairs
//! messages    operators -> messages; matrix products; readouts
//! ```
//!
//! All of them are asynchronous: an error of a kernel comes out of a later call.

mod messages;
mod operators;

pub use messages::{
    apply_first, apply_later, energy, first_messages, later_messages, linear, linear_readout,
};
pub use operators::{
    angular, distance_cost, embed, harmonics, neighbours, operators, pair_scalars, places, sum_scalars,
};
