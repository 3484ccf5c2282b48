//! Affine forms `x = A u + b` of atoms on a Wyckoff position, and equations modulo the lattice.

use nalgebra::{DMatrix, DVector, Matrix3, Vector3};

/// Fractional position of an atom as a function of its orbit's coordinates: `x = linear * u + shift`.
///
/// `u` holds the orbit's x, y, z; columns of coordinates that symmetry does not free are zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// 3x3 matrix of small rationals.
    pub linear: Matrix3<f64>,
    /// Constant part.
    pub shift: Vector3<f64>,
}

/// Rational constants of the tables (1/3, 1/6, ...) agree to this.
const RATIONAL: f64 = 1e-6;

/// `value` taken into [0, 1), with values a rounding error below 1 taken to 0.
pub(crate) fn wrap(value: f64) -> f64 {
    let wrapped = value.rem_euclid(1.0);
    if wrapped > 1.0 - 1e-9 { 0.0 } else { wrapped }
}

/// Whether `value` is an integer to within `tolerance`.
pub(crate) fn is_integer(value: f64, tolerance: f64) -> bool {
    (value - value.round()).abs() < tolerance
}

impl Form {
    /// The form written as in the International Tables, e.g. `x,x+1/2,1/4` or `-y+1/2,2x,z`.
    pub(crate) fn parse(text: &str) -> Option<Form> {
        let mut form = Form { linear: Matrix3::zeros(), shift: Vector3::zeros() };
        let mut rows = 0;
        for (row, component) in text.split(',').enumerate() {
            if row == 3 {
                return None;
            }
            form.parse_component(row, component)?;
            rows += 1;
        }
        (rows == 3).then_some(form)
    }

    fn parse_component(&mut self, row: usize, component: &str) -> Option<()> {
        let component: String = component.chars().filter(|c| !c.is_whitespace()).collect();
        let terms = component.replace('-', "+-");
        for term in terms.split('+').filter(|t| !t.is_empty()) {
            let (sign, term) = term.strip_prefix('-').map_or((1.0, term), |t| (-1.0, t));
            if let Some(column) = term.chars().last().and_then(|c| "xyz".find(c)) {
                let factor = &term[..term.len() - 1];
                let factor = if factor.is_empty() { 1.0 } else { fraction(factor)? };
                self.linear[(row, column)] += sign * factor;
            } else {
                self.shift[row] += sign * fraction(term)?;
            }
        }
        Some(())
    }

    /// Position at the coordinates `u`.
    pub fn at(&self, u: &Vector3<f64>) -> Vector3<f64> {
        self.linear * u + self.shift
    }

    /// Which of x, y, z the form depends on.
    pub(crate) fn free(&self) -> [bool; 3] {
        std::array::from_fn(|j| self.linear.column(j).iter().any(|v| v.abs() > RATIONAL))
    }

    /// The form moved by an operation: `rotation * x + translation`.
    pub(crate) fn moved(&self, rotation: &Matrix3<f64>, translation: &Vector3<f64>) -> Form {
        Form { linear: rotation * self.linear, shift: rotation * self.shift + translation }
    }

    /// The lattice vector `n` with `self = other + n` for all coordinates, if there is one.
    pub(crate) fn offset_from(&self, other: &Form) -> Option<Vector3<f64>> {
        let same = (self.linear - other.linear).amax() < RATIONAL;
        let difference = self.shift - other.shift;
        (same && difference.iter().all(|v| is_integer(*v, RATIONAL))).then(|| difference.map(f64::round))
    }

    /// Columns of the free coordinates only: 3 x n_free.
    pub(crate) fn free_columns(&self) -> DMatrix<f64> {
        let free = self.free();
        let columns: Vec<_> = (0..3).filter(|j| free[*j]).map(|j| self.linear.column(j)).collect();
        DMatrix::from_fn(3, columns.len(), |i, j| columns[j][i])
    }

    /// All coordinates (free ones in [0, 1), others 0) at which the form gives `x` modulo the lattice, to within
    /// `tolerance` in each fractional component.
    pub(crate) fn solve(&self, x: &Vector3<f64>, tolerance: f64) -> Vec<Vector3<f64>> {
        let free = self.free();
        solve_modulo_lattice(&self.free_columns(), &(x - self.shift), tolerance)
            .into_iter()
            .map(|solution| {
                let mut values = solution.iter();
                Vector3::from_fn(|j, _| if free[j] { values.next().copied().unwrap_or(0.0) } else { 0.0 })
            })
            .collect()
    }
}

