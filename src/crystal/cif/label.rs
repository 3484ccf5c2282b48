//! Which element a type symbol or a label means, if it means one.

use super::super::Element;
use super::formula::Formula;

/// The element with this symbol in any case; deuterium and tritium are hydrogen, with its energy surface.
pub fn element(symbol: &str) -> Option<Element> {
    let lower = symbol.to_ascii_lowercase();
    let (first, rest) = lower.split_at_checked(1)?;
    match lower.as_str() {
        "d" | "t" => Element::from_symbol("H"),
        _ => Element::from_symbol(&format!("{}{rest}", first.to_ascii_uppercase())),
    }
}

/// The element of a type symbol such as `Fe3+`, `O2-` or `SI`: nothing but a charge may follow it.
///
/// `T` is more often a tetrahedral site than tritium, and `CO` or `HO` a group of atoms: the formula must say so.
pub fn of_type(text: &str, formula: Option<&Formula>) -> Option<Element> {
    let (symbol, charge) = split_letters(text);
    let says = |element: &Element| formula.is_some_and(|formula| formula.contains(*element));
    let is_charge = charge.chars().all(|c| c.is_ascii_digit() || "+-.".contains(c));
    // `Ti0.5` has half an atom, `Ti3.5+` a charge.
    let is_fraction = charge.contains('.') && !charge.contains(['+', '-']);
    let of_group = symbol.len() == 2 && symbol.chars().all(|c| "HCNO".contains(c));
    let unclear = of_group || symbol.eq_ignore_ascii_case("t");
    element(symbol).filter(|_| is_charge && !is_fraction).filter(|element| !unclear || says(element))
}

/// The element that a label such as `Fe1`, `O1A` or `Ca_1` starts with.
///
/// Without a formula, nothing else may be meant: `CO1` may be carbon or cobalt, `Wat` is no tungsten, `OH` and `FeMn1`
/// are more than an element. A formula makes `SiT2` certain, and that `OW1` is not tungsten.
pub fn of_label(label: &str, formula: Option<&Formula>) -> Option<Element> {
    let (letters, rest) = split_letters(label);
    if names_another(rest) || (element(letters) == Element::from_symbol("H") && rest == "2O") {
        return None;
    }
    match formula {
        Some(formula) => certain(letters, formula),
        None => clear(letters),
    }
}

fn split_letters(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len()))
}

/// True if what follows the leading letters of a label may be another element or a share: `,Zr`, `-H`, `1Mn1`, `0.5`.
fn names_another(rest: &str) -> bool {
    let runs = rest.split(|c: char| !c.is_ascii_alphabetic());
    let is_word = |run: &str| {
        let capital = run.starts_with(|c: char| c.is_ascii_uppercase());
        run.len() > 2 || (run.len() == 2 && capital && run.ends_with(|c: char| c.is_ascii_lowercase()))
    };
    let pairs = || rest.chars().zip(rest.chars().skip(1));
    rest.contains([',', '/', '&', '|', ';', ':', '%', '='])
        || rest.chars().any(|c| c.is_alphabetic() && !c.is_ascii_alphabetic())
        || pairs().any(|(a, b)| "+-".contains(a) && b.is_ascii_alphabetic())
        || pairs().any(|(a, b)| a == '.' && b.is_ascii_digit())
        || runs.into_iter().any(is_word)
}

/// The element of a label's letters, if they are its symbol and cannot be anything else.
fn clear(letters: &str) -> Option<Element> {
    let mut characters = letters.chars();
    let (first, second) = (characters.next()?, characters.next());
    let one = element(&first.to_string()).filter(|_| !first.eq_ignore_ascii_case(&'t'));
    match second {
        None => one,
        Some(second) => {
            let proper = first.is_ascii_uppercase() && second.is_ascii_lowercase();
            // `SI1` may be sulphur and iodine, `CA1` the first carbon next to a group.
            let two_atoms = one.is_some() && element(&second.to_string()).is_some();
            let organic = "HCNO".contains(first.to_ascii_uppercase());
            element(letters).filter(|_| proper || !(two_atoms || organic))
        }
    }
}

