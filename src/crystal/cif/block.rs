use super::super::text::Complaint;
use super::tokens::Token;

/// A data block: its loops, and its single items as a table of one row.
pub struct Block<'a> {
    pub name: &'a str,
    /// Where it starts, counted from 1.
    pub line: usize,
    items: Table<'a>,
    loops: Vec<Table<'a>>,
}

/// Values by column; tags are in lower case, with `_` for the dot of DDLm and mmCIF names.
#[derive(Default)]
pub struct Table<'a> {
    tags: Vec<String>,
    values: Vec<Token<'a>>,
}

/// Splits tokens into data blocks; save frames are left out.
pub fn blocks<'a>(tokens: &[Token<'a>]) -> Vec<Block<'a>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut in_frame = false;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let word = Word::of(token);
        if let Word::Data(name) = word {
            in_frame = false;
            blocks.push(Block::new(name, token.line));
            continue;
        }
        if let Word::Save(name) = word {
            in_frame = !name.is_empty();
        }
        // Items before any `data_` line belong to a block without a name.
        if blocks.is_empty() {
            blocks.push(Block::new("", token.line));
        }
        let Some(block) = blocks.last_mut().filter(|_| !in_frame) else { continue };
        match word {
            Word::Loop => {
                let tags: Vec<String> =
                    tokens[at..].iter().map_while(|token| Word::of(token).tag()).map(canonical).collect();
                at += tags.len();
                let is_value = |token: &&Token| matches!(Word::of(token), Word::Value);
                let values: Vec<Token> = tokens[at..].iter().take_while(is_value).copied().collect();
                at += values.len();
                block.loops.push(Table { tags, values });
            }
            // A tag that no value follows says nothing.
            Word::Tag(tag) => {
                if let Some(value) = tokens.get(at).filter(|token| matches!(Word::of(token), Word::Value)) {
                    at += 1;
                    block.items.tags.push(canonical(tag));
                    block.items.values.push(*value);
                }
            }
            Word::Data(_) | Word::Save(_) | Word::Value => {}
        }
    }
    blocks
}

/// The part a token plays.
#[derive(Clone, Copy)]
enum Word<'a> {
    Data(&'a str),
    Save(&'a str),
    Loop,
    Tag(&'a str),
    Value,
}

impl<'a> Word<'a> {
    fn of(token: &Token<'a>) -> Word<'a> {
        let text = token.text;
        let starts = |keyword: &str| {
            text.get(..keyword.len()).is_some_and(|start| start.eq_ignore_ascii_case(keyword))
        };
        match text {
            _ if token.quoted => Word::Value,
            _ if starts("data_") => Word::Data(&text[5..]),
            _ if starts("save_") => Word::Save(&text[5..]),
            _ if text.eq_ignore_ascii_case("loop_") => Word::Loop,
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

impl<'a> Block<'a> {
    fn new(name: &'a str, line: usize) -> Block<'a> {
        Block { name, line, items: Table::default(), loops: Vec::new() }
    }

    /// The loop with this column, else the single items if they hold this tag.
    pub fn table(&self, tag: &str) -> Option<&Table<'a>> {
        self.loops.iter().chain([&self.items]).find(|table| table.column(tag).is_some())
    }

    /// The value of a tag if it is known: the first one where it is looped.
    pub fn value(&self, tag: &str) -> Option<Token<'a>> {
        let table = self.table(tag)?;
        table.values.get(table.column(tag)?).copied().filter(known)
    }

    /// The first known value among alternative spellings of one tag.
    pub fn any_value(&self, tags: &[&str]) -> Option<Token<'a>> {
        tags.iter().find_map(|tag| self.value(tag))
    }
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

    /// The rows, each as long as there are tags; an error if the values do not fill the last one.
    pub fn rows(&self) -> Result<impl Iterator<Item = &[Token<'a>]>, Complaint> {
        let width = self.tags.len().max(1);
        let surplus = self.values.len() % width;
        match self.values.last() {
            Some(last) if surplus != 0 => Err(Complaint::at(
                last.line,
                format!(
                    "the loop of {} ends {surplus} values into a row of {width}; complete or delete it",
                    self.tags[0]
                ),
            )),
            _ => Ok(self.values.chunks_exact(width)),
        }
    }
}
