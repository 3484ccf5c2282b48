//! Pair operators -> messages, for a block of points at once.

use pulp::{Simd, WithSimd};

use super::geometry::{Direction, Geometry, Rows};
use super::operator::{Bundle, Gathered, Operators, Place, Scratch, Sink};
use super::{BLOCK, Interactions};
use crate::engine::cpu::real::vectors_per_lane;
use crate::engine::cpu::{LANES, Real};

/// At most [`BLOCK`] points, and what their pair operators come from. A block that is not full leaves rows of the
/// arrays unused: products keep their shape, and so their bits.
pub struct Block<'a, T> {
    pub(super) operators: &'a Operators<'a, T>,
    /// By point and group of pairs: operators that are kept.
    pub(super) kept: Vec<Vec<Option<&'a Bundle<T>>>>,
    /// By point and pair: of the pairs whose operators are not kept.
    pub(super) gathered: &'a [Vec<Gathered<T>>],
    /// These pairs, in the order of [`Geometry::order`].
    pub(super) direct: &'a [usize],
    /// Directions of kept operators into each site in that order, with their groups.
    pub(super) incoming: &'a [Vec<(usize, &'a Direction)>],
}

/// Messages of a layer, with the vectors of the machine.
struct Messages<'a, 'b, T> {
    block: &'a Block<'b, T>,
    layer: usize,
    up: Option<&'a [T]>,
    sums: &'a mut [T],
    scratch: &'a mut Scratch<T>,
}

impl<T: Real> WithSimd for Messages<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Messages { block, layer, up, sums, scratch } = self;
        if block.incoming.iter().all(Vec::is_empty) {
            sums.fill(T::ZERO);
        } else {
            block.apply_kept(simd, layer, up, sums);
        }
        for (point, pair) in (0..block.points()).flat_map(|p| block.direct.iter().map(move |k| (p, *k))) {
            let model = (block.operators.geometry, block.operators.interactions);
            let mut sink = Add { model, up, sums, point };
            let gathered = &block.gathered[point][pair];
            block.operators.rows(simd, (pair, layer), gathered, (scratch, &mut sink));
        }
    }
}

impl<T: Real> Block<'_, T> {
    /// Number of points.
    pub(in crate::engine) fn points(&self) -> usize {
        self.kept.len()
    }

    /// The scene in terms of the model.
    pub(in crate::engine) fn geometry(&self) -> &Geometry {
        self.operators.geometry
    }

    /// Messages of a layer by paths, as the layer's arrays say, from the senders' features `up`, which layer 0 does
    /// without: sums over kept operators, to which the others are added pair by pair. The order is the same whether
    /// operators are kept or not, and so are the bits.
    pub(in crate::engine) fn messages(
        &self,
        layer: usize,
        up: Option<&[T]>,
        sums: &mut [T],
        scratch: &mut Scratch<T>,
    ) {
        let sums = &mut sums[..self.geometry().layers[layer].messages.len()];
        self.operators.arch.dispatch(Messages { block: self, layer, up, sums, scratch });
    }

    /// A scalar of a site, see [`super::Scalars`]: the sum over what comes in.
    pub(in crate::engine) fn scalar(&self, point: usize, site: usize, index: usize) -> f64 {
        let count = self.operators.interactions.scalar_count();
        let of = |(pair, d): &(usize, usize)| {
            let geometry = &self.geometry().pairs[*pair];
            match self.kept[point][geometry.group] {
                Some(bundle) => bundle.scalars[geometry.directions[*d].scalars + index],
                None => self.gathered[point][*pair].scalars[d * count + index],
            }
        };
        self.geometry().incoming[site].iter().map(of).sum()
    }

    /// The same sums in the same order as those of [`Add`].
    #[inline(always)]
    fn apply_kept<S: Simd>(&self, simd: S, layer: usize, up: Option<&[T]>, sums: &mut [T]) {
        let per_lane = vectors_per_lane::<T, S>();
        let vectors = |numbers: usize| numbers / LANES * per_lane;
        let Geometry { layers, components, .. } = self.geometry();
        let inputs = &layers[layer].inputs;
        let up = up.map(|up| T::vectors::<S>(up));
        let sums = T::vectors_mut::<S>(sums);
        let mut operators: Vec<&[T::Vector<S>]> = Vec::new();
        let mut terms: Vec<Term> = Vec::new();
        for (receiver, incoming) in self.incoming.iter().enumerate() {
            // [point][direction]
            operators.clear();
            for bundles in &self.kept {
                for (group, direction) in incoming {
                    let values = bundles[*group].map_or(&[][..], |bundle| &bundle.values[direction.first..]);
                    operators.push(T::vectors::<S>(values));
                }
            }
            for (path, columns) in self.operators.interactions.layers[layer].paths.iter().enumerate() {
                let width = vectors(columns.width);
                for (m, row) in components.of(columns.path.l3, receiver).enumerate() {
                    terms.clear();
                    for (index, (_, direction)) in incoming.iter().enumerate() {
                        let Rows { first, shape, components: [_, sender], .. } =
                            direction.blocks[layer][path];
                        let feature = vectors(up.map_or(0, |_| inputs.row(columns.path.l1, sender, 0)));
                        let first = vectors(first) + m * shape[1] * width;
                        terms.extend((0..shape[1]).map(|m1| Term {
                            direction: index,
                            first: first + m1 * width,
                            feature: feature + m1 * BLOCK * width,
                        }));
                    }
                    for point in 0..self.points() {
                        let operators = &operators[point * incoming.len()..][..incoming.len()];
                        let start = layers[layer].messages.row(columns.path.l3, row, point) + columns.slot;
                        let sum = Sum::<T, S> { simd, terms: &terms, operators, up, point, width };
                        sum.write(&mut sums[vectors(start)..][..width]);
                    }
                }
            }
        }
    }
}

