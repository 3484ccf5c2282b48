//! CIFs of all tabulated settings of the space groups, written from the tables and read back.

use std::path::Path;

use moyo::MoyoDataset;
use moyo::base::{AngleTolerance, Cell, Lattice, Operation};
use moyo::data::{
    HallSymbolEntry, Setting, hall_symbol_entry, iter_wyckoff_positions_from_hall_number,
    operations_from_number,
};
use nalgebra::{Matrix3, Vector3};
use s2dpes::crystal::{Element, Structure, read_structure};

mod common;

/// A site of a CIF: element, position, multiplicity, letter.
struct Site {
    symbol: &'static str,
    position: Vector3<f64>,
    multiplicity: usize,
    letter: char,
}

/// A tabulated setting with a cell that it allows and two sites in it.
struct Example {
    entry: HallSymbolEntry,
    operations: Vec<Operation>,
    lattice: Matrix3<f64>,
    sites: Vec<Site>,
}

fn image(operation: &Operation, x: &Vector3<f64>) -> Vector3<f64> {
    operation.rotation.map(f64::from) * x + operation.translation
}

/// Length of a fractional difference once rounded into the cell, in Angstrom.
fn length(lattice: &Matrix3<f64>, difference: Vector3<f64>) -> f64 {
    (lattice * difference.map(|x| x - x.round())).norm()
}

/// The distinct images of a position.
fn orbit(operations: &[Operation], lattice: &Matrix3<f64>, x: &Vector3<f64>) -> Vec<Vector3<f64>> {
    let mut orbit: Vec<Vector3<f64>> = Vec::new();
    for operation in operations {
        let image = image(operation, x);
        if orbit.iter().all(|other| length(lattice, image - other) > 1e-6) {
            orbit.push(image);
        }
    }
    orbit
}

/// Lattice vectors, a along x and b in the xy plane, of the mean of a metric over the operations.
fn allowed_lattice(operations: &[Operation]) -> Matrix3<f64> {
    #[rustfmt::skip]
    let any = Matrix3::new(
        17.0, 1.1, 1.7,
        0.0, 19.0, 1.4,
        0.0, 0.0, 21.0,
    );
    let metric = any.transpose() * any;
    let turned = |o: &Operation| {
        let rotation = o.rotation.map(f64::from);
        rotation.transpose() * metric * rotation
    };
    let mean = operations.iter().map(turned).sum::<Matrix3<f64>>() / operations.len() as f64;
    mean.cholesky().expect("a metric").l().transpose()
}

/// The value of a Wyckoff position's coordinates such as `x,2x+1/4,0`.
fn at(coordinates: &str, u: [f64; 3]) -> Vector3<f64> {
    let term = |term: &str| -> f64 {
        let (factor, variable) = match term.find(['x', 'y', 'z']) {
            Some(i) => (&term[..i], u["xyz".find(&term[i..]).unwrap()]),
            None => (term, 1.0),
        };
        let factor = match factor.trim_end_matches('*') {
            "" => 1.0,
            "-" => -1.0,
            ratio => match ratio.split_once('/') {
                Some((a, b)) => a.parse::<f64>().unwrap() / b.parse::<f64>().unwrap(),
                None => ratio.parse().unwrap(),
            },
        };
        factor * variable
    };
    let row = |row: &str| -> f64 {
        row.replace(' ', "").replace('-', "+-").split('+').filter(|t| !t.is_empty()).map(term).sum()
    };
    Vector3::from_iterator(coordinates.split(',').map(row))
}

