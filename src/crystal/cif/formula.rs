use super::super::Element;
use super::sites::element;

/// How many atoms, and what part of their number, a formula may be off by rounding.
const ROUNDING: (f64, f64) = (0.5, 0.01);

/// A chemical formula such as `Fe2 O3`.
pub struct Formula(Vec<(Element, f64)>);

impl Formula {
    /// Reads a formula, or gives `None` if a part of it is no element with its count.
    pub fn read(text: &str) -> Option<Formula> {
        let part = |part: &str| {
            let (symbol, count) =
                part.split_at(part.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(part.len()));
            Some((element(symbol)?, if count.is_empty() { 1.0 } else { count.parse().ok()? }))
        };
        let parts: Vec<_> = text.split_whitespace().map(part).collect::<Option<_>>()?;
        let total: f64 = parts.iter().map(|(_, count)| count).sum();
        (total > 0.0 && total.is_finite()).then_some(Formula(parts))
    }

    pub fn contains(&self, element: Element) -> bool {
        self.0.iter().any(|(part, _)| *part == element)
    }

    /// True if the atoms are a number of formula units.
    pub fn is_of(&self, atoms: &[Element]) -> bool {
        let total: f64 = self.0.iter().map(|(_, count)| count).sum();
        let units = atoms.len() as f64 / total;
        let count_of = |element: Element| atoms.iter().filter(|atom| **atom == element).count() as f64;
        let expected_of = |element: Element| -> f64 {
            units * self.0.iter().filter(|(part, _)| *part == element).map(|(_, count)| count).sum::<f64>()
        };
        atoms.iter().chain(self.0.iter().map(|(element, _)| element)).all(|element| {
            let (count, expected) = (count_of(*element), expected_of(*element));
            (count - expected).abs() <= ROUNDING.0 + ROUNDING.1 * expected
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_tells_its_atoms_from_others() {
        let atoms = |text: &str| -> Vec<Element> {
            text.split(' ').map(|s| Element::from_symbol(s).unwrap()).collect()
        };
        let water = Formula::read("D1 H1 O").unwrap();
        assert!(water.is_of(&atoms("H O H O H H")));
        assert!(!water.is_of(&atoms("O O")));
        assert!(!water.is_of(&atoms("H H H H O O N")));
        for text in ["", "Fe2 X3", "Fe2.x", "(H2 O)4", "Fe0", "Feinf", "2H"] {
            assert!(Formula::read(text).is_none(), "{text}");
        }
    }
}
