//! Lines of JSON, written as they come, and the report that is made of them.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde_json::Value;

use super::Failure;

/// All that was measured.
pub struct Output {
    file: File,
    records: Vec<Value>,
    dry_run: bool,
}

impl Output {
    /// Begins a file. The report of a dry run says what it is.
    pub fn create(path: &Path, dry_run: bool) -> Result<Output, Failure> {
        let file = File::create(path).map_err(|e| format!("{} cannot be written: {e}", path.display()))?;
        Ok(Output { file, records: Vec::new(), dry_run })
    }

    /// Adds a record of a kind.
    pub fn add(&mut self, kind: &str, mut record: Value) -> Result<(), Failure> {
        record["kind"] = kind.into();
        writeln!(self.file, "{record}")?;
        self.file.flush()?;
        self.records.push(record);
        Ok(())
    }

    /// Whether no check has failed.
    pub fn all_passed(&self) -> bool {
        self.records.iter().all(|r| r["passed"] != false)
    }

    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.records.iter().filter(move |r| r["kind"] == kind)
    }

    /// Markdown.
    pub fn report(&self) -> String {
        let mut out = String::new();
        if self.dry_run {
            out += "**DRY RUN: no figure below means anything.**\n\n";
        }
        for device in self.of("device") {
            out += &format!(
                "{}, {}, s2dpes {}\n\n",
                text(&device["name"]),
                text(&device["architecture"]),
                text(&device["version"])
            );
        }
        out += "| model | landscape | precision | nodes | points/s | µs a point | irreducible: points | points/s | \
                largest difference, eV/atom | CPU agrees | same bits |\n";
        out += "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |\n";
        self.of("accuracy").for_each(|accuracy| out += &self.landscape(accuracy));
        out += "\nThe whole program, from its command to the file:\n\n";
        out += "| model | landscape | nodes | seconds |\n| --- | --- | ---: | ---: |\n";
        for run in self.of("program") {
            let names = ["model", "landscape"].map(|k| text(&run[k]));
            out +=
                &format!("| {} | {} | {:.2} |\n", names.join(" | "), run["nodes"], number(run, "median_s"));
        }
        out += &self.kernels();
        out
    }

    fn landscape(&self, accuracy: &Value) -> String {
        const NAMES: [&str; 3] = ["model", "landscape", "precision"];
        let same = |r: &&Value| NAMES.iter().all(|k| r[k] == accuracy[k]);
        let rate = |what: &str| self.of("rate").filter(same).find(|r| r["what"] == what);
        let (Some(every), Some(irreducible)) = (rate("every node"), rate("irreducible nodes")) else {
            return String::new();
        };
        let bits = self.of("bits").find(same);
        let yes =
            |record: Option<&Value>| if record.is_some_and(|r| r["passed"] == true) { "yes" } else { "NO" };
        format!(
            "| {} | {} | {:.0} | {:.3} | {} | {:.0} | {:.1e} | {} | {} |\n",
            NAMES.map(|k| text(&accuracy[k])).join(" | "),
            every["nodes"],
            number(every, "points_per_s"),
            number(every, "us_per_point"),
            irreducible["points"],
            number(irreducible, "points_per_s"),
            number(accuracy, "largest_difference_eV_per_atom"),
            yes(Some(accuracy)),
            yes(bits),
        )
    }

    fn kernels(&self) -> String {
        let mut out = "\nKernels on one batch, without what is computed once for a landscape. Work is counted; bytes \
                       are those of operands and results, wherever they lie. At most this GPU does, measured: "
            .to_string();
        for ceilings in self.of("ceilings") {
            out += &match ceilings["missing"].as_str() {
                Some(why) => format!("unknown ({why})."),
                None => {
                    let [flop, bytes] = ["TFLOP_per_s", "GB_per_s"].map(|k| number(ceilings, k));
                    format!("{flop:.1} TFLOP/s of float32 multiply-adds, {bytes:.0} GB/s of copies.")
                }
            };
        }
        out += "\n\n| model | landscape | precision | part | points | ms | share | TFLOP/s | GB/s | kernels, ms |\n";
        out += "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |\n";
        for part in self.of("kernels") {
            let own = part["kernels_ms"].as_object().into_iter().flatten();
            let mut own: Vec<(&str, f64)> =
                own.map(|(name, ms)| (name.as_str(), ms.as_f64().unwrap_or(0.0))).collect();
            own.sort_by(|a, b| b.1.total_cmp(&a.1));
            let own: Vec<String> = own.into_iter().map(|(name, ms)| format!("{name} {ms:.3}")).collect();
            let names = ["model", "landscape", "precision", "part"].map(|k| text(&part[k]));
            out += &format!(
                "| {} | {} | {:.3} | {:.0} % | {} | {} | {} |\n",
                names.join(" | "),
                part["points"],
                number(part, "ms"),
                100.0 * number(part, "share"),
                part["TFLOP_per_s"].as_f64().map_or("-".into(), |rate| format!("{rate:.2}")),
                part["GB_per_s"].as_f64().map_or("-".into(), |rate| format!("{rate:.0}")),
                own.join(", "),
            );
        }
        out
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(record: &Value, key: &str) -> f64 {
    record[key].as_f64().unwrap_or(f64::NAN)
}
