//! Data blocks: every tag once, every value explained.

use std::collections::HashMap;

use super::super::text::{Complaint, shown};
use super::tokens::Token;

/// A data block: its loops, and its single items as a table of one row.
pub struct Block<'a> {
    pub name: &'a str,
    /// Where it starts, counted from 1.
    pub line: usize,
    items: Table<'a>,
    loops: Vec<Table<'a>>,
    /// The line of each tag.
    lines: HashMap<String, usize>,
}

/// Values by column; tags are in lower case, with `_` for the dot of DDLm and mmCIF names.
#[derive(Default)]
pub struct Table<'a> {
    tags: Vec<String>,
    values: Vec<Token<'a>>,
}

/// Splits tokens into data blocks; save frames must be well formed, too, and are left out.
pub fn blocks<'a>(tokens: &[Token<'a>]) -> Result<Vec<Block<'a>>, Complaint> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut frame: Option<Block> = None;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let blame = |text: String| Complaint::at(token.line, text);
        match (Word::of(token), &mut frame) {
            (Word::Data(name), None) => {
                blocks.push(Block::new(name, token.line));
                continue;
            }
            (Word::Save(""), Some(_)) => {
                frame = None;
                continue;
            }
            (Word::Save(name), None) if !name.is_empty() => {
                frame = Some(Block::new(name, token.line));
                continue;
            }
            (Word::Data(_) | Word::Save(_), Some(open)) => {
                let (line, text) = (open.line, shown(token.text));
                return Err(blame(format!(
                    "{text} stands in the save frame of line {line}; close that with `save_`"
                )));
            }
            (Word::Save(_), None) => {
                return Err(blame("`save_` closes a save frame that was never opened; delete it".into()));
            }
            (Word::Reserved, _) => {
                let text = shown(token.text);
                return Err(blame(format!(
                    "{text} has no place in a CIF; delete it, or quote it as a value"
                )));
            }
            (Word::Loop | Word::Tag(_) | Word::Value, _) => {}
        }
        let Some(block) = frame.as_mut().or(blocks.last_mut()) else {
            let text = shown(token.text);
            return Err(blame(format!(
                "{text} stands before any data block; start one with a line `data_NAME`"
            )));
        };
        at += block.read(*token, &tokens[at..])?;
    }
    match frame {
        Some(open) => Err(Complaint::at(open.line, "the save frame is never closed; add `save_`")),
        None => Ok(blocks),
    }
}

