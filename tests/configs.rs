//! The campaign files that are shipped run as they are, given the models they name.

mod common;

use std::path::{Path, PathBuf};

use common::{on_cpus, write_model};
use s2dpes::campaign::{Options, run};
use s2dpes::cluster::{Channels, Crew, Stop};
use s2dpes::config::{AxesSpec, Campaign};
use s2dpes::store::{Results, RunRecord};

fn configs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|f| f.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    assert!(files.len() >= 4);
    files
}

#[test]
fn every_config_runs_on_a_coarse_grid() {
    let folder = tempfile::tempdir().unwrap();
    let model = write_model(folder.path(), "all-elements");
    for file in configs() {
        let mut campaign = Campaign::load(&file).unwrap();
        campaign.output = folder.path().join(file.file_name().unwrap()).with_extension("h5");
        for spec in &mut campaign.models {
            // Published weights are not shipped.
            if !spec.source.starts_with("embedded:") {
                assert!(spec.source.ends_with(".model"), "{}", file.display());
                spec.source = model.display().to_string();
            }
        }
        for landscape in campaign.structures.iter_mut().flat_map(|s| &mut s.landscapes) {
            match &mut landscape.axes {
                AxesSpec::Named(axes) => axes.iter_mut().for_each(|a| a.points = 6),
                AxesSpec::Rule { points, .. } => *points = 6,
            }
        }
        let (stop, run_record) = (Stop::by_hand(), RunRecord::default());
        let options = Options { restart: false, stop, run: run_record, report: &mut |_| {} };
        let crew = Crew::muster(Channels::alone(), on_cpus(0)).unwrap();
        let outcome = run(&campaign, crew, options).unwrap();
        assert!(outcome.skipped.is_empty(), "{}: {:?}", file.display(), outcome.skipped);
        let results = Results::open(&campaign.output).unwrap();
        for (structure, name) in results.landscapes().unwrap() {
            let landscape = results.landscape(&structure, &name).unwrap();
            assert_eq!(landscape.models.len(), campaign.models.len());
            assert!(landscape.models.iter().any(|m| m.energy.iter().any(|e| e.is_finite())));
        }
    }
}