/// `3`, `1/2` or `0.25` as a number.
fn fraction(text: &str) -> Option<f64> {
    match text.split_once('/') {
        Some((numerator, denominator)) => {
            Some(numerator.parse::<f64>().ok()? / denominator.parse::<f64>().ok()?)
        }
        None => text.parse().ok(),
    }
}

/// All `t` in [0, 1)^k with `a t = rhs` modulo integers, each component to within `tolerance`.
///
/// `a` is 3 x k, with integer entries and full column rank, as the free columns of a Wyckoff position are. The k rows
/// with the smallest minor d determine t up to multiples of 1/d; the other rows decide.
pub(crate) fn solve_modulo_lattice(
    a: &DMatrix<f64>,
    rhs: &Vector3<f64>,
    tolerance: f64,
) -> Vec<DVector<f64>> {
    let size = a.ncols();
    if size == 0 {
        let zero = rhs.iter().all(|v| is_integer(*v, tolerance));
        return if zero { vec![DVector::zeros(0)] } else { Vec::new() };
    }
    let Some((rows, minor)) = smallest_minor(a) else { return Vec::new() };
    let Some(inverse) = minor.clone().try_inverse() else { return Vec::new() };
    let multiples = minor.determinant().abs().round() as usize;
    let mut solutions: Vec<DVector<f64>> = Vec::new();
    for choice in 0..multiples.pow(size as u32) {
        let shift = |i: usize| (choice / multiples.pow(i as u32) % multiples) as f64;
        let t = (&inverse * DVector::from_fn(size, |i, _| rhs[rows[i]] + shift(i))).map(wrap);
        let left = a * &t;
        let solves = (0..3).all(|i| is_integer(left[i] - rhs[i], tolerance));
        let known = |s: &DVector<f64>| (0..size).all(|i| is_integer(s[i] - t[i], RATIONAL));
        if solves && !solutions.iter().any(known) {
            solutions.push(t);
        }
    }
    solutions
}

/// The rows of a 3 x k matrix whose k x k minor is the smallest that is not zero, and the minor.
fn smallest_minor(a: &DMatrix<f64>) -> Option<(Vec<usize>, DMatrix<f64>)> {
    let subsets: &[&[usize]] = match a.ncols() {
        1 => &[&[0], &[1], &[2]],
        2 => &[&[0, 1], &[0, 2], &[1, 2]],
        _ => &[&[0, 1, 2]],
    };
    (subsets.iter())
        .map(|rows| (rows.to_vec(), a.select_rows(rows.iter())))
        .filter(|(_, minor)| minor.determinant().abs() > 0.5)
        .min_by(|(_, a), (_, b)| a.determinant().abs().total_cmp(&b.determinant().abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_the_tables_write_them() {
        let form = Form::parse("-y+1/2, 2x ,z-x").unwrap();
        assert_eq!(form.at(&Vector3::new(0.1, 0.2, 0.5)), Vector3::new(0.3, 0.2, 0.4));
        assert_eq!(form.free(), [true, true, true]);
        assert_eq!(Form::parse("x,1/4,0").unwrap().free(), [true, false, false]);
        assert!(Form::parse("x,y").is_none());
        assert!(Form::parse("x,y,z,z").is_none());
        assert!(Form::parse("x,y,q").is_none());
    }

    #[test]
    fn solving_a_form_gives_back_its_coordinates() {
        let form = Form::parse("x,2x,1/4").unwrap();
        let u = Vector3::new(0.3, 0.0, 0.0);
        let solutions = form.solve(&(form.at(&u) + Vector3::new(1.0, -2.0, 0.0)), 1e-9);
        assert!(solutions.iter().any(|s| (s - u).amax() < 1e-12));
        assert!(form.solve(&Vector3::new(0.3, 0.5, 0.25), 1e-9).is_empty());
        // x, -x, 2x determines x; 2x alone determines it up to one half.
        assert_eq!(Form::parse("2x,-x,x").unwrap().solve(&Vector3::new(0.6, -0.3, 0.3), 1e-9).len(), 1);
        assert_eq!(Form::parse("2x,0,0").unwrap().solve(&Vector3::new(0.6, 1.0, 0.0), 1e-9).len(), 2);
    }
}