/// The part a token plays.
#[derive(Clone, Copy)]
enum Word<'a> {
    Data(&'a str),
    Save(&'a str),
    Loop,
    /// A word that STAR files use and CIFs must not.
    Reserved,
    Tag(&'a str),
    Value,
}

impl<'a> Word<'a> {
    fn of(token: &Token<'a>) -> Word<'a> {
        let text = token.text;
        let is = |keyword: &str| text.eq_ignore_ascii_case(keyword);
        let starts = |keyword: &str| {
            text.get(..keyword.len()).is_some_and(|start| start.eq_ignore_ascii_case(keyword))
        };
        match text {
            _ if token.quoted => Word::Value,
            _ if starts("data_") => Word::Data(&text[5..]),
            _ if starts("save_") => Word::Save(&text[5..]),
            _ if is("loop_") => Word::Loop,
            _ if is("stop_") || is("global_") => Word::Reserved,
            _ if text.starts_with('_') => Word::Tag(text),
            _ => Word::Value,
        }
    }

    fn tag(self) -> Option<&'a str> {
        match self {
            Word::Tag(tag) => Some(tag),
            _ => None,
        }
    }
}

fn canonical(tag: &str) -> String {
    tag.to_ascii_lowercase().replace('.', "_")
}

fn is_value(token: &Token) -> bool {
    matches!(Word::of(token), Word::Value)
}

impl<'a> Block<'a> {
    fn new(name: &'a str, line: usize) -> Block<'a> {
        Block { name, line, items: Table::default(), loops: Vec::new(), lines: HashMap::new() }
    }

    /// Takes in an item or a loop that starts with `first`; how many of the tokens after it belong to it.
    fn read(&mut self, first: Token<'a>, rest: &[Token<'a>]) -> Result<usize, Complaint> {
        match Word::of(&first) {
            Word::Loop => self.read_loop(first, rest),
            Word::Tag(tag) => {
                let value = rest.first().filter(|token| is_value(token)).ok_or_else(|| {
                    let tag = shown(tag);
                    Complaint::at(
                        first.line,
                        format!("{tag} has no value; write one, or `?` if it is not known"),
                    )
                })?;
                self.add_tag(tag, first.line)?;
                self.items.tags.push(canonical(tag));
                self.items.values.push(*value);
                match rest.get(1).filter(|token| is_value(token)) {
                    Some(stray) => Err(stray_value(tag, value, &rest[1..], stray.line)),
                    None => Ok(1),
                }
            }
            _ => {
                let text = shown(first.text);
                let way_out = "write a tag before it, or `#` if it is a comment";
                Err(Complaint::at(first.line, format!("{text} is the value of nothing; {way_out}")))
            }
        }
    }

    fn read_loop(&mut self, first: Token<'a>, rest: &[Token<'a>]) -> Result<usize, Complaint> {
        let tags: Vec<(&str, usize)> =
            rest.iter().map_while(|token| Some((Word::of(token).tag()?, token.line))).collect();
        let values: Vec<Token> =
            rest[tags.len()..].iter().take_while(|token| is_value(token)).copied().collect();
        let Some((tag, _)) = tags.first() else {
            return Err(Complaint::at(first.line, "the loop has no tags; write some, or delete it"));
        };
        for (tag, line) in &tags {
            self.add_tag(tag, *line)?;
        }
        let (width, surplus) = (tags.len(), values.len() % tags.len());
        match values.last() {
            None => {
                let text = format!("the loop of {} has no values; write them or delete it", shown(tag));
                return Err(Complaint::at(first.line, text));
            }
            Some(last) if surplus != 0 => {
                return Err(Complaint::at(
                    last.line,
                    format!(
                        "the loop of {tag} ends {surplus} values into a row of {width}; complete it, delete what is too \
                         much, or quote values with blanks"
                    ),
                ));
            }
            Some(_) => {}
        }
        let read = tags.len() + values.len();
        self.loops.push(Table { tags: tags.iter().map(|(tag, _)| canonical(tag)).collect(), values });
        Ok(read)
    }

    /// Notes a tag, which a block holds only once.
    fn add_tag(&mut self, tag: &str, line: usize) -> Result<(), Complaint> {
        match self.lines.insert(canonical(tag), line) {
            Some(before) => Err(Complaint::at(
                line,
                format!("{} is here a second time, after line {before}; keep one", shown(tag)),
            )),
            None => Ok(()),
        }
    }

    /// The loop with this column, else the single items if they hold this tag.
    pub fn table(&self, tag: &str) -> Option<&Table<'a>> {
        self.loops.iter().chain([&self.items]).find(|table| table.column(tag).is_some())
    }

    /// The first tag with one of these beginnings, and its line.
    pub fn starting(&self, beginnings: &[&str]) -> Option<(&str, usize)> {
        let tags = self.lines.iter().map(|(tag, line)| (tag.as_str(), *line));
        tags.filter(|(tag, _)| beginnings.iter().any(|b| tag.starts_with(b))).min_by_key(|(_, line)| *line)
    }

    /// The line of a tag, counted from 1.
    pub fn line_of(&self, tag: &str) -> Option<usize> {
        self.lines.get(tag).copied()
    }

    /// The value of a tag if it is known: the first one where it is looped.
    pub fn value(&self, tag: &str) -> Option<Token<'a>> {
        let table = self.table(tag)?;
        table.values.get(table.column(tag)?).copied().filter(known)
    }
}

/// Values that follow a tag's value, as those of a symbol with blanks do when nobody quotes it.
fn stray_value(tag: &str, value: &Token, strays: &[Token], line: usize) -> Complaint {
    let strays = strays.iter().take_while(|token| token.line == value.line && is_value(token));
    let whole: Vec<&str> = [value].into_iter().chain(strays).map(|token| token.text).collect();
    Complaint::at(
        line,
        match whole.len() {
            1 => {
                format!("{} already has its value in line {}; delete what follows it", shown(tag), value.line)
            }
            _ => {
                let text = shown(&whole.join(" "));
                format!(
                    "{} has several values; quote what belongs together: '{}'",
                    shown(tag),
                    &text[1..text.len() - 1]
                )
            }
        },
    )
}

/// True unless the value is `?` (unknown) or `.` (inapplicable).
pub fn known(token: &Token) -> bool {
    !matches!(token.text.trim(), "" | "?" | ".")
}

