//! Campaign file (TOML) -> [`Campaign`]: all defaults filled in, everything checked that can be checked without
//! reading structures and models.

mod complaint;
mod files;
mod raw;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::Spanned;

pub use complaint::ConfigError;
pub use files::NamedFile;

use crate::crystal::{Element, Format};
use crate::landscape::{Relation, Thresholds};
use crate::potential;
use crate::store::{StoreError, check_name, schema::objection};
use crate::work::Precision;
use complaint::Source;
use files::{PatternError, find};
use raw::{AxisFile, CampaignFile, LandscapeFile, OrbitFile, OrbitOf, Patterns, StructureFile};

/// Positions in files have 3 to 5 digits: what differs by less than this, in Angstrom, is meant to be equal.
pub const DEFAULT_SYMPREC: f64 = 0.01;
/// Nodes of a tile's block, 32 x 32.
const DEFAULT_TILE: usize = 1024;

/// A campaign: what to compute and where to put it.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The file's text, which is stored with the results.
    pub text: String,
    /// The result file.
    pub output: PathBuf,
    /// How far grid points may be identified; `None` evaluates all.
    pub equivalence: Option<Relation>,
    /// Nodes of a tile's block.
    pub points_per_tile: usize,
    /// Models in order; the default one if the file names none.
    pub models: Vec<ModelSpec>,
    /// Structures in order, patterns expanded to files.
    pub structures: Vec<StructureSpec>,
    /// Smallest physical distances, not yet capped by a crystal.
    pub thresholds: Thresholds,
}

/// A model to load.
#[derive(Clone, Debug)]
pub struct ModelSpec {
    /// Name in the file and in figures.
    pub name: String,
    /// Path or `embedded:NAME`.
    pub source: String,
    /// Head; `None` is the first.
    pub head: Option<String>,
    /// Arithmetic.
    pub precision: Precision,
}

impl ModelSpec {
    /// The model of a campaign that names none: the one inside the program that knows nearly all elements.
    fn default_with(precision: Precision) -> ModelSpec {
        let name = potential::DEFAULT.trim_start_matches("embedded:").to_string();
        ModelSpec { name, source: potential::DEFAULT.to_string(), head: None, precision }
    }
}

/// Structures to read, all with the same landscapes.
#[derive(Clone, Debug)]
pub struct StructureSpec {
    /// Only for a single file.
    pub name: Option<String>,
    /// At least one.
    pub files: Vec<NamedFile>,
    /// Overrules what the files' names tell.
    pub format: Option<Format>,
    /// Symmetry tolerance in Angstrom.
    pub symprec: f64,
    /// At least one.
    pub landscapes: Vec<LandscapeSpec>,
}

/// A landscape to map.
#[derive(Clone, Debug)]
pub struct LandscapeSpec {
    /// Name of its group, if the user gives one.
    pub name: Option<String>,
    /// What varies.
    pub axes: AxesSpec,
}

/// What varies in a landscape.
#[derive(Clone, Debug)]
pub enum AxesSpec {
    /// These coordinates.
    Named(Vec<AxisSpec>),
    /// Coordinates found by rule in each crystal.
    Rule {
        /// Which orbit.
        orbit: OrbitRule,
        /// Which of its coordinates; empty takes the first two free ones.
        coordinates: Vec<char>,
        /// Nodes along each axis.
        points: usize,
    },
}

/// One axis by name.
#[derive(Clone, Debug)]
pub struct AxisSpec {
    /// `W1.x`.
    pub dof: String,
    /// Lower and upper end.
    pub range: [f64; 2],
    /// Nodes.
    pub points: usize,
}

/// How to find an orbit in any crystal.
#[derive(Clone, Debug, PartialEq)]
pub enum OrbitRule {
    /// The first orbit with two free coordinates; if there is none, the first two free coordinates of the crystal.
    FirstFree,
    /// The first orbit with this element and, if given, letter.
    Of {
        /// Element of the orbit.
        element: Element,
        /// Wyckoff letter.
        letter: Option<char>,
    },
}

impl Campaign {
    /// Reads a campaign file; relative paths in it count from its folder.
    pub fn load(path: &Path) -> Result<Campaign, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| ConfigError::new(format!("{}: it cannot be read ({e})", path.display())))?;
        Self::parse(&text, path)
    }

    /// Reads a campaign from text; `path` names it in messages and anchors relative paths.
    pub fn parse(text: &str, path: &Path) -> Result<Campaign, ConfigError> {
        let source = Source { path: path.display().to_string(), text };
        let file: CampaignFile =
            toml::from_str(text).map_err(|e| ConfigError::new(format!("{}: {e}", source.path)))?;
        Check { source, folder: path.parent().unwrap_or(Path::new("")).to_path_buf() }.campaign(file)
    }
}

