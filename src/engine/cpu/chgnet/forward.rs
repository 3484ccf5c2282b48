//! Rows -> energies.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::gated::{Buffers, CHUNK, Sink, padded};
use super::rows::Rows;
use super::weights::{BOTH, BondInputs, BondLayer, Columns, SiteWeights, Weights};
use crate::engine::Scene;
use crate::engine::cpu::real::vectors_per_lane;
use crate::engine::cpu::table::Place;
use crate::engine::cpu::{LANES, Matrix, Real, Table, multiply};
use crate::landscape::Point;
use crate::potential::chgnet::{FEATURES, Norm};

/// Arrays over the rows of a block of points, `[row][..]`; all have room for [`padded`] rows.
pub(super) struct Workspace<T> {
    rows: Rows<T>,
    /// x, b of short bonds, and a: `[row][C]`.
    atoms: Vec<T>,
    bonds: Vec<T>,
    angles: Vec<T>,
    /// w of all bonds and v of short ones: `[row][C]`.
    bond_weights: Vec<T>,
    short_weights: Vec<T>,
    /// What atoms and bonds add to first layers: `[row][BOTH or 2 BOTH]`.
    of_atoms: Vec<T>,
    of_bonds: Vec<T>,
    /// Sums of messages into atoms or bonds, and what the readout makes of atoms: `[row][C]`.
    sums: Vec<T>,
    buffers: Buffers<T>,
    arch: pulp::Arch,
}

/// A vector with a length, its contents whatever they are.
fn sized<T: Real>(values: &mut Vec<T>, length: usize) -> &mut [T] {
    if values.len() < length {
        values.resize(length, T::ZERO);
    }
    &mut values[..length]
}

impl<T: Real> Workspace<T> {
    pub(super) fn new() -> Workspace<T> {
        let empty = Vec::new;
        Workspace {
            rows: Rows::new(),
            atoms: empty(),
            bonds: empty(),
            angles: empty(),
            bond_weights: empty(),
            short_weights: empty(),
            of_atoms: empty(),
            of_bonds: empty(),
            sums: empty(),
            buffers: Buffers::new(),
            arch: pulp::Arch::new(),
        }
    }

    /// Energies per atom of some points of a scene, eV.
    pub(super) fn energies(
        &mut self,
        (scene, sites): (&Scene, &[SiteWeights]),
        weights: &Weights<T>,
        points: &[Point],
    ) -> Vec<f64> {
        self.rows.find(scene, weights, points);
        self.embed(sites, weights, points.len());
        for t in 0..weights.atom_layers.len() {
            self.atom_layer(weights, t);
            if t == 0 {
                let Workspace { rows, atoms, arch, .. } = self;
                arch.dispatch(LongMessages { rows, sites, weights, atoms });
            }
            if let Some(layer) = weights.bond_layers.get(t) {
                self.bond_layer(weights, layer, t);
            }
            if let Some(layer) = weights.angle_layers.get(t) {
                let known = (t == 0).then_some(Columns::ANGLE_LAYER);
                self.angle_messages(weights, layer, known, None);
            }
        }
        self.readout(sites, weights)
    }

    /// First features of everything.
    fn embed(&mut self, sites: &[SiteWeights], weights: &Weights<T>, points: usize) {
        let Rows { places, short_places, angle_places, short, .. } = &self.rows;
        self.atoms.clear();
        for site in (0..points).flat_map(|_| sites) {
            self.atoms.extend(&weights.elements[site.element].embedding);
        }
        let atoms = padded(points * sites.len());
        self.atoms.resize(atoms * FEATURES, T::ZERO);
        let arch = self.arch;
        let short_rows = padded(*short) * FEATURES;
        let out = sized(&mut self.bonds, short_rows);
        let (table, columns) = (&weights.bond_table, Columns::FEATURES..Columns::WEIGHTS);
        arch.dispatch(LookUp { table, columns, places: &places[..*short], out });
        let out = sized(&mut self.bond_weights, places.len() * FEATURES);
        let columns = Columns::WEIGHTS..Columns::of_bond(1);
        arch.dispatch(LookUp { table, columns, places, out });
        let out = sized(&mut self.short_weights, short_rows);
        let table = &weights.short_table;
        arch.dispatch(LookUp { table, columns: 0..FEATURES, places: short_places, out });
        let out = sized(&mut self.angles, padded(angle_places.len()) * FEATURES);
        let (table, columns) = (&weights.angle_table, Columns::FEATURES..Columns::BOND_LAYER);
        arch.dispatch(LookUp { table, columns, places: angle_places, out });
    }

