//! Landscapes with two axes: filled contours, one panel a model, one colour bar for all.

use super::colour::{ColourMap, Palette};
use super::contour::{Region, contours, is_masked, masked, missing};
use super::field::{Fields, Layer};
use super::layout::Layout;
use super::marks::{self, Entry, Frame, Mark, THIN_VEIL, VEIL};
use super::page::{self, MARGIN, TEXT, centred, upwards};
use super::svg::{Canvas, Path, Svg};
use super::text::Line;
use super::{Landscape, Masked, PlotError, Style};

/// Draws the figure.
pub fn draw(landscape: &Landscape, fields: &Fields, style: &Style) -> Result<Svg, PlotError> {
    let layout = Layout::new(landscape, fields, style, key_of(landscape, fields));
    let palette = Palette::new(colours(style), &fields.levels);
    let shared = Shared { landscape, fields, palette, style, mask: masked(&fields.grid, &fields.cost)? };
    let mut canvas = Canvas::new();
    layout.heading.draw(&mut canvas, layout.block.left, MARGIN);
    for (i, (layer, frame)) in fields.layers.iter().zip(&layout.frames).enumerate() {
        shared.panel(&mut canvas, layer, frame)?;
        frame.outline(&mut canvas);
        page::ticks_below(&mut canvas, frame, &layout.ticks[0], layout.is_lowest(i));
        page::ticks_left(&mut canvas, frame, &layout.ticks[1], i % layout.columns == 0);
        layout.names[i].draw(&mut canvas, frame);
        shared.signs(&mut canvas, layer, frame);
    }
    axis_labels(&mut canvas, landscape, &layout);
    layout.bar.draw(&mut canvas, fields, &shared.palette, layout.page);
    Ok(canvas.finish(layout.page, &landscape.title))
}

/// Draws the first layer small in a frame, without words around it; returns the range of its levels.
pub fn small(
    canvas: &mut Canvas,
    landscape: &Landscape,
    (fields, style): (&Fields, &Style),
    frame: &Frame,
) -> Result<(f64, f64), PlotError> {
    let palette = Palette::new(colours(style), &fields.levels);
    let shared = Shared { landscape, fields, palette, style, mask: masked(&fields.grid, &fields.cost)? };
    let ends = |nodes: &[f64]| (nodes[0], nodes[nodes.len() - 1]);
    let frame = Frame { x: ends(&fields.grid.x), y: ends(&fields.grid.y), ..*frame };
    if let Some(layer) = fields.layers.first() {
        shared.panel(canvas, layer, &frame)?;
        frame.outline(canvas);
        shared.signs(canvas, layer, &frame);
    }
    Ok(fields.levels.range())
}

/// The map that suits the values.
fn colours(style: &Style) -> ColourMap {
    match (style.difference.is_some(), style.colours.is_diverging()) {
        (true, false) => ColourMap::RedBlue,
        _ => style.colours,
    }
}

/// The marks that occur on some panel, and what they mean.
pub fn key_of(landscape: &Landscape, fields: &Fields) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |mark: Mark, words: &str| entries.push(Entry { mark, words: words.to_owned() });
    if !inputs(landscape).is_empty() {
        add(Mark::Input, "input structure");
    }
    let lowest = || fields.layers.iter().filter_map(|layer| layer.lowest.as_ref());
    let is_one_of_many = |at_edge: bool| lowest().any(|l| l.at_edge == at_edge && l.nodes.len() < l.equal);
    if lowest().any(|lowest| !lowest.at_edge) {
        let of_many = if is_one_of_many(false) { "minimum (of equal ones the nearest)" } else { "minimum" };
        add(Mark::Lowest, of_many);
    }
    if lowest().any(|lowest| lowest.at_edge) {
        let of_many = if is_one_of_many(true) { " (of equal ones the nearest)" } else { "" };
        add(Mark::Edge, &format!("lowest point, at the edge of the mask{of_many}"));
    }
    if fields.cost.iter().any(|cost| is_masked(*cost)) {
        let remark = &landscape.cost_remark;
        let remark = if remark.is_empty() { String::new() } else { format!(" ({remark})") };
        add(Mark::Masked, &format!("distance cost > 0{remark}"));
    }
    // A panel without any value says so itself.
    let partly = |layer: &Layer| layer.note.is_none() && layer.values.iter().any(|value| value.is_nan());
    // A curve is broken there, on white ground.
    if landscape.axes.len() > 1 && fields.layers.iter().any(partly) {
        add(Mark::Missing, "no energy");
    }
    entries
}

/// Coordinates of the input structure, its images on the borders included; empty if it is outside.
pub fn inputs(landscape: &Landscape) -> Vec<[f64; 2]> {
    let images = |i: usize| {
        let axis = landscape.axes.get(i);
        axis.and_then(|axis| Some(axis.images(axis.reference?))).unwrap_or_default()
    };
    let (x, y) = (images(0), if landscape.axes.len() == 1 { vec![0.0] } else { images(1) });
    y.iter().flat_map(|y| x.iter().map(|x| [*x, *y])).collect()
}

fn axis_labels(canvas: &mut Canvas, landscape: &Landscape, layout: &Layout) {
    let block = &layout.block;
    if let Some(axis) = landscape.axes.first() {
        let at = [block.middle()[0], layout.label_below];
        centred(canvas, Line::of_axis(&axis.label), at, TEXT, layout.page.0 - 2.0 * MARGIN);
    }
    if let Some(axis) = landscape.axes.get(1) {
        let room = (MARGIN + layout.heading.height(), layout.page.1 - MARGIN);
        upwards(canvas, Line::of_axis(&axis.label), [layout.label_left, block.middle()[1]], room);
    }
}

