//! The thread of a rank that runs engines.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use rayon::ThreadPool;

use super::{Answer, ClusterError, Computed, Order, Task};
use crate::crystal::Element;
use crate::engine::{Engine, Place, PointResult, Scene};
use crate::landscape::{Landscape, Point};
use crate::work::Model;

/// The thread, as its rank's main thread sees it.
pub(super) struct Compute {
    /// Until it is told to end.
    orders: Option<Sender<Order>>,
    answers: Receiver<Answer>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Compute {
    /// Starts the thread, which computes on a device, with so many threads of its own.
    pub(super) fn start(threads: usize, place: Place) -> Result<Compute, ClusterError> {
        let fail =
            |e: &dyn std::fmt::Display| ClusterError::Transport(format!("no threads can be started ({e})"));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|e| fail(&e))?;
        let (orders, inbox) = channel();
        let (outbox, answers) = channel();
        let stopping = Arc::new(AtomicBool::new(false));
        let mut desk = Desk::new(pool, place, outbox, stopping.clone());
        let body = move || {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| desk.work(&inbox))) {
                desk.answer(Answer::Panicked(words(&panic)));
            }
        };
        let thread = std::thread::Builder::new().name("compute".into()).spawn(body).map_err(|e| fail(&e))?;
        Ok(Compute { orders: Some(orders), answers, stopping, thread: Some(thread) })
    }

    /// Hands an order to the thread; a stop reaches it while it computes.
    pub(super) fn order(&self, order: Order) {
        if matches!(order, Order::Stop) {
            self.stopping.store(true, Ordering::Relaxed);
        }
        // A thread that has panicked says so by an answer.
        let _ = self.orders.as_ref().map(|orders| orders.send(order));
    }

    /// What it has to say, if anything.
    pub(super) fn answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }
}

