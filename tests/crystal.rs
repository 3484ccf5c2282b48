//! Structure readers: known crystals in all formats, refusals, and whatever else a file may hold.

use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use nalgebra::{Matrix3, Vector3};
use s2dpes::crystal::{
    Format, ReadError, Structure, read_structure, read_structures, read_structures_as, to_extxyz,
};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/structures").join(name)
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(data(name)).unwrap()
}

/// Reads a text as if it were a file of this name.
fn read_text(name: &str, text: impl AsRef<[u8]>) -> Result<Vec<Structure>, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    read_structures(&path)
}

/// The refusal of a text, from the file's name on.
fn refusal(name: &str, text: impl AsRef<[u8]>) -> String {
    let message = read_text(name, text).unwrap_err().to_string();
    message[message.rfind(name).unwrap()..].to_string()
}

/// Asserts the atoms up to order and whole cells, to `tolerance` in fractional coordinates.
fn assert_atoms(structure: &Structure, expected: &[(&str, [f64; 3])], tolerance: f64) {
    assert_eq!(structure.len(), expected.len(), "{}", structure.name);
    for (symbol, position) in expected {
        let found = structure.species.iter().zip(&structure.positions).any(|(element, p)| {
            let away = (p - Vector3::from(*position)).map(|x| x - x.round()).amax();
            element.symbol() == *symbol && away <= tolerance
        });
        assert!(found, "{symbol} {position:?} is not in {structure:?}");
    }
}

const RUTILE: [(&str, [f64; 3]); 6] = [
    ("Ti", [0.0, 0.0, 0.0]),
    ("Ti", [0.5, 0.5, 0.5]),
    ("O", [0.305, 0.305, 0.0]),
    ("O", [-0.305, -0.305, 0.0]),
    ("O", [0.805, 0.195, 0.5]),
    ("O", [0.195, 0.805, 0.5]),
];

#[test]
fn rutile_is_the_same_crystal_in_every_file() {
    for name in [
        "rutile.cif",
        "syntax.cif",
        "POSCAR_rutile",
        "CONTCAR",
        "volume.vasp",
        "vasp4.poscar",
        "POSCAR.names",
        "blocks.vasp",
        "rutile.extxyz",
        "numbers.xyz",
        "plain.xyz",
    ] {
        let structure = read_structure(&data(name)).unwrap();
        assert_atoms(&structure, &RUTILE, 1e-9);
        let lattice = Matrix3::from_diagonal(&Vector3::new(4.594, 4.594, 2.959));
        assert!((structure.lattice - lattice).amax() < 1e-9, "{name}: {}", structure.lattice);
    }
}

#[test]
fn every_name_of_a_space_group_gives_all_atoms() {
    let rutile = text_of("rutile.cif");
    for name in [
        "_symmetry_space_group_name_H-M P42/mnm",
        "_symmetry_space_group_name_H-M 'P 4_2/m 2_1/n 2/m'",
        "_space_group_name_H-M_alt 'P4(2)/mnm'",
        "_space_group.name_H-M_alt 'P 4~2~/m n m'",
        "_space_group_name_Hall '-P 4n 2n'",
        "_symmetry_space_group_name_Hall -P_4n_2n",
        "_space_group_IT_number 136",
        "_symmetry_Int_Tables_number 136",
        "_space_group_name_H-M_alt ? _space_group_name_Hall '-P 4n 2n'",
    ] {
        let text = rutile.replace("_symmetry_space_group_name_H-M 'P 42/m n m'", name);
        assert_ne!(text, rutile);
        assert_atoms(&read_text("rutile.cif", text).unwrap()[0], &RUTILE, 1e-15);
    }
}

