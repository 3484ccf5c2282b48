//! Protostructure labels such as `A3B2_oP20_62_3c_2c:N-W`: anonymous formula, Pearson symbol, space group,
//! Wyckoff letters of each element, elements.
//!
//! Labels are canonical as in aviary and `pymatgen.analysis.prototypes`: of all relabellings of the Wyckoff
//! letters by the group's normaliser, the one with the smallest (score, text), where the score sums the places
//! in the alphabet of each element's distinct letters.

use std::collections::{BTreeMap, BTreeSet};

use nalgebra::{Matrix3, Vector3};

use super::orbit::letter_rank;
use super::{Crystal, Normalizer, NormalizerError, Operation, SpaceGroup, is_integer};
use crate::crystal::Element;

/// A crystal without its numbers: group and occupied positions.
#[derive(Clone, Debug)]
pub struct Protostructure {
    /// Space group in spglib's default setting.
    pub group: SpaceGroup,
    /// Pearson symbol.
    pub pearson: String,
    /// Element and index into [`SpaceGroup::wyckoff`] of each orbit.
    pub orbits: Vec<(Element, usize)>,
}

/// What is wrong with a label that a user gave.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{label}` is not a protostructure label: {reason}; a label looks like `A3B2_oP20_62_3c_2c:N-W`")]
pub struct LabelError {
    label: String,
    reason: String,
}

/// Letters of one element with the number of orbits on each.
type Letters = BTreeMap<(bool, char), usize>;

impl Protostructure {
    /// The protostructure of a crystal.
    pub fn of(crystal: &Crystal) -> Protostructure {
        Protostructure {
            group: crystal.group.clone(),
            pearson: crystal.pearson.clone(),
            orbits: crystal.orbits.iter().map(|o| (o.element, o.position)).collect(),
        }
    }

    /// The label with the letters as they are.
    pub fn raw_label(&self) -> String {
        self.label_with(&render(self.letters().values()))
    }

    /// The canonical label.
    pub fn canonical_label(&self) -> Result<String, NormalizerError> {
        let letters = self.letters();
        let mut best: Option<(u32, String)> = None;
        for relabeling in relabelings(&self.group)? {
            let relabeled: Vec<Letters> = (letters.values())
                .map(|counts| counts.iter().map(|((_, l), n)| (letter_rank(relabeling[l]), *n)).collect())
                .collect();
            let score = relabeled.iter().flat_map(|counts| counts.keys()).map(|(_, l)| score(*l)).sum();
            let candidate = (score, render(relabeled.iter()));
            if best.as_ref().is_none_or(|b| candidate < *b) {
                best = Some(candidate);
            }
        }
        // The identity is always among the relabellings.
        Ok(best.map_or_else(|| self.raw_label(), |(_, text)| self.label_with(&text)))
    }

    /// Reads a label. Any letters that the group has are accepted, canonical or not, and the anonymous formula may
    /// name the elements in any order.
    pub fn parse(label: &str) -> Result<Protostructure, LabelError> {
        Self::parse_parts(label).map_err(|reason| LabelError { label: label.to_string(), reason })
    }

    fn parse_parts(label: &str) -> Result<Protostructure, String> {
        let (prototype, elements) = label.split_once(':').ok_or("there is no `:` before the elements")?;
        let mut parts = prototype.split('_');
        let mut next =
            |what: &str| parts.next().filter(|p| !p.is_empty()).ok_or(format!("{what} is missing"));
        let formula = next("the anonymous formula")?;
        let pearson = next("the Pearson symbol")?;
        let number = next("the space-group number")?;
        let group = number.parse().ok().and_then(SpaceGroup::from_number);
        let group = group.ok_or(format!("`{number}` is not a space-group number (1 to 230)"))?;
        let letters: Vec<&str> = parts.collect();
        let elements: Vec<&str> = elements.split('-').collect();
        if letters.len() != elements.len() {
            return Err(format!(
                "there are letters for {} elements, but {} elements",
                letters.len(),
                elements.len()
            ));
        }
        let mut orbits = Vec::new();
        for (letters, symbol) in letters.iter().zip(&elements) {
            let element = Element::from_symbol(symbol).ok_or(format!("`{symbol}` is not an element"))?;
            orbits.extend(parse_letters(&group, letters)?.into_iter().map(|p| (element, p)));
        }
        let parsed = Protostructure { group, pearson: pearson.to_string(), orbits };
        parsed.check(formula)?;
        Ok(parsed)
    }

