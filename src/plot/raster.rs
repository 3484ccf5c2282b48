//! PNG and PDF, with the fonts that the program carries: compute nodes have none.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, fontdb};
use svg2pdf::{ConversionError, ConversionOptions, PageOptions};

use super::{PlotError, Svg};

/// Resolution of a PNG in pixels an inch, as journals ask for.
pub const DPI: f32 = 300.0;
/// Resolution that SVG assumes for lengths in inches.
const SVG_DPI: f32 = 96.0;

static REGULAR: &[u8] = include_bytes!("../../assets/fonts/s2dpesSans-Regular.ttf");
static ITALIC: &[u8] = include_bytes!("../../assets/fonts/s2dpesSans-Italic.ttf");
const FAMILY: &str = "s2dpes Sans";

/// The figure as a PNG with 300 pixels an inch.
pub fn png(figure: &Svg) -> Result<Vec<u8>, PlotError> {
    let tree = parse(figure)?;
    let scale = DPI / SVG_DPI;
    let pixels = |length: f32| (length * scale).round() as u32;
    let (width, height) = (pixels(tree.size().width()), pixels(tree.size().height()));
    let mut map = Pixmap::new(width, height)
        .ok_or_else(|| PlotError::Render(format!("an image of {width} x {height} pixels is too large")))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut map.as_mut());
    let bytes = map.encode_png().map_err(|error| PlotError::Render(error.to_string()))?;
    Ok(with_resolution(bytes))
}

/// The figure as a PDF page of its printed size, text as text with its fonts embedded. Unlike SVG and PNG it is
/// not the same bytes each time: `svg2pdf` writes its objects in no particular order.
pub fn pdf(figure: &Svg) -> Result<Vec<u8>, PlotError> {
    let tree = parse(figure)?;
    let page = PageOptions { dpi: SVG_DPI };
    svg2pdf::to_pdf(&tree, ConversionOptions::default(), page).map_err(|error| {
        PlotError::Render(match error {
            ConversionError::MissingGlyphs => {
                "the title or a name has a character that the shipped font lacks; write .svg, or rename it"
                    .into()
            }
            other => other.to_string(),
        })
    })
}

fn parse(figure: &Svg) -> Result<usvg::Tree, PlotError> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_source(fontdb::Source::Binary(Arc::new(REGULAR)));
    fonts.load_font_source(fontdb::Source::Binary(Arc::new(ITALIC)));
    fonts.set_sans_serif_family(FAMILY);
    let options =
        usvg::Options { fontdb: Arc::new(fonts), font_family: FAMILY.into(), ..usvg::Options::default() };
    usvg::Tree::from_str(figure.as_str(), &options).map_err(|error| PlotError::Render(error.to_string()))
}

/// Adds the resolution, which the encoder leaves out: word processors and LaTeX take the printed size from
/// it.
fn with_resolution(mut png: Vec<u8>) -> Vec<u8> {
    /// Signature and header chunk come first, always this long.
    const HEADER: usize = 33;
    /// Chunk `pHYs`: 11811 pixels a metre (300 an inch) both ways, with its check sum.
    const RESOLUTION: [u8; 21] =
        [0, 0, 0, 9, b'p', b'H', b'Y', b's', 0, 0, 0x2e, 0x23, 0, 0, 0x2e, 0x23, 1, 0x78, 0xa5, 0x3f, 0x76];
    if png.len() > HEADER {
        png.splice(HEADER..HEADER, RESOLUTION);
    }
    png
}
