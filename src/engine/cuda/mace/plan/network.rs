//! Matrix products, contractions and readouts of a layer.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::super::model::{LayerPlaces, ModelArrays, hidden_units};
use crate::engine::cpu::Real;
use crate::engine::cpu::mace::geometry::{Geometry, Rows};
use crate::engine::cpu::mace::weights::{HeadReadout, Weights};
use crate::engine::cuda::layout::{Contraction, Polynomial, Product};

/// Products that are computed together.
pub type Products = Vec<Product>;

/// A product of rows of features with a square matrix.
fn square(
    input: usize,
    output: Range<usize>,
    matrix: usize,
    bias: Option<usize>,
    channels: usize,
) -> Product {
    Product {
        input: (input * channels) as i64,
        weights: matrix as i64,
        output: (output.start * channels) as i64,
        bias: bias.map_or(-1, |b| b as i64),
        rows: output.len() as i32,
        inputs: channels as i32,
        outputs: channels as i32,
        accumulate: 0,
    }
}

/// Products of all degrees with one matrix each; degree 0 gets a constant for each element.
fn by_degree<T: Real>(
    geometry: &Geometry<T>,
    rows: &Rows,
    matrices: &[usize],
    constants: &Option<Vec<usize>>,
    channels: usize,
) -> Products {
    let mut products = Vec::new();
    for (k, matrix) in matrices.iter().enumerate() {
        let Some(constants) = constants.as_ref().filter(|_| k == 0) else {
            let range = rows.of_degree(k);
            products.push(square(range.start, range, *matrix, None, channels));
            continue;
        };
        for (element, sites) in &geometry.sites_by_element {
            let range = rows.of_sites(0, sites.clone());
            products.push(square(range.start, range, *matrix, Some(constants[*element]), channels));
        }
    }
    products.retain(|p| p.rows > 0);
    products
}

/// u = h up; nothing in layer 0.
pub(super) fn up<T: Real>(
    geometry: &Geometry<T>,
    model: &ModelArrays<T>,
    t: usize,
    channels: usize,
) -> Products {
    let Some(rows) = t.checked_sub(1).map(|before| &geometry.features[before]) else { return Vec::new() };
    by_degree(geometry, rows, &model.layers[t].up, &model.layers[t].up_constants, channels)
}

/// A from the messages by paths; nothing in layer 0.
pub(super) fn linear<T: Real>(
    geometry: &Geometry<T>,
    model: &ModelArrays<T>,
    t: usize,
    channels: usize,
) -> Products {
    let mut products = Vec::new();
    let (mut base, all) = (0, 0..geometry.sites.len());
    for (l3, matrices) in model.layers[t].linear.iter().enumerate() {
        let (width, degree) = (geometry.path_rows[t - 1].widths[l3], geometry.messages.of_degree(l3));
        let whole = vec![(0, all.clone())];
        let parts = if matrices.len() == 1 { &whole } else { &geometry.sites_by_element };
        for (element, sites) in parts {
            let range = geometry.messages.of_sites(l3, sites.clone());
            let input = base + (range.start - degree.start) * width;
            let product = square(input, range, matrices[*element], None, channels);
            products.push(Product { inputs: (width * channels) as i32, ..product });
        }
        base += degree.len() * width;
    }
    products.retain(|p| p.rows > 0 && p.inputs > 0);
    products
}

/// h' = B product; nothing if B is the layer's result.
pub(super) fn product<T: Real>(
    geometry: &Geometry<T>,
    model: &ModelArrays<T>,
    t: usize,
    channels: usize,
) -> Products {
    let LayerPlaces { product, constants, .. } = &model.layers[t];
    by_degree(geometry, &geometry.features[t], product, constants, channels)
}

/// The self-connection, which is added to h'.
pub(super) fn skip<T: Real>(
    geometry: &Geometry<T>,
    model: &ModelArrays<T>,
    t: usize,
    channels: usize,
) -> Products {
    let mut products = Vec::new();
    for (l, matrices) in &model.layers[t].skip {
        let (input, output) = (&geometry.features[t - 1], &geometry.features[t]);
        let (Some(from), Some(to)) = (input.position(*l), output.position(*l)) else { continue };
        for (element, sites) in &geometry.sites_by_element {
            let start = input.of_sites(from, sites.clone()).start;
            let range = output.of_sites(to, sites.clone());
            let product = square(start, range, matrices[*element], None, channels);
            products.push(Product { accumulate: 1, ..product });
        }
    }
    products.retain(|p| p.rows > 0);
    products
}