    /// Refuses occupations that cannot be, and counts that contradict the label.
    fn check(&self, formula: &str) -> Result<(), String> {
        let elements: BTreeSet<_> = self.orbits.iter().map(|o| o.0).collect();
        if elements.len() != self.letters().len() || elements.is_empty() {
            return Err("an element is named twice or has no letters".into());
        }
        let mut occupied = BTreeSet::new();
        for (_, position) in &self.orbits {
            let position = &self.group.wyckoff[*position];
            if position.free_count() == 0 && !occupied.insert(position.letter) {
                return Err(format!(
                    "position {} has no free coordinate and is occupied twice",
                    position.letter
                ));
            }
        }
        let atoms: usize = self.orbits.iter().map(|o| self.group.wyckoff[o.1].multiplicity).sum();
        let primitive = atoms / self.group.centering.determinant().round().abs().max(1.0) as usize;
        let written: String = self.pearson.chars().skip_while(|c| !c.is_ascii_digit()).collect();
        if written.parse() != Ok(atoms) && written.parse() != Ok(primitive) {
            return Err(format!("the Pearson symbol {} does not fit {atoms} atoms", self.pearson));
        }
        let sorted = |text: &str| {
            let mut amounts = amounts_of(text);
            amounts.sort_unstable();
            amounts
        };
        if sorted(formula) != sorted(&self.anonymous_formula()) {
            let own = self.anonymous_formula();
            return Err(format!("the formula {formula} does not fit the letters, which give {own}"));
        }
        Ok(())
    }

    /// Letters with counts, by element symbol in alphabetical order.
    fn letters(&self) -> BTreeMap<&'static str, Letters> {
        let mut letters: BTreeMap<&'static str, Letters> = BTreeMap::new();
        for (element, position) in &self.orbits {
            let letter = letter_rank(self.group.wyckoff[*position].letter);
            *letters.entry(element.symbol()).or_default().entry(letter).or_default() += 1;
        }
        letters
    }

    fn anonymous_formula(&self) -> String {
        let mut amounts: BTreeMap<&'static str, usize> = BTreeMap::new();
        for (element, position) in &self.orbits {
            *amounts.entry(element.symbol()).or_default() += self.group.wyckoff[*position].multiplicity;
        }
        let divisor = amounts.values().fold(0, |a, b| greatest_common_divisor(a, *b)).max(1);
        (amounts.values().enumerate())
            .map(|(i, amount)| {
                // Beyond 26 elements letters run out as they do for everyone else; such labels stay unique.
                let letter = char::from(b'A' + (i % 26) as u8);
                match amount / divisor {
                    1 => letter.to_string(),
                    n => format!("{letter}{n}"),
                }
            })
            .collect()
    }

    fn label_with(&self, letters: &str) -> String {
        let elements: Vec<_> = self.letters().into_keys().collect();
        let (formula, number) = (self.anonymous_formula(), self.group.number);
        format!("{formula}_{}_{number}_{letters}:{}", self.pearson, elements.join("-"))
    }
}

/// `ab2c` as positions of the group.
fn parse_letters(group: &SpaceGroup, text: &str) -> Result<Vec<usize>, String> {
    let mut positions = Vec::new();
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let position = group.position_of(c).ok_or_else(|| {
            let all: String = group.wyckoff.iter().rev().map(|w| w.letter).collect();
            format!("space group {} has no Wyckoff position {c} (it has {all})", group.number)
        })?;
        let count = if digits.is_empty() { Some(1) } else { digits.parse().ok() };
        let count = count.filter(|n| (1..=1000).contains(n)).ok_or(format!("{digits}{c} is not a count"))?;
        positions.extend(std::iter::repeat_n(position, count));
        digits.clear();
    }
    if digits.is_empty() { Ok(positions) } else { Err(format!("a letter is missing after {digits}")) }
}

/// Numbers of an anonymous formula: `A3B2` -> [3, 2].
fn amounts_of(formula: &str) -> Vec<usize> {
    let mut amounts: Vec<String> = Vec::new();
    for c in formula.chars() {
        match (c.is_ascii_digit(), amounts.last_mut()) {
            (true, Some(last)) => last.push(c),
            (true, None) => return Vec::new(),
            (false, _) => amounts.push(String::new()),
        }
    }
    amounts.iter().map(|a| if a.is_empty() { 1 } else { a.parse().unwrap_or(0) }).collect()
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Place in the alphabet; the 27th letter of space group 47, `A`, counts 0 (as in aviary).
fn score(letter: char) -> u32 {
    if letter == 'A' { 0 } else { u32::from(letter) - 96 }
}

/// `3c_2c`; within an element by the letter's code, so that `A` comes first.
fn render<'a>(letters: impl Iterator<Item = &'a Letters>) -> String {
    let one = |counts: &Letters| {
        let mut sorted: Vec<(char, usize)> = counts.iter().map(|((_, l), n)| (*l, *n)).collect();
        sorted.sort_unstable();
        let text = |(l, n): &(char, usize)| if *n == 1 { l.to_string() } else { format!("{n}{l}") };
        sorted.iter().map(text).collect::<String>()
    };
    letters.map(one).collect::<Vec<_>>().join("_")
}

