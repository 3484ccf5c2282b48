//! A contact sheet: many landscapes as small panels, each with levels of its own.

use super::field::Fields;
use super::levels::{decimals_of, number};
use super::marks::{Entry, Frame, KEY_SIZE, key, key_rows};
use super::page::{self, LEADING, MARGIN, TITLE, centred};
use super::svg::{Anchor, Canvas, Svg};
use super::text::{self, Line};
use super::{Landscape, PlotError, Style, curves, map};

/// A small panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Written above it.
    pub name: String,
    /// With the panel to draw, the first; its title is not used.
    pub landscape: Landscape,
}

/// About how wide a cell is, in points.
const CELL: f64 = 84.0;
/// Between two cells side by side.
const BESIDE: f64 = 8.0;
/// Between two rows.
const GAP: f64 = 5.0;
/// Between a frame and what is written above and below it: marks on its edge stick out.
const AIR: f64 = 4.0;
/// Height of a page of several, in points.
const PAGE: f64 = 720.0;
/// Letters of names and levels.
const SMALL: f64 = 6.0;
const SMALL_LEADING: f64 = 7.5;
/// Lines of a name.
const NAME_LINES: usize = 2;

/// Where the cells of a sheet go.
struct Grid {
    columns: usize,
    side: f64,
    width: f64,
}

impl Grid {
    fn new(style: &Style) -> Grid {
        let width = style.width.points();
        let suited = ((width - 2.0 * MARGIN + BESIDE) / (CELL + BESIDE)).floor().max(1.0) as usize;
        let columns = style.columns.unwrap_or(suited).clamp(1, 2 * suited);
        let side = (width - 2.0 * MARGIN - BESIDE * (columns - 1) as f64) / columns as f64;
        Grid { columns, side, width }
    }

    /// Height of a row: name, panel, levels, gap.
    fn row(&self) -> f64 {
        SMALL_LEADING * (NAME_LINES + 1) as f64 + self.side + 2.0 * AIR + GAP
    }

    /// The frame of cell `i` of a page whose cells begin at `top`.
    fn frame(&self, i: usize, top: f64) -> Frame {
        let (column, row) = ((i % self.columns) as f64, (i / self.columns) as f64);
        Frame {
            left: MARGIN + column * (self.side + BESIDE),
            top: top + row * self.row() + SMALL_LEADING * NAME_LINES as f64 + AIR,
            width: self.side,
            height: self.side,
            x: (0.0, 1.0),
            y: (0.0, 1.0),
        }
    }
}

/// Draws a sheet under a title: pages of about ten inches, or one as long as it must be. A landscape that cannot be drawn
/// says why in its place.
pub fn sheet(title: &str, cells: &[Cell], style: &Style, paged: bool) -> Result<Vec<Svg>, PlotError> {
    style.check()?;
    if cells.is_empty() {
        return Err(PlotError::NoPanels);
    }
    let grid = Grid::new(style);
    let fields: Vec<Result<Fields, PlotError>> = cells.iter().map(|cell| fields_of(cell, style)).collect();
    let heading = Heading::new(title, cells, &fields, style, grid.width - 2.0 * MARGIN);
    let top = MARGIN + heading.height() + GAP;
    let rows =
        if paged { (((PAGE - top - MARGIN) / grid.row()).floor() as usize).max(1) } else { usize::MAX };
    let of_page = rows.saturating_mul(grid.columns).min(cells.len());
    let count = cells.len().div_ceil(of_page);
    let mut pages = Vec::new();
    for (number, page) in cells.chunks(of_page).enumerate() {
        let mut canvas = Canvas::new();
        heading.draw(&mut canvas, (number + 1, count));
        for (i, (cell, fields)) in page.iter().zip(&fields[number * of_page..]).enumerate() {
            draw_cell(&mut canvas, cell, fields, &grid.frame(i, top), style)?;
        }
        let height = top + page.len().div_ceil(grid.columns) as f64 * grid.row() + MARGIN;
        pages.push(canvas.finish((grid.width, if count > 1 { PAGE } else { height }), title));
    }
    Ok(pages)
}

fn fields_of(cell: &Cell, style: &Style) -> Result<Fields, PlotError> {
    cell.landscape.check()?;
    Fields::new(&cell.landscape, style)
}

