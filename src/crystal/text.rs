//! What the parsers share: numbers, and complaints about a text.

/// What a parser finds wrong with a text; [`ReadError`](super::ReadError) adds the file.
#[derive(Debug)]
pub(super) struct Complaint {
    pub line: Option<usize>,
    pub text: String,
}

impl Complaint {
    /// A complaint about one line, counted from 1.
    pub fn at(line: usize, text: impl Into<String>) -> Complaint {
        Complaint { line: Some(line), text: text.into() }
    }

    /// A complaint about the file as a whole.
    pub fn whole(text: impl Into<String>) -> Complaint {
        Complaint { line: None, text: text.into() }
    }
}

/// A finite real number, or `None`; Fortran's exponent letter `d` is an `e`.
pub(super) fn real(token: &str) -> Option<f64> {
    // Rust reads `nan` and `inf` too, and `1e400` as infinity: neither is a number that a file may hold.
    token.replace(['d', 'D'], "e").parse().ok().filter(|value: &f64| value.is_finite())
}

/// A piece of a file as an error message shows it: on one line and short, whatever is in it.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut short = String::new();
    for c in text.chars().take(LONGEST) {
        match c {
            '\'' | '"' | '\\' => short.push(c),
            _ => short.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        short.push_str("...");
    }
    format!("`{short}`")
}
