//! What a CIF calls its space group: names that must agree, origins that are left open.

use super::*;

/// The sixteen operations of rutile.
pub const OPERATIONS: &str = "loop_\n_space_group_symop_operation_xyz\nx,y,z\n-x,-y,z\n-y+1/2,x+1/2,z+1/2\ny+1/2,-x+1/2,z+1/2\n\
    -x+1/2,y+1/2,-z+1/2\nx+1/2,-y+1/2,-z+1/2\ny,x,-z\n-y,-x,-z\n-x,-y,-z\nx,y,-z\ny+1/2,-x+1/2,-z+1/2\n\
    -y+1/2,x+1/2,-z+1/2\nx+1/2,-y+1/2,z+1/2\n-x+1/2,y+1/2,z+1/2\n-y,-x,z\ny,x,z";

#[test]
fn names_of_the_group_agree() {
    let hall = "_space_group_name_Hall '-P 4n 2n'";
    let cases = [
        (format!("{SYMBOL}\n{hall}\n_space_group_IT_number 136\n{OPERATIONS}"), "O4Ti2"),
        (format!("{OPERATIONS}\n{SYMBOL}"), "O4Ti2"),
        // Unknown names are no contradiction.
        (format!("{SYMBOL}\n_space_group_name_Hall ?\n_space_group_IT_number ."), "O4Ti2"),
        (format!("_symmetry_space_group_name_H-M 'P mine'\n{OPERATIONS}"), "O4Ti2"),
        (
            format!("{SYMBOL}\n_space_group_name_Hall 'P 1'"),
            "!:9: the Hall symbol `P 1` (number 1) and, in line 8, the Hermann-Mauguin symbol `P 42/m n m` (number 136) contradict",
        ),
        (
            format!("{hall}\n_symmetry_space_group_name_H-M 'P 1'"),
            "!:8: the Hall symbol `-P 4n 2n` (number 136) and, in line 9, ",
        ),
        (
            format!("{SYMBOL}\n_space_group_IT_number 1"),
            "!:9: the space group number 1 and, in line 8, the Hermann",
        ),
        (
            format!("{hall}\n_symmetry_Int_Tables_number 137"),
            "!:9: the space group number 137 and, in line 8, the Hall",
        ),
        (
            format!("{SYMBOL}\n_space_group_name_H-M_alt 'P 42/m b c'"),
            "!:8: the Hermann-Mauguin symbol `P 42/m n m`...in line 9",
        ),
        (
            "_symmetry_Int_Tables_number 136\n_space_group_IT_number 135".to_string(),
            "!:8: the space group number 136 and, in line 9, the space group number 135",
        ),
        (
            format!("_symmetry_space_group_name_H-M 'P 1'\n{OPERATIONS}"),
            "!:8: space group `P 1` is number 1, and the 16 symmetry operations listed from line 11 on make number 136",
        ),
        (
            format!("{SYMBOL}\n_symmetry_equiv_pos_as_xyz x,y,z"),
            "!:8: space group `P 42/m n m` is number 136, and the 1 symmetry",
        ),
        (
            format!("_space_group_IT_number 135\n{OPERATIONS}"),
            "!:8: space group `135` is number 135, and the 16",
        ),
        (
            format!("{OPERATIONS}\n_symmetry_equiv_pos_as_xyz x,y,z"),
            "!:10: the symmetry operations listed here and in line 26 differ",
        ),
        ("_space_group_IT_number 231".to_string(), "!:8: space group `231` is not in the tables"),
        (
            "_symmetry_space_group_name_H-M 'P 42/n n n'".to_string(),
            "!:8: space group `P 42/n n n` is not in the tables",
        ),
    ];
    for (before, wanted) in &cases {
        assert_rutile(&[(before.as_str(), wanted)]);
    }
    // Settings differ although the group is the same.
    let monoclinic = |names: &str| {
        format!(
            "data_x\n_cell_length_a 5.1\n_cell_length_b 6.2\n_cell_length_c 7.3\n_cell_angle_alpha 90\n_cell_angle_beta 101\n\
             _cell_angle_gamma 90\n{names}\nloop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n\
             _atom_site_fract_z\nSi1 0.1 0.2 0.35\n"
        )
    };
    for (names, wanted) in [
        ("_space_group_name_H-M_alt 'P 21/n'\n_space_group_IT_number 14", "Si4"),
        ("_space_group_name_H-M_alt 'P 21/n'\n_space_group_name_Hall '-P 2yn'", "Si4"),
        (
            "_space_group_name_H-M_alt 'P 21/c'\n_space_group_name_Hall '-P 2yn'",
            "!:9: ...name different settings",
        ),
        (
            "_space_group_name_H-M_alt 'P 21/n'\n_symmetry_space_group_name_H-M 'P 21/c'",
            "!:9: ...name different settings",
        ),
    ] {
        assert_answer("x.cif", &monoclinic(names), wanted);
    }
}

