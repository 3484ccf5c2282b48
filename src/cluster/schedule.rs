//! What is open -> the next task of a rank.
//!
//! Ranks stay with a surface, so that scene and engine are prepared once, and with a model, so that few ranks need it. A
//! rank without a surface takes the largest one that nobody works on: of the same engine if there is one, of the same
//! model, of the model that has most to do for each of its ranks. When all are taken, it helps where most time is left,
//! unless that is known to be less than preparing takes. A task has a part of the time that is left for all, so tasks
//! begin large and get small towards the end. All times are measured: seconds a point of a surface, or of its model before
//! that.

use std::collections::HashSet;

/// What is open of one surface.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// Number of its model.
    pub(super) model: usize,
    /// Surfaces with the same number need the same engine.
    pub(super) engine: usize,
    /// Guess of a point's cost relative to points of other surfaces with the same model.
    pub(super) weight: f64,
    /// Open tiles and how many points they have.
    pub(super) tiles: Vec<(usize, usize)>,
}

/// Points `from..to` of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) tile: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Shortest and longest time that a task should take, in seconds: shorter ones cost more than they balance, longer ones
/// delay a stop.
const TASK_SECONDS: (f64, f64) = (0.02, 1.0);
/// Rank 0 should not have to hand out a task more often than this, in seconds.
const INTERVAL: f64 = 25e-6;
/// A task has this part of the time that is left for each rank.
const SHARE: f64 = 0.25;
/// A task has only this part of the time if it may take several times as long as expected: those of surfaces whose points
/// nobody has timed yet, and those of rank 0, whose computing waits while it gathers results.
const TRIAL: f64 = 0.25;
/// Points that an engine evaluates together on one thread.
const BLOCK: usize = 16;
/// Blocks of each thread in the first task of a surface whose points nobody has timed.
const PROBE: usize = 2;

/// Sum of values and of what they are divided by.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, sum: f64, count: f64) {
        self.sum += sum;
        self.count += count;
    }

    fn get(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

#[derive(Debug)]
struct Surface {
    load: Load,
    /// First tile, and first point of it, that has not been handed out.
    next: (usize, usize),
    /// Points that have not been handed out.
    left: usize,
    /// Points that have been handed out and are not back.
    out: usize,
    /// Ranks that have had a task of it, and how many of them have had none of another one since.
    ranks: HashSet<usize>,
    working: usize,
    /// Seconds a point: of all tasks, and without the first one of each rank, which prepares things, too.
    first: Mean,
    later: Mean,
}

#[derive(Clone, Debug)]
struct Rank {
    /// The last surface.
    surface: Option<usize>,
    /// Models that it has worked with.
    models: HashSet<usize>,
    threads: usize,
}

/// A task: parts of the tiles of a surface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) surface: usize,
    pub(super) parts: Vec<Part>,
    /// Whether it is the rank's first task of the surface.
    pub(super) is_first: bool,
}

/// Times that surfaces of a model have taken.
#[derive(Clone, Copy, Debug, Default)]
struct Experience {
    /// Seconds a point and unit of weight.
    pace: Mean,
    /// Seconds to prepare scene and engine.
    preparation: Mean,
}

/// Surfaces of an engine.
#[derive(Clone, Debug, Default)]
struct Engine {
    /// Those that nobody has worked on, the largest one last, and their points times weight.
    untouched: Vec<usize>,
    left: f64,
    /// Ranks whose last surface is one of them.
    ranks: usize,
}

/// Surfaces of a model.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Engines with surfaces that nobody has worked on.
    engines: Vec<usize>,
    /// Points times weight that have not been handed out: of all, and of those that nobody has worked on.
    left: f64,
    left_untouched: f64,
    /// Ranks whose last surface is one of them.
    ranks: usize,
    times: Experience,
}

/// What is open, and who works on what.
#[derive(Debug)]
pub(super) struct Schedule {
    surfaces: Vec<Surface>,
    ranks: Vec<Rank>,
    models: Vec<Group>,
    engines: Vec<Engine>,
    /// Surfaces that somebody has worked on and that are not all handed out.
    begun: Vec<usize>,
    all: Experience,
}

