//! Smallest physical distances: what a crystal caps, what the file keeps of it, and other thresholds afterwards.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::write_model;
use s2dpes::config::parse_thresholds;
use s2dpes::crystal::{Element, read_structure};
use s2dpes::landscape::{DistanceCost, Thresholds};
use s2dpes::store::Results;
use s2dpes::symmetry::Crystal;

/// Lattice constants and positions of olivine as neutrons see them (Streltsov et al., Acta Cryst. B 49, 147 (1993)): its
/// P-O are shorter than 0.75 (r_P + r_O).
const LIFEPO4: &str = "data_LiFePO4
_cell_length_a 10.332
_cell_length_b 6.010
_cell_length_c 4.692
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P n m a'
loop_
_symmetry_equiv_pos_as_xyz
'x,y,z'
'-x+1/2,-y,z+1/2'
'-x,y+1/2,-z'
'x+1/2,-y+1/2,-z+1/2'
'-x,-y,-z'
'x+1/2,y,-z+1/2'
'x,-y+1/2,z'
'-x+1/2,y+1/2,z+1/2'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Li1 Li 0 0 0
Fe1 Fe 0.2822 0.25 0.9747
P1 P 0.0948 0.25 0.4182
O1 O 0.0968 0.25 0.7428
O2 O 0.4571 0.25 0.2060
O3 O 0.1656 0.0465 0.2848
";

const CAMPAIGN: &str = "[campaign]
output = \"result.h5\"
[[model]]
name = \"tiny\"
file = \"all-elements.model\"
[[structure]]
file = \"LiFePO4.cif\"
[[structure.landscape]]
axes = [ { dof = \"O1.x\", points = 8 }, { dof = \"O1.z\", points = 6 } ]
";

struct Setting(tempfile::TempDir);

impl Setting {
    fn new() -> Setting {
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), "all-elements");
        std::fs::write(folder.path().join("LiFePO4.cif"), LIFEPO4).unwrap();
        Setting(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Standard error of a command that must end with a code.
    fn s2dpes(&self, arguments: &[&str], code: i32) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s2dpes"));
        let Output { status, stderr, .. } =
            command.current_dir(self.0.path()).env("S2DPES_LOG", "info").args(arguments).output().unwrap();
        let log = String::from_utf8(stderr).unwrap();
        assert!(status.code() == Some(code) && !log.contains("panicked"), "{arguments:?}: {status} {log}");
        log
    }

    /// Runs a campaign with more lines; returns the log and what the file holds.
    fn run(&self, more: &str) -> (String, Results) {
        std::fs::write(self.path("campaign.toml"), format!("{CAMPAIGN}{more}")).unwrap();
        let log = self.s2dpes(&["run", "campaign.toml", "--restart"], 0);
        (log, Results::open(&self.path("result.h5")).unwrap())
    }

    fn svg(&self, options: &[&str]) -> String {
        self.s2dpes(&[&["plot", "result.h5", "-o", "x.svg"], options].concat(), 0);
        std::fs::read_to_string(self.path("x.svg")).unwrap()
    }
}

fn element(symbol: &str) -> Element {
    Element::from_symbol(symbol).unwrap()
}

const NAME: (&str, &str) = ("LiFePO4", "O1.x-O1.z");

#[test]
fn the_figures_of_the_paper_keep_its_thresholds() {
    for name in ["W2N3", "AlTiN3", "Cu2O8S4"] {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("configs/structures/{name}_chgnet.extxyz"));
        let crystal = Crystal::new(&read_structure(&file).unwrap(), 0.01).unwrap();
        let caps = Thresholds::default().capped_by(&crystal).unwrap();
        assert_eq!(caps.caps().count(), 0, "{name}");
        assert_eq!(caps, Thresholds::default(), "{name}");
    }
}

#[test]
fn an_input_structure_caps_its_bonds_and_this_is_said_and_stored() {
    let setting = Setting::new();
    let (log, results) = setting.run("");
    assert!(log.contains("LiFePO4: P-O counts as too close below 1.508 instead of 1.540 Angstrom"), "{log}");
    let landscape = results.landscape(NAME.0, NAME.1).unwrap();
    let paper = Thresholds::default();
    for pair in &landscape.pair_distances {
        let (a, b) = pair.elements;
        assert_eq!(pair.uncapped, paper.minimum(a, b).unwrap());
        match (a, b) == (element("O"), element("P")) {
            true => assert!((pair.minimum - 0.99 * 1.52316).abs() < 1e-4, "{pair:?}"),
            false => assert_eq!(pair.minimum, pair.uncapped),
        }
    }
    assert_eq!(landscape.pair_distances.len(), 10);
    assert!(landscape.distance_cost.contains(&0.0));
    // The input itself has no cost.
    let geometry = results.geometry(NAME.0, NAME.1).unwrap();
    let capped = paper.capped_by(&geometry.crystal).unwrap();
    let input: Vec<f64> = landscape.axes.iter().map(|axis| axis.reference).collect();
    let at_input =
        |thresholds| DistanceCost::new(&geometry.crystal, &geometry.axes, thresholds).unwrap().at(&input);
    assert_eq!(at_input(&capped).cost, 0.0);
    assert!(at_input(&paper).cost > 0.0);
    assert!(setting.svg(&[]).contains("distance cost &gt; 0 (P-O from 1.51 Å)"));
}

