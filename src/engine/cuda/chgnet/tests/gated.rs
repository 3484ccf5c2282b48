//! Kernels of gated messages.

use super::super::launch::{self, AngleInputs};
use super::super::shape::{BOTH, Total};
use super::{Fixture, as_f64, assert_close, for_all, product};
use crate::engine::cpu::chgnet::rows::{AngleRow, BondRow};
use crate::engine::cpu::chgnet::weights::Gated;
use crate::engine::cuda::CudaReal;
use crate::potential::chgnet::{FEATURES, Norm};

/// Beyond 43 the exponential stays as it is.
fn silu(x: f64) -> f64 {
    x / (1.0 + (-x.clamp(-43.0, 43.0)).exp())
}

/// Numbers from far below zero to far above it, and what the exponential must not overflow at.
#[test]
fn activate() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let rows = f.count(Total::Atoms);
        let number = |i: usize| T::from_f64(((i * 7919 + 13) % 1009) as f64 / 5.0 - 100.0);
        let mut values: Vec<T> = (0..rows * FEATURES).map(number).collect();
        values[..4].copy_from_slice(&[-1e30, 1e30, 0.0, -0.1].map(T::from_f64));
        let mut on_device = f.queue.upload(&values).unwrap();
        launch::activate(f.batch(), &mut on_device).unwrap();
        let bound = if T::DOUBLE { 1e-14 } else { 6e-7 };
        for (x, y) in values.iter().zip(f.download(&on_device, values.len())) {
            let expected = silu(x.to_f64());
            let error = (y.to_f64() - expected).abs() / expected.abs().max(1e-30);
            assert!(error <= bound, "{}: silu({x:?}) = {y:?}, not {expected}", f.name);
        }
    }
    for_all::<f32>(check);
    for_all::<f64>(check);
}

/// The norm of values whose mean is zero.
fn norm<T: CudaReal>(values: &[f64], gated: &Gated<T>, half: usize) -> Vec<f64> {
    let own = |v: &[T]| as_f64(&v[half * FEATURES..][..FEATURES]);
    let (bias, scale, shift) = (own(&gated.bias), own(&gated.scale), own(&gated.shift));
    let x: Vec<f64> = values.iter().zip(bias).map(|(x, b)| x + b).collect();
    let variance = x.iter().map(|x| x * x).sum::<f64>() / FEATURES as f64;
    let factor = 1.0 / (variance + Norm::EPSILON).sqrt();
    (0..FEATURES).map(|k| x[k] * factor * scale[k] + shift[k]).collect()
}

/// Gated messages of rows whose first layers are `[row][BOTH]`.
fn messages<T: CudaReal>(first: &[f64], gated: &Gated<T>) -> Vec<f64> {
    let of_row = |first: &[f64]| {
        let [core, gate] = [0, 1].map(|half| {
            let first = &first[half * FEATURES..][..FEATURES];
            let hidden = || first.iter().map(|x| silu(*x)).collect::<Vec<f64>>();
            let second = gated.second.as_ref().map(|layers| product(&hidden(), &layers[half], &[]));
            norm(&second.unwrap_or_else(|| first.to_vec()), gated, half)
        });
        let message = |(c, g): (f64, f64)| silu(c) / (1.0 + (-g).exp());
        core.into_iter().zip(gate).map(message).collect::<Vec<f64>>()
    };
    first.chunks_exact(BOTH).flat_map(of_row).collect()
}

/// Sums of rows of [`BOTH`] numbers.
fn sums<const N: usize>(rows: [&[f64]; N]) -> impl Iterator<Item = f64> {
    (0..BOTH).map(move |k| rows.iter().map(|row| row[k]).sum())
}

fn both(values: &[f64], number: usize) -> &[f64] {
    &values[number * BOTH..][..BOTH]
}