/// What all panels have in common.
struct Shared<'a> {
    landscape: &'a Landscape,
    fields: &'a Fields,
    palette: Palette,
    style: &'a Style,
    mask: Region,
}

impl Shared<'_> {
    /// The picture inside a frame.
    fn panel(&self, canvas: &mut Canvas, layer: &Layer, frame: &Frame) -> Result<(), PlotError> {
        if layer.values.iter().any(|value| !value.is_nan()) {
            self.bands(canvas, layer, frame)?;
        }
        if layer.note.is_none() && layer.values.iter().any(|value| value.is_nan()) {
            let path = outline(&missing(&self.fields.grid, &layer.values)?, frame);
            canvas.add(format_args!(
                "<path class=\"missing\" d=\"{path}\" fill=\"#fff\" fill-rule=\"evenodd\"/>"
            ));
        }
        marks::mask(canvas, &frame.rings(&self.mask), veil(self.fields, self.style));
        Ok(())
    }

    /// Paints the region above each level over the one before: no seams, no bookkeeping of holes.
    fn bands(&self, canvas: &mut Canvas, layer: &Layer, frame: &Frame) -> Result<(), PlotError> {
        let levels = &self.fields.levels;
        let (low, high) = levels.range();
        // Values far beyond the range are cut: linear interpolation towards the huge energies of overlapping
        // atoms would put every level onto the last node before them, and the outlines into stairs.
        let reach = high - low;
        let values: Vec<f64> =
            layer.values.iter().map(|value| value.clamp(low - reach, high + reach)).collect();
        let steps: Vec<(f64, _)> =
            levels.edges.iter().copied().zip(self.palette.bands.iter().chain([&self.palette.over])).collect();
        let ground = if levels.under { self.palette.under } else { self.palette.bands[0] };
        frame.fill(canvas, ground);
        let first = usize::from(!levels.under);
        let last = steps.len() - usize::from(!levels.over);
        let edges: Vec<f64> = steps[first..last].iter().map(|step| step.0).collect();
        let line =
            if self.style.lines { " stroke=\"#000\" stroke-opacity=\".3\" stroke-width=\".25\"" } else { "" };
        for (region, (_, colour)) in
            contours(&self.fields.grid, &values, &edges)?.iter().zip(&steps[first..last])
        {
            let path = outline(region, frame);
            if !path.is_empty() {
                canvas
                    .add(format_args!("<path d=\"{path}\" fill=\"{colour}\" fill-rule=\"evenodd\"{line}/>"));
            }
        }
        Ok(())
    }

    /// What stands over the frame: the note, the input structure, the lowest points.
    fn signs(&self, canvas: &mut Canvas, layer: &Layer, frame: &Frame) {
        let inputs: Vec<[f64; 2]> = inputs(self.landscape).iter().map(|input| frame.place(*input)).collect();
        let lowest: Vec<[f64; 2]> = self.lowest(layer).iter().map(|place| frame.place(*place)).collect();
        if let Some(words) = &layer.note {
            page::note(canvas, frame, words, &inputs);
        } else if !layer.remark.is_empty() {
            page::remark(canvas, frame, &layer.remark, &[&inputs[..], &lowest[..]].concat());
        }
        let radius = match frame.width {
            width if width < 110.0 => 2.8,
            width if width < 120.0 => 4.0,
            _ => 4.6,
        };
        for input in inputs {
            marks::star(canvas, input, radius);
        }
        // Over the star and around it, so that both show where they meet.
        let broken = layer.lowest.as_ref().is_some_and(|lowest| lowest.at_edge);
        for place in lowest {
            marks::ring(canvas, place, radius + 1.7, (&"#000", broken));
        }
    }

    /// Coordinates of the lowest points, their images on the borders included.
    fn lowest(&self, layer: &Layer) -> Vec<[f64; 2]> {
        let (nx, ny) = self.fields.shape();
        let nodes = layer.lowest.iter().flat_map(|lowest| &lowest.nodes);
        let images = nodes.flat_map(|[x, y]| {
            let columns = both_ends(self.landscape, 0, *x, nx);
            let rows = both_ends(self.landscape, 1, *y, ny);
            rows.into_iter().flat_map(move |y| columns.clone().into_iter().map(move |x| [x, y]))
        });
        images.map(|[x, y]| [self.fields.grid.x[x], self.fields.grid.y[y]]).collect()
    }
}

/// Opacity of the veil over masked energies: thinner where there is nothing else to see.
pub fn veil(fields: &Fields, style: &Style) -> f64 {
    match style.masked {
        Masked::Hidden => 1.0,
        Masked::Pale if fields.is_all_masked() => THIN_VEIL,
        Masked::Pale => VEIL,
    }
}

/// Node `i` of `n` along an axis; the first and the last node of a periodic axis are the same.
pub fn both_ends(landscape: &Landscape, axis: usize, i: usize, n: usize) -> Vec<usize> {
    let periodic = landscape.axes.get(axis).is_some_and(|axis| axis.periodic);
    if periodic && i.is_multiple_of(n - 1) { vec![0, n - 1] } else { vec![i] }
}

fn outline(region: &Region, frame: &Frame) -> Path {
    let mut path = Path::default();
    frame.rings(region).iter().for_each(|ring| path.ring(ring));
    path
}
