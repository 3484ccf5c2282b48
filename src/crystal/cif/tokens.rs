use super::super::text::{Complaint, shown};

/// A word, quoted string or text field of a CIF.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token<'a> {
    pub text: &'a str,
    /// Quoted strings and text fields are values, whatever they look like.
    pub quoted: bool,
    /// Where it starts, counted from 1.
    pub line: usize,
}

/// How a file says that it is CIF 2, which alone knows triple quotes.
const CIF_2: &str = "#\\#CIF_2.0";

/// Splits a text with `\n` line ends into tokens, leaving out comments.
pub fn tokens(text: &str) -> Result<Vec<Token<'_>>, Complaint> {
    let mut scanner = Scanner { rest: text, line: 1, triple: text.starts_with(CIF_2), tokens: Vec::new() };
    let mut starts_line = true;
    while !scanner.rest.is_empty() {
        // A semicolon that starts a line opens a text field.
        if starts_line && scanner.rest.starts_with(';') {
            scanner.text_field()?;
        }
        starts_line = scanner.token()?;
    }
    Ok(scanner.tokens)
}

struct Scanner<'a> {
    /// What has not been read.
    rest: &'a str,
    /// Line that `rest` starts in, counted from 1.
    line: usize,
    triple: bool,
    tokens: Vec<Token<'a>>,
}

impl<'a> Scanner<'a> {
    /// Reads a text field up to the semicolon that starts a later line.
    fn text_field(&mut self) -> Result<(), Complaint> {
        let unclosed = "the text field is never closed by a line with `;`; give the complete file";
        let field = &self.rest[1..];
        let end = field.find("\n;").ok_or_else(|| Complaint::at(self.line, unclosed))?;
        self.push(&field[..end], true);
        self.line += 1;
        self.rest = &field[end + 2..];
        self.check_separated("the `;` that closes a text field")
    }

    /// Reads white space, a comment or a token; true where a new line starts after it.
    fn token(&mut self) -> Result<bool, Complaint> {
        let blank = self.rest.trim_start_matches(|c: char| c.is_whitespace() && c != '\n');
        if let Some(next) = blank.strip_prefix('\n') {
            self.rest = next;
            self.line += 1;
            return Ok(true);
        }
        self.rest = blank;
        let end_of_line = blank.find('\n').unwrap_or(blank.len());
        match blank.chars().next() {
            None => {}
            Some('#') => self.rest = &blank[end_of_line..],
            Some(quote @ ('\'' | '"')) => self.quoted(quote, end_of_line)?,
            Some(_) => {
                let end = blank.find(char::is_whitespace).unwrap_or(blank.len());
                self.rest = &blank[end..];
                self.push(&blank[..end], false);
            }
        }
        Ok(false)
    }

    /// Reads a quoted string of this line. A quote closes only before white space: `'5'-end'` is one string.
    fn quoted(&mut self, quote: char, end_of_line: usize) -> Result<(), Complaint> {
        let (all, line) = (self.rest, self.line);
        let triple = [quote; 3].iter().collect::<String>();
        if let Some(body) = all.strip_prefix(triple.as_str()).filter(|_| self.triple) {
            let unclosed = || Complaint::at(line, format!("the quote {triple} is never closed; close it"));
            let end = body.find(&triple).ok_or_else(unclosed)?;
            self.rest = &body[end + 3..];
            self.push(&body[..end], true);
            return self.check_separated("a closing triple quote");
        }
        let body = &all[1..end_of_line];
        let closes = |(at, _): &(usize, &str)| body[at + 1..].chars().next().is_none_or(char::is_whitespace);
        let (end, _) = body.match_indices(quote).find(closes).ok_or_else(|| {
            let text = shown(&all[..end_of_line]);
            Complaint::at(line, format!("the quote {quote} of {text} is not closed in its line; close it"))
        })?;
        self.rest = &all[end + 2..];
        self.push(&body[..end], true);
        Ok(())
    }

    /// White space must follow what has just been closed.
    fn check_separated(&self, what: &str) -> Result<(), Complaint> {
        match self.rest.chars().next() {
            Some(c) if !c.is_whitespace() => {
                let line = self.rest.lines().next().unwrap_or_default();
                let text = format!("{} follows {what} without a blank; write it apart", shown(line));
                Err(Complaint::at(self.line, text))
            }
            _ => Ok(()),
        }
    }

    fn push(&mut self, text: &'a str, quoted: bool) {
        self.tokens.push(Token { text, quoted, line: self.line });
        self.line += text.matches('\n').count();
    }
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
        assert_eq!(texts("'' 'é' ;x;"), ["", "é", ";x;"]);
        assert_eq!(texts("'''a'''"), ["''a''"]);
    }

    #[test]
    fn triple_quotes_belong_to_cif_2() {
        let tokens = tokens("#\\#CIF_2.0\n_a '''b\n'c' ''' _d \"\"\"e\"\"\"\n").unwrap();
        let texts: Vec<_> = tokens.iter().map(|token| (token.text, token.line)).collect();
        assert_eq!(texts, [("_a", 2), ("b\n'c' ", 2), ("_d", 3), ("e", 3)]);
    }

    #[test]
    fn text_fields_keep_their_lines_and_tokens_know_theirs() {
        let tokens = tokens("_a\n; one\n two; \n'three\n; _b x\n;\n;\n#c\nd").unwrap();
        let texts: Vec<_> = tokens.iter().map(|token| (token.text, token.line)).collect();
        assert_eq!(texts, [("_a", 1), (" one\n two; \n'three", 2), ("_b", 5), ("x", 5), ("", 6), ("d", 9)]);
        assert!(tokens[1].quoted && !tokens[2].quoted && tokens[4].quoted);
    }

    #[test]
    fn what_is_not_closed_is_refused_at_its_first_line() {
        for (text, line) in [
            ("a\nb\n;c\nd", 3),
            ("a\n'b c\nd'", 2),
            ("\n\n\"x", 3),
            ("a\n;\n;b", 3),
            ("#\\#CIF_2.0\n'''b\n''", 2),
            ("#\\#CIF_2.0\n'''b'''c", 2),
        ] {
            assert_eq!(tokens(text).unwrap_err().line, Some(line), "{text}");
        }
    }
}
