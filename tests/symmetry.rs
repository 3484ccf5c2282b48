//! Crystals as orbits: labels as pymatgen gives them, parametrisations that give the atoms back.

mod common;

use std::path::Path;

use common::{Random, campaign_files, data, json, structure};
use nalgebra::{Matrix3, Vector3};
use s2dpes::crystal::{DeclaredGroup, Element, Structure, read_structure};
use s2dpes::symmetry::{Crystal, Finding, Protostructure, findings};

/// Moyo and spglib find different groups for this file at the tolerance of the golden labels.
const DIFFERENT_GROUPS: usize = 1;

#[test]
fn protostructure_labels_are_those_of_pymatgen() {
    let golden = json("golden/labels.json");
    let labels = golden["labels"].as_object().unwrap();
    assert!(labels.len() > 100, "{}", labels.len());
    let mut different_groups = Vec::new();
    for (file, expected) in labels {
        let structure = read_structure(&data(&format!("campaign/structures/{file}"))).unwrap();
        let crystal = Crystal::new(&structure, 0.01).unwrap();
        if crystal.group.number as u64 != expected["space_group"].as_u64().unwrap() {
            different_groups.push(file.clone());
            continue;
        }
        let label = Protostructure::of(&crystal).canonical_label().unwrap();
        assert_eq!(label, expected["label"].as_str().unwrap(), "{file}");
    }
    assert!(different_groups.len() <= DIFFERENT_GROUPS, "{different_groups:?}");
}

#[test]
fn a_label_is_read_back_as_the_same_protostructure() {
    for file in campaign_files() {
        let crystal = Crystal::new(&read_structure(&file).unwrap(), 0.01).unwrap();
        let protostructure = Protostructure::of(&crystal);
        for label in [protostructure.raw_label(), protostructure.canonical_label().unwrap()] {
            let parsed = Protostructure::parse(&label).unwrap();
            assert_eq!(parsed.raw_label(), label);
            assert_eq!(parsed.canonical_label().unwrap(), protostructure.canonical_label().unwrap());
        }
    }
}

#[test]
fn the_orbits_of_real_crystals_give_their_atoms_back() {
    for file in campaign_files() {
        let structure = read_structure(&file).unwrap();
        let crystal = Crystal::new(&structure, 0.01).unwrap();
        let atoms: Vec<_> = crystal.atoms().collect();
        assert_eq!(atoms.len(), crystal.atom_count());
        let per_volume = |atoms: usize, volume: f64| atoms as f64 / volume;
        let (before, after) = (
            per_volume(structure.len(), structure.volume()),
            per_volume(atoms.len(), crystal.lattice.determinant().abs()),
        );
        assert!((before / after - 1.0).abs() < 2e-3, "{}: {before} {after}", structure.name);
        // Every operation maps every atom onto an atom of its element.
        for operation in &crystal.group.operations {
            for (element, x) in &atoms {
                let image = operation.apply(x);
                let found = atoms.iter().any(|(e, y)| {
                    let difference = (image - y).map(|v| v - v.round());
                    e == element && (crystal.lattice * difference).norm() < 1e-9
                });
                assert!(found, "{}: an operation maps {element} into the void", structure.name);
            }
        }
    }
}

#[test]
fn cells_of_one_crystal_have_one_description() {
    for group in [
        &["rutile-TiO2", "rutile-TiO2-skewed-cell", "rutile-TiO2-supercell-shuffled"][..],
        &["anatase-TiO2-primitive", "anatase-TiO2-body-centred"],
        &["fcc-Al-primitive", "fcc-Al-conventional"],
        &["calcite-CaCO3", "calcite-CaCO3-rhombohedral"],
        &["wurtzite-AlN", "wurtzite-AlN-left-handed-cell"],
        &["perovskite-CaTiO3-Pnma", "perovskite-CaTiO3-atoms-outside-the-cell"],
    ] {
        let crystals: Vec<Crystal> = (group.iter())
            .map(|name| Crystal::new(&structure(&format!("golden/{name}.extxyz")), 1e-4).unwrap())
            .collect();
        for crystal in &crystals {
            let label = |c: &Crystal| Protostructure::of(c).canonical_label().unwrap();
            assert_eq!(label(crystal), label(&crystals[0]), "{}", crystal.name);
            let volume = |c: &Crystal| c.lattice.determinant();
            assert!((volume(crystal) - volume(&crystals[0])).abs() < 1e-6, "{}", crystal.name);
        }
    }
}