/// Adds operator rows, times features in later layers, to the messages of a point.
struct Add<'a, T> {
    model: (&'a Geometry, &'a Interactions<T>),
    up: Option<&'a [T]>,
    sums: &'a mut [T],
    point: usize,
}

impl<T: Real> Add<'_, T> {
    /// The vectors of messages that a place stands for.
    #[inline(always)]
    fn messages<S: Simd, const N: usize>(&mut self, place: &Place) -> &mut [T::Vector<S>] {
        let (geometry, interactions) = self.model;
        let Rows { components: [receiver, _], .. } = place.direction.blocks[place.layer][place.path];
        let columns = &interactions.layers[place.layer].paths[place.path];
        let array = &geometry.layers[place.layer].messages;
        let start = array.row(columns.path.l3, receiver + place.component, self.point) + columns.slot;
        &mut T::vectors_mut::<S>(&mut self.sums[start..][..columns.width])[place.first..place.first + N]
    }
}

impl<T: Real> Sink<T> for Add<'_, T> {
    #[inline(always)]
    fn begin<S: Simd, const N: usize>(&mut self, simd: S, place: &Place) -> [T::Vector<S>; N] {
        let mut sums = [T::splat(simd, T::ZERO); N];
        sums.copy_from_slice(self.messages::<S, N>(place));
        sums
    }

    #[inline(always)]
    fn take<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        (place, m1): (&Place, usize),
        values: [T::Vector<S>; N],
        sums: &mut [T::Vector<S>; N],
    ) {
        let Place { direction, layer, path, first: k, .. } = *place;
        let Some(up) = self.up else {
            for i in 0..N {
                sums[i] = <T as Real>::add(simd, sums[i], values[i]);
            }
            return;
        };
        let (geometry, interactions) = self.model;
        let columns = &interactions.layers[layer].paths[path];
        let [_, sender] = direction.blocks[layer][path].components;
        let start = geometry.layers[layer].inputs.row(columns.path.l1, sender + m1, self.point);
        let feature = &T::vectors::<S>(&up[start..][..columns.width])[k..k + N];
        for i in 0..N {
            sums[i] = T::multiply_add(simd, values[i], feature[i], sums[i]);
        }
    }

    #[inline(always)]
    fn end<S: Simd, const N: usize>(&mut self, place: &Place, sums: [T::Vector<S>; N]) {
        self.messages::<S, N>(place).copy_from_slice(&sums);
    }
}

/// An operator's row and the features that it acts on at the first point, counted in vectors.
struct Term {
    /// Place among the directions into the site.
    direction: usize,
    first: usize,
    feature: usize,
}

/// A row of messages of one path as a sum over senders and their components.
struct Sum<'a, T: Real, S: Simd> {
    simd: S,
    terms: &'a [Term],
    /// By direction.
    operators: &'a [&'a [T::Vector<S>]],
    /// Features, which layer 0 does without.
    up: Option<&'a [T::Vector<S>]>,
    point: usize,
    /// Vectors of a row.
    width: usize,
}

impl<T: Real, S: Simd> Sum<'_, T, S> {
    #[inline(always)]
    fn write(&self, out: &mut [T::Vector<S>]) {
        let mut k = 0;
        while k + 4 <= self.width {
            self.strip::<4>(k, out);
            k += 4;
        }
        while k + 2 <= self.width {
            self.strip::<2>(k, out);
            k += 2;
        }
        while k < self.width {
            self.strip::<1>(k, out);
            k += 1;
        }
    }

    /// Writes the k-th and the following vectors, `N` in all.
    #[inline(always)]
    fn strip<const N: usize>(&self, k: usize, out: &mut [T::Vector<S>]) {
        let mut sums = [T::splat(self.simd, T::ZERO); N];
        for term in self.terms {
            let row = &self.operators[term.direction][term.first + k..][..N];
            match self.up {
                Some(up) => {
                    let feature = &up[term.feature + self.point * self.width + k..][..N];
                    for i in 0..N {
                        sums[i] = T::multiply_add(self.simd, row[i], feature[i], sums[i]);
                    }
                }
                None => {
                    for i in 0..N {
                        sums[i] = <T as Real>::add(self.simd, sums[i], row[i]);
                    }
                }
            }
        }
        out[k..k + N].copy_from_slice(&sums);
    }
}
