//! The rows of a data block's `_atom_site` loop.

use nalgebra::Vector3;

use super::super::text::{Complaint, shown};
use super::super::{Element, check};
use super::block::{Block, Table, known};
use super::formula::Formula;
use super::label;
use super::operations::ratio;
use super::tokens::Token;

const FRACT_TAGS: [&str; 3] = ["_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z"];
const LABEL: &str = "_atom_site_label";
const TYPE: &str = "_atom_site_type_symbol";
const OCCUPANCY: &str = "_atom_site_occupancy";
const FLAG: &str = "_atom_site_calc_flag";
const HYDROGENS: &str = "_atom_site_attached_hydrogens";
const DISORDER_TAGS: [&str; 2] = ["_atom_site_disorder_group", "_atom_site_disorder_assembly"];
const MULTIPLICITY_TAGS: [&str; 2] =
    ["_atom_site_symmetry_multiplicity", "_atom_site_site_symmetry_multiplicity"];
const ORDER_TAGS: [&str; 1] = ["_atom_site_site_symmetry_order"];
const LETTER_TAGS: [&str; 3] =
    ["_atom_site_wyckoff_symbol", "_atom_site_wyckoff_label", "_atom_site_wyckoff_letter"];

/// How far an occupancy may be from 1.
const OCCUPANCY_TOLERANCE: f64 = 1e-3;

/// An atom of the asymmetric unit.
pub struct Site {
    /// What the file calls it.
    pub label: String,
    pub element: Element,
    /// Fractional position.
    pub position: Vector3<f64>,
    /// Its line in the file, counted from 1.
    pub line: usize,
    /// Stated number of its atoms in the cell; files of old programs give the order of its site symmetry here.
    pub multiplicity: Option<usize>,
    /// Stated order of its site symmetry.
    pub order: Option<usize>,
    /// Stated Wyckoff letter, with or without the multiplicity before it.
    pub letter: Option<String>,
}

/// True if the block gives the fractional position of an atom.
pub fn has_sites(block: &Block) -> bool {
    block.value(FRACT_TAGS[0]).is_some()
}

/// The sites of a block, all of them ordered atoms.
///
/// Rows flagged as dummies (`_atom_site_calc_flag dum`) that have a position are left out, and the log says
/// so: their position means nothing. A row without a position is refused, for the crystal lacks that atom.
pub fn sites(block: &Block, formula: Option<&Formula>, name: &str) -> Result<Vec<Site>, Complaint> {
    let Some(table) = block.table(FRACT_TAGS[0]) else { return Ok(Vec::new()) };
    check_tags(table, block)?;
    let mut sites = Vec::new();
    let mut contradicting = Vec::new();
    for tokens in table.rows() {
        let row = Row { table, tokens };
        let position = row.position()?;
        if row.known(FLAG).is_some_and(|flag| flag.text.eq_ignore_ascii_case("dum")) {
            log::warn!("{name}: site {} is a dummy and left out", row.label());
            continue;
        }
        row.check_ordered()?;
        let element = row.element(formula)?;
        if row
            .known(LABEL)
            .and_then(|label| label::of_label(label.text, None))
            .is_some_and(|of| of != element)
        {
            contradicting.push(format!("{} ({element})", row.label()));
        }
        sites.push(Site {
            label: row.label(),
            element,
            position,
            line: row.line(),
            multiplicity: row.count(&MULTIPLICITY_TAGS)?,
            order: row.count(&ORDER_TAGS)?,
            letter: LETTER_TAGS
                .iter()
                .find_map(|tag| row.known(tag))
                .map(|token| token.text.trim().to_string()),
        });
        if sites.len() > check::MOST_ATOMS {
            break;
        }
    }
    check::atom_count(sites.len()).map_err(|text| Complaint::at(block.line, text))?;
    if let Some(first) = contradicting.first() {
        let others = match contradicting.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        log::warn!("{name}: labels and type symbols differ, and the type holds: site {first}{others}");
    }
    Ok(sites)
}

/// All that is told of the sites must stand where their positions do.
fn check_tags(table: &Table, block: &Block) -> Result<(), Complaint> {
    for tag in FRACT_TAGS {
        if block.table(tag).is_none() {
            return Err(Complaint::at(block.line, format!("the atoms have no {tag}; add it to their loop")));
        }
    }
    let single = [LABEL, TYPE, OCCUPANCY, FLAG, HYDROGENS];
    let several = DISORDER_TAGS.iter().chain(&MULTIPLICITY_TAGS).chain(&ORDER_TAGS).chain(&LETTER_TAGS);
    for tag in FRACT_TAGS.iter().chain(&single).chain(several) {
        if table.column(tag).is_none()
            && let Some(line) = block.line_of(tag)
        {
            let text = format!(
                "{tag} stands apart from {}; write all that is told of the atoms in one loop",
                FRACT_TAGS[0]
            );
            return Err(Complaint::at(line, text));
        }
    }
    Ok(())
}

/// One row of the loop.
struct Row<'a> {
    table: &'a Table<'a>,
    tokens: &'a [Token<'a>],
}

impl<'a> Row<'a> {
    /// The value of a column that the loop may lack.
    fn value(&self, tag: &str) -> Option<&'a Token<'a>> {
        self.tokens.get(self.table.column(tag)?)
    }

    fn known(&self, tag: &str) -> Option<&'a Token<'a>> {
        self.value(tag).filter(|token| known(token))
    }

