//! Model files: read as data, refused with a sentence whatever bytes they hold.

mod common;

use std::io::{Cursor, Read, Write};

use common::{Random, data, model_bytes, potential};
use s2dpes::potential::{Family, Potential};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Members of a zip file in order.
fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|i| {
            let mut member = archive.by_index(i).unwrap();
            let mut content = Vec::new();
            member.read_to_end(&mut content).unwrap();
            (member.name().unwrap().to_string(), content)
        })
        .collect()
}

fn zip(members: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Reads bytes as a model; the message if they are refused, which must be a sentence about the file.
fn read(bytes: Vec<u8>) -> Option<String> {
    let error = Potential::from_bytes("hostile.model", bytes).err()?.to_string();
    assert!(error.starts_with("hostile.model: "), "{error}");
    assert!(error.len() < 2000, "{error}");
    Some(error)
}

#[test]
fn models_of_every_age_are_read() {
    let mut names: Vec<String> = (std::fs::read_dir(data("models")).unwrap())
        .filter_map(|f| f.unwrap().file_name().to_str()?.strip_suffix(".model.gz").map(str::to_string))
        .collect();
    names.sort();
    assert!(names.len() > 30);
    for name in names {
        let potential = potential(&name);
        let Family::Mace(mace) = &potential.family else { panic!("{name} is no MACE") };
        assert_eq!(potential.sha256.len(), 64);
        assert!(mace.parameters > 1000, "{name}");
        assert!(!mace.layers.is_empty() && mace.layers.len() == mace.readouts.len(), "{name}");
    }
}

#[test]
fn compressed_members_and_any_folder_name_are_read() {
    let bytes = model_bytes("aiida-mlip-test");
    let renamed: Vec<_> = (members(&bytes).into_iter())
        .map(|(name, content)| (format!("other{}", &name[name.find('/').unwrap()..]), content))
        .collect();
    assert_eq!(read(zip(&renamed, CompressionMethod::Deflated)), None);
    let flat: Vec<_> = (members(&bytes).into_iter())
        .map(|(name, content)| (name[name.find('/').unwrap() + 1..].to_string(), content))
        .collect();
    assert_eq!(read(zip(&flat, CompressionMethod::Stored)), None);
}

#[test]
fn truncated_files_are_refused() {
    let bytes = model_bytes("solvent-2023");
    for k in 0..60 {
        assert!(read(bytes[..bytes.len() * k / 60].to_vec()).is_some());
    }
}

#[test]
fn files_with_changed_bytes_are_refused_or_read() {
    let bytes = model_bytes("solvent-2023");
    let mut random = Random(5);
    for _ in 0..200 {
        let mut changed = bytes.clone();
        for _ in 0..1 + random.below(8) {
            let place = random.below(changed.len());
            changed[place] = random.below(256) as u8;
        }
        read(changed);
    }
}

#[test]
fn changed_pickles_in_sound_archives_are_refused_or_read() {
    let members = members(&model_bytes("solvent-2023"));
    let pickle = members.iter().position(|(name, _)| name.ends_with("data.pkl")).unwrap();
    let mut random = Random(17);
    let mut refused = 0;
    for round in 0..300 {
        let mut members = members.clone();
        let content = &mut members[pickle].1;
        if round % 3 == 0 {
            content.truncate(random.below(content.len()));
        } else {
            for _ in 0..1 + random.below(20) {
                let place = random.below(content.len());
                content[place] = random.below(256) as u8;
            }
        }
        refused += usize::from(read(zip(&members, CompressionMethod::Stored)).is_some());
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn changed_tensors_are_refused_or_read() {
    let members = members(&model_bytes("solvent-2023"));
    let mut random = Random(23);
    for _ in 0..100 {
        let mut members = members.clone();
        let index = random.below(members.len());
        match random.below(3) {
            0 => members[index].1.clear(),
            1 => members[index].1.push(7),
            _ => members[index].1.iter_mut().for_each(|b| *b = 0xff),
        }
        read(zip(&members, CompressionMethod::Stored));
    }
}

#[test]
fn other_kinds_of_files_are_refused_by_name() {
    let with_pickle =
        |pickle: &[u8]| zip(&[("a/data.pkl".into(), pickle.to_vec())], CompressionMethod::Stored);
    let compiled = zip(
        &[("a/data.pkl".into(), b"\x80\x02N.".to_vec()), ("a/constants.pkl".into(), b"N.".to_vec())],
        CompressionMethod::Stored,
    );
    for (bytes, reason) in [
        (b"a text file".to_vec(), "not a model file of torch.save"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.".to_vec(), "before 1.6"),
        (compiled, "TorchScript"),
        (zip(&[("x.txt".into(), vec![1])], CompressionMethod::Stored), "without a data.pkl"),
        (with_pickle(b"\x80\x02}."), "training checkpoint"),
        (with_pickle(b"\x80\x02K\x05."), "no model"),
        (with_pickle(b"\x80\x02cmace.modules.models\nBOTNet\n)\x81}b."), "class BOTNet is not supported"),
        (with_pickle(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R."), "class system is not supported"),
        (
            with_pickle(b"\x80\x02cmace.modules.models\nScaleShiftMACE\n)\x81}b."),
            "no module `radial_embedding`",
        ),
    ] {
        let error = read(bytes).unwrap();
        assert!(error.contains(reason), "{error}");
    }
    let big_endian: Vec<_> = (members(&model_bytes("aiida-mlip-test")).into_iter())
        .map(
            |(name, content)| {
                if name.ends_with("byteorder") { (name, b"big".to_vec()) } else { (name, content) }
            },
        )
        .chain([("x/byteorder".to_string(), b"big".to_vec())])
        .collect();
    let error = read(zip(&big_endian, CompressionMethod::Stored));
    assert!(error.is_none_or(|e| e.contains("big-endian")));
}

#[test]
fn a_bomb_of_zeros_is_refused_without_being_unpacked() {
    let members = members(&model_bytes("solvent-2023"));
    let place = members.iter().position(|(name, _)| name.contains("/data/")).unwrap();
    let mut members = members;
    members[place].1 = vec![0; 200 << 20];
    assert!(read(zip(&members, CompressionMethod::Deflated)).is_some());
}

#[test]
fn without_a_name_the_head_is_the_default_one_or_the_first() {
    let potential = potential("heads-2");
    let with_heads = |names: [&str; 2]| {
        let mut changed = (*potential).clone();
        match &mut changed.family {
            Family::Mace(mace) => mace.heads = names.map(String::from).to_vec(),
            _ => panic!("heads-2 is a MACE"),
        }
        changed.head(None).unwrap()
    };
    assert_eq!(with_heads(["pt_head", "Default"]), 1);
    assert_eq!(with_heads(["DEFAULT", "other"]), 0);
    assert_eq!(with_heads(["pt_head", "other"]), 0);
    assert_eq!(potential.head(Some(&potential.heads()[1])).unwrap(), 1);
}

#[test]
fn a_head_or_file_that_is_not_there_is_named_with_what_is() {
    let potential = potential("heads-2");
    let error = potential.head(Some("c")).unwrap_err().to_string();
    let heads = potential.heads().join(", ");
    assert!(error.contains("no head `c`") && error.contains(&heads), "{error}");
    let error = Potential::load("/nowhere/x.model").unwrap_err().to_string();
    assert!(error.contains("/nowhere/x.model: it cannot be read"), "{error}");
    let error = Potential::load("embedded:nothing").unwrap_err().to_string();
    assert!(error.contains("embedded:demo-wn"), "{error}");
}
