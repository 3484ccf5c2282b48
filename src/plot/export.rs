//! From SVG to the file formats.

use std::path::Path;
use std::str::FromStr;

use super::style::unknown;
use super::{PlotError, Svg, signature};

/// Resolution of a PNG in pixels an inch, as journals ask for.
pub const DPI: f64 = 300.0;

/// A file format of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines and text, as a web browser shows them.
    Svg,
    /// Pixels.
    Png,
    /// Lines and text with fonts embedded, as journals take them.
    Pdf,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Svg, Self::Png, Self::Pdf];

    /// The suffix of its files.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Pdf => "pdf",
        }
    }

    /// The format that a file name ends with, if this program can write it.
    pub fn of(path: &Path) -> Result<Self, PlotError> {
        let suffix = path.extension().and_then(|suffix| suffix.to_str()).map(str::to_ascii_lowercase);
        let format = Self::ALL.into_iter().find(|format| suffix.as_deref() == Some(format.suffix()));
        match format {
            None => Err(PlotError::Suffix(path.into())),
            Some(Self::Png | Self::Pdf) if !cfg!(feature = "figures") => {
                Err(PlotError::NoFigures(path.into()))
            }
            Some(format) => Ok(format),
        }
    }
}

impl FromStr for Format {
    type Err = PlotError;

    fn from_str(word: &str) -> Result<Self, PlotError> {
        let found = Self::ALL.into_iter().find(|format| format.suffix() == word);
        found.ok_or_else(|| unknown("format", word, &Self::ALL.map(Self::suffix).join(", ")))
    }
}

/// Writes a figure as its suffix says: `.svg`, `.png` (with `dpi` pixels an inch) or `.pdf` (fonts embedded). The last
/// two need the feature `figures`.
pub fn write(figure: &Svg, path: &Path, dpi: f64) -> Result<(), PlotError> {
    write_pages(std::slice::from_ref(figure), path, dpi)
}

/// Writes figures as the pages of one file; only a `.pdf` has several.
#[cfg_attr(not(feature = "figures"), expect(unused_variables, reason = "only pixels have a resolution"))]
pub fn write_pages(pages: &[Svg], path: &Path, dpi: f64) -> Result<(), PlotError> {
    let bytes = match (Format::of(path)?, pages) {
        #[cfg(feature = "figures")]
        (Format::Pdf, pages) => signature::pdf(super::raster::pdf(pages)?),
        (_, [] | [_, _, ..]) => return Err(PlotError::Pages { path: path.into(), count: pages.len() }),
        (Format::Svg, [figure]) => signature::svg(figure.as_str()),
        #[cfg(feature = "figures")]
        (Format::Png, [figure]) => signature::png(super::raster::png(figure, dpi)?),
        #[cfg(not(feature = "figures"))]
        _ => return Err(PlotError::NoFigures(path.into())),
    };
    std::fs::write(path, bytes).map_err(|source| PlotError::Write { path: path.into(), source })
}
