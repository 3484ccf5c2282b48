//! Symmetry operations of a space group that a file only names, from moyo's tables of 530 settings.

use moyo::base::Operation;
use moyo::data::{HallNumber, HallSymbolEntry, Setting, hall_symbol_entry, operations_from_number};
use nalgebra::Matrix3;

use super::super::text::{Complaint, shown};
use super::block::Block;
use super::operations::fits;
use super::tokens::Token;

const HALL_TAGS: [&str; 2] = ["_space_group_name_hall", "_symmetry_space_group_name_hall"];

const HERMANN_MAUGUIN_TAGS: [&str; 4] = [
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m",
    "_space_group_name_h-m_full",
];

const NUMBER_TAGS: [&str; 2] = ["_space_group_it_number", "_symmetry_int_tables_number"];

const SETTING_CODE_TAG: &str = "_space_group_it_coordinate_system_code";

/// Symbols used before the e glide had its name, where one `e` symbol stands for two settings.
const BEFORE_E_GLIDE: [(&str, HallNumber); 18] = [
    ("cmma", 316),
    ("cmmb", 317),
    ("abmm", 318),
    ("acmm", 319),
    ("bmcm", 320),
    ("bmam", 321),
    ("ccca", 322),
    ("ccca", 323),
    ("cccb", 324),
    ("cccb", 325),
    ("abaa", 326),
    ("abaa", 327),
    ("acaa", 328),
    ("acaa", 329),
    ("bbcb", 330),
    ("bbcb", 331),
    ("bbab", 332),
    ("bbab", 333),
];

/// Operations of the named group in the setting that its name, or else the shape of the cell, tells.
///
/// The Hall symbol counts before the Hermann-Mauguin symbol and that before the number. A group with two
/// origin choices that names neither is in choice 1, the default of spglib; the log warns of it.
pub fn operations(block: &Block, lattice: &Matrix3<f64>, name: &str) -> Result<Vec<Operation>, Complaint> {
    let (token, settings) = named_settings(block)?;
    let shown_name = shown(token.text);
    let blame = |text: String| Complaint::at(token.line, text);
    if settings.is_empty() {
        return Err(blame(format!(
            "space group {shown_name} is not in the tables; list its operations as _space_group_symop_operation_xyz"
        )));
    }
    let candidates = settings.iter().map(|entry| (entry, tabulated(entry)));
    let Some((entry, operations)) = candidates.into_iter().find(|(_, operations)| {
        !operations.is_empty() && operations.iter().all(|operation| fits(operation, lattice))
    }) else {
        return Err(blame(format!(
            "the cell does not have the symmetry of space group {shown_name}; give both in one setting"
        )));
    };
    let number = block.any_value(&NUMBER_TAGS);
    if let Some(number) = number.filter(|number| number.text.trim() != entry.number.to_string()) {
        let (right, wrong) = (entry.number, shown(number.text));
        return Err(blame(format!(
            "space group {shown_name} is number {right}, not {wrong}; correct one of them"
        )));
    }
    if entry.setting.starts_with('1') && settings.iter().any(|other| other.setting.starts_with('2')) {
        log::warn!(
            "{name}: space group {shown_name} has two origins; origin choice 1 is assumed (`:2` names the other)"
        );
    }
    Ok(operations)
}

/// Refuses a list of fewer operations than the group has that a symbol names: the crystal would lack atoms.
///
/// Other contradictions are only logged, and the list holds: numbers are often left over from elsewhere, and
/// the symbol of a centred cell may name what is listed for its primitive cell.
pub fn check_order(
    block: &Block,
    lattice: &Matrix3<f64>,
    listed: usize,
    name: &str,
) -> Result<(), Complaint> {
    let Ok((token, settings)) = named_settings(block) else { return Ok(()) };
    let group = shown(token.text);
    let tables = settings.iter().map(tabulated);
    let fitting = tables.filter(|operations| operations.iter().all(|operation| fits(operation, lattice)));
    let orders: Vec<usize> = fitting.map(|operations| operations.len()).collect();
    let by_symbol = token.text.trim().parse::<usize>().is_err();
    match orders.first() {
        _ if orders.contains(&listed) || settings.is_empty() => Ok(()),
        Some(order) if listed < *order && by_symbol => Err(Complaint::at(
            token.line,
            format!(
                "space group {group} has {order} symmetry operations and {listed} are listed; complete the list \
                 or correct the name"
            ),
        )),
        _ => {
            log::warn!(
                "{name}: the {listed} symmetry operations listed are used, not those of space group {group}"
            );
            Ok(())
        }
    }
}

/// All operations of a setting.
fn tabulated(entry: &HallSymbolEntry) -> Vec<Operation> {
    operations_from_number(entry.number, Setting::HallNumber(entry.hall_number), false).unwrap_or_default()
}

/// What names the group and the settings it may mean, the likeliest first.
fn named_settings<'a>(block: &Block<'a>) -> Result<(Token<'a>, Vec<HallSymbolEntry>), Complaint> {
    let code = block.value(SETTING_CODE_TAG).map(|token| token.text.to_lowercase());
    if let Some(token) = block.any_value(&HALL_TAGS) {
        return Ok((token, by_hall(token.text)));
    }
    if let Some(token) = block.any_value(&HERMANN_MAUGUIN_TAGS) {
        return Ok((token, by_hermann_mauguin(token.text, code.as_deref())));
    }
    if let Some(token) = block.any_value(&NUMBER_TAGS) {
        return Ok((token, by_number(token.text, code.as_deref())));
    }
    let block_name = shown(block.name);
    Err(Complaint::at(
        block.line,
        format!(
            "data block {block_name} has neither symmetry operations nor a space group; list \
             _space_group_symop_operation_xyz (`x,y,z` alone if every atom of the cell is listed)"
        ),
    ))
}

