//! The ranks in virtual time, and the transport that rank 0 sees.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use s2dpes::cluster::{Answer, ClusterError, Message, Order, Transport};
use s2dpes::work::Model;

use super::jobs::Prices;
use super::machine::Machine;
use super::worker::{Started, Worker};

/// What is counted.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Messages that rank 0 sent to or got from other ranks.
    pub messages: usize,
    pub bytes: f64,
    pub tasks: usize,
    /// Points that were evaluated, and the seconds that took.
    pub points: usize,
    pub point_seconds: f64,
    /// Seconds of all preparing, first calls included.
    pub preparation: f64,
    /// Copies of models that were sent.
    pub models: usize,
}

/// Something at a time; what was planned first comes first.
struct Planned {
    time: f64,
    sequence: u64,
    what: What,
}

enum What {
    /// An order reaches a rank.
    Order(usize, Order),
    /// A computing thread is done. `busy` is what rank 0 had spent when it began.
    Done { rank: usize, answer: Answer, busy: f64 },
    /// An answer reaches rank 0.
    Answer(usize, Answer),
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        other.time.total_cmp(&self.time).then(other.sequence.cmp(&self.sequence))
    }
}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Planned {}

/// All ranks.
pub struct World {
    machine: Machine,
    prices: Prices,
    /// Time of rank 0, and how much of it its main thread was busy.
    pub clock: f64,
    pub busy: f64,
    planned: BinaryHeap<Planned>,
    sequence: u64,
    workers: Vec<Worker>,
    /// What has reached rank 0.
    arrived: VecDeque<(usize, Answer)>,
    pub totals: Totals,
    /// Real time spent here.
    pub inside: Duration,
}

impl World {
    pub fn new(machine: Machine, prices: Prices, ranks: usize) -> World {
        World {
            machine,
            prices,
            clock: 0.0,
            busy: 0.0,
            planned: BinaryHeap::new(),
            sequence: 0,
            workers: (0..ranks).map(|_| Worker::default()).collect(),
            arrived: VecDeque::new(),
            totals: Totals::default(),
            inside: Duration::ZERO,
        }
    }

    /// Seconds that all ranks together waited for their first task, and after their last one.
    pub fn waited(&self) -> (f64, f64) {
        let before = self.workers.iter().map(|w| w.began.unwrap_or(self.clock)).sum();
        let after = self.workers.iter().filter(|w| w.began.is_some()).map(|w| self.clock - w.ended).sum();
        (before, after)
    }

    /// Rank 0's main thread is busy for some seconds.
    pub fn spend(&mut self, seconds: f64) {
        self.clock += seconds;
        self.busy += seconds;
    }

    fn plan(&mut self, time: f64, what: What) {
        self.sequence += 1;
        self.planned.push(Planned { time, sequence: self.sequence, what });
    }

    fn send(&mut self, to: usize, order: Order) {
        if to == 0 {
            return self.plan(self.clock, What::Order(0, order));
        }
        self.totals.messages += 1;
        if let Order::Model(number, model) = order {
            let encoding = self.encoding(0, (number, &model));
            self.spend(self.machine.message + encoding);
            return self.send_model(0, to, (number, model), self.clock);
        }
        let (bytes, seconds) = self.machine.order(&order);
        self.totals.bytes += bytes;
        self.spend(seconds);
        let arrival = self.clock + self.machine.latency + bytes / self.machine.bandwidth;
        self.plan(arrival, What::Order(to, order));
    }

    /// Seconds that a rank needs to encode a model.
    fn encoding(&mut self, rank: usize, (number, model): (u32, &Arc<Model>)) -> f64 {
        match self.workers[rank].parcel.replace(number) {
            Some(known) if known == number => 0.0,
            _ => self.prices.bytes(model) * self.machine.encode,
        }
    }

    /// A rank sends a model that it has encoded.
    fn send_model(&mut self, from: usize, to: usize, (number, model): (u32, Arc<Model>), time: f64) {
        let bytes = self.prices.bytes(&model);
        let link_free = &mut self.workers[from].link_free;
        *link_free = link_free.max(time) + bytes / self.machine.bandwidth;
        let arrival = *link_free + self.machine.latency + bytes * self.machine.decode;
        self.totals.models += 1;
        self.totals.bytes += bytes;
        self.plan(arrival, What::Order(to, Order::Model(number, model)));
    }

