//! Which of several settings the file means where its symbol does not tell: mostly the origin.

use std::collections::BTreeMap;

use nalgebra::{Matrix3, Vector3};

use super::super::Element;
use super::super::periodic::Periodic;
use super::super::text::{Complaint, shown};
use super::expand::{Expanded, expand};
use super::sites::Site;
use super::stated::{Stated, written};
use super::symmetry::{Group, Groups};

/// No two atoms of a crystal are nearer than this part of the sum of their Wigner-Seitz radii. The shortest known are
/// 0.67 (carbon monoxide, alpha plutonium) and 0.70 (uranyl).
const TOO_NEAR: f64 = 0.66;

/// No small atom (radius below [`SMALL`], in Angstrom) has [`TOO_MANY`] small neighbours within this part of the sum of
/// the radii. The shortest bonds of four, those of SO4 and PO4, are 0.74 of it; six O around a Ta are as near.
const CROWDED: f64 = 0.78;
const TOO_MANY: usize = 5;
const SMALL: f64 = 1.25;

/// Radius of elements that the table lacks, in Angstrom.
const ANY_RADIUS: f64 = 1.5;

/// Distances that differ by less, in Angstrom, are the same.
const SAME: f64 = 1e-4;

/// What a block holds besides its group.
pub struct Contents<'a> {
    pub sites: &'a [Site],
    pub stated: &'a Stated<'a>,
    pub lattice: &'a Matrix3<f64>,
}

/// The atoms in one of the settings that the file may mean.
struct Answer<'a> {
    group: &'a Group,
    atoms: Expanded,
}

