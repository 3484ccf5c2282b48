//! Reads structures and models, and lays out all surfaces. What cannot be done is collected, not fatal.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::cluster::Stop;
use crate::config::{AxesSpec, AxisSpec, Campaign, LandscapeSpec, ModelSpec, OrbitRule, StructureSpec};
use crate::crystal::{Structure, read_structures};
use crate::landscape::{Axis, AxisError, Dof, Landscape, Thresholds, pair_name};
use crate::potential::{ModelError, Potential};
use crate::store::schema::is_usable;
use crate::symmetry::{COORDINATES, Crystal};
use crate::work::{LandscapeWork, Model, Skipped, StructureWork, SurfaceWork, Work};

/// Nothing can be computed.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A model file.
    #[error("model `{name}`: {error}")]
    Model {
        /// The user's name for it.
        name: String,
        /// What is wrong with it.
        error: ModelError,
    },
    /// Two structures want the same group.
    #[error("two structures are called `{0}` ({1} and {2}); give one of them another name = \"...\"")]
    SameName(String, String, String),
    /// Somebody asked for an end.
    #[error("stopped by {0} before anything was computed; run the same command again")]
    Stopped(&'static str),
    /// No structure could be used.
    #[error("no structure of the campaign can be used:\n{0}")]
    Nothing(String),
}

/// Reads everything that a campaign names, unless it is asked to stop.
pub fn prepare(campaign: &Campaign, stop: &Stop) -> Result<Work, PrepareError> {
    let models = load_models(&campaign.models)?;
    let mut work = Work::default();
    for spec in &campaign.structures {
        for file in &spec.files {
            let read = read_structures(file).map_err(|e| e.to_string());
            let structures = match (read, &spec.name) {
                (Ok(mut structures), Some(name)) if structures.len() == 1 => {
                    structures[0].name = name.clone();
                    structures
                }
                (Ok(structures), None) => structures,
                (Ok(structures), Some(name)) => {
                    let why = format!(
                        "{} holds {} structures, which cannot all be called `{name}`; leave `name` out",
                        file.display(),
                        structures.len()
                    );
                    work.skipped.push(Skipped { what: name.clone(), why });
                    continue;
                }
                (Err(why), name) => {
                    let what = name.clone().unwrap_or_else(|| file.display().to_string());
                    work.skipped.push(Skipped { what, why });
                    continue;
                }
            };
            if let Some(signal) = stop.asked() {
                return Err(PrepareError::Stopped(signal));
            }
            for structure in structures {
                add_structure(&mut work, &structure, file, spec, (campaign, &models))?;
            }
        }
    }
    if work.structures.is_empty() {
        let reasons: Vec<String> = work.skipped.iter().map(|s| format!("  {s}")).collect();
        return Err(PrepareError::Nothing(reasons.join("\n")));
    }
    Ok(work)
}

/// Loads every model; files that several models share are read once.
fn load_models(specs: &[ModelSpec]) -> Result<Vec<Arc<Model>>, PrepareError> {
    let mut loaded: HashMap<&str, Arc<Potential>> = HashMap::new();
    let mut models = Vec::new();
    for spec in specs {
        let error = |error: ModelError| PrepareError::Model { name: spec.name.clone(), error };
        let potential = match loaded.get(spec.source.as_str()) {
            Some(potential) => potential.clone(),
            None => {
                let potential = Arc::new(Potential::load(&spec.source).map_err(error)?);
                loaded.insert(&spec.source, potential.clone());
                potential
            }
        };
        let head = potential.head(spec.head.as_deref()).map_err(error)?;
        models.push(Arc::new(Model { name: spec.name.clone(), potential, head, precision: spec.precision }));
    }
    Ok(models)
}

fn add_structure(
    work: &mut Work,
    structure: &Structure,
    file: &Path,
    spec: &StructureSpec,
    (campaign, models): (&Campaign, &[Arc<Model>]),
) -> Result<(), PrepareError> {
    let name = &structure.name;
    if let Some(other) = work.structures.iter().find(|s| s.crystal.name == *name) {
        let (name, file) = (name.clone(), file.display().to_string());
        return Err(PrepareError::SameName(name, other.source.clone(), file));
    }
    let mut skip = |what: String, why: String| work.skipped.push(Skipped { what, why });
    if !is_usable(name) {
        skip(name.clone(), "the result file cannot hold this name; give it another name = \"...\"".into());
        return Ok(());
    }
    let crystal = match Crystal::new(structure, spec.symprec) {
        Ok(crystal) => Arc::new(crystal),
        Err(error) => {
            skip(name.clone(), error.to_string());
            return Ok(());
        }
    };
    // Every element needs a radius, which is known before anything is computed.
    let thresholds = match campaign.thresholds.capped_by(&crystal) {
        Ok(thresholds) => thresholds,
        Err(error) => {
            skip(name.clone(), error.to_string());
            return Ok(());
        }
    };
    say_caps(name, &thresholds);
    let mut landscapes: Vec<LandscapeWork> = Vec::new();
    for landscape_spec in &spec.landscapes {
        let landscape = match landscape(&crystal, landscape_spec, &thresholds) {
            Ok(landscape) => landscape,
            Err(why) => {
                skip(name.clone(), why);
                continue;
            }
        };
        let landscape_name = name_of(&landscape, landscape_spec);
        if landscapes.iter().any(|l| l.name == landscape_name) {
            let why = "it is asked for twice; give one of the two landscapes a name = \"...\"".to_string();
            skip(format!("{name}/{landscape_name}"), why);
            continue;
        }
        let mut surfaces = Vec::new();
        for model in models {
            match surface(&landscape, model, campaign) {
                Ok(surface) => surfaces.push(surface),
                Err(why) => skip(format!("{name}/{landscape_name}/{}", model.name), why),
            }
        }
        if !surfaces.is_empty() {
            landscapes.push(LandscapeWork { name: landscape_name, landscape: Arc::new(landscape), surfaces });
        }
    }
    if !landscapes.is_empty() {
        work.structures.push(StructureWork { crystal, source: file.display().to_string(), landscapes });
    }
    Ok(())
}