impl Example {
    fn new(hall_number: i32) -> Example {
        let entry = hall_symbol_entry(hall_number).unwrap();
        let operations =
            operations_from_number(entry.number, Setting::HallNumber(hall_number), false).unwrap();
        let lattice = allowed_lattice(&operations);
        let apart = |a: &[Vector3<f64>], b: &[Vector3<f64>]| {
            a.iter().all(|x| b.iter().all(|y| length(&lattice, x - y) > 1.9))
        };
        let wyckoff: Vec<_> = iter_wyckoff_positions_from_hall_number(hall_number).collect();
        let grid = || {
            (0..216).map(|k| {
                [
                    0.043 + 0.157 * (k / 36) as f64,
                    0.071 + 0.149 * (k / 6 % 6) as f64,
                    0.117 + 0.153 * (k % 6) as f64,
                ]
            })
        };
        let special = wyckoff.last().unwrap();
        let find = |coordinates: &str, others: &[Vector3<f64>]| {
            let positions = grid().map(|u| at(coordinates, u));
            let mut free = positions.filter(|x| {
                let orbit = orbit(&operations, &lattice, x);
                // One image stands for all.
                apart(&orbit[..1], &orbit[1..]) && apart(&orbit[..1], others)
            });
            free.next().unwrap_or_else(|| panic!("no room in Hall number {hall_number}"))
        };
        let second = find(special.coordinates, &[]);
        let first = find(wyckoff[0].coordinates, &orbit(&operations, &lattice, &second));
        let site = |symbol, position, wyckoff: &moyo::data::WyckoffPosition| Site {
            symbol,
            position,
            multiplicity: wyckoff.multiplicity,
            letter: wyckoff.letter,
        };
        let sites = vec![site("O", first, wyckoff[0]), site("Ti", second, special)];
        Example { entry, operations, lattice, sites }
    }

    /// A CIF whose symmetry is told by `names`, with or without what the tables say of the sites.
    fn cif(&self, names: &str, wyckoff: bool) -> String {
        let g = self.lattice.transpose() * self.lattice;
        let [a, b, c] = [0, 1, 2].map(|i| g[(i, i)].sqrt());
        let angle = |i: usize, j: usize| (g[(i, j)] / (g[(i, i)] * g[(j, j)]).sqrt()).acos().to_degrees();
        let (alpha, beta, gamma) = (angle(1, 2), angle(0, 2), angle(0, 1));
        let mut text = format!(
            "data_x\n_cell_length_a {a:.9}\n_cell_length_b {b:.9}\n_cell_length_c {c:.9}\n_cell_angle_alpha {alpha:.9}\n\
             _cell_angle_beta {beta:.9}\n_cell_angle_gamma {gamma:.9}\n{names}\n"
        );
        if wyckoff {
            let [o, ti] = [0, 1].map(|i| self.sites[i].multiplicity);
            text += &format!("_chemical_formula_sum 'O{o} Ti{ti}'\n_cell_formula_units_Z 1\n");
        }
        text += "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n";
        if wyckoff {
            text += "_atom_site_symmetry_multiplicity\n_atom_site_Wyckoff_symbol\n";
        }
        for Site { symbol, position: x, multiplicity, letter } in &self.sites {
            text += &format!("{symbol}1 {:.12} {:.12} {:.12}", x.x, x.y, x.z);
            text += &if wyckoff { format!(" {multiplicity} {letter}\n") } else { "\n".to_string() };
        }
        text
    }

    /// Panics unless the atoms are those of the tables.
    fn compare(&self, structure: &Structure, what: &str) {
        let atoms: usize = self.sites.iter().map(|site| site.multiplicity).sum();
        assert_eq!(structure.len(), atoms, "{what}");
        for site in &self.sites {
            for operation in &self.operations {
                let x = image(operation, &site.position);
                let found = structure.species.iter().zip(&structure.positions).any(|(element, position)| {
                    element.symbol() == site.symbol && length(&self.lattice, x - position) < 1e-5
                });
                assert!(found, "{what}: {} {x}", site.symbol);
            }
        }
    }
}

