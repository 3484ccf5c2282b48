//! The group of a data block: its list of operations, else the settings that its names leave open.

use moyo::base::Operation;
use moyo::data::HallSymbolEntry;
use nalgebra::Matrix3;

use super::super::cell::DeclaredGroup;
use super::super::text::{Complaint, shown};
use super::block::Block;
use super::names::{Named, named};
use super::operations::{fits, listed};
use super::space_group::{origin, tabulated};
use super::{kind, operations};

/// A group that the file may mean.
pub struct Group {
    /// All operations modulo lattice translations of the file's cell.
    pub operations: Vec<Operation>,
    /// The setting of the tables that the names tell; of listed operations, a setting of the same group.
    pub entry: Option<HallSymbolEntry>,
}

/// What a block says of its group.
pub struct Groups {
    /// All that it may mean, the likeliest first: one unless the names leave it open.
    pub candidates: Vec<Group>,
    /// The name that it gives, or nothing.
    pub text: String,
    /// The line of the name, counted from 1.
    pub line: usize,
    pub declared: Option<DeclaredGroup>,
}

/// The group of a block, from its operations and names.
pub fn groups(block: &Block, lattice: &Matrix3<f64>, name: &str) -> Result<Groups, Complaint> {
    let list = listed(block, lattice)?;
    let named = named(block, list.is_some(), name)?;
    let declared = named.as_ref().and_then(declared);
    let (text, line) =
        named.as_ref().map_or((String::new(), block.line), |named| (named.text.clone(), named.line));
    let candidates = match (list, named) {
        (Some((line, operations)), named) => vec![of_list(line, operations, named.as_ref(), lattice, name)?],
        (None, Some(named)) => of_names(&named, lattice)?,
        (None, None) => {
            let block_name = shown(block.name);
            return Err(Complaint::at(
                block.line,
                format!(
                    "data block {block_name} has neither symmetry operations nor a space group; list {} (`x,y,z` \
                     alone if every atom of the cell is listed)",
                    operations::LIST_TAGS[0]
                ),
            ));
        }
    };
    Ok(Groups { candidates, text, line, declared })
}

impl Groups {
    /// What tells one of the candidates from the others, in words.
    pub fn called(&self, group: &Group) -> String {
        let Some(entry) = &group.entry else { return "the listed operations".to_string() };
        match origin(entry).filter(|_| self.differ_in_origin()) {
            Some(choice) => format!("origin choice {choice}"),
            None => format!("setting {}", self.exact(group)),
        }
    }

    /// The symbol that names one of the candidates and no other.
    pub fn exact(&self, group: &Group) -> String {
        let Some(entry) = &group.entry else { return self.text.clone() };
        let symbol = plain(if entry.number > 15 { entry.hm_short } else { entry.hm_full });
        origin(entry).map_or(symbol.clone(), |choice| format!("{symbol}:{choice}"))
    }

    /// True if all candidates have one symbol.
    fn differ_in_origin(&self) -> bool {
        let mut symbols = self.candidates.iter().map(|group| group.entry.as_ref().map(|entry| entry.hm_full));
        let first = symbols.next();
        symbols.all(|symbol| Some(symbol) == first)
    }
}

/// A symbol of the tables as files write it: without the mark of subscripts.
fn plain(symbol: &str) -> String {
    symbol.replace('_', "")
}

fn declared(named: &Named) -> Option<DeclaredGroup> {
    let number = named.settings.first()?.number.try_into().ok()?;
    Some(DeclaredGroup { text: named.text.clone(), number })
}

/// Listed operations, which must be of the group that the names tell: else the crystal would lack atoms, or have too
/// many.
fn of_list(
    line: usize,
    operations: Vec<Operation>,
    named: Option<&Named>,
    lattice: &Matrix3<f64>,
    name: &str,
) -> Result<Group, Complaint> {
    let entry = named.and_then(|named| named.settings.first().cloned());
    let (Some(named), Some(entry)) = (named, &entry) else { return Ok(Group { operations, entry }) };
    match kind::number(lattice, &operations) {
        Some(number) if usize::try_from(entry.number) == Ok(number) => {}
        Some(number) => {
            return Err(Complaint::at(
                named.line,
                format!(
                    "space group {} is number {}, and the {} symmetry operations listed from line {line} on make \
                     number {number}; complete the list, or correct or delete the name",
                    shown(&named.text),
                    entry.number,
                    operations.len()
                ),
            ));
        }
        None => log::warn!(
            "{name}: the {} symmetry operations listed are used; they are of no group of the tables, so they are not \
             compared with space group {}",
            operations.len(),
            shown(&named.text)
        ),
    }
    Ok(Group { operations, entry: Some(entry.clone()) })
}

/// The named settings that the cell allows.
fn of_names(named: &Named, lattice: &Matrix3<f64>) -> Result<Vec<Group>, Complaint> {
    let candidates = named.settings.iter().map(|entry| (entry, tabulated(entry)));
    let fitting = candidates
        .filter(|(_, operations)| !operations.is_empty() && operations.iter().all(|o| fits(o, lattice)))
        .map(|(entry, operations)| Group { operations, entry: Some(entry.clone()) });
    let groups: Vec<Group> = fitting.collect();
    if groups.is_empty() {
        return Err(Complaint::at(
            named.line,
            format!(
                "the cell does not have the symmetry of space group {}; give both in one setting",
                shown(&named.text)
            ),
        ));
    }
    Ok(groups)
}