fn surface(landscape: &Landscape, model: &Arc<Model>, campaign: &Campaign) -> Result<SurfaceWork, String> {
    let crystal = &landscape.crystal;
    if landscape.axes.iter().any(|a| a.dof.name(crystal) == model.name) {
        return Err("an axis has the model's name; give the model another".to_string());
    }
    let elements = crystal.orbits.iter().map(|o| o.element);
    model.potential.check_elements(elements).map_err(|e| e.to_string())?;
    Ok(SurfaceWork::new(landscape, model.clone(), campaign.equivalence, campaign.points_per_tile))
}

fn say_caps(structure: &str, thresholds: &Thresholds) {
    for (pair, cap) in thresholds.caps() {
        log::info!(
            "{structure}: {} counts as too close below {:.3} instead of {:.3} Angstrom, since the input has {:.3} \
             ([distance] cap = false keeps {:.3})",
            pair_name(pair),
            cap.to,
            cap.from,
            cap.shortest,
            cap.from
        );
    }
}

fn landscape(
    crystal: &Arc<Crystal>,
    spec: &LandscapeSpec,
    thresholds: &Thresholds,
) -> Result<Landscape, String> {
    let axes = match &spec.axes {
        AxesSpec::Named(axes) => axes.iter().map(|a| named_axis(crystal, a)).collect::<Result<_, _>>(),
        AxesSpec::Rule { orbit, coordinates, points } => rule_axes(crystal, orbit, coordinates, *points),
    };
    let axes: Vec<Axis> = axes.map_err(|e: AxisError| e.to_string())?;
    Landscape::new(crystal.clone(), axes, thresholds.clone()).map_err(|e| e.to_string())
}

fn named_axis(crystal: &Crystal, spec: &AxisSpec) -> Result<Axis, AxisError> {
    Ok(Axis { dof: Dof::parse(&spec.dof, crystal)?, range: spec.range, points: spec.points })
}

/// The axes that a rule finds in a crystal: the first two free coordinates of an orbit, or those asked for.
fn rule_axes(
    crystal: &Crystal,
    rule: &OrbitRule,
    coordinates: &[char],
    points: usize,
) -> Result<Vec<Axis>, AxisError> {
    let free = Dof::all(crystal);
    let of_orbit = |orbit: usize| free.iter().copied().filter(|d| d.orbit == orbit).collect::<Vec<_>>();
    let not_free = |dof: String| AxisError::NotFree {
        dof,
        crystal: crystal.name.clone(),
        free: crystal.free_coordinates(),
    };
    let candidates = match rule {
        OrbitRule::FirstFree => {
            let orbit = (0..crystal.orbits.len()).find(|o| of_orbit(*o).len() >= 2);
            orbit.map_or_else(|| free.clone(), of_orbit)
        }
        OrbitRule::Of { element, letter } => {
            let fits = |o: &usize| {
                let orbit = &crystal.orbits[*o];
                let own = crystal.group.wyckoff[orbit.position].letter;
                orbit.element == *element && letter.is_none_or(|l| l == own) && !of_orbit(*o).is_empty()
            };
            let orbit = (0..crystal.orbits.len()).find(fits);
            let name = format!("{element}{}", letter.map_or(String::new(), |l| format!(" ({l})")));
            of_orbit(orbit.ok_or_else(|| not_free(name))?)
        }
    };
    let chosen: Vec<Dof> = if coordinates.is_empty() {
        candidates.into_iter().take(2).collect()
    } else {
        let find = |c: &char| candidates.iter().find(|d| COORDINATES[d.coordinate] == *c).copied();
        let missing = |c: &char| {
            let orbit = candidates.first().map_or("?", |d| crystal.orbits[d.orbit].name.as_str());
            not_free(format!("{orbit}.{c}"))
        };
        coordinates.iter().map(|c| find(c).ok_or_else(|| missing(c))).collect::<Result<_, _>>()?
    };
    if chosen.is_empty() {
        return Err(not_free("any coordinate".into()));
    }
    Ok(chosen.into_iter().map(|dof| Axis { dof, range: [0.0, 1.0], points }).collect())
}

/// The axes joined by `-`, unless the user named the landscape.
fn name_of(landscape: &Landscape, spec: &LandscapeSpec) -> String {
    let axes = landscape.axes.iter().map(|a| a.dof.name(&landscape.crystal));
    spec.name.clone().unwrap_or_else(|| axes.collect::<Vec<_>>().join("-"))
}
