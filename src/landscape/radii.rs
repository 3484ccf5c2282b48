//! Wigner-Seitz radii and the smallest distances that count as physical.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::crystal::Element;
use crate::crystal::periodic::Periodic;
use crate::symmetry::Crystal;

/// The factor of the paper: thresholds are 0.75 times the sum of the radii.
pub const DEFAULT_SCALE: f64 = 0.75;

/// Input distances below this part of a threshold are unphysical themselves and cap nothing.
const UNPHYSICAL: f64 = 0.85;
/// A capped threshold over the input distance that caps it. The percent below covers the digits that files and
/// reconstructions lose (1e-5 Angstrom), so that the input never has a cost from that pair, and some of what its neighbours
/// on a grid are closer.
const BELOW: f64 = 0.99;

/// Largest scale, and largest radius and distance in Angstrom, that make sense.
const MOST: f64 = 100.0;

/// `D_min(i, j) = scale * (r_i + r_j)` in Angstrom, unless a pair is given its own.
///
/// Real bonds can be shorter: P-O, S-O, Si-O, C-N. The distances of a crystal that is taken for granted are physical, so
/// [`Thresholds::capped_by`] lowers `D_min` to `0.99 d(i, j)` where its shortest distance `d(i, j)` of two elements is from
/// 0.85 to 1 times `D_min`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    scale: f64,
    radii: BTreeMap<Element, f64>,
    pairs: BTreeMap<(Element, Element), f64>,
    cap: bool,
    caps: BTreeMap<(Element, Element), Cap>,
}

/// A threshold that a crystal's own distances lower.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cap {
    /// Shortest distance of the two elements in the crystal, in Angstrom.
    pub shortest: f64,
    /// `D_min` without the cap, in Angstrom.
    pub from: f64,
    /// `D_min` with it, in Angstrom.
    pub to: f64,
}

/// A radius that is missing or makes no sense.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RadiiError {
    /// The table ends at curium.
    #[error(
        "there is no Wigner-Seitz radius for {0}; give one in Angstrom in a campaign file: [distance] radii = {{ {0} = 1.5 }}"
    )]
    Missing(Element),
    /// Negative, not finite or beyond all atoms.
    #[error("{what} must be a number from 0 to {MOST}, not {value:?}")]
    Value {
        /// Which number.
        what: String,
        /// As given.
        value: f64,
    },
}

impl Default for Thresholds {
    fn default() -> Self {
        let (pairs, caps) = (BTreeMap::new(), BTreeMap::new());
        Thresholds { scale: DEFAULT_SCALE, radii: table(), pairs, cap: true, caps }
    }
}

impl Thresholds {
    /// The table with a user's scale, radii and pair distances (Angstrom).
    pub fn new(
        scale: f64,
        radii: &BTreeMap<Element, f64>,
        pairs: &BTreeMap<(Element, Element), f64>,
    ) -> Result<Thresholds, RadiiError> {
        for (element, radius) in radii {
            check_length(|| format!("the radius of {element}"), *radius)?;
        }
        let thresholds = Thresholds::default().with_scale(scale)?;
        let radii =
            thresholds.radii.iter().chain(radii).map(|(element, radius)| (*element, *radius)).collect();
        pairs.iter().try_fold(Thresholds { radii, ..thresholds }, |thresholds, ((a, b), distance)| {
            thresholds.with_pair((*a, *b), *distance)
        })
    }

    /// With another factor for the radii; pairs that are given stay, caps go.
    pub fn with_scale(mut self, scale: f64) -> Result<Thresholds, RadiiError> {
        check_length(|| "the scale of the radii".into(), scale)?;
        (self.scale, self.caps) = (scale, BTreeMap::new());
        Ok(self)
    }

    /// With a distance (Angstrom) given for a pair, which nothing caps.
    pub fn with_pair(mut self, (a, b): (Element, Element), distance: f64) -> Result<Thresholds, RadiiError> {
        check_length(|| format!("the distance of {a}-{b}"), distance)?;
        let pair = (a.min(b), a.max(b));
        self.caps.remove(&pair);
        self.pairs.insert(pair, distance);
        Ok(self)
    }

