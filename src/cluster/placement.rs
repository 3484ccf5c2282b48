//! Ranks -> machines, threads, GPUs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Presence;
use crate::engine::{EngineChoice, Gpu, Gpus, cpu};

/// What the user wants of a rank.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Threads that compute, 0 for no wish.
    pub threads: usize,
    /// What to compute on.
    pub engine: EngineChoice,
}

/// Where a rank computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seat {
    /// Name of the machine.
    pub host: String,
    /// Lowest rank on the same machine.
    pub node: u32,
    /// Place among the ranks of the machine, from 0.
    pub local_rank: u32,
    /// Threads that compute.
    pub threads: u32,
    /// The GPU among those that the rank sees: its place on the machine modulo their number.
    pub gpu: Option<u32>,
    /// That GPU, if the rank computes on it and not on its CPUs.
    pub device: Option<Gpu>,
}

impl Presence {
    /// What this process has to work with. `SLURM_CPUS_PER_TASK` is the batch system's wish.
    pub fn of_this_process(node: usize, Wish { threads, engine }: Wish) -> Presence {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpus = file("/proc/self/status")
            .lines()
            .find_map(|l| l.strip_prefix("Cpus_allowed_list:").map(str::trim).map(String::from));
        let host = variable("SLURMD_NODENAME")
            .unwrap_or_else(|| file("/proc/sys/kernel/hostname").trim().to_string());
        let number = |name: &str| variable(name).and_then(|n| n.trim().parse().ok()).unwrap_or(0);
        let cpu_count = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        let wish = number("SLURM_CPUS_PER_TASK");
        let gpus = match engine {
            EngineChoice::Cpu => Gpus::without("CPUs were asked for"),
            EngineChoice::Auto | EngineChoice::Cuda => Gpus::of_this_process(),
        };
        let should_see = variable("CUDA_VISIBLE_DEVICES").map_or(0, |list| visible_gpus(&list));
        Presence {
            host,
            node: node as u32,
            cpus: cpus.unwrap_or_default(),
            cpu_count,
            // What sbatch was asked for need not be what srun binds to.
            threads: if threads > 0 { threads as u32 } else { wish.min(cpu_count) },
            gpu_count: if gpus.visible.is_empty() { should_see } else { gpus.visible.len() as u32 },
            gpus,
            instructions: cpu::instructions().to_string(),
        }
    }
}

/// How many GPUs `CUDA_VISIBLE_DEVICES` shows: those before the first entry that is none. Batch systems write `-1` or
/// `NoDevFiles` where a job has none.
fn visible_gpus(list: &str) -> u32 {
    let is_gpu = |entry: &&str| {
        let entry = entry.trim();
        entry.parse::<u32>().is_ok() || entry.starts_with("GPU-") || entry.starts_with("MIG-")
    };
    list.split(',').take_while(is_gpu).count() as u32
}

/// Seats ranks, in their order. Ranks of a machine that may use the same CPUs share them, so that no CPU has two
/// computing threads while there are as many CPUs as ranks; only a rank that has its CPUs for itself gets more threads
/// than CPUs, if the user wants that.
pub(super) fn seats(ranks: &[Presence]) -> Vec<Seat> {
    let seat = |(rank, presence): (usize, &Presence)| {
        let on_node = |other: &&Presence| other.node == presence.node;
        let sharers = ranks.iter().filter(on_node).filter(|o| o.cpus == presence.cpus).count() as u32;
        let share = (presence.cpu_count / sharers).max(1);
        let threads = match presence.threads {
            0 => share,
            wish if sharers == 1 => wish,
            wish => wish.min(share),
        };
        let local_rank = ranks[..rank].iter().filter(on_node).count() as u32;
        let gpu = (presence.gpu_count > 0).then(|| local_rank % presence.gpu_count);
        Seat { host: presence.host.clone(), node: presence.node, local_rank, threads, gpu, device: None }
    };
    ranks.iter().enumerate().map(seat).collect()
}

/// One line a machine: `n1: ranks 0 1, 4 threads each, GPU 0 1`.
pub(super) fn describe(seats: &[Seat]) -> Vec<String> {
    let mut nodes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (rank, seat) in seats.iter().enumerate() {
        nodes.entry(seat.node).or_default().push(rank);
    }
    let line = |ranks: &Vec<usize>| {
        let each = |text: fn(&Seat) -> String| {
            let mut texts: Vec<String> = ranks.iter().map(|r| text(&seats[*r])).collect();
            let all_same = texts.windows(2).all(|w| w[0] == w[1]);
            if all_same {
                texts.truncate(1);
            }
            texts.join(" ")
        };
        let threads = each(|s| s.threads.to_string());
        let gpus = match ranks.iter().any(|r| seats[*r].gpu.is_some()) {
            true => format!(", GPU {}", each(|s| s.gpu.map_or("-".into(), |g| g.to_string()))),
            false => String::new(),
        };
        let names: Vec<String> = ranks.iter().map(usize::to_string).collect();
        let (noun, unit) = (
            if names.len() == 1 { "rank" } else { "ranks" },
            if threads == "1" { "thread" } else { "threads" },
        );
        let each = if names.len() == 1 { "" } else { " each" };
        format!("{}: {noun} {}, {threads} {unit}{each}{gpus}", seats[ranks[0]].host, names.join(" "))
    };
    nodes.values().map(line).collect()
}

