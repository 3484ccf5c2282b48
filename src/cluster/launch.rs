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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Launcher {
    /// Nobody: started by hand.
    None,
    /// `mpirun` or `mpiexec`.
    Mpirun,
    /// A step of a Slurm job.
    Srun,
    /// The script of a Slurm job, outside of any step.
    BatchScript,
}

impl fmt::Display for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Launch { rank, size, launcher } = self;
        match launcher {
            Launcher::None => f.write_str("none, started by hand"),
            Launcher::Mpirun => write!(f, "mpirun, rank {rank} of {size}"),
            Launcher::Srun => write!(f, "srun, rank {rank} of {size}"),
            Launcher::BatchScript => write!(f, "none, in the script of a Slurm job of {size} tasks"),
        }
    }
}

/// Variables with the number of ranks and the own rank; the first that is set decides.
const LAUNCHERS: [(&str, &str, Launcher); 4] = [
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", Launcher::Mpirun),
    ("PMI_SIZE", "PMI_RANK", Launcher::Mpirun),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", Launcher::Srun),
    ("SLURM_NTASKS", "SLURM_PROCID", Launcher::BatchScript),
];

/// Ranks that were meant to work together do not find one another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// Every process would compute everything, and all would write one file.
    #[error(
        "{0} tasks were started, but MPI sees only {1}: the launcher and this program's MPI do not know each other. \
         Under srun, export SLURM_MPI_TYPE=pmi2 (`srun --mpi=list` shows what there is); otherwise use the mpirun of \
         the MPI that s2dpes was built with"
    )]
    Singletons(usize, usize),
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
        let found = LAUNCHERS.iter().find_map(|(size, rank, launcher)| {
            let size = number(size)?;
            Some(Launch { rank: number(rank).unwrap_or(0), size, launcher: *launcher })
        });
        found.unwrap_or(Launch { rank: 0, size: 1, launcher: Launcher::None })
    }

    /// Whether to start MPI; says why not if that cannot work.
    pub fn needs_mpi(&self) -> Result<bool, LaunchError> {
        match (self.size, self.launcher) {
            (0 | 1, _) => Ok(false),
            (size, Launcher::BatchScript) => Err(LaunchError::NoStep(size)),
            (size, _) if !cfg!(feature = "mpi") => Err(LaunchError::NoMpi(size)),
            _ => Ok(true),
        }
    }

    /// Compares with what MPI found.
    pub fn check_size(&self, found: usize) -> Result<(), LaunchError> {
        if found == self.size { Ok(()) } else { Err(LaunchError::Singletons(self.size, found)) }
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
