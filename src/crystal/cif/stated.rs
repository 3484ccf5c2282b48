//! What a file states of its crystal beside positions: formula, number of formulas, multiplicities, Wyckoff letters.

use std::collections::BTreeMap;

use moyo::data::{HallSymbolEntry, iter_wyckoff_positions_from_hall_number};

use super::super::Element;
use super::super::text::{Complaint, shown};
use super::block::Block;
use super::expand::Expanded;
use super::formula::Formula;
use super::kind::pure_translations;
use super::sites::{Site, number};
use super::space_group::tabulated;
use super::symmetry::Group;
use super::tokens::Token;

const FORMULA_TAG: &str = "_chemical_formula_sum";
const UNITS_TAG: &str = "_cell_formula_units_z";

/// The stated formula and the number of formulas in the cell, as far as they are known.
pub struct Stated<'a> {
    pub formula: Option<Formula>,
    formula_token: Option<Token<'a>>,
    /// Z, and its line.
    units: Option<(usize, usize)>,
}

impl<'a> Stated<'a> {
    /// Reads both; the log says so if the formula is none that can be compared.
    pub fn of(block: &Block<'a>, name: &str) -> Result<Stated<'a>, Complaint> {
        let formula_token = block.value(FORMULA_TAG);
        let formula = formula_token.and_then(|token| Formula::read(token.text));
        if let (Some(token), None) = (formula_token, &formula) {
            log::warn!("{name}: the stated formula {} cannot be compared with the atoms", shown(token.text));
        }
        let units = block.value(UNITS_TAG).map(|token| match number(token.text) {
            Some(units) if units >= 1.0 && units.fract() == 0.0 && units < 1e6 => {
                Ok((units as usize, token.line))
            }
            _ => {
                let text = format!("_cell_formula_units_Z is {}; write a whole number", shown(token.text));
                Err(Complaint::at(token.line, text))
            }
        });
        Ok(Stated { formula, formula_token, units: units.transpose()? })
    }

    /// Refuses atoms that are not what the file states.
    pub fn check(&self, sites: &[Site], group: &Group, atoms: &Expanded) -> Result<(), Complaint> {
        check_multiplicities(sites, group, atoms)?;
        check_letters(sites, group, atoms)?;
        self.check_formula(group, &atoms.counts())
    }

    /// Whether the file states Z, and the atoms of the cell are Z times the formula: no other cell has to explain it.
    pub fn has_exactly(&self, atoms: &BTreeMap<Element, usize>) -> bool {
        let units = self.formula.as_ref().and_then(|formula| formula.units(atoms));
        self.units.is_some_and(|(stated, _)| units == Some(stated))
    }

    /// A whole number of formulas, which is Z, or that of another cell of the same crystal.
    fn check_formula(&self, group: &Group, atoms: &BTreeMap<Element, usize>) -> Result<(), Complaint> {
        let (Some(formula), Some(token)) = (&self.formula, self.formula_token) else { return Ok(()) };
        let have = written(atoms);
        let text = shown(token.text);
        let Some(units) = formula.units(atoms) else {
            let wanted = self.units.map_or_else(|| formula.nearest_units(atoms), |(units, _)| units);
            let (missing, surplus) = formula.differences(atoms, wanted);
            let differences: Vec<String> = [(missing, "missing"), (surplus, "too much")]
                .into_iter()
                .filter(|(what, _)| !what.is_empty())
                .map(|(what, how)| format!("{what} {how}"))
                .collect();
            return Err(Complaint::at(
                token.line,
                format!(
                    "the atoms of the cell make {have}, which is no whole number of the stated formula {text} ({}); \
                     complete the sites, or correct or delete the formula",
                    differences.join(", ")
                ),
            ));
        };
        match self.units {
            Some((stated, line)) if !is_explained(stated, units, formula, group) => Err(Complaint::at(
                line,
                format!(
                    "the atoms of the cell make {have}, which is {units} times the stated formula {text}, and \
                     _cell_formula_units_Z is {stated}; complete the sites or correct the number"
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// True if Z is the number of formulas in the cell, or in its primitive or centred cell, or if the formula is that of
/// the whole cell and Z counts smaller ones, as pymatgen writes it.
fn is_explained(stated: usize, units: usize, formula: &Formula, group: &Group) -> bool {
    let centring = pure_translations(&group.operations).count();
    let of_table = group.entry.as_ref().map_or(1, |entry| entry.centering.order());
    stated == units
        || stated * centring == units
        || (centring == 1 && stated == units * of_table)
        || (units == 1 && formula.divides_by(stated))
}

/// A formula in alphabetical order of the symbols, without blanks.
pub fn written(atoms: &BTreeMap<Element, usize>) -> String {
    let parts: BTreeMap<&str, usize> = atoms.iter().map(|(element, n)| (element.symbol(), *n)).collect();
    parts
        .iter()
        .map(|(symbol, n)| if *n == 1 { symbol.to_string() } else { format!("{symbol}{n}") })
        .collect()
}

/// Stated multiplicities count the atoms of a site in the cell, or in the usual cell of the group, or (old SHELX)
/// the operations that leave it where it is; all sites of a file follow one of these.
fn check_multiplicities(sites: &[Site], group: &Group, atoms: &Expanded) -> Result<(), Complaint> {
    let order = group.operations.len();
    let of_table = group.entry.as_ref().map_or(order, |entry| tabulated(entry).len());
    let stated = || {
        let all = sites.iter().zip(&atoms.multiplicities);
        all.filter_map(|(site, have)| Some((site, *have, site.multiplicity?)))
    };
    let in_cell = |(_, have, said): (&Site, usize, usize)| said == have;
    let in_table = |(_, have, said): (&Site, usize, usize)| said * order == have * of_table;
    let fixing = |(_, have, said): (&Site, usize, usize)| said * have == order;
    if !stated().all(in_cell)
        && !stated().all(in_table)
        && !stated().all(fixing)
        && let Some((site, have, said)) = stated().find(|row| !in_cell(*row))
    {
        return Err(Complaint::at(
            site.line,
            format!(
                "site {} has {have} atoms in the cell and its multiplicity is said to be {said}; correct its \
                 coordinates, the symmetry or the multiplicity",
                site.label
            ),
        ));
    }
    for (site, have) in sites.iter().zip(&atoms.multiplicities) {
        if let Some(said) = site.order.filter(|said| said * have != order) {
            return Err(Complaint::at(
                site.line,
                format!(
                    "{} operations leave site {} where it is, and the order of its site symmetry is said to be \
                     {said}; correct its coordinates, the symmetry or the order",
                    order / have,
                    site.label
                ),
            ));
        }
    }
    Ok(())
}

/// A Wyckoff letter must be one of the group, and of a position with as many operations as the site has. Which
/// of several equal positions it names depends on the origin, so that is left open.
fn check_letters(sites: &[Site], group: &Group, atoms: &Expanded) -> Result<(), Complaint> {
    let Some(entry) = &group.entry else { return Ok(()) };
    let of_table = tabulated(entry).len();
    for (site, have) in sites.iter().zip(&atoms.multiplicities) {
        let Some(text) = &site.letter else { continue };
        let blame = |what: String| {
            let text = shown(text);
            Complaint::at(
                site.line,
                format!("site {} is said to be on Wyckoff position {text}, {what}", site.label),
            )
        };
        let Some(multiplicity) = tabulated_multiplicity(entry, text) else {
            let number = entry.number;
            return Err(blame(format!(
                "which space group {number} does not have; correct the letter or the group"
            )));
        };
        if multiplicity * group.operations.len() != have * of_table {
            return Err(blame(format!(
                "which has {multiplicity} atoms, and its coordinates give {}; correct its coordinates, the symmetry \
                 or the letter",
                have * of_table / group.operations.len()
            )));
        }
    }
    Ok(())
}

/// The multiplicity of the position with this letter, `8c` or `c`; a number before the letter must be that.
fn tabulated_multiplicity(entry: &HallSymbolEntry, text: &str) -> Option<usize> {
    let letter = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let mut positions = iter_wyckoff_positions_from_hall_number(entry.hall_number);
    // The tables call the 27th position of group 47 `A`, others alpha.
    let wanted = if matches!(letter, "alpha" | "α") { "A" } else { letter };
    let position = positions.find(|position| position.letter.to_string() == wanted)?;
    let before = &text[..text.len() - letter.len()];
    (before.is_empty() || before.parse() == Ok(position.multiplicity)).then_some(position.multiplicity)
}