/// The thread ends first: a driver must not be used any more when the process ends.
impl Drop for Compute {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.orders = None;
        // Whether it has panicked has been said.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Last words of a panic.
fn words(panic: &Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

/// A surface that tasks are being computed of.
struct Current {
    model: u32,
    landscape: u32,
    scene: Arc<Scene>,
}

/// An engine and what it was made for.
struct Prepared {
    model: u32,
    elements: Vec<Element>,
    engine: Box<dyn Engine>,
}

/// What the thread knows.
struct Desk {
    pool: ThreadPool,
    place: Place,
    outbox: Sender<Answer>,
    stopping: Arc<AtomicBool>,
    models: HashMap<u32, Arc<Model>>,
    landscapes: HashMap<u32, Arc<Landscape>>,
    /// Tasks whose model has not arrived.
    waiting: Vec<Task>,
    /// The last ones, since the next task often needs the same.
    current: Option<Current>,
    engine: Option<Prepared>,
}

impl Desk {
    fn new(pool: ThreadPool, place: Place, outbox: Sender<Answer>, stopping: Arc<AtomicBool>) -> Desk {
        Desk {
            pool,
            place,
            outbox,
            stopping,
            models: HashMap::new(),
            landscapes: HashMap::new(),
            waiting: Vec::new(),
            current: None,
            engine: None,
        }
    }

    fn answer(&self, answer: Answer) {
        // If the main thread has left, nobody needs it.
        let _ = self.outbox.send(answer);
    }

    fn work(&mut self, inbox: &Receiver<Order>) {
        while let Ok(order) = inbox.recv() {
            match order {
                Order::Model(number, model) => {
                    self.models.insert(number, model);
                    let (ready, waiting) =
                        std::mem::take(&mut self.waiting).into_iter().partition(|t: &Task| t.model == number);
                    self.waiting = waiting;
                    ready.iter().for_each(|task| self.do_task(task));
                }
                Order::Landscape(number, landscape) => {
                    self.landscapes.insert(number, landscape);
                }
                Order::Task(task) if self.models.contains_key(&task.model) => self.do_task(&task),
                Order::Task(task) => self.waiting.push(task),
                Order::Forget { models, landscapes } => self.forget(&models, &landscapes),
                Order::Stop => {
                    let waiting = std::mem::take(&mut self.waiting);
                    waiting.iter().for_each(|task| self.do_task(task));
                }
                Order::Quit => return,
                Order::TryGpu(_) | Order::Seat(_) | Order::PassOn { .. } | Order::Alive => {}
            }
        }
    }

    fn forget(&mut self, models: &[u32], landscapes: &[u32]) {
        self.models.retain(|number, _| !models.contains(number));
        self.landscapes.retain(|number, _| !landscapes.contains(number));
        self.current.take_if(|c| models.contains(&c.model) || landscapes.contains(&c.landscape));
        self.engine.take_if(|e| models.contains(&e.model));
    }

    fn do_task(&mut self, task: &Task) {
        let answer = match self.stopping.load(Ordering::Relaxed) {
            true => Answer::Dropped(task.number),
            false => match self.compute(task) {
                Ok(computed) => Answer::Computed(computed),
                // On a device that has failed every other task would fail, too.
                Err(why) => match self.place.failure() {
                    Some(failure) => Answer::DeviceFailed(failure.to_string()),
                    None => Answer::Failed { task: task.number, why },
                },
            },
        };
        self.answer(answer);
    }

    fn compute(&mut self, task: &Task) -> Result<Computed, String> {
        fault::inject(task.number)?;
        let began = Instant::now();
        let (Some(model), Some(landscape)) =
            (self.models.get(&task.model), self.landscapes.get(&task.landscape))
        else {
            return Err("the task came without its landscape; please report this".into());
        };
        let (model, landscape) = (model.clone(), landscape.clone());
        let scene = self.scene(task, &model, &landscape)?;
        let Desk { pool, place, engine, stopping, .. } = self;
        let engine = prepared((engine, place), task.model, &model, &landscape)?;
        let reference = match task.reference {
            true => Some(pool.install(|| reference(engine, &model, &landscape))?),
            false => None,
        };
        let preparation = began.elapsed().as_secs_f64();
        let began = Instant::now();
        let results = pool.install(|| evaluate(engine, &scene, &task.points, stopping))?;
        let seconds = began.elapsed().as_secs_f64();
        Ok(Computed { task: task.number, results, seconds, preparation, reference })
    }

    fn scene(
        &mut self,
        task: &Task,
        model: &Model,
        landscape: &Arc<Landscape>,
    ) -> Result<Arc<Scene>, String> {
        let fits = |c: &&Current| (c.model, c.landscape) == (task.model, task.landscape);
        if let Some(current) = self.current.as_ref().filter(fits) {
            return Ok(current.scene.clone());
        }
        let scene = Scene::new(landscape.clone(), &model.potential).map_err(|e| e.to_string())?;
        let scene = Arc::new(scene);
        self.current = Some(Current { model: task.model, landscape: task.landscape, scene: scene.clone() });
        Ok(scene)
    }
}

/// An engine for a model and the elements of a landscape: the last one if it fits, or one for a place.
fn prepared<'e>(
    (last, place): (&'e mut Option<Prepared>, &Place),
    number: u32,
    model: &Model,
    landscape: &Landscape,
) -> Result<&'e mut dyn Engine, String> {
    let elements = landscape.elements();
    let fits = |e: &Prepared| e.model == number && e.elements == elements;
    let prepared = match last.take().filter(fits) {
        Some(prepared) => prepared,
        None => {
            let engine = model.engine(&elements, place).map_err(|e| e.to_string())?;
            log::debug!("model {}: {} on {}", model.name, model.potential.source, engine.describe());
            Prepared { model: number, elements, engine }
        }
    };
    Ok(last.insert(prepared).engine.as_mut())
}

/// Evaluates points in calls that keep the device busy, and keep no more of what points share than they must. A stop
/// leaves out what follows the current call.
fn evaluate(
    engine: &mut dyn Engine,
    scene: &Arc<Scene>,
    points: &[Point],
    stopping: &AtomicBool,
) -> Result<Vec<PointResult>, String> {
    let calls = points.chunks(engine.call().max(1)).take_while(|_| !stopping.load(Ordering::Relaxed));
    let results: Result<Vec<_>, _> = calls.map(|points| engine.evaluate(scene, points)).collect();
    results.map(|results| results.concat()).map_err(|e| e.to_string())
}

/// Energy of the input structure in eV per atom.
fn reference(engine: &mut dyn Engine, model: &Model, landscape: &Landscape) -> Result<f64, String> {
    let (crystal, thresholds) = (landscape.crystal.clone(), landscape.thresholds.clone());
    let single = Arc::new(Landscape::single_point(crystal, thresholds));
    let scene = Arc::new(Scene::new(single, &model.potential).map_err(|e| e.to_string())?);
    let results = engine.evaluate(&scene, &[Point(0)]).map_err(|e| e.to_string())?;
    Ok(results.first().map_or(f64::NAN, |r| r.energy))
}

/// Faults on purpose, for tests of what follows; compiled in with debug assertions only.
mod fault {
    /// `S2DPES_FAULT=panic:7` panics in task 7, `S2DPES_FAULT=fail:7` fails it.
    #[cfg(debug_assertions)]
    pub(super) fn inject(task: u32) -> Result<(), String> {
        let fault = std::env::var("S2DPES_FAULT").unwrap_or_default();
        match fault.split_once(':') {
            Some((kind, number)) if number.parse() == Ok(task) => {
                assert!(kind != "panic", "asked to panic in task {task}");
                Err(format!("asked to fail in task {task}"))
            }
            _ => Ok(()),
        }
    }

    #[cfg(not(debug_assertions))]
    pub(super) fn inject(_: u32) -> Result<(), String> {
        Ok(())
    }
}
