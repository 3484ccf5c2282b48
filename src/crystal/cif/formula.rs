//! Stated chemical formulas, to compare the atoms of a cell with.

use std::collections::BTreeMap;

use super::super::Element;
use super::label::element;

/// A chemical formula such as `Fe2 O3`.
pub struct Formula {
    counts: BTreeMap<Element, f64>,
    /// How far off rounding leaves a count: half of the last decimal written, 0 without decimals.
    rounding: f64,
}

impl Formula {
    /// Reads a formula, or gives `None` if a part of it is no element with its count.
    pub fn read(text: &str) -> Option<Formula> {
        let mut formula = Formula { counts: BTreeMap::new(), rounding: 0.0 };
        let words: Vec<&str> = text.split_whitespace().collect();
        for word in &words {
            let end = word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
            let (symbol, count) = word.split_at(end);
            // One word for each element in any case, `FE2 O3`; `CO2` alone is carbon dioxide.
            let alone = words.len() == 1 && symbol.chars().all(|c| c.is_ascii_uppercase());
            match element(symbol).filter(|_| symbol.len() == 1 || !alone) {
                Some(element) if parse_count(count).is_some() => formula.add(element, count)?,
                _ => formula.add_compact(word)?,
            }
        }
        (!formula.counts.is_empty()).then_some(formula)
    }

    fn add(&mut self, element: Element, count: &str) -> Option<()> {
        if let Some((_, decimals)) = count.split_once('.') {
            self.rounding = 0.5 * 10_f64.powi(-(decimals.len().min(9) as i32));
        }
        *self.counts.entry(element).or_default() += parse_count(count)?;
        Some(())
    }

    /// Adds the parts of a word such as `TiO2`, in which each element starts with a capital.
    fn add_compact(&mut self, word: &str) -> Option<()> {
        let mut rest = word;
        while !rest.is_empty() {
            let symbol_end =
                1 + rest.get(1..)?.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len() - 1);
            let (symbol, after) = rest.split_at(symbol_end);
            let count_end = after.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(after.len());
            let capital = symbol.starts_with(|c: char| c.is_ascii_uppercase());
            self.add(element(symbol).filter(|_| capital)?, &after[..count_end])?;
            rest = &after[count_end..];
        }
        Some(())
    }

    pub fn contains(&self, element: Element) -> bool {
        self.counts.contains_key(&element)
    }

    /// How many formulas the atoms make, if that is a whole number.
    pub fn units(&self, atoms: &BTreeMap<Element, usize>) -> Option<usize> {
        let units = self.nearest_units(atoms);
        let fits = |element: &Element| {
            let have = atoms.get(element).copied().unwrap_or(0) as f64;
            let off = (have - units as f64 * self.count(*element)).abs();
            off <= 1e-6 + (units as f64 * self.rounding).min(0.4)
        };
        atoms.keys().chain(self.counts.keys()).all(fits).then_some(units)
    }

    /// True if the formula is that of `parts` equal parts.
    pub fn divides_by(&self, parts: usize) -> bool {
        self.counts.values().all(|count| (count / parts as f64).fract() == 0.0)
    }

    /// What `units` formulas have more than the atoms, and what the atoms have more.
    pub fn differences(&self, atoms: &BTreeMap<Element, usize>, units: usize) -> (String, String) {
        let (mut missing, mut surplus) = (Vec::new(), Vec::new());
        let elements: BTreeMap<&str, Element> =
            atoms.keys().chain(self.counts.keys()).map(|element| (element.symbol(), *element)).collect();
        for (symbol, element) in elements {
            let more = atoms.get(&element).copied().unwrap_or(0) as f64 - units as f64 * self.count(element);
            let text = format!("{symbol}{}", (more.abs() * 1000.0).round() / 1000.0);
            match more {
                _ if more.abs() < 1e-3 => {}
                _ if more > 0.0 => surplus.push(text),
                _ => missing.push(text),
            }
        }
        (missing.join(" "), surplus.join(" "))
    }

    /// The whole number of formulas, at least 1, that leaves the fewest atoms over.
    pub fn nearest_units(&self, atoms: &BTreeMap<Element, usize>) -> usize {
        let ratios = self.counts.iter().map(|(element, count)| {
            (atoms.get(element).copied().unwrap_or(0) as f64 / count).round().max(1.0) as usize
        });
        let off = |units: usize| -> f64 {
            let all = atoms.keys().chain(self.counts.keys().filter(|element| !atoms.contains_key(element)));
            all.map(|element| {
                (atoms.get(element).copied().unwrap_or(0) as f64 - units as f64 * self.count(*element)).abs()
            })
            .sum()
        };
        // Of two numbers the larger: atoms are more often missing than too many.
        ratios.min_by(|a, b| off(*a).total_cmp(&off(*b)).then(b.cmp(a))).unwrap_or(1)
    }

    fn count(&self, element: Element) -> f64 {
        self.counts.get(&element).copied().unwrap_or(0.0)
    }
}

/// A positive count, 1 where none is written.
fn parse_count(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
    let count = if text.is_empty() { 1.0 } else { text.parse().ok().filter(|_| plain)? };
    (count > 0.0 && count < 1e6).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atoms(text: &str) -> BTreeMap<Element, usize> {
        let mut counts = BTreeMap::new();
        text.split(' ').for_each(|s| *counts.entry(Element::from_symbol(s).unwrap()).or_default() += 1);
        counts
    }

    #[test]
    fn a_formula_counts_its_units() {
        for (text, cell, units) in [
            ("H2 O", "H O H O H H", Some(2)),
            ("D1 H1 O", "H O H O H H", Some(2)),
            ("H2O1", "H H O", Some(1)),
            ("CO2", "C O O", Some(1)),
            ("CO2", "Co Co", None),
            ("CO O", "Co O", Some(1)),
            ("FE2 O3", "Fe Fe O O O", Some(1)),
            ("O2 Ti", "Ti O", None),
            ("O2 Ti", "Ti O O O", None),
            ("Ti4 O8", "Ti O O", None),
            ("H2 O", "O O", None),
            ("H2 O", "H H H H O O N", None),
            ("N0.67 W1.00", "W W W N N", Some(3)),
            ("Nb0.8 O3 Zr0.2", "Nb O O O", None),
        ] {
            assert_eq!(Formula::read(text).unwrap().units(&atoms(cell)), units, "{text} {cell}");
        }
    }

    #[test]
    fn what_differs_is_named() {
        let formula = Formula::read("H2 Mg O2").unwrap();
        let cell = atoms("Mg O O N");
        assert_eq!(formula.differences(&cell, 1), ("H2".to_string(), "N1".to_string()));
        assert!(Formula::read("Ti2 O4").unwrap().divides_by(2) && !formula.divides_by(2));
    }

    #[test]
    fn what_is_no_formula_is_not_guessed() {
        for text in
            ["", "Fe2 X3", "Fe2.x", "(H2 O)4", "Fe0", "Feinf", "2H", "(Si O2)n", "é", "Fe-2", "tiO2", "?"]
        {
            assert!(Formula::read(text).is_none(), "{text}");
        }
    }
}
