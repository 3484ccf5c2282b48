//! POSCAR and CONTCAR of VASP, with the line of element symbols (VASP 5) or without it (VASP 4).

use nalgebra::{Matrix3, Vector3};

use super::text::{Complaint, real, shown};
use super::{Element, Structure, check};

/// The structure of a POSCAR's text. After the last position only what VASP writes there may follow.
pub(super) fn parse(text: &str, name: &str) -> Result<Structure, Complaint> {
    let mut lines = Lines { rest: text.lines(), number: 0 };
    let comment = lines.next("the comment")?;
    let (lattice, scale) = read_cell(&mut lines)?;
    let (symbols, counts) = read_species(&mut lines)?;
    let mode = Mode::read(&mut lines)?;
    let sites = read_sites(&mut lines, counts.iter().sum(), &mode)?;
    check_rest(&mut lines, sites.len())?;
    let said = named_after_positions(&counts, &sites);
    let symbols = match (symbols, said) {
        (Some(symbols), said) => {
            if said.is_some_and(|said| said != symbols) {
                log::warn!("{name}: the elements after the positions are not those of line 6, which hold");
            }
            symbols
        }
        (None, Some(said)) => said,
        (None, None) => named_in_comment(comment, &counts)?,
    };
    let species = symbols.iter().zip(&counts).flat_map(|(element, n)| vec![*element; *n]).collect();
    let to_fractional = match mode.cartesian {
        // The lattice has passed its check: it has an inverse.
        true => lattice.try_inverse().unwrap_or_default() * Matrix3::from_diagonal(&scale),
        false => Matrix3::identity(),
    };
    let positions = sites.iter().map(|site| to_fractional * site.coordinates).collect();
    check::structure(name.to_string(), lattice, species, positions).map_err(Complaint::whole)
}

/// The lines of the file one after the other; blank lines count, as for VASP.
struct Lines<'a> {
    rest: std::str::Lines<'a>,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self, wanted: &str) -> Result<&'a str, Complaint> {
        self.number += 1;
        match self.rest.next() {
            Some(line) => Ok(line),
            None => Err(self.blame(format!("the file ends before {wanted}; give the complete file"))),
        }
    }

    /// The next line, `None` at the end of the file.
    fn rest_line(&mut self) -> Option<&'a str> {
        self.number += 1;
        self.rest.next()
    }

    /// True if only blank lines follow.
    fn are_blank(&self) -> bool {
        self.rest.clone().all(|line| line.trim().is_empty())
    }

    /// A complaint about a line after the positions, the one read last.
    fn foreign(&self, line: &str) -> Complaint {
        self.blame(format!(
            "{} follows the positions and is no velocity; delete it, or split the file if a second structure begins here",
            if line.trim().is_empty() { "a blank line".to_string() } else { shown(line) }
        ))
    }

    /// A complaint about the line read last.
    fn blame(&self, text: impl Into<String>) -> Complaint {
        Complaint::at(self.number, text)
    }
}

/// Lattice vectors as columns in Angstrom, and the factors that scale x, y and z of Cartesian positions.
fn read_cell(lines: &mut Lines) -> Result<(Matrix3<f64>, Vector3<f64>), Complaint> {
    let scale_line = lines.next("the scale factor")?;
    let scale_number = lines.number;
    let mut unscaled = Matrix3::zeros();
    for (column, vector) in ["first", "second", "third"].into_iter().enumerate() {
        let line = lines.next(&format!("the {vector} lattice vector"))?;
        let components = leading_vector(line).ok_or_else(|| {
            lines.blame(format!("the {vector} lattice vector needs three numbers, not {}", shown(line)))
        })?;
        unscaled.set_column(column, &components);
    }
    let factors: Vec<f64> = scale_line.split_whitespace().map_while(real).take(3).collect();
    let scale = match factors[..] {
        [factor] if factor > 0.0 => Vector3::repeat(factor),
        // A negative factor is minus the volume of the cell in cubic Angstrom.
        [volume] if volume < 0.0 => Vector3::repeat((-volume / unscaled.determinant().abs()).cbrt()),
        [x, y, z] if x > 0.0 && y > 0.0 && z > 0.0 => Vector3::new(x, y, z),
        _ => {
            let line = shown(scale_line);
            return Err(Complaint::at(
                scale_number,
                format!("the scale must be one factor, minus a volume or three positive factors, not {line}"),
            ));
        }
    };
    let lattice = Matrix3::from_diagonal(&scale) * unscaled;
    check::lattice(&lattice).map_err(|text| lines.blame(text))?;
    Ok((lattice, scale))
}

