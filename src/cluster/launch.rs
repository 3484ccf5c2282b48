//! Whether this process is one of several ranks, as the environment tells before MPI starts.

use std::fmt;

/// What a launcher says of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// This process among all, from 0.
    pub rank: usize,
    /// How many there are.
    pub size: usize,
    /// Who says so.
    launcher: Launcher,
    /// Whether a launcher can be reached, so that it is no leftover in the environment that says so.
    is_managed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Launcher {
    /// Nobody: started by hand.
    None,
    /// `mpirun` or `mpiexec`.
    Mpirun,
    /// A server of PMIx, which tells the size when MPI starts: `size` is the least that it can be.
    Pmix,
    /// A step of a Slurm job.
    Srun,
    /// The script of a Slurm job, outside of any step.
    BatchScript,
}

impl fmt::Display for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Launch { rank, size, launcher, .. } = self;
        match launcher {
            Launcher::None => f.write_str("none, started by hand"),
            Launcher::Mpirun => write!(f, "mpirun, rank {rank} of {size}"),
            Launcher::Pmix => write!(f, "PMIx, rank {rank}"),
            Launcher::Srun => write!(f, "srun, rank {rank} of {size}"),
            Launcher::BatchScript => write!(f, "none, in the script of a Slurm job of {size} tasks"),
        }
    }
}

/// Variables with the number of ranks and the own rank; the first that is set decides, and `PMIX_RANK` if none is.
const LAUNCHERS: [(&str, &str, Launcher); 4] = [
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", Launcher::Mpirun),
    ("PMI_SIZE", "PMI_RANK", Launcher::Mpirun),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", Launcher::Srun),
    ("SLURM_NTASKS", "SLURM_PROCID", Launcher::BatchScript),
];

/// Variable with the own rank alone.
const PMIX_RANK: &str = "PMIX_RANK";

/// Where a process reaches the launcher that started it: Open MPI and Slurm's pmix, Slurm's pmi2 and Hydra, Cray, srun.
const MANAGERS: [&str; 10] = [
    "PMIX_SERVER_URI2",
    "PMIX_SERVER_URI21",
    "PMIX_SERVER_URI3",
    "PMIX_SERVER_URI4",
    "PMIX_SERVER_URI41",
    "PMIX_SERVER_URI",
    "PMI_FD",
    "PMI_PORT",
    "PMI_CONTROL_PORT",
    "SLURM_LAUNCH_NODE_IPADDR",
];

/// Ranks that were meant to work together do not find one another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// Every process would compute everything, and all would write one file.
    #[error(
        "the environment says that {0} tasks were started, but MPI sees only {1}: the launcher and this program's MPI \
         do not know each other. Under srun, export SLURM_MPI_TYPE=pmi2 (`srun --mpi=list` shows what there is); \
         otherwise use the mpirun of the MPI that s2dpes was built with. Started by hand, unset {2}"
    )]
    Singletons(usize, usize, &'static str),
    /// In a job of several tasks, but not started by srun.
    #[error(
        "the Slurm job has {0} tasks, but s2dpes was started as one: start it with `srun s2dpes run ...`"
    )]
    NoStep(usize),
    /// Feature `mpi` is missing.
    #[error(
        "{0} tasks were started, but this s2dpes was built without MPI: start one task, or build it with `--features mpi`"
    )]
    NoMpi(usize),
}

