//! Symmetry operations that a data block lists.

use std::collections::HashMap;

use moyo::base::{Operation, Rotation, Translation};
use nalgebra::Matrix3;

use super::super::text::{Complaint, real, shown};
use super::block::{Block, known};

pub const LIST_TAGS: [&str; 2] = ["_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz"];

/// Most operations of a list: 192 for the largest space group, times the cells of a supercell.
const MOST_OPERATIONS: usize = 1000;

/// Translations closer than this, in fractional coordinates, are the same.
const TRANSLATION_TOLERANCE: f64 = 1e-3;

/// Decimals this close to a multiple of 1/24 stand for it: 0.333 and 0.667 are thirds.
const DECIMAL_TOLERANCE: f64 = 5e-4;

/// How much of a scalar product of two lattice vectors an operation may change, in units of their lengths.
const METRIC_TOLERANCE: f64 = 0.02;

/// The operations that a block lists, modulo lattice translations: a group that the lattice allows, and the line
/// of the first; `None` without a list.
pub fn listed(block: &Block, lattice: &Matrix3<f64>) -> Result<Option<(usize, Vec<Operation>)>, Complaint> {
    let mut lists = Vec::new();
    for tag in LIST_TAGS {
        lists.extend(list(block, tag, lattice)?);
    }
    let mut lists = lists.into_iter();
    let Some((line, operations)) = lists.next() else { return Ok(None) };
    let blame = |text: String| Err(Complaint::at(line, text));
    if operations.len() > MOST_OPERATIONS {
        return blame(format!("more than {MOST_OPERATIONS} symmetry operations; give a smaller cell"));
    }
    if !is_group(&operations) {
        return blame(format!("{} symmetry operations make no group; list all of them", operations.len()));
    }
    let group = Group::of(&operations);
    let same =
        |others: &[Operation]| others.len() == operations.len() && others.iter().all(|o| group.contains(o));
    match lists.next().filter(|(_, others)| !same(others)) {
        Some((other, _)) => blame(format!(
            "the symmetry operations listed here and in line {other} differ; delete one of the lists"
        )),
        None => Ok(Some((line, operations))),
    }
}

/// The distinct operations of one list, none of which bends the lattice, and the line of the first.
fn list(
    block: &Block,
    tag: &str,
    lattice: &Matrix3<f64>,
) -> Result<Option<(usize, Vec<Operation>)>, Complaint> {
    let Some(table) = block.table(tag) else { return Ok(None) };
    let Some(column) = table.column(tag) else { return Ok(None) };
    let tokens: Vec<_> = table.rows().map(|row| row[column]).collect();
    let Some(first) = tokens.iter().find(|token| known(token)) else { return Ok(None) };
    // Some lists leave out `x,y,z`.
    let mut operations = vec![Operation::identity()];
    let mut group = Group::of(&operations);
    for token in &tokens {
        let text = shown(token.text);
        let blame = |what: &str| Complaint::at(token.line, format!("{text} {what}"));
        let operation = parse(token.text)
            .ok_or_else(|| blame("is no symmetry operation; write it like '-x, y+1/2, -z', in quotes"))?;
        if !fits(&operation, lattice) {
            return Err(blame(
                "is no symmetry of the cell; correct it, or the lengths and angles of the cell",
            ));
        }
        if !group.contains(&operation) && operations.len() <= MOST_OPERATIONS {
            group.insert(&operation);
            operations.push(operation);
        }
    }
    Ok(Some((first.line, operations)))
}

/// Reads `-x, y+1/2, -z`; the translation is brought into the cell.
fn parse(text: &str) -> Option<Operation> {
    let compact: String = text.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
    let rows: Vec<&str> = compact.split(',').collect();
    if rows.len() != 3 {
        return None;
    }
    let mut rotation = Matrix3::<f64>::zeros();
    let mut translation = Translation::zeros();
    for (i, row) in rows.into_iter().enumerate() {
        // One sign at most may stand before the first term.
        if row.ends_with('+') || row.contains("++") {
            return None;
        }
        for term in row.replace('-', "+-").split('+').filter(|term| !term.is_empty()) {
            let variable = term.chars().last().and_then(|c| "xyz".find(c));
            match variable {
                Some(j) => rotation[(i, j)] += factor(&term[..term.len() - 1])?,
                None => translation[i] += ratio(term)?,
            }
        }
    }
    let proper_or_improper = (rotation.determinant().abs() - 1.0).abs() < 1e-9;
    let whole = rotation.iter().all(|x| x.fract() == 0.0 && x.abs() < 10.0);
    (proper_or_improper && whole && translation.iter().all(|t| t.is_finite())).then(|| {
        Operation::new(rotation.map(|x| x as i32), translation.map(|t| twentyfourth(t).rem_euclid(1.0)))
    })
}

