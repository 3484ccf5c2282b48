//! The symmetric contraction of a site: polynomials in its invariant components, with coefficients by channel.
//!
//! `B_M = sum_a c1_a A_a + sum_{a<=b} c2_ab A_a A_b + sum_{a<=b<=d} c3_abd A_a A_b A_d`, where each coefficient
//! gathers all orders of its indices from the model's basis, and indices run over the components that the site
//! symmetry leaves. Zero coefficients are left out, and the rest is evaluated as
//! `sum_a A_a (c1_a + sum_b A_b (c2_ab + sum_d c3_abd A_d))`.

use std::collections::BTreeMap;

use nalgebra::DMatrix;

use crate::engine::cpu::{LANES, Lane, Real, lane};
use crate::equivariant::degree;
use crate::potential::mace::Contraction;

/// Points that are contracted together, so that a coefficient is loaded once for all of them.
pub(super) const GROUP: usize = 4;

/// Lanes of a group of points.
pub(super) type Quad<T> = [Lane<T>; GROUP];

/// A site's contraction to one degree.
pub(super) struct SiteContraction<T> {
    /// One polynomial an invariant component of the result.
    polynomials: Vec<Vec<First>>,
    /// Coefficients in the order of evaluation, `[channel lane][coefficient][LANES]`.
    coefficients: Vec<T>,
    /// Coefficients of one lane.
    count: usize,
}

/// A term `A_a (c1 + sum of seconds)`.
struct First {
    a: usize,
    own: bool,
    seconds: Vec<Second>,
}

/// A term `A_b (c2 + sum_d c3 A_d)`.
struct Second {
    b: usize,
    own: bool,
    thirds: Vec<usize>,
}

/// Coefficients of monomials (sorted indices) over the weights' basis.
type Monomials = BTreeMap<Vec<usize>, Vec<f64>>;

/// Coefficients below this share of the largest are rounding errors.
const NEGLIGIBLE: f64 = 1e-12;

impl<T: Real> SiteContraction<T> {
    /// For a site with the given invariant bases by degree and the element's place in the weights.
    pub(super) fn new(
        contraction: &Contraction,
        bases: &[DMatrix<f64>],
        element: usize,
        channels: usize,
    ) -> Self {
        let inputs = components_of(bases);
        let outputs = bases[contraction.degree].ncols();
        let orders: Vec<Vec<Monomials>> = (0..contraction.bases.len())
            .map(|order| monomials(contraction, order, &inputs, &bases[contraction.degree]))
            .collect();
        let mut polynomials = Vec::new();
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for m in 0..outputs {
            let of: Vec<&Monomials> = orders.iter().map(|o| &o[m]).collect();
            polynomials.push(nest(&of, |order, key| {
                let weights = contraction.weights[order].index_axis(ndarray::Axis(0), element);
                let eta = &of[order][key];
                let row = weights.columns().into_iter();
                rows.push(row.map(|w| w.iter().zip(eta).map(|(w, u)| w * u).sum()).collect());
            }));
        }
        let mut coefficients = Vec::with_capacity(rows.len() * channels);
        for lane in 0..channels / LANES {
            for row in &rows {
                coefficients.extend(
                    (0..LANES).map(|i| T::from_f64(row.get(lane * LANES + i).copied().unwrap_or(0.0))),
                );
            }
        }
        SiteContraction { polynomials, coefficients, count: rows.len() }
    }

    /// Number of coefficients a channel.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Number of components of the result.
    pub(super) fn outputs(&self) -> usize {
        self.polynomials.len()
    }

    /// Component `m` of the result for a group of points, in one lane of channels.
    #[inline(always)]
    pub(super) fn evaluate(&self, m: usize, channel_lane: usize, inputs: &[Quad<T>]) -> Quad<T> {
        let mut next = channel_lane * self.count + self.polynomials[..m].iter().map(count).sum::<usize>();
        let mut take = || {
            let coefficient = lane(&self.coefficients, next);
            next += 1;
            coefficient
        };
        let mut total = [[T::ZERO; LANES]; GROUP];
        for first in &self.polynomials[m] {
            let mut outer = if first.own { [*take(); GROUP] } else { [[T::ZERO; LANES]; GROUP] };
            for second in &first.seconds {
                let mut inner = if second.own { [*take(); GROUP] } else { [[T::ZERO; LANES]; GROUP] };
                for d in &second.thirds {
                    let c = take();
                    multiply_add(&[*c; GROUP], &inputs[*d], &mut inner);
                }
                multiply_add(&inner, &inputs[second.b], &mut outer);
            }
            multiply_add(&outer, &inputs[first.a], &mut total);
        }
        total
    }
}

