//! From SVG to the file formats.

use std::path::Path;

use super::{PlotError, Svg, signature};

/// Writes a figure as its suffix says: `.svg`, `.png` (300 dpi) or `.pdf` (fonts embedded). The last two need
/// the feature `figures`.
pub fn write(figure: &Svg, path: &Path) -> Result<(), PlotError> {
    let suffix = path.extension().and_then(|suffix| suffix.to_str()).map(str::to_ascii_lowercase);
    let bytes = match suffix.as_deref() {
        Some("svg") => signature::svg(figure.as_str()),
        #[cfg(feature = "figures")]
        Some("png") => signature::png(super::raster::png(figure)?),
        #[cfg(feature = "figures")]
        Some("pdf") => super::raster::pdf(figure)?,
        #[cfg(not(feature = "figures"))]
        Some("png" | "pdf") => return Err(PlotError::NoFigures(path.into())),
        _ => return Err(PlotError::Suffix(path.into())),
    };
    std::fs::write(path, bytes).map_err(|source| PlotError::Write { path: path.into(), source })
}