    fn line(&self) -> usize {
        self.tokens.first().map_or(1, |token| token.line)
    }

    fn label(&self) -> String {
        let token = self.known(LABEL).or(self.known(TYPE));
        token.map_or_else(|| format!("in line {}", self.line()), |token| shown(token.text).replace('`', ""))
    }

    fn blame(&self, what: String) -> Complaint {
        Complaint::at(self.line(), format!("site {} {what}", self.label()))
    }

    fn position(&self) -> Result<Vector3<f64>, Complaint> {
        let mut position = Vector3::zeros();
        for (x, tag) in position.iter_mut().zip(FRACT_TAGS) {
            let Some(token) = self.known(tag) else {
                let text =
                    "has no position; give its coordinates, or delete it if it is no atom of the crystal";
                return Err(self.blame(text.to_string()));
            };
            *x = coordinate(token.text).ok_or_else(|| {
                self.blame(format!("has coordinate {}; write a fraction of the cell", shown(token.text)))
            })?;
        }
        Ok(position)
    }

    /// Refuses what is not one whole atom that is always there.
    fn check_ordered(&self) -> Result<(), Complaint> {
        let way_out = "s2dpes needs ordered crystals: choose one ordering and write it as its own file";
        if let Some(token) = self.known(OCCUPANCY) {
            match number(token.text) {
                Some(occupancy) if (occupancy - 1.0).abs() <= OCCUPANCY_TOLERANCE => {}
                Some(occupancy) => return Err(self.blame(format!("has occupancy {occupancy}; {way_out}"))),
                None => {
                    return Err(self.blame(format!("has occupancy {}; write a number", shown(token.text))));
                }
            }
        }
        for tag in DISORDER_TAGS {
            if let Some(token) = self.known(tag).filter(|token| number(token.text) != Some(0.0)) {
                return Err(self.blame(format!("has {tag} {}; {way_out}", shown(token.text))));
            }
        }
        match self.known(HYDROGENS) {
            Some(token) if number(token.text) != Some(0.0) => Err(self.blame(format!(
                "has {} attached hydrogens without a position; give each its own site",
                shown(token.text)
            ))),
            _ => Ok(()),
        }
    }

    /// The element of the type symbol, else of the label.
    fn element(&self, formula: Option<&Formula>) -> Result<Element, Complaint> {
        let (element, kind, text) = match self.known(TYPE) {
            Some(token) => (label::of_type(token.text, formula), "type symbol", token.text),
            None => {
                let label = self.known(LABEL).map_or("?", |token| token.text);
                (label::of_label(label, formula), "label", label)
            }
        };
        element.ok_or_else(|| {
            let text = shown(text);
            self.blame(format!(
                "has no single clear element in {kind} {text}; write one in _atom_site_type_symbol, or choose one \
                 ordering if several atoms share it"
            ))
        })
    }

    /// A whole number of at least 1 in one of the columns.
    fn count(&self, tags: &[&str]) -> Result<Option<usize>, Complaint> {
        let Some((tag, token)) = tags.iter().find_map(|tag| Some((tag, self.known(tag)?))) else {
            return Ok(None);
        };
        match number(token.text) {
            Some(count) if count >= 1.0 && count.fract() == 0.0 && count < 1e6 => Ok(Some(count as usize)),
            _ => Err(self.blame(format!("has {tag} {}; write a whole number", shown(token.text)))),
        }
    }
}

/// A number with or without its standard uncertainty, `5.43(2)`; fractions count.
pub fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let Some((value, uncertainty)) = text.split_once('(') else { return ratio(text) };
    let digits = uncertainty.strip_suffix(')')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_number.then(|| ratio(value.trim())).flatten()
}

/// A fractional coordinate, of which `0.3333` stands for 1/3, `-0.1667` for -1/6, and so on.
///
/// Four decimals at least must agree with the sixth: that is what rounding or cutting it off gives, and a
/// coordinate that means something else, such as 0.33340, stays.
fn coordinate(text: &str) -> Option<f64> {
    let x = number(text).filter(|x| check::is_near(*x))?;
    let decimals = text.split('(').next()?.split_once('.').map_or("", |(_, decimals)| decimals.trim());
    let rounded = decimals.len() >= 4 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let sixths = (6.0 * x).round();
    let last_digit = 10_f64.powi(-(decimals.len().min(300) as i32));
    // Halves and whole numbers need no such help.
    let snaps = rounded && sixths % 3.0 != 0.0 && (x - sixths / 6.0).abs() < last_digit;
    Some(if snaps { sixths / 6.0 } else { x })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixths_are_exact_and_their_neighbours_stay() {
        assert_eq!(coordinate("0.3333"), Some(1.0 / 3.0));
        assert_eq!(coordinate("-0.66667(2)"), Some(-2.0 / 3.0));
        assert_eq!(coordinate(".1666"), Some(1.0 / 6.0));
        assert_eq!(coordinate("1.8333"), Some(11.0 / 6.0));
        for (text, x) in [("0.333", 0.333), ("0.33340", 0.3334), ("0.33336", 0.33336), ("0.5000", 0.5)] {
            assert_eq!(coordinate(text), Some(x));
        }
        for text in ["", "x", "1e400", "nan", "1/0", "1e7"] {
            assert_eq!(coordinate(text), None);
        }
    }
}
