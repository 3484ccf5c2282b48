//! Checkpoints of sevenn: read as data, refused with a sentence whatever bytes they hold.

mod common;

use std::io::{Cursor, Read, Write};
use std::process::Command;

use common::{Random, copy_golden, data};
use s2dpes::potential::{Family, Potential};
use s2dpes::store::Results;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// The bytes of a stored checkpoint.
fn checkpoint(name: &str) -> Vec<u8> {
    let file = std::fs::File::open(data(&format!("models/sevennet/{name}.pth.gz"))).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

/// A checkpoint with its pickle changed.
fn changed(bytes: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut change = Some(change);
    for i in 0..archive.len() {
        let mut member = archive.by_index(i).unwrap();
        let name = member.name().unwrap().to_string();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        if let Some(change) = change.take_if(|_| name.ends_with("data.pkl")) {
            change(&mut content);
        }
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        writer.start_file(name, options).unwrap();
        writer.write_all(&content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Replaces text by text of the same length, at its first place after another text.
fn replace(pickle: &mut [u8], after: &str, old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let find = |from: usize, text: &[u8]| {
        from + pickle[from..].windows(text.len()).position(|w| w == text).unwrap_or_else(|| panic!("{after}"))
    };
    let start = find(find(0, after.as_bytes()) + after.len(), old);
    pickle[start..start + new.len()].copy_from_slice(new);
}

/// Reads bytes as a model; the message if they are refused, which must be a sentence about the file.
fn read(bytes: Vec<u8>) -> Option<String> {
    let error = Potential::from_bytes("some.pth", bytes).err()?.to_string();
    assert!(error.starts_with("some.pth: "), "{error}");
    assert!(error.len() < 1000, "{error}");
    Some(error)
}

#[test]
fn checkpoints_say_what_they_are() {
    let potential = Potential::from_bytes("small", checkpoint("small")).unwrap();
    let Family::Sevennet(sevennet) = &potential.family else { panic!("no SevenNet") };
    assert_eq!(potential.architecture(), "SevenNet");
    assert_eq!(potential.cutoff(), 5.0);
    assert_eq!(potential.elements().len(), 12);
    assert_eq!(sevennet.layers.len(), 3);
    assert_eq!(sevennet.layers[1].inputs, [24, 12, 8]);
    assert_eq!(sevennet.layers[1].paths.len(), 15);
    assert_eq!(sevennet.layers[2].paths.len(), 3);
    // 8 radial functions, 12 x 24 embedding, three layers, readout.
    let first = 24 * 24 + 24 * 44 + 8 * 16 + 16 * 16 + 16 * 72 + 24 * (44 + 12 + 8);
    let squares = 24 * 24 + 12 * 12 + 8 * 8;
    let columns = 3 * 24 + 6 * 12 + 6 * 8;
    let messages = [24 + 12 + 8, 24 + 3 * 12 + 2 * 8, 24 + 2 * 12 + 3 * 8];
    let second = squares
        + (24 * 44 + 12 * 12 + 8 * 8)
        + 8 * 16
        + 16 * 16
        + 16 * columns
        + messages[0] * 44
        + messages[1] * 12
        + messages[2] * 8;
    let last = squares + 24 * 24 + 8 * 16 + 16 * 16 + 16 * 44 + 44 * 24;
    assert_eq!(potential.parameters(), 8 + 12 * 24 + first + second + last + 24 * 12 + 12);
}

#[test]
fn other_architectures_and_versions_are_refused_by_name() {
    let bytes = checkpoint("small");
    let cases: [(&str, &[u8], &[u8], &str); 9] = [
        ("version", b"0.10.1", b"0.11.0", "version 0.11.0 of sevenn"),
        (
            "self_connection_type",
            b"linear",
            b"nequip",
            "self_connection_type nequip, which is not supported; linear is",
        ),
        ("is_parity", b"\x89", b"\x88", "is_parity True, which is not supported; False is"),
        ("_normalize_sph", b"\x88", b"\x89", "SevenNet-0 of 22 May 2024"),
        ("readout_as_fcn", b"\x89", b"\x88", "readout_as_fcn True"),
        (
            "cutoff_function_name",
            b"XPLOR",
            b"Gauss",
            "a cutoff function Gauss is not supported; XPLOR and poly_cut are",
        ),
        ("radial_basis_name", b"bessel", b"splines"[..6].as_ref(), "radial_basis_name spline"),
        ("irreps_manual", b"12x1e", b"12x1o", "irreps_manual are not supported"),
        ("irreps_manual", b"+8x2e", b"+8x3e", "irreps_manual are not supported"),
    ];
    for (after, old, new, reason) in cases {
        let error = read(changed(&bytes, |pickle| replace(pickle, after, old, new))).unwrap();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn missing_and_wrong_tensors_are_named() {
    let bytes = checkpoint("small");
    for name in [
        "onehot_to_feature_x.linear.weight",
        "1_self_interaction_2.linear.weight",
        "0_convolution.denominator",
        "2_convolution.weight_nn.layer1.weight",
        "1_convolution.convolution._compiled_main_left_right._w3j_2_1_2",
        "rescale_atomic_energy.shift",
        "edge_embedding.basis_function.coeffs",
    ] {
        let mut other = name.to_string();
        other.replace_range(name.len() - 1.., "?");
        let error = read(changed(&bytes, |pickle| {
            replace(pickle, "model_state_dict", name.as_bytes(), other.as_bytes())
        }));
        let error = error.unwrap();
        assert!(error.contains(name) || error.contains("radial network of layer 2"), "{error}");
    }
    // Channels that the tensors do not have.
    let error = read(changed(&bytes, |pickle| replace(pickle, "irreps_manual", b"12x1e", b"14x1e"))).unwrap();
    assert!(error.contains("elements instead of") || error.contains("outputs"), "{error}");
}

#[test]
fn damaged_files_are_refused_or_read() {
    let bytes = checkpoint("small");
    for k in 0..40 {
        assert!(read(bytes[..bytes.len() * k / 40].to_vec()).is_some());
    }
    let mut random = Random(3);
    let mut refused = 0;
    for round in 0..300 {
        let damaged = changed(&bytes, |pickle| match round % 3 {
            0 => pickle.truncate(random.below(pickle.len())),
            _ => {
                for _ in 0..1 + random.below(20) {
                    let place = random.below(pickle.len());
                    pickle[place] = random.below(256) as u8;
                }
            }
        });
        refused += usize::from(read(damaged).is_some());
    }
    assert!(refused > 100, "{refused}");
}

/// Runs the program in a folder; standard output of a success.
fn run(folder: &std::path::Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s2dpes"));
    let output = command.current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_program_plans_and_runs_campaigns_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("small.pth"), checkpoint("small")).unwrap();
    copy_golden(folder, "sevennet/quartz");
    std::fs::write(
        folder.join("c.toml"),
        r#"
        [campaign]
        output = "result.h5"
        [[model]]
        name = "seven"
        file = "small.pth"
        [[structure]]
        file = "quartz.extxyz"
        [[structure.landscape]]
        axes = [ { dof = "O1.x", points = 6 }, { dof = "O1.y", points = 6 } ]
        "#,
    )
    .unwrap();
    let info = run(folder, &["model", "info", "small.pth"]);
    assert!(info.contains("architecture  SevenNet") && info.contains("24x0e -> 24x0e+12x1e+8x2e"), "{info}");
    assert!(info.contains("rotations only"), "{info}");
    let json = run(folder, &["model", "info", "--json", "small.pth"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["channels_by_degree"][0], serde_json::json!([24, 12, 8]));
    let plan = run(folder, &["plan", "--cost", "c.toml"]);
    assert!(plan.contains("applying operators") && plan.contains("linear maps"), "{plan}");
    run(folder, &["run", "--engine", "cpu", "c.toml"]);
    let results = Results::open(&folder.join("result.h5")).unwrap();
    let landscape = results.landscape("quartz", "O1.x-O1.y").unwrap();
    let energy = &landscape.models[0].energy;
    assert_eq!(energy.len(), 36);
    assert!(energy.iter().filter(|e| e.is_finite()).count() > 20, "{energy:?}");
}
