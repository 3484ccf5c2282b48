//! Operations and Wyckoff positions of a space group in one setting, from moyo's tables.

use moyo::data::{
    Setting, hall_symbol_entry, iter_wyckoff_positions_from_hall_number, operations_from_number,
};
use nalgebra::{Matrix3, Vector3};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Form;

/// A space-group operation on fractional coordinates: `x -> rotation * x + translation`.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Integer matrix in a lattice basis.
    pub rotation: Matrix3<f64>,
    /// Translation part.
    pub translation: Vector3<f64>,
}

impl Operation {
    /// The image of a position.
    pub fn apply(&self, x: &Vector3<f64>) -> Vector3<f64> {
        self.rotation * x + self.translation
    }

    /// Whether the operation turns nothing.
    pub fn is_translation(&self) -> bool {
        (self.rotation - Matrix3::identity()).amax() < 1e-9
    }

    /// Whether the operation keeps the handedness (a rotation, screw or translation).
    pub fn is_proper(&self) -> bool {
        self.rotation.determinant() > 0.0
    }
}

/// A Wyckoff position with one affine form an atom of the conventional cell.
#[derive(Clone, Debug)]
pub struct WyckoffPosition {
    /// `a`, `b`, ...; space group 47 ends with `A`.
    pub letter: char,
    /// Atoms in the conventional cell.
    pub multiplicity: usize,
    /// Site symmetry in oriented Hermann-Mauguin form, e.g. `.m.`.
    pub site_symmetry: &'static str,
    /// The representative as the tables write it, e.g. `x,1/4,z`.
    pub coordinates: &'static str,
    /// `multiplicity` forms, the representative first.
    pub forms: Vec<Form>,
}

impl WyckoffPosition {
    /// The representative's form.
    pub fn representative(&self) -> &Form {
        &self.forms[0]
    }

    /// Which of x, y, z are free.
    pub fn free(&self) -> [bool; 3] {
        self.forms[0].free()
    }

    /// Number of free coordinates.
    pub fn free_count(&self) -> usize {
        self.free().iter().filter(|f| **f).count()
    }
}

/// A space group in the setting of one Hall number.
#[derive(Clone, Debug)]
pub struct SpaceGroup {
    /// International number, 1 to 230.
    pub number: usize,
    /// Hall number, 1 to 530, which fixes the setting.
    pub hall_number: i32,
    /// Short Hermann-Mauguin symbol, e.g. `P n m a`.
    pub symbol: &'static str,
    /// Columns of the conventional basis are `primitive basis * centering`: `A_conventional = A_primitive * L`.
    pub centering: Matrix3<f64>,
    /// All operations modulo lattice translations of the conventional cell, centring included.
    pub operations: Vec<Operation>,
    /// All positions, the general one first as in moyo's table.
    pub wyckoff: Vec<WyckoffPosition>,
}

impl SpaceGroup {
    /// The group and setting of a Hall number (1 to 530).
    pub fn from_hall_number(hall_number: i32) -> Option<SpaceGroup> {
        let entry = hall_symbol_entry(hall_number)?;
        let operations: Vec<Operation> =
            operations_from_number(entry.number, Setting::HallNumber(hall_number), false)
                .ok()?
                .iter()
                .map(|o| Operation { rotation: o.rotation.map(f64::from), translation: o.translation })
                .collect();
        let wyckoff = iter_wyckoff_positions_from_hall_number(hall_number)
            .map(|position| {
                let forms = expand(&Form::parse(position.coordinates)?, &operations);
                (forms.len() == position.multiplicity).then_some(WyckoffPosition {
                    letter: position.letter,
                    multiplicity: position.multiplicity,
                    site_symmetry: position.site_symmetry,
                    coordinates: position.coordinates,
                    forms,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        Some(SpaceGroup {
            number: usize::try_from(entry.number).ok()?,
            hall_number,
            symbol: entry.hm_short,
            centering: entry.centering.linear().map(f64::from),
            operations,
            wyckoff,
        })
    }

    /// The group with this international number in spglib's default setting.
    pub fn from_number(number: usize) -> Option<SpaceGroup> {
        if !(1..=230).contains(&number) {
            return None;
        }
        SpaceGroup::from_hall_number(Setting::Spglib.hall_number(number as i32)?)
    }

    /// Index in [`SpaceGroup::wyckoff`] of a letter.
    pub fn position_of(&self, letter: char) -> Option<usize> {
        self.wyckoff.iter().position(|w| w.letter == letter)
    }

    /// Projects onto the directions along which a polar group has no origin: the mean of all rotations.
    pub(crate) fn polar_projector(&self) -> Matrix3<f64> {
        let sum: Matrix3<f64> = self.operations.iter().map(|o| o.rotation).sum();
        sum / self.operations.len() as f64
    }

    /// Translations of the centred lattice modulo those of the conventional cell, zero included.
    pub(crate) fn centring_translations(&self) -> impl Iterator<Item = Vector3<f64>> + '_ {
        self.operations.iter().filter(|o| o.is_translation()).map(|o| o.translation)
    }

    /// The most special position through `x`, with `members` atoms in the conventional cell.
    pub(crate) fn locate(&self, x: &Vector3<f64>, members: usize, tolerance: f64) -> Option<usize> {
        (0..self.wyckoff.len())
            .filter(|w| self.wyckoff[*w].multiplicity == members)
            .filter(|w| self.wyckoff[*w].forms.iter().any(|f| !f.solve(x, tolerance).is_empty()))
            .min_by_key(|w| self.wyckoff[*w].free_count())
    }
}

/// A group travels as its Hall number.
impl Serialize for SpaceGroup {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.hall_number.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SpaceGroup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hall_number = i32::deserialize(deserializer)?;
        SpaceGroup::from_hall_number(hall_number)
            .ok_or_else(|| D::Error::custom(format!("there is no Hall number {hall_number}")))
    }
}

/// The distinct images of a form under the operations, the form itself first.
fn expand(representative: &Form, operations: &[Operation]) -> Vec<Form> {
    let mut forms = vec![representative.clone()];
    for operation in operations {
        let image = representative.moved(&operation.rotation, &operation.translation);
        if !forms.iter().any(|f| image.offset_from(f).is_some()) {
            forms.push(image);
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wyckoff_position_of_every_setting_has_as_many_forms_as_atoms() {
        let mut positions = 0;
        for hall in 1..=530 {
            let group = SpaceGroup::from_hall_number(hall).unwrap_or_else(|| panic!("Hall number {hall}"));
            positions += group.wyckoff.len();
        }
        assert_eq!(positions, 3467);
        assert!(SpaceGroup::from_hall_number(0).is_none());
        assert!(SpaceGroup::from_hall_number(531).is_none());
        assert!(SpaceGroup::from_number(231).is_none());
    }
}
