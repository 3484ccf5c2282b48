//! CIFs of the campaign set that ASE, pymatgen and gemmi wrote (tests/reference/cifs.py): none is read as another crystal.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use nalgebra::Vector3;
use s2dpes::crystal::{Element, Structure, read_structure};
use s2dpes::symmetry::Crystal;

mod common;

/// Neighbours of an atom that are compared.
const NEIGHBOURS: usize = 10;

/// For each element the distances of each atom's nearest neighbours (Angstrom), in rising order.
fn distances(structure: &Structure) -> BTreeMap<Element, Vec<f64>> {
    let volume = structure.volume() / structure.len() as f64;
    // Wide enough for all neighbours in any crystal, most often.
    let reach = 2.2 * volume.cbrt();
    let inverse = structure.lattice.try_inverse().unwrap();
    let steps = [0, 1, 2].map(|i| (reach * inverse.row(i).norm() + 0.5).floor() as i32);
    let mut all = BTreeMap::<Element, Vec<f64>>::new();
    for (i, x) in structure.positions.iter().enumerate() {
        let mut near = Vec::new();
        for y in &structure.positions {
            let difference = (y - x).map(|d| d - d.round());
            for a in -steps[0]..=steps[0] {
                for b in -steps[1]..=steps[1] {
                    for c in -steps[2]..=steps[2] {
                        let shift = Vector3::new(a, b, c).map(f64::from);
                        near.push((structure.lattice * (difference + shift)).norm());
                    }
                }
            }
        }
        near.sort_by(f64::total_cmp);
        all.entry(structure.species[i]).or_default().extend(&near[1..=NEIGHBOURS]);
    }
    all.values_mut().for_each(|distances| distances.sort_by(f64::total_cmp));
    all
}

/// How the crystals differ, whatever cells they are in. Near higher symmetry the rounding of a file, and the tolerance of
/// the program that wrote it, decide which group is found: there the group that the file names must be one of the two.
fn difference(one: &Structure, other: &Structure) -> Option<String> {
    let group = |structure: &Structure| Crystal::new(structure, 0.01).map(|crystal| crystal.group.number);
    let (a, b) = (group(one).unwrap(), group(other).unwrap());
    let named = one.declared.as_ref().map(|declared| declared.number);
    if a != b && ![a, b].contains(&named.unwrap_or(0)) {
        return Some(format!("group {a} instead of {b}"));
    }
    let volume = |structure: &Structure| structure.volume() / structure.len() as f64;
    if (volume(one) / volume(other) - 1.0).abs() > 2e-3 {
        return Some(format!("{} Angstrom^3 for an atom instead of {}", volume(one), volume(other)));
    }
    let (one, other) = (distances(one), distances(other));
    if !one.keys().eq(other.keys()) {
        return Some("other elements".to_string());
    }
    for ((element, a), b) in one.iter().zip(other.values()) {
        let total = a.len() * b.len();
        // Each list as often as the other is long: cells differ in size.
        let furthest = (0..total.min(100_000))
            .map(|k| k * (total / total.min(100_000)))
            .map(|k| (a[k / b.len()] - b[k / a.len()]).abs())
            .fold(0.0, f64::max);
        if furthest > 0.05 {
            return Some(format!("{element} has neighbours {furthest} Angstrom from where they are"));
        }
    }
    None
}

#[test]
fn cifs_of_other_programs_are_the_same_crystal_or_refused() {
    let mut text = String::new();
    let file = std::fs::File::open(common::data("cifs.txt.gz")).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.cif");
    let (mut read, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for cif in text.split("### ").skip(1) {
        let (head, body) = cif.split_once('\n').unwrap();
        let [name, writer, answer] = head.split(" | ").collect::<Vec<_>>()[..] else { panic!("{head}") };
        let source = common::structure(&format!("campaign/structures/{name}.extxyz"));
        std::fs::write(&path, body).unwrap();
        match read_structure(&path) {
            Ok(_) if answer == "refuse" => wrong.push(format!("{name}, {writer}: is read")),
            Ok(structure) => match difference(&structure, &source) {
                None => read += 1,
                Some(difference) => wrong.push(format!("{name}, {writer}: {difference}")),
            },
            Err(error) if answer == "same" => wrong.push(format!("{name}, {writer}: {error}")),
            Err(error) => refused.push(format!("{name}, {writer}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        read >= 400 && refused.len() <= 60,
        "{read} read, {} refused:\n{}",
        refused.len(),
        refused.join("\n")
    );
}