#[test]
fn thirds_of_a_hexagonal_cell_are_exact() {
    let zincite = read_structure(&data("wurtzite.cif")).unwrap();
    let (third, two_thirds) = (1.0 / 3.0, 2.0 / 3.0);
    let expected = [
        ("Zn", [third, two_thirds, 0.0]),
        ("Zn", [two_thirds, third, 0.5]),
        ("O", [third, two_thirds, 0.382]),
        ("O", [two_thirds, third, 0.882]),
    ];
    assert_atoms(&zincite, &expected, 1e-15);
    let half_root_three = 0.75_f64.sqrt();
    let lattice = [3.25, 0.0, 0.0, -1.625, 3.25 * half_root_three, 0.0, 0.0, 0.0, 5.207];
    assert!((zincite.lattice - Matrix3::from_column_slice(&lattice)).amax() < 1e-15);
    // Three digits are not enough to tell a third; the threefold axis through the site is.
    let graphite = read_structure(&data("graphite.cif")).unwrap();
    let expected = [
        ("C", [0.0, 0.0, 0.25]),
        ("C", [0.0, 0.0, 0.75]),
        ("C", [third, two_thirds, 0.25]),
        ("C", [two_thirds, third, 0.75]),
    ];
    assert_atoms(&graphite, &expected, 1e-15);
}

#[test]
fn the_cell_selects_the_rhombohedral_setting() {
    let expected = |x: f64| {
        let mut atoms = vec![("Ca", [0.0; 3]), ("Ca", [0.5; 3]), ("C", [0.25; 3]), ("C", [0.75; 3])];
        // Wyckoff position 6e of group 167 in rhombohedral axes.
        for (u, v) in [(x, 0.25), (-x, 0.75)] {
            let w = 0.5 - u;
            atoms.extend([("O", [u, w, v]), ("O", [v, u, w]), ("O", [w, v, u])]);
        }
        atoms
    };
    let calcite = read_structure(&data("calcite.cif")).unwrap();
    assert_atoms(&calcite, &expected(0.5068), 1e-12);
    assert!((calcite.volume() - 122.63).abs() < 0.1);
    let named = text_of("calcite.cif").replace("R -3 c", "R -3 c :R");
    assert_atoms(&read_text("calcite.cif", named).unwrap()[0], &expected(0.5068), 1e-12);
    let hexagonal = text_of("calcite.cif").replace("R -3 c", "R -3 c :H");
    assert!(
        refusal("calcite.cif", hexagonal).starts_with("calcite.cif:9: the cell does not have the symmetry")
    );
}

#[test]
fn monoclinic_settings_are_told_by_their_glides() {
    let structures = read_structures(&data("monoclinic.cif")).unwrap();
    let b_unique = [[0.1, 0.2, 0.35], [0.4, 0.7, 0.15], [-0.1, -0.2, -0.35], [0.6, 0.3, 0.85]];
    let c_unique = [[0.1, 0.2, 0.35], [-0.1, 0.3, 0.85], [-0.1, -0.2, -0.35], [0.1, 0.7, 0.15]];
    for (structure, positions) in structures.iter().zip([b_unique, c_unique]) {
        assert_atoms(structure, &positions.map(|position| ("Si", position)), 1e-12);
    }
    assert!((structures[0].lattice[(0, 2)] - 7.3 * 101_f64.to_radians().cos()).abs() < 1e-12);
    assert!((structures[1].lattice[(0, 1)] - 6.2 * 101_f64.to_radians().cos()).abs() < 1e-12);
}

#[test]
fn both_origin_choices_of_diamond_give_diamond() {
    let diamond = |symbol: &str, x: f64| {
        format!(
            "data_C\n_cell_length_a 3.567\n_cell_length_b 3.567\n_cell_length_c 3.567\n_cell_angle_alpha 90\n\
             _cell_angle_beta 90\n_cell_angle_gamma 90\n_space_group_name_H-M_alt '{symbol}'\n_atom_site_label C\n\
             _atom_site_fract_x {x}\n_atom_site_fract_y {x}\n_atom_site_fract_z {x}\n"
        )
    };
    for (symbol, x) in [
        ("F d -3 m :1", 0.0),
        ("F d -3 m :2", 0.125),
        ("Fd-3mZ", 0.125),
        ("F d 3 m S", 0.0),
        ("F d -3 m", 0.0),
    ] {
        let structure = &read_text("C.cif", diamond(symbol, x)).unwrap()[0];
        let face = [[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]];
        let both = face
            .into_iter()
            .flat_map(|p| [p.map(|t| t + x), p.map(|t| t + x + if x == 0.0 { 0.25 } else { 0.75 })]);
        assert_atoms(structure, &both.map(|p| ("C", p)).collect::<Vec<_>>(), 1e-12);
    }
}

