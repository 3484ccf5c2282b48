//! What a figure is made from: plain arrays with their coordinates and names.

use super::PlotError;

/// Longest axis, in periods: every image of the input structure is drawn.
const MOST_PERIODS: f64 = 100.0;

/// One direction of the grid: the free coordinate of an orbit.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What varies, e.g. `x (W1, 4c)`; a leading `x`, `y` or `z` is set in italics.
    pub label: String,
    /// Fractional coordinates of the points, increasing; need not be equidistant.
    pub values: Vec<f64>,
    /// True if the values span a full period of 1 without its upper end. The picture then repeats the first
    /// row (or column) at `values[0] + 1`, so that it closes.
    pub periodic: bool,
    /// Coordinate of the input structure: any real number, wrapped into the range of the axis.
    pub reference: Option<f64>,
}

/// The energies of one model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// Name of the model.
    pub title: String,
    /// eV/atom, row-major `[n0][n1]` (or `[n0]`); NaN where nothing was computed.
    pub energy: Vec<f64>,
    /// Energy of the input structure in eV/atom, if it was computed.
    pub reference_energy: Option<f64>,
    /// Row-major index of the point that each point is equal to by symmetry, if that is known.
    pub equal_to: Option<Vec<u32>>,
}

/// One landscape, by one or more models on the same grid.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Landscape {
    /// Heading of the figure, e.g. `W₂N₃ · A3B2_oP20_62_3c_2c:N-W`.
    pub title: String,
    /// One or two axes. Axis 0 is the slow index of the arrays and is drawn horizontally, axis 1 vertically.
    pub axes: Vec<Axis>,
    /// Distance cost in Angstrom, row-major `[n0][n1]` (or `[n0]`); above zero a point counts as masked.
    pub distance_cost: Vec<f64>,
    /// What the key adds about the cost, e.g. `P-O from 1.51 Å`; may be empty.
    pub cost_remark: String,
    /// What a picture whose points are all masked says of the reason, e.g. `P-O 1.49 Å < 1.54 Å`; may be empty.
    pub closest: String,
    /// One panel (or curve) a model, in the order of drawing.
    pub panels: Vec<Panel>,
}

impl Landscape {
    /// Checks everything that the drawing relies on.
    pub(super) fn check(&self) -> Result<(), PlotError> {
        if !matches!(self.axes.len(), 1 | 2) {
            return Err(PlotError::Axes(self.axes.len()));
        }
        self.axes.iter().try_for_each(Axis::check)?;
        if self.panels.is_empty() {
            return Err(PlotError::NoPanels);
        }
        let expected = self.axes.iter().map(|axis| axis.values.len()).product();
        let shape = |array: String, found: usize| match found == expected {
            true => Ok(()),
            false => Err(PlotError::Shape { array, found, expected }),
        };
        shape("the distance cost".into(), self.distance_cost.len())?;
        for panel in &self.panels {
            shape(format!("\"{}\"", panel.title), panel.energy.len())?;
            let equal_to = panel.equal_to.as_ref().map_or(expected, Vec::len);
            shape(format!("what is equal in \"{}\"", panel.title), equal_to)?;
        }
        Ok(())
    }
}

impl Axis {
    fn check(&self) -> Result<(), PlotError> {
        let wrong = |problem| Err(PlotError::Axis { axis: self.label.clone(), problem });
        let values = &self.values;
        if values.iter().any(|value| !value.is_finite()) {
            return wrong("its values must be finite");
        }
        if values.windows(2).any(|pair| pair[0] >= pair[1]) {
            return wrong("its values must increase");
        }
        match (values.first(), values.last()) {
            (Some(first), Some(last)) if self.periodic && last - first >= 1.0 => {
                wrong("a periodic axis must end before its first value comes again, one period later")
            }
            (Some(first), Some(last)) if last - first > MOST_PERIODS => {
                wrong("it spans more than a hundred periods; are these fractional coordinates?")
            }
            (Some(_), Some(_)) if self.periodic || values.len() >= 2 => Ok(()),
            _ => wrong("it needs two or more values"),
        }
    }

    /// The values as drawn: a periodic axis closed.
    pub(super) fn drawn(&self) -> Vec<f64> {
        let closing = self.periodic.then(|| self.values.first().map(|first| first + 1.0)).flatten();
        self.values.iter().copied().chain(closing).collect()
    }

    /// Every place of `coordinate` on the drawn axis: none outside a sub-range, two where it lies on both
    /// ends.
    pub(super) fn images(&self, coordinate: f64) -> Vec<f64> {
        /// Coordinates in structure files have about six digits.
        const ROUNDING: f64 = 1e-6;
        let drawn = self.drawn();
        let (Some(&first), Some(&last)) = (drawn.first(), drawn.last()) else { return Vec::new() };
        if !coordinate.is_finite() {
            return Vec::new();
        }
        let wrapped = first + (coordinate - first).rem_euclid(1.0) - 1.0;
        (0..)
            .map(|shift| wrapped + f64::from(shift))
            .skip_while(|place| *place < first - ROUNDING)
            .take_while(|place| *place <= last + ROUNDING)
            .map(|place| place.clamp(first, last))
            .collect()
    }
}