#[test]
fn bond_messages() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (of_atoms, own_atoms) = f.noise(Total::Atoms, 2 * BOTH, 1);
        let (of_bonds, own_bonds) = f.noise(Total::Bonds, BOTH, 2);
        let rows = &f.buffers.rows;
        for (t, directed, own) in
            [(0, &rows.short_directed, &f.expected.short_bonds), (2, &rows.directed, &f.expected.bonds)]
        {
            let mut out = f.buffer(directed.total, FEATURES);
            let (gated, inputs) = (&f.model.atom_layers[t].gated, (&of_atoms, &of_bonds));
            launch::bond_messages(f.batch(), gated, (directed, &rows.totals), inputs, &mut out).unwrap();
            let first = own.iter().flat_map(|BondRow { centre, neighbour, bond, .. }| {
                let of = |atom: usize, as_what: usize| both(&own_atoms, 2 * f.atom(atom) + as_what);
                sums([of(*centre, 0), of(*neighbour, 1), both(&own_bonds, *bond)])
            });
            let expected = messages(&first.collect::<Vec<f64>>(), &f.weights.atom_layers[t].gated);
            assert_close(&f.name, &f.download(&out, expected.len()), &expected);
        }
    }
    for_all::<f32>(check);
    for_all::<f64>(check);
}

/// Inputs of messages along angles, and their sums on the CPU.
fn angle_first<T: CudaReal>(f: &Fixture<T>, inputs: [&[f64]; 3]) -> Vec<f64> {
    let [of_angles, of_bonds, of_atoms] = inputs;
    let all = f.expected.angles.iter().enumerate();
    let first = all.flat_map(|(k, AngleRow { bond, other, centre, .. })| {
        let bonds = [both(of_bonds, 2 * bond), both(of_bonds, 2 * other + 1)];
        sums([both(of_angles, k), bonds[0], bonds[1], both(of_atoms, f.atom(*centre))])
    });
    first.collect()
}

#[test]
fn angle_messages() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (of_angles, own_angles) = f.noise(Total::Angles, BOTH, 1);
        let (of_bonds, own_bonds) = f.noise(Total::Short, 2 * BOTH, 2);
        let (of_atoms, own_atoms) = f.noise(Total::Atoms, BOTH, 3);
        let inputs = AngleInputs { of_angles: &of_angles, of_bonds: &of_bonds, of_atoms: &of_atoms };
        let mut out = f.buffer(Total::Angles, FEATURES);
        let gated = &f.model.bond_layers[1].inputs.gated;
        launch::angle_messages(f.batch(), gated, &f.buffers.rows, inputs, &mut out).unwrap();
        let first = angle_first(f, [&own_angles, &own_bonds, &own_atoms]);
        let expected = messages(&first, &f.weights.bond_layers[1].inputs.gated);
        assert_close(&f.name, &f.download(&out, expected.len()), &expected);
    }
    for_all::<f32>(check);
    for_all::<f64>(check);
}

#[test]
fn update_angles() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (of_angles, own_angles) = f.noise(Total::Angles, BOTH, 1);
        let (of_bonds, own_bonds) = f.noise(Total::Short, 2 * BOTH, 2);
        let (of_atoms, own_atoms) = f.noise(Total::Atoms, BOTH, 3);
        let (mut angles, before) = f.noise(Total::Angles, FEATURES, 4);
        let inputs = AngleInputs { of_angles: &of_angles, of_bonds: &of_bonds, of_atoms: &of_atoms };
        let gated = &f.model.angle_layers[0].gated;
        launch::update_angles(f.batch(), gated, &f.buffers.rows, inputs, &mut angles).unwrap();
        let first = angle_first(f, [&own_angles, &own_bonds, &own_atoms]);
        let messages = messages(&first, &f.weights.angle_layers[0].gated);
        let expected: Vec<f64> = messages.iter().zip(&before).map(|(m, a)| m + a).collect();
        assert_close(&f.name, &f.download(&angles, expected.len()), &expected);
    }
    for_all::<f32>(check);
    for_all::<f64>(check);
}
