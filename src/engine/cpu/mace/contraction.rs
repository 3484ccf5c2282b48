//! The symmetric contraction of a site: polynomials in its invariant components, with coefficients by channel.
//!
//! `B_M = sum_a c1_a A_a + sum_{a<=b} c2_ab A_a A_b + sum_{a<=b<=d} c3_abd A_a A_b A_d`, where each coefficient
//! gathers all orders of its indices from the model's basis, and indices run over the components that the site
//! symmetry leaves. Zero coefficients are left out, and the rest is evaluated as
//! `sum_a A_a (c1_a + sum_b A_b (c2_ab + sum_d c3_abd A_d))`.

use std::collections::BTreeMap;

use nalgebra::DMatrix;
use ndarray::{Array3, Axis};
use pulp::Simd;

use crate::engine::cpu::real::vectors_per_lane;
use crate::engine::cpu::{LANES, Real};
use crate::equivariant::{components, degree};
use crate::potential::mace::Contraction;

/// Points that are contracted together, so that a coefficient is loaded once for all of them.
pub(in crate::engine) const GROUP: usize = 4;

/// A vector for each point of a group.
pub(in crate::engine) type Quad<T, S> = [<T as Real>::Vector<S>; GROUP];

/// A site's contraction to one degree.
pub(in crate::engine) struct SiteContraction<T> {
    /// One polynomial an invariant component of the result.
    polynomials: Vec<Vec<First>>,
    /// Coefficients in the order of evaluation, `[channel / LANES][coefficient][LANES]`.
    coefficients: Vec<T>,
    /// Coefficients of a channel, and where each polynomial's begin.
    count: usize,
    starts: Vec<usize>,
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

/// Coefficients of monomials (sorted indices) over the basis of the weights of their order.
type Monomials = BTreeMap<Vec<usize>, Vec<f64>>;

/// Coefficients below this share of the largest are rounding errors.
const NEGLIGIBLE: f64 = 1e-12;

/// A model's contraction to one degree, with the orders of indices gathered.
pub(in crate::engine) struct SymmetricContraction {
    degree: usize,
    /// One a component of the result, in all components up to lmax.
    components: Vec<Monomials>,
    /// By order, first 1: `[S][eta][C]`.
    weights: Vec<Array3<f64>>,
}

impl SymmetricContraction {
    /// Of a contraction, for some of its elements.
    pub(super) fn new(contraction: &Contraction, lmax: usize, elements: &[usize]) -> SymmetricContraction {
        let size = components(lmax);
        let mut out = vec![Monomials::new(); 2 * contraction.degree + 1];
        for (order, basis) in contraction.bases.iter().enumerate() {
            let etas = basis.dim().2;
            for ((row, point, eta), value) in basis.indexed_iter().filter(|(_, v)| **v != 0.0) {
                let mut key: Vec<usize> = (0..=order).map(|i| point / size.pow(i as u32) % size).collect();
                key.sort_unstable();
                out[row].entry(key).or_insert_with(|| vec![0.0; etas])[eta] += value;
            }
        }
        drop_negligible(&mut out);
        let weights = contraction.weights.iter().map(|w| w.select(Axis(0), elements)).collect();
        SymmetricContraction { degree: contraction.degree, components: out, weights }
    }

    /// In the invariant components of a site.
    fn adapt(&self, bases: &[DMatrix<f64>]) -> Vec<Monomials> {
        let overlaps = overlaps(bases);
        let output = &bases[self.degree];
        let mut out = vec![Monomials::new(); output.ncols()];
        for (row, monomials) in self.components.iter().enumerate() {
            for (key, etas) in monomials {
                for (mut adapted, factor) in products(key, &overlaps) {
                    adapted.sort_unstable();
                    for (m, target) in out.iter_mut().enumerate().filter(|(m, _)| output[(row, *m)] != 0.0) {
                        let factor = factor * output[(row, m)];
                        let sums = target.entry(adapted.clone()).or_insert_with(|| vec![0.0; etas.len()]);
                        sums.iter_mut().zip(etas).for_each(|(sum, eta)| *sum += factor * eta);
                    }
                }
            }
        }
        drop_negligible(&mut out);
        out
    }
}

/// The largest coefficient.
fn size(etas: &[f64]) -> f64 {
    etas.iter().fold(0.0, |a, v| a.max(v.abs()))
}

fn drop_negligible(monomials: &mut [Monomials]) {
    let largest = monomials.iter().flat_map(|m| m.values()).map(|v| size(v)).fold(0.0, f64::max);
    monomials.iter_mut().for_each(|m| m.retain(|_, v| size(v) > NEGLIGIBLE * largest));
}

/// A monomial of full components as a sum over monomials of invariant ones.
fn products(key: &[usize], overlaps: &[Vec<(usize, f64)>]) -> Vec<(Vec<usize>, f64)> {
    let mut products = vec![(Vec::new(), 1.0)];
    for component in key {
        let longer = |(key, v): &(Vec<usize>, f64)| {
            let extend = |(k, w): &(usize, f64)| ([key.as_slice(), &[*k]].concat(), v * w);
            overlaps[*component].iter().map(extend).collect::<Vec<_>>()
        };
        products = products.iter().flat_map(longer).collect();
    }
    products
}

impl<T: Real> SiteContraction<T> {
    /// For a site with the given invariant bases by degree and the element's place in the weights.
    pub(super) fn new(
        contraction: &SymmetricContraction,
        bases: &[DMatrix<f64>],
        element: usize,
        channels: usize,
    ) -> Self {
        let mut polynomials = Vec::new();
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for monomials in contraction.adapt(bases) {
            polynomials.push(nest(&monomials, |key| {
                let weights = contraction.weights[key.len() - 1].index_axis(Axis(0), element);
                let etas = &monomials[key];
                let sum = |w: ndarray::ArrayView1<f64>| w.iter().zip(etas).map(|(w, u)| w * u).sum();
                rows.push(weights.columns().into_iter().map(sum).collect());
            }));
        }
        let mut coefficients = Vec::with_capacity(rows.len() * channels);
        for (first, row) in (0..channels).step_by(LANES).flat_map(|c| rows.iter().map(move |row| (c, row))) {
            let channel = |c: usize| T::from_f64(row.get(c).copied().unwrap_or(0.0));
            coefficients.extend((first..first + LANES).map(channel));
        }
        let starts = polynomials.iter().scan(0, |start, p| {
            let own = *start;
            *start += count(p);
            Some(own)
        });
        let starts = starts.collect();
        SiteContraction { starts, polynomials, coefficients, count: rows.len() }
    }