/// Elements (VASP 5 names them, VASP 4 does not) and atom counts of the blocks of positions.
fn read_species(lines: &mut Lines) -> Result<(Option<Vec<Element>>, Vec<usize>), Complaint> {
    let mut line = lines.next("the element symbols or atom counts")?;
    let mut symbols = Vec::new();
    // Long lists go on in further lines.
    while read_counts(line).is_empty() {
        let before = symbols.len();
        for token in line.split_whitespace().take_while(|token| !token.starts_with(['!', '#'])) {
            // VASP 6 appends the potential and its hash: `W_pv`, `Ti_sv/2bc3`.
            let symbol = token.split(['_', '/']).next().unwrap_or(token);
            symbols.push(Element::from_symbol(symbol).ok_or_else(|| {
                lines.blame(format!(
                    "{} is no element; write one symbol for each block of atoms",
                    shown(token)
                ))
            })?);
        }
        if symbols.len() == before {
            return Err(
                lines.blame("the line holds neither element symbols nor atom counts; write them there")
            );
        }
        line = lines.next("the atom counts")?;
    }
    let mut counts = read_counts(line);
    if let Some(token) = after_counts(line) {
        return Err(lines.blame(format!("{} is no atom count; write whole numbers only", shown(token))));
    }
    while counts.len() < symbols.len() {
        let more = read_counts(lines.next("the last atom count")?);
        if more.is_empty() {
            break;
        }
        counts.extend(more);
    }
    if !symbols.is_empty() && symbols.len() != counts.len() {
        let (names, numbers) = (symbols.len(), counts.len());
        return Err(lines.blame(format!(
            "{numbers} atom counts follow {names} element symbols; write one count for each symbol"
        )));
    }
    if counts.contains(&0) {
        return Err(lines.blame("an atom count is 0; delete it and its element symbol"));
    }
    let atoms = counts.iter().fold(0, |sum: usize, n| sum.saturating_add(*n));
    check::atom_count(atoms).map_err(|text| lines.blame(text))?;
    Ok((Some(symbols).filter(|symbols| !symbols.is_empty()), counts))
}

/// The whole numbers a line starts with.
fn read_counts(line: &str) -> Vec<usize> {
    line.split_whitespace().map_while(count).collect()
}

/// What follows the whole numbers in a line and is no comment.
fn after_counts(line: &str) -> Option<&str> {
    line.split_whitespace()
        .find(|token| count(token).is_none())
        .filter(|token| !token.starts_with(['!', '#']))
}

/// A whole number, the largest possible for one with too many digits.
fn count(token: &str) -> Option<usize> {
    let whole = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| token.parse().unwrap_or(usize::MAX))
}

/// How the lines of positions are written.
struct Mode {
    /// Three flags follow the coordinates.
    selective: bool,
    /// Coordinates are Cartesian, in units of the scale factor; else fractional.
    cartesian: bool,
    /// The line that says so, counted from 1.
    line: usize,
}

impl Mode {
    fn read(lines: &mut Lines) -> Result<Mode, Complaint> {
        // VASP looks at the first letter only.
        let initial = |line: &str| line.trim_start().chars().next().map(|c| c.to_ascii_lowercase());
        let mut line = lines.next("`Direct` or `Cartesian`")?;
        let selective = initial(line) == Some('s');
        if selective {
            line = lines.next("`Direct` or `Cartesian`")?;
        }
        match initial(line) {
            Some('d') => Ok(Mode { selective, cartesian: false, line: lines.number }),
            Some('c' | 'k') => Ok(Mode { selective, cartesian: true, line: lines.number }),
            _ => Err(lines.blame(format!(
                "{} stands where `Direct` or `Cartesian` must; write the one that holds",
                shown(line)
            ))),
        }
    }
}

/// One line of positions.
struct Site {
    coordinates: Vector3<f64>,
    /// The element named after the coordinates, where one is.
    element: Option<Element>,
}

