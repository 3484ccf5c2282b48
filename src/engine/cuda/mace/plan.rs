//! Matrix products, contractions and readouts of a layer.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::places::{LayerPlaces, hidden_units};
use crate::engine::cpu::mace::contraction::SiteContraction;
use crate::engine::cpu::mace::forward::Sites;
use crate::engine::cpu::mace::weights::{HeadReadout, Weights};
use crate::engine::cpu::pairs::geometry::{Array, Geometry, SiteGeometry};
use crate::engine::cuda::CudaReal;
use crate::engine::cuda::layout::{Contraction, Polynomial, Product};
use crate::engine::cuda::pairs::plan::Products;

/// A layer.
#[derive(Debug)]
pub struct LayerPlan<T> {
    /// Features -> features that are sent; empty in layer 0.
    pub up: Products,
    /// Messages by paths -> messages; empty in layer 0.
    pub linear: Products,
    /// Messages -> products.
    pub contraction: ContractionPlan<T>,
    /// Products -> features; empty if they are the features.
    pub product: Products,
    /// Features of the layer before -> what is added to the features.
    pub skip: Products,
    /// Features -> energies.
    pub readout: ReadoutPlan,
    /// Column of the density normaliser, if the layer has one.
    pub density_column: Option<usize>,
}

/// What layers are planned for.
#[derive(Clone, Copy)]
pub(super) struct Planner<'a, T> {
    pub(super) weights: &'a Weights<T>,
    pub(super) geometry: &'a Geometry,
    pub(super) sites: &'a Sites<T>,
    pub(super) places: &'a [LayerPlaces],
}

impl<T: CudaReal> Planner<'_, T> {
    pub(super) fn layer(&self, t: usize) -> LayerPlan<T> {
        LayerPlan {
            up: self.up(t),
            linear: self.linear(t),
            contraction: ContractionPlan::new(self, t),
            product: self.product(t),
            skip: self.skip(t),
            readout: self.readout(t),
            density_column: self.weights.density_column[t],
        }
    }

    /// A product of components of some sites, from one array to another of equal channels.
    fn square(&self, l: usize, sites: Range<usize>, (from, to): (&Array, &Array), matrix: usize) -> Product {
        let components = self.geometry.components.of_sites(l, sites);
        Product {
            input: from.before(l, components.start) as i64,
            weights: matrix as i64,
            output: to.before(l, components.start) as i64,
            bias: -1,
            rows: components.len() as i32,
            inputs: from.widths[l] as i32,
            outputs: to.widths[l] as i32,
            accumulate: 0,
        }
    }

    /// Products of all degrees with one matrix each; degree 0 gets a constant for each element.
    fn by_degree(&self, t: usize, matrices: &[usize], constants: &Option<Vec<usize>>) -> Products {
        let (array, all) = (&self.sites.features[t], 0..self.geometry.sites.len());
        let mut products = Vec::new();
        for (l, matrix) in self.weights.layers[t].outputs.iter().zip(matrices) {
            let Some(constants) = constants.as_ref().filter(|_| *l == 0) else {
                products.push(self.square(*l, all.clone(), (array, array), *matrix));
                continue;
            };
            for (element, sites) in &self.sites.by_element {
                let product = self.square(0, sites.clone(), (array, array), *matrix);
                products.push(Product { bias: constants[*element] as i64, ..product });
            }
        }
        products.retain(|p| p.rows > 0);
        products
    }

    /// u = h up; nothing in layer 0.
    fn up(&self, t: usize) -> Products {
        let own = &self.places[t];
        t.checked_sub(1).map_or(Vec::new(), |before| self.by_degree(before, &own.up, &own.up_constants))
    }

    /// A from the messages by paths; nothing in layer 0.
    fn linear(&self, t: usize) -> Products {
        let arrays = (&self.geometry.layers[t].messages, &self.sites.messages);
        let mut products = Vec::new();
        for (l3, matrices) in self.places[t].linear.iter().enumerate() {
            let whole = vec![(0, 0..self.geometry.sites.len())];
            let parts = if matrices.len() == 1 { &whole } else { &self.sites.by_element };
            products
                .extend(parts.iter().map(|(e, sites)| self.square(l3, sites.clone(), arrays, matrices[*e])));
        }
        products.retain(|p| p.rows > 0 && p.inputs > 0);
        products
    }

    /// h' = B product; nothing if B is the layer's result.
    fn product(&self, t: usize) -> Products {
        self.by_degree(t, &self.places[t].product, &self.places[t].constants)
    }

    /// The self-connection, which is added to h'.
    fn skip(&self, t: usize) -> Products {
        let mut products = Vec::new();
        let has = |(l, _): &&(usize, Vec<usize>)| self.weights.layers[t].outputs.contains(l);
        for (l, matrices) in self.places[t].skip.iter().filter(has) {
            let arrays = (&self.sites.features[t - 1], &self.sites.features[t]);
            for (element, sites) in &self.sites.by_element {
                let product = self.square(*l, sites.clone(), arrays, matrices[*element]);
                products.push(Product { accumulate: 1, ..product });
            }
        }
        products.retain(|p| p.rows > 0);
        products
    }

    fn readout(&self, t: usize) -> ReadoutPlan {
        match &self.weights.readouts[t] {
            HeadReadout::Linear(row, constants) => {
                let constant = |s: &SiteGeometry| constants[s.element];
                let row = row.iter().map(|w| w.to_f64()).collect();
                ReadoutPlan::Linear(row, self.geometry.sites.iter().map(constant).collect())
            }
            HeadReadout::Hidden { second, .. } => {
                let (matrix, units) = self.places[t].hidden.unwrap_or_default();
                let array = &self.sites.features[t];
                // Every site has one component of degree 0.
                let product = self.square(0, 0..self.geometry.sites.len(), (array, array), matrix);
                let mut second = second.clone();
                second.resize(hidden_units(second.len()), 0.0);
                let product = Product { output: 0, outputs: units as i32, ..product };
                ReadoutPlan::Hidden(vec![product], second)
            }
        }
    }
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