    /// Component `m` of the result for a group of points, in the k-th vector of channels.
    #[inline(always)]
    pub(in crate::engine) fn evaluate<S: Simd>(
        &self,
        simd: S,
        m: usize,
        k: usize,
        inputs: &[Quad<T, S>],
    ) -> Quad<T, S> {
        let per_lane = vectors_per_lane::<T, S>();
        let first = (k / per_lane * self.count + self.starts[m]) * per_lane + k % per_lane;
        let mut coefficients = T::vectors::<S>(&self.coefficients)[first..].iter().step_by(per_lane);
        let zero = [T::splat(simd, T::ZERO); GROUP];
        let mut take = || coefficients.next().map_or(zero, |c| [*c; GROUP]);
        let multiply_add = |a: &Quad<T, S>, b: &Quad<T, S>, sum: &mut Quad<T, S>| {
            for p in 0..GROUP {
                sum[p] = T::multiply_add(simd, a[p], b[p], sum[p]);
            }
        };
        let mut total = zero;
        for first in &self.polynomials[m] {
            let mut outer = if first.own { take() } else { zero };
            for second in &first.seconds {
                let mut inner = if second.own { take() } else { zero };
                for d in &second.thirds {
                    multiply_add(&take(), &inputs[*d], &mut inner);
                }
                multiply_add(&inner, &inputs[second.b], &mut outer);
            }
            multiply_add(&outer, &inputs[first.a], &mut total);
        }
        total
    }
}

impl<T: Copy> SiteContraction<T> {
    /// What gives each component of the result, as numbers: for each first index `a, whether c1, number of b`, then for
    /// each second index `b, whether c2, number of d, d...`. With the number of first indices and the place of the first
    /// coefficient.
    #[cfg(feature = "cuda")]
    pub(in crate::engine) fn programs(&self) -> impl Iterator<Item = (Vec<i32>, usize, usize)> {
        self.polynomials.iter().zip(&self.starts).map(|(polynomial, start)| {
            let mut program = Vec::new();
            for first in polynomial {
                program.extend([first.a as i32, i32::from(first.own), first.seconds.len() as i32]);
                for second in &first.seconds {
                    program.extend([second.b as i32, i32::from(second.own), second.thirds.len() as i32]);
                    program.extend(second.thirds.iter().map(|d| *d as i32));
                }
            }
            (program, polynomial.len(), *start)
        })
    }

    /// Coefficients in the order of evaluation, `[coefficient][channel]`.
    #[cfg(feature = "cuda")]
    pub(in crate::engine) fn coefficients(&self) -> Vec<T> {
        let lanes: Vec<&[T]> = self.coefficients.chunks_exact((self.count * LANES).max(1)).collect();
        let row = |k: usize| lanes.iter().flat_map(move |lane| lane[k * LANES..][..LANES].iter().copied());
        (0..self.count).flat_map(row).collect()
    }
}

impl<T> SiteContraction<T> {
    /// Multiply-adds and coefficients of a channel.
    pub(in crate::engine) fn operations(&self) -> (usize, usize) {
        let seconds = |f: &First| f.seconds.iter().map(|s| s.thirds.len() + 1).sum::<usize>();
        (self.polynomials.iter().flatten().map(|f| seconds(f) + 1).sum(), self.count)
    }
}

/// Number of coefficients of a polynomial.
fn count(polynomial: &[First]) -> usize {
    let seconds = |f: &First| f.seconds.iter().map(|s| usize::from(s.own) + s.thirds.len()).sum::<usize>();
    polynomial.iter().map(|f| usize::from(f.own) + seconds(f)).sum()
}

/// For each full component, the invariant components it belongs to, with their overlap.
fn overlaps(bases: &[DMatrix<f64>]) -> Vec<Vec<(usize, f64)>> {
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

/// Nests monomials by their indices, and reports them in the order of evaluation.
fn nest(monomials: &Monomials, mut report: impl FnMut(&[usize])) -> Vec<First> {
    type Seconds = BTreeMap<usize, (bool, Vec<usize>)>;
    let mut tree: BTreeMap<usize, (bool, Seconds)> = BTreeMap::new();
    for key in monomials.keys() {
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
            report(&[a]);
        }
        let mut list = Vec::new();
        for (b, (own, thirds)) in seconds {
            if own {
                report(&[a, b]);
            }
            thirds.iter().for_each(|d| report(&[a, b, *d]));
            list.push(Second { b, own, thirds });
        }
        polynomial.push(First { a, own, seconds: list });
    }
    polynomial
}