/// The thresholds that a campaign's text sets, whatever else it says; `path` names it in messages.
pub fn parse_thresholds(text: &str, path: &Path) -> Result<Thresholds, ConfigError> {
    let source = Source { path: path.display().to_string(), text };
    let file: raw::DistancesOnly =
        toml::from_str(text).map_err(|e| ConfigError::new(format!("{}: {e}", source.path)))?;
    Check { source, folder: PathBuf::new() }.thresholds(file.distance)
}

struct Check<'a> {
    source: Source<'a>,
    folder: PathBuf,
}

/// Grid points may be identified by what has to be done to the crystal.
const EQUIVALENCES: [(&str, Option<Relation>); 4] = [
    ("rotated", Some(Relation::Rotated)),
    ("translated", Some(Relation::Translated)),
    ("identical", Some(Relation::Identical)),
    ("none", None),
];

impl Check<'_> {
    fn campaign(&self, file: CampaignFile) -> Result<Campaign, ConfigError> {
        let precision = self.precision(file.campaign.dtype.as_ref(), Precision::Single)?;
        let symprec = file.campaign.symprec.map_or(Ok(DEFAULT_SYMPREC), |s| self.symprec(&s))?;
        let points_per_tile = match file.campaign.tile_points {
            None => DEFAULT_TILE,
            Some(points) if (1..=1 << 24).contains(points.get_ref()) => points.into_inner(),
            Some(points) => return Err(self.at(&points, "a tile has 1 to 16777216 points", "leave it out")),
        };
        let mut models =
            (file.model.into_iter()).map(|m| self.model(m, precision)).collect::<Result<Vec<_>, _>>()?;
        if models.is_empty() {
            models.push(ModelSpec::default_with(precision));
        }
        self.unique(models.iter().map(|m| m.name.as_str()), "models")?;
        let structures = (file.structure.into_iter())
            .map(|s| self.structure(s, symprec))
            .collect::<Result<Vec<_>, _>>()?;
        if structures.is_empty() {
            let path = &self.source.path;
            return Err(ConfigError::new(format!("{path}: there is no structure; add a [[structure]]")));
        }
        Ok(Campaign {
            text: self.source.text.to_string(),
            output: self.output(&file.campaign.output)?,
            equivalence: self.equivalence(file.campaign.equivalence.as_ref())?,
            points_per_tile,
            models,
            structures,
            thresholds: self.thresholds(file.distance)?,
        })
    }

    fn at<T>(&self, place: &Spanned<T>, message: &str, help: &str) -> ConfigError {
        self.source.complain(place.span(), message, help)
    }

    fn unique<'b>(&self, names: impl Iterator<Item = &'b str>, what: &str) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name) {
                let path = &self.source.path;
                return Err(ConfigError::new(format!("{path}: two {what} are called `{name}`; rename one")));
            }
        }
        Ok(())
    }

    /// Refuses names that cannot be groups of the file.
    fn group_name(&self, name: &Spanned<String>) -> Result<String, ConfigError> {
        let text = name.get_ref();
        if let Some(objection) = objection(text) {
            let message = format!("this name cannot be used in the result file: {objection}");
            return Err(self.at(name, &message, "write another name"));
        }
        Ok(text.clone())
    }

    fn output(&self, output: &Spanned<String>) -> Result<PathBuf, ConfigError> {
        let path = self.folder.join(output.get_ref());
        check_name(Path::new(output.get_ref())).map(|()| path).map_err(|error| match error {
            StoreError::File { reason, .. } => self.at(output, "results cannot have this name", &reason),
            other => ConfigError::new(other.to_string()),
        })
    }

    fn precision(
        &self,
        dtype: Option<&Spanned<String>>,
        default: Precision,
    ) -> Result<Precision, ConfigError> {
        let Some(dtype) = dtype else { return Ok(default) };
        parse_precision(dtype.get_ref())
            .ok_or_else(|| self.at(dtype, "this is not a precision", "write \"float32\" or \"float64\""))
    }

    fn symprec(&self, symprec: &Spanned<f64>) -> Result<f64, ConfigError> {
        let value = *symprec.get_ref();
        if value > 0.0 && value < 1.0 {
            return Ok(value);
        }
        Err(self.at(
            symprec,
            "symprec must be a length above 0 and below 1 Angstrom",
            "0.01 suits most files",
        ))
    }

    fn format(&self, format: &Spanned<String>) -> Result<Format, ConfigError> {
        let help = "write \"cif\", \"poscar\" or \"extxyz\"";
        format.get_ref().parse().map_err(|_| self.at(format, "this is not a format of structure files", help))
    }

    fn equivalence(&self, name: Option<&Spanned<String>>) -> Result<Option<Relation>, ConfigError> {
        let Some(name) = name else { return Ok(Some(Relation::Rotated)) };
        let found = EQUIVALENCES.iter().find(|(n, _)| n == name.get_ref());
        let names: Vec<_> = EQUIVALENCES.iter().map(|(n, _)| format!("\"{n}\"")).collect();
        let help = format!("write {}", names.join(", "));
        found.map(|(_, r)| *r).ok_or_else(|| self.at(name, "this is not a kind of equivalence", &help))
    }

    fn model(&self, file: raw::ModelFile, precision: Precision) -> Result<ModelSpec, ConfigError> {
        let source = file.file.get_ref();
        let source = if source.starts_with("embedded:") {
            source.clone()
        } else {
            self.folder.join(source).display().to_string()
        };
        Ok(ModelSpec {
            name: self.group_name(&file.name)?,
            source,
            head: file.head,
            precision: self.precision(file.dtype.as_ref(), precision)?,
        })
    }

    fn structure(&self, file: StructureFile, symprec: f64) -> Result<StructureSpec, ConfigError> {
        let files = self.files(&file.file)?;
        if let (Some(name), true) = (&file.name, files.len() > 1) {
            let help = "each file has a name of its own; leave `name` out";
            return Err(self.at(name, "one name cannot be given to several files", help));
        }
        if file.landscape.get_ref().is_empty() {
            let help = "add [[structure.landscape]] with axes = [ { dof = \"W1.x\", points = 60 }, ... ]";
            return Err(self.at(&file.file, "this structure has no landscape", help));
        }
        let symprec = file.symprec.map_or(Ok(symprec), |s| self.symprec(&s))?;
        Ok(StructureSpec {
            name: file.name.map(|n| self.group_name(&n)).transpose()?,
            files,
            format: file.format.map(|f| self.format(&f)).transpose()?,
            symprec,
            landscapes: (file.landscape.into_inner().into_iter())
                .map(|l| self.landscape(l))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The files of a path, pattern or list of them, each once.
    fn files(&self, patterns: &Spanned<Patterns>) -> Result<Vec<NamedFile>, ConfigError> {
        let written = match patterns.get_ref() {
            Patterns::One(pattern) => std::slice::from_ref(pattern),
            Patterns::Several(list) => list,
        };
        let mut files: Vec<NamedFile> = Vec::new();
        for pattern in written {
            let found = find(&self.folder, pattern).map_err(|error| match error {
                PatternError::Syntax(why) => {
                    self.at(patterns, &format!("the pattern `{pattern}` cannot be understood"), &why)
                }
                PatternError::Nothing => {
                    let message = format!("no file matches the pattern `{pattern}`");
                    self.at(patterns, &message, "paths count from the campaign file")
                }
                PatternError::Folder(why) => {
                    self.at(patterns, "a folder that this pattern leads to cannot be read", &why)
                }
            })?;
            for file in found {
                if files.iter().all(|known| known.path != file.path) {
                    files.push(file);
                }
            }
        }
        if files.is_empty() {
            return Err(self.at(patterns, "there is no file in this list", "write file = \"W2N3.cif\""));
        }
        Ok(files)
    }

    fn landscape(&self, file: LandscapeFile) -> Result<LandscapeSpec, ConfigError> {
        let name = file.name.as_ref().map(|n| self.group_name(n)).transpose()?;
        let axes = match (file.axes, file.orbit) {
            (Some(axes), None) => {
                if file.points.is_some() || file.coordinates.is_some() {
                    let help = "leave them out; every axis has its own dof and points";
                    return Err(self.at(
                        &axes,
                        "`points` and `coordinates` belong to `orbit`, not to `axes`",
                        help,
                    ));
                }
                if axes.get_ref().is_empty() {
                    let help = "write axes = [ { dof = \"W1.x\", points = 60 } ]";
                    return Err(self.at(&axes, "a landscape needs at least one axis", help));
                }
                let axes = axes.into_inner().into_iter().map(|a| self.axis(a));
                AxesSpec::Named(axes.collect::<Result<_, _>>()?)
            }
            (None, Some(orbit)) => AxesSpec::Rule {
                orbit: self.orbit_rule(orbit)?,
                coordinates: file.coordinates.into_iter().flatten().collect(),
                points: match file.points {
                    Some(points) => self.points(&points, 1)?,
                    None => {
                        let path = &self.source.path;
                        let message =
                            "a landscape by rule needs `points`, how many there are along each axis";
                        return Err(ConfigError::new(format!("{path}: {message}")));
                    }
                },
            },
            _ => {
                let path = &self.source.path;
                let message = "a landscape has either `axes` or `orbit` with `points`";
                return Err(ConfigError::new(format!("{path}: {message}")));
            }
        };
        Ok(LandscapeSpec { name, axes })
    }

    fn axis(&self, file: AxisFile) -> Result<AxisSpec, ConfigError> {
        let range = match file.range {
            None => [0.0, 1.0],
            Some(range) => {
                let [low, high] = *range.get_ref();
                if !(low < high && high - low < 1.0 + 1e-12) {
                    return Err(self.at(
                        &range,
                        "the range of an axis must increase and span at most one period",
                        "write the smaller fractional coordinate first, e.g. [0.2, 0.4]",
                    ));
                }
                [low, high]
            }
        };
        let full = (range[1] - range[0] - 1.0).abs() < 1e-12;
        let points = self.points(&file.points, if full { 1 } else { 2 })?;
        Ok(AxisSpec { dof: file.dof, range, points })
    }

    fn points(&self, points: &Spanned<usize>, least: usize) -> Result<usize, ConfigError> {
        let count = *points.get_ref();
        if (least..=1_000_000).contains(&count) {
            return Ok(count);
        }
        let message = format!("an axis needs {least} to 1000000 points here");
        Err(self.at(points, &message, "60 to 200 make a smooth picture; multiples of 12 use symmetry best"))
    }

    fn orbit_rule(&self, orbit: Spanned<OrbitFile>) -> Result<OrbitRule, ConfigError> {
        let help =
            "write orbit = \"first-free\", orbit = \"O\" or orbit = { element = \"O\", letter = \"c\" }";
        let (symbol, letter) = match orbit.get_ref() {
            OrbitFile::Name(name) if name == "first-free" => return Ok(OrbitRule::FirstFree),
            OrbitFile::Name(name) => (name, None),
            OrbitFile::Of(OrbitOf { element, letter }) => (element, *letter),
        };
        let element = Element::from_symbol(symbol);
        let element = element.ok_or_else(|| self.at(&orbit, "this is not a rule for an orbit", help))?;
        Ok(OrbitRule::Of { element, letter })
    }

    fn thresholds(&self, file: raw::DistanceFile) -> Result<Thresholds, ConfigError> {
        let element = |symbol: &str| {
            let path = &self.source.path;
            let message =
                format!("{path}: `{symbol}` in [distance] is not an element; write radii = {{ W = 1.455 }}");
            Element::from_symbol(symbol).ok_or(ConfigError::new(message))
        };
        let mut radii = BTreeMap::new();
        for (symbol, radius) in &file.radii {
            radii.insert(element(symbol)?, *radius);
        }
        let mut pairs = BTreeMap::new();
        for (name, distance) in &file.pairs {
            let Some((a, b)) = name.split_once('-') else {
                let path = &self.source.path;
                let message = format!(
                    "{path}: `{name}` in [distance] is not a pair; write pairs = {{ \"N-W\" = 1.6 }}"
                );
                return Err(ConfigError::new(message));
            };
            pairs.insert((element(a)?, element(b)?), *distance);
        }
        let scale = file.scale.unwrap_or(crate::landscape::DEFAULT_SCALE);
        Thresholds::new(scale, &radii, &pairs)
            .map(|thresholds| thresholds.with_cap(file.cap.unwrap_or(true)))
            .map_err(|e| ConfigError::new(format!("{}: {e}", self.source.path)))
    }
}

/// `float32` / `f32` or `float64` / `f64`.
pub fn parse_precision(text: &str) -> Option<Precision> {
    match text {
        "float32" | "f32" => Some(Precision::Single),
        "float64" | "f64" => Some(Precision::Double),
        _ => None,
    }
}