/// What multiplies a coordinate: nothing, a sign, `2` or `2*`.
fn factor(text: &str) -> Option<f64> {
    match text {
        "" => Some(1.0),
        "-" => Some(-1.0),
        _ => ratio(text.trim_end_matches('*')),
    }
}

/// A decimal or a fraction such as `-1/2`.
pub fn ratio(text: &str) -> Option<f64> {
    match text.split_once('/') {
        Some((above, below)) => Some(real(above)? / real(below)?).filter(|value| value.is_finite()),
        None => real(text),
    }
}

/// The multiple of 1/24 that a decimal rounds, else the decimal itself (supercells have fifths).
fn twentyfourth(t: f64) -> f64 {
    let nearest = (24.0 * t).round() / 24.0;
    if (t - nearest).abs() < DECIMAL_TOLERANCE { nearest } else { t }
}

/// Operations by their rotations.
#[derive(Default)]
struct Group(HashMap<Rotation, Vec<Translation>>);

impl Group {
    fn of(operations: &[Operation]) -> Group {
        let mut group = Group::default();
        operations.iter().for_each(|operation| group.insert(operation));
        group
    }

    fn insert(&mut self, operation: &Operation) {
        self.0.entry(operation.rotation).or_default().push(operation.translation);
    }

    /// True for an operation that is here up to a lattice translation.
    fn contains(&self, operation: &Operation) -> bool {
        let same = |t: &Translation| {
            (t - operation.translation).iter().all(|d| (d - d.round()).abs() < TRANSLATION_TOLERANCE)
        };
        self.0.get(&operation.rotation).is_some_and(|translations| translations.iter().any(same))
    }
}

/// True if the product of any two operations is one of them.
fn is_group(operations: &[Operation]) -> bool {
    let group = Group::of(operations);
    operations.iter().all(|a| operations.iter().all(|b| group.contains(&(a.clone() * b.clone()))))
}

/// True if the rotation leaves lengths and angles of the lattice as they are.
pub fn fits(operation: &Operation, lattice: &Matrix3<f64>) -> bool {
    let rotated = lattice * operation.rotation.map(f64::from);
    let (before, after) = (lattice.transpose() * lattice, rotated.transpose() * rotated);
    let lengths = before.diagonal().map(f64::sqrt);
    (after - before).component_div(&(lengths * lengths.transpose())).amax() < METRIC_TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_in_all_spellings() {
        for text in ["-x, y+1/2, -z+2/3", "-X,1/2+Y,2/3-Z", " -x , .5+y,-z+.6667 ", "-1*x,-1/2+y,-z-0.333"] {
            let operation = parse(text).unwrap();
            assert_eq!(operation.rotation, Rotation::from_diagonal(&[-1, 1, -1].into()), "{text}");
            assert!((operation.translation - Translation::new(0.0, 0.5, 2.0 / 3.0)).amax() < 1e-15, "{text}");
        }
        let hexagonal = parse("x-y,x,z+1/6").unwrap();
        assert_eq!(hexagonal.rotation, Rotation::new(1, -1, 0, 1, 0, 0, 0, 0, 1));
        assert_eq!(parse("x+1/5,y,z").unwrap().translation.x, 0.2);
    }

    #[test]
    fn what_is_no_operation_is_refused() {
        for text in [
            "",
            "x,y",
            "x,y,z,t",
            "x,y,y",
            "x,y,z/0",
            "x,y,1e400+z",
            "a,b,c",
            "x,y,0.5z",
            "x--,y,z",
            "x+,y,z",
            "x++1/2,y,z",
            "é,y,z",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
