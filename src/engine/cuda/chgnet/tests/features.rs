//! Kernels between tables, features and sums.

use super::super::launch;
use super::super::shape::{BOTH, Total};
use super::{Fixture, as_f64, assert_close, at, for_all, product, row};
use crate::engine::cpu::chgnet::rows::{AngleRow, BondRow};
use crate::engine::cpu::chgnet::weights::Columns;
use crate::engine::cuda::CudaReal;
use crate::potential::chgnet::{FEATURES, Norm};

#[test]
fn look_up() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (rows, expected, weights) = (&f.buffers.rows, &f.expected, &f.weights);
        let later = Columns::of_bond(2)..Columns::of_bond(3);
        let first = Columns::FEATURES..FEATURES;
        let (short, all, angles) = (f.count(Total::Short), f.count(Total::Bonds), f.count(Total::Angles));
        let all_places = (&rows.places, &expected.places);
        let bonds = (&f.model.bonds, &weights.bond_table);
        let cases = [
            (bonds, first.clone(), all_places, [Total::None, Total::Short], 0..short),
            (bonds, later, all_places, [Total::Short, Total::Bonds], short..all),
            (
                (&f.model.short_bonds, &weights.short_table),
                first,
                (&rows.short_places, &expected.short_places),
                [Total::None, Total::Short],
                0..short,
            ),
            (
                (&f.model.angles, &weights.angle_table),
                Columns::ANGLE_LAYER..Columns::ANGLE_LAYER + BOTH,
                (&rows.angle_places, &expected.angle_places),
                [Total::None, Total::Angles],
                0..angles,
            ),
        ];
        for ((table, own), columns, (places, own_places), totals, range) in cases {
            let width = columns.len();
            let (mut out, before) = f.noise(totals[1], width, 1);
            let which = (&rows.totals, totals);
            launch::look_up(f.batch(), (table, columns.clone()), places, which, &mut out).unwrap();
            let places = &own_places[range.clone()];
            let expected =
                places.iter().flat_map(|p| at(own.coefficients(), own.columns(), p, columns.clone()));
            let expected: Vec<f64> = expected.collect();
            let found = f.download(&out, range.end * width);
            assert_close(&f.name, &found[range.start * width..], &expected);
            // Rows before the first one stay as they are.
            let (earlier, before) = (&found[..range.start * width], &before[..range.start * width]);
            assert!(as_f64(earlier) == before, "{}", f.name);
        }
    }
    for_all::<f32>(check);
    for_all::<f64>(check);
}

#[test]
fn first_atoms() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let mut out = f.buffer(Total::Atoms, FEATURES);
        launch::first_atoms(f.batch(), (&f.model, &f.tables), &mut out).unwrap();
        let of_site = |element: &i32| {
            let embedding = &f.weights.elements[*element as usize].embedding;
            std::iter::repeat_n(embedding, f.points.len()).flatten().copied()
        };
        let expected: Vec<T> = f.plan.elements.iter().flat_map(of_site).collect();
        assert!(f.download(&out, expected.len()) == expected, "{}", f.name);
    }
    for_all::<f32>(check);
    for_all::<f64>(check);
}

#[test]
fn long_messages() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (mut atoms, mut expected) = f.noise(Total::Atoms, FEATURES, 1);
        launch::long_messages(f.batch(), (&f.model, &f.tables), &f.buffers.rows, &mut atoms).unwrap();
        let element = |row: usize| f.plan.elements[row % f.plan.elements.len()] as usize;
        for bond in f.expected.bonds.iter().filter(|b| b.bond >= f.expected.short) {
            let table = &f.weights.elements[element(bond.centre)].messages[element(bond.neighbour)];
            let place = &f.expected.first_places[bond.bond - f.expected.short];
            let message = at(table.coefficients(), table.columns(), place, 0..FEATURES);
            let sums = &mut expected[f.atom(bond.centre) * FEATURES..][..FEATURES];
            sums.iter_mut().zip(message).for_each(|(sum, m)| *sum += bond.weight * m);
        }
        assert_close(&f.name, &f.download(&atoms, expected.len()), &expected);
    }
    for_all::<f32>(check);
    for_all::<f64>(check);
}

