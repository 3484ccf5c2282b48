//! Whether a file was made for the work at hand.

use std::collections::HashSet;
use std::path::Path;

use hdf5::{File, Group};

use super::identity::{self, Identity, Value};
use super::read::in_order;
use super::trouble::explain;
use super::{StoreError, schema};
use crate::landscape::pair_name;
use crate::work::{LandscapeWork, Work};

/// Refuses a file that was made for other work, naming the first difference.
pub(super) fn compare(path: &Path, file: &File, work: &Work) -> Result<(), StoreError> {
    match difference(file, work).map_err(|e| explain(path, &e))? {
        None => Ok(()),
        Some(difference) => Err(StoreError::Different { path: path.display().to_string(), difference }),
    }
}

/// A group that the work needs.
struct Part<'a> {
    /// `W2N3/W1.x-W1.z/demo`.
    path: String,
    identity: Identity,
    /// If it is a landscape.
    landscape: Option<&'a LandscapeWork>,
}

fn difference(file: &File, work: &Work) -> hdf5::Result<Option<String>> {
    let parts = parts(work);
    for part in &parts {
        if !file.link_exists(&part.path) {
            let what = describe(&part.path);
            return Ok(Some(format!("the campaign has {what}, which the file does not hold")));
        }
        let changed = change(&file.group(&part.path)?, part)?;
        if changed.is_some() {
            return Ok(changed);
        }
    }
    let stored = stored_paths(file)?;
    let wanted: HashSet<&str> = parts.iter().map(|part| part.path.as_str()).collect();
    let superfluous = stored.iter().find(|path| !wanted.contains(path.as_str()));
    Ok(superfluous.map(|path| {
        let what = describe(path);
        format!("the file holds {what}, which the campaign does not have{}", left_out(work, path))
    }))
}

/// Parents before their children.
fn parts(work: &Work) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for structure in &work.structures {
        let path = structure.crystal.name.clone();
        parts.push(Part { path, identity: identity::of_structure(structure), landscape: None });
        for landscape in &structure.landscapes {
            let path = format!("{}/{}", structure.crystal.name, landscape.name);
            let of_surface = |surface: &crate::work::SurfaceWork| Part {
                path: format!("{path}/{}", surface.model.name),
                identity: identity::of_surface(surface),
                landscape: None,
            };
            let surfaces: Vec<Part> = landscape.surfaces.iter().map(of_surface).collect();
            let identity = identity::of_landscape(landscape);
            parts.push(Part { path, identity, landscape: Some(landscape) });
            parts.extend(surfaces);
        }
    }
    parts
}

/// Parents before their children.
fn stored_paths(file: &File) -> hdf5::Result<Vec<String>> {
    let mut paths = Vec::new();
    for (structure, group) in in_order(file)? {
        paths.push(structure.clone());
        for (landscape, group) in in_order(&group)? {
            let path = format!("{structure}/{landscape}");
            let models = in_order(&group)?;
            paths.push(path.clone());
            paths.extend(models.iter().map(|(model, _)| format!("{path}/{model}")));
        }
    }
    Ok(paths)
}

/// `the model tiny of W2N3/W1.x-W1.z`.
fn describe(path: &str) -> String {
    let kind = ["structure", "landscape", "model"][path.matches('/').count().min(2)];
    match path.rsplit_once('/') {
        None => format!("the {kind} {path}"),
        Some((parent, name)) => format!("the {kind} {name} of {parent}"),
    }
}

/// Why the campaign has no longer what the file holds, if it tried.
fn left_out(work: &Work, path: &str) -> String {
    let concerns = |what: &str| path == what || path.starts_with(&format!("{what}/"));
    let skipped = work.skipped.iter().find(|s| concerns(&s.what)).or(work.skipped.first());
    skipped.map_or_else(String::new, |s| format!(" (left out is {s})"))
}

/// What differs of a group.
fn change(group: &Group, part: &Part) -> hdf5::Result<Option<String>> {
    for (key, wanted) in &part.identity {
        let found = Value::read(group, key).map_or_else(|_| "nothing".into(), |v| v.to_string());
        // Files of earlier versions hold numbers as text.
        if found == wanted.to_string() {
            continue;
        }
        let path = &part.path;
        return Ok(Some(match part.landscape.filter(|_| *key == identity::THRESHOLDS) {
            Some(landscape) => format!("[distance] of {path}: {}", changed_distances(group, landscape)?),
            None => format!("{key} of {path} is {wanted} now and {found} in the file"),
        }));
    }
    Ok(None)
}

/// `the smallest distance in Angstrom of Ca-O is 1.25 now and 1.92 in the file`.
fn changed_distances(group: &Group, landscape: &LandscapeWork) -> hdf5::Result<String> {
    let found: Vec<f64> = group.dataset(schema::MINIMUM_PAIR_DISTANCE.name)?.read_raw()?;
    let orbits = &landscape.landscape.crystal.orbits;
    let pairs = orbits.iter().flat_map(|a| orbits.iter().map(move |b| (a.element, b.element)));
    let mut changes = Vec::new();
    for ((pair, now), found) in pairs.zip(identity::minimum_pair_distances(&landscape.landscape)).zip(found) {
        let change = format!("{} is {now:.6} now and {found:.6} in the file", pair_name(pair));
        if pair.0 <= pair.1 && now.to_bits() != found.to_bits() && !changes.contains(&change) {
            changes.push(change);
        }
    }
    Ok(format!("the smallest distance in Angstrom of {}", changes.join(", ")))
}
