//! POSCAR and extended XYZ.

use super::*;

pub const POSCAR: &str = "1.0\n4.594 0 0\n0 4.594 0\n0 0 2.959\nTi O\n2 4\nDirect\n0 0 0\n0.5 0.5 0.5\n0.305 0.305 0\n\
    0.695 0.695 0\n0.805 0.195 0.5\n0.195 0.805 0.5\n";

#[test]
fn prose_and_flags_are_no_elements() {
    let four = |comment: &str| format!("{comment}\n{}", POSCAR.replace("Ti O\n", ""));
    for (comment, wanted) in [
        ("Ti O", "O4Ti2"),
        ("Ti2 O4", "O4Ti2"),
        ("Ti2 O2", "!:6: "),
        (
            "Ti O rutile",
            "!:6: the 2 atom counts come without elements; insert a line with one symbol for each",
        ),
        ("As relaxed", "!:6: "),
        ("In a box", "!:6: "),
        ("I am W", "!:6: "),
        ("Ti2O4", "!:6: "),
        ("", "!:6: "),
    ] {
        assert_answer("POSCAR", &four(comment), wanted);
    }
    let rutile = format!("rutile\n{POSCAR}");
    for (old, new, wanted) in [
        (
            "0.5 0.5 0.5",
            "0.5 0.5 0.5 T T F",
            "!:10: `T T F` are flags, and no line `Selective dynamics` announces them",
        ),
        ("0.5 0.5 0.5", "0.5 0.5 0.5 .TRUE. .FALSE. .true.", "!:10: "),
        ("0 0 0\n0.5 0.5 0.5", "0 0 0 F F F\n0.5 0.5 0.5 F F F", "!:9: "),
        ("0.5 0.5 0.5", "0.5 0.5 0.5 T", "!:10: "),
        (
            "Direct",
            "Selective dynamics\nDirect",
            "!:10: atom 1 of 6 has no three flags in `0 0 0`; write T or F",
        ),
        ("2 4", "2 4 1.5", "!:7: `1.5` is no atom count"),
        ("Ti O", "Ti1 O1", "!:6: `Ti1` is no element"),
        ("Ti O", "Ti_pv/0a1b O", "O4Ti2"),
    ] {
        assert_answer("POSCAR", &rutile.replacen(old, new, 1), wanted);
    }
    // One letter after the coordinates of every line names fluorine.
    let named = four("fluoride").replace("\n2 4\n", "\n6\n");
    let (head, sites) = named.split_once("Direct\n").unwrap();
    let fluorine: String = sites.lines().map(|line| format!("{line} F\n")).collect();
    assert_answer("POSCAR", &format!("{head}Direct\n{fluorine}"), "F6");
}

#[test]
fn a_file_with_a_second_structure_is_refused() {
    let rutile = format!("rutile\n{POSCAR}");
    let velocities = "0.001 0 -0.002\n".repeat(6);
    for (rest, wanted) in [
        ("", "O4Ti2".to_string()),
        ("\n  \n\n", "O4Ti2".to_string()),
        (&format!("\n{velocities}"), "O4Ti2".to_string()),
        (&format!("Cartesian\n{velocities}"), "O4Ti2".to_string()),
        (
            &format!("\n{velocities}\n 1\n0.5\n0 0 0 0\n{velocities}{velocities}{velocities}"),
            "O4Ti2".to_string(),
        ),
        (&format!("Lattice velocities and vectors\n1\n{velocities}\n{velocities}"), "O4Ti2".to_string()),
        (
            &rutile,
            "!:15: `rutile` follows the positions and is no velocity; delete it, or split the file"
                .to_string(),
        ),
        (&format!("\n{POSCAR}"), "!:16: `1.0` follows the positions".to_string()),
        ("Direct configuration=     2\n0 0 0\n", "!:15: `Direct configuration=     2` follows".to_string()),
        (&format!("\n{velocities}{rutile}"), "!:22: `rutile` follows".to_string()),
        ("0.1 0.2 0.3\n", "!:15: `0.1 0.2 0.3` follows".to_string()),
        ("\n0.1 0.2 0.3\n", "!:17: the file ends before the last velocity".to_string()),
    ] {
        assert_answer("POSCAR", &format!("{rutile}{rest}"), &wanted);
    }
    let configurations = rutile.replace("Direct", "Direct configuration=     1");
    assert_answer("POSCAR", &configurations, "O4Ti2");
}

#[test]
fn an_extended_xyz_is_of_one_ordered_crystal() {
    let lattice = "Lattice=\"4.1 0 0 1.3 4.6 0 0.4 0.9 5.2\"";
    for (comment, wanted) in [
        ("", "O"),
        (
            "occupancy=\"_JSON {\\\"0\\\": {\\\"O\\\": 0.5}}\"",
            "!:2: `occupancy` is `_JSON {\"0\": {\"O\": 0.5}}`; s2dpes needs ordered",
        ),
        ("occupancy=\"_JSON {\\\"0\\\": {\\\"O\\\": 1.0}}\"", "O"),
        ("occupancies=0.5", "!:2: `occupancies` is `0.5`"),
        ("occupancies=\"1 1.0\"", "O"),
        ("occupancy=\"_JSON {broken\"", "!:2: "),
        ("disorder_group=1", "!:2: `disorder_group` is `1`"),
        ("disorder=F", "O"),
        ("move_mask=F energy=-1 Energy=-2", "O"),
        ("Lattice=\"4 0 0 0 4 0 0 0 4\"", "!:2: `Lattice` is in the comment twice; keep one"),
        ("lattice=\"4 0 0 0 4 0 0 0 4\"", "!:2: `lattice` is in the comment twice"),
        (
            "Properties=species:S:1:pos:R:3 Properties=pos:R:3:species:S:1",
            "!:2: `Properties` is in the comment twice",
        ),
        ("energy=1 energy=2", "!:2: `energy` is in the comment twice"),
    ] {
        assert_answer("x.xyz", &format!("1\n{lattice} {comment}\nO 0 0 0\n"), wanted);
    }
    for (properties, atom, wanted) in [
        ("species:S:1:pos:R:3:occupancies:R:1", "O 0 0 0 1.0", "O"),
        (
            "species:S:1:pos:R:3:occupancies:R:1",
            "O 0 0 0 0.5",
            "!:3: the atom has occupancy or disorder `0.5`",
        ),
        ("species:S:1:pos:R:3:disorder:I:1", "O 0 0 0 2", "!:3: the atom has occupancy or disorder `2`"),
        ("species:S:1:pos:R:3:move_mask:L:1", "O 0 0 0 F", "O"),
        ("species:S:1:pos:R:3:pos:R:3", "O 0 0 0 1 1 1", "!:2: Properties has `pos` twice"),
    ] {
        assert_answer("x.xyz", &format!("1\n{lattice} Properties={properties}\n{atom}\n"), wanted);
    }
    let frame = format!("1\n{lattice}\nO 0 0 0\n");
    assert_eq!(read("x.xyz", format!("{frame}{frame}")).unwrap().len(), 2);
    assert_answer("x.xyz", &format!("{frame}O 1 1 1\n"), "!:4: a frame starts with its atom count...; ");
}