#[test]
fn a_structure_without_symmetry_keeps_its_atoms() {
    let structure = structure("golden/perovskite-CaTiO3-Pnma.extxyz");
    let crystal = Crystal::without_symmetry(&structure).unwrap();
    assert_eq!(crystal.group.number, 1);
    assert_eq!(crystal.orbits.len(), structure.len());
    assert_eq!(crystal.lattice, structure.lattice);
}

#[test]
fn an_absurd_tolerance_is_refused() {
    let structure = structure("golden/rutile-TiO2.extxyz");
    for symprec in [0.0, -1.0, f64::NAN, 5.0] {
        let error = Crystal::new(&structure, symprec).unwrap_err().to_string();
        assert!(error.contains("symprec"), "{error}");
    }
}

/// Largest distance in Angstrom from an atom of `structure` to the nearest atom of its element in `atoms`, fractional
/// coordinates being compared as they are; atoms coincide modulo the translations of `group`'s lattice.
fn farthest(structure: &Structure, atoms: &[(Element, Vector3<f64>)]) -> f64 {
    let distance = |element: &Element, x: &Vector3<f64>| {
        let of_element = atoms.iter().filter(|(e, _)| e == element);
        let distances = of_element.map(|(_, y)| (structure.lattice * (x - y).map(|v| v - v.round())).norm());
        distances.fold(f64::INFINITY, f64::min)
    };
    structure.species.iter().zip(&structure.positions).map(|(e, x)| distance(e, x)).fold(0.0, f64::max)
}

/// Whether the operations of the standard setting map the cell and the atoms of a file onto themselves as they are.
fn is_standard(structure: &Structure, crystal: &Crystal) -> bool {
    let operations = &crystal.group.operations;
    let metric = structure.lattice.transpose() * structure.lattice;
    let keeps_metric = |r: &Matrix3<f64>| (r.transpose() * metric * r - metric).amax() < 0.01 * metric.amax();
    // A group without improper operations has other numbers in a left-handed cell.
    let handed = structure.lattice.determinant() > 0.0 || operations.iter().any(|o| !o.is_proper());
    handed
        && structure.len() == crystal.atom_count()
        && operations.iter().all(|o| keeps_metric(&o.rotation))
        && operations.iter().all(|o| {
            let moved = structure.species.iter().zip(&structure.positions).map(|(e, x)| (*e, o.apply(x)));
            farthest(structure, &moved.collect::<Vec<_>>()) < 0.02
        })
}

/// The structures of the tests: the campaign set, the golden crystals and those of the paper.
fn all_structures() -> Vec<Structure> {
    let mut files = campaign_files();
    for folder in [data("golden"), Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/structures")] {
        let found = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
        files.extend(found.filter(|f| f.extension().is_some_and(|e| e == "extxyz")));
    }
    files.sort();
    files.iter().map(|file| read_structure(file).unwrap()).collect()
}

#[test]
fn coordinates_are_those_of_the_file_where_its_cell_is_a_standard_cell() {
    let mut standard = 0;
    for structure in all_structures() {
        let crystal = Crystal::new(&structure, 0.01).unwrap();
        if !is_standard(&structure, &crystal) {
            continue;
        }
        standard += 1;
        let atoms: Vec<_> = crystal.atoms().collect();
        let worst = farthest(&structure, &atoms);
        assert!(worst < 0.02, "{}: {worst} Angstrom, {}", structure.name, crystal.file.transformation);
        let linear = crystal.file.transformation.linear;
        assert!(structure.lattice.determinant() < 0.0 || linear == Matrix3::identity(), "{}", structure.name);
    }
    assert!(standard > 190, "{standard}");
}

