//! The rows of a data block's `_atom_site` loop.

use nalgebra::Vector3;

use super::super::text::{Complaint, shown};
use super::super::{Element, check};
use super::block::{Block, Table, known};
use super::formula::Formula;
use super::operations::ratio;
use super::tokens::Token;

const FRACT_TAGS: [&str; 3] = ["_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z"];

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
    let columns = Columns::of(table, block)?;
    let mut sites = Vec::new();
    for row in table.rows()? {
        let row = Row { columns: &columns, tokens: row };
        let position = row.position()?;
        if row.optional(columns.flag).is_some_and(|flag| flag.text.eq_ignore_ascii_case("dum")) {
            log::warn!("{name}: site {} is a dummy and left out", row.label());
            continue;
        }
        row.check_occupancy()?;
        let element = row.element(formula)?;
        sites.push(Site { label: row.label(), element, position, line: row.line() });
        if sites.len() > check::MOST_ATOMS {
            break;
        }
    }
    check::atom_count(sites.len()).map_err(|text| Complaint::at(block.line, text))?;
    Ok(sites)
}

/// Where the loop holds what is needed.
struct Columns {
    fract: [usize; 3],
    label: Option<usize>,
    type_symbol: Option<usize>,
    occupancy: Option<usize>,
    flag: Option<usize>,
}

impl Columns {
    fn of(table: &Table, block: &Block) -> Result<Columns, Complaint> {
        let mut fract = [0; 3];
        for (column, tag) in fract.iter_mut().zip(FRACT_TAGS) {
            *column = table.column(tag).ok_or_else(|| {
                Complaint::at(block.line, format!("the atoms have no {tag}; add it to their loop"))
            })?;
        }
        Ok(Columns {
            fract,
            label: table.column("_atom_site_label"),
            type_symbol: table.column("_atom_site_type_symbol"),
            occupancy: table.column("_atom_site_occupancy"),
            flag: table.column("_atom_site_calc_flag"),
        })
    }
}

/// One row of the loop.
struct Row<'a> {
    columns: &'a Columns,
    tokens: &'a [Token<'a>],
}

impl Row<'_> {
    fn line(&self) -> usize {
        self.tokens[self.columns.fract[0]].line
    }

    /// The value of a column that may be missing or unknown.
    fn optional(&self, column: Option<usize>) -> Option<&Token<'_>> {
        column.map(|column| &self.tokens[column]).filter(|token| known(token))
    }

    fn label(&self) -> String {
        let token = self.optional(self.columns.label).or(self.optional(self.columns.type_symbol));
        token.map_or_else(|| format!("in line {}", self.line()), |token| shown(token.text).replace('`', ""))
    }

    fn blame(&self, what: String) -> Complaint {
        Complaint::at(self.line(), format!("site {} {what}", self.label()))
    }

    fn position(&self) -> Result<Vector3<f64>, Complaint> {
        let mut position = Vector3::zeros();
        for (x, column) in position.iter_mut().zip(self.columns.fract) {
            let token = &self.tokens[column];
            if !known(token) {
                let text =
                    "has no position; give its coordinates, or delete it if it is no atom of the crystal";
                return Err(self.blame(text.to_string()));
            }
            *x = coordinate(token.text).ok_or_else(|| {
                self.blame(format!("has coordinate {}; write a fraction of the cell", shown(token.text)))
            })?;
        }
        Ok(position)
    }

    fn check_occupancy(&self) -> Result<(), Complaint> {
        let Some(token) = self.optional(self.columns.occupancy) else { return Ok(()) };
        match number(token.text) {
            Some(occupancy) if (occupancy - 1.0).abs() <= OCCUPANCY_TOLERANCE => Ok(()),
            Some(occupancy) => Err(self.blame(format!(
                "has occupancy {occupancy}; s2dpes needs ordered crystals: choose one ordering and write it as \
                 its own file"
            ))),
            None => Err(self.blame(format!("has occupancy {}; write a number", shown(token.text)))),
        }
    }

    /// The element of the type symbol, else of the label.
    fn element(&self, formula: Option<&Formula>) -> Result<Element, Complaint> {
        let (element, kind, text) = match self.optional(self.columns.type_symbol) {
            Some(token) => (type_element(token.text), "type symbol", token.text),
            None => {
                let label = self.optional(self.columns.label).map_or("?", |token| token.text);
                (label_element(label, formula), "label", label)
            }
        };
        element.ok_or_else(|| {
            let text = shown(text);
            self.blame(format!(
                "has no single clear element in {kind} {text}; write one in _atom_site_type_symbol"
            ))
        })
    }
}

