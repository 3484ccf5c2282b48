//! A rank: what its computing thread knows and what is waiting for it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use s2dpes::cluster::{Computed, Order, Task};
use s2dpes::crystal::Element;
use s2dpes::engine::{PointResult, Status};
use s2dpes::landscape::Landscape;
use s2dpes::work::Model;

use super::jobs::Prices;

/// A rank as `compute.rs` has it.
#[derive(Default)]
pub(super) struct Worker {
    pub(super) queue: VecDeque<Order>,
    pub(super) is_busy: bool,
    /// When it began its first task and when it was done with its last one.
    pub(super) began: Option<f64>,
    pub(super) ended: f64,
    /// When it has sent what it is sending.
    pub(super) link_free: f64,
    /// The last model that came or went, which needs no encoding.
    pub(super) parcel: Option<u32>,
    /// Models that its main thread can pass on.
    pub(super) held: HashMap<u32, Arc<Model>>,
    models: HashMap<u32, Arc<Model>>,
    landscapes: HashMap<u32, Arc<Landscape>>,
    waiting: Vec<Task>,
    current: Option<(u32, u32)>,
    engine: Option<(u32, Vec<Element>)>,
}

/// A task that a computing thread does now.
pub(super) struct Started {
    pub(super) computed: Computed,
    /// Seconds of its points, without what came before the first.
    pub(super) points: f64,
}

impl Worker {
    /// The next task, if there is one that can be done.
    pub(super) fn next(&mut self, prices: &Prices) -> Option<Started> {
        while let Some(order) = self.queue.pop_front() {
            match order {
                Order::Model(number, model) => {
                    self.models.insert(number, model);
                    let (ready, waiting): (Vec<Task>, _) =
                        std::mem::take(&mut self.waiting).into_iter().partition(|t| t.model == number);
                    self.waiting = waiting;
                    ready.into_iter().rev().for_each(|t| self.queue.push_front(Order::Task(t)));
                }
                Order::Landscape(number, landscape) => {
                    self.landscapes.insert(number, landscape);
                }
                Order::Task(task) if self.models.contains_key(&task.model) => {
                    return Some(self.start(&task, prices));
                }
                Order::Task(task) => self.waiting.push(task),
                Order::Forget { models, landscapes } => {
                    self.models.retain(|number, _| !models.contains(number));
                    self.landscapes.retain(|number, _| !landscapes.contains(number));
                    self.current.take_if(|(m, l)| models.contains(m) || landscapes.contains(l));
                    self.engine.take_if(|(m, _)| models.contains(m));
                }
                Order::TryGpu(_) | Order::Seat(_) | Order::PassOn { .. } => {}
                Order::Stop | Order::Quit | Order::Alive => {}
            }
        }
        None
    }

    fn start(&mut self, task: &Task, prices: &Prices) -> Started {
        let landscape = &self.landscapes[&task.landscape];
        let price = prices.of(&self.models[&task.model], landscape);
        let elements = landscape.elements();
        let (mut preparation, mut first_call) = (0.0, 0.0);
        if self.engine.as_ref().is_none_or(|(m, e)| (*m, e) != (task.model, &elements)) {
            self.engine = Some((task.model, elements));
            preparation += price.engine;
        }
        if self.current != Some((task.model, task.landscape)) {
            self.current = Some((task.model, task.landscape));
            preparation += price.scene;
            first_call = price.first_call;
        }
        if task.reference {
            preparation += price.scene + price.first_call + price.point;
        }
        let points = price.point * task.points.len() as f64;
        // The energy tells which point it is.
        let result = |index: u32| PointResult {
            energy: f64::from(index),
            distance_cost: 0.0,
            minimum_distance: 1.0,
            status: Status::Done,
        };
        let computed = Computed {
            task: task.number,
            results: task.points.iter().map(|p| result(p.0)).collect(),
            seconds: first_call + points,
            preparation,
            reference: task.reference.then_some(0.0),
        };
        Started { computed, points }
    }
}