    fn receive(&mut self, patience: f64) -> Option<(usize, Answer)> {
        let until = self.clock + patience;
        loop {
            while self.planned.peek().is_some_and(|p| p.time <= self.clock) {
                self.happen();
            }
            if let Some((rank, answer)) = self.arrived.pop_front() {
                if rank > 0 {
                    let (bytes, seconds) = self.machine.answer(&answer);
                    self.totals.messages += 1;
                    self.totals.bytes += bytes;
                    self.spend(seconds);
                }
                return Some((rank, answer));
            }
            let Some(time) = self.planned.peek().map(|p| p.time).filter(|t| *t <= until) else {
                self.clock = until;
                return None;
            };
            self.happen();
            if !self.arrived.is_empty() {
                self.clock = time + self.machine.notice;
            }
        }
    }

    /// The next thing happens.
    fn happen(&mut self) {
        let Some(Planned { time, what, .. }) = self.planned.pop() else { return };
        match what {
            What::Answer(rank, answer) => self.arrived.push_back((rank, answer)),
            What::Order(rank, Order::PassOn { model, to }) => {
                let passed = self.workers[rank].held[&model].clone();
                let encoded = time + self.encoding(rank, (model, &passed));
                self.send_model(rank, to as usize, (model, passed), encoded);
            }
            What::Order(rank, order) => {
                if let Order::Model(number, model) = &order {
                    self.workers[rank].held.insert(*number, model.clone());
                    if rank > 0 {
                        self.workers[rank].parcel = Some(*number);
                        self.answer(rank, Answer::Have(*number), time);
                    }
                }
                self.workers[rank].queue.push_back(order);
                self.go_on(rank, time);
            }
            // The two threads of rank 0 share a CPU: what one of them took, the other one still needs.
            What::Done { rank: 0, answer, busy } if self.busy > busy => {
                let later = time + self.busy - busy;
                self.plan(later, What::Done { rank: 0, answer, busy: self.busy });
            }
            What::Done { rank, answer, .. } => {
                self.workers[rank].is_busy = false;
                self.workers[rank].ended = time;
                self.answer(rank, answer, time);
                self.go_on(rank, time);
            }
        }
    }

    /// A rank's computing thread goes on with what is waiting.
    fn go_on(&mut self, rank: usize, time: f64) {
        if self.workers[rank].is_busy {
            return;
        }
        let Some(Started { computed, points }) = self.workers[rank].next(&self.prices) else { return };
        self.workers[rank].is_busy = true;
        self.workers[rank].began.get_or_insert(time);
        let seconds = computed.seconds + computed.preparation;
        self.totals.tasks += 1;
        self.totals.points += computed.results.len();
        self.totals.point_seconds += points;
        self.totals.preparation += seconds - points;
        let answer = Answer::Computed(computed);
        self.plan(time + seconds, What::Done { rank, answer, busy: self.busy });
    }

    /// A rank answers rank 0.
    fn answer(&mut self, rank: usize, answer: Answer, time: f64) {
        let Machine { latency, bandwidth, pick_up, .. } = self.machine;
        let way = match (rank, &answer) {
            (0, _) => 0.0,
            // Said by the main thread.
            (_, Answer::Have(_)) => latency,
            _ => pick_up + latency + self.machine.answer(&answer).0 / bandwidth,
        };
        self.plan(time + way, What::Answer(rank, answer));
    }
}

/// Rank 0's end.
pub struct Simulated(pub Rc<RefCell<World>>);

impl Transport for Simulated {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        self.0.borrow().workers.len()
    }

    fn node(&self) -> usize {
        0
    }

    fn send(&mut self, to: usize, message: Message) -> Result<(), ClusterError> {
        let (began, mut world) = (Instant::now(), self.0.borrow_mut());
        if let Message::Order(order) = message {
            world.send(to, order);
        }
        world.inside += began.elapsed();
        Ok(())
    }

    fn receive(&mut self, patience: Duration) -> Result<Option<(usize, Message)>, ClusterError> {
        let (began, mut world) = (Instant::now(), self.0.borrow_mut());
        let received = world.receive(patience.as_secs_f64());
        world.inside += began.elapsed();
        Ok(received.map(|(rank, answer)| (rank, Message::Answer(answer))))
    }

    fn now(&self) -> Duration {
        Duration::from_secs_f64(self.0.borrow().clock)
    }
}
