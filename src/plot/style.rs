//! How a figure is to look.

use std::str::FromStr;

use super::field::LIMIT;
use super::{ColourMap, PlotError};

/// Options of a figure; [`Style::default`] suits a figure over both columns of a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Style {
    /// Printed width.
    pub width: Width,
    /// Where each panel's zero of energy is.
    pub relative_to: RelativeTo,
    /// Energies of the lowest and the highest level in eV/atom, after subtraction of the zero. None: from the
    /// zero (or the lowest energy) to a high percentile of the points outside the mask, over all panels.
    /// A difference takes the larger magnitude for both signs.
    pub range: Option<(f64, f64)>,
    /// Name of a model: all others are drawn as their difference from it, each relative to its own zero.
    pub difference: Option<String>,
    /// Colours of the levels. A difference needs a diverging map and takes [`ColourMap::RedBlue`] otherwise.
    pub colours: ColourMap,
    /// About how many bands of colour.
    pub levels: usize,
    /// Thin lines between the bands.
    pub lines: bool,
    /// Panels side by side, at most 3 on a single and 6 on a double column, and so on; None: what suits the width and
    /// the number of models.
    pub columns: Option<usize>,
    /// Explain the marks next to the title.
    pub key: bool,
    /// What becomes of energies where atoms are too close.
    pub masked: Masked,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            width: Width::Double,
            relative_to: RelativeTo::Minimum,
            range: None,
            difference: None,
            colours: ColourMap::Viridis,
            levels: 14,
            lines: true,
            columns: None,
            key: true,
            masked: Masked::Pale,
        }
    }
}

impl Style {
    /// Checks the numbers.
    pub(super) fn check(&self) -> Result<(), PlotError> {
        if let Some((low, high)) = self.range
            && !(-LIMIT <= low && low < high && high <= LIMIT)
        {
            return Err(PlotError::Range(low, high));
        }
        if !(2..=64).contains(&self.levels) {
            return Err(PlotError::Levels(self.levels));
        }
        let inches = self.width.inches();
        if !(NARROWEST..=WIDEST).contains(&inches) {
            return Err(PlotError::Width(inches));
        }
        Ok(())
    }
}

/// Least and greatest printed width in inches.
pub const NARROWEST: f64 = 2.0;
/// See [`NARROWEST`].
pub const WIDEST: f64 = 40.0;

/// Printed width of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Width {
    /// One column of a journal: 3.4 inches.
    Single,
    /// Both columns: 7 inches.
    Double,
    /// So many inches, 2 to 40.
    Inches(f64),
}

impl Width {
    /// The width in inches.
    pub fn inches(self) -> f64 {
        match self {
            Self::Single => 3.4,
            Self::Double => 7.0,
            Self::Inches(inches) => inches,
        }
    }

    /// True if it is nearer to one column than to both.
    pub(super) fn is_narrow(self) -> bool {
        self.inches() < 5.0
    }

    /// The width in points (1/72 inch), the unit of all drawing.
    pub(super) fn points(self) -> f64 {
        72.0 * self.inches()
    }
}

/// What becomes of energies where atoms are too close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masked {
    /// They are drawn pale, under hatching.
    Pale,
    /// They are hidden.
    Hidden,
}

/// The zero of energy of each panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelativeTo {
    /// The panel's lowest point outside the mask.
    Minimum,
    /// The model's energy of the input structure.
    Reference,
    /// The model's own zero.
    Absolute,
}

impl FromStr for Width {
    type Err = PlotError;

    fn from_str(word: &str) -> Result<Self, PlotError> {
        match word {
            "single" => Ok(Self::Single),
            "double" => Ok(Self::Double),
            _ => match word.parse() {
                Ok(inches) => Ok(Self::Inches(inches)),
                Err(_) => Err(unknown("width", word, "single, double, and inches as a number")),
            },
        }
    }
}

impl FromStr for Masked {
    type Err = PlotError;

    fn from_str(word: &str) -> Result<Self, PlotError> {
        match word {
            "pale" => Ok(Self::Pale),
            "hide" | "hidden" => Ok(Self::Hidden),
            _ => Err(unknown("way to draw masked energies", word, "pale, hide")),
        }
    }
}

impl FromStr for RelativeTo {
    type Err = PlotError;

    fn from_str(word: &str) -> Result<Self, PlotError> {
        match word {
            "minimum" => Ok(Self::Minimum),
            "reference" | "input" => Ok(Self::Reference),
            "none" | "absolute" => Ok(Self::Absolute),
            _ => Err(unknown("zero of energy", word, "minimum, input (or reference), none")),
        }
    }
}

pub(super) fn unknown(what: &'static str, word: &str, known: &str) -> PlotError {
    PlotError::Word { what, word: word.into(), known: known.into() }
}
