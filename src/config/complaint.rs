//! Complaints about a place in a file, drawn the way `toml` draws its own.

use std::ops::Range;

/// What is wrong with a campaign file, with the place and the way out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(super) fn new(message: String) -> ConfigError {
        ConfigError(message)
    }
}

/// A file's name and text.
pub(super) struct Source<'a> {
    pub(super) path: String,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// A message with the line it is about.
    pub(super) fn complain(&self, span: Range<usize>, message: &str, help: &str) -> ConfigError {
        let start = span.start.min(self.text.len());
        let line_start = self.text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |i| i + start);
        let line = self.text[..start].matches('\n').count() + 1;
        let column = self.text[line_start..start].chars().count() + 1;
        let marked = &self.text[start..span.end.clamp(start, line_end)];
        let pad = " ".repeat(line.to_string().len());
        ConfigError(format!(
            "{message}\n{pad}--> {}:{line}:{column}\n{pad} |\n{line} | {}\n{pad} | {}{}\n{pad} = help: {help}",
            self.path,
            &self.text[line_start..line_end],
            " ".repeat(column - 1),
            "^".repeat(marked.chars().count().max(1)),
        ))
    }
}