    /// Messages along bonds into atoms; in the first layer along short ones only.
    fn atom_layer(&mut self, weights: &Weights<T>, t: usize) {
        let layer = &weights.atom_layers[t];
        let Rows { bonds, short_bonds, places, short, .. } = &self.rows;
        let rows = if t == 0 { short_bonds } else { bonds };
        let of_atoms = product(&self.atoms, &layer.atom, &layer.atom_bias, &mut self.of_atoms);
        let count = padded(*short);
        let of_bonds = sized(&mut self.of_bonds, padded(places.len()) * BOTH);
        multiply(&self.bonds[..count * FEATURES], &layer.bond, &mut of_bonds[..count * BOTH], false);
        if t > 0 {
            // Features of long bonds never change.
            let columns = Columns::of_bond(t)..Columns::of_bond(t + 1);
            let (places, out) = (&places[*short..], &mut of_bonds[*short * BOTH..]);
            self.arch.dispatch(LookUp { table: &weights.bond_table, columns, places, out });
        }
        let sums = sized(&mut self.sums, self.atoms.len());
        sums.fill(T::ZERO);
        for rows in rows.chunks(CHUNK) {
            let inputs = |k: usize| {
                let row = &rows[k];
                let (centre, neighbour) = (2 * row.centre * BOTH, (2 * row.neighbour + 1) * BOTH);
                [
                    &of_atoms[centre..centre + BOTH],
                    &of_bonds[row.bond * BOTH..][..BOTH],
                    &of_atoms[neighbour..neighbour + BOTH],
                ]
            };
            let sink = Sink::Atoms { rows, w: &self.bond_weights, sums };
            self.buffers.messages(&layer.gated, (rows.len(), false), inputs, sink);
        }
        multiply(sums, &layer.output, &mut self.atoms, true);
    }

    fn bond_layer(&mut self, weights: &Weights<T>, layer: &BondLayer<T>, t: usize) {
        let size = padded(self.rows.short) * FEATURES;
        // Taken out while the messages borrow everything else.
        let mut sums = std::mem::take(&mut self.sums);
        sized(&mut sums, size).fill(T::ZERO);
        let known = (t == 0).then_some(Columns::BOND_LAYER);
        self.angle_messages(weights, &layer.inputs, known, Some(&mut sums));
        multiply(&sums[..size], &layer.output, &mut self.bonds[..size], true);
        self.sums = sums;
    }

    /// Gated messages of all angles, into the sums of their bonds or into the features of the angles. As long as the latter
    /// are the first ones, the table has what they add: from the column `known` on.
    fn angle_messages(
        &mut self,
        weights: &Weights<T>,
        layer: &BondInputs<T>,
        known: Option<usize>,
        mut sums: Option<&mut Vec<T>>,
    ) {
        let Rows { angles: rows, short, .. } = &self.rows;
        let short = padded(*short);
        let of_atoms = product(&self.atoms, &layer.atom, &layer.atom_bias, &mut self.of_atoms);
        let of_bonds = sized(&mut self.of_bonds, short * 2 * BOTH);
        multiply(&self.bonds[..short * FEATURES], &layer.bond, of_bonds, false);
        let places = self.rows.angle_places.chunks(CHUNK);
        let Workspace { buffers, angles, short_weights, arch, .. } = self;
        for ((chunk, rows), places) in rows.chunks(CHUNK).enumerate().zip(places) {
            let count = padded(rows.len());
            let features = &mut angles[chunk * CHUNK * FEATURES..][..count * FEATURES];
            let out = &mut buffers.first[..count * BOTH];
            match known {
                None => multiply(features, &layer.angle, out, false),
                Some(column) => {
                    let columns = column..column + BOTH;
                    arch.dispatch(LookUp { table: &weights.angle_table, columns, places, out });
                }
            }
            let inputs = |k: usize| {
                let row = &rows[k];
                [
                    &of_bonds[2 * row.bond * BOTH..][..BOTH],
                    &of_bonds[(2 * row.other + 1) * BOTH..][..BOTH],
                    &of_atoms[row.centre * BOTH..][..BOTH],
                ]
            };
            let sink = match &mut sums {
                Some(sums) => Sink::Bonds { rows, v: short_weights, sums },
                None => Sink::Angles(features),
            };
            buffers.messages(&layer.gated, (rows.len(), true), inputs, sink);
        }
    }

