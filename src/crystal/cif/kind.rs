//! Which of the 230 groups a list of operations is, whatever cell and origin it is written for.

use moyo::base::{Lattice, Operation};
use moyo::data::Setting;
use moyo::identify::SpaceGroup;
use moyo::math::HNF;
use nalgebra::{Dyn, Matrix3, OMatrix, U3, Vector3};

/// How far translations may be from those of the tables, in fractional coordinates.
const TOLERANCE: f64 = 1e-3;

/// The number of the group that the operations of a cell make (1 to 230); `None` if it is not recognised.
pub fn number(lattice: &Matrix3<f64>, operations: &[Operation]) -> Option<usize> {
    let translations: Vec<Vector3<f64>> = pure_translations(operations).collect();
    // Each column is a vector of the primitive basis in that of the cell.
    let basis = primitive_basis(&translations)?;
    let inverse = basis.try_inverse()?;
    let mut primitive: Vec<Operation> = Vec::new();
    for operation in operations {
        let rotation = inverse * operation.rotation.map(f64::from) * basis;
        let rounded = rotation.map(f64::round);
        if (rotation - rounded).amax() > TOLERANCE {
            return None;
        }
        let rotation = rounded.map(|x| x as i32);
        if primitive.iter().all(|other| other.rotation != rotation) {
            let translation = (inverse * operation.translation).map(|t| t - t.floor());
            primitive.push(Operation::new(rotation, translation));
        }
    }
    let lattice = Lattice { basis: lattice * basis };
    let group = SpaceGroup::from_lattice(&lattice, &primitive, Setting::Spglib, TOLERANCE).ok()?;
    usize::try_from(group.number).ok()
}

/// The translations among the operations, the zero one with them.
pub fn pure_translations(operations: &[Operation]) -> impl Iterator<Item = Vector3<f64>> {
    let identity = Matrix3::identity();
    operations
        .iter()
        .filter(move |operation| operation.rotation == identity)
        .map(|operation| operation.translation)
}

/// A basis of the lattice that whole numbers and the translations generate.
///
/// `n` translations are a group of order `n`, so `n` times each is a lattice vector.
fn primitive_basis(translations: &[Vector3<f64>]) -> Option<Matrix3<f64>> {
    let order = translations.len() as i32;
    let n = f64::from(order);
    let mut generators = OMatrix::<i32, U3, Dyn>::zeros(3 + translations.len());
    generators.fixed_view_mut::<3, 3>(0, 0).copy_from(&Matrix3::from_diagonal_element(order));
    for (column, translation) in translations.iter().enumerate() {
        let whole = (translation * n).map(f64::round);
        if (translation * n - whole).amax() > n * TOLERANCE {
            return None;
        }
        generators.set_column(3 + column, &whole.map(|x| x as i32));
    }
    let reduced = HNF::new(&generators).h;
    let basis = reduced.fixed_view::<3, 3>(0, 0).map(f64::from) / n;
    ((basis.determinant() * n - 1.0).abs() < TOLERANCE).then_some(basis)
}

#[cfg(test)]
mod tests {
    use moyo::data::hall_symbol_entry;

    use super::super::space_group::tabulated;
    use super::*;

    /// A lattice that all settings of a group allow.
    fn lattice(number: i32, setting: &str) -> Matrix3<f64> {
        match (number, setting) {
            (143..=194, "R") => Matrix3::new(4.0, 1.0, 1.0, 1.0, 4.0, 1.0, 1.0, 1.0, 4.0),
            (143..=194, _) => Matrix3::new(4.0, -2.0, 0.0, 0.0, 12_f64.sqrt(), 0.0, 0.0, 0.0, 7.0),
            _ => Matrix3::from_diagonal_element(5.0),
        }
    }

    #[test]
    fn all_settings_are_recognised_in_every_cell() {
        for hall_number in 1..=530 {
            let entry = hall_symbol_entry(hall_number).unwrap();
            let cell = lattice(entry.number, entry.setting);
            let operations = tabulated(&entry);
            assert_eq!(number(&cell, &operations), Some(entry.number as usize), "Hall number {hall_number}");
            // Twice as long along a, the origin elsewhere.
            let double = Matrix3::from_diagonal(&Vector3::new(2.0, 1.0, 1.0));
            let shift = Vector3::new(0.1, 0.2, 0.3);
            let mut doubled = Vec::new();
            for operation in &operations {
                let turned = double.try_inverse().unwrap() * operation.rotation.map(f64::from) * double;
                let moved = operation.translation - shift + operation.rotation.map(f64::from) * shift;
                for step in [0.0, 1.0] {
                    let translation = double.try_inverse().unwrap() * (moved + Vector3::new(step, 0.0, 0.0));
                    doubled.push(Operation::new(turned.map(|x| x.round() as i32), translation));
                }
            }
            let whole = |o: &Operation| {
                let turned = double.try_inverse().unwrap() * o.rotation.map(f64::from) * double;
                turned.iter().all(|x| x.fract() == 0.0)
            };
            if operations.iter().all(whole) {
                assert_eq!(
                    number(&(cell * double), &doubled),
                    Some(entry.number as usize),
                    "doubled {hall_number}"
                );
            }
        }
    }
}
