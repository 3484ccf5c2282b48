//! What the result file tells of its structures.

use s2dpes::config::DEFAULT_SYMPREC;
use s2dpes::symmetry::Crystal;

use super::*;

/// Opens a group of a result file.
fn group(file: &hdf5::File, name: &str) -> hdf5::Group {
    file.group(name).unwrap()
}

#[test]
fn the_file_tells_of_its_structures_in_numbers() {
    use nalgebra::{Matrix3, Vector3};
    let setting = Setting::new();
    let primitive = "anatase-TiO2-primitive.extxyz";
    std::fs::copy(data(&format!("golden/{primitive}")), setting.path(primitive)).unwrap();
    let text = CAMPAIGN.replace("perovskite-CaTiO3-Pnma.extxyz", primitive);
    let axes = "axes = [ { dof = \"Ca1.x\", points = 10 }, { dof = \"Ca1.z\", points = 12 } ]";
    setting.run(&text.replace(axes, "axes = [ { dof = \"O1.z\", points = 4 } ]")).unwrap();
    let stored = Results::open(&setting.path("result.h5")).unwrap().geometry("CaTiO3", "O1.z").unwrap();
    let file = hdf5::File::open(setting.path("result.h5")).unwrap();
    let structure = group(&file, "CaTiO3");
    let integer = |group: &hdf5::Group, name: &str| group.attr(name).unwrap().read_scalar::<i64>().unwrap();
    assert_eq!(integer(&structure, "space_group_number"), 141);
    assert_eq!(integer(&structure, "hall_number"), 426);
    let surface = group(&file, "CaTiO3/O1.z/tiny");
    assert_eq!((integer(&surface, "points_per_tile"), integer(&surface, "numerics")), (16, 1));
    let texts = |name: &str| {
        let texts = structure.dataset(name).unwrap().read_raw::<hdf5::types::VarLenUnicode>().unwrap();
        texts.iter().map(ToString::to_string).collect::<Vec<String>>()
    };
    assert_eq!(texts("orbit_representative"), ["0,0,z", "0,0,0"]);
    let floats = |name: &str| structure.dataset(name).unwrap().read_raw::<f64>().unwrap();
    // Every operation maps every atom onto an atom of its element.
    let rotations: Vec<i32> = structure.dataset("rotation").unwrap().read_raw().unwrap();
    let elements: Vec<u32> = structure.dataset("atomic_number").unwrap().read_raw().unwrap();
    let (translations, positions) = (floats("translation"), floats("position"));
    let places: Vec<Vector3<f64>> = positions.chunks(3).map(Vector3::from_column_slice).collect();
    assert_eq!((rotations.len(), translations.len()), (32 * 9, 32 * 3));
    let same = |a: Vector3<f64>, b: &Vector3<f64>| (a - b).map(|v| v - v.round()).amax() < 1e-6;
    for (rotation, translation) in rotations.chunks(9).zip(translations.chunks(3)) {
        let rotation = Matrix3::from_row_slice(rotation).map(f64::from);
        for (i, x) in places.iter().enumerate() {
            let image = rotation * x + Vector3::from_column_slice(translation);
            assert!((0..12).any(|j| elements[i] == elements[j] && same(image, &places[j])));
        }
    }
    // The atoms of the file, found by the transformation.
    let read = s2dpes::crystal::read_structure(&setting.path(primitive)).unwrap();
    let vectors = |name: &str| Matrix3::from_column_slice(&floats(name));
    assert_eq!(vectors("file_lattice"), read.lattice);
    let (linear, shift) = (vectors("transformation"), Vector3::from_column_slice(&floats("origin_shift")));
    let metric = |lattice: Matrix3<f64>| lattice.transpose() * lattice;
    assert!((metric(read.lattice * linear) - metric(vectors("lattice"))).amax() < 1e-6);
    for (element, x) in read.species.iter().zip(&read.positions) {
        let in_file =
            |j: &usize| same(linear * places[*j] + shift, x) && elements[*j] as usize == element.number();
        assert!((0..12).any(|j| in_file(&j)), "{element} {x}");
    }
    // The crystal that is rebuilt is the one that was stored, and goes back into the file's cell.
    let crystal = Crystal::new(&read, DEFAULT_SYMPREC).unwrap();
    assert_eq!(stored.crystal.file.atoms, crystal.file.atoms);
    let (back, expected) = (stored.crystal.in_file_cell(), crystal.in_file_cell());
    assert_eq!((back.lattice, &back.positions), (expected.lattice, &expected.positions));
    assert!(back.positions.iter().zip(&read.positions).all(|(a, b)| (a - b).amax() < 1e-3));
}

#[test]
fn a_file_whose_numbers_are_text_is_gone_on_with() {
    let setting = Setting::new();
    setting.run(CAMPAIGN).unwrap();
    {
        let file = hdf5::File::open_rw(setting.path("result.h5")).unwrap();
        for (name, attribute, value) in
            [("CaTiO3", "space_group_number", "62"), ("CaTiO3/Ca1.x-Ca1.z/tiny", "numerics", "1")]
        {
            let group = group(&file, name);
            group.delete_attr(attribute).unwrap();
            let text: hdf5::types::VarLenUnicode = value.parse().unwrap();
            group
                .new_attr::<hdf5::types::VarLenUnicode>()
                .create(attribute)
                .unwrap()
                .write_scalar(&text)
                .unwrap();
        }
    }
    let outcome = setting.run(CAMPAIGN).unwrap();
    assert_eq!(outcome.tiles_resumed, outcome.tiles_done);
}