impl Schedule {
    /// `threads` has an entry for each rank.
    pub(super) fn new(loads: Vec<Load>, threads: &[usize]) -> Schedule {
        let count = |number: fn(&Load) -> usize| loads.iter().map(|l| number(l) + 1).max().unwrap_or(0);
        let mut models = vec![Group::default(); count(|l| l.model)];
        let mut engines = vec![Engine::default(); count(|l| l.engine)];
        let surfaces: Vec<Surface> = loads.into_iter().map(Surface::new).collect();
        let mut order: Vec<usize> = (0..surfaces.len()).collect();
        order.sort_by(|a, b| surfaces[*a].size().total_cmp(&surfaces[*b].size()).then(b.cmp(a)));
        for s in order {
            let (load, size) = (&surfaces[s].load, surfaces[s].size());
            let (engine, model) = (&mut engines[load.engine], &mut models[load.model]);
            if engine.untouched.is_empty() {
                model.engines.push(load.engine);
            }
            engine.untouched.push(s);
            engine.left += size;
            model.left += size;
            model.left_untouched += size;
        }
        Schedule {
            surfaces,
            ranks: threads
                .iter()
                .map(|t| Rank { surface: None, models: HashSet::new(), threads: *t })
                .collect(),
            models,
            engines,
            begun: Vec::new(),
            all: Experience::default(),
        }
    }

    /// The next task of a rank.
    pub(super) fn next(&mut self, rank: usize) -> Option<Cut> {
        let surface = self.choose(rank)?;
        let points = self.task_points(rank, surface);
        self.assign(rank, surface);
        let chosen = &mut self.surfaces[surface];
        let before = chosen.size();
        let is_first = chosen.ranks.insert(rank);
        let parts = chosen.cut(points);
        self.models[chosen.load.model].left -= before - chosen.size();
        if chosen.left == 0 {
            self.begun.retain(|s| *s != surface);
        }
        Some(Cut { surface, parts, is_first })
    }

    /// A rank works on a surface from now on.
    fn assign(&mut self, rank: usize, surface: usize) {
        let last = self.ranks[rank].surface.replace(surface);
        if last == Some(surface) {
            return;
        }
        if let Some(last) = last {
            let last = &mut self.surfaces[last];
            last.working -= 1;
            self.models[last.load.model].ranks -= 1;
            self.engines[last.load.engine].ranks -= 1;
        }
        let chosen = &mut self.surfaces[surface];
        let (model, engine) = (&mut self.models[chosen.load.model], &mut self.engines[chosen.load.engine]);
        self.ranks[rank].models.insert(chosen.load.model);
        chosen.working += 1;
        model.ranks += 1;
        engine.ranks += 1;
        if chosen.ranks.is_empty() {
            self.begun.push(surface);
            engine.untouched.retain(|s| *s != surface);
            engine.left -= chosen.size();
            model.left_untouched -= chosen.size();
            if engine.untouched.is_empty() {
                model.engines.retain(|e| *e != chosen.load.engine);
            }
        }
    }

    /// A task of a rank is back.
    pub(super) fn done(&mut self, surface: usize, points: usize, times: Times) {
        let this = &mut self.surfaces[surface];
        this.out -= points;
        let pace = if times.is_first { &mut this.first } else { &mut this.later };
        pace.add(times.seconds, points as f64);
        let weighted = points as f64 * this.load.weight;
        for experience in [&mut self.models[this.load.model].times, &mut self.all] {
            experience.pace.add(times.seconds, weighted);
            if times.is_first {
                experience.preparation.add(times.preparation, 1.0);
            }
        }
    }

    /// A task is back without results.
    pub(super) fn lost(&mut self, surface: usize, points: usize) {
        self.surfaces[surface].out -= points;
    }

    /// A surface cannot be computed: nothing more of it is handed out.
    pub(super) fn give_up(&mut self, surface: usize) {
        let this = &mut self.surfaces[surface];
        self.models[this.load.model].left -= this.size();
        this.left = 0;
        self.begun.retain(|s| *s != surface);
    }

    /// Whether all that will come of a surface has come.
    pub(super) fn is_finished(&self, surface: usize) -> bool {
        self.surfaces[surface].left == 0 && self.surfaces[surface].out == 0
    }

    /// Seconds of one rank's work that are left, as far as times are known.
    pub(super) fn seconds_left(&self) -> f64 {
        (0..self.surfaces.len()).map(|s| self.seconds(s, self.surfaces[s].left + self.surfaces[s].out)).sum()
    }

    /// Estimated seconds of some points; 0 if nothing is known.
    fn seconds(&self, surface: usize, points: usize) -> f64 {
        points as f64 * self.pace(surface).unwrap_or(0.0)
    }

    /// Seconds a point.
    fn pace(&self, surface: usize) -> Option<f64> {
        let surface = &self.surfaces[surface];
        surface
            .own_pace()
            .or_else(|| self.pace_of_model(surface.load.model).map(|pace| pace * surface.load.weight))
    }

    /// Seconds a point and unit of weight.
    fn pace_of_model(&self, model: usize) -> Option<f64> {
        self.models[model].times.pace.get().or(self.all.pace.get())
    }

