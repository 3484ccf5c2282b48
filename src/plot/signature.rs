//! A mark in pictures, so that only those of this program are ever drawn anew without a question.

use std::path::Path;

/// Comment at the end of an SVG.
const COMMENT: &[u8] = b"<!-- drawn by s2dpes -->\n";
/// Comment at the end of a PDF.
const PDF_COMMENT: &[u8] = b"\n% drawn by s2dpes\n";
/// Chunk of a PNG with its check sum: the text `Software` is `s2dpes`.
const CHUNK: &[u8] = b"\0\0\0\x0ftEXtSoftware\0s2dpes\xb6\x78\x7c\x72";
/// Length of the chunk that ends a PNG.
const END: usize = 12;

pub(super) fn svg(text: &str) -> Vec<u8> {
    [text.as_bytes(), COMMENT].concat()
}

#[cfg(feature = "figures")]
pub(super) fn png(mut png: Vec<u8>) -> Vec<u8> {
    let end = png.len().saturating_sub(END);
    png.splice(end..end, CHUNK.iter().copied());
    png
}

/// A comment behind the end of the file: readers look for that in the last kilobyte.
#[cfg(feature = "figures")]
pub(super) fn pdf(pdf: Vec<u8>) -> Vec<u8> {
    [&pdf, PDF_COMMENT].concat()
}

/// Whether a file is a picture that [`write`](super::write) has made.
pub fn is_ours(path: &Path) -> bool {
    // To read a pipe may take for ever.
    let bytes = if path.is_file() { std::fs::read(path).unwrap_or_default() } else { Vec::new() };
    bytes.ends_with(COMMENT)
        || bytes.ends_with(PDF_COMMENT)
        || bytes[..bytes.len().saturating_sub(END)].ends_with(CHUNK)
}
