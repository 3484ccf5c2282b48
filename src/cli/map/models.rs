//! Models of the command line: what each is called, where it is, which head is meant.

use std::path::Path;

use s2dpes::store::schema::objection;

/// A model with a name of its own.
#[derive(Debug, PartialEq)]
pub(super) struct NamedModel {
    pub(super) name: String,
    /// Path or `embedded:NAME`.
    pub(super) source: String,
    pub(super) head: Option<String>,
}

/// Names models after their files unless the user does; heads are `HEAD` or `MODEL=HEAD`.
pub(super) fn named(models: &[String], heads: &[String]) -> Result<Vec<NamedModel>, String> {
    let mut named: Vec<NamedModel> = Vec::new();
    for text in models {
        let (wanted, source) = match text.split_once('=') {
            Some((name, file)) if !name.contains('/') && !Path::new(text).exists() => (Some(name), file),
            _ => (None, text.as_str()),
        };
        let candidates = wanted.map_or_else(|| names_of(source), |name| vec![name.to_string()]);
        let is_free = |name: &&String| named.iter().all(|other| other.name != **name);
        let Some(name) = candidates.iter().find(is_free).cloned() else {
            let name = candidates.last().map_or("", String::as_str);
            return Err(format!("two models are called `{name}`; call one otherwise with -m NAME=FILE"));
        };
        if let Some(objection) = objection(&name) {
            return Err(format!(
                "no model can be called {name:?} in the result file, since {objection}; write -m NAME={source}"
            ));
        }
        if wanted.is_none() && named.iter().any(|other| other.source == source) {
            return Err(format!(
                "-m names {source} twice; give each a name with -m NAME={source} if that is meant"
            ));
        }
        named.push(NamedModel { name, source: source.to_string(), head: None });
    }
    let is_missing = |m: &&NamedModel| !m.source.starts_with("embedded:") && !Path::new(&m.source).exists();
    let missing: Vec<&str> = named.iter().filter(is_missing).map(|m| m.source.as_str()).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(format!(
            "there is no model file {missing}; -m takes the path of a file, counted from this folder, or one of those that \
             `s2dpes model list` shows"
        ));
    }
    set_heads(&mut named, heads)?;
    Ok(named)
}

/// Heads of all models first, then those of single ones.
fn set_heads(models: &mut [NamedModel], heads: &[String]) -> Result<(), String> {
    let own = |head: &String| {
        let (name, own) = head.split_once('=')?;
        models.iter().position(|m| m.name == name).map(|place| (place, own.to_string()))
    };
    let (of_one, of_all): (Vec<_>, Vec<_>) =
        heads.iter().map(|head| (own(head), head)).partition(|h| h.0.is_some());
    if let [_, (_, second), ..] = of_all.as_slice() {
        let names: Vec<&str> = models.iter().map(|m| m.name.as_str()).collect();
        let names = names.join(", ");
        return Err(format!(
            "--head {second} is of no model; write --head NAME=HEAD, with a NAME of {names}"
        ));
    }
    for (_, head) in of_all {
        models.iter_mut().for_each(|m| m.head = Some(head.clone()));
    }
    for (place, head) in of_one.into_iter().filter_map(|(own, _)| own) {
        models[place].head = Some(head);
    }
    Ok(())
}

/// What a model may be called, best first: `mace`, `folder-mace`, `mace-2`, ...
fn names_of(source: &str) -> Vec<String> {
    if let Some(name) = source.strip_prefix("embedded:") {
        return vec![name.to_string()];
    }
    let path = Path::new(source);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = path.parent().and_then(Path::file_name).map(|f| format!("{}-{stem}", f.to_string_lossy()));
    let numbered = (2..100).map(|number| format!("{stem}-{number}"));
    [stem.clone()].into_iter().chain(folder).chain(numbered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(models: &[&str], heads: &[&str]) -> Result<Vec<(String, Option<String>)>, String> {
        let own = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        Ok(named(&own(models), &own(heads))?.into_iter().map(|m| (m.name, m.head)).collect())
    }

    #[test]
    fn models_are_called_after_their_files_and_clashes_after_their_folders() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            path.display().to_string()
        };
        let (a, b, c) = (file("a/mace.model"), file("b/mace.model"), file("x/b/mace.model"));
        let mine = format!("mine={a}");
        let found = names(&[&a, &b, &c, &mine, "embedded:demo-wn"], &["main", "mine=other"]).unwrap();
        let main = Some("main".to_string());
        for ((name, head), expected) in found.iter().zip(["mace", "b-mace", "mace-2", "mine", "demo-wn"]) {
            assert_eq!(name, expected);
            assert_eq!(*head, if expected == "mine" { Some("other".into()) } else { main.clone() });
        }
        let energy = file("energy.model");
        for (models, heads, reason) in [
            (&["no.model", "none.pth"][..], &[][..], "there is no model file no.model, none.pth;"),
            (&[&a, &a], &[], "twice"),
            (&[&mine, &mine], &[], "two models are called `mine`"),
            (&[&energy], &[], "no model can be called \"energy\" in the result file, since"),
            (&[&a], &["one", "two"], "--head two is of no model"),
        ] {
            let message = names(models, heads).unwrap_err();
            assert!(message.contains(reason), "{message}");
        }
    }
}
