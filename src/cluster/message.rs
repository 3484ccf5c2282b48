//! What travels between rank 0 and the others.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::placement::Seat;
use crate::engine::{Gpus, PointResult};
use crate::landscape::{Landscape, Point};
use crate::work::Model;

/// Anything that travels.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// From rank 0, or from a rank that passes a model on.
    Order(Order),
    /// To rank 0.
    Answer(Answer),
}

/// What rank 0 tells a rank.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Try the GPU of this number, before anything else.
    TryGpu(u32),
    /// The rank's place: the first order, or the second one.
    Seat(Seat),
    /// A model, under a number that tasks name.
    Model(u32, Arc<Model>),
    /// Send a model on to another rank.
    PassOn {
        /// Its number.
        model: u32,
        /// The rank that needs it.
        to: u32,
    },
    /// A landscape, under a number that tasks name.
    Landscape(u32, Arc<Landscape>),
    /// Points to evaluate.
    Task(Task),
    /// Models and landscapes that no task will name any more.
    Forget {
        /// Numbers of models.
        models: Vec<u32>,
        /// Numbers of landscapes.
        landscapes: Vec<u32>,
    },
    /// Finish the call of the engine that is running and drop the rest.
    Stop,
    /// Rank 0 is still there.
    Alive,
    /// The end.
    Quit,
}

/// Points to evaluate. It waits until its model has arrived.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Names it in the answer.
    pub number: u32,
    /// Number of the model.
    pub model: u32,
    /// Number of the landscape.
    pub landscape: u32,
    /// Whether to evaluate the input structure, too.
    pub reference: bool,
    /// What to evaluate.
    pub points: Vec<Point>,
}

/// What a rank tells rank 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The rank is there: the first answer.
    Here(Presence),
    /// Why the GPU cannot be used, if it cannot.
    Tried(Option<String>),
    /// A model has arrived.
    Have(u32),
    /// A task is done.
    Computed(Computed),
    /// A task cannot be done.
    Failed {
        /// The task.
        task: u32,
        /// A sentence.
        why: String,
    },
    /// A task was dropped, because the run stops.
    Dropped(u32),
    /// Somebody wants the run to stop.
    StopAsked(String),
    /// The code of the rank failed.
    Panicked(String),
    /// The rank's device computes no more, and why.
    DeviceFailed(String),
    /// The rank is still there.
    Alive,
}

/// Results of a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Computed {
    /// The task.
    pub task: u32,
    /// In the order of its points; those of the last points are missing if the run stops.
    pub results: Vec<PointResult>,
    /// Seconds that evaluating took.
    pub seconds: f64,
    /// Seconds that preparing scene and engine took.
    pub preparation: f64,
    /// Energy of the input structure in eV per atom, if it was asked for.
    pub reference: Option<f64>,
}

/// What a rank has to work with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    /// Name of the machine.
    pub host: String,
    /// Lowest rank on the same machine.
    pub node: u32,
    /// The CPUs that it may use, as the system lists them: `0-15`.
    pub cpus: String,
    /// How many it may use at once.
    pub cpu_count: u32,
    /// Threads that the user or the batch system wants, 0 for no wish.
    pub threads: u32,
    /// How many GPUs it sees, or the batch system says that it should see.
    pub gpu_count: u32,
    /// The GPUs that it sees.
    pub gpus: Gpus,
    /// Vector instructions of its CPUs.
    pub instructions: String,
}