/// Says what is not as its user may think.
pub(super) fn warn(ranks: &[Presence], seats: &[Seat]) {
    let first = &ranks[0].instructions;
    if let Some(other) = ranks.iter().find(|r| r.instructions != *first) {
        let (host, theirs) = (&other.host, &other.instructions);
        log::warn!("{host} has {theirs} and {} has {first}: they round differently", ranks[0].host);
    }
    for (rank, (presence, seat)) in
        ranks.iter().zip(seats).enumerate().filter(|(_, (_, s))| s.local_rank == 0)
    {
        let on_node = seats.iter().filter(|s| s.node == seat.node).count();
        if presence.threads > seat.threads {
            log::warn!(
                "{}: rank {rank} asks for {} threads, but {on_node} ranks share CPUs {} there: it gets {}",
                seat.host,
                presence.threads,
                presence.cpus,
                seat.threads
            );
        } else if presence.threads > presence.cpu_count {
            log::warn!("{}: {} threads compute on {} CPUs", seat.host, seat.threads, presence.cpu_count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(node: u32, cpus: &str, cpu_count: u32, threads: u32, gpu_count: u32) -> Presence {
        let (host, cpus, gpus) = (format!("n{node}"), cpus.into(), Gpus::default());
        let instructions = cpu::instructions().to_string();
        Presence { host, node, cpus, cpu_count, threads, gpu_count, gpus, instructions }
    }

    fn threads(ranks: &[Presence]) -> Vec<u32> {
        seats(ranks).iter().map(|s| s.threads).collect()
    }

    #[test]
    fn ranks_share_cpus_without_oversubscription() {
        // Unbound, as mpirun often leaves them; then bound each to its own.
        assert_eq!(threads(&vec![rank(0, "0-15", 16, 0, 0); 4]), [4; 4]);
        assert_eq!(threads(&[rank(0, "0-7", 8, 0, 0), rank(0, "8-15", 8, 0, 0)]), [8, 8]);
        // More ranks than CPUs still compute, and CPUs of other machines are others.
        assert_eq!(threads(&vec![rank(0, "0-1", 2, 0, 0); 3]), [1; 3]);
        assert_eq!(threads(&[rank(0, "0-3", 4, 0, 0), rank(1, "0-3", 4, 0, 0)]), [4, 4]);
        // A wish is granted as far as the share goes; alone, as it is.
        assert_eq!(threads(&vec![rank(0, "0-15", 16, 2, 0); 4]), [2; 4]);
        assert_eq!(threads(&vec![rank(0, "0-15", 16, 8, 0); 4]), [4; 4]);
        assert_eq!(threads(&[rank(0, "0-3", 4, 6, 0)]), [6]);
    }

    #[test]
    fn a_rank_takes_the_gpu_of_its_place_on_the_machine() {
        let gpus = |ranks: &[Presence]| seats(ranks).iter().map(|s| s.gpu).collect::<Vec<_>>();
        let node = |node| vec![rank(node, "0-71", 72, 0, 4); 4];
        assert_eq!(gpus(&[node(0), node(4)].concat()), [0, 1, 2, 3, 0, 1, 2, 3].map(Some));
        // The batch system shows each rank its own, or there are fewer GPUs than ranks, or none.
        assert_eq!(gpus(&vec![rank(0, "0-71", 72, 0, 1); 4]), [Some(0); 4]);
        assert_eq!(gpus(&vec![rank(0, "0-71", 72, 0, 2); 3]), [Some(0), Some(1), Some(0)]);
        assert_eq!(gpus(&vec![rank(0, "0-1", 2, 0, 0); 2]), [None, None]);
    }

    #[test]
    fn only_gpus_are_counted_as_gpus() {
        for (list, count) in
            [("0", 1), ("2, 3", 2), ("GPU-5f2a,MIG-77,1", 3), ("-1", 0), ("NoDevFiles", 0), ("0,-1,1", 1)]
        {
            assert_eq!(visible_gpus(list), count, "{list}");
        }
    }

    #[test]
    fn machines_are_described_in_a_line_each() {
        let ranks = [rank(0, "0-3", 4, 0, 2), rank(0, "0-3", 4, 0, 2), rank(2, "0-3", 4, 0, 0)];
        let lines = describe(&seats(&ranks));
        assert_eq!(lines, ["n0: ranks 0 1, 2 threads each, GPU 0 1", "n2: rank 2, 4 threads"]);
    }
}
