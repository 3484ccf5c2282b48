//! From stored results to what is drawn.

use s2dpes::plot::{self, Panel};
use s2dpes::store::{AxisResult, LandscapeResult, ModelResult};

use super::super::Failure;
use super::distances::Costs;

/// A landscape with the models that are asked for, or all.
pub(super) fn to_figure(
    landscape: &LandscapeResult,
    models: &[String],
    costs: Costs,
) -> Result<plot::Landscape, Failure> {
    let find = |name: &String| {
        let found = landscape.models.iter().find(|m| m.name == *name);
        found.ok_or_else(|| {
            let names: Vec<_> = landscape.models.iter().map(|m| m.name.as_str()).collect();
            Failure::input(format!("there is no model `{name}`; there is {}", names.join(", ")))
        })
    };
    let chosen = match models {
        [] => landscape.models.iter().collect(),
        names => names.iter().map(find).collect::<Result<Vec<_>, _>>()?,
    };
    Ok(plot::Landscape {
        title: format!("{} · {}", landscape.structure, label(landscape)),
        axes: landscape.axes.iter().map(axis).collect(),
        distance_cost: costs.cost,
        cost_remark: costs.remark,
        closest: costs.closest,
        panels: chosen.into_iter().map(panel).collect(),
    })
}

/// The same without its panels and title.
pub(super) fn rows_of(figure: &plot::Landscape) -> plot::Landscape {
    plot::Landscape { title: String::new(), panels: Vec::new(), ..figure.clone() }
}

/// The label in the letters of the axes, and the canonical one if that has others.
fn label(landscape: &LandscapeResult) -> String {
    let (raw, canonical) = (&landscape.protostructure_raw, &landscape.protostructure);
    match raw == canonical {
        true => raw.clone(),
        false => {
            let letters = canonical.split(':').next().unwrap_or(canonical);
            format!("{raw} (canonical {letters})")
        }
    }
}

fn axis(axis: &AxisResult) -> plot::Axis {
    plot::Axis {
        label: format!("{} ({}, {})", axis.coordinate, axis.orbit, axis.wyckoff),
        values: axis.values.clone(),
        periodic: axis.periodic,
        reference: Some(axis.reference),
    }
}

fn panel(model: &ModelResult) -> Panel {
    Panel {
        title: model.name.clone(),
        energy: model.energy.clone(),
        reference_energy: Some(model.reference_energy).filter(|energy| energy.is_finite()),
        equal_to: Some(model.irreducible_index.clone()),
    }
}
