//! The main loop of rank 0: keeps every rank busy and gathers what comes back.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use super::copies::{Copies, Transfer};
use super::schedule::{Load, Part, Schedule, Times};
use super::{Answer, ClusterError, Computed, Message, Order, Stop, Task, Transport};
use crate::engine::PointResult;
use crate::landscape::{Landscape, Point};
use crate::work::{Model, SurfaceWork};

/// What is to be computed of one surface.
#[derive(Clone, Debug)]
pub struct Job<'w> {
    /// The surface.
    pub surface: &'w SurfaceWork,
    /// Its landscape.
    pub landscape: &'w Arc<Landscape>,
    /// Indices of its open tiles.
    pub open: Vec<usize>,
}

/// What happens while ranks compute. Surfaces are named by the index of their job.
#[derive(Clone, Debug)]
pub enum Event {
    /// A tile is complete.
    Tile {
        /// Index of the job.
        job: usize,
        /// Index of the tile.
        tile: usize,
        /// In the order of its points.
        results: Vec<PointResult>,
        /// Seconds of computing.
        seconds: f64,
    },
    /// Energy of the input structure, eV per atom.
    Reference {
        /// Index of the job.
        job: usize,
        /// The energy.
        energy: f64,
    },
    /// A surface cannot be computed; tiles of it may still come.
    Failed {
        /// Index of the job.
        job: usize,
        /// A sentence.
        why: String,
    },
    /// Nothing more will come of a surface.
    Finished(usize),
    /// Somebody asked for an end; what is being computed may still come.
    Stopping(String),
    /// About once a second.
    Tick(Pace),
}

/// How ranks get on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Number of ranks.
    pub ranks: usize,
    /// Those that have nothing to do.
    pub idle: usize,
    /// Estimated time to the end.
    pub left: Duration,
}

/// Tasks that a rank has at a time: one that it computes, one that waits.
const AHEAD: usize = 2;
/// Signals are looked for this often.
const PATIENCE: Duration = Duration::from_millis(100);
/// Between two ticks.
const TICK: Duration = Duration::from_secs(1);
/// What is being computed when a run stops has so long to come back.
const GRACE: Duration = Duration::from_secs(5);
/// Rank 0 is not expected to be away from its messages for longer.
const STANDSTILL: Duration = Duration::from_secs(10);
/// Between two signs of life to the other ranks.
const ALIVE: Duration = Duration::from_secs(30);
/// A rank with work that is silent for so long is gone; it says every few seconds that it is not.
const SILENCE: Duration = Duration::from_secs(120);

/// A rank, as rank 0 sees it.
#[derive(Clone, Debug, Default)]
struct Rank {
    /// Tasks that it has.
    tasks: usize,
    heard: Duration,
}

/// A task that is not back.
#[derive(Debug)]
struct Sent {
    rank: usize,
    job: usize,
    parts: Vec<Part>,
    is_first: bool,
}

/// Part of a tile's results.
#[derive(Debug)]
struct Partial {
    results: Vec<Option<PointResult>>,
    missing: usize,
    seconds: f64,
}

/// What a run is about: models and landscapes by the numbers that tasks name.
struct Catalogue<'w> {
    jobs: Vec<Job<'w>>,
    /// Model and landscape of each job.
    numbers: Vec<(usize, usize)>,
    models: Vec<Arc<Model>>,
    landscapes: Vec<Arc<Landscape>>,
    loads: Vec<Load>,
}

/// Numbers for keys, in the order in which they come.
struct Numbers<K>(HashMap<K, usize>);

impl<K: Eq + Hash> Numbers<K> {
    /// Number of a key, and whether it is a new one.
    fn of(&mut self, key: K) -> (usize, bool) {
        let next = self.0.len();
        let number = *self.0.entry(key).or_insert(next);
        (number, number == next)
    }
}

impl<'w> Catalogue<'w> {
    fn new(jobs: Vec<Job<'w>>) -> Self {
        let (mut models, mut landscapes) = (Vec::<Arc<Model>>::new(), Vec::<Arc<Landscape>>::new());
        let (mut numbers, mut loads) = (Vec::new(), Vec::new());
        let (mut of_model, mut of_landscape) = (Numbers(HashMap::new()), Numbers(HashMap::new()));
        let mut of_engine = Numbers(HashMap::new());
        for Job { surface, landscape, open } in &jobs {
            let (model, is_new) = of_model.of(Arc::as_ptr(&surface.model));
            if is_new {
                models.push(surface.model.clone());
            }
            let (place, is_new) = of_landscape.of(Arc::as_ptr(landscape));
            if is_new {
                landscapes.push((*landscape).clone());
            }
            let (engine, _) = of_engine.of((model, landscape.elements()));
            let tiles = open.iter().map(|t| (*t, surface.tiles[*t].points.len())).collect();
            numbers.push((model, place));
            loads.push(Load { model, engine, weight: landscape.crystal.orbits.len() as f64, tiles });
        }
        Catalogue { jobs, numbers, models, landscapes, loads }
    }
}