#[test]
fn a_campaign_can_do_without_caps_and_pairs_that_are_given_have_none() {
    let setting = Setting::new();
    let (log, results) = setting.run("[distance]\ncap = false\n");
    let landscape = results.landscape(NAME.0, NAME.1).unwrap();
    assert!(!log.contains("instead of") && landscape.distance_cost.iter().all(|cost| *cost > 0.0));
    assert!(landscape.pair_distances.iter().all(|pair| pair.minimum == pair.uncapped));
    // Nothing is free of cost: the energies are drawn all the same, with the pair that is to blame.
    let svg = setting.svg(&[]);
    assert!(svg.contains("all points masked: P-O\u{a0}1.52"), "{svg}");
    let (_, results) = setting.run("[distance]\npairs = { \"O-P\" = 1.53 }\n");
    let pair = |p: &&s2dpes::store::PairDistance| p.elements == (element("O"), element("P"));
    let pairs = results.landscape(NAME.0, NAME.1).unwrap().pair_distances;
    assert_eq!(pairs.iter().find(pair).unwrap().minimum, 1.53);
    let (_, results) = setting.run("[distance]\nscale = 0.76\n");
    let pairs = results.landscape(NAME.0, NAME.1).unwrap().pair_distances;
    assert!((pairs.iter().find(pair).unwrap().minimum - 0.99 * 1.52316).abs() < 1e-4, "scales are capped");
}

#[test]
fn distances_computed_again_are_those_of_the_run() {
    let setting = Setting::new();
    for more in ["", "[distance]\nscale = 0.6\nradii = { P = 1.4 }\ncap = false\n"] {
        let (_, results) = setting.run(more);
        let landscape = results.landscape(NAME.0, NAME.1).unwrap();
        let geometry = results.geometry(NAME.0, NAME.1).unwrap();
        let thresholds = parse_thresholds(&results.campaign().unwrap(), results.path()).unwrap();
        let thresholds = thresholds.capped_by(&geometry.crystal).unwrap();
        let separations = geometry.separations(&thresholds).unwrap();
        for (i, representative) in landscape.models[0].irreducible_index.iter().enumerate() {
            let again = &separations[*representative as usize];
            assert_eq!(again.cost.to_bits(), landscape.distance_cost[i].to_bits(), "{i}");
            assert_eq!(again.minimum.to_bits(), landscape.minimum_distance[i].to_bits(), "{i}");
            assert!((separations[i].cost - again.cost).abs() < 1e-9);
        }
    }
}

#[test]
fn pictures_take_other_thresholds_without_another_run() {
    let setting = Setting::new();
    let before = std::fs::read(setting.run("[distance]\ncap = false\n").1.path()).unwrap();
    let is_masked = |svg: &str| svg.contains("class=\"masked\"");
    let cap = setting.svg(&["--cap"]);
    assert!(cap.contains("(P-O from 1.51 Å)") && !cap.contains("all points masked"));
    assert!(setting.svg(&["--no-cap"]).contains("all points masked"));
    let scaled = setting.svg(&["--distance-scale", "0.7"]);
    assert!(scaled.contains("(0.7 × radii)") && is_masked(&scaled) && !scaled.contains("all points masked"));
    assert!(!is_masked(&setting.svg(&["--distance-scale", "0"])));
    let pair = setting.svg(&["--distance-pair", "O-P=1.4", "--distance-pair", "Li-O=1"]);
    assert!(pair.contains("P-O from 1.4 Å, O-Li from 1 Å") && !pair.contains("all points masked"));
    for (options, reason) in [
        (&["--distance-scale", "-1"][..], "a number from 0 to 100, not -1"),
        (&["--distance-pair", "P-Oxygen=1"], "`Oxygen` is not an element"),
        (&["--distance-pair", "P-O"], "e.g. P-O=1.4"),
        (&["--cap", "--no-cap"], "cannot be used with"),
    ] {
        let options = [&["plot", "result.h5", "-o", "x.svg"], options].concat();
        let options: Vec<String> =
            options.iter().map(|o| o.replace("--distance-scale", "--distance-scale=")).collect();
        let joined = options.join(" ").replace("= ", "=");
        let log = setting.s2dpes(&joined.split(' ').collect::<Vec<_>>(), 2);
        assert!(log.contains(reason), "{log}");
    }
    assert!(std::fs::read(setting.path("result.h5")).unwrap() == before, "the file is untouched");
}