#[test]
fn elements_come_from_types_and_labels() {
    let text = text_of("wurtzite.cif").replace("Zn2+", "D").replace("O2-", "?");
    assert_eq!(read_text("DO.cif", &text).unwrap()[0].formula(), "H2O2");
    let unclear = text.replace("O1 ?", "Wat ?");
    assert!(refusal("DO.cif", &unclear).starts_with("DO.cif:16: site Wat has no single clear element"));
    let dummy = text.replace("type_symbol", "calc_flag").replace("O1 ?", "Cg1 dum").replace("Zn1 D", "Zn1 d");
    assert_eq!(read_text("Zn.cif", &dummy).unwrap()[0].formula(), "Zn2");
}

#[test]
fn frames_and_blocks_are_read_in_order_and_named() {
    let names = |name: &str| -> Vec<String> {
        read_structures(&data(name)).unwrap().into_iter().map(|structure| structure.name).collect()
    };
    assert_eq!(names("frames.extxyz"), ["frames-0", "frames-1", "frames-2"]);
    assert_eq!(names("monoclinic.cif"), ["monoclinic-n", "monoclinic-b"]);
    assert_eq!(names("syntax.cif"), ["syntax"]);
    assert_eq!(names("CONTCAR"), ["CONTCAR"]);
    assert_eq!(names("POSCAR.names"), ["POSCAR.names"]);
    assert_eq!(names("vasp4.poscar"), ["vasp4"]);
    let block = text_of("graphite.cif");
    let named = |text: String| -> Vec<String> {
        read_text("C.CIF", text).unwrap().into_iter().map(|structure| structure.name).collect()
    };
    assert_eq!(named(format!("{block}\n{block}")), ["C-graphite-1", "C-graphite-2"]);
    let other = block.replace("data_graphite", "data_../x");
    assert_eq!(named(format!("{block}\n{other}")), ["C-graphite", "C-.._x"]);
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn names_tell_the_format_and_are_without_it() {
    let text = |file: &str| text_of(file).into_bytes();
    for (file, names) in [
        (
            "POSCAR_rutile",
            [
                ("POSCAR", "POSCAR"),
                ("CONTCAR", "CONTCAR"),
                ("x.vasp", "x"),
                ("x.poscar", "x"),
                ("x.CONTCAR", "x"),
                ("TiO2_POSCAR", "TiO2_POSCAR"),
                ("TiO2-contcar", "TiO2-contcar"),
                ("POSCAR-001", "POSCAR-001"),
                ("POSCAR_x", "POSCAR_x"),
                ("POSCAR.x", "POSCAR.x"),
            ]
            .as_slice(),
        ),
        ("rutile.cif", &[("x.cif", "x"), ("x.y.CIF", "x.y")]),
        ("rutile.extxyz", &[("x.xyz", "x"), ("x.extxyz", "x")]),
    ] {
        for (name, stem) in names {
            for (name, bytes) in [
                (name.to_string(), text(file)),
                (format!("{name}.gz"), compressed(&text(file))),
                (format!("{name}.GZ"), compressed(&text(file))),
            ] {
                let structure = &read_text(&name, bytes).unwrap()[0];
                assert_eq!(
                    (structure.name.as_str(), structure.formula().as_str()),
                    (*stem, "O4Ti2"),
                    "{name}"
                );
            }
        }
    }
    for name in ["x.txt", "x", "x.gz", "x.cif.bz2", "x.cif.zip", "MYPOSCAR", ".cif"] {
        assert!(matches!(read_text(name, ""), Err(ReadError::UnknownFormat { .. })), "{name}");
    }
}

#[test]
fn a_format_overrules_the_name() {
    let folder = tempfile::tempdir().unwrap();
    for (file, format) in [("rutile.cif", "cif"), ("POSCAR_rutile", "poscar"), ("rutile.extxyz", "extxyz")] {
        for name in ["x.txt", "x.cif", "x"] {
            let path = folder.path().join(name);
            std::fs::copy(data(file), &path).unwrap();
            let format: Format = format.parse().unwrap();
            assert_eq!(
                read_structures_as(&path, Some(format)).unwrap()[0].formula(),
                "O4Ti2",
                "{file} as {name}"
            );
            assert_eq!(format.to_string().parse(), Ok(format));
        }
    }
    assert_eq!(
        "CIF".parse::<Format>(),
        Err("there is no format `CIF`; write cif, poscar or extxyz".to_string())
    );
}

#[test]
fn broken_and_boundless_archives_are_refused() {
    let whole = compressed(&text_of("rutile.cif").into_bytes());
    assert!(refusal("x.cif.gz", &whole[..whole.len() / 2]).starts_with("x.cif.gz: cannot be decompressed: "));
    let bomb = compressed(&vec![b'#'; 80 << 20]);
    assert!(bomb.len() < 100_000);
    assert_eq!(
        refusal("x.cif.gz", bomb),
        "x.cif.gz: holds more than 64 MiB once decompressed; give a file with fewer structures"
    );
}

#[test]
fn flat_cells_are_refused_before_anything_is_reduced() {
    for (third, first) in
        [("5 0 1e-300", "11.509994584064216 0 0"), ("1e-9 0 5", "1e-9 0 5"), ("0 0 0", "5 0 0")]
    {
        let text = format!("x\n1.0\n{first}\n0 5 0\n{third}\nW\n1\nDirect\n0 0 0\n");
        assert!(refusal("POSCAR", text).starts_with("POSCAR:5: the lattice vectors lie (almost) in a plane"));
    }
}

#[test]
fn one_structure_is_asked_for_and_several_are_refused() {
    let refused = |name: &str| read_structure(&data(name)).unwrap_err().to_string();
    let several = refused("frames.extxyz");
    assert!(several.ends_with(
        "frames.extxyz: holds 3 structures; one is needed here: keep one frame and delete the others"
    ));
    assert!(
        refused("monoclinic.cif").contains("holds 2 structures; one is needed here: keep one data block")
    );
    assert!(refused("absent.cif").contains("absent.cif: cannot be read: "));
    for name in ["rutile.txt", "POSCAR.bz2", "rutile", ".."] {
        assert!(refused(name).contains("s2dpes reads CIF (*.cif), VASP (POSCAR*"), "{name}");
    }
}

#[test]
fn a_left_handed_lattice_stays_as_it_is() {
    let structure = read_structure(&data("skewed.extxyz")).unwrap();
    assert!(structure.lattice.determinant() < 0.0);
    assert_eq!(structure.lattice, Matrix3::new(4.0, 1.0, 0.0, 0.0, 4.0, 1.0, 0.0, 0.0, -4.0));
    let expected = structure.lattice.try_inverse().unwrap() * Vector3::new(2.5, 2.5, -2.0);
    assert!((structure.positions[1] - expected).amax() < 1e-15);
}

#[test]
fn a_written_structure_reads_back() {
    for name in ["calcite.cif", "CONTCAR", "skewed.extxyz"] {
        let written = read_structure(&data(name)).unwrap();
        let read = read_text("x.extxyz", to_extxyz(&written)).unwrap().remove(0);
        assert_eq!((&read.lattice, &read.species), (&written.lattice, &written.species));
        for (a, b) in read.positions.iter().zip(&written.positions) {
            assert!((a - b).amax() < 1e-15, "{name}: {a} {b}");
        }
    }
}

/// Asserts what a file's refusal says once `old` in it has become `new`.
fn assert_refusals(name: &str, cases: &[(&str, &str, &str)]) {
    let text = text_of(name);
    for (old, new, expected) in cases {
        assert!(text.contains(old), "{name} lacks {old}");
        let message = refusal(name, text.replacen(old, new, 1));
        assert!(message.starts_with(&format!("{name}{expected}")), "{message}");
        assert!(!message.contains('\n') && message.len() < 300, "{message}");
    }
}

#[test]
fn a_bad_site_of_a_cif_is_refused_with_its_line_and_a_way_out() {
    let disordered = refusal("W2N3.cif", text_of("disordered.cif"));
    assert_eq!(
        disordered,
        "W2N3.cif:16: site O3 has occupancy 0.5; s2dpes needs ordered crystals: choose one ordering and write \
         it as its own file"
    );
    assert_refusals(
        "disordered.cif",
        &[
            ("O3 0.5 0.5", "O3 1 ?", ":16: site O3 has no position; give its coordinates, or delete it"),
            ("O3 0.5 0.5", "O3 1 1e999", ":16: site O3 has coordinate `1e999`; write a fraction"),
            ("O3 0.5 0.5", "O3 many 0", ":16: site O3 has occupancy `many`; write a number"),
            (
                "O3 0.5 0.5 0.5 0.5",
                "O3 1 0.01 0.99 0",
                ":16: sites W1 and O3 have atoms 0.059 Angstrom apart",
            ),
            ("O3 0.5 0.5 0.5 0.5", "O3 1 0 0", ":16: the loop of _atom_site_label ends 4 values into a row"),
            ("_atom_site_fract_z", "_z", ":1: the atoms have no _atom_site_fract_z; add it to their loop"),
            (
                "_atom_site_fract_x",
                "_atom_site_Cartn_x",
                ": holds no fractional atom positions; it has Carte",
            ),
            ("data_", "data_x\n;", ":2: the text field is never closed by a line with `;`"),
        ],
    );
}

#[test]
fn a_bad_cell_or_symmetry_of_a_cif_is_refused_with_its_line_and_a_way_out() {
    let angles = "90\n_cell_angle_beta 90";
    assert_refusals(
        "disordered.cif",
        &[
            ("alpha 90", "alpha ?", ":1: data block `disordered` has no _cell_angle_alpha; add it"),
            ("alpha 90", "alpha 180", ":7: angles 180, 90 and 90 do not close a cell; correct them"),
            (angles, "120\n_cell_angle_beta 20", ":7: angles 120, 20 and 90 do not close a cell"),
            ("gamma 90", "gamma 0", ":7: _cell_angle_gamma must be a positive number, not `0`"),
            ("_c 4.2", "_c inf", ":4: _cell_length_c must be a positive number, not `inf`"),
            ("_c 4.2", "_c 0.01", ":7: the lattice vectors lie (almost) in a plane"),
            ("_c 4.2", "_c 4e9", ":7: lattice vector c is longer than 10000 Angstrom"),
            (
                "x,y,z",
                "x,y,w",
                ":8: `x,y,w` is no symmetry operation; write it like '-x, y+1/2, -z', in quotes",
            ),
            ("x,y,z", "'y,z+1/4,x'", ":8: 2 symmetry operations make no group; list all of them"),
            ("x,y,z", "x-y,x,z", ":8: `x-y,x,z` is no symmetry of the cell; correct it"),
            ("_space_group_symop_operation_xyz", "_x", ":1: data block `disordered` has neither symmetry"),
        ],
    );
    let symbol = "P 42/m n m";
    assert_refusals(
        "rutile.cif",
        &[
            (symbol, "P 42/n n n", ":10: space group `P 42/n n n` is not in the tables; list its operations"),
            (symbol, "F m -3 m", ":10: the cell does not have the symmetry of space group `F m -3 m`"),
            (
                "\nloop_",
                " _space_group_IT_number 1\nloop_",
                ":10: the space group number 1 and, in line 10, the Hermann-Mauguin symbol `P 42/m n m` (number 136)",
            ),
            (
                "\nloop_",
                " _symmetry_equiv_pos_as_xyz x,y,z\nloop_",
                ":10: space group `P 42/m n m` is number 136, and the 1 symmetry operations listed from line 10 on make number 1",
            ),
            ("_occupancy\n", "_occupancy\nO2 -0.305 -0.305 0 1\n", ":19: sites O2 and O1 have atoms 0.000"),
        ],
    );
}

#[test]
fn a_bad_poscar_is_refused_with_its_line_and_a_way_out() {
    assert_refusals(
        "POSCAR_rutile",
        &[
            ("1.0\n", "0.0\n", ":2: the scale must be one factor, minus a volume or three positive factors"),
            ("1.0\n", "1 -1 1\n", ":2: the scale must be one factor"),
            ("1.0\n", "nan\n", ":2: the scale must be one factor"),
            ("0 0 2.959", "0 2.959", ":5: the third lattice vector needs three numbers, not `0 2.959`"),
            ("0 0 2.959", "4.594 0 1e-300", ":5: the lattice vectors lie (almost) in a plane"),
            ("0 0 2.959", "4.594 0 0", ":5: the lattice vectors lie (almost) in a plane"),
            ("Ti O", "Ti Ox", ":6: `Ox` is no element; write one symbol for each block of atoms"),
            ("Ti O", "Ti", ":7: 2 atom counts follow 1 element symbols; write one count for each symbol"),
            (
                "Ti O\n",
                "",
                ":6: the 2 atom counts come without elements; insert a line with one symbol for each",
            ),
            ("2 4", "2 1000000000000", ":7: holds more than 10000 atoms; give a smaller cell"),
            ("2 4", "2 99999999999999999999999", ":7: holds more than 10000 atoms"),
            ("2 4", "2 0", ":7: an atom count is 0; delete it and its element symbol"),
            ("2 4", "2 5", ":15: the file ends before the position of atom 7 of 7; give the complete file"),
            ("Direct", "Fractional", ":8: `Fractional` stands where `Direct` or `Cartesian` must"),
            (
                "-0.305 -0.305 0",
                "-0.305 inf 0",
                ":12: atom 4 of 6 needs three coordinates, not `-0.305 inf 0`",
            ),
            (
                "-0.305 -0.305 0",
                "1.305 0.305 1",
                ": atoms 3 (O) and 4 (O) are 0.0000 Angstrom apart; delete one",
            ),
            ("-0.305 -0.305 0", "1e7 0 0", ": atom 4 (O) lies more than 1000000 cells away"),
        ],
    );
    assert_refusals("vasp4.poscar", &[("Ti2 O4", "Ti4 O2", ":6: "), ("Ti2 O4", "Ti O or N", ":6: ")]);
    assert_refusals("POSCAR.names", &[("# Ti2", "# O", ":6: "), ("# Ti2", "", ":6: ")]);
}

#[test]
fn a_bad_extxyz_is_refused_with_its_line_and_a_way_out() {
    let water = refusal("open.xyz", text_of("open.xyz"));
    assert!(
        water.starts_with(
            "open.xyz:2: the comment has no Lattice; add Lattice=\"ax ay az bx by bz cx cy cz\""
        )
    );
    assert_refusals(
        "rutile.extxyz",
        &[
            ("6\n", "six\n", ":1: a frame starts with its atom count, not `six`"),
            ("6\n", "7\n", ":8: the file ends before the last of 7 atoms; give the complete file"),
            ("6\n", "1000000000000\n", ":1: holds more than 10000 atoms; give a smaller cell"),
            ("6\n", "0\n", ":1: holds no atom; add at least one"),
            ("T T T", "T T F", ":2: pbc is `T T F`, not \"T T T\"; s2dpes maps crystals that are periodic"),
            ("2.959", "1e999", ":2: Lattice needs nine numbers, ax ay az bx by bz cx cy cz, not `4.594"),
            ("2.959", "0.0", ":2: the lattice vectors lie (almost) in a plane"),
            ("pos:R:3", "pos:R", ":2: Properties must read name:type:count:..., not `species:S:1:pos:R`"),
            ("pos:R:3", "pos:R:9999999999999999999999", ":2: Properties must read name:type:count"),
            ("pos:R:3", "positions:R:3", ":2: Properties has no positions; add pos:R:3 in Angstrom"),
            ("species:S:1", "name:S:1", ":2: Properties has no elements; add species:S:1, or Z:I:1"),
            ("Ti ", "Ti 7 ", ":3: the line holds 5 columns and Properties 4; make them agree"),
            ("Ti ", "Xx ", ":3: `Xx` is no element; write one of H to Og"),
            ("2.29700000", "nan", ":4: a position needs three finite numbers, not `Ti "),
            ("6\n", "5\n", ":8: a frame starts with its atom count, not `O "),
        ],
    );
    assert!(refusal("empty.xyz", "\n\n").starts_with("empty.xyz: holds no structure"));
}
