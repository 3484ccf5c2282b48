//! Extended XYZ: frames of an atom count, a comment of `key=value` pairs and one line for each atom.

use std::fmt::Write;

use nalgebra::{Matrix3, Vector3};
use serde_json::Value;

use super::text::{Complaint, real, shown};
use super::{Element, Structure, check, cif};

/// All frames of an extended XYZ text.
pub(super) fn parse(text: &str, stem: &str) -> Result<Vec<Structure>, Complaint> {
    let lines: Vec<&str> = text.lines().collect();
    let mut structures = Vec::new();
    let mut start = next_written(&lines, 0);
    while start < lines.len() {
        let atoms = atom_count(lines[start], start + 1)?;
        let end = start + 2 + atoms;
        if end > lines.len() {
            let text = format!("the file ends before the last of {atoms} atoms; give the complete file");
            return Err(Complaint::at(lines.len(), text));
        }
        structures.push(read_frame(&lines[start + 1..end], start + 2)?);
        start = next_written(&lines, end);
    }
    match structures.len() {
        0 => return Err(Complaint::whole("holds no structure; give at least one frame")),
        1 => structures[0].name = stem.to_string(),
        _ => structures.iter_mut().enumerate().for_each(|(i, frame)| frame.name = format!("{stem}-{i}")),
    }
    Ok(structures)
}

/// Index of the first line from `start` on that is not blank.
fn next_written(lines: &[&str], start: usize) -> usize {
    (start..lines.len()).find(|i| !lines[*i].trim().is_empty()).unwrap_or(lines.len())
}

fn atom_count(line: &str, number: usize) -> Result<usize, Complaint> {
    let token = line.trim();
    let whole = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    if !whole {
        return Err(Complaint::at(
            number,
            format!(
                "a frame starts with its atom count, not {}; write the count, or delete the line",
                shown(line)
            ),
        ));
    }
    let atoms = token.parse().unwrap_or(usize::MAX);
    check::atom_count(atoms).map_err(|text| Complaint::at(number, text))?;
    Ok(atoms)
}

/// A frame without its count, the first of `lines` being line `number` of the file; it has no name yet.
fn read_frame(lines: &[&str], number: usize) -> Result<Structure, Complaint> {
    let (comment, rows) = lines.split_first().ok_or_else(|| Complaint::at(number, "a frame is empty"))?;
    let pairs = key_values(comment);
    let blame = |text: String| Complaint::at(number, text);
    check_unique(&pairs).map_err(blame)?;
    check_ordered(&pairs).map_err(blame)?;
    let lattice = read_lattice(&pairs).map_err(blame)?;
    check_periodic(&pairs).map_err(blame)?;
    let columns = Columns::read(&pairs).map_err(blame)?;
    // The lattice has passed its check: it has an inverse.
    let inverse = lattice.try_inverse().unwrap_or_default();
    let (mut species, mut positions) = (Vec::new(), Vec::new());
    for (i, row) in rows.iter().enumerate() {
        let (element, position) =
            columns.read_atom(row).map_err(|text| Complaint::at(number + 1 + i, text))?;
        species.push(element);
        positions.push(inverse * position);
    }
    let structure = check::structure(String::new(), lattice, species, positions).map_err(blame)?;
    Ok(Structure { declared: value(&pairs, "spacegroup").and_then(cif::declared), ..structure })
}

/// Refuses a key that is there twice: one of the two values would be lost.
fn check_unique(pairs: &[(String, String)]) -> Result<(), String> {
    let is_read = |key: &str| ["lattice", "properties", "pbc"].contains(&key.to_ascii_lowercase().as_str());
    for (i, (key, _)) in pairs.iter().enumerate() {
        let same = |other: &str| other == key || (is_read(key) && other.eq_ignore_ascii_case(key));
        if pairs[..i].iter().any(|(other, _)| same(other)) {
            return Err(format!("{} is in the comment twice; keep one", shown(key)));
        }
    }
    Ok(())
}

/// Refuses the comment of a disordered crystal: `occupancy="_JSON {\"0\": {\"Ti\": 0.5, \"Zr\": 0.5}}"` as ASE writes it.
fn check_ordered(pairs: &[(String, String)]) -> Result<(), String> {
    for (key, text) in pairs {
        let is_whole = match Share::of(key) {
            None => continue,
            Some(share) => match text.trim().strip_prefix("_JSON").map(serde_json::from_str::<Value>) {
                Some(json) => json.is_ok_and(|json| are_leaves(&json, &|leaf| share.is_whole(leaf))),
                None => words(text).into_iter().all(|word| share.is_whole(word)),
            },
        };
        if !is_whole {
            return Err(format!("{} is {}; {ORDERED}", shown(key), shown(text)));
        }
    }
    Ok(())
}

