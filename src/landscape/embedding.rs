//! Axis values -> positions of all atoms, as affine maps.

use nalgebra::{Matrix3, Vector3};

use super::Axis;
use crate::crystal::Element;
use crate::symmetry::{Crystal, Form};

/// An atom of a cell whose position is affine in the axis values:
/// `x(s) = base + sum over axes of slopes[a] * s[a]`, fractional, continuous (never wrapped).
#[derive(Clone, Debug)]
pub struct EmbeddedAtom {
    /// Index into [`Crystal::orbits`].
    pub orbit: usize,
    /// Its element.
    pub element: Element,
    /// Position as a form of the orbit's coordinates, in the cell's basis.
    pub form: Form,
    /// Position at axis values 0.
    pub base: Vector3<f64>,
    /// Change with each axis value; zero for axes of other orbits.
    pub slopes: Vec<Vector3<f64>>,
}

impl EmbeddedAtom {
    /// Fractional position at the axis values `s`.
    pub fn at(&self, s: &[f64]) -> Vector3<f64> {
        self.slopes.iter().zip(s).fold(self.base, |x, (slope, value)| x + slope * *value)
    }

    /// Whether the atom moves with an axis.
    pub fn moves_with(&self, axis: usize) -> bool {
        self.slopes[axis] != Vector3::zeros()
    }
}

/// All atoms of a cell over a landscape.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// Lattice vectors as columns, in Angstrom.
    pub lattice: Matrix3<f64>,
    /// Atoms, orbit by orbit.
    pub atoms: Vec<EmbeddedAtom>,
}

impl Embedding {
    /// The atoms of the conventional cell.
    pub fn conventional(crystal: &Crystal, axes: &[Axis]) -> Embedding {
        Self::new(crystal, axes, crystal.lattice, Matrix3::identity())
    }

    /// The atoms of a primitive cell, one for each set of atoms that centring relates:
    /// `x_primitive = L x_conventional`.
    pub fn primitive(crystal: &Crystal, axes: &[Axis]) -> Embedding {
        Self::new(crystal, axes, crystal.primitive_lattice(), crystal.group.centering)
    }

    fn new(crystal: &Crystal, axes: &[Axis], lattice: Matrix3<f64>, basis: Matrix3<f64>) -> Embedding {
        let mut atoms = Vec::new();
        for (index, orbit) in crystal.orbits.iter().enumerate() {
            let mut forms: Vec<Form> = Vec::new();
            for form in &crystal.group.wyckoff[orbit.position].forms {
                let form = form.moved(&basis, &Vector3::zeros());
                // Decided on the forms, so that atoms stay apart where the numbers happen to coincide.
                if !forms.iter().any(|f| form.offset_from(f).is_some()) {
                    forms.push(form);
                }
            }
            let mut frozen = orbit.coordinates;
            axes.iter().filter(|a| a.dof.orbit == index).for_each(|a| frozen[a.dof.coordinate] = 0.0);
            for form in forms {
                let slope = |axis: &Axis| match axis.dof.orbit == index {
                    true => form.linear.column(axis.dof.coordinate).into_owned(),
                    false => Vector3::zeros(),
                };
                let slopes = axes.iter().map(slope).collect();
                atoms.push(EmbeddedAtom {
                    orbit: index,
                    element: orbit.element,
                    base: form.at(&frozen),
                    slopes,
                    form,
                });
            }
        }
        Embedding { lattice, atoms }
    }
}
