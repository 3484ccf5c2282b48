//! What is open -> the next task of a rank.
//!
//! Ranks stay with a surface, so that scene and engine are prepared once. A rank without one takes the largest surface
//! that nobody works on, of the same engine if there is one; when all are taken, it helps where most time is left, unless
//! that is known to be less than preparing takes. A task has a part of the time that is left for all, so tasks begin large and get
//! small towards the end. All times are measured: seconds a point of a surface, or of its engine before that.

/// What is open of one surface.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// Surfaces with the same number need the same engine.
    pub(super) engine: usize,
    /// Guess of a point's cost relative to points of other surfaces with the same engine.
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
/// A task has this part of the time that is left for each rank.
const SHARE: f64 = 0.25;
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
    /// Ranks that have had a task of it.
    ranks: Vec<usize>,
    /// Seconds a point: of all tasks, and without the first one of each rank, which prepares things, too.
    first: Mean,
    later: Mean,
}

#[derive(Clone, Debug)]
struct Rank {
    /// The last surface and its engine.
    surface: Option<usize>,
    engine: Option<usize>,
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

/// Times that surfaces of an engine have taken.
#[derive(Clone, Copy, Debug, Default)]
struct Experience {
    /// Seconds a point and unit of weight.
    pace: Mean,
    /// Seconds to prepare scene and engine.
    preparation: Mean,
}

/// What is open, and who works on what.
#[derive(Debug)]
pub(super) struct Schedule {
    surfaces: Vec<Surface>,
    ranks: Vec<Rank>,
    engines: Vec<Experience>,
    all: Experience,
}

impl Schedule {
    /// `threads` has an entry for each rank.
    pub(super) fn new(loads: Vec<Load>, threads: &[usize]) -> Schedule {
        let engines = loads.iter().map(|l| l.engine + 1).max().unwrap_or(0);
        let surface = |load: Load| Surface {
            left: load.tiles.iter().map(|(_, points)| points).sum(),
            load,
            next: (0, 0),
            out: 0,
            ranks: Vec::new(),
            first: Mean::default(),
            later: Mean::default(),
        };
        Schedule {
            surfaces: loads.into_iter().map(surface).collect(),
            ranks: threads.iter().map(|t| Rank { surface: None, engine: None, threads: *t }).collect(),
            engines: vec![Experience::default(); engines],
            all: Experience::default(),
        }
    }

    /// The next task of a rank.
    pub(super) fn next(&mut self, rank: usize) -> Option<Cut> {
        let surface = self.choose(rank)?;
        let points = self.task_points(rank, surface);
        let chosen = &mut self.surfaces[surface];
        self.ranks[rank].surface = Some(surface);
        self.ranks[rank].engine = Some(chosen.load.engine);
        let is_first = !chosen.ranks.contains(&rank);
        if is_first {
            chosen.ranks.push(rank);
        }
        Some(Cut { surface, parts: chosen.cut(points), is_first })
    }