/// Hands out what is open and gathers it.
pub struct Coordinator<'w, T: Transport> {
    transport: T,
    stop: Stop,
    catalogue: Catalogue<'w>,
    schedule: Schedule,
    ranks: Vec<Rank>,
    /// Ranks with room for a task, an entry for each task.
    idle: VecDeque<usize>,
    copies: Vec<Copies>,
    /// Ranks that have each landscape.
    holders: Vec<HashSet<usize>>,
    /// Unfinished jobs of each model and of each landscape.
    model_jobs: Vec<usize>,
    landscape_jobs: Vec<usize>,
    jobs: Vec<JobState>,
    sent: HashMap<u32, Sent>,
    tasks: u32,
    partial: HashMap<(usize, usize), Partial>,
    stopping: Option<Duration>,
    tick: Duration,
    alive: Duration,
    events: VecDeque<Event>,
}

/// What has been done for a job.
#[derive(Clone, Copy, Debug, Default)]
struct JobState {
    failed: bool,
    finished: bool,
    /// Whether the energy of the input structure has been asked for.
    referenced: bool,
}

impl<'w, T: Transport> Coordinator<'w, T> {
    /// Prepares to hand out jobs to ranks with so many threads each.
    pub fn new(transport: T, threads: &[usize], jobs: Vec<Job<'w>>, stop: Stop) -> Self {
        let mut catalogue = Catalogue::new(jobs);
        let mut model_jobs = vec![0; catalogue.models.len()];
        let mut landscape_jobs = vec![0; catalogue.landscapes.len()];
        for (model, landscape) in &catalogue.numbers {
            model_jobs[*model] += 1;
            landscape_jobs[*landscape] += 1;
        }
        let size = transport.size();
        // Everybody gets a first task before anybody gets a second one.
        let idle = (0..AHEAD).flat_map(|_| 0..size).collect();
        Coordinator {
            transport,
            stop,
            schedule: Schedule::new(std::mem::take(&mut catalogue.loads), threads),
            ranks: vec![Rank::default(); size],
            idle,
            copies: catalogue.models.iter().map(|_| Copies::new()).collect(),
            holders: vec![HashSet::new(); catalogue.landscapes.len()],
            model_jobs,
            landscape_jobs,
            jobs: vec![JobState::default(); catalogue.jobs.len()],
            catalogue,
            sent: HashMap::new(),
            tasks: 0,
            partial: HashMap::new(),
            stopping: None,
            tick: Duration::ZERO,
            alive: Duration::ZERO,
            events: VecDeque::new(),
        }
    }

