//! Every quantity of the file, declared once: name, UDUNITS unit, meaning.

/// A dataset's name and attributes.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    /// Name of the dataset.
    pub name: &'static str,
    /// UDUNITS unit; `1` for numbers.
    pub units: &'static str,
    /// What it is.
    pub long_name: &'static str,
}

const fn quantity(name: &'static str, units: &'static str, long_name: &'static str) -> Quantity {
    Quantity { name, units, long_name }
}

/// `[axis 0][axis 1]...` of each model.
pub const ENERGY: Quantity = quantity("energy", "eV", "potential energy per atom");
/// Scalar of each model.
pub const REFERENCE_ENERGY: Quantity =
    quantity("reference_energy", "eV", "potential energy per atom of the input structure");
/// `[axis 0][axis 1]...` of each model.
pub const STATUS: Quantity = quantity("status", "1", "what became of the point");
/// `[axis 0][axis 1]...` of each model.
pub const IRREDUCIBLE: Quantity =
    quantity("irreducible_index", "1", "row-major index of the equivalent point that was evaluated");
/// `[tile]` of each model.
pub const TILE_STATE: Quantity = quantity("tile_state", "1", "whether the tile is stored");
/// `[tile]` of each model.
pub const TILE_SECONDS: Quantity = quantity("tile_seconds", "s", "time that the tile took");
/// `[axis 0][axis 1]...` of each landscape.
pub const DISTANCE_COST: Quantity =
    quantity("distance_cost", "angstrom", "sum of missing distances (Eq. 1 of the paper)");
/// `[axis 0][axis 1]...` of each landscape.
pub const MINIMUM_DISTANCE: Quantity =
    quantity("minimum_distance", "angstrom", "smallest distance between two atoms, images included");
/// `[vector][component]` of each structure.
pub const LATTICE: Quantity = quantity("lattice", "angstrom", "conventional lattice vectors as rows");
/// `[atom]` of each structure.
pub const ATOMIC_NUMBER: Quantity = quantity("atomic_number", "1", "atomic numbers of the conventional cell");
/// `[atom][component]` of each structure.
pub const POSITION: Quantity =
    quantity("position", "1", "fractional positions in the standardised conventional cell");
/// `[atom]` of each structure.
pub const ORBIT: Quantity = quantity("orbit", "1", "index of each atom's orbit in orbit_name");
/// `[orbit]` of each structure.
pub const ORBIT_NAME: Quantity = quantity("orbit_name", "1", "element and running number of each orbit");
/// `[orbit]` of each structure.
pub const ORBIT_LETTER: Quantity = quantity("orbit_letter", "1", "Wyckoff letter of each orbit");
/// `[orbit]` of each structure.
pub const ORBIT_MULTIPLICITY: Quantity =
    quantity("orbit_multiplicity", "1", "atoms of each orbit in the conventional cell");
/// `[orbit][component]` of each structure.
pub const ORBIT_COORDINATES: Quantity =
    quantity("orbit_coordinates", "1", "x, y, z of each orbit, 0 where symmetry fixes them");
/// `[orbit][orbit]` of each landscape.
pub const MINIMUM_PAIR_DISTANCE: Quantity =
    quantity("minimum_pair_distance", "angstrom", "smallest physical distance between atoms of two orbits");
/// `[orbit][orbit]` of each landscape.
pub const UNCAPPED_PAIR_DISTANCE: Quantity = quantity(
    "uncapped_pair_distance",
    "angstrom",
    "minimum_pair_distance before distances of the input structure lowered it",
);
/// Scalar at the top.
pub const CAMPAIGN: Quantity = quantity("campaign", "1", "the campaign file, verbatim");
/// The group at the top that has a row for each start of the program.
pub const RUNS: &str = "runs";
/// `[run]` of the runs.
pub const RUN_STARTED: Quantity = quantity("started", "1", "when the program started, UTC");
/// `[run]` of the runs.
pub const RUN_HOST: Quantity = quantity("host", "1", "host of rank 0");
/// `[run]` of the runs.
pub const RUN_JOB: Quantity = quantity("job", "1", "batch job, if any");
/// `[run]` of the runs.
pub const RUN_RANKS: Quantity = quantity("ranks", "1", "number of ranks");
/// `[run]` of the runs.
pub const RUN_ENGINE: Quantity = quantity("engine", "1", "engines in use");
/// `[run]` of the runs.
pub const RUN_VERSION: Quantity = quantity("version", "1", "version and commit of the program");
/// `[run]` of the runs.
pub const RUN_SECONDS: Quantity =
    quantity("seconds", "s", "time until the end; 0 while it runs or if it was killed");
/// `[n]` at the top.
pub const SKIPPED: Quantity = quantity("skipped", "1", "what could not be computed, and why");

/// Values of `tile_state`.
pub const TILE_STATES: [(u8, &str); 3] = [(0, "open"), (1, "done"), (2, "failed")];
/// The tile is stored.
pub const TILE_DONE: u8 = 1;
/// The tile failed.
pub const TILE_FAILED: u8 = 2;

/// Attribute of a model's group, where the model could not be evaluated: why.
pub const FAILURE: &str = "failure";
/// Attribute of every group of a structure, landscape or model: its place in the campaign file.
pub const ORDER: &str = "order";
/// What to cite.
pub const REFERENCES: &str = "A. S. Parackal, R. Armiento, F. Trybel: Symmetry-restricted energy landscapes as a \
                              benchmark for machine learned interatomic potentials, arXiv:2602.02237";

/// Whether a structure, landscape or model can have a name: one that HDF5 takes and that the file does not use itself.
pub fn is_usable(name: &str) -> bool {
    let quantities = [
        ENERGY,
        REFERENCE_ENERGY,
        STATUS,
        IRREDUCIBLE,
        TILE_STATE,
        TILE_SECONDS,
        DISTANCE_COST,
        MINIMUM_DISTANCE,
        LATTICE,
        ATOMIC_NUMBER,
        POSITION,
        ORBIT,
        ORBIT_NAME,
        ORBIT_LETTER,
        ORBIT_MULTIPLICITY,
        ORBIT_COORDINATES,
        MINIMUM_PAIR_DISTANCE,
        UNCAPPED_PAIR_DISTANCE,
        CAMPAIGN,
        SKIPPED,
    ];
    let dimensions =
        ["atom", "component", "orbit_a", "orbit_b", "orbit_number", "run", "skip", "tile", "vector"];
    let reserved = name == RUNS || dimensions.contains(&name) || quantities.iter().any(|q| q.name == name);
    let taken =
        !name.is_empty() && !name.starts_with('.') && !name.contains(|c: char| c == '/' || c.is_control());
    taken && !reserved
}
