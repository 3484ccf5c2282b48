use super::super::text::Complaint;

/// A word, quoted string or text field of a CIF.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token<'a> {
    pub text: &'a str,
    /// Quoted strings and text fields are values, whatever they look like.
    pub quoted: bool,
    /// Where it starts, counted from 1.
    pub line: usize,
}

/// Splits a text with `\n` line ends into tokens, leaving out comments.
pub fn tokens(text: &str) -> Result<Vec<Token<'_>>, Complaint> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while !rest.is_empty() {
        // A semicolon that starts a line opens a text field, which the next such semicolon closes.
        if let Some(field) = rest.strip_prefix(';') {
            let end = field.find("\n;").ok_or_else(|| {
                Complaint::at(
                    line,
                    "the text field is never closed by a line with `;`; give the complete file",
                )
            })?;
            tokens.push(Token { text: &field[..end], quoted: true, line });
            line += 1 + field[..end].matches('\n').count();
            rest = &field[end + 2..];
        }
        let (content, after) = rest.split_once('\n').unwrap_or((rest, ""));
        split_line(content, line, &mut tokens);
        rest = after;
        line += 1;
    }
    Ok(tokens)
}

/// The tokens of one line outside text fields.
fn split_line<'a>(content: &'a str, line: usize, tokens: &mut Vec<Token<'a>>) {
    let mut rest = content.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let (text, after) = match quote {
            Some(quote) => split_quoted(&rest[1..], quote),
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        tokens.push(Token { text, quoted: quote.is_some(), line });
        rest = after.trim_start();
    }
}

/// A quoted string and what follows it. A quote closes only before white space: `'5'-end'` is one string.
/// An unclosed one, as sloppy free text has it, ends with the line.
fn split_quoted(body: &str, quote: char) -> (&str, &str) {
    body.match_indices(quote)
        .find(|(at, _)| body[at + 1..].chars().next().is_none_or(char::is_whitespace))
        .map_or((body, ""), |(at, _)| (&body[..at], &body[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        tokens(text).unwrap().iter().map(|token| token.text).collect()
    }

    #[test]
    fn quotes_close_before_white_space_only() {
        assert_eq!(texts("_a 'it's' \"b \"c\" d#e #f\n"), ["_a", "it's", "b \"c", "d#e"]);
        assert_eq!(texts("'' 'open end"), ["", "open end"]);
    }

    #[test]
    fn text_fields_keep_their_lines_and_tokens_know_theirs() {
        let tokens = tokens("_a\n; one\n two; \n'three\n; _b x\n;\n;\n#c\nd").unwrap();
        let texts: Vec<_> = tokens.iter().map(|token| (token.text, token.line)).collect();
        assert_eq!(texts, [("_a", 1), (" one\n two; \n'three", 2), ("_b", 5), ("x", 5), ("", 6), ("d", 9)]);
        assert!(tokens[1].quoted && !tokens[2].quoted && tokens[4].quoted);
    }

    #[test]
    fn an_open_text_field_is_refused_at_its_first_line() {
        assert_eq!(tokens("a\nb\n;c\nd").unwrap_err().line, Some(3));
    }
}