/// The permutations of Wyckoff letters by the normaliser of the group on its most symmetric metric that keeps the
/// setting: the table of aviary and pymatgen.
fn relabelings(group: &SpaceGroup) -> Result<BTreeSet<BTreeMap<char, char>>, NormalizerError> {
    let mut operations = cosets(Normalizer::new(group, &special_metric(group.number))?.operations, group);
    if group.number == 15 {
        // Their table also has the change of cell a, b, c -> a, b, a + c of C2/c, which is not Euclidean.
        let extra = Operation {
            rotation: Matrix3::new(1.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
            translation: Vector3::new(0.25, 0.25, 0.0),
        };
        let changed: Vec<Operation> = (operations.iter())
            .map(|o| Operation {
                rotation: extra.rotation * o.rotation,
                translation: extra.apply(&o.translation),
            })
            .collect();
        operations.extend(changed);
    }
    // Coordinates without any special relation, so that an image lies on one position only.
    let generic = Vector3::new(0.137_423, 0.271_891, 0.391_377);
    let relabel = |operation: &Operation| -> Option<BTreeMap<char, char>> {
        let image_letter = |w: &super::WyckoffPosition| {
            let image = operation.apply(&w.representative().at(&generic));
            let located = group.locate(&image, w.multiplicity, 1e-6)?;
            (group.wyckoff[located].free_count() == w.free_count()).then_some(group.wyckoff[located].letter)
        };
        group.wyckoff.iter().map(|w| Some((w.letter, image_letter(w)?))).collect()
    };
    Ok(operations.iter().filter_map(relabel).collect())
}

/// One operation of each coset of the group, since the group itself relabels nothing.
fn cosets(operations: Vec<Operation>, group: &SpaceGroup) -> Vec<Operation> {
    let mut distinct: Vec<Operation> = Vec::new();
    for n in operations {
        let same_coset = |m: &Operation| {
            let Some(inverse) = m.rotation.try_inverse() else { return false };
            let rotation = inverse * n.rotation;
            let translation = inverse * (n.translation - m.translation);
            group.operations.iter().any(|g| {
                (g.rotation - rotation).amax() < 1e-6
                    && (g.translation - translation).iter().all(|v| is_integer(*v, 1e-6))
            })
        };
        if !distinct.iter().any(same_coset) {
            distinct.push(n);
        }
    }
    distinct
}

/// Conventional lattice (columns) whose Euclidean normaliser relabels as the canonical tables do: generic for
/// triclinic and monoclinic groups, a = b = c for orthorhombic ones, a generic c/a otherwise.
fn special_metric(number: usize) -> Matrix3<f64> {
    let rows = match number {
        1..=2 => Matrix3::new(5.01, 0.0, 0.0, 0.83, 6.17, 0.0, 1.13, 0.71, 7.31),
        3..=15 => Matrix3::new(5.01, 0.0, 0.0, 0.0, 6.17, 0.0, 1.13, 0.0, 7.31),
        75..=142 => Matrix3::new(5.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 7.3),
        143..=194 => Matrix3::new(5.0, 0.0, 0.0, -2.5, 2.5 * 3_f64.sqrt(), 0.0, 0.0, 0.0, 7.3),
        _ => Matrix3::from_diagonal_element(5.0),
    };
    rows.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_label_of_the_papers_copper_sulfate() {
        let raw = "A4B2C_hP14_187_g_in_gh:Cu-O-S";
        let parsed = Protostructure::parse(raw).unwrap();
        // The paper's formula does not follow its element order; ours does.
        assert_eq!(parsed.raw_label(), "AB4C2_hP14_187_g_in_gh:Cu-O-S");
        assert_eq!(parsed.canonical_label().unwrap(), "AB4C2_hP14_187_g_hn_gi:Cu-O-S");
    }

    #[test]
    fn labels_that_cannot_be_are_refused_with_the_reason() {
        for (label, reason) in [
            ("A3B2_oP20_62_3c_2c", "no `:`"),
            ("A3B2_oP20_231_3c_2c:N-W", "not a space-group number"),
            ("A3B2_oP20_62_3c_2q:N-W", "no Wyckoff position q"),
            ("A3B2_oP20_62_3c:N-W", "letters for 1 elements"),
            ("A3B2_oP20_62_3c_2c:N-Ww", "not an element"),
            ("A3B2_oP24_62_3c_2c:N-W", "does not fit 20 atoms"),
            ("A3B_oP20_62_3c_2c:N-W", "does not fit the letters"),
            ("AB_oP8_62_a_a:N-W", "occupied twice"),
            ("A_oP99999_62_99999999999c:N", "not a count"),
        ] {
            let error = Protostructure::parse(label).unwrap_err().to_string();
            assert!(error.contains(reason), "{label}: {error}");
        }
    }
}