/// Wide and narrow products, with a bias or added to what is there, of numbers of rows that end within a tile.
#[test]
fn linear_rows() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (layer, own) = (&f.model.atom_layers[1], &f.weights.atom_layers[1]);
        let (angles, own_angles) = (&f.model.bond_layers[1].inputs, &f.weights.bond_layers[1].inputs);
        let bias = as_f64(&own.atom_bias);
        let cases = [
            (Total::Atoms, &layer.atom, &own.atom, &bias[..], false),
            (Total::Short, &layer.output, &own.output, &[][..], true),
            (Total::Angles, &angles.angle, &own_angles.angle, &[][..], false),
        ];
        for (total, table, matrix, bias, accumulate) in cases {
            let (input, inputs) = f.noise(total, matrix.inputs, 3);
            let (mut output, before) = f.noise(total, matrix.outputs, 5);
            let which = (&f.buffers.rows.totals, total);
            launch::linear_rows(f.batch(), which, table, (&input, &mut output), accumulate).unwrap();
            let products = product(&inputs, matrix, bias).into_iter();
            let sum = |(product, before): (f64, &f64)| if accumulate { product + before } else { product };
            let expected: Vec<f64> = products.zip(&before).map(sum).collect();
            assert_close(&f.name, &f.download(&output, expected.len()), &expected);
        }
    }
    for_all::<f32>(check);
    for_all::<f64>(check);
}

#[test]
fn sum_atoms() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (weights, own_weights) = f.noise(Total::Bonds, FEATURES, 7);
        let rows = &f.buffers.rows;
        for (directed, own) in
            [(&rows.directed, &f.expected.bonds), (&rows.short_directed, &f.expected.short_bonds)]
        {
            let (messages, own_messages) = f.noise(directed.total, FEATURES, 11);
            let mut sums = f.buffer(Total::Atoms, FEATURES);
            launch::sum_atoms(f.batch(), directed, (&weights, &messages), &mut sums).unwrap();
            let mut expected = vec![0.0; f.count(Total::Atoms) * FEATURES];
            for (k, BondRow { centre, bond, weight, .. }) in own.iter().enumerate() {
                for (c, sum) in expected[f.atom(*centre) * FEATURES..][..FEATURES].iter_mut().enumerate() {
                    *sum += weight * row(&own_weights, *bond)[c] * row(&own_messages, k)[c];
                }
            }
            assert_close(&f.name, &f.download(&sums, expected.len()), &expected);
        }
    }
    for_all::<f32>(check);
    for_all::<f64>(check);
}

#[test]
fn sum_bonds() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (weights, own_weights) = f.noise(Total::Short, FEATURES, 7);
        let (messages, own_messages) = f.noise(Total::Angles, FEATURES, 11);
        let mut sums = f.buffer(Total::Short, FEATURES);
        launch::sum_bonds(f.batch(), &f.buffers.rows, (&weights, &messages), &mut sums).unwrap();
        let mut expected = vec![0.0; f.count(Total::Short) * FEATURES];
        for (k, AngleRow { bond, other, weight, .. }) in f.expected.angles.iter().enumerate() {
            for (c, sum) in expected[bond * FEATURES..][..FEATURES].iter_mut().enumerate() {
                let weights = row(&own_weights, *bond)[c] * row(&own_weights, *other)[c];
                *sum += weight * weights * row(&own_messages, k)[c];
            }
        }
        assert_close(&f.name, &f.download(&sums, expected.len()), &expected);
    }
    for_all::<f32>(check);
    for_all::<f64>(check);
}

#[test]
fn norm_atoms() {
    fn check<T: CudaReal>(f: &mut Fixture<T>) {
        let (atoms, own) = f.noise(Total::Atoms, FEATURES, 17);
        let mut out = f.buffer(Total::Atoms, FEATURES);
        launch::norm_atoms(f.batch(), &f.model.readout.norm, &atoms, &mut out).unwrap();
        let [scale, shift] = f.weights.readout_norm.each_ref().map(|v| as_f64(v));
        let norm = |x: &[f64]| {
            let mean = x.iter().sum::<f64>() / FEATURES as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / FEATURES as f64;
            let factor = 1.0 / (variance + Norm::EPSILON).sqrt();
            (0..FEATURES).map(|k| (x[k] - mean) * factor * scale[k] + shift[k]).collect::<Vec<f64>>()
        };
        let expected: Vec<f64> = own.chunks_exact(FEATURES).flat_map(norm).collect();
        assert_close(&f.name, &f.download(&out, expected.len()), &expected);
    }
    for_all::<f32>(check);
    for_all::<f64>(check);
}