#[test]
fn a_number_does_not_stand_in_for_a_symbol_that_the_tables_lack() {
    let text = |names: &str| {
        format!(
            "data_a\n_cell_length_a 8.15\n_cell_length_b 12.8\n_cell_length_c 7.12\n_cell_angle_alpha 93.5\n\
             _cell_angle_beta 116\n_cell_angle_gamma 90.2\n{names}\nloop_\n_atom_site_label\n_atom_site_fract_x\n\
             _atom_site_fract_y\n_atom_site_fract_z\nSi1 0.1 0.2 0.3\n"
        )
    };
    let refused = "!:8: space group `C -1` is not in the tables; list its operations";
    for (names, wanted) in [
        ("_symmetry_space_group_name_H-M 'C -1'\n_symmetry_Int_Tables_number 2", refused),
        ("_symmetry_space_group_name_H-M 'C -1'", refused),
        (
            "_space_group_name_Hall '-F 1'\n_space_group_IT_number 2",
            "!:8: space group `-F 1` is not in the tables",
        ),
        ("_symmetry_space_group_name_H-M 'P -1'\n_symmetry_Int_Tables_number 2", "Si2"),
        (
            "_symmetry_space_group_name_H-M 'C -1'\n_symmetry_Int_Tables_number 2\nloop_\n_symmetry_equiv_pos_as_xyz\n\
             x,y,z\n-x,-y,-z\nx+1/2,y+1/2,z\n-x+1/2,-y+1/2,-z",
            "Si4",
        ),
    ] {
        assert_answer("albite.cif", &text(names), wanted);
    }
}

#[test]
fn what_is_not_understood_is_not_left_out() {
    let operations = |more: &str| format!("loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n{more}\n");
    assert_rutile(&[
        (&operations("?"), "!:11: `?` is no symmetry operation"),
        (&operations("'-x,-y,-z+'"), "!:11: `-x,-y,-z+` is no symmetry operation"),
        (
            &format!("{SYMBOL}\n_cell_modulation_dimension 1"),
            "!:9: _cell_modulation_dimension tells of a magnetic or",
        ),
        (
            "_symmetry_space_group_name_H-M 'P 1'\nloop_\n_space_group_symop_magn_operation.xyz\n-x,-y,-z,+1",
            "!:10: _space_group_symop_magn_operation_xyz tells",
        ),
    ]);
    for number in ["0.305(x", "0.305()", "0.305(-3)", "0.305(2)junk"] {
        let text = rutile(SYMBOL, "", "Ti1 0 0 0", &format!("O1 {number} 0.305 0"));
        assert_answer("r.cif", &text, "!:16: site O1 has coordinate");
    }
    assert_answer("r.cif", &rutile(SYMBOL, "", "Ti1 0 0 0", "O1 0.305(12) 0.305 0"), "O4Ti2");
    let xyz = |number: usize| {
        format!("1\nLattice=\"5 0 0 0 5 0 0 0 5\" Properties=species:S:1:pos:R:3:Z:I:1\nNa 0 0 0 {number}\n")
    };
    assert_answer("x.xyz", &xyz(11), "Na");
    assert_answer("x.xyz", &xyz(17), "!:3: Na and atomic number `17` contradict each other");
}

#[test]
fn the_declared_group_is_kept() {
    let declared = |before: &str| {
        let text = rutile(before, "", "Ti1 0 0 0", "O1 0.305 0.305 0");
        read("r.cif", text).unwrap().remove(0).declared.map(|declared| (declared.text, declared.number))
    };
    assert_eq!(declared(SYMBOL), Some(("P 42/m n m".to_string(), 136)));
    assert_eq!(
        declared(&format!("_space_group_IT_number 136\n{SYMBOL}")),
        Some(("P 42/m n m".to_string(), 136))
    );
    assert_eq!(declared("_space_group_IT_number 136"), Some(("136".to_string(), 136)));
    assert_eq!(declared(OPERATIONS), None);
    let frame = |pairs: &str| {
        let text = format!("1\nLattice=\"4 0 0 0 5 0 0 0 6\" {pairs}\nSi 0 0 0\n");
        read("x.xyz", text).unwrap().remove(0).declared.map(|declared| declared.number)
    };
    assert_eq!(frame("spacegroup=\"P n m a\" unit_cell=conventional"), Some(62));
    assert_eq!(frame("spacegroup=62"), Some(62));
    assert_eq!(frame("spacegroup=\"my own\""), None);
    assert_eq!(frame(""), None);
}

