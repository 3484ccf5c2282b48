//! What a result file is called where the user does not say: after what it holds.

use s2dpes::potential::DEFAULT;
use s2dpes::work::Precision;
use sha2::{Digest, Sha256};

use super::models::NamedModel;

/// Characters of a name without its ending: `.HOST-PID-NANOSECONDS.partial` must find room behind it in 255 bytes.
const LONGEST: usize = 120;

/// `STRUCTURE-AXES[-MODEL[-HEAD]...][-float64].h5`; the default model alone and its default head are left out. Names that are
/// too long or have letters beyond ASCII end in a sum of the whole.
pub(super) fn of_results(
    structure: &str,
    axes: &[&str],
    models: &[NamedModel],
    precision: Precision,
) -> String {
    let mut parts = vec![structure];
    parts.extend(axes);
    let is_default = models.len() == 1 && models.iter().all(|m| m.source == DEFAULT && m.head.is_none());
    for model in models.iter().filter(|_| !is_default) {
        parts.push(&model.name);
        parts.extend(model.head.as_deref());
    }
    if precision == Precision::Double {
        parts.push(precision.name());
    }
    let whole = parts.join("-");
    let safe = safe(&whole);
    // Letters beyond ASCII would fall together.
    if safe.len() <= LONGEST && whole.is_ascii() {
        return format!("{safe}.h5");
    }
    let sum: String = Sha256::digest(&whole).iter().take(4).map(|b| format!("{b:02x}")).collect();
    format!("{}-{sum}.h5", &safe[..safe.len().min(LONGEST - 1 - sum.len())])
}

/// Only letters, digits and `.-+` of ASCII, with `_` for runs of others; it begins with neither dot nor dash.
fn safe(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '.' | '-' if safe.is_empty() => {}
            _ if c.is_ascii_alphanumeric() || ".-+".contains(c) => safe.push(c),
            _ if safe.ends_with('_') => {}
            _ => safe.push('_'),
        }
    }
    if safe.is_empty() { "structure".into() } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str, source: &str, head: Option<&str>) -> NamedModel {
        NamedModel { name: name.into(), source: source.into(), head: head.map(Into::into) }
    }

    #[test]
    fn names_tell_what_differs_between_two_commands() {
        let chgnet = || model("chgnet-0.3.0", DEFAULT, None);
        let mace = || model("mace", "m/mace.model", Some("omat"));
        let axes = ["W1.x", "W1.z"];
        for (name, expected) in [
            (of_results("W2N3", &axes, &[chgnet()], Precision::Single), "W2N3-W1.x-W1.z.h5"),
            (of_results("W2N3", &axes[..1], &[chgnet()], Precision::Double), "W2N3-W1.x-float64.h5"),
            (
                of_results("a b/ü", &axes, &[mace()], Precision::Single),
                "a_b_-W1.x-W1.z-mace-omat-5b5a8349.h5",
            ),
            (
                of_results("-.W2N3", &axes, &[mace(), chgnet()], Precision::Single),
                "W2N3-W1.x-W1.z-mace-omat-chgnet-0.3.0.h5",
            ),
        ] {
            assert_eq!(name, expected);
        }
    }

    #[test]
    fn long_names_are_cut_and_still_differ() {
        let long = "x".repeat(300);
        let name = |end: &str| of_results(&(long.clone() + end), &["O1.x"], &[], Precision::Single);
        assert!(name("a") != name("b") && name("a").len() == LONGEST + 3);
    }
}
