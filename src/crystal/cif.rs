//! CIF, from characters to atoms.
//!
//! ```text
//! tokens       words, quoted strings, text fields
//! block        data blocks: each tag once, each value explained
//! formula      the stated formula
//! label        type symbols and labels -> elements
//! sites        the asymmetric unit
//! operations   operations that are listed; kind: the number of the group that they make
//! space_group  what symbols and numbers mean; names: all that the file gives, which must agree
//! symmetry     -> the groups that the file may mean
//! expand       a group and the sites -> all atoms
//! stated       what the file states of them: formula, Z, multiplicities, letters
//! choice       -> the group that it means
//! ```
//!
//! The grammar is that of CIF 1.1 (<https://www.iucr.org/resources/cif/spec/version1.1>) with the dots in tags and the
//! triple quotes of later versions. It is our own: the two hundred lines of `tokens` and `block` are the small part, and
//! what they find needs its line up to the last check of a site. Of the parsers at hand, gemmi (C++, MPL-2.0) would bring
//! a C++ compiler into the build and keeps no line of a value in a loop; crystal-cif-io 0.2 reads 86 of 101 third-party
//! CIFs, chemfiles 0.10 reads six of them as other crystals.

mod block;
mod choice;
mod expand;
mod formula;
mod kind;
mod label;
mod names;
mod operations;
mod sites;
mod space_group;
mod stated;
mod symmetry;
mod tokens;

use nalgebra::Matrix3;

use super::text::{Complaint, shown};
use super::{DeclaredGroup, MOVED, Structure, check};
use block::Block;
use choice::Contents;
use stated::Stated;

/// Tags of magnetic symmetry and of modulations.
const BEYOND: [&str; 6] = [
    "_space_group_symop_magn",
    "_space_group_magn",
    "_parent_space_group",
    "_cell_modulation_dimension",
    "_cell_wave_vector",
    "_space_group_ssg",
];

/// The structures of all data blocks that hold atoms.
///
/// The lattice is right-handed, with a along x and b in the xy plane. A site's first atom stands where the
/// file puts it, moved onto the special position it rounds (see `expand`); its images lie in the cell.
pub(super) fn parse(text: &str, stem: &str) -> Result<Vec<Structure>, Complaint> {
    let blocks = block::blocks(&tokens::tokens(text)?)?;
    let crystals: Vec<&Block> = blocks.iter().filter(|block| sites::has_sites(block)).collect();
    if crystals.is_empty() {
        let way_out = match blocks.iter().any(|block| block.table("_atom_site_cartn_x").is_some()) {
            true => "it has Cartesian ones only: convert them to _atom_site_fract_x, _y and _z",
            false => "give _atom_site_fract_x, _y and _z of each atom",
        };
        return Err(Complaint::whole(format!("holds no fractional atom positions; {way_out}")));
    }
    let names = names(&crystals, stem);
    crystals.iter().zip(names).map(|(block, name)| crystal(block, name)).collect()
}

/// The space group that a symbol or a number by itself names, if the tables know it.
pub(super) fn declared(text: &str) -> Option<DeclaredGroup> {
    let settings = match space_group::by_hermann_mauguin(text, None) {
        settings if settings.is_empty() => space_group::by_number(text, None),
        settings => settings,
    };
    Some(DeclaredGroup { text: text.trim().to_string(), number: settings.first()?.number.try_into().ok()? })
}

/// The stem alone for one block, else stem-block; the block's number from 1 follows where its name does not
/// tell it from the others.
fn names(blocks: &[&Block], stem: &str) -> Vec<String> {
    let twice = |name: &str| blocks.iter().filter(|block| block.name == name).count() > 1;
    let numbered = blocks.iter().enumerate();
    numbered
        .map(|(i, block)| {
            // The name may become part of a path.
            let name = block.name.replace(['/', '\\'], "_");
            match block.name {
                _ if blocks.len() == 1 => stem.to_string(),
                "" => format!("{stem}-{}", i + 1),
                _ if twice(block.name) => format!("{stem}-{name}-{}", i + 1),
                _ => format!("{stem}-{name}"),
            }
        })
        .collect()
}

/// The whole unit cell of one data block. The log warns of sites that symmetry moved by more than rounding.
fn crystal(block: &Block, name: String) -> Result<Structure, Complaint> {
    if let Some((tag, line)) = block.starting(&BEYOND) {
        let text = format!(
            "{tag} tells of a magnetic or modulated structure, which has more than these atoms and operations; write \
             it as an ordinary crystal"
        );
        return Err(Complaint::at(line, text));
    }
    let lattice = lattice(block)?;
    let stated = Stated::of(block, &name)?;
    let groups = symmetry::groups(block, &lattice, &name)?;
    let sites = sites::sites(block, stated.formula.as_ref(), &name)?;
    let contents = Contents { sites: &sites, stated: &stated, lattice: &lattice };
    let atoms = contents.choose(&groups, &name)?;
    for (site, distance) in sites.iter().zip(&atoms.moved).filter(|(_, distance)| **distance > MOVED) {
        let label = &site.label;
        log::warn!("{name}: site {label} is moved by {distance:.3} Angstrom onto its special position");
    }
    let structure = check::structure(name, lattice, atoms.species, atoms.positions);
    let structure = structure.map_err(|text| Complaint::at(block.line, text))?;
    Ok(Structure { declared: groups.declared, ..structure })
}

/// Lattice vectors as columns in Angstrom from lengths and angles: a along x, b in the xy plane.
fn lattice(block: &Block) -> Result<Matrix3<f64>, Complaint> {
    let mut parameters = [0.0; 6];
    let tags = ["length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"];
    let mut line = block.line;
    for (parameter, name) in parameters.iter_mut().zip(tags) {
        let tag = format!("_cell_{name}");
        let token = block.value(&tag).ok_or_else(|| {
            Complaint::at(block.line, format!("data block {} has no {tag}; add it", shown(block.name)))
        })?;
        line = token.line;
        *parameter = sites::number(token.text).filter(|x| *x > 0.0).ok_or_else(|| {
            Complaint::at(line, format!("{tag} must be a positive number, not {}", shown(token.text)))
        })?;
    }
    let [a, b, c, alpha, beta, gamma] = parameters;
    let unclosed = || {
        let text = format!("angles {alpha}, {beta} and {gamma} do not close a cell; correct them");
        Complaint::at(line, text)
    };
    if [alpha, beta, gamma].iter().any(|angle| *angle >= 180.0) {
        return Err(unclosed());
    }
    let (cos_alpha, cos_beta, cos_gamma) = (cosine(alpha), cosine(beta), cosine(gamma));
    let sin_gamma = (1.0 - cos_gamma * cos_gamma).sqrt();
    let y = (cos_alpha - cos_beta * cos_gamma) / sin_gamma;
    let z_squared = 1.0 - cos_beta * cos_beta - y * y;
    if z_squared.is_nan() || z_squared <= 0.0 {
        return Err(unclosed());
    }
    let z = z_squared.sqrt();
    #[rustfmt::skip]
    let lattice = Matrix3::new(
        a,   b * cos_gamma, c * cos_beta,
        0.0, b * sin_gamma, c * y,
        0.0, 0.0,           c * z,
    );
    check::lattice(&lattice).map_err(|text| Complaint::at(line, text))?;
    Ok(lattice)
}

/// Cosine of an angle in degrees, exact where crystals need it to be.
fn cosine(degrees: f64) -> f64 {
    match degrees {
        60.0 => 0.5,
        90.0 => 0.0,
        120.0 => -0.5,
        _ => degrees.to_radians().cos(),
    }
}