    /// Whether crystals may cap them; at first they may.
    pub fn with_cap(mut self, cap: bool) -> Thresholds {
        (self.cap, self.caps) = (cap, BTreeMap::new());
        self
    }

    /// For landscapes of a crystal, whose coordinates count as physical; unchanged if caps are not wanted.
    pub fn capped_by(&self, crystal: &Crystal) -> Result<Thresholds, RadiiError> {
        let mut thresholds = Thresholds { caps: BTreeMap::new(), ..self.clone() };
        if !self.cap {
            return Ok(thresholds);
        }
        for (pair, shortest) in shortest_distances(crystal) {
            let from = thresholds.minimum(pair.0, pair.1)?;
            if !self.pairs.contains_key(&pair) && (UNPHYSICAL * from..from).contains(&shortest) {
                thresholds.caps.insert(pair, Cap { shortest, from, to: BELOW * shortest });
            }
        }
        Ok(thresholds)
    }

    /// What is capped, by pair.
    pub fn caps(&self) -> impl Iterator<Item = ((Element, Element), &Cap)> {
        self.caps.iter().map(|(pair, cap)| (*pair, cap))
    }

    /// The smallest physical distance of a pair, in Angstrom.
    pub fn minimum(&self, a: Element, b: Element) -> Result<f64, RadiiError> {
        match self.caps.get(&(a.min(b), a.max(b))) {
            Some(cap) => Ok(cap.to),
            None => self.uncapped(a, b),
        }
    }

    /// As [`Thresholds::minimum`], but for caps.
    pub fn uncapped(&self, a: Element, b: Element) -> Result<f64, RadiiError> {
        if let Some(distance) = self.pairs.get(&(a.min(b), a.max(b))) {
            return Ok(*distance);
        }
        let radius = |e: Element| self.radii.get(&e).copied().ok_or(RadiiError::Missing(e));
        Ok(self.scale * (radius(a)? + radius(b)?))
    }
}

fn check_length(what: impl Fn() -> String, value: f64) -> Result<(), RadiiError> {
    match (0.0..=MOST).contains(&value) {
        true => Ok(()),
        false => Err(RadiiError::Value { what: what(), value }),
    }
}

/// The pair as messages have it, the heavier element first: `P-O`.
pub fn pair_name((a, b): (Element, Element)) -> String {
    format!("{}-{}", a.max(b), a.min(b))
}

/// Shortest distance in Angstrom of each pair of elements (the lighter first), atoms with their own images included.
fn shortest_distances(crystal: &Crystal) -> BTreeMap<(Element, Element), f64> {
    let periodic = Periodic::new(&crystal.lattice);
    let atoms: Vec<_> = crystal.atoms().map(|(element, x)| (element, periodic.reduce(&x))).collect();
    let mut shortest = BTreeMap::new();
    let mut representative = 0;
    for orbit in &crystal.orbits {
        let (a, x) = atoms[representative];
        for (j, (b, y)) in atoms.iter().enumerate() {
            let distance = if j == representative { periodic.shortest } else { periodic.distance(&(x - y)) };
            let known = shortest.entry((a.min(*b), a.max(*b))).or_insert(f64::INFINITY);
            *known = f64::min(*known, distance);
        }
        representative += crystal.group.wyckoff[orbit.position].multiplicity;
    }
    shortest
}