    /// Energies per atom, eV.
    fn readout(&mut self, sites: &[SiteWeights], weights: &Weights<T>) -> Vec<f64> {
        let size = self.atoms.len();
        let (mut input, mut output) = (std::mem::take(&mut self.sums), std::mem::take(&mut self.of_bonds));
        sized(&mut input, size);
        sized(&mut output, size);
        for (x, y) in self.atoms.chunks_exact(FEATURES).zip(input.chunks_exact_mut(FEATURES)) {
            normalise(x, &weights.readout_norm, y);
        }
        for (matrix, bias) in &weights.readout {
            for row in output[..size].chunks_exact_mut(FEATURES) {
                row.copy_from_slice(bias);
            }
            multiply(&input[..size], matrix, &mut output[..size], true);
            self.arch.dispatch(Silu(&mut output[..size]));
            std::mem::swap(&mut input, &mut output);
        }
        let energy = |y: &[T]| {
            let products = y.iter().zip(&weights.last).map(|(y, w)| y.to_f64() * w.to_f64());
            products.sum::<f64>() + weights.last_bias
        };
        let of_point = |rows: &[T]| {
            let of_sites = rows.chunks_exact(FEATURES).zip(sites);
            of_sites.map(|(y, site)| site.share * (energy(y) + weights.elements[site.element].energy)).sum()
        };
        let points = size / (sites.len() * FEATURES).max(1);
        let energies = input.chunks_exact(sites.len() * FEATURES).take(points).map(of_point).collect();
        (self.sums, self.of_bonds) = (input, output);
        energies
    }
}

/// `bias + input weights`, row by row.
fn product<'a, T: Real>(input: &[T], weights: &Matrix<T>, bias: &[T], out: &'a mut Vec<T>) -> &'a [T] {
    let out = sized(out, input.len() / weights.inputs * weights.outputs);
    out.chunks_exact_mut(weights.outputs).for_each(|row| row.copy_from_slice(bias));
    multiply(input, weights, out, true);
    out
}

/// The norm of a row of features.
fn normalise<T: Real>(x: &[T], [scale, shift]: &[Vec<T>; 2], out: &mut [T]) {
    let mean = x.iter().map(|x| x.to_f64()).sum::<f64>() / FEATURES as f64;
    let variance = x.iter().map(|x| (x.to_f64() - mean).powi(2)).sum::<f64>() / FEATURES as f64;
    let factor = 1.0 / (variance + Norm::EPSILON).sqrt();
    for (k, out) in out.iter_mut().enumerate() {
        *out = T::from_f64((x[k].to_f64() - mean) * factor * scale[k].to_f64() + shift[k].to_f64());
    }
}

/// silu in place.
struct Silu<'a, T>(&'a mut [T]);

impl<T: Real> WithSimd for Silu<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        T::vectors_mut::<S>(self.0).iter_mut().for_each(|x| *x = T::silu(simd, *x));
    }
}

/// Adds the messages of the first layer along long bonds.
struct LongMessages<'a, T> {
    rows: &'a Rows<T>,
    sites: &'a [SiteWeights],
    weights: &'a Weights<T>,
    atoms: &'a mut [T],
}

impl<T: Real> WithSimd for LongMessages<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Rows { bonds, first_places, short, .. } = self.rows;
        let element = |row: usize| self.sites[row % self.sites.len()].element;
        for bond in bonds.iter().filter(|b| b.bond >= *short) {
            let table = &self.weights.elements[element(bond.centre)].messages[element(bond.neighbour)];
            let place = &first_places[bond.bond - short];
            let weight = T::splat(simd, T::from_f64(bond.weight));
            let sums = &mut self.atoms[bond.centre * FEATURES..(bond.centre + 1) * FEATURES];
            for (k, sum) in T::vectors_mut::<S>(sums).iter_mut().enumerate() {
                let [message] = table.strip(simd, place, k);
                *sum = T::multiply_add(simd, weight, message, *sum);
            }
        }
    }
}

/// Some columns of a table at many places: `[place][columns]`.
struct LookUp<'a, T> {
    table: &'a Table<T>,
    columns: Range<usize>,
    places: &'a [Place<T>],
    out: &'a mut [T],
}

impl<T: Real> WithSimd for LookUp<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = LANES / vectors_per_lane::<T, S>();
        let (first, width) = (self.columns.start / lanes, self.columns.len());
        for (place, out) in self.places.iter().zip(self.out.chunks_exact_mut(width)) {
            // Widths are multiples of 64 numbers, so of four vectors.
            for (k, values) in T::vectors_mut::<S>(out).chunks_exact_mut(4).enumerate() {
                values.copy_from_slice(&self.table.strip::<S, 4>(simd, place, first + 4 * k));
            }
        }
    }
}
