//! Progress: a bar on a terminal, a line now and then in a log.

use std::io::IsTerminal;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};
use s2dpes::campaign::Report;

use super::table::duration;

/// Between lines of a log.
const EVERY: Duration = Duration::from_secs(30);

/// Shows how far a campaign is.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    last_line: Instant,
    /// Tiles that were stored before this run, known from its first report.
    tiles_before: Option<usize>,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        let terminal = std::io::stderr().is_terminal();
        let bar = terminal.then(|| {
            let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Progress { bar, last_line: Instant::now(), tiles_before: None }
    }

    pub(crate) fn show(&mut self, report: &Report) {
        let before = *self.tiles_before.get_or_insert(report.tiles_done.saturating_sub(1));
        let seconds = report.elapsed.as_secs_f64();
        let done = (report.tiles_done - before).max(1);
        let left = seconds / done as f64 * (report.tiles - report.tiles_done) as f64;
        let message = format!(
            "{}  {:.0} points/s  about {} left",
            report.surface,
            report.points as f64 / seconds.max(1e-9),
            duration(left)
        );
        if let Some(bar) = &self.bar {
            bar.set_length(report.tiles as u64);
            bar.set_position(report.tiles_done as u64);
            bar.set_message(message);
        } else if self.last_line.elapsed() >= EVERY {
            self.last_line = Instant::now();
            log::info!("tile {} of {}  {message}", report.tiles_done, report.tiles);
        }
    }

    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
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