fn draw_cell(
    canvas: &mut Canvas,
    cell: &Cell,
    fields: &Result<Fields, PlotError>,
    frame: &Frame,
    style: &Style,
) -> Result<(), PlotError> {
    let lines = name_lines(&cell.name, frame.width);
    for (i, line) in lines.iter().rev().enumerate() {
        let at = [frame.middle()[0], frame.top - AIR - SMALL_LEADING * (i as f64 + 0.5)];
        centred(canvas, line.clone(), at, SMALL, frame.width);
    }
    let below = [frame.middle()[0], frame.bottom() + AIR + 0.5 * SMALL_LEADING];
    match fields {
        Ok(fields) => {
            let small = match cell.landscape.axes.len() {
                1 => curves::small(canvas, &cell.landscape, (fields, style), frame),
                _ => map::small(canvas, &cell.landscape, (fields, style), frame)?,
            };
            let (low, high) = small;
            let decimals = decimals_of(high - low);
            let words = format!("{} to {}", number(low, decimals), number(high, decimals));
            centred(canvas, Line::plain(words), below, SMALL, frame.width);
        }
        Err(error) => {
            frame.outline(canvas);
            page::remark(canvas, frame, &error.to_string(), &[]);
        }
    }
    Ok(())
}

/// A name in two lines at most.
fn name_lines(name: &str, room: f64) -> Vec<Line> {
    let mut lines = text::wrapped(name, SMALL, room);
    if lines.len() > NAME_LINES {
        let rest = lines.split_off(NAME_LINES - 1).join(" ");
        lines.push(rest);
    }
    lines.into_iter().map(|line| Line::plain(line).cut(SMALL, room)).collect()
}

/// What stands above the cells of every page.
struct Heading {
    title: String,
    legend: Vec<String>,
    key: Vec<Vec<Entry>>,
    width: f64,
}

impl Heading {
    fn new(
        title: &str,
        cells: &[Cell],
        fields: &[Result<Fields, PlotError>],
        style: &Style,
        width: f64,
    ) -> Heading {
        let unit = match style.relative_to {
            super::RelativeTo::Minimum => "above the minimum of the panel",
            super::RelativeTo::Reference => "above the input structure",
            super::RelativeTo::Absolute => "as the model gives them",
        };
        let legend = format!(
            "Colours or heights run from the first to the second number below a panel, in eV/atom {unit}; the first axis \
             runs to the right."
        );
        let mut entries: Vec<Entry> = Vec::new();
        for (cell, fields) in cells.iter().zip(fields) {
            let Ok(fields) = fields else { continue };
            // What holds for single cells only is left to their own pictures.
            let plain = Landscape { cost_remark: String::new(), ..cell.landscape.clone() };
            for entry in map::key_of(&plain, fields) {
                if !entries.iter().any(|known| known.words == entry.words) {
                    entries.push(entry);
                }
            }
        }
        entries.sort_by_key(|entry| entry.mark);
        let key = if style.key { key_rows(entries, width) } else { Vec::new() };
        let legend = text::wrapped(&legend, KEY_SIZE, width);
        Heading { title: title.to_owned(), legend, key, width }
    }

    fn height(&self) -> f64 {
        LEADING * (usize::from(!self.title.is_empty()) + self.legend.len() + self.key.len()) as f64
    }

    fn draw(&self, canvas: &mut Canvas, (page, pages): (usize, usize)) {
        let mut middle = MARGIN + 0.5 * LEADING;
        if !self.title.is_empty() {
            let title = match pages {
                1 => self.title.clone(),
                _ => format!("{} ({page} of {pages})", self.title),
            };
            let (line, size) = Line::plain(title).fitted(TITLE, self.width);
            canvas.label(&line, [MARGIN, middle], size, Anchor::Start);
            middle += LEADING;
        }
        for line in &self.legend {
            canvas.label(&Line::plain(line.as_str()), [MARGIN, middle], KEY_SIZE, Anchor::Start);
            middle += LEADING;
        }
        for row in &self.key {
            key(canvas, row, [MARGIN, middle], self.width);
            middle += LEADING;
        }
    }
}
