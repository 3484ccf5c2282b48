//! Reads structures and models, and lays out all surfaces. What cannot be done is collected, not fatal.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::cluster::Stop;
use crate::config::{
    AxesSpec, AxisSpec, Campaign, LandscapeSpec, ModelSpec, NamedFile, OrbitRule, StructureSpec,
};
use crate::crystal::{Structure, read_structures_as};
use crate::landscape::{Axis, AxisError, Dof, Landscape, Thresholds, pair_name};
use crate::potential::{ModelError, Potential};
use crate::store::schema::{mended, objection};
use crate::symmetry::{COORDINATES, Crystal, Finding, findings};
use crate::work::{LandscapeWork, Model, Skipped, StructureWork, SurfaceWork, Work};

/// Nothing can be computed.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Model files, one a line.
    #[error(
        "{0}\n`s2dpes model info FILE` tells whether a file can be read; `s2dpes model list` shows those within"
    )]
    Models(String),
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
            let structures = read(spec, file, &mut work.skipped);
            if let Some(signal) = stop.asked() {
                return Err(PrepareError::Stopped(signal));
            }
            let alone = structures.len() == 1;
            for mut structure in structures {
                match free_name(&work, spec, file, &structure.name, alone) {
                    Ok(name) => {
                        structure.name = name;
                        add_structure(&mut work, &structure, &file.path, spec, (campaign, &models));
                    }
                    Err(skipped) => work.skipped.push(skipped),
                }
            }
        }
    }
    if work.structures.is_empty() {
        let reasons: Vec<String> = work.skipped.iter().map(|s| format!("  {s}")).collect();
        return Err(PrepareError::Nothing(reasons.join("\n")));
    }
    Ok(work)
}

/// Loads every model; files that several models share are read once. All that cannot be used are named at once.
fn load_models(specs: &[ModelSpec]) -> Result<Vec<Arc<Model>>, PrepareError> {
    let mut loaded: HashMap<&str, Result<Arc<Potential>, ModelError>> = HashMap::new();
    let (mut models, mut complaints) = (Vec::new(), Vec::<String>::new());
    for spec in specs {
        let potential =
            loaded.entry(&spec.source).or_insert_with(|| Potential::load(&spec.source).map(Arc::new)).clone();
        let with_head = potential.and_then(|p| p.head(spec.head.as_deref()).map(|head| (p, head)));
        match with_head {
            Ok((potential, head)) => {
                let (name, precision) = (spec.name.clone(), spec.precision);
                models.push(Arc::new(Model { name, potential, head, precision }));
            }
            Err(error) if complaints.iter().any(|line| line.ends_with(&error.to_string())) => {}
            Err(error) => complaints.push(format!("model `{}`: {error}", spec.name)),
        }
    }
    if complaints.is_empty() { Ok(models) } else { Err(PrepareError::Models(complaints.join("\n"))) }
}

/// The structures of a file; none if they cannot be used, which is noted.
fn read(spec: &StructureSpec, file: &NamedFile, skipped: &mut Vec<Skipped>) -> Vec<Structure> {
    let shown = file.path.display();
    let (what, why) = match (read_structures_as(&file.path, spec.format), &spec.name) {
        (Ok(structures), Some(name)) if structures.len() > 1 => {
            let count = structures.len();
            let why = format!(
                "{shown} holds {count} structures, which cannot all be called `{name}`; leave `name` out"
            );
            (name.clone(), why)
        }
        (Ok(structures), _) => return structures,
        (Err(error), Some(name)) => (name.clone(), error.to_string()),
        (Err(error), None) => (shown.to_string(), error.to_string()),
    };
    skipped.push(Skipped { what, why });
    Vec::new()
}

/// The name of a structure, `own` to its file and alone there or not; or why there is none left for it.
fn free_name(
    work: &Work,
    spec: &StructureSpec,
    file: &NamedFile,
    own: &str,
    alone: bool,
) -> Result<String, Skipped> {
    let source = file.path.display().to_string();
    let given = match &spec.name {
        Some(name) => [name.clone(), name.clone()],
        None => file.names(own, alone),
    };
    let names = given.each_ref().map(|name| mended(name));
    let owner = |name: &str| work.structures.iter().find(|s| s.crystal.name == name);
    let is_twice = owner(&names[0]).is_some_and(|other| other.source == source) && spec.name.is_none();
    match names.iter().position(|name| owner(name).is_none()) {
        Some(place) if !is_twice => {
            if let Some(objection) = objection(&given[place]) {
                let (given, name) = (&given[place], &names[place]);
                log::warn!("{given:?} is called `{name}` in the result file, since {objection}");
            }
            Ok(names[place].clone())
        }
        _ => {
            let other = owner(&names[0]).map_or("?", |s| s.source.as_str());
            let why = match is_twice {
                true => format!("the campaign has this file twice, as `{}`", names[0]),
                false => format!(
                    "two structures are called `{}` ({other} and {source}); give one of them another name = \"...\"",
                    names[0]
                ),
            };
            Err(Skipped { what: source, why })
        }
    }
}

fn add_structure(
    work: &mut Work,
    structure: &Structure,
    file: &Path,
    spec: &StructureSpec,
    (campaign, models): (&Campaign, &[Arc<Model>]),
) {
    let name = &structure.name;
    let mut skip = |what: String, why: String| work.skipped.push(Skipped { what, why });
    let crystal = match Crystal::new(structure, spec.symprec) {
        Ok(crystal) => {
            findings(structure, &crystal, spec.symprec).iter().for_each(Finding::log);
            Arc::new(crystal)
        }
        Err(error) => {
            skip(name.clone(), error.to_string());
            return;
        }
    };
    // Every element needs a radius, which is known before anything is computed.
    let thresholds = match campaign.thresholds.capped_by(&crystal) {
        Ok(thresholds) => thresholds,
        Err(error) => {
            skip(name.clone(), error.to_string());
            return;
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
        OrbitRule::FirstFree => Dof::first_free(crystal),
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
        return Err(AxisError::Fixed(crystal.name.clone()));
    }
    Ok(chosen.into_iter().map(|dof| Axis { dof, range: [0.0, 1.0], points }).collect())
}

/// The axes joined by `-`, unless the user named the landscape.
fn name_of(landscape: &Landscape, spec: &LandscapeSpec) -> String {
    let axes = landscape.axes.iter().map(|a| a.dof.name(&landscape.crystal));
    spec.name.clone().unwrap_or_else(|| axes.collect::<Vec<_>>().join("-"))
}
