//! What symbols and numbers mean: settings of moyo's tables, which have 530 of them.

use moyo::base::Operation;
use moyo::data::{HallNumber, HallSymbolEntry, Setting, hall_symbol_entry, operations_from_number};

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

/// All operations of a setting.
pub fn tabulated(entry: &HallSymbolEntry) -> Vec<Operation> {
    operations_from_number(entry.number, Setting::HallNumber(entry.hall_number), false).unwrap_or_default()
}

/// All tabulated settings.
fn entries() -> impl Iterator<Item = HallSymbolEntry> {
    (1..=530).filter_map(hall_symbol_entry)
}

/// The setting of a Hall symbol.
pub fn by_hall(symbol: &str) -> Vec<HallSymbolEntry> {
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

/// The settings that a Hermann-Mauguin symbol names most exactly, as far as a code of the dictionary allows.
pub fn by_hermann_mauguin(text: &str, code: Option<&str>) -> Vec<HallSymbolEntry> {
    let text = &in_words_of_the_tables(text);
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

/// All settings of a group, as far as a code of the dictionary allows.
pub fn by_number(text: &str, code: Option<&str>) -> Vec<HallSymbolEntry> {
    let number = text.trim().parse().ok().filter(|number| (1..=230).contains(number));
    let of_group: Vec<HallSymbolEntry> = entries().filter(|entry| Some(entry.number) == number).collect();
    let Some(code) = code else { return of_group };
    // `1` is a setting and the beginning of others, `1cab`.
    let exact = |entry: &&HallSymbolEntry| entry.setting.eq_ignore_ascii_case(code.trim_end_matches("abc"));
    match of_group.iter().find(exact) {
        Some(entry) => vec![entry.clone()],
        None => of_group.into_iter().filter(|entry| is_setting(entry, code)).collect(),
    }
}

/// Those of the settings that a number alone means: the one of smallest Hall number, as for spglib, with its other
/// origin and, for rhombohedral groups, its other axes.
pub fn usual(settings: Vec<HallSymbolEntry>) -> Vec<HallSymbolEntry> {
    let is_usual = |entry: &HallSymbolEntry| {
        let default = Setting::Spglib.hall_number(entry.number).and_then(hall_symbol_entry);
        default.is_some_and(|default| {
            entry.hall_number == default.hall_number
                || entry.setting == "R"
                || (entry.setting.starts_with('2') && default.hm_full == entry.hm_full)
        })
    };
    settings.into_iter().filter(is_usual).collect()
}

/// The first of settings that differ neither in their symbol nor in the choice of origin or axes: where one `e` glide stands
/// for two, as in `C m m e`, International Tables put the origin where `C m m a` has it.
pub fn of_tables(settings: Vec<HallSymbolEntry>) -> Vec<HallSymbolEntry> {
    let choice = |entry: &HallSymbolEntry| entry.setting.chars().next().filter(|c| "12HR".contains(*c));
    let mut kept: Vec<HallSymbolEntry> = Vec::new();
    for entry in settings {
        if kept.iter().all(|other| (other.hm_full, choice(other)) != (entry.hm_full, choice(&entry))) {
            kept.push(entry);
        }
    }
    kept
}

/// The origin choice of a setting whose group has two.
pub fn origin(entry: &HallSymbolEntry) -> Option<char> {
    entry.setting.chars().next().filter(|c| c.is_ascii_digit())
}

/// `(origin choice 2)`, `(hexagonal axes)` and the like as the suffixes `:2` and `:h`.
fn in_words_of_the_tables(text: &str) -> String {
    let lower = text.to_lowercase().replace(['(', ')'], " ");
    for (words, suffix) in [
        ("origin choice 1", "1"),
        ("origin choice 2", "2"),
        ("hexagonal axes", "h"),
        ("rhombohedral axes", "r"),
    ] {
        if let Some(symbol) = lower.trim_end().strip_suffix(words) {
            return format!("{}:{suffix}", symbol.trim_end());
        }
    }
    text.to_string()
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
        // `P` alone is no symbol.
        (entry.number > 2 && monoclinic() == symbol).then_some(1)
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
