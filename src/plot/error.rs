use std::path::PathBuf;

/// Why a figure was not drawn or not written; each message names the way out.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The landscape has no axis, or three and more.
    #[error("a figure needs one or two axes, not {0}")]
    Axes(usize),
    /// The coordinates of an axis cannot be drawn.
    #[error("axis \"{axis}\": {problem}")]
    Axis {
        /// Label of the axis.
        axis: String,
        /// What is wrong with its values.
        problem: &'static str,
    },
    /// An array does not have one value for each point of the grid.
    #[error("{array} has {found} values, but the grid has {expected} points")]
    Shape {
        /// Which array.
        array: String,
        /// Its length.
        found: usize,
        /// Number of grid points.
        expected: usize,
    },
    /// The landscape has no panel.
    #[error("there is no model to draw")]
    NoPanels,
    /// The range of the colours (or of the vertical axis) is empty or too large.
    #[error("the range of energies must go up within a billion eV, not {0} to {1}")]
    Range(f64, f64),
    /// Too few or too many levels.
    #[error("the number of levels must be from 2 to 64, not {0}")]
    Levels(usize),
    /// Too narrow or too wide, or no number.
    #[error("the width of a figure must be from 2 to 40 inches, not {0}")]
    Width(f64),
    /// Too coarse or too fine.
    #[error("the resolution of a .png must be from 20 to 1200 pixels an inch, not {0}")]
    Resolution(f64),
    /// The model to compare with is not among the panels.
    #[error("there is no model \"{wanted}\" to compare with; there is {known}")]
    UnknownModel {
        /// Name that was asked for.
        wanted: String,
        /// Names that exist.
        known: String,
    },
    /// The model to compare with is the only one.
    #[error("a difference needs a second model beside \"{0}\"")]
    NothingToCompare(String),
    /// Energies relative to the input structure, whose energy nobody computed.
    #[error("no model has an energy of the input structure; draw relative to the minimum")]
    NoReferenceEnergy,
    /// A word of the style is not known.
    #[error("unknown {what} \"{word}\"; there is {known}")]
    Word {
        /// What the word should have named.
        what: &'static str,
        /// The word.
        word: String,
        /// Words that exist.
        known: String,
    },
    /// The file's suffix names no known format.
    #[error("{}: a figure ends in .svg, .png or .pdf", .0.display())]
    Suffix(PathBuf),
    /// PNG or PDF without the feature `figures`.
    #[error(
        "{}: this program was built without the feature `figures` and writes .svg only; \
         build it with `--features figures`, or convert the .svg (Inkscape, rsvg-convert)", .0.display()
    )]
    NoFigures(PathBuf),
    /// Several pages, or none, for a format that has one.
    #[error("{}: {count} pages do not fit one picture; write a .pdf", path.display())]
    Pages {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// The SVG could not be turned into pixels or PDF.
    #[error("cannot render the figure: {0}")]
    Render(String),
    /// The file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}