const ORDERED: &str = "s2dpes needs ordered crystals: choose one ordering and write it as its own file";

/// What of an atom a quantity tells.
#[derive(Clone, Copy)]
enum Share {
    /// How much of it is there.
    Occupancy,
    /// To which alternative it belongs.
    Disorder,
}

impl Share {
    /// By the name of a key or a column.
    fn of(name: &str) -> Option<Share> {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "occ" => Some(Share::Occupancy),
            _ if lower.contains("occupanc") => Some(Share::Occupancy),
            _ if lower.contains("disorder") => Some(Share::Disorder),
            _ => None,
        }
    }

    /// True for a value that an ordered crystal has.
    fn is_whole(self, text: &str) -> bool {
        match self {
            Share::Occupancy => real(text).is_some_and(|x| (x - 1.0).abs() <= 1e-3),
            Share::Disorder => ["", ".", "?", "0", "f", "false", "none", "null"]
                .contains(&text.to_ascii_lowercase().as_str()),
        }
    }
}

/// True if all numbers, texts and the like in a JSON value are as wanted.
fn are_leaves(json: &Value, wanted: &dyn Fn(&str) -> bool) -> bool {
    match json {
        Value::Object(map) => map.values().all(|value| are_leaves(value, wanted)),
        Value::Array(list) => list.iter().all(|value| are_leaves(value, wanted)),
        Value::String(text) => wanted(text),
        other => wanted(&other.to_string()),
    }
}

/// The pairs of a comment line; a value may be quoted, bare keys have none and are left out.
fn key_values(comment: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = comment.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let after = after.trim_start();
        rest = match after.strip_prefix('=') {
            Some(value) => {
                let (value, after) = split_value(value.trim_start());
                pairs.push((key.to_string(), value));
                after.trim_start()
            }
            None => after,
        };
    }
    pairs
}

/// A value and what follows it: in quotes, in brackets of any depth, or bare up to white space.
fn split_value(text: &str) -> (String, &str) {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => split_quoted(&text[1..], quote),
        Some('{' | '[') => {
            let mut depth = 0_i64;
            let closes = |c: char| {
                depth += i64::from("{[".contains(c)) - i64::from("}]".contains(c));
                depth == 0
            };
            let (list, after) = text.split_at(text.find(closes).map_or(text.len(), |at| at + 1));
            (list.to_string(), after)
        }
        _ => {
            let (word, after) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
            (word.to_string(), after)
        }
    }
}

/// The string up to its closing quote, in which a backslash makes the next character itself.
fn split_quoted(text: &str, quote: char) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ if c == quote => return (value, &text[at + 1..]),
            _ => value.push(c),
        }
    }
    (value, "")
}

/// The value of a key, whatever its case.
fn value<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
}

/// The words of a list such as `1 0 0`, `[1, 0, 0]` or `{1 0 0}`.
fn words(list: &str) -> Vec<&str> {
    list.split(|c: char| c.is_whitespace() || "[]{},\"".contains(c)).filter(|word| !word.is_empty()).collect()
}

/// `Lattice="ax ay az bx by bz cx cy cz"` as columns.
fn read_lattice(pairs: &[(String, String)]) -> Result<Matrix3<f64>, String> {
    let Some(list) = value(pairs, "Lattice") else {
        return Err("the comment has no Lattice; add Lattice=\"ax ay az bx by bz cx cy cz\" in Angstrom: \
                    s2dpes needs a crystal"
            .to_string());
    };
    let numbers: Option<Vec<f64>> = words(list).into_iter().map(real).collect();
    let lattice = match numbers {
        Some(numbers) if numbers.len() == 9 => Matrix3::from_column_slice(&numbers),
        _ => {
            return Err(format!(
                "Lattice needs nine numbers, ax ay az bx by bz cx cy cz, not {}",
                shown(list)
            ));
        }
    };
    check::lattice(&lattice)?;
    Ok(lattice)
}

/// Passes `pbc="T T T"` in its spellings, and no `pbc` at all: a lattice alone means a crystal.
fn check_periodic(pairs: &[(String, String)]) -> Result<(), String> {
    let Some(list) = value(pairs, "pbc") else { return Ok(()) };
    let flags = words(list);
    let periodic = |flag: &&str| ["t", "true", "1"].contains(&flag.to_ascii_lowercase().as_str());
    match flags.len() == 3 && flags.iter().all(periodic) {
        true => Ok(()),
        false => Err(format!(
            "pbc is {}, not \"T T T\"; s2dpes maps crystals that are periodic along all three vectors",
            shown(list)
        )),
    }
}