/// The element of the formula that a label's letters start with, unless they go on with another one.
fn certain(letters: &str, formula: &Formula) -> Option<Element> {
    let of_formula = |symbol: &str| element(symbol).filter(|element| formula.contains(*element));
    let one = letters.get(..1).and_then(of_formula).filter(|_| !letters.eq_ignore_ascii_case("t"));
    let two = letters.get(..2).and_then(of_formula);
    let lower = letters.get(1..2).is_some_and(|second| second.chars().all(|c| c.is_ascii_lowercase()));
    let (leading, used) = match (one, two) {
        (Some(_), Some(two)) => (lower.then_some(two)?, 2),
        (Some(one), None) => (one, 1),
        (None, two) => (two?, 2),
    };
    let rest = &letters[used..];
    let others = (0..rest.len()).flat_map(|at| [rest.get(at..at + 1), rest.get(at..at + 2)]).flatten();
    let goes_on = others.filter_map(of_formula).any(|other| other != leading);
    // A hydrogen is often called after the atom that it is bonded to: `HO1`.
    let is_mixed =
        (goes_on && leading.symbol() != "H") || Element::from_symbol(rest).is_some_and(|_| rest.len() == 2);
    (!is_mixed).then_some(leading)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(element: Option<Element>) -> &'static str {
        element.map_or("-", Element::symbol)
    }

    #[test]
    fn type_symbols_are_one_element_and_its_charge() {
        for (text, expected) in [
            ("Fe3+", "Fe"),
            ("O2-", "O"),
            ("SI", "Si"),
            ("D", "H"),
            ("W0+", "W"),
            ("Fe+3", "Fe"),
            ("Ti3.5+", "Ti"),
            ("C1", "C"),
            ("ca", "Ca"),
        ] {
            assert_eq!(symbol(of_type(text, None)), expected, "{text}");
        }
        for text in [
            "OH1-",
            "X",
            "",
            "3",
            "Cval",
            "Fé",
            "O-H",
            "OH",
            "Nb,Zr",
            "Fe/Mn",
            "0.5Ti",
            "Ti0.5",
            "Ti+Zr",
            "Ti,",
            "M",
            "T",
            "CO",
            "HO",
            "CN",
            "Wat",
            "Va",
            "Ti:Zr",
            "Fe3+/Fe2+",
        ] {
            assert_eq!(symbol(of_type(text, None)), "-", "{text}");
        }
        assert_eq!(symbol(of_type("CO", Formula::read("Co O").as_ref())), "Co");
        assert_eq!(symbol(of_type("T", Formula::read("T2 O").as_ref())), "H");
        assert_eq!(symbol(of_type("T", Formula::read("Si O2").as_ref())), "-");
    }

    #[test]
    fn labels_without_a_formula_start_with_one_clear_element() {
        for (label, expected) in [
            ("Fe1", "Fe"),
            ("Fe2A", "Fe"),
            ("O1'", "O"),
            ("Ca_1", "Ca"),
            ("FE1", "Fe"),
            ("ZN", "Zn"),
            ("Fe3+", "Fe"),
            ("O2-", "O"),
            ("D1", "H"),
            ("Co1", "Co"),
            ("O1A", "O"),
            ("O1_2", "O"),
            ("Al(1)", "Al"),
            ("O1*", "O"),
            ("W", "W"),
            ("C1B", "C"),
        ] {
            assert_eq!(symbol(of_label(label, None)), expected, "{label}");
        }
        for label in [
            "H2O",
            "Nb,Zr",
            "FeMn1",
            "T1",
            "T",
            "OH",
            "O-H",
            "OH1",
            "Wat",
            "M1",
            "Va",
            "X",
            "X1",
            "CO1",
            "SI1",
            "CA1",
            "Ow",
            "OW1",
            "OA1",
            "HO1",
            "SiT2",
            "Fe/Mn",
            "Fe1Mn1",
            "Fe0.5Mn0.5",
            "Ti0.5",
            "Fe+Mn",
            "Q1",
            "A1",
            "Nb:Zr",
            "Nb Zr",
            "Fé1",
            "",
            "1",
            "Wat1",
            "D2O",
            "Ti1-Zr1",
            "Cat1",
            "An1",
        ] {
            assert_eq!(symbol(of_label(label, None)), "-", "{label}");
        }
    }

    #[test]
    fn a_formula_makes_labels_certain() {
        for (label, formula, expected) in [
            ("CO1", "C2 H2 Co O5", "-"),
            ("Co1", "C2 H2 Co O5", "Co"),
            ("HO1", "C2 H2 Co O5", "H"),
            ("Ow", "C2 H2 Co O5", "O"),
            ("Wat", "C2 H2 Co O5", "-"),
            ("SI1", "O2 Si", "Si"),
            ("CO1", "Co O", "Co"),
            ("CA1", "C4 H10", "C"),
            ("CA1", "Ca O", "Ca"),
            ("SiT2", "O2 Si", "Si"),
            ("OA1", "O2 Si", "O"),
            ("OW1", "O2 Si", "O"),
            ("OW1", "O3 W", "-"),
            ("OH1", "H2 Mg O2", "-"),
            ("FeMn1", "Fe Mn O3", "-"),
            ("FeMn1", "Fe O", "-"),
            ("O-H", "H2 Mg O2", "-"),
            ("Nb,Zr", "Nb O3 Zr", "-"),
            ("T1", "O2 T", "-"),
            ("T1", "O2 Si", "-"),
            ("X1", "O2 Si", "-"),
            ("D1", "D2 O", "H"),
            ("Ti1", "O2 Si", "-"),
            ("é", "O2 Si", "-"),
            ("", "O2 Si", "-"),
        ] {
            assert_eq!(
                symbol(of_label(label, Formula::read(formula).as_ref())),
                expected,
                "{label} {formula}"
            );
        }
    }
}