fn read_sites(lines: &mut Lines, atoms: usize, mode: &Mode) -> Result<Vec<Site>, Complaint> {
    let mut sites = Vec::with_capacity(atoms);
    for atom in 1..=atoms {
        let line = lines.next(&format!("the position of atom {atom} of {atoms}"))?;
        let coordinates = leading_vector(line).ok_or_else(|| {
            lines.blame(format!("atom {atom} of {atoms} needs three coordinates, not {}", shown(line)))
        })?;
        let rest: Vec<&str> = line.split_whitespace().skip(3).collect();
        let flags = rest.iter().take(3).take_while(|token| is_flag(token)).count();
        let is_fluorine = rest[..flags] == ["F"];
        let rest = match (mode.selective, flags) {
            (true, 3) => &rest[3..],
            (true, _) => {
                return Err(lines.blame(format!(
                    "atom {atom} of {atoms} has no three flags in {}; write T or F, or delete the line `Selective dynamics`",
                    shown(line)
                )));
            }
            (false, 1..) if !is_fluorine => {
                return Err(lines.blame(format!(
                    "{} are flags, and no line `Selective dynamics` announces them; insert it before line {}",
                    shown(&rest[..flags].join(" ")),
                    mode.line
                )));
            }
            (false, _) => &rest[..],
        };
        let name = rest
            .iter()
            .find_map(|token| Some(token.trim_start_matches(['!', '#'])).filter(|t| !t.is_empty()));
        let element = name.and_then(symbol_and_count).map(|(element, _)| element);
        sites.push(Site { coordinates, element });
    }
    Ok(sites)
}

/// A logical value of Fortran: `T`, `.TRUE.`, `f`.
fn is_flag(token: &str) -> bool {
    let word = token.trim_start_matches('.').trim_end_matches('.').to_ascii_lowercase();
    ["t", "f", "true", "false"].contains(&word.as_str())
}

/// Passes what VASP writes after the positions: nothing, lattice velocities, velocities, what it predicts from them.
fn check_rest(lines: &mut Lines, atoms: usize) -> Result<(), Complaint> {
    let mut line = lines.rest_line();
    if line.is_some_and(|line| line.trim_start().to_ascii_lowercase().starts_with("lattice vel")) {
        check_numbers(lines, 1, 1)?;
        check_numbers(lines, 6, 3)?;
        line = lines.rest_line();
    }
    let is_mode = |line: &str| ["direct", "cartesian"].contains(&line.trim().to_ascii_lowercase().as_str());
    match line {
        None => return Ok(()),
        Some(line) if is_mode(line) => check_numbers(lines, atoms, 3)?,
        Some(line) if !line.trim().is_empty() => return Err(lines.foreign(line)),
        Some(_) if lines.are_blank() => return Ok(()),
        Some(_) => check_numbers(lines, atoms, 3)?,
    }
    while let Some(line) = lines.rest_line() {
        if !line.split_whitespace().all(|token| real(token).is_some()) {
            return Err(lines.foreign(line));
        }
    }
    Ok(())
}

/// Passes lines of so many numbers each.
fn check_numbers(lines: &mut Lines, count: usize, numbers: usize) -> Result<(), Complaint> {
    for _ in 0..count {
        let line = lines.next("the last velocity")?;
        let read = line.split_whitespace().map_while(real).count();
        if read != numbers || line.split_whitespace().count() != numbers {
            return Err(lines.foreign(line));
        }
    }
    Ok(())
}

/// The three finite numbers a line starts with.
fn leading_vector(line: &str) -> Option<Vector3<f64>> {
    let mut numbers = line.split_whitespace().map(real);
    Some(Vector3::new(numbers.next()??, numbers.next()??, numbers.next()??))
}

/// The elements after the positions, if each line of every block names the same one.
fn named_after_positions(counts: &[usize], sites: &[Site]) -> Option<Vec<Element>> {
    let mut rest = sites;
    let mut named = Vec::new();
    for n in counts {
        let (block, after) = rest.split_at(*n);
        let first = block.first()?.element?;
        if block.iter().any(|site| site.element != Some(first)) {
            return None;
        }
        named.push(first);
        rest = after;
    }
    Some(named)
}

/// The elements of a VASP 4 file's comment, if that holds one for each count and nothing else.
fn named_in_comment(comment: &str, counts: &[usize]) -> Result<Vec<Element>, Complaint> {
    let words: Option<Vec<_>> = comment.split_whitespace().map(symbol_and_count).collect();
    let words = words.unwrap_or_default();
    if words.len() == counts.len()
        && words.iter().zip(counts).all(|((_, said), n)| said.is_none_or(|said| said == *n))
    {
        return Ok(words.iter().map(|(element, _)| *element).collect());
    }
    Err(Complaint::at(
        6,
        format!(
            "the {} atom counts come without elements; insert a line with one symbol for each before them",
            counts.len()
        ),
    ))
}

/// A word such as `W` or `W8`.
fn symbol_and_count(word: &str) -> Option<(Element, Option<usize>)> {
    let symbol = word.trim_end_matches(|c: char| c.is_ascii_digit());
    Some((Element::from_symbol(symbol)?, count(&word[symbol.len()..])))
}
