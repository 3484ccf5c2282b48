//! The campaign file as written, before anything is checked.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CampaignFile {
    pub(super) campaign: CampaignTable,
    #[serde(default)]
    pub(super) model: Vec<ModelFile>,
    #[serde(default)]
    pub(super) structure: Vec<StructureFile>,
    #[serde(default)]
    pub(super) distance: DistanceFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CampaignTable {
    pub(super) output: Spanned<String>,
    pub(super) dtype: Option<Spanned<String>>,
    pub(super) symprec: Option<Spanned<f64>>,
    pub(super) equivalence: Option<Spanned<String>>,
    pub(super) tile_points: Option<Spanned<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelFile {
    pub(super) name: Spanned<String>,
    pub(super) file: Spanned<String>,
    pub(super) head: Option<String>,
    pub(super) dtype: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StructureFile {
    pub(super) file: Spanned<Patterns>,
    pub(super) name: Option<Spanned<String>>,
    pub(super) format: Option<Spanned<String>>,
    pub(super) symprec: Option<Spanned<f64>>,
    #[serde(default = "no_landscapes")]
    pub(super) landscape: Spanned<Vec<LandscapeFile>>,
}

/// A path or pattern, or several.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write a path or pattern in quotes, or a list of them")]
pub(super) enum Patterns {
    One(String),
    Several(Vec<String>),
}

fn no_landscapes() -> Spanned<Vec<LandscapeFile>> {
    Spanned::new(0..0, Vec::new())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LandscapeFile {
    pub(super) name: Option<Spanned<String>>,
    pub(super) axes: Option<Spanned<Vec<AxisFile>>>,
    pub(super) orbit: Option<Spanned<OrbitFile>>,
    pub(super) coordinates: Option<Vec<char>>,
    pub(super) points: Option<Spanned<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AxisFile {
    pub(super) dof: String,
    pub(super) range: Option<Spanned<[f64; 2]>>,
    pub(super) points: Spanned<usize>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "write \"first-free\", an element, or { element = \"O\", letter = \"c\" }")]
pub(super) enum OrbitFile {
    Name(String),
    Of(OrbitOf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrbitOf {
    pub(super) element: String,
    pub(super) letter: Option<char>,
}

/// Of a campaign file only what sets distances.
#[derive(Deserialize)]
pub(super) struct DistancesOnly {
    #[serde(default)]
    pub(super) distance: DistanceFile,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct DistanceFile {
    pub(super) scale: Option<f64>,
    #[serde(default)]
    pub(super) radii: BTreeMap<String, f64>,
    #[serde(default)]
    pub(super) pairs: BTreeMap<String, f64>,
    pub(super) cap: Option<bool>,
}