impl Launch {
    /// Reads the environment.
    pub fn of_environment() -> Launch {
        Launch::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Launch {
        let number = |name: &str| variable(name)?.trim().parse::<usize>().ok();
        let is_managed = MANAGERS.iter().any(|name| variable(name).is_some());
        let of_size = LAUNCHERS.iter().find_map(|(size, rank, launcher)| {
            let size = number(size)?;
            Some(Launch { rank: number(rank).unwrap_or(0), size, launcher: *launcher, is_managed })
        });
        let of_rank = || {
            let rank = number(PMIX_RANK).filter(|rank| *rank > 0 || is_managed)?;
            Some(Launch { rank, size: rank.saturating_add(1), launcher: Launcher::Pmix, is_managed })
        };
        let alone = Launch { rank: 0, size: 1, launcher: Launcher::None, is_managed };
        of_size.or_else(of_rank).unwrap_or(alone)
    }

    /// Whether rank 0 says what is wrong with a command that all ranks were given: this is another one, and a launcher
    /// can be reached, which would end the job before rank 0 has said it.
    pub fn leaves_words_to_rank_0(&self) -> bool {
        self.rank > 0 && self.is_managed
    }

    /// Whether to start MPI; says why not if that cannot work.
    pub fn needs_mpi(&self) -> Result<bool, LaunchError> {
        match (self.size, self.launcher) {
            (0 | 1, Launcher::Pmix) if cfg!(feature = "mpi") => Ok(true),
            (0 | 1, _) => Ok(false),
            (size, Launcher::BatchScript) => Err(LaunchError::NoStep(size)),
            (size, _) if !cfg!(feature = "mpi") => Err(LaunchError::NoMpi(size)),
            _ => Ok(true),
        }
    }

    /// Compares with what MPI found.
    pub fn check_size(&self, found: usize) -> Result<(), LaunchError> {
        let fits = if self.launcher == Launcher::Pmix { found >= self.size } else { found == self.size };
        let variable = LAUNCHERS.iter().find(|(.., launcher)| *launcher == self.launcher);
        let variable = variable.map_or(PMIX_RANK, |(size, ..)| size);
        if fits { Ok(()) } else { Err(LaunchError::Singletons(self.size, found, variable)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(variables: &[(&str, &str)]) -> Launch {
        Launch::of(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string()))
    }

    #[test]
    fn a_launcher_tells_rank_and_size() {
        let alone = launch(&[]);
        assert_eq!((alone.rank, alone.size, alone.needs_mpi()), (0, 1, Ok(false)));
        let open_mpi = launch(&[("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "3")]);
        assert_eq!((open_mpi.rank, open_mpi.size), (3, 4));
        let step = launch(&[("SLURM_NTASKS", "8"), ("SLURM_STEP_NUM_TASKS", "2"), ("SLURM_PROCID", "1")]);
        assert_eq!((step.rank, step.size), (1, 2));
        // One rank of mpirun inside a large allocation is on purpose.
        let one = launch(&[("PMI_SIZE", "1"), ("PMI_RANK", "0"), ("SLURM_NTASKS", "8")]);
        assert_eq!(one.needs_mpi(), Ok(false));
    }

    #[test]
    fn only_a_rank_that_reaches_its_launcher_leaves_words_to_rank_0() {
        let fake = [("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "2")];
        assert!(!launch(&fake).leaves_words_to_rank_0());
        let server = ("PMIX_SERVER_URI2", "1.0;tcp4://127.0.0.1:5");
        assert!(launch(&[fake[0], fake[1], server]).leaves_words_to_rank_0());
        assert!(!launch(&[fake[0], ("OMPI_COMM_WORLD_RANK", "0"), server]).leaves_words_to_rank_0());
        let step = [("SLURM_STEP_NUM_TASKS", "4"), ("SLURM_PROCID", "2")];
        assert!(!launch(&step).leaves_words_to_rank_0());
        assert!(
            launch(&[step[0], step[1], ("SLURM_LAUNCH_NODE_IPADDR", "10.0.0.1")]).leaves_words_to_rank_0()
        );
    }

    #[test]
    fn a_rank_without_a_size_waits_for_what_mpi_says() {
        let lone = launch(&[("PMIX_RANK", "2")]);
        assert_eq!((lone.rank, lone.size), (2, 3));
        assert!(lone.check_size(3).is_ok() && lone.check_size(8).is_ok());
        assert!(lone.check_size(1).unwrap_err().to_string().contains("unset PMIX_RANK"));
        assert_eq!(launch(&[("PMIX_RANK", "0")]).needs_mpi(), Ok(false));
        let first = launch(&[("PMIX_RANK", "0"), ("PMIX_SERVER_URI2", "1.0;tcp4://127.0.0.1:5")]);
        assert_eq!(first.needs_mpi(), Ok(cfg!(feature = "mpi")));
        assert!(first.check_size(4).is_ok());
    }

    #[test]
    fn ranks_that_do_not_find_one_another_are_refused_with_the_way_out() {
        let script = launch(&[("SLURM_NTASKS", "4"), ("SLURM_PROCID", "0")]);
        let message = script.needs_mpi().unwrap_err().to_string();
        assert!(message.contains("4 tasks") && message.contains("srun s2dpes run"), "{message}");
        let step = launch(&[("SLURM_STEP_NUM_TASKS", "4"), ("SLURM_PROCID", "2")]);
        assert!(step.check_size(4).is_ok());
        let message = step.check_size(1).unwrap_err().to_string();
        assert!(message.contains("SLURM_MPI_TYPE=pmi2"), "{message}");
    }
}
