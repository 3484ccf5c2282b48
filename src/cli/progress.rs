//! Progress: a bar on a terminal, a line now and then in a log.

use std::io::IsTerminal;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};
use s2dpes::campaign::{Outcome, Report};
use s2dpes::cluster::Pace;

use super::table::duration;

/// Between lines of a log.
const EVERY: Duration = Duration::from_secs(30);

/// Shows how far a campaign is.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        let terminal = std::io::stderr().is_terminal();
        let bar = terminal.then(|| {
            let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Progress { bar, last_line: Instant::now() }
    }

    pub(crate) fn show(&mut self, report: &Report) {
        if let Some(bar) = &self.bar {
            bar.set_length(report.outcome.tiles as u64);
            bar.set_position(report.outcome.tiles_done as u64);
            bar.set_message(message(report));
        } else if self.last_line.elapsed() >= EVERY {
            self.last_line = Instant::now();
            let Outcome { tiles, tiles_done, .. } = report.outcome;
            let percent = 100 * tiles_done / (*tiles).max(1);
            log::info!("tile {tiles_done} of {tiles}  {percent} %  {}", message(report));
        }
    }

    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// `W2N3/W1.x-W1.z/demo  12345 points/s  2 of 64 ranks idle  about 0:12:00 left`.
fn message(report: &Report) -> String {
    let speed = report.outcome.points as f64 / report.elapsed.as_secs_f64().max(1e-9);
    let Pace { ranks, idle, left } = report.pace;
    let idle = if ranks > 1 { format!("  {idle} of {ranks} ranks idle") } else { String::new() };
    let left = match left.as_secs_f64() {
        0.0 => String::new(),
        seconds => format!("  about {} left", duration(seconds)),
    };
    format!("{}  {speed:.0} points/s{idle}{left}", report.surface)
}

/// `2026-11-22T08:00:00Z`.
pub(crate) fn utc_now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, time) = ((seconds / 86_400) as i64, seconds % 86_400);
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time / 3600, time / 60 % 60, time % 60)
}

/// Gregorian date of a day counted from 1970-01-01, for days from then on.
fn civil_from_days(mut days: i64) -> (i64, i64, i64) {
    let is_leap = |y: i64| (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    let mut year = 1970;
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::civil_from_days;

    #[test]
    fn dates_of_known_days() {
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(civil_from_days(11_016), (2000, 2, 29));
        assert_eq!(civil_from_days(20_779), (2026, 11, 22));
    }
}