    fn preparation(&self, surface: usize) -> f64 {
        let model = &self.models[self.surfaces[surface].load.model];
        model.times.preparation.get().or(self.all.preparation.get()).unwrap_or(0.0)
    }

    /// What a rank should work on.
    fn choose(&self, rank: usize) -> Option<usize> {
        let last = self.ranks[rank].surface;
        if last.is_some_and(|s| self.surfaces[s].left > 0) {
            return last;
        }
        let near = last.and_then(|s| {
            let Load { engine, model, .. } = self.surfaces[s].load;
            self.engines[engine].untouched.last().copied().or_else(|| self.of_fullest_engine(model))
        });
        near.or_else(|| self.of_fullest_engine(self.fullest_model()?)).or_else(|| self.to_help(rank))
    }

    /// The largest untouched surface of a model's engine that has most of them for each of its ranks.
    fn of_fullest_engine(&self, model: usize) -> Option<usize> {
        let each = |e: usize| self.engines[e].left / (self.engines[e].ranks + 1) as f64;
        let open = self.models[model].engines.iter().copied();
        let fullest = open.max_by(|a, b| each(*a).total_cmp(&each(*b)).then(b.cmp(a)));
        fullest.and_then(|e| self.engines[e].untouched.last().copied())
    }

    /// The model that has most untouched surfaces for each of its ranks.
    fn fullest_model(&self) -> Option<usize> {
        let each = |m: usize| {
            let Group { left_untouched, ranks, .. } = self.models[m];
            left_untouched * self.pace_of_model(m).unwrap_or(1.0) / (ranks + 1) as f64
        };
        let open = (0..self.models.len()).filter(|m| !self.models[*m].engines.is_empty());
        open.max_by(|a, b| each(*a).total_cmp(&each(*b)).then(b.cmp(a)))
    }

    /// The surface with most time left for each of its ranks, if that is worth preparing for.
    fn to_help(&self, rank: usize) -> Option<usize> {
        let each = |s: usize| {
            let Surface { left, working, load, .. } = &self.surfaces[s];
            *left as f64 * self.pace(s).unwrap_or(load.weight) / (working + 1) as f64
        };
        let pays = |s: &usize| {
            let is_deserted = self.surfaces[*s].working == 0 || self.pace(*s).is_none();
            is_deserted || self.surfaces[*s].ranks.contains(&rank) || each(*s) > self.preparation(*s)
        };
        let open = self.begun.iter().copied().filter(pays);
        let has_model = |s: usize| self.ranks[rank].models.contains(&self.surfaces[s].load.model);
        let key = |s: usize| (has_model(s), each(s));
        open.max_by(|a, b| {
            let ((p, x), (q, y)) = (key(*a), key(*b));
            p.cmp(&q).then(x.total_cmp(&y)).then(b.cmp(a))
        })
    }

    /// How many points a rank's next task should have.
    fn task_points(&self, rank: usize, surface: usize) -> usize {
        let grain = BLOCK * self.ranks[rank].threads;
        let model = &self.models[self.surfaces[surface].load.model];
        let is_known = model.times.pace.count > 0.0;
        // Other models tell too little.
        let Some(pace) = self.pace(surface).filter(|_| is_known) else { return PROBE * grain };
        let (shortest, longest) = TASK_SECONDS;
        let of_model = |m: usize| self.models[m].left * self.pace_of_model(m).unwrap_or(0.0);
        let left: f64 = (0..self.models.len()).map(of_model).sum();
        let seconds = match self.ranks.len() {
            1 => longest,
            ranks => (SHARE * left / ranks as f64).max(shortest).max(INTERVAL * ranks as f64).min(longest),
        };
        let is_timed = self.surfaces[surface].own_pace().is_some();
        let is_gathering = rank == 0 && self.ranks.len() > 1;
        let seconds = if is_timed && !is_gathering { seconds } else { TRIAL * seconds };
        ((seconds / pace.max(1e-12)) as usize).next_multiple_of(BLOCK).max(grain)
    }
}

/// How long a task took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Seconds of evaluating.
    pub(super) seconds: f64,
    /// Seconds of preparing.
    pub(super) preparation: f64,
    /// Whether it was the rank's first task of the surface.
    pub(super) is_first: bool,
}

impl Surface {
    fn new(load: Load) -> Surface {
        Surface {
            left: load.tiles.iter().map(|(_, points)| points).sum(),
            load,
            next: (0, 0),
            out: 0,
            ranks: HashSet::new(),
            working: 0,
            first: Mean::default(),
            later: Mean::default(),
        }
    }

    /// Seconds a point, if they are known.
    fn own_pace(&self) -> Option<f64> {
        self.later.get().or(self.first.get())
    }

