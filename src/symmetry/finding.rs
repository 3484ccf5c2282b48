//! What a user should know of a crystal's symmetry before the crystal is computed with.

use super::standard::{group_of, search};
use super::tolerance::is_sound;
use super::{Crystal, SpaceGroup};
use crate::crystal::{Element, MOVED, Structure};

/// Something about a crystal that its file does not let one expect.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Finding {
    /// The file states another space group.
    #[error("{name}: the file states space group {stated}, and its atoms have {found} at symprec {symprec}")]
    OtherGroup {
        /// The structure.
        name: String,
        /// As the file writes it, with its number.
        stated: String,
        /// Symbol and number.
        found: String,
        /// Tolerance in Angstrom.
        symprec: f64,
    },
    /// Symmetrisation has moved atoms.
    #[error(
        "{name}: symmetrisation at symprec {symprec} moves {atoms} by more than 0.01 Angstrom; most of all atom {atom} \
         ({element}), by {distance:.4} Angstrom"
    )]
    Moved {
        /// The structure.
        name: String,
        /// Tolerance in Angstrom.
        symprec: f64,
        /// `2 of 5 atoms`.
        atoms: String,
        /// Number in the file, from 1.
        atom: usize,
        /// Its element.
        element: Element,
        /// In Angstrom.
        distance: f64,
    },
    /// Symmetrisation has changed the lattice.
    #[error(
        "{name}: symmetrisation at symprec {symprec} moves the end of the file's lattice vector {vector} by {distance:.4} \
         Angstrom"
    )]
    Strained {
        /// The structure.
        name: String,
        /// Tolerance in Angstrom.
        symprec: f64,
        /// `a`, `b` or `c`.
        vector: char,
        /// In Angstrom.
        distance: f64,
    },
    /// A larger tolerance finds more operations.
    #[error("{name}: space group {found} at symprec {symprec}, but {higher} at symprec {larger}")]
    HigherGroup {
        /// The structure.
        name: String,
        /// Symbol and number.
        found: String,
        /// Tolerance in Angstrom.
        symprec: f64,
        /// Symbol and number.
        higher: String,
        /// Tolerance in Angstrom.
        larger: f64,
    },
}

impl Finding {
    /// Says it in the log: as a warning if it points to a mistake, as an information if it is common.
    pub fn log(&self) {
        let is_common = match self {
            // Programs that write all atoms of a cell state P 1 for any crystal.
            Finding::OtherGroup { stated, .. } => stated.ends_with("(1)"),
            Finding::Moved { .. } | Finding::Strained { .. } => false,
            Finding::HigherGroup { symprec, larger, .. } => *larger > 5.0 * symprec,
        };
        log::log!(if is_common { log::Level::Info } else { log::Level::Warn }, "{self}");
    }
}

/// Tolerances at which a higher group is looked for, in parts of the one in use.
const FACTORS: [f64; 3] = [3.0, 10.0, 30.0];
/// No tolerance above this is tried, in Angstrom: bonds are not much longer.
const LARGEST: f64 = 0.5;
/// No larger cells are searched again.
const MOST_ATOMS: usize = 1000;

/// What is to be said of a crystal that was found in a structure with the tolerance `symprec` (Angstrom).
pub fn findings(structure: &Structure, crystal: &Crystal, symprec: f64) -> Vec<Finding> {
    let mut findings: Vec<Finding> = other_group(structure, crystal, symprec).into_iter().collect();
    findings.extend(moved(structure, crystal, symprec));
    findings.extend(strained(structure, crystal, symprec));
    findings.extend(higher_groups(structure, crystal, symprec));
    findings
}

fn named(group: &SpaceGroup) -> String {
    format!("{} ({})", group.symbol, group.number)
}

fn other_group(structure: &Structure, crystal: &Crystal, symprec: f64) -> Option<Finding> {
    let declared = structure.declared.as_ref().filter(|d| d.number != crystal.group.number)?;
    Some(Finding::OtherGroup {
        name: structure.name.clone(),
        stated: format!("{} ({})", declared.text, declared.number),
        found: named(&crystal.group),
        symprec,
    })
}

fn moved(structure: &Structure, crystal: &Crystal, symprec: f64) -> Option<Finding> {
    let distances = || crystal.file.atoms.iter().map(|a| a.moved).enumerate();
    let count = distances().filter(|(_, d)| *d > MOVED).count();
    let (atom, distance) = distances().max_by(|a, b| a.1.total_cmp(&b.1)).filter(|_| count > 0)?;
    Some(Finding::Moved {
        name: structure.name.clone(),
        symprec,
        atoms: format!("{count} of {} atoms", structure.len()),
        atom: atom + 1,
        element: *structure.species.get(atom)?,
        distance,
    })
}

/// The lattice vector that has changed most.
fn strained(structure: &Structure, crystal: &Crystal, symprec: f64) -> Option<Finding> {
    let change = crystal.in_file_cell().lattice - structure.lattice;
    let changes = change.column_iter().map(|v| v.norm()).zip(['a', 'b', 'c']);
    let (distance, vector) = changes.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(d, _)| *d > MOVED)?;
    Some(Finding::Strained { name: structure.name.clone(), symprec, vector, distance })
}

/// Higher groups at larger tolerances, each named once.
fn higher_groups(structure: &Structure, crystal: &Crystal, symprec: f64) -> Vec<Finding> {
    if structure.len() > MOST_ATOMS {
        return Vec::new();
    }
    // The file's own cell may be centred; its primitive one tells more.
    let sound = |tolerance: &f64| *tolerance <= LARGEST && is_sound(&crystal.primitive_lattice(), *tolerance);
    // Operations per atom: cells of different sizes can be compared.
    let mut most = (crystal.group.operations.len(), crystal.atom_count());
    let mut findings = Vec::new();
    for larger in FACTORS.map(|f| round(f * symprec)).into_iter().filter(sound) {
        let Ok(dataset) = search(structure, larger, true) else { continue };
        let Ok(group) = group_of(structure, &dataset, larger) else { continue };
        let found = (group.operations.len(), dataset.std_cell.num_atoms());
        if found.0 * most.1 > most.0 * found.1 {
            most = found;
            let (name, found) = (structure.name.clone(), named(&crystal.group));
            findings.push(Finding::HigherGroup { name, found, symprec, higher: named(&group), larger });
        }
    }
    findings
}

/// A tolerance as one would write it: without the rounding error of a product.
fn round(tolerance: f64) -> f64 {
    format!("{tolerance:.6e}").parse().unwrap_or(tolerance)
}