/// A cubic or tetragonal crystal told by a symbol that names no origin.
pub fn with_origin(symbol: &str, [a, c]: [f64; 2], before: &str, sites: &str) -> String {
    format!(
        "data_x\n_cell_length_a {a}\n_cell_length_b {a}\n_cell_length_c {c}\n_cell_angle_alpha 90\n_cell_angle_beta 90\n\
         _cell_angle_gamma 90\n_symmetry_space_group_name_H-M '{symbol}'\n{before}\nloop_\n_atom_site_label\n\
         _atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n{sites}\n"
    )
}

#[test]
fn an_origin_is_decided_or_asked_for() {
    let spinel = [8.08, 8.08];
    let anatase = [3.785, 9.514];
    for (symbol, cell, before, sites, wanted) in [
        (
            "F d -3 m",
            spinel,
            "",
            "Mg1 0.125 0.125 0.125\nAl1 0.5 0.5 0.5\nO1 0.2624 0.2624 0.2624",
            "Al16Mg8O32",
        ),
        ("F d -3 m", spinel, "", "Mg1 0 0 0\nAl1 0.625 0.625 0.625\nO1 0.3874 0.3874 0.3874", "Al16Mg8O32"),
        ("F d -3 m", [3.567, 3.567], "", "C1 0 0 0", "C8"),
        ("F d -3 m", [3.567, 3.567], "", "C1 0.125 0.125 0.125", "C8"),
        ("F d -3 m", [5.431, 5.431], "_chemical_formula_sum Si\n_cell_formula_units_Z 8", "Si1 0 0 0", "Si8"),
        ("I 41/a m d", anatase, "", "Ti1 0 0 0\nO1 0 0 0.2081", "O8Ti4"),
        (
            "I 41/a m d",
            anatase,
            "_chemical_formula_sum 'O2 Ti'\n_cell_formula_units_Z 4",
            "Ti1 0 0.75 0.125\nO1 0 0.75 0.3331",
            "O8Ti4",
        ),
        ("P 4/n m m", [3.77, 5.52], "", "Fe1 0.75 0.25 0\nSe1 0.25 0.25 0.267", "Fe2Se2"),
        ("P 4/n m m", [3.77, 5.52], "", "Fe1 0 0 0\nSe1 0 0.5 0.267", "Fe2Se2"),
        ("P 4/n m m (origin choice 2)", [3.77, 5.52], "", "Fe1 0.75 0.25 0\nSe1 0.25 0.25 0.267", "Fe2Se2"),
        // Nothing tells these two from one another.
        (
            "P 4/n m m",
            [9.0, 9.0],
            "",
            "Fe1 0 0 0",
            "!:8: space group `P 4/n m m` leaves the setting open: origin choice 1 gives Fe2...write 'P 4/n m m:1' or 'P 4/n m m:2'",
        ),
        ("P 4/n m m", [9.0, 9.0], "_chemical_formula_sum Fe\n_cell_formula_units_Z 2", "Fe1 0 0 0", "Fe2"),
        ("P 4/n m m", [9.0, 9.0], "_chemical_formula_sum Fe\n_cell_formula_units_Z 4", "Fe1 0 0 0", "Fe4"),
        (
            "P 4/n m m",
            [9.0, 9.0],
            "_chemical_formula_sum Fe\n_cell_formula_units_Z 3",
            "Fe1 0 0 0",
            "!:10: with origin choice 1, ...with origin choice 2, ",
        ),
    ] {
        assert_answer("x.cif", &with_origin(symbol, cell, before, sites), wanted);
    }
    let multiplicity = |n: usize| {
        with_origin("P 4/n m m", [9.0, 9.0], "", "Fe1 0 0 0")
            .replace("fract_z\n", "fract_z\n_atom_site_symmetry_multiplicity\n")
            .replace("Fe1 0 0 0", &format!("Fe1 0 0 0 {n}"))
    };
    assert_answer("x.cif", &multiplicity(2), "Fe2");
    assert_answer("x.cif", &multiplicity(4), "Fe4");
}
