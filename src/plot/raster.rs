//! PNG and PDF, with the fonts that the program carries: compute nodes have none.

use std::collections::HashMap;
use std::sync::Arc;

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, fontdb};
use svg2pdf::{ConversionError, ConversionOptions};

use super::{PlotError, Svg};

/// Resolution that SVG assumes for lengths in inches.
const SVG_DPI: f32 = 96.0;
/// Most pixels along a side of a PNG, and in all: what image viewers take.
const LONGEST: u32 = 60_000;
const MOST_PIXELS: u64 = 400_000_000;

static REGULAR: &[u8] = include_bytes!("../../assets/fonts/s2dpesSans-Regular.ttf");
static ITALIC: &[u8] = include_bytes!("../../assets/fonts/s2dpesSans-Italic.ttf");
const FAMILY: &str = "s2dpes Sans";

/// The figure as a PNG with so many pixels an inch, 20 to 1200.
pub fn png(figure: &Svg, dpi: f64) -> Result<Vec<u8>, PlotError> {
    if !(20.0..=1200.0).contains(&dpi) {
        return Err(PlotError::Resolution(dpi));
    }
    let tree = parse(figure)?;
    let scale = dpi as f32 / SVG_DPI;
    let pixels = |length: f32| (length * scale).round() as u32;
    let (width, height) = (pixels(tree.size().width()), pixels(tree.size().height()));
    let fits = width.max(height) <= LONGEST && u64::from(width) * u64::from(height) <= MOST_PIXELS;
    let mut map = Pixmap::new(width, height).filter(|_| fits).ok_or_else(|| {
        PlotError::Render(format!(
            "an image of {width} x {height} pixels is too large; lower --dpi, or write a .pdf or .svg"
        ))
    })?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut map.as_mut());
    let bytes = map.encode_png().map_err(|error| PlotError::Render(error.to_string()))?;
    Ok(with_resolution(bytes, dpi))
}

/// The figures as pages of a PDF, each of its printed size, text as text with its fonts embedded. Unlike SVG and PNG it
/// is not the same bytes each time: `svg2pdf` writes its objects in no particular order.
pub fn pdf(pages: &[Svg]) -> Result<Vec<u8>, PlotError> {
    let mut next = Ref::new(1);
    let (catalog, tree) = (next.bump(), next.bump());
    let mut document = Pdf::new();
    document.catalog(catalog).pages(tree);
    let mut kids = Vec::new();
    for figure in pages {
        let svg = parse(figure)?;
        let (chunk, picture) = svg2pdf::to_chunk(&svg, ConversionOptions::default()).map_err(in_words)?;
        let mut numbers = HashMap::new();
        let chunk = chunk.renumber(|old| *numbers.entry(old).or_insert_with(|| next.bump()));
        let picture = numbers.get(&picture).copied().unwrap_or(picture);
        let (page, content) = (next.bump(), next.bump());
        let points = |length: f32| length * 72.0 / SVG_DPI;
        let (width, height) = (points(svg.size().width()), points(svg.size().height()));
        let mut entry = document.page(page);
        entry.media_box(Rect::new(0.0, 0.0, width, height)).parent(tree).contents(content);
        entry.resources().x_objects().pair(PICTURE, picture);
        entry.finish();
        let mut drawing = Content::new();
        drawing.transform([width, 0.0, 0.0, height, 0.0, 0.0]).x_object(PICTURE);
        document.stream(content, &drawing.finish());
        document.extend(&chunk);
        kids.push(page);
    }
    document.pages(tree).count(kids.len() as i32).kids(kids);
    Ok(document.finish())
}

/// Name of the picture on its page.
const PICTURE: Name = Name(b"Figure");

fn in_words(error: ConversionError) -> PlotError {
    PlotError::Render(match error {
        ConversionError::MissingGlyphs => {
            "the title or a name has a character that the shipped font lacks; write .svg, or rename it".into()
        }
        other => other.to_string(),
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
fn with_resolution(mut png: Vec<u8>, dpi: f64) -> Vec<u8> {
    /// Signature and header chunk come first, always this long.
    const HEADER: usize = 33;
    // Chunk `pHYs`: pixels a metre both ways, with the check sum of its name and content.
    let a_metre = ((dpi / 0.0254).round() as u32).to_be_bytes();
    let chunk = [b"pHYs", &a_metre[..], &a_metre[..], &[1]].concat();
    let sum = check_sum(&chunk).to_be_bytes();
    if png.len() > HEADER {
        png.splice(HEADER..HEADER, [&[0, 0, 0, 9], &chunk[..], &sum[..]].concat());
    }
    png
}

/// CRC-32 as PNG defines it.
fn check_sum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_sum_is_that_of_the_standard() {
        assert_eq!(check_sum(b"123456789"), 0xcbf4_3926);
        assert_eq!(check_sum(b"IEND"), 0xae42_6082);
    }
}