/// Atoms of a cell moved by an operation on fractional coordinates, in the basis `linear`, in another order.
fn rewritten(
    structure: &Structure,
    linear: &Matrix3<f64>,
    shift: [f64; 3],
    random: &mut Random,
) -> Structure {
    let inverse = linear.try_inverse().unwrap();
    let copies = linear.determinant().abs().round() as i32;
    let mut atoms: Vec<(Element, Vector3<f64>)> = Vec::new();
    let range = || (-copies..=copies).map(f64::from);
    for (element, x) in structure.species.iter().zip(&structure.positions) {
        for i in range() {
            for (j, k) in range().flat_map(|j| range().map(move |k| (j, k))) {
                let y =
                    (inverse * (x + Vector3::new(i, j, k)) + Vector3::from(shift)).map(|v| v.rem_euclid(1.0));
                let known = |(e, z): &(Element, Vector3<f64>)| {
                    e == element && (y - z).map(|v| v - v.round()).amax() < 1e-6
                };
                if !atoms.iter().any(known) {
                    atoms.push((*element, y));
                }
            }
        }
    }
    assert_eq!(atoms.len(), structure.len() * copies as usize);
    for i in (1..atoms.len()).rev() {
        atoms.swap(i, random.below(i + 1));
    }
    let (species, positions) = atoms.into_iter().unzip();
    Structure { lattice: structure.lattice * linear, species, positions, ..structure.clone() }
}

/// That the crystal in its file's cell is the file: same lattice, atoms in order, all to within `tolerance` Angstrom.
fn assert_round_trip(structure: &Structure, crystal: &Crystal, tolerance: f64) {
    let back = crystal.in_file_cell();
    assert_eq!(back.species, structure.species, "{}", structure.name);
    let strain = (back.lattice - structure.lattice).amax();
    assert!(strain < tolerance, "{}: {strain}", structure.name);
    let moved = (back.positions.iter().zip(&structure.positions).zip(&crystal.file.atoms))
        .map(|((a, b), atom)| {
            let distance = (structure.lattice * (a - b)).norm();
            assert!((distance - atom.moved).abs() < tolerance, "{}: {distance} {atom:?}", structure.name);
            distance
        })
        .fold(0.0, f64::max);
    assert!(moved < tolerance, "{}: {moved}", structure.name);
}

#[test]
fn a_crystal_goes_back_into_the_cell_of_its_file() {
    for structure in all_structures() {
        let crystal = Crystal::new(&structure, 0.01).unwrap();
        assert_round_trip(&structure, &crystal, 0.05);
        assert_round_trip(&structure, &Crystal::in_place(&structure, 0.01).unwrap(), 0.05);
    }
}

