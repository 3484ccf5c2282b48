//! Colours: perceptually uniform maps for energies, a diverging one for differences, a few for curves.

use std::fmt;
use std::str::FromStr;

use super::style::unknown;
use super::{PlotError, levels::Levels};

/// A colour map for the bands between levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourMap {
    /// Dark violet to yellow; safe for colour-blind readers and in grey.
    Viridis,
    /// As viridis, in the colours that colour-blind readers see alike.
    Cividis,
    /// Black over purple to light yellow.
    Magma,
    /// Black over red to yellow.
    Inferno,
    /// Blue over red to yellow.
    Plasma,
    /// Diverging: blue below, white at, red above zero.
    RedBlue,
    /// Diverging: purple below, white at, orange above zero.
    PurpleOrange,
}

impl ColourMap {
    /// Every map.
    pub const ALL: [Self; 7] = [
        Self::Viridis,
        Self::Cividis,
        Self::Magma,
        Self::Inferno,
        Self::Plasma,
        Self::RedBlue,
        Self::PurpleOrange,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viridis => "viridis",
            Self::Cividis => "cividis",
            Self::Magma => "magma",
            Self::Inferno => "inferno",
            Self::Plasma => "plasma",
            Self::RedBlue => "red-blue",
            Self::PurpleOrange => "purple-orange",
        }
    }

    /// True if its middle stands for zero.
    pub fn is_diverging(self) -> bool {
        matches!(self, Self::RedBlue | Self::PurpleOrange)
    }

    /// The colour of value `i` of `n`, low to high.
    fn shade(self, i: usize, n: usize) -> Rgb {
        let mirrored = n.saturating_sub(1).saturating_sub(i);
        let (map, i) = match self {
            Self::Viridis => (colorous::VIRIDIS, i),
            Self::Cividis => (colorous::CIVIDIS, i),
            Self::Magma => (colorous::MAGMA, i),
            Self::Inferno => (colorous::INFERNO, i),
            Self::Plasma => (colorous::PLASMA, i),
            Self::RedBlue => (colorous::RED_BLUE, mirrored),
            Self::PurpleOrange => (colorous::PURPLE_ORANGE, i),
        };
        let colour = map.eval_rational(i, n.max(2));
        Rgb(colour.r, colour.g, colour.b)
    }
}

impl FromStr for ColourMap {
    type Err = PlotError;

    fn from_str(word: &str) -> Result<Self, PlotError> {
        Self::ALL
            .into_iter()
            .find(|map| map.name() == word)
            .ok_or_else(|| unknown("colour map", word, &Self::ALL.map(Self::name).join(", ")))
    }
}

/// A colour, written as in SVG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(u8, u8, u8);

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// The colour of each band, and of what lies beyond the first and the last level.
#[derive(Clone, Debug)]
pub struct Palette {
    pub under: Rgb,
    pub bands: Vec<Rgb>,
    pub over: Rgb,
}

impl Palette {
    /// Spreads the map over the bands and, where there are values beyond them, one colour more at that end.
    pub fn new(map: ColourMap, levels: &Levels) -> Self {
        let bands = levels.edges.len().saturating_sub(1);
        // A diverging map keeps both ends, so that its middle stays at zero.
        let (under, over) = (levels.under || map.is_diverging(), levels.over || map.is_diverging());
        let (first, all) = (usize::from(under), bands + usize::from(under) + usize::from(over));
        Self {
            under: map.shade(0, all),
            bands: (first..first + bands).map(|i| map.shade(i, all)).collect(),
            over: map.shade(all.saturating_sub(1), all),
        }
    }
}

/// Colour and dashes of curve `i` of a one-dimensional landscape: the colours that Okabe and Ito chose for
/// colour-blind readers (without their yellow, too light for a line), then again with other dashes.
pub fn curve(i: usize) -> (Rgb, &'static str) {
    const COLOURS: [Rgb; 7] = [
        Rgb(0x00, 0x72, 0xb2),
        Rgb(0xd5, 0x5e, 0x00),
        Rgb(0x00, 0x9e, 0x73),
        Rgb(0xcc, 0x79, 0xa7),
        Rgb(0x00, 0x00, 0x00),
        Rgb(0xe6, 0x9f, 0x00),
        Rgb(0x56, 0xb4, 0xe9),
    ];
    const DASHES: [&str; 3] = ["none", "4 1.5", "1.2 1.2"];
    (COLOURS[i % COLOURS.len()], DASHES[i / COLOURS.len() % DASHES.len()])
}
