//! Text tables.

/// Columns aligned by spaces, the first row being the heading; numbers-only columns to the right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, c: usize| row.get(c).cloned().unwrap_or_default();
    let width = |c: usize| rows.iter().map(|r| cell(r, c).chars().count()).max().unwrap_or(0);
    let is_number =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || "+-.eE %".contains(c));
    let numeric = |c: usize| rows.len() > 1 && rows[1..].iter().all(|r| is_number(&cell(r, c)));
    let mut out = String::new();
    for row in rows {
        let line: Vec<String> = (0..columns)
            .map(|c| {
                let (text, pad) = (cell(row, c), " ".repeat(width(c) - cell(row, c).chars().count()));
                if numeric(c) { format!("{pad}{text}") } else { format!("{text}{pad}") }
            })
            .collect();
        out.push_str(line.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// `1.5 GiB`.
pub(crate) fn bytes(count: usize) -> String {
    let units = ["B", "kiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// `1:02:03` or `4.2 s`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align() {
        let rows = [["name", "n"], ["a", "10"], ["bcd", "5"]];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|r| r.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(table(&rows), "name   n\na     10\nbcd    5\n");
    }

    #[test]
    fn sizes_and_times_are_readable() {
        assert_eq!(bytes(1000), "1000 B");
        assert_eq!(bytes(3 << 20), "3.0 MiB");
        assert_eq!(duration(3723.4), "1:02:03");
    }
}