#[test]
fn a_crystal_in_any_cell_goes_back_into_it_and_has_one_label() {
    let mut random = Random(11);
    let cells = [
        Matrix3::new(1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        Matrix3::new(0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0),
        Matrix3::new(0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0),
        Matrix3::new(1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 1.0),
        Matrix3::from_diagonal(&Vector3::new(1.0, 2.0, 1.0)),
        Matrix3::new(1.0, -1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    ];
    let structures: Vec<Structure> = all_structures().into_iter().filter(|s| s.len() <= 12).collect();
    assert!(structures.len() > 60, "{}", structures.len());
    for (i, structure) in structures.iter().enumerate() {
        let label = |crystal: &Crystal| Protostructure::of(crystal).canonical_label().unwrap();
        // Exact, so that the same group is found in every cell.
        let exact = Crystal::new(structure, 0.01).unwrap().in_file_cell();
        let expected = Crystal::new(&exact, 1e-3).unwrap();
        for cell in [cells[i % cells.len()], cells[(i / 2 + 1) % cells.len()]] {
            let shift = [random.unit(), random.unit(), random.unit()];
            let other = rewritten(&exact, &cell, shift, &mut random);
            let crystal = Crystal::new(&other, 1e-3).unwrap();
            assert_round_trip(&other, &crystal, 1e-6);
            assert_eq!(label(&crystal), label(&expected), "{}", structure.name);
            assert!(crystal.lattice.determinant() > 0.0, "{}", structure.name);
        }
    }
}

#[test]
fn changed_coordinates_go_back_into_the_cell_of_the_file_too() {
    // A primitive cell, read from a file in an order of its own.
    let structure = structure("golden/anatase-TiO2-primitive.extxyz");
    let mut crystal = Crystal::new(&structure, 1e-3).unwrap();
    let oxygen = crystal.orbits.iter().position(|o| o.element.symbol() == "O").unwrap();
    crystal.orbits[oxygen].coordinates.z += 0.01;
    let moved = crystal.in_file_cell();
    let again = Crystal::new(&moved, 1e-3).unwrap();
    assert_eq!(again.group.number, crystal.group.number);
    assert!((again.orbits[oxygen].coordinates - crystal.orbits[oxygen].coordinates).amax() < 1e-9);
    assert_eq!(moved.species, structure.species);
    for (i, (element, x)) in moved.species.iter().zip(&moved.positions).enumerate() {
        let distance = (structure.lattice * (x - structure.positions[i])).norm();
        let expected = if element.symbol() == "O" { 0.01 * crystal.lattice.column(2).norm() } else { 0.0 };
        assert!((distance - expected).abs() < 1e-6, "{i} {element}: {distance} {expected}");
    }
}

#[test]
fn the_first_atom_of_the_file_on_the_representative_gives_the_coordinates() {
    let structure = structure("golden/rutile-TiO2.extxyz");
    let on_form = |x: &Vector3<f64>| (x.x - x.y).abs() < 1e-6 && x.z.abs() < 1e-6;
    for turn in 0..structure.len() {
        let mut turned = structure.clone();
        turned.species.rotate_left(turn);
        turned.positions.rotate_left(turn);
        let crystal = Crystal::new(&turned, 1e-3).unwrap();
        let orbit = crystal.orbits.iter().find(|o| o.name == "O1").unwrap();
        assert_eq!(crystal.group.wyckoff[orbit.position].coordinates, "x,x,0");
        let oxygen = turned.species.iter().zip(&turned.positions).filter(|(e, _)| e.symbol() == "O");
        let first = oxygen.map(|(_, x)| x).find(|x| on_form(x)).unwrap();
        assert!((orbit.coordinates.x - first.x).abs() < 1e-6, "{} {first}", orbit.coordinates);
    }
}

#[test]
fn a_crystal_without_mirrors_keeps_its_handedness_in_a_left_handed_cell() {
    let name = "campaign/structures/aflow-061-A2B_tP12_92_b_a.extxyz";
    let structure = structure(name);
    let crystal = Crystal::new(&structure, 0.01).unwrap();
    assert_eq!(crystal.group.number, 92);
    // The same crystal in a left-handed cell, and its mirror image in a right-handed one.
    let reversed = Structure {
        lattice: -structure.lattice,
        positions: structure.positions.iter().map(|x| -x).collect(),
        ..structure.clone()
    };
    let mirrored = Structure { positions: reversed.positions.clone(), ..structure.clone() };
    let same = Crystal::new(&reversed, 0.01).unwrap();
    assert_eq!(same.group.number, 92);
    assert!(same.file.transformation.linear.determinant() < 0.0);
    assert_round_trip(&reversed, &same, 0.05);
    assert_eq!(Crystal::new(&mirrored, 0.01).unwrap().group.number, 96);
}

/// A structure of one element in a cubic cell of 5 Angstrom.
fn cubic(positions: &[[f64; 3]]) -> Structure {
    Structure {
        name: "cube".into(),
        lattice: Matrix3::from_diagonal_element(5.0),
        species: vec![Element::from_symbol("Si").unwrap(); positions.len()],
        positions: positions.iter().map(|x| Vector3::from(*x)).collect(),
        declared: None,
    }
}

fn said(structure: &Structure, symprec: f64) -> Vec<String> {
    let crystal = Crystal::new(structure, symprec).unwrap();
    findings(structure, &crystal, symprec).iter().map(Finding::to_string).collect()
}

#[test]
fn what_symmetrisation_moves_and_what_it_misses_is_said() {
    // 0.03 Angstrom off the inversion centre of the other two atoms.
    let off = cubic(&[[0.006, 0.0, 0.0], [0.3, 0.2, 0.1], [-0.3, -0.2, -0.1]]);
    let at = |symprec| said(&off, symprec);
    let [higher] = &at(0.005)[..] else { panic!("{:?}", at(0.005)) };
    assert_eq!(higher, "cube: space group P 1 (1) at symprec 0.005, but P -1 (2) at symprec 0.05");
    let [moved] = &at(0.05)[..] else { panic!("{:?}", at(0.05)) };
    assert!(
        moved.contains("moves 1 of 3 atoms by more than 0.01 Angstrom; most of all atom 1 (Si), by 0.0300"),
        "{moved}"
    );
    // A shift of all atoms moves none of them, and a crystal without symmetry at any tolerance says nothing.
    let shifted = cubic(&[[0.02, 0.0, 0.01], [0.32, 0.2, 0.11], [-0.28, -0.2, -0.09]]);
    assert!(said(&shifted, 0.01).is_empty(), "{:?}", said(&shifted, 0.01));
    let none = cubic(&[[0.02, 0.0, 0.01], [0.32, 0.25, 0.11], [-0.21, -0.4, 0.37]]);
    assert!(said(&none, 0.01).is_empty(), "{:?}", said(&none, 0.01));
}

#[test]
fn a_lattice_that_symmetrisation_changes_is_said() {
    let mut nearly = cubic(&[[0.0; 3]]);
    nearly.lattice[(2, 2)] = 5.06;
    let [strained] = &said(&nearly, 0.1)[..] else { panic!("{:?}", said(&nearly, 0.1)) };
    let expected =
        "cube: symmetrisation at symprec 0.1 moves the end of the file's lattice vector c by 0.0399 Angstrom";
    assert_eq!(strained, expected);
}

/// The same structure with noise in every number, its atoms in another order.
fn shaken(structure: &Structure, noise: f64, random: &mut Random) -> Structure {
    let mut order: Vec<usize> = (0..structure.len()).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, random.below(i + 1));
    }
    let mut some = || Vector3::from_fn(|_, _| noise * (2.0 * random.unit() - 1.0));
    let lattice = structure.lattice + Matrix3::from_columns(&[some(), some(), some()]);
    let inverse = lattice.try_inverse().unwrap();
    let positions = order.iter().map(|i| structure.positions[*i] + inverse * some()).collect();
    let species = order.iter().map(|i| structure.species[*i]).collect();
    Structure { lattice, species, positions, ..structure.clone() }
}

