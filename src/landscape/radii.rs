//! Wigner-Seitz radii and the smallest distances that count as physical.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::crystal::Element;

/// The factor of the paper: thresholds are 0.75 times the sum of the radii.
pub const DEFAULT_SCALE: f64 = 0.75;

/// `D_min(i, j) = scale * (r_i + r_j)` in Angstrom, unless a pair is given its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    scale: f64,
    radii: BTreeMap<Element, f64>,
    pairs: BTreeMap<(Element, Element), f64>,
}

/// A radius that is missing or makes no sense.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RadiiError {
    /// The table ends at curium.
    #[error(
        "there is no Wigner-Seitz radius for {0}; give one in Angstrom in a campaign file: [distance] radii = {{ {0} = 1.5 }}"
    )]
    Missing(Element),
    /// Negative or not finite.
    #[error("{what} must be a finite number of at least 0, not {value}")]
    Value {
        /// Which number.
        what: String,
        /// As given.
        value: f64,
    },
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { scale: DEFAULT_SCALE, radii: table(), pairs: BTreeMap::new() }
    }
}

impl Thresholds {
    /// The table with a user's scale, radii and pair distances (Angstrom).
    pub fn new(
        scale: f64,
        radii: &BTreeMap<Element, f64>,
        pairs: &BTreeMap<(Element, Element), f64>,
    ) -> Result<Thresholds, RadiiError> {
        let check = |what: String, value: f64| match value.is_finite() && value >= 0.0 {
            true => Ok(()),
            false => Err(RadiiError::Value { what, value }),
        };
        check("the scale of the radii".into(), scale)?;
        let mut thresholds = Thresholds { scale, ..Thresholds::default() };
        for (element, radius) in radii {
            check(format!("the radius of {element}"), *radius)?;
            thresholds.radii.insert(*element, *radius);
        }
        for ((a, b), distance) in pairs {
            check(format!("the distance of {a}-{b}"), *distance)?;
            thresholds.pairs.insert((*a.min(b), *a.max(b)), *distance);
        }
        Ok(thresholds)
    }

    /// The smallest physical distance of a pair, in Angstrom.
    pub fn minimum(&self, a: Element, b: Element) -> Result<f64, RadiiError> {
        if let Some(distance) = self.pairs.get(&(a.min(b), a.max(b))) {
            return Ok(*distance);
        }
        let radius = |e: Element| self.radii.get(&e).copied().ok_or(RadiiError::Missing(e));
        Ok(self.scale * (radius(a)? + radius(b)?))
    }
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
}
