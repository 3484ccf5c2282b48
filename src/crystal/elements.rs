use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::LazyLock;

/// RWIGS of VASP's PAW_PBE potentials for 53 elements; the rest of Z = 1..=96 is a flagged fallback,
/// 1.017 times Cordero's covalent radius.
const WIGNER_SEITZ_RADII: &str = include_str!("../../assets/wigner_seitz_radii.csv");

/// A chemical element, identified by its atomic number 1..=118.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Element(u8);

#[rustfmt::skip]
const SYMBOLS: [&str; 118] = [
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar",
    "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr",
    "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe",
    "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu",
    "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn",
    "Fr", "Ra", "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr",
    "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og",
];

impl Element {
    /// The element with atomic number `z`, if 1 <= z <= 118.
    pub fn from_number(z: usize) -> Option<Element> {
        (1..=SYMBOLS.len()).contains(&z).then_some(Element(z as u8))
    }

    /// The element with this symbol, in the usual capitals (`W`, `Al`); D and T are not elements here.
    pub fn from_symbol(symbol: &str) -> Option<Element> {
        SYMBOLS.iter().position(|s| *s == symbol).map(|i| Element(i as u8 + 1))
    }

    /// Atomic number.
    pub fn number(self) -> usize {
        usize::from(self.0)
    }

    /// Wigner-Seitz radius in Angstrom, which the table has up to curium.
    pub fn wigner_seitz_radius(self) -> Option<f64> {
        static TABLE: LazyLock<[Option<f64>; 118]> = LazyLock::new(|| {
            let mut table = [None; 118];
            for line in WIGNER_SEITZ_RADII.lines().skip(1) {
                let fields: Vec<&str> = line.split(',').collect();
                if let [_, symbol, _, _, _, radius, ..] = fields[..]
                    && let Some(element) = Element::from_symbol(symbol)
                {
                    table[element.number() - 1] = radius.parse().ok();
                }
            }
            table
        });
        TABLE[self.number() - 1]
    }

    /// Chemical symbol.
    pub fn symbol(self) -> &'static str {
        SYMBOLS[usize::from(self.0) - 1]
    }
}

impl TryFrom<u8> for Element {
    type Error = String;

    fn try_from(z: u8) -> Result<Self, String> {
        Element::from_number(z.into()).ok_or_else(|| format!("there is no element {z}"))
    }
}

impl From<Element> for u8 {
    fn from(element: Element) -> u8 {
        element.0
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_and_numbers_agree() {
        for z in 1..=118 {
            let element = Element::from_number(z).unwrap();
            assert_eq!(element.number(), z);
            assert_eq!(Element::from_symbol(element.symbol()), Some(element));
        }
        assert_eq!(Element::from_symbol("W").map(Element::number), Some(74));
        assert_eq!(Element::from_number(0), None);
        assert_eq!(Element::from_number(119), None);
        assert_eq!(Element::from_symbol("w"), None);
    }
}
