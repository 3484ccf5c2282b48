//! Sites: the atoms that are evaluated, one for each set that the symmetry a potential respects maps onto one
//! another.

use nalgebra::{Matrix3, Vector3};

use crate::crystal::Element;
use crate::landscape::Embedding;
use crate::potential::Invariance;
use crate::symmetry::{Crystal, Operation};

/// An evaluated atom and the atoms it stands for.
#[derive(Clone, Debug)]
pub struct Site {
    /// Index of the atom in the primitive cell.
    pub atom: usize,
    /// Its element.
    pub element: Element,
    /// Number of atoms of the primitive cell that it stands for.
    pub multiplicity: usize,
    /// Cartesian rotation parts of the operations that leave the atom in place, at every point of the grid.
    pub stabiliser: Vec<Matrix3<f64>>,
}

/// An operation in terms of labelled atoms of the primitive cell:
/// `rotation x_j + translation = x_{images[j]} + offsets[j]` for all values of the axes.
#[derive(Clone, Debug)]
pub(super) struct AtomMap {
    /// Integer matrix in the primitive basis.
    pub(super) rotation: Matrix3<f64>,
    pub(super) images: Vec<usize>,
    pub(super) offsets: Vec<Vector3<f64>>,
}

impl AtomMap {
    /// Where a bond from the atom `centre` to atom j in cell T goes, seen from the centre's image: its new j and T.
    pub(super) fn apply(&self, centre: usize, (j, cell): (usize, Vector3<f64>)) -> (usize, Vector3<f64>) {
        let cell = self.rotation * cell + self.offsets[j] - self.offsets[centre];
        (self.images[j], cell.map(f64::round))
    }
}

/// The operations of the crystal that a potential respects, as maps of the atoms of the primitive cell. None if the
/// tables contradict themselves.
pub(super) fn atom_maps(
    crystal: &Crystal,
    embedding: &Embedding,
    invariance: Invariance,
) -> Option<Vec<AtomMap>> {
    let basis = crystal.group.centering;
    let inverse = basis.try_inverse()?;
    let mut maps: Vec<AtomMap> = Vec::new();
    for operation in &crystal.group.operations {
        if invariance == Invariance::Proper && !operation.is_proper() {
            continue;
        }
        let rotation = (basis * operation.rotation * inverse).map(f64::round);
        let primitive = Operation { rotation, translation: basis * operation.translation };
        let map = atom_map(&primitive, embedding)?;
        // Centring translations map every atom of the primitive cell onto itself.
        let known = |m: &AtomMap| m.rotation == map.rotation && m.images == map.images;
        if !maps.iter().any(known) {
            maps.push(map);
        }
    }
    Some(maps)
}

fn atom_map(operation: &Operation, embedding: &Embedding) -> Option<AtomMap> {
    let (mut images, mut offsets) = (Vec::new(), Vec::new());
    for atom in &embedding.atoms {
        let moved = atom.form.moved(&operation.rotation, &operation.translation);
        let found = embedding.atoms.iter().enumerate().find_map(|(k, other)| {
            let same_orbit = other.orbit == atom.orbit;
            same_orbit.then(|| moved.offset_from(&other.form)).flatten().map(|offset| (k, offset))
        });
        let (image, offset) = found?;
        images.push(image);
        offsets.push(offset);
    }
    Some(AtomMap { rotation: operation.rotation, images, offsets })
}

/// The sites, and for every atom its site and a map that takes the site's atom to it.
pub(super) struct Sites {
    pub(super) sites: Vec<Site>,
    /// Of each atom.
    pub(super) site_of: Vec<usize>,
    /// Index of a map from the site's atom onto each atom.
    pub(super) map_to: Vec<usize>,
    /// Indices of the maps that leave each site's atom in place.
    pub(super) stabilisers: Vec<Vec<usize>>,
}

impl Sites {
    /// Leaves only the identity in every stabiliser.
    pub(super) fn forget_stabilisers(&mut self, maps: &[AtomMap]) {
        let identity = |m: &AtomMap| m.rotation == Matrix3::identity() && m.images.iter().is_sorted();
        let identity = maps.iter().position(identity);
        self.stabilisers.iter_mut().for_each(|s| *s = identity.into_iter().collect());
        self.sites.iter_mut().for_each(|s| s.stabiliser = vec![Matrix3::identity()]);
    }
}

/// Cartesian matrix of a rotation in the lattice basis.
pub(super) fn cartesian(lattice: &Matrix3<f64>, rotation: &Matrix3<f64>) -> Option<Matrix3<f64>> {
    Some(lattice * rotation * lattice.try_inverse()?)
}

/// Divides the atoms into sites.
pub(super) fn sites(embedding: &Embedding, maps: &[AtomMap]) -> Option<Sites> {
    let count = embedding.atoms.len();
    let mut sites = Sites {
        sites: Vec::new(),
        site_of: vec![usize::MAX; count],
        map_to: vec![0; count],
        stabilisers: Vec::new(),
    };
    for atom in 0..count {
        if sites.site_of[atom] != usize::MAX {
            continue;
        }
        let mut multiplicity = 0;
        for (index, map) in maps.iter().enumerate() {
            let image = map.images[atom];
            if sites.site_of[image] == usize::MAX {
                sites.site_of[image] = sites.sites.len();
                sites.map_to[image] = index;
                multiplicity += 1;
            }
        }
        let stabiliser: Vec<usize> = (0..maps.len()).filter(|g| maps[*g].images[atom] == atom).collect();
        let rotations = stabiliser.iter().map(|g| cartesian(&embedding.lattice, &maps[*g].rotation));
        sites.sites.push(Site {
            atom,
            element: embedding.atoms[atom].element,
            multiplicity,
            stabiliser: rotations.collect::<Option<Vec<_>>>()?,
        });
        sites.stabilisers.push(stabiliser);
    }
    Some(sites)
}
