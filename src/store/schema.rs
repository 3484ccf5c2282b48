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
/// `[orbit]` of each structure.
pub const ORBIT_REPRESENTATIVE: Quantity = quantity(
    "orbit_representative",
    "1",
    "position of the first atom of each orbit as a function of its x, y, z",
);
/// `[operation][row][component]` of each structure.
pub const ROTATION: Quantity = quantity(
    "rotation",
    "1",
    "matrices of the space group's operations, x -> rotation x + translation, in the conventional cell",
);
/// `[operation][component]` of each structure.
pub const TRANSLATION: Quantity =
    quantity("translation", "1", "translations of the space group's operations, centring included");
/// `[vector][component]` of each structure.
pub const FILE_LATTICE: Quantity =
    quantity("file_lattice", "angstrom", "lattice vectors of the structure's file as rows");
/// `[vector][component]` of each structure: P transposed.
pub const TRANSFORMATION: Quantity = quantity(
    "transformation",
    "1",
    "conventional lattice vectors as rows, in units of file_lattice: row vectors x_file = x transformation + origin_shift",
);
/// `[component]` of each structure.
pub const ORIGIN_SHIFT: Quantity = quantity(
    "origin_shift",
    "1",
    "origin of the conventional cell in fractional coordinates of the structure's file",
);
/// `[file_atom]` of each structure.
pub const FILE_ATOM_INDEX: Quantity = quantity(
    "file_atom_index",
    "1",
    "atom of the conventional cell that each atom of the structure's file is, but for a lattice vector",
);
/// `[file_atom][component]` of each structure.
pub const FILE_ATOM_OFFSET: Quantity = quantity(
    "file_atom_offset",
    "1",
    "lattice vector from the position of that atom to the atom of the file, in the conventional cell",
);
/// `[file_atom]` of each structure.
pub const FILE_ATOM_MOVED: Quantity = quantity(
    "file_atom_moved",
    "angstrom",
    "how far symmetrisation has moved each atom of the structure's file",
);
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

/// Names of datasets and dimensions that the file uses itself, in any group.
const RESERVED: &[&str] = &[
    ENERGY.name,
    REFERENCE_ENERGY.name,
    STATUS.name,
    IRREDUCIBLE.name,
    TILE_STATE.name,
    TILE_SECONDS.name,
    DISTANCE_COST.name,
    MINIMUM_DISTANCE.name,
    LATTICE.name,
    ATOMIC_NUMBER.name,
    POSITION.name,
    ORBIT.name,
    ORBIT_NAME.name,
    ORBIT_LETTER.name,
    ORBIT_MULTIPLICITY.name,
    ORBIT_COORDINATES.name,
    ORBIT_REPRESENTATIVE.name,
    ROTATION.name,
    TRANSLATION.name,
    FILE_LATTICE.name,
    TRANSFORMATION.name,
    ORIGIN_SHIFT.name,
    FILE_ATOM_INDEX.name,
    FILE_ATOM_OFFSET.name,
    FILE_ATOM_MOVED.name,
    MINIMUM_PAIR_DISTANCE.name,
    UNCAPPED_PAIR_DISTANCE.name,
    CAMPAIGN.name,
    SKIPPED.name,
    RUNS,
    "atom",
    "component",
    "file_atom",
    "operation",
    "orbit_a",
    "orbit_b",
    "orbit_number",
    "row",
    "run",
    "skip",
    "tile",
    "vector",
];
/// Longest name in bytes that netCDF reads.
const LONGEST_NAME: usize = 255;

/// Why a structure, landscape or model cannot have a name, if it cannot: HDF5, netCDF and the file itself have a say.
pub fn objection(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("it is empty"),
        _ if name.len() > LONGEST_NAME => Some("it is longer than 255 bytes"),
        _ if name.contains(is_forbidden) => Some("it has a `/`, a `\\` or a control character in it"),
        _ if name.starts_with('.') => Some("it begins with a dot"),
        _ if name.trim() != name => Some("it begins or ends with a blank"),
        _ if RESERVED.contains(&name) => Some("the result file uses it itself"),
        _ => None,
    }
}

/// The name that a structure gets whose file's name cannot be used: with `_` for what is forbidden.
pub fn mended(name: &str) -> String {
    let mended: String = name.trim().chars().map(|c| if is_forbidden(c) { '_' } else { c }).collect();
    let end = (0..LONGEST_NAME).rev().find(|n| mended.is_char_boundary(*n)).unwrap_or(0);
    let mended = mended.get(..end).unwrap_or(&mended).trim_end();
    match objection(mended) {
        None => mended.to_string(),
        Some(_) => format!("_{mended}"),
    }
}

fn is_forbidden(c: char) -> bool {
    c == '/' || c == '\\' || c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_netcdf_or_the_file_cannot_hold_are_refused_and_mended() {
        for good in ["W2N3", "a b", "W1.x-W1.z", "(Ti,Zr)O2", "Žluťoučký", "model-7"] {
            assert_eq!((objection(good), mended(good).as_str()), (None, good));
        }
        let long = "é".repeat(200);
        for bad in [
            "", " ", "a\\b", "a/b", "a\tb", "a\u{7f}", ".hidden", "..", " a", "a ", "energy", "row", "runs",
            &long,
        ] {
            assert!(objection(bad).is_some(), "{bad:?}");
            assert_eq!(objection(&mended(bad)), None, "{bad:?} {:?}", mended(bad));
        }
        assert_eq!(mended("a\\b/c"), "a_b_c");
    }
}