impl Contents<'_> {
    /// The atoms that a group makes of the sites, if they are what the file states.
    fn atoms(&self, group: &Group) -> Result<Expanded, Complaint> {
        let atoms = expand(self.sites, &group.operations, self.lattice)?;
        self.stated.check(self.sites, group, &atoms).map(|()| atoms)
    }

    /// The atoms of the crystal called `name`.
    ///
    /// Of several groups the one holds whose atoms are what the file states (multiplicities, letters, formula and Z),
    /// else the only one whose atoms keep the distances of crystals; the log says which. What stays open is refused.
    pub fn choose(&self, groups: &Groups, name: &str) -> Result<Expanded, Complaint> {
        let (mut answers, mut refusals) = (Vec::<Answer>::new(), Vec::new());
        for group in &groups.candidates {
            match self.atoms(group) {
                // Two settings may give the same crystal, as where the sites are on both inversion centres.
                Ok(atoms) if answers.iter().any(|answer| self.are_same(&answer.atoms, &atoms)) => {}
                Ok(atoms) => answers.push(Answer { group, atoms }),
                Err(complaint) => refusals.push((group, complaint)),
            }
        }
        let mut others = Vec::new();
        let states_units = |answer: &Answer| self.stated.has_exactly(&answer.atoms.counts());
        let is_possible = |answer: &Answer| self.crowding(&answer.atoms).is_none();
        for is_likely in [&states_units as &dyn Fn(&Answer) -> bool, &is_possible] {
            if answers.len() > 1 && answers.iter().any(is_likely) {
                let (likely, unlikely): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(is_likely);
                answers = likely;
                others.extend(unlikely);
            }
        }
        if answers.len() > 1 {
            return Err(self.undecided(&answers.into_iter().chain(others).collect::<Vec<_>>(), groups));
        }
        let of_other =
            |other: &Answer| format!("{} would give {}", groups.called(other.group), self.shown(other));
        let of_refusal = |(group, refusal): &(&Group, Complaint)| {
            format!("with {}, {}", groups.called(group), refusal.text)
        };
        let reason = others.first().map(of_other).or(refusals.first().map(of_refusal));
        match answers.pop() {
            Some(answer) => {
                if let Some(reason) = reason {
                    let (text, called) = (shown(&groups.text), groups.called(answer.group));
                    log::warn!("{name}: space group {text} is taken with {called}; {reason}");
                }
                Ok(answer.atoms)
            }
            None => Err(all_refused(refusals, groups)),
        }
    }

    /// True if all distances between atoms are the same.
    fn are_same(&self, one: &Expanded, other: &Expanded) -> bool {
        if one.counts() != other.counts() {
            return false;
        }
        let (one, other) = (self.distances(one), self.distances(other));
        one.keys().eq(other.keys())
            && one
                .values()
                .zip(other.values())
                .all(|(a, b)| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < SAME))
    }

    /// Distances of nearest images for each pair of elements, in rising order.
    fn distances(&self, atoms: &Expanded) -> BTreeMap<(Element, Element), Vec<f64>> {
        let periodic = Periodic::new(self.lattice);
        let reduced: Vec<Vector3<f64>> = atoms.positions.iter().map(|x| periodic.reduce(x)).collect();
        let mut distances = BTreeMap::<_, Vec<f64>>::new();
        let mut first = 0;
        for multiplicity in &atoms.multiplicities {
            for (position, element) in reduced.iter().zip(&atoms.species) {
                let distance = periodic.distance(&(position - reduced[first]));
                distances
                    .entry((atoms.species[first], *element))
                    .or_default()
                    .extend(vec![distance; *multiplicity]);
            }
            first += multiplicity;
        }
        distances.values_mut().for_each(|distances| distances.sort_by(f64::total_cmp));
        distances
    }

    /// The shortest distance (Angstrom) around the first atom that has nearer neighbours, or more near ones, than atoms of
    /// crystals have; `None` if no atom does.
    fn crowding(&self, atoms: &Expanded) -> Option<f64> {
        let periodic = Periodic::new(self.lattice);
        let radius = |element: Element| element.wigner_seitz_radius().unwrap_or(ANY_RADIUS);
        let mut first = 0;
        for multiplicity in &atoms.multiplicities {
            let own = radius(atoms.species[first]);
            let (mut crowd, mut shortest) = (0, f64::INFINITY);
            let mut impossible = false;
            for (position, element) in atoms.positions.iter().zip(&atoms.species) {
                let other = radius(*element);
                let images = periodic.distances_of_images(&(position - atoms.positions[first]));
                for distance in images.filter(|d| *d > SAME && *d < CROWDED * (own + other)) {
                    crowd += usize::from(own < SMALL && other < SMALL);
                    shortest = shortest.min(distance);
                    impossible |= distance < TOO_NEAR * (own + other);
                }
            }
            if impossible || crowd >= TOO_MANY {
                return Some(shortest);
            }
            first += multiplicity;
        }
        None
    }

    fn undecided(&self, answers: &[Answer], groups: &Groups) -> Complaint {
        let all: Vec<String> = answers
            .iter()
            .map(|answer| format!("{} gives {}", groups.called(answer.group), self.shown(answer)))
            .collect();
        let ways: Vec<String> =
            answers.iter().map(|answer| format!("'{}'", groups.exact(answer.group))).collect();
        Complaint::at(
            groups.line,
            format!(
                "space group {} leaves the setting open: {}; write {}",
                shown(&groups.text),
                all.join(", "),
                ways.join(" or ")
            ),
        )
    }

    /// Formula of the cell and shortest distance.
    fn shown(&self, answer: &Answer) -> String {
        let formula = written(&answer.atoms.counts());
        let shortest = self.crowding(&answer.atoms).or_else(|| {
            self.distances(&answer.atoms).into_values().flatten().filter(|d| *d > SAME).min_by(f64::total_cmp)
        });
        shortest
            .map_or(formula.clone(), |shortest| format!("{formula} with atoms {shortest:.2} Angstrom apart"))
    }
}

/// Why none of the groups is what the file states.
fn all_refused(refusals: Vec<(&Group, Complaint)>, groups: &Groups) -> Complaint {
    let single = refusals.len() == 1;
    let line = refusals.first().and_then(|(_, refusal)| refusal.line);
    let texts: Vec<String> = refusals
        .into_iter()
        .map(|(group, refusal)| match single {
            true => refusal.text,
            false => format!("with {}, {}", groups.called(group), refusal.text),
        })
        .collect();
    Complaint { line, text: texts.join("; ") }
}