fn table() -> BTreeMap<Element, f64> {
    let elements = (1..=118).filter_map(Element::from_number);
    elements.filter_map(|element| Some((element, element.wigner_seitz_radius()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(symbol: &str) -> Element {
        Element::from_symbol(symbol).unwrap()
    }

    #[test]
    fn the_nine_thresholds_of_the_paper() {
        let thresholds = Thresholds::default();
        assert_eq!(thresholds.radii.len(), 96);
        for (a, b, printed, digits) in [
            ("N", "N", 1.1115, 1e-4),
            ("N", "W", 1.647, 1e-3),
            ("W", "W", 2.1825, 1e-4),
            ("Ti", "Ti", 1.98, 1e-2),
            ("Ti", "N", 1.55, 1e-2),
            ("Ti", "Al", 2.04, 1e-2),
            ("N", "N", 1.112, 1e-3),
            ("N", "Al", 1.61, 1e-2),
            ("Al", "Al", 2.10, 1e-2),
        ] {
            let minimum = thresholds.minimum(element(a), element(b)).unwrap();
            assert!((minimum - printed).abs() < 0.6 * digits, "{a}-{b}: {minimum} against {printed}");
        }
    }

    #[test]
    fn a_missing_radius_says_how_to_give_one() {
        let thresholds = Thresholds::default();
        let error = thresholds.minimum(element("Og"), element("W")).unwrap_err();
        assert!(error.to_string().contains("radii = { Og = 1.5 }"), "{error}");
        let radii = BTreeMap::from([(element("Og"), 2.0)]);
        let pairs = BTreeMap::from([((element("W"), element("N")), 1.6)]);
        let thresholds = Thresholds::new(0.5, &radii, &pairs).unwrap();
        assert_eq!(thresholds.minimum(element("Og"), element("Og")).unwrap(), 2.0);
        assert_eq!(thresholds.minimum(element("N"), element("W")).unwrap(), 1.6);
        assert!(Thresholds::new(f64::NAN, &radii, &pairs).is_err());
    }

    /// A crystal with that diagonal lattice, and atoms as lines of an extended XYZ file.
    fn crystal([a, b, c]: [f64; 3], atoms: &[String]) -> Crystal {
        let folder = tempfile::tempdir().unwrap();
        let lattice =
            format!("Lattice=\"{a} 0 0 0 {b} 0 0 0 {c}\" Properties=species:S:1:pos:R:3 pbc=\"T T T\"");
        let file = folder.path().join("test.extxyz");
        std::fs::write(&file, format!("{}\n{lattice}\n{}\n", atoms.len(), atoms.join("\n"))).unwrap();
        Crystal::new(&crate::crystal::read_structure(&file).unwrap(), 0.01).unwrap()
    }

    fn cyanide(distance: f64) -> Crystal {
        crystal([5.0, 5.0, 5.0], &["C 0 0 0".into(), format!("N {distance} 0 0")])
    }

    #[test]
    fn an_input_caps_thresholds_from_85_percent_on_and_never_above() {
        let thresholds = Thresholds::default();
        let pair = (element("C"), element("N"));
        let paper = thresholds.minimum(pair.0, pair.1).unwrap();
        let minimum = |thresholds: &Thresholds, distance: f64| {
            thresholds.capped_by(&cyanide(distance)).unwrap().minimum(pair.0, pair.1).unwrap()
        };
        for (part, expected) in
            [(0.84, 1.0), (0.86, 0.99 * 0.86), (0.999, 0.99 * 0.999), (1.001, 1.0), (1.4, 1.0)]
        {
            let found = minimum(&thresholds, part * paper);
            assert!((found - expected * paper).abs() < 1e-12, "{part}: {found} of {paper}");
        }
        let capped = thresholds.capped_by(&cyanide(0.9 * paper)).unwrap();
        let caps: Vec<_> = capped.caps().collect();
        let [((a, b), cap)] = caps[..] else { panic!("{caps:?}") };
        assert_eq!(
            (pair_name((a, b)), cap.from, capped.uncapped(b, a).unwrap()),
            ("N-C".into(), paper, paper)
        );
        assert!((cap.shortest - 0.9 * paper).abs() < 1e-12);
        // No caps, others, or none for a pair that is given.
        assert_eq!(minimum(&thresholds.clone().with_cap(false), 0.9 * paper), paper);
        assert_eq!(minimum(&thresholds.clone().with_pair(pair, 1.5).unwrap(), 0.9 * paper), 1.5);
        assert!(
            (minimum(&capped.clone().with_scale(0.675).unwrap(), 0.95 * paper) - 0.9 * paper).abs() < 1e-12
        );
        assert_eq!(capped.with_cap(false).minimum(pair.1, pair.0).unwrap(), paper);
    }

    #[test]
    fn images_of_an_atom_cap_as_other_atoms_do() {
        let hydrogen = element("H");
        let thresholds = Thresholds::default().with_scale(0.77 / (2.0 * table()[&hydrogen])).unwrap();
        let capped = thresholds.capped_by(&crystal([0.7, 3.0, 3.1], &["H 0 0 0".into()])).unwrap();
        assert!((capped.minimum(hydrogen, hydrogen).unwrap() - 0.99 * 0.7).abs() < 1e-9);
    }
}