impl<T: CudaReal> ContractionPlan<T> {
    fn new(planner: &Planner<T>, t: usize) -> ContractionPlan<T> {
        let Planner { weights, geometry, sites, .. } = planner;
        let channels = weights.channels;
        let mut plan = ContractionPlan {
            contractions: Vec::new(),
            polynomials: Vec::new(),
            programs: Vec::new(),
            coefficients: Vec::new(),
        };
        // Polynomials of sites that have been met, without their rows, by output degree and component.
        let mut known: HashMap<_, Vec<Vec<Polynomial>>> = HashMap::new();
        for (site, own) in sites.contractions.iter().enumerate() {
            let polynomials = known.entry(Arc::as_ptr(own)).or_insert_with(|| {
                own[t].iter().map(|contraction| plan.add(contraction, channels)).collect()
            });
            let first_polynomial = plan.polynomials.len();
            for (l, of_degree) in weights.layers[t].outputs.iter().zip(polynomials.iter()) {
                let row = |component: usize| (sites.features[t].before(*l, component) / channels) as i32;
                let rows = geometry.components.of(*l, site).map(row);
                let placed = of_degree.iter().zip(rows).map(|(p, row)| Polynomial { row, ..*p });
                plan.polynomials.extend(placed);
            }
            let mut contraction = Contraction {
                first_polynomial: first_polynomial as i32,
                polynomial_count: (plan.polynomials.len() - first_polynomial) as i32,
                ..Contraction::default()
            };
            for l in 0..sites.messages.widths.len() {
                let components = geometry.components.of(l, site);
                contraction.first_rows[l] = (sites.messages.before(l, components.start) / channels) as i32;
                contraction.rows[l] = components.len() as i32;
            }
            plan.contractions.push(contraction);
        }
        plan
    }

    /// Adds programs and coefficients of one degree of a site.
    fn add(&mut self, contraction: &SiteContraction<T>, channels: usize) -> Vec<Polynomial> {
        let first = self.coefficients.len();
        self.coefficients.extend(contraction.coefficients());
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
pub enum ReadoutPlan {
    /// `[channels]`, and a constant for each site.
    Linear(Vec<f64>, Vec<f64>),
    /// The product that gives the hidden units, and the weight of each.
    Hidden(Products, Vec<f64>),
}