impl<'a> Table<'a> {
    /// Index of the column with this tag.
    pub fn column(&self, tag: &str) -> Option<usize> {
        self.tags.iter().position(|name| name == tag)
    }

    /// The rows, each as long as there are tags.
    pub fn rows(&self) -> impl Iterator<Item = &[Token<'a>]> {
        self.values.chunks_exact(self.tags.len().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn complaint(text: &str) -> (usize, String) {
        let complaint = blocks(&tokens(text).unwrap()).err().unwrap_or_else(|| panic!("{text} is read"));
        (complaint.line.unwrap(), complaint.text)
    }

    #[test]
    fn every_token_has_its_place() {
        let text = "data_a\n_B.c ?\nloop_ _d _e\n1 2\n'_3' \"loop_\"\nsave_f _b_c 1 save_\nDATA_ _b_c 'x'\n";
        let tokens = tokens(text).unwrap();
        let blocks = blocks(&tokens).unwrap();
        assert_eq!(
            blocks.iter().map(|block| (block.name, block.line)).collect::<Vec<_>>(),
            [("a", 1), ("", 7)]
        );
        assert_eq!(blocks[0].value("_b_c"), None);
        assert_eq!(blocks[0].line_of("_b_c"), Some(2));
        assert_eq!(blocks[1].value("_b_c").unwrap().text, "x");
        let rows: Vec<Vec<&str>> =
            blocks[0].table("_e").unwrap().rows().map(|row| row.iter().map(|t| t.text).collect()).collect();
        assert_eq!(rows, [["1", "2"], ["_3", "loop_"]]);
    }

    #[test]
    fn what_the_grammar_cannot_explain_is_refused_with_its_line() {
        for (text, line, says) in [
            (
                "data_a\n_b P 42/m n m\n",
                2,
                "`_b` has several values; quote what belongs together: 'P 42/m n m'",
            ),
            ("data_a\n_b 'x y' z\n", 2, "'x y z'"),
            ("data_a\n_b x\ny\n", 3, "`_b` already has its value in line 2"),
            ("data_a\n_b\n_c x\n", 2, "`_b` has no value; write one, or `?`"),
            ("data_a\n_b", 2, "`_b` has no value"),
            ("data_a\n_b\nloop_ _c 1\n", 2, "`_b` has no value"),
            ("data_a\n_b\ndata_c\n", 2, "`_b` has no value"),
            ("data_a x\n", 1, "`x` is the value of nothing"),
            ("data_a\nsave_f\nsave_ y\n", 3, "`y` is the value of nothing"),
            ("data_a\nloop_\n1 2\n", 2, "the loop has no tags"),
            ("data_a\nloop_\n", 2, "the loop has no tags"),
            ("data_a\nloop_ _b _c\n_d 2\n", 3, "ends 1 values into a row of 3"),
            ("data_a\nloop_ _b _c\nloop_ _d 1\n", 2, "the loop of `_b` has no values"),
            ("data_a\nloop_ _b _c\n1 2\n3\n_d 4\n", 4, "the loop of _b ends 1 values into a row of 2"),
            ("data_a\n_b 1\n_c 2\n_B 1\n", 4, "`_B` is here a second time, after line 2"),
            ("data_a\n_b 1\nloop_\n_c\n_b\n1 2\n", 5, "after line 2"),
            ("data_a\nloop_ _a.b 1\nloop_\n_a_b 2\n", 4, "after line 2"),
            ("data_a\nloop_ _b _b 1 2\n", 2, "after line 2"),
            ("data_a\nloop_ _b 1 2 stop_\n", 2, "`stop_` has no place in a CIF"),
            ("GLOBAL_\ndata_a\n", 1, "`GLOBAL_` has no place in a CIF"),
            ("x\ndata_a\n", 1, "`x` stands before any data block; start one with a line `data_NAME`"),
            ("# c\n_b 1\ndata_a\n", 2, "`_b` stands before any data block"),
            ("save_f\n", 1, "the save frame is never closed"),
            ("data_a\nsave_f\ndata_b\n", 3, "`data_b` stands in the save frame of line 2"),
            ("data_a\nsave_f\nsave_g\n", 3, "`save_g` stands in the save frame of line 2"),
            ("data_a\nsave_\n", 2, "`save_` closes a save frame that was never opened"),
            ("data_a\nsave_f _b 1 2\nsave_\n", 2, "`_b` has several values"),
        ] {
            let (found, message) = complaint(text);
            assert!(found == line && message.contains(says), "{text}: {found}: {message}");
        }
    }
}