    /// Points times weight that have not been handed out.
    fn size(&self) -> f64 {
        self.left as f64 * self.load.weight
    }

    /// Takes about so many points from what is left: whole tiles where the end of one is near.
    fn cut(&mut self, points: usize) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut wanted = points;
        while wanted > 0 && self.left > 0 {
            let (place, from) = self.next;
            let (tile, size) = self.load.tiles[place];
            let rest = size - from;
            let taken = if 4 * rest <= 5 * wanted { rest } else { wanted };
            parts.push(Part { tile, from, to: from + taken });
            self.next = if taken == rest { (place + 1, 0) } else { (place, from + taken) };
            self.left -= taken;
            self.out += taken;
            wanted = wanted.saturating_sub(taken);
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(engine: usize, tiles: usize, points: usize) -> Load {
        Load { model: engine, engine, weight: 1.0, tiles: (0..tiles).map(|t| (t, points)).collect() }
    }

    fn points(parts: &[Part]) -> usize {
        parts.iter().map(|p| p.to - p.from).sum()
    }

    fn times(seconds: f64) -> Times {
        Times { seconds, preparation: 0.0, is_first: false }
    }

    #[test]
    fn every_point_is_handed_out_once_and_tasks_get_smaller() {
        let mut schedule = Schedule::new(vec![load(0, 9, 1000)], &[1, 1, 1]);
        let mut seen = vec![false; 9000];
        let mut sizes = Vec::new();
        for turn in 0.. {
            let Some(Cut { surface, parts, .. }) = schedule.next(turn % 3) else { break };
            for part in &parts {
                (part.from..part.to).for_each(|p| {
                    assert!(!std::mem::replace(&mut seen[part.tile * 1000 + p], true));
                });
            }
            sizes.push(points(&parts));
            schedule.done(surface, points(&parts), times(1e-3 * points(&parts) as f64));
        }
        assert!(seen.iter().all(|s| *s) && schedule.is_finished(0));
        // Those of rank 0, here the fourth, are short.
        assert!(sizes[4] > 400 && sizes[3] < sizes[4] / 2 && sizes[sizes.len() - 2] < 40, "{sizes:?}");
    }

    #[test]
    fn a_single_rank_gets_whole_tiles() {
        let mut schedule = Schedule::new(vec![load(0, 4, 1000)], &[2]);
        let probe = schedule.next(0).unwrap().parts;
        schedule.done(0, points(&probe), times(1e-4 * points(&probe) as f64));
        let parts = schedule.next(0).unwrap().parts;
        assert_eq!(points(&parts) + points(&probe), 4000);
    }

    #[test]
    fn ranks_take_surfaces_of_their_own_and_stay_with_the_engine() {
        let loads = (0..6).map(|s| load(s / 3, 1, 64 + s)).collect();
        let mut schedule = Schedule::new(loads, &[8, 8]);
        let mut taken = vec![Vec::new(); 2];
        for turn in 0..6 {
            let Cut { surface, parts, .. } = schedule.next(turn % 2).unwrap();
            schedule.done(surface, points(&parts), times(1.0));
            taken[turn % 2].push(surface);
        }
        assert_eq!(taken, [vec![5, 4, 3], vec![2, 1, 0]]);
    }

    #[test]
    fn a_rank_helps_only_where_that_pays() {
        let mut schedule = Schedule::new(vec![load(0, 1, 1000)], &[1, 1]);
        let parts = schedule.next(0).unwrap().parts;
        let first = Times { seconds: 1e-3 * points(&parts) as f64, preparation: 100.0, is_first: true };
        schedule.done(0, points(&parts), first);
        assert_eq!(schedule.next(1), None);
        schedule.models[0].times.preparation = Mean { sum: 0.01, count: 1.0 };
        assert!(schedule.next(1).is_some());
    }

    #[test]
    fn any_number_of_ranks_gets_tasks() {
        let mut schedule = Schedule::new(vec![load(0, 1000, 1000)], &vec![1; 100_000]);
        let probe = schedule.next(0).unwrap().parts;
        schedule.done(0, points(&probe), times(1e-3 * points(&probe) as f64));
        // A second, in whole blocks.
        assert_eq!(points(&schedule.next(99_999).unwrap().parts), 1008);
    }

    #[test]
    fn what_is_given_up_is_finished_when_its_tasks_are_back() {
        let mut schedule = Schedule::new(vec![load(0, 2, 100)], &[1]);
        let parts = schedule.next(0).unwrap().parts;
        schedule.give_up(0);
        assert!(!schedule.is_finished(0) && schedule.next(0).is_none());
        schedule.lost(0, points(&parts));
        assert!(schedule.is_finished(0));
    }
}