/// An operation as files list it, `-y+1/2, x, z+1/4`.
fn written(operation: &Operation) -> String {
    let row = |i: usize| {
        let mut text = String::new();
        for (j, variable) in ["x", "y", "z"].into_iter().enumerate() {
            match operation.rotation[(i, j)] {
                0 => {}
                1 => text += &format!("+{variable}"),
                _ => text += &format!("-{variable}"),
            }
        }
        match (operation.translation[i] * 24.0).round() as i32 {
            0 => {}
            t => text += &format!("{}{}/24", if t > 0 { "+" } else { "" }, t),
        }
        text
    };
    format!("{}, {}, {}", row(0), row(1), row(2))
}

fn read(folder: &Path, text: &str) -> Result<Structure, String> {
    let path = folder.join("x.cif");
    std::fs::write(&path, text).unwrap();
    read_structure(&path).map_err(|error| error.to_string())
}

#[test]
fn every_setting_reads_back_by_each_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = 0;
    for hall_number in 1..=530 {
        let example = Example::new(hall_number);
        let entry = &example.entry;
        // `C m m e` is `C m m a`; nothing but its Hall symbol or code names `C m m b`.
        let choice = |entry: &HallSymbolEntry| entry.setting.chars().next().filter(|c| "12HR".contains(*c));
        let same = |other: &HallSymbolEntry| other.hm_full == entry.hm_full && choice(other) == choice(entry);
        let shared = (1..hall_number).filter_map(hall_symbol_entry).any(|other| same(&other));
        let list: Vec<String> = example.operations.iter().map(|o| format!("'{}'\n", written(o))).collect();
        let list = format!("loop_\n_symmetry_equiv_pos_as_xyz\n{}", list.concat());
        let hall = entry.hall_symbol.replace('^', "'").replace('=', "\"");
        let suffix = match entry.setting.chars().next() {
            Some(choice @ ('1' | '2' | 'H' | 'R')) => format!(":{choice}"),
            _ => String::new(),
        };
        let symbol = format!("_space_group_name_H-M_alt '{}{suffix}'", entry.hm_full);
        let number = format!("_space_group_IT_number {}", entry.number);
        let code = if entry.setting.is_empty() { "abc" } else { entry.setting };
        let code = format!("{number}\n_space_group_IT_coordinate_system_code {code}");
        let hall = format!("_space_group_name_Hall\n;{hall}\n;");
        for names in [
            list.clone(),
            hall.clone(),
            symbol.clone(),
            code.clone(),
            format!("{list}{symbol}\n{hall}\n{number}"),
        ] {
            if shared && names == symbol {
                continue;
            }
            for wyckoff in [false, true] {
                files += 1;
                let what = format!("Hall number {hall_number}: {names}");
                let structure = read(folder.path(), &example.cif(&names, wyckoff))
                    .unwrap_or_else(|e| panic!("{what}: {e}"));
                example.compare(&structure, &what);
                assert_eq!(
                    structure.declared.map(|d| d.number),
                    (names != list).then_some(entry.number as usize)
                );
            }
        }
        // What the tables say of the sites decides an origin that the symbol leaves open; without it nothing is guessed.
        if shared {
            continue;
        }
        let bare = format!("_symmetry_space_group_name_H-M '{}'", entry.hm_full);
        files += 2;
        example.compare(
            &read(folder.path(), &example.cif(&bare, true)).unwrap_or_else(|e| panic!("{bare}: {e}")),
            &bare,
        );
        if let Ok(structure) = read(folder.path(), &example.cif(&bare, false)) {
            example.compare(&structure, &bare);
        }
    }
    assert!(files > 6000);
}

/// Distances between all pairs of atoms by their elements, in rising order.
fn distances(structure: &Structure) -> Vec<(Element, Element, f64)> {
    let mut all = Vec::new();
    for (a, x) in structure.species.iter().zip(&structure.positions) {
        for (b, y) in structure.species.iter().zip(&structure.positions) {
            all.push((*a, *b, length(&structure.lattice, x - y)));
        }
    }
    all.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
    all
}

