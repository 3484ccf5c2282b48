//! Symmetry-restricted potential energy surfaces of crystals.
//!
//! A crystal keeps its space group while a few of its free Wyckoff coordinates run over a grid; an interatomic potential
//! gives the energy of every point. The data go one way through the modules, and each knows only those before it:
//!
//! ```text
//! crystal      structure file -> lattice, species, positions
//! symmetry     -> space group, orbits, free coordinates, protostructure label
//! landscape    -> axes, grid, irreducible points, distance cost, tiles
//! equivariant  harmonics, couplings, rotations: the mathematics of features that turn with the crystal
//! potential    model file -> weights and hyperparameters
//! engine       landscape + potential -> scene; points -> energies
//! work         what a campaign consists of: structures x landscapes x models
//! cluster      tasks -> ranks -> results, over MPI or within a process
//! store        results -> one HDF5 file, resumable
//! plot         results -> figures
//! config       campaign file -> campaign, all checked
//! campaign     the whole way, in one short function
//! ```
//!
//! # Quantities
//!
//! | symbol | meaning | unit | shape |
//! | --- | --- | --- | --- |
//! | `lattice` | lattice vectors as columns, `x_cart = lattice * x_frac` | Angstrom | `[3][3]` |
//! | `position` | fractional, in the standardised conventional cell unless said otherwise | 1 | `[3]` |
//! | `u` | coordinates x, y, z of an orbit; an atom is at `A u + b` | 1 | `[3]` |
//! | `s` | values of a landscape's axes | 1 | `[axes]` |
//! | `energy` | potential energy per atom | eV | `[points]` |
//! | `distance_cost` | Eq. 1 of the paper | Angstrom | `[points]` |
//!
//! Grids are row-major, the last axis fastest. Results are the same bits whatever the tiles, batches and threads.
//!
//! # A landscape in ten lines
//!
//! ```
//! use std::sync::Arc;
//! use s2dpes::{crystal, engine, landscape, potential, symmetry, work};
//!
//! let structure = crystal::read_structure("configs/structures/W2N3_chgnet.extxyz".as_ref())?;
//! let crystal = Arc::new(symmetry::Crystal::new(&structure, 0.01)?);
//! let axis = |dof| Ok::<_, landscape::AxisError>(landscape::Axis {
//!     dof: landscape::Dof::parse(dof, &crystal)?,
//!     range: [0.0, 1.0],
//!     points: 4,
//! });
//! let axes = vec![axis("W1.x")?, axis("W1.z")?];
//! let map = Arc::new(landscape::Landscape::new(crystal.clone(), axes, Default::default())?);
//!
//! let model = work::Model {
//!     name: "demo".into(),
//!     potential: Arc::new(potential::Potential::load("embedded:demo-wn")?),
//!     head: 0,
//!     precision: work::Precision::Single,
//! };
//! let scene = Arc::new(engine::Scene::new(map.clone(), &model.potential)?);
//! let elements: Vec<_> = crystal.orbits.iter().map(|orbit| orbit.element).collect();
//! let points: Vec<_> = map.grid.points().collect();
//! let mut engine = model.engine(&elements, &engine::Place::Cpu)?;
//! let results = engine.evaluate(&scene, &points)?;
//! assert_eq!(results.len(), 16);
//! assert!(results.iter().any(|r| r.energy < -5.0 && r.distance_cost == 0.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]

pub mod campaign;
pub mod cluster;
pub mod config;
pub mod crystal;
pub mod engine;
pub mod equivariant;
pub mod landscape;
pub mod plot;
pub mod potential;
pub mod store;
pub mod symmetry;
pub mod work;