/// Where the lines of a frame hold what is needed.
struct Columns {
    /// Number of columns.
    width: usize,
    element: ElementColumn,
    /// Column of atomic numbers beside that of symbols.
    number: Option<usize>,
    /// First of the three columns of the Cartesian position.
    position: usize,
    /// Columns of occupancies and disorder groups.
    shares: Vec<(usize, Share)>,
}

enum ElementColumn {
    Symbol(usize),
    Number(usize),
}

impl Columns {
    /// Reads `Properties=name:type:count:...`, by default `species:S:1:pos:R:3`.
    fn read(pairs: &[(String, String)]) -> Result<Columns, String> {
        let properties = value(pairs, "Properties").unwrap_or("species:S:1:pos:R:3");
        let malformed = || format!("Properties must read name:type:count:..., not {}", shown(properties));
        let fields: Vec<&str> = properties.split(':').collect();
        let (mut symbol, mut number, mut position, mut shares) = (None, None, None, Vec::new());
        let mut width: usize = 0;
        for field in fields.chunks(3) {
            let [name, kind, count] = field else { return Err(malformed()) };
            let count: usize = count.parse().map_err(|_| malformed())?;
            // Counts beyond any row are refused with the first row.
            shares.extend(
                Share::of(name)
                    .into_iter()
                    .flat_map(|s| (0..count.min(9)).map(move |i| (width.saturating_add(i), s))),
            );
            match (name.to_ascii_lowercase().as_str(), kind.to_ascii_uppercase().as_str(), count) {
                ("species", "S", 1) if symbol.is_none() => symbol = Some(width),
                ("z" | "numbers", "I", 1) if number.is_none() => number = Some(width),
                ("pos", "R", 3) if position.is_none() => position = Some(width),
                ("species" | "z" | "numbers" | "pos", ..) => {
                    return Err(format!(
                        "Properties has {} twice, or in another shape than s2dpes reads; keep one",
                        shown(name)
                    ));
                }
                _ => {}
            }
            width = width.checked_add(count).ok_or_else(malformed)?;
        }
        let element = symbol.map(ElementColumn::Symbol).or(number.map(ElementColumn::Number));
        let number = number.filter(|_| symbol.is_some());
        match (element, position) {
            (Some(element), Some(position)) => Ok(Columns { width, element, number, position, shares }),
            (None, _) => {
                Err("Properties has no elements; add species:S:1, or Z:I:1 with atomic numbers".to_string())
            }
            (_, None) => Err("Properties has no positions; add pos:R:3 in Angstrom".to_string()),
        }
    }

    /// Element and Cartesian position (Angstrom) in the line of an atom.
    fn read_atom(&self, line: &str) -> Result<(Element, Vector3<f64>), String> {
        let row: Vec<&str> = line.split_whitespace().collect();
        if row.len() != self.width {
            let (found, width) = (row.len(), self.width);
            return Err(format!("the line holds {found} columns and Properties {width}; make them agree"));
        }
        if let Some((column, _)) = self.shares.iter().find(|(column, share)| !share.is_whole(row[*column])) {
            return Err(format!("the atom has occupancy or disorder {}; {ORDERED}", shown(row[*column])));
        }
        let element = match self.element {
            ElementColumn::Symbol(column) => Element::from_symbol(row[column]),
            ElementColumn::Number(column) => row[column].parse().ok().and_then(Element::from_number),
        };
        let element = element.ok_or_else(|| {
            let (ElementColumn::Symbol(column) | ElementColumn::Number(column)) = self.element;
            format!("{} is no element; write one of H to Og", shown(row[column]))
        })?;
        if let Some(number) = self.number.map(|column| row[column])
            && number.parse() != Ok(element.number())
        {
            return Err(format!(
                "{element} and atomic number {} contradict each other; correct one",
                shown(number)
            ));
        }
        let coordinates: Option<Vec<f64>> =
            row[self.position..][..3].iter().map(|token| real(token)).collect();
        match coordinates {
            Some(coordinates) => Ok((element, Vector3::from_column_slice(&coordinates))),
            None => Err(format!("a position needs three finite numbers, not {}", shown(line))),
        }
    }
}

/// The structure as one frame of extended XYZ: positions Cartesian in Angstrom, 17 significant digits.
pub fn to_extxyz(structure: &Structure) -> String {
    // Writing to a String cannot fail.
    let vectors: Vec<String> = structure.lattice.iter().map(|x| format!("{x:.16e}")).collect();
    let mut text = format!(
        "{}\nLattice=\"{}\" Properties=species:S:1:pos:R:3 pbc=\"T T T\"\n",
        structure.len(),
        vectors.join(" ")
    );
    for (element, position) in structure.species.iter().zip(&structure.positions) {
        let r = structure.lattice * position;
        let _ = writeln!(text, "{:<2} {:24.16e} {:24.16e} {:24.16e}", element.symbol(), r.x, r.y, r.z);
    }
    text
}