#[test]
fn the_choice_of_the_cell_does_not_hang_on_the_last_digits_or_on_the_order_of_atoms() {
    let mut random = Random(17);
    for structure in all_structures() {
        let expected = Crystal::new(&structure, 0.01).unwrap();
        let shaken = shaken(&structure, 1e-6, &mut random);
        let found = Crystal::new(&shaken, 0.01).unwrap();
        if found.group.number != expected.group.number {
            continue;
        }
        let (a, b) = (&found.file.transformation, &expected.file.transformation);
        assert!((a.linear - b.linear).amax() < 1e-6, "{}: {a}, not {b}", structure.name);
        let apart = b.linear.try_inverse().unwrap() * (a.shift - b.shift);
        let same = expected
            .group
            .operations
            .iter()
            .any(|o| o.is_translation() && (apart - o.translation).map(|v| v - v.round()).amax() < 1e-3);
        assert!(same, "{}: {a}, not {b}", structure.name);
    }
}

#[test]
fn a_group_that_is_not_the_one_declared_is_said() {
    let mut structure = structure("golden/rutile-TiO2.extxyz");
    let declare = |text: &str, number| Some(DeclaredGroup { text: text.into(), number });
    structure.declared = declare("P 42/m n m", 136);
    assert!(said(&structure, 0.01).is_empty());
    structure.declared = declare("P m m n", 59);
    let expected = "rutile-TiO2: the file states space group P m m n (59), and its atoms have P 4_2/m n m (136) at \
                    symprec 0.01";
    assert_eq!(said(&structure, 0.01), [expected]);
}

#[test]
fn noise_that_hides_a_group_is_said() {
    let mut random = Random(5);
    let exact = structure("golden/anatase-TiO2-body-centred.extxyz");
    let number = Crystal::new(&exact, 0.01).unwrap().group.number;
    for _ in 0..20 {
        let mut noisy = exact.clone();
        let inverse = noisy.lattice.try_inverse().unwrap();
        for x in &mut noisy.positions {
            *x += inverse * Vector3::from_fn(|_, _| 0.012 * (random.unit() - 0.5));
        }
        if Crystal::new(&noisy, 0.002).unwrap().group.number == number {
            continue;
        }
        let said = said(&noisy, 0.002).join("\n");
        assert!(said.contains(&format!("({number}) at symprec")), "{said}");
    }
}

#[test]
fn a_tolerance_at_which_no_search_ends_is_refused() {
    let mut long = cubic(&[[0.0; 3]]);
    long.lattice = Matrix3::from_diagonal(&Vector3::new(2.6, 3.7, 115.0));
    let error = Crystal::new(&long, 0.5).unwrap_err().to_string();
    assert!(error.contains("symprec 0.5 is too large for this cell"), "{error}");
    assert!(said(&long, 0.05).is_empty());
}
