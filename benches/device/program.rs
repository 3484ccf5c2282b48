//! `s2dpes run` from its command to the file.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Failure, file_name, median, split};

/// Wall times of whole processes, which start, load the model, compute and write a landscape of `points` x `points`.
pub fn measure(
    program: &Path,
    model: &str,
    landscape: &str,
    points: usize,
    rounds: usize,
) -> Result<Value, Failure> {
    let folder = tempfile::tempdir()?;
    let (structure, axes) = split(landscape)?;
    let absolute = |path: &str| std::fs::canonicalize(path).map(|p| p.display().to_string());
    let model_file = if model.starts_with("embedded:") { model.into() } else { absolute(model)? };
    let axis = |axis: &&str| format!("{{ dof = \"{axis}\", points = {points} }}");
    let axes_text = axes.iter().map(axis).collect::<Vec<_>>().join(", ");
    let campaign = folder.path().join("campaign.toml");
    std::fs::write(
        &campaign,
        format!(
            "[campaign]\noutput = \"landscape.h5\"\n[[model]]\nname = \"model\"\nfile = {model_file:?}\n\
             [[structure]]\nfile = {:?}\n[[structure.landscape]]\naxes = [{axes_text}]\n",
            absolute(structure)?
        ),
    )?;
    let mut seconds = Vec::new();
    for _ in 0..rounds.min(3) {
        let start = Instant::now();
        let mut command = Command::new(program);
        command.args(["run", "--engine", "cuda", "--dtype", "f32", "--restart"]).arg(&campaign);
        let output = command.stdout(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(format!("s2dpes failed: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(json!({
        "model": file_name(model),
        "landscape": format!("{} {}", file_name(structure), axes.join(",")),
        "precision": "float32",
        "nodes": points * points,
        "seconds": seconds,
        "median_s": median(seconds.clone()),
    }))
}