/// Changes something of a result file.
fn tampered(setting: &Setting, change: &dyn Fn(&hdf5::Group) -> hdf5::Result<()>) -> PathBuf {
    // Another test may be starting a process, which holds the locks of this one for a moment.
    let count = std::fs::read_dir(setting.path("")).unwrap().count();
    let copy = setting.path(&format!("tampered-{count}.h5"));
    std::fs::copy(setting.path("result.h5"), &copy).unwrap();
    let file = hdf5::File::open_rw(&copy).unwrap();
    change(&file.group(NAME.0).unwrap()).unwrap();
    copy
}

fn set_text(location: &hdf5::Location, name: &str, value: &str) -> hdf5::Result<()> {
    let value: hdf5::types::VarLenUnicode = value.parse().map_err(|_| "text")?;
    location.delete_attr(name)?;
    location.new_attr::<hdf5::types::VarLenUnicode>().create(name)?.write_scalar(&value)
}

/// Puts one number in the place of a dataset.
fn one_number(group: &hdf5::Group, name: &str) -> hdf5::Result<()> {
    group.unlink(name)?;
    group.new_dataset::<f64>().shape(1).create(name)?.write_raw(&[0.5])
}

fn set_axes(structure: &hdf5::Group, value: &str) -> hdf5::Result<()> {
    let landscape = structure.group(NAME.1)?;
    set_text(&landscape, "axes", value)
}

#[test]
fn files_that_contradict_themselves_are_errors() {
    let setting = Setting::new();
    setting.run("");
    let replace = |name: &'static str, value: i32| {
        move |group: &hdf5::Group| {
            group.delete_attr(name)?;
            group.new_attr::<i32>().create(name)?.write_scalar(&value)
        }
    };
    // Files of earlier versions have whole numbers as text.
    let text = tampered(&setting, &|g| set_text(g, "hall_number", "292"));
    let geometry = Results::open(&text).unwrap().geometry(NAME.0, NAME.1).unwrap();
    let input = read_structure(&setting.path("LiFePO4.cif")).unwrap();
    let back = geometry.crystal.in_file_cell();
    assert_eq!(back.species, input.species, "the way back into the file's cell");
    assert!(back.positions.iter().zip(&input.positions).all(|(a, b)| (a - b).amax() < 1e-9));
    assert!((back.lattice - input.lattice).amax() < 1e-9);
    type Change<'a> = &'a dyn Fn(&hdf5::Group) -> hdf5::Result<()>;
    let changes: [(Change, &str); 17] = [
        (&replace("hall_number", 9999), "there is no Hall number 9999"),
        (&replace("hall_number", 1), "is not of space group 62"),
        (&|g| set_text(g, "hall_number", "many"), "no whole number"),
        (&|g| g.dataset("lattice")?.write_raw(&[0.0; 9]), "`lattice` holds no three independent vectors"),
        (
            &|g| g.dataset("lattice")?.write_raw(&[f64::NAN; 9]),
            "`lattice` holds no three independent vectors",
        ),
        (&|g| g.dataset("atomic_number")?.write_raw(&[0_u32; 28]), "is of no element"),
        (&|g| g.dataset("orbit")?.write_raw(&[u32::MAX; 28]), "has no atom"),
        (&|g| g.dataset("orbit_multiplicity")?.write_raw(&[3_u32; 6]), "has another multiplicity"),
        (&|g| g.dataset("orbit_coordinates")?.write_raw(&[f64::INFINITY; 18]), "no fractions"),
        (&|g| g.dataset("orbit_coordinates")?.write_raw(&[0.3; 18]), "its positions are not those"),
        (&|g| g.dataset("transformation")?.write_raw(&[1.0; 9]), "`transformation` holds no three"),
        (&|g| g.dataset("file_atom_index")?.write_raw(&[28_u32; 28]), "atoms that the crystal does not have"),
        (&|g| one_number(g, "file_atom_moved"), "differ in length"),
        (&|g| one_number(g, "origin_shift"), "has no three numbers"),
        (&|g| set_axes(g, "O1.x from 0 to 1"), "is no axis"),
        (&|g| set_axes(g, "O1.y from 0 to 1 in 8 points"), "not a free coordinate"),
        (&|g| set_axes(g, "O1.x from 0 to 1 in 9 points"), "are not those of"),
    ];
    for (change, reason) in changes {
        let file = tampered(&setting, change);
        let error = Results::open(&file).unwrap().geometry(NAME.0, NAME.1).unwrap_err().to_string();
        assert!(
            error.contains(reason) && error.contains("LiFePO4/O1.x-O1.z cannot be rebuilt"),
            "{reason}: {error}"
        );
        let path = file.to_str().unwrap();
        setting.s2dpes(&["plot", path, "--distance-scale", "0.5", "-o", "y.svg"], 2);
    }
}
