//! What a data block calls its space group: all names it gives, which must agree.

use std::collections::BTreeSet;

use moyo::data::HallSymbolEntry;

use super::super::text::{Complaint, shown};
use super::block::Block;
use super::space_group::{by_hall, by_hermann_mauguin, by_number, of_tables, usual};
use super::tokens::Token;

const HERMANN_MAUGUIN_TAGS: [&str; 4] = [
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m",
    "_space_group_name_h-m_full",
];
const HALL_TAGS: [&str; 2] = ["_space_group_name_hall", "_symmetry_space_group_name_hall"];
const NUMBER_TAGS: [&str; 2] = ["_space_group_it_number", "_symmetry_int_tables_number"];
const SETTING_CODE_TAG: &str = "_space_group_it_coordinate_system_code";

/// A space group as its names tell it.
pub struct Named {
    /// The first name: a Hermann-Mauguin symbol before a Hall symbol before a number.
    pub text: String,
    /// Its line, counted from 1.
    pub line: usize,
    /// What all names allow, the likeliest first; empty where the tables know none of them.
    pub settings: Vec<HallSymbolEntry>,
}

/// How a name is written.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    HermannMauguin,
    Hall,
    Number,
}

/// One name, and the settings that it allows by itself.
struct Name<'a> {
    kind: Kind,
    token: Token<'a>,
    settings: Vec<HallSymbolEntry>,
}

/// The names of a block's group, if there are any.
///
/// Where the block lists its operations, names must agree in the group alone, since settings beyond the tables
/// are often called after the usual one; else in the setting, too. A symbol that the tables do not know needs
/// listed operations or a symbol beside it that they know.
pub fn named(block: &Block, listed: bool, name: &str) -> Result<Option<Named>, Complaint> {
    let names = names(block);
    let Some(first) = names.first() else { return Ok(None) };
    let (known, unknown): (Vec<&Name>, Vec<&Name>) = names.iter().partition(|name| !name.settings.is_empty());
    for stranger in unknown {
        let text = shown(stranger.token.text);
        let complaint = |text: String| Complaint::at(stranger.token.line, text);
        if stranger.kind == Kind::HermannMauguin && stranger.token.text.trim().len() < 2 {
            let way_out = "write the whole symbol in quotes, like 'P 42/m n m'";
            return Err(complaint(format!("{text} is only the centring of a space group; {way_out}")));
        }
        // A number tells the group, but not the centring or the axes that an unknown symbol may mean.
        if !listed && known.iter().all(|name| name.kind == Kind::Number) {
            return Err(complaint(format!(
                "space group {text} is not in the tables; list its operations as _space_group_symop_operation_xyz"
            )));
        }
        log::warn!(
            "{name}: space group {text} is not in the tables, so it is not compared with the rest of the file"
        );
    }
    let settings = agreed(&known, listed)?;
    let no_setting =
        known.iter().all(|name| name.kind == Kind::Number) && block.value(SETTING_CODE_TAG).is_none();
    Ok(Some(Named {
        text: known.first().unwrap_or(&first).token.text.trim().to_string(),
        line: known.first().unwrap_or(&first).token.line,
        settings: of_tables(if no_setting { usual(settings) } else { settings }),
    }))
}

/// All names that are known, in the order of [`Kind`].
fn names<'a>(block: &Block<'a>) -> Vec<Name<'a>> {
    let code = block.value(SETTING_CODE_TAG).map(|token| token.text.to_lowercase());
    let code = code.as_deref();
    let of_kind = |kind: Kind, tags: &[&str]| -> Vec<Name<'a>> {
        let named = tags.iter().filter_map(|tag| block.value(tag)).map(|token| {
            let settings = match kind {
                Kind::HermannMauguin => by_hermann_mauguin(token.text, code),
                Kind::Hall => by_hall(token.text),
                Kind::Number => by_number(token.text, code),
            };
            Name { kind, token, settings }
        });
        named.collect()
    };
    let mut names = of_kind(Kind::HermannMauguin, &HERMANN_MAUGUIN_TAGS);
    names.extend(of_kind(Kind::Hall, &HALL_TAGS));
    names.extend(of_kind(Kind::Number, &NUMBER_TAGS));
    names
}

/// The settings of the first name that all others allow, or whose group alone they allow.
fn agreed(names: &[&Name], by_number: bool) -> Result<Vec<HallSymbolEntry>, Complaint> {
    let key = |entry: &HallSymbolEntry| if by_number { entry.number } else { entry.hall_number };
    let Some((first, others)) = names.split_first() else { return Ok(Vec::new()) };
    let mut settings = first.settings.clone();
    for (i, name) in others.iter().enumerate() {
        let allowed: BTreeSet<_> = name.settings.iter().map(key).collect();
        let allows = |other: &Name| other.settings.iter().any(|entry| allowed.contains(&key(entry)));
        let before = || [first].into_iter().chain(&others[..i]);
        settings.retain(|entry| allowed.contains(&key(entry)));
        if settings.is_empty() {
            return Err(contradiction(before().find(|other| !allows(other)).unwrap_or(first), name));
        }
    }
    Ok(settings)
}

fn contradiction(one: &Name, other: &Name) -> Complaint {
    let described = |name: &Name| {
        let (kind, text) = (name.kind.text(), shown(name.token.text));
        let number = name.settings.first().map_or(0, |entry| entry.number);
        match name.kind {
            Kind::Number => format!("{kind} {}", text.replace('`', "")),
            _ => format!("{kind} {text} (number {number})"),
        }
    };
    let same_number = one.settings.iter().any(|a| other.settings.iter().any(|b| a.number == b.number));
    let what = if same_number { "name different settings" } else { "contradict each other" };
    Complaint::at(
        other.token.line,
        format!(
            "{} and, in line {}, {} {what}; correct or delete one",
            described(other),
            one.token.line,
            described(one)
        ),
    )
}

impl Kind {
    fn text(self) -> &'static str {
        match self {
            Kind::HermannMauguin => "the Hermann-Mauguin symbol",
            Kind::Hall => "the Hall symbol",
            Kind::Number => "the space group number",
        }
    }
}
