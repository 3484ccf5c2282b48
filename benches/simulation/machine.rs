//! What messages and tiles cost.

use s2dpes::cluster::{Answer, Order};

/// Times in seconds.
#[derive(Clone, Debug)]
pub struct Machine {
    /// From one rank to another, for the first byte.
    pub latency: f64,
    /// Bytes a second out of a rank.
    pub bandwidth: f64,
    /// Until rank 0, waiting, sees a message.
    pub notice: f64,
    /// Until a rank's main thread sees what its computing thread has done.
    pub pick_up: f64,
    /// Rank 0 on any message: MPI, and the coordinator's own code.
    pub message: f64,
    /// Rank 0 on each point of a task, and on each result.
    pub point: f64,
    pub result: f64,
    /// Rank 0 on a landscape that it sends.
    pub landscape: f64,
    /// Encoding and decoding a byte of a model.
    pub encode: f64,
    pub decode: f64,
    /// Rank 0 on the first tile of a surface, and on the others.
    pub first_tile: f64,
    pub tile: f64,
}

/// Bytes of a message without points, of a landscape, of a point, of a result.
const MESSAGE: f64 = 10.0;
const LANDSCAPE: f64 = 1400.0;
const POINT: f64 = 4.0;
const RESULT: f64 = 25.0;

impl Machine {
    /// Bytes of an order, and rank 0's seconds for it. Models are no such orders.
    pub fn order(&self, order: &Order) -> (f64, f64) {
        match order {
            Order::Task(task) => {
                let points = task.points.len() as f64;
                (MESSAGE + POINT * points, self.message + self.point * points)
            }
            Order::Landscape(..) => (LANDSCAPE, self.message + self.landscape),
            _ => (MESSAGE, self.message),
        }
    }

    /// Bytes of an answer, and rank 0's seconds for it.
    pub fn answer(&self, answer: &Answer) -> (f64, f64) {
        match answer {
            Answer::Computed(computed) => {
                let results = computed.results.len() as f64;
                (MESSAGE + RESULT * results, self.message + self.result * results)
            }
            _ => (MESSAGE, self.message),
        }
    }
}