    /// What happens next; nothing after the end. A run that stops ends when what is being computed is back, or after
    /// a few seconds.
    pub fn next_event(&mut self) -> Result<Option<Event>, ClusterError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if let Some(signal) = self.stop.asked().filter(|_| self.stopping.is_none()) {
                self.begin_to_stop(signal.to_string())?;
            }
            self.hand_out()?;
            let now = self.transport.now();
            if self.sent.is_empty() && self.events.is_empty() {
                return Ok(None);
            }
            if now >= self.tick + TICK {
                self.check_lives(now)?;
                self.tick = now;
                self.events.push_back(Event::Tick(self.pace()));
            }
            // What has come is taken even when time is up.
            let is_late = self.stopping.is_some_and(|since| now > since + GRACE);
            match self.transport.receive(if is_late { Duration::ZERO } else { PATIENCE })? {
                Some((rank, Message::Answer(answer))) => self.take(rank, answer)?,
                Some((rank, Message::Order(_))) => {
                    return Err(ClusterError::Protocol { rank, what: "it gave an order".into() });
                }
                None if is_late => return Ok(None),
                None => {}
            }
        }
    }

    fn pace(&self) -> Pace {
        let left = self.schedule.seconds_left() / self.ranks.len() as f64;
        let idle = self.ranks.iter().filter(|r| r.tasks == 0).count();
        Pace {
            ranks: self.ranks.len(),
            idle,
            left: Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX),
        }
    }

    fn check_lives(&mut self, now: Duration) -> Result<(), ClusterError> {
        if now > self.tick + STANDSTILL {
            // This rank stood still, perhaps all did: nobody can have been heard.
            self.ranks.iter_mut().for_each(|rank| rank.heard = now);
        }
        if now > self.alive + ALIVE {
            self.alive = now;
            for rank in 1..self.ranks.len() {
                self.transport.send(rank, Message::Order(Order::Alive))?;
            }
        }
        let silent = |r: &&Rank| r.tasks > 0 && now > r.heard + SILENCE;
        match self.ranks.iter().skip(1).position(|r| silent(&r)) {
            Some(place) => Err(ClusterError::Lost { rank: place + 1, seconds: SILENCE.as_secs() }),
            None => Ok(()),
        }
    }

    fn begin_to_stop(&mut self, signal: String) -> Result<(), ClusterError> {
        self.stopping = Some(self.transport.now());
        for rank in (0..self.ranks.len()).filter(|r| self.ranks[*r].tasks > 0).collect::<Vec<_>>() {
            self.transport.send(rank, Message::Order(Order::Stop))?;
        }
        self.events.push_back(Event::Stopping(signal));
        Ok(())
    }

    /// Gives tasks to ranks that have room, until one finds nothing to do.
    fn hand_out(&mut self) -> Result<(), ClusterError> {
        while self.stopping.is_none() {
            let Some(rank) = self.idle.pop_front() else { return Ok(()) };
            let Some(cut) = self.schedule.next(rank) else {
                self.idle.push_back(rank);
                return Ok(());
            };
            let now = self.transport.now();
            let state = &mut self.ranks[rank];
            if state.tasks == 0 {
                state.heard = now;
            }
            state.tasks += 1;
            let (model, landscape) = self.catalogue.numbers[cut.surface];
            self.provide_model(model, rank)?;
            self.provide_landscape(landscape, rank)?;
            let job = &self.catalogue.jobs[cut.surface];
            let points_of = |p: &Part| &job.surface.tiles[p.tile].points[p.from..p.to];
            let points: Vec<Point> = cut.parts.iter().flat_map(points_of).copied().collect();
            let reference = !std::mem::replace(&mut self.jobs[cut.surface].referenced, true);
            let number = self.tasks;
            self.tasks += 1;
            let (model, landscape) = (model as u32, landscape as u32);
            let task = Task { number, model, landscape, reference, points };
            self.sent
                .insert(number, Sent { rank, job: cut.surface, parts: cut.parts, is_first: cut.is_first });
            self.transport.send(rank, Message::Order(Order::Task(task)))?;
        }
        Ok(())
    }

    fn provide_landscape(&mut self, landscape: usize, rank: usize) -> Result<(), ClusterError> {
        if !self.holders[landscape].insert(rank) {
            return Ok(());
        }
        let order = Order::Landscape(landscape as u32, self.catalogue.landscapes[landscape].clone());
        self.transport.send(rank, Message::Order(order))
    }

    fn provide_model(&mut self, model: usize, rank: usize) -> Result<(), ClusterError> {
        let transfers = self.copies[model].ask(rank);
        self.send_copies(model, &transfers)
    }

    fn send_copies(&mut self, model: usize, transfers: &[Transfer]) -> Result<(), ClusterError> {
        // A run that stops brings no more models: their receivers may be gone before the senders.
        for Transfer { from, to } in transfers.iter().filter(|_| self.stopping.is_none()) {
            let (sender, order) = match from {
                0 => (*to, Order::Model(model as u32, self.catalogue.models[model].clone())),
                _ => (*from, Order::PassOn { model: model as u32, to: *to as u32 }),
            };
            self.transport.send(sender, Message::Order(order))?;
        }
        Ok(())
    }

    fn take(&mut self, rank: usize, answer: Answer) -> Result<(), ClusterError> {
        self.ranks[rank].heard = self.transport.now();
        match answer {
            Answer::Alive | Answer::Here(_) | Answer::Tried(_) => {}
            Answer::Have(model) => {
                let transfers = self.copies.get_mut(model as usize).map_or(Vec::new(), |c| c.arrived(rank));
                self.send_copies(model as usize, &transfers)?;
            }
            Answer::StopAsked(signal) => {
                if self.stopping.is_none() {
                    self.begin_to_stop(signal)?;
                }
            }
            Answer::Panicked(message) => return Err(ClusterError::Panicked { rank, message }),
            Answer::DeviceFailed(why) => return Err(ClusterError::Device { rank, why }),
            Answer::Dropped(task) => {
                let sent = self.back(rank, task)?;
                self.schedule.lost(sent.job, points(&sent.parts));
            }
            Answer::Failed { task, why } => {
                let sent = self.back(rank, task)?;
                self.schedule.lost(sent.job, points(&sent.parts));
                self.schedule.give_up(sent.job);
                if !std::mem::replace(&mut self.jobs[sent.job].failed, true) {
                    self.events.push_back(Event::Failed { job: sent.job, why });
                }
                self.finish_if_done(sent.job)?;
            }
            Answer::Computed(computed) => self.gather(rank, computed)?,
        }
        Ok(())
    }

    /// A rank is done with a task.
    fn back(&mut self, rank: usize, task: u32) -> Result<Sent, ClusterError> {
        let unknown =
            || ClusterError::Protocol { rank, what: format!("it answered task {task}, which it has not") };
        let sent = self.sent.remove(&task).filter(|s| s.rank == rank).ok_or_else(unknown)?;
        self.ranks[rank].tasks -= 1;
        self.idle.push_front(rank);
        Ok(sent)
    }

    fn gather(&mut self, rank: usize, computed: Computed) -> Result<(), ClusterError> {
        let Computed { task, results, seconds, preparation, reference } = computed;
        let sent = self.back(rank, task)?;
        let (job, count) = (sent.job, points(&sent.parts));
        if results.len() > count || (results.len() < count && self.stopping.is_none()) {
            let what = format!("task {task} has {count} points, but {} results came", results.len());
            return Err(ClusterError::Protocol { rank, what });
        }
        self.schedule.done(job, count, Times { seconds, preparation, is_first: sent.is_first });
        if let Some(energy) = reference {
            self.events.push_back(Event::Reference { job, energy });
        }
        let each = seconds / results.len().max(1) as f64;
        let mut results = results.into_iter();
        for part in &sent.parts {
            let values: Vec<PointResult> = results.by_ref().take(part.to - part.from).collect();
            self.add(job, part, values, each);
        }
        self.finish_if_done(job)
    }

    /// Puts part of a tile to the others; each point took some seconds.
    fn add(&mut self, job: usize, part: &Part, values: Vec<PointResult>, seconds: f64) {
        let size = self.catalogue.jobs[job].surface.tiles[part.tile].points.len();
        let new = || Partial { results: vec![None; size], missing: size, seconds: 0.0 };
        let partial = self.partial.entry((job, part.tile)).or_insert_with(new);
        partial.missing -= values.len();
        partial.seconds += seconds * values.len() as f64;
        partial.results[part.from..part.to].iter_mut().zip(values).for_each(|(slot, v)| *slot = Some(v));
        if partial.missing == 0
            && let Some(Partial { results, seconds, .. }) = self.partial.remove(&(job, part.tile))
        {
            let results = results.into_iter().flatten().collect();
            self.events.push_back(Event::Tile { job, tile: part.tile, results, seconds });
        }
    }

    /// Says that a job is finished, and has what nobody needs any more forgotten.
    fn finish_if_done(&mut self, job: usize) -> Result<(), ClusterError> {
        if self.stopping.is_some() || !self.schedule.is_finished(job) || self.jobs[job].finished {
            return Ok(());
        }
        self.jobs[job].finished = true;
        if self.jobs[job].failed {
            self.partial.retain(|(j, _), _| *j != job);
        }
        self.events.push_back(Event::Finished(job));
        let (model, landscape) = self.catalogue.numbers[job];
        self.model_jobs[model] -= 1;
        self.landscape_jobs[landscape] -= 1;
        if self.landscape_jobs[landscape] == 0 {
            let mut holders: Vec<usize> = self.holders[landscape].drain().collect();
            holders.sort_unstable();
            for rank in holders {
                let order = Order::Forget { models: Vec::new(), landscapes: vec![landscape as u32] };
                self.transport.send(rank, Message::Order(order))?;
            }
        }
        if self.model_jobs[model] == 0 {
            for rank in self.copies[model].holders().collect::<Vec<_>>() {
                let order = Order::Forget { models: vec![model as u32], landscapes: Vec::new() };
                self.transport.send(rank, Message::Order(order))?;
            }
        }
        Ok(())
    }
}

fn points(parts: &[Part]) -> usize {
    parts.iter().map(|p| p.to - p.from).sum()
}