    /// A task of a rank is back.
    pub(super) fn done(&mut self, surface: usize, points: usize, times: Times) {
        let this = &mut self.surfaces[surface];
        this.out -= points;
        let pace = if times.is_first { &mut this.first } else { &mut this.later };
        pace.add(times.seconds, points as f64);
        let weighted = points as f64 * this.load.weight;
        for experience in [&mut self.engines[this.load.engine], &mut self.all] {
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
        self.surfaces[surface].left = 0;
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
        let weighted = |e: &Experience| e.pace.get().map(|pace| pace * surface.load.weight);
        let own = surface.later.get().or(surface.first.get());
        own.or_else(|| weighted(&self.engines[surface.load.engine])).or_else(|| weighted(&self.all))
    }

    fn preparation(&self, surface: usize) -> f64 {
        let engine = &self.engines[self.surfaces[surface].load.engine];
        engine.preparation.get().or(self.all.preparation.get()).unwrap_or(0.0)
    }

    /// What a rank should work on.
    fn choose(&self, rank: usize) -> Option<usize> {
        let is_open = |s: &usize| self.surfaces[*s].left > 0;
        if let Some(surface) = self.ranks[rank].surface.filter(is_open) {
            return Some(surface);
        }
        let size =
            |s: usize| self.surfaces[s].left as f64 * self.pace(s).unwrap_or(self.surfaces[s].load.weight);
        let largest = |candidates: &mut dyn Iterator<Item = usize>| {
            candidates.max_by(|a, b| size(*a).total_cmp(&size(*b)).then(b.cmp(a)))
        };
        let untouched =
            || (0..self.surfaces.len()).filter(is_open).filter(|s| self.surfaces[*s].ranks.is_empty());
        let engine = self.ranks[rank].engine;
        let same = largest(&mut untouched().filter(|s| Some(self.surfaces[*s].load.engine) == engine));
        same.or_else(|| self.of_fullest_engine(untouched())).or_else(|| self.to_help(rank))
    }

    /// The largest surface of the engine that has most to do for each of its ranks.
    fn of_fullest_engine(&self, untouched: impl Iterator<Item = usize>) -> Option<usize> {
        let mut open = vec![(0.0, None::<usize>, 0.0); self.engines.len()];
        for s in untouched {
            let size = self.surfaces[s].left as f64 * self.pace(s).unwrap_or(self.surfaces[s].load.weight);
            let (sum, best, largest) = &mut open[self.surfaces[s].load.engine];
            *sum += size;
            if best.is_none() || size > *largest {
                (*best, *largest) = (Some(s), size);
            }
        }
        let mut ranks = vec![1.0; self.engines.len()];
        let working = self.ranks.iter().filter_map(|r| r.surface);
        working.for_each(|s| ranks[self.surfaces[s].load.engine] += 1.0);
        let engines = (0..open.len()).filter(|e| open[*e].1.is_some());
        let fullest = engines
            .max_by(|a, b| (open[*a].0 / ranks[*a]).total_cmp(&(open[*b].0 / ranks[*b])).then(b.cmp(a)));
        fullest.and_then(|e| open[e].1)
    }

    /// The surface with most time left for each of its ranks, if that is worth preparing for.
    fn to_help(&self, rank: usize) -> Option<usize> {
        let mut working = vec![0_usize; self.surfaces.len()];
        self.ranks.iter().filter_map(|r| r.surface).for_each(|s| working[s] += 1);
        let each = |s: usize| self.seconds(s, self.surfaces[s].left) / (working[s] + 1) as f64;
        let pays = |s: &usize| {
            let is_deserted = working[*s] == 0 || self.pace(*s).is_none();
            is_deserted || self.surfaces[*s].ranks.contains(&rank) || each(*s) > self.preparation(*s)
        };
        let open = (0..self.surfaces.len()).filter(|s| self.surfaces[*s].left > 0).filter(pays);
        open.max_by(|a, b| each(*a).total_cmp(&each(*b)).then(b.cmp(a)))
    }

    /// How many points a rank's next task should have.
    fn task_points(&self, rank: usize, surface: usize) -> usize {
        let grain = BLOCK * self.ranks[rank].threads;
        let Some(pace) = self.pace(surface) else { return PROBE * grain };
        let (shortest, longest) = TASK_SECONDS;
        let left: f64 = (0..self.surfaces.len()).map(|s| self.seconds(s, self.surfaces[s].left)).sum();
        let seconds = match self.ranks.len() {
            1 => longest,
            ranks => (SHARE * left / ranks as f64).clamp(shortest, longest),
        };
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
        Load { engine, weight: 1.0, tiles: (0..tiles).map(|t| (t, points)).collect() }
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
        assert!(sizes[3] > 400 && sizes[sizes.len() - 2] < 40, "{sizes:?}");
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
        schedule.engines[0].preparation = Mean { sum: 0.01, count: 1.0 };
        assert!(schedule.next(1).is_some());
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