/// The symmetric contractions of all sites.
#[derive(Debug)]
pub struct ContractionPlan<T> {
    /// By site.
    pub contractions: Vec<Contraction>,
    /// One a component of a site's result.
    pub polynomials: Vec<Polynomial>,
    /// See `kernels/contraction.cu`.
    pub programs: Vec<i32>,
    /// `[coefficient][channel]`; sites of equal element and symmetry share them.
    pub coefficients: Vec<T>,
}

impl<T: Real> ContractionPlan<T> {
    pub(super) fn new(geometry: &Geometry<T>, t: usize) -> ContractionPlan<T> {
        let mut plan = ContractionPlan {
            contractions: Vec::new(),
            polynomials: Vec::new(),
            programs: Vec::new(),
            coefficients: Vec::new(),
        };
        // Polynomials of sites that have been met, without their rows, by output degree and component.
        let mut known: HashMap<_, Vec<Vec<Polynomial>>> = HashMap::new();
        for (site, own) in geometry.sites.iter().enumerate() {
            let polynomials = known.entry(Arc::as_ptr(&own.contractions)).or_insert_with(|| {
                own.contractions[t].iter().map(|contraction| plan.add(contraction)).collect()
            });
            let first_polynomial = plan.polynomials.len();
            for (k, of_degree) in polynomials.iter().enumerate() {
                let rows = geometry.features[t].of(k, site);
                let placed = of_degree.iter().zip(rows).map(|(p, row)| Polynomial { row: row as i32, ..*p });
                plan.polynomials.extend(placed);
            }
            let mut contraction = Contraction {
                first_polynomial: first_polynomial as i32,
                polynomial_count: (plan.polynomials.len() - first_polynomial) as i32,
                ..Contraction::default()
            };
            for l in 0..geometry.messages.degrees.len() {
                let rows = geometry.messages.of(l, site);
                (contraction.first_rows[l], contraction.rows[l]) = (rows.start as i32, rows.len() as i32);
            }
            plan.contractions.push(contraction);
        }
        plan
    }

    /// Adds programs and coefficients of one degree of a site.
    fn add(
        &mut self,
        contraction: &crate::engine::cpu::mace::contraction::SiteContraction<T>,
    ) -> Vec<Polynomial> {
        let first = self.coefficients.len();
        let coefficients = contraction.coefficients();
        let channels = coefficients.len() / contraction.operations().1.max(1);
        self.coefficients.extend(coefficients);
        let mut polynomials = Vec::new();
        for (program, terms, start) in contraction.programs() {
            polynomials.push(Polynomial {
                program: self.programs.len() as i32,
                term_count: terms as i32,
                coefficients: (first + start * channels) as i64,
                row: 0,
                padding: 0,
            });
            self.programs.extend(program);
        }
        polynomials
    }
}

/// A layer's readout.
#[derive(Debug)]
pub enum ReadoutPlan<T> {
    /// `[channels]`, and a constant for each site.
    Linear(Vec<T>, Vec<f64>),
    /// The product that gives the hidden units, and the weight of each.
    Hidden(Products, Vec<f64>),
}

impl<T: Real> ReadoutPlan<T> {
    pub(super) fn new(
        (geometry, weights, model): (&Geometry<T>, &Weights<T>, &ModelArrays<T>),
        t: usize,
    ) -> ReadoutPlan<T> {
        match &weights.readouts[t] {
            HeadReadout::Linear(row, constants) => {
                let constant = |s: &crate::engine::cpu::mace::geometry::SiteGeometry<T>| constants[s.element];
                ReadoutPlan::Linear(row.clone(), geometry.sites.iter().map(constant).collect())
            }
            HeadReadout::Hidden { second, .. } => {
                let (matrix, units) = model.layers[t].hidden.unwrap_or_default();
                // Every site has one component of degree 0.
                let rows = geometry.features[t].of_degree(0);
                let product = square(rows.start, 0..rows.len(), matrix, None, weights.channels);
                let mut second = second.clone();
                second.resize(hidden_units(second.len()), 0.0);
                ReadoutPlan::Hidden(vec![Product { outputs: units as i32, ..product }], second)
            }
        }
    }
}