/// `sum += a * b`, lane by lane.
#[inline(always)]
fn multiply_add<T: Real>(a: &Quad<T>, b: &Quad<T>, sum: &mut Quad<T>) {
    for p in 0..GROUP {
        for i in 0..LANES {
            sum[p][i] = a[p][i].multiply_add(b[p][i], sum[p][i]);
        }
    }
}

/// Number of coefficients of a polynomial.
fn count(polynomial: &Vec<First>) -> usize {
    let seconds = |f: &First| f.seconds.iter().map(|s| usize::from(s.own) + s.thirds.len()).sum::<usize>();
    polynomial.iter().map(|f| usize::from(f.own) + seconds(f)).sum()
}

/// For each full component, the invariant components it belongs to, with their overlap.
fn components_of(bases: &[DMatrix<f64>]) -> Vec<Vec<(usize, f64)>> {
    let mut out = Vec::new();
    let mut offset = 0;
    for (l, basis) in bases.iter().enumerate() {
        for m in 0..degree(l).len() {
            let overlaps = basis.row(m).iter().enumerate().map(|(k, v)| (offset + k, *v)).collect::<Vec<_>>();
            out.push(overlaps.into_iter().filter(|(_, v)| *v != 0.0).collect());
        }
        offset += basis.ncols();
    }
    out
}

/// Coefficients of all monomials of one order (0 for linear), for each component of the result.
fn monomials(
    contraction: &Contraction,
    order: usize,
    inputs: &[Vec<(usize, f64)>],
    output: &DMatrix<f64>,
) -> Vec<Monomials> {
    let basis = &contraction.bases[order];
    let (rows, points, etas) = basis.dim();
    let mut out = vec![Monomials::new(); output.ncols()];
    for (row, point, eta) in
        (0..rows).flat_map(|r| (0..points).flat_map(move |p| (0..etas).map(move |e| (r, p, e))))
    {
        let value = basis[(row, point, eta)];
        if value == 0.0 {
            continue;
        }
        let mut products = vec![(Vec::new(), value)];
        let mut rest = point;
        for _ in 0..=order {
            let overlaps = &inputs[rest % inputs.len()];
            rest /= inputs.len();
            products = (products.iter())
                .flat_map(|(key, v)| {
                    overlaps.iter().map(move |(k, w)| ([key.as_slice(), &[*k]].concat(), v * w))
                })
                .collect();
        }
        for (mut key, v) in products {
            key.sort_unstable();
            for (m, monomials) in out.iter_mut().enumerate() {
                let overlap = output[(row, m)];
                if overlap != 0.0 {
                    monomials.entry(key.clone()).or_insert_with(|| vec![0.0; etas])[eta] += overlap * v;
                }
            }
        }
    }
    let size = |values: &Vec<f64>| values.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
    let largest = out.iter().flat_map(|m| m.values()).map(size).fold(0.0, f64::max);
    out.iter_mut().for_each(|m| m.retain(|_, v| size(v) > NEGLIGIBLE * largest));
    out
}

/// Nests the monomials of all orders by their indices, and reports them in the order of evaluation.
fn nest(orders: &[&Monomials], mut report: impl FnMut(usize, &Vec<usize>)) -> Vec<First> {
    let mut tree: BTreeMap<usize, (bool, BTreeMap<usize, (bool, Vec<usize>)>)> = BTreeMap::new();
    for key in orders.iter().flat_map(|m| m.keys()) {
        let first = tree.entry(key[0]).or_default();
        match key[1..] {
            [] => first.0 = true,
            [b] => first.1.entry(b).or_default().0 = true,
            [b, d, ..] => first.1.entry(b).or_default().1.push(d),
        }
    }
    let mut polynomial = Vec::new();
    for (a, (own, seconds)) in tree {
        if own {
            report(0, &vec![a]);
        }
        let mut list = Vec::new();
        for (b, (own, thirds)) in seconds {
            if own {
                report(1, &vec![a, b]);
            }
            thirds.iter().for_each(|d| report(2, &vec![a, b, *d]));
            list.push(Second { b, own, thirds });
        }
        polynomial.push(First { a, own, seconds: list });
    }
    polynomial
}