/// Structures of the campaign set in both origin choices, told by a symbol that names none of them.
#[test]
fn an_origin_is_found_or_asked_for_and_never_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (mut found, mut refused) = (0, Vec::new());
    for file in common::campaign_files() {
        let structure = read_structure(&file).unwrap();
        let numbers = structure.species.iter().map(|element| element.number() as i32).collect();
        let cell =
            Cell::new(Lattice::new(structure.lattice.transpose()), structure.positions.clone(), numbers);
        let dataset =
            |setting| MoyoDataset::new(&cell, 0.01, AngleTolerance::Default, setting, true).unwrap();
        let number = dataset(Setting::Spglib).number;
        let choices: Vec<HallSymbolEntry> = (1..=530)
            .filter_map(hall_symbol_entry)
            .filter(|entry| entry.number == number && ["1", "2"].contains(&entry.setting))
            .collect();
        for entry in choices {
            let dataset = dataset(Setting::HallNumber(entry.hall_number));
            let cell = &dataset.std_cell;
            let lattice = cell.lattice.basis;
            let species: Vec<Element> =
                cell.numbers.iter().map(|z| Element::from_number(*z as usize).unwrap()).collect();
            let expected = Structure {
                name: structure.name.clone(),
                lattice,
                species: species.clone(),
                positions: cell.positions.clone(),
                declared: None,
            };
            let operations =
                operations_from_number(number, Setting::HallNumber(entry.hall_number), false).unwrap();
            let example = Example { entry: entry.clone(), operations, lattice, sites: Vec::new() };
            let mut text =
                example.cif(&format!("_symmetry_space_group_name_H-M '{}'", entry.hm_short), false);
            let mut written: Vec<Vector3<f64>> = Vec::new();
            for (element, x) in species.iter().zip(&cell.positions) {
                if written.iter().all(|y| length(&lattice, x - y) > 1e-3) {
                    text += &format!("{element}1 {:.7} {:.7} {:.7}\n", x.x, x.y, x.z);
                    written.extend(orbit(&example.operations, &lattice, x));
                }
            }
            let what = format!("{}, {}:{}", structure.name, entry.hm_short, entry.setting);
            match read(folder.path(), &text) {
                Ok(read) => {
                    let (read, expected) = (distances(&read), distances(&expected));
                    assert_eq!(read.len(), expected.len(), "{what}");
                    for (a, b) in read.iter().zip(&expected) {
                        assert!((a.0, a.1) == (b.0, b.1) && (a.2 - b.2).abs() < 1e-3, "{what}: {a:?} {b:?}");
                    }
                    found += 1;
                }
                Err(error) => refused.push(format!("{what}: {error}")),
            }
        }
    }
    assert!(found >= 33 && refused.len() <= 5, "{found} found, refused:\n{}", refused.join("\n"));
}

/// The bounds that tell an impossible origin leave room for crystals: in the campaign set, only prototypes with the
/// elements of another crystal are beyond them.
#[test]
fn no_real_crystal_is_crowded() {
    let mut beyond = Vec::new();
    for file in common::campaign_files() {
        let structure = read_structure(&file).unwrap();
        let radius = |i: usize| structure.species[i].wigner_seitz_radius().unwrap();
        let (mut least, mut most) = (f64::INFINITY, 0);
        for i in 0..structure.len() {
            let mut near = 0;
            for j in 0..structure.len() {
                let difference = (structure.positions[j] - structure.positions[i]).map(|x| x - x.round());
                for k in 0..27 {
                    let shift = [k / 9, k / 3 % 3, k % 3].map(|n| f64::from(n) - 1.0);
                    let distance = (structure.lattice * (difference + Vector3::from(shift))).norm();
                    let part = distance / (radius(i) + radius(j));
                    if part > 1e-6 {
                        least = f64::min(least, part);
                        near += usize::from(part < 0.78 && radius(i) < 1.25 && radius(j) < 1.25);
                    }
                }
            }
            most = most.max(near);
        }
        if least < 0.66 || most >= 5 {
            beyond.push(format!("{} {least:.2} {most}", structure.name));
        }
    }
    assert_eq!(beyond.len(), 13, "{}", beyond.join("\n"));
}