/// A number with or without its standard uncertainty, `5.43(2)`; fractions count.
pub fn number(text: &str) -> Option<f64> {
    ratio(text.split('(').next()?.trim())
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

/// The element with this symbol in any case; deuterium and tritium are hydrogen, with its energy surface.
pub fn element(symbol: &str) -> Option<Element> {
    let lower = symbol.to_ascii_lowercase();
    let (first, rest) = lower.split_at_checked(1)?;
    match lower.as_str() {
        "d" | "t" => Element::from_symbol("H"),
        _ => Element::from_symbol(&format!("{}{rest}", first.to_ascii_uppercase())),
    }
}

/// The element of a type symbol such as `Fe3+`, `O2-` or `SI`: nothing but a charge may follow it.
fn type_element(text: &str) -> Option<Element> {
    let (symbol, charge) = text.split_at(text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len()));
    charge.chars().all(|c| !c.is_alphabetic()).then(|| element(symbol)).flatten()
}

/// The element that a label such as `Fe1`, `O1A` or `SiT2` starts with, among those of the formula.
///
/// `CO1` without a formula may be carbon or cobalt, and `Wat` is no tungsten: such labels have none.
fn label_element(label: &str, formula: Option<&Formula>) -> Option<Element> {
    let in_formula = |element: &Element| formula.is_none_or(|formula| formula.contains(*element));
    let mut letters = label.chars().take_while(char::is_ascii_alphabetic);
    let (first, second) = (letters.next()?, letters.next());
    let one = element(&first.to_string()).filter(in_formula);
    let two = second.and_then(|second| element(&format!("{first}{second}"))).filter(in_formula);
    let lower = second.is_some_and(|second| second.is_ascii_lowercase());
    match (one, two) {
        (Some(_), Some(two)) => lower.then_some(two),
        (Some(one), None) => (formula.is_some() || !lower).then_some(one),
        (None, two) => two,
    }
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

    #[test]
    fn elements_come_from_types_and_clear_labels() {
        let symbol = |element: Option<Element>| element.map(Element::symbol);
        for (text, expected) in [("Fe3+", "Fe"), ("O2-", "O"), ("SI", "Si"), ("D", "H"), ("W0+", "W")] {
            assert_eq!(symbol(type_element(text)), Some(expected));
        }
        for text in ["OH1-", "X", "", "3", "Cval", "Fé"] {
            assert_eq!(type_element(text), None);
        }
        let formula = Formula::read("C2 H2 Co O5");
        for (label, formula, expected) in [
            ("Fe1", None, Some("Fe")),
            ("O1A", None, Some("O")),
            ("SiT2", None, Some("Si")),
            ("OA1", None, Some("O")),
            ("CO1", None, None),
            ("Wat", None, None),
            ("CO1", formula.as_ref(), None),
            ("Co1", formula.as_ref(), Some("Co")),
            ("HO1", formula.as_ref(), Some("H")),
            ("Ow", formula.as_ref(), Some("O")),
            ("Wat", formula.as_ref(), None),
            ("", None, None),
        ] {
            assert_eq!(symbol(label_element(label, formula)), expected, "{label}");
        }
    }
}
