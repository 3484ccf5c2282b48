//! Pictures of landscapes: filled contours of the energy (or curves, for one axis), one panel a model.
//!
//! The way of the data: [`Landscape`] (plain arrays) -> fields (zero subtracted, shared levels) -> contours
//! -> layout -> [`Svg`] -> file. All panels share their levels and one colour bar, so that models can be
//! compared by eye; energies are relative to each panel's lowest point outside the mask unless the [`Style`]
//! says otherwise.
//!
//! | quantity | unit | shape |
//! | --- | --- | --- |
//! | coordinates | fractional | `[n0]`, `[n1]` |
//! | energy | eV/atom | `[n0][n1]` |
//! | distance cost | Angstrom | `[n0][n1]` |
//! | lengths on the page | points (1/72 inch), y downwards | |
//!
//! ```
//! use s2dpes::plot::{Axis, Landscape, Panel, Style, draw};
//!
//! let axis = |label: &str| Axis {
//!     label: label.into(),
//!     values: (0..20).map(|i| f64::from(i) / 20.0).collect(),
//!     periodic: true,
//!     reference: Some(0.25),
//! };
//! let energy = (0..400).map(|i| f64::from(i / 20 % 7) * f64::from(i % 20)).collect();
//! let landscape = Landscape {
//!     title: "W₂N₃ · A3B2_oP20_62_3c_2c:N-W".into(),
//!     axes: vec![axis("x (W1, 4c)"), axis("z (W1, 4c)")],
//!     distance_cost: vec![0.0; 400],
//!     panels: vec![Panel { title: "MACE-MP-0".into(), energy, ..Panel::default() }],
//!     ..Landscape::default()
//! };
//! let figure = draw(&landscape, &Style::default())?;
//! assert!(figure.as_str().starts_with("<svg"));
//! # Ok::<(), s2dpes::plot::PlotError>(())
//! ```

mod bar;
mod colour;
mod contour;
mod curves;
mod error;
mod export;
mod field;
mod landscape;
mod layout;
mod levels;
mod map;
mod marks;
mod minimum;
mod page;
#[cfg(feature = "figures")]
mod raster;
mod sheet;
mod signature;
mod style;
mod surface;
mod svg;
mod text;

pub use colour::ColourMap;
pub use contour::{Grid, Region, contours, masked, missing};
pub use error::PlotError;
pub use export::{DPI, Format, write, write_pages};
pub use landscape::{Axis, Landscape, Panel};
#[cfg(feature = "figures")]
pub use raster::{pdf, png};
pub use sheet::{Cell, sheet};
pub use signature::is_ours;
pub use style::{Masked, RelativeTo, Style, Width};
pub use svg::Svg;

/// Draws a landscape: filled contours for two axes, curves for one. The same input gives the same bytes.
pub fn draw(landscape: &Landscape, style: &Style) -> Result<Svg, PlotError> {
    landscape.check()?;
    style.check()?;
    let fields = field::Fields::new(landscape, style)?;
    match landscape.axes.len() {
        1 => Ok(curves::draw(landscape, &fields, style)),
        _ => map::draw(landscape, &fields, style),
    }
}