/// All tabulated settings.
fn entries() -> impl Iterator<Item = HallSymbolEntry> {
    (1..=530).filter_map(hall_symbol_entry)
}

fn by_hall(symbol: &str) -> Vec<HallSymbolEntry> {
    // White space separates the parts: `P 32` is not `P 3 2`. Without any, `-P2ybc` is clear all the same.
    // moyo writes ' as ^ and " as =.
    let spaced = |text: &str| {
        let text =
            text.to_lowercase().replace('_', " ").replace('\\', "").replace('\'', "^").replace('"', "=");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let wanted = spaced(symbol);
    let named = |entry: &HallSymbolEntry| {
        let symbol = spaced(entry.hall_symbol);
        symbol == wanted || (!wanted.contains(' ') && symbol.replace(' ', "") == wanted)
    };
    let mut entries: Vec<_> = entries().filter(named).collect();
    // `P32` may be either of two groups, which is no answer.
    let is_one = entries.iter().all(|entry| entry.hall_symbol == entries[0].hall_symbol);
    entries.truncate(usize::from(is_one));
    entries
}

fn by_hermann_mauguin(text: &str, code: Option<&str>) -> Vec<HallSymbolEntry> {
    let (symbol, suffix) = match text.split_once(':') {
        Some((symbol, suffix)) => (squeezed(symbol), Some(squeezed(suffix))),
        // No symbol ends with one of the letters that the ICSD appends: H, R, HR, S and Z.
        None => {
            let all = squeezed(text);
            let symbol = all.trim_end_matches(['h', 'r', 's', 'z']);
            let suffix = &all[symbol.len()..];
            (symbol.to_string(), Some(suffix.to_string()).filter(|suffix| !suffix.is_empty()))
        }
    };
    let suffix = suffix.as_deref().or(code);
    let ranked: Vec<(usize, HallSymbolEntry)> = entries()
        .filter_map(|entry| Some((spelling_rank(&entry, &symbol)?, entry)))
        .filter(|(_, entry)| suffix.is_none_or(|suffix| is_setting(entry, suffix)))
        .collect();
    let best = ranked.iter().map(|(rank, _)| *rank).min();
    ranked.into_iter().filter(|(rank, _)| Some(*rank) == best).map(|(_, entry)| entry).collect()
}

/// The setting of smallest Hall number, as for spglib; for rhombohedral groups also the other axes.
fn by_number(text: &str, code: Option<&str>) -> Vec<HallSymbolEntry> {
    let Some(number) = text.trim().parse().ok().filter(|number| (1..=230).contains(number)) else {
        return Vec::new();
    };
    let default = Setting::Spglib.hall_number(number);
    entries()
        .filter(|entry| entry.number == number)
        .filter(|entry| match code {
            Some(code) => is_setting(entry, code),
            None => Some(entry.hall_number) == default || entry.setting == "R",
        })
        .collect()
}

/// How exactly a squeezed Hermann-Mauguin symbol names a setting, 0 being the full symbol; `None` if not.
fn spelling_rank(entry: &HallSymbolEntry, symbol: &str) -> Option<usize> {
    let full = squeezed(entry.hm_full);
    let short = squeezed(entry.hm_short);
    // `P 21/n` is short for `P 1 21/n 1`, which the table's own short symbols (`P 21/c`) do not tell apart.
    let monoclinic =
        || -> String { entry.hm_full.split(' ').filter(|part| *part != "1").map(squeezed).collect() };
    let any_glide = |c: char, s: char| c == s || (c == 'e' && "abc".contains(s));
    if full == symbol {
        Some(0)
    } else if entry.number <= 15 {
        (monoclinic() == symbol).then_some(1)
    } else if short == symbol || BEFORE_E_GLIDE.contains(&(symbol, entry.hall_number)) {
        Some(2)
    } else if matches!(entry.number, 39 | 41 | 64) {
        // Both glides are operations of these groups: `A b m 2` and `A c m 2` are one setting.
        (short.len() == symbol.len() && short.chars().zip(symbol.chars()).all(|(c, s)| any_glide(c, s)))
            .then_some(3)
    } else {
        // Cubic symbols had no bar over the 3 before 1983: `F m 3 m`.
        (entry.number >= 195 && short.replace("-3", "3") == symbol).then_some(3)
    }
}

/// True if a suffix (`1`, `2`, `H`, `R`, the ICSD's `S`, `Z`) or a code of the dictionary names the setting.
fn is_setting(entry: &HallSymbolEntry, suffix: &str) -> bool {
    match suffix {
        "1" | "s" => entry.setting.starts_with('1'),
        "2" | "z" => entry.setting.starts_with('2'),
        "h" | "hr" => entry.setting == "H",
        _ => entry.setting.eq_ignore_ascii_case(suffix.trim_end_matches("abc")),
    }
}

/// A symbol without case, blanks, and what marks subscripts: `P2(1)/c` and `P 2_1/c` are `p21/c`.
fn squeezed(symbol: &str) -> String {
    symbol.to_lowercase().chars().filter(|c| !c.is_whitespace() && !"_~()'\"".contains(*c)).collect()
}
