//! Landscapes to draw, and what can be read from their pictures.

#![allow(dead_code, reason = "every test file uses a part of this")]

use s2dpes::plot::{Axis, Landscape, Panel, Svg};

/// A toy energy in eV/atom with period 1 in both coordinates and its lowest point at (0.3, 0.6).
pub fn toy(x: f64, y: f64) -> f64 {
    let wave = |d: f64| 1.0 - (2.0 * std::f64::consts::PI * d).cos();
    wave(x - 0.3) + 0.7 * wave(y - 0.6) - 8.0
}

pub fn axis(label: &str, (low, high): (f64, f64), n: usize, periodic: bool) -> Axis {
    let cells = if periodic { n } else { n - 1 };
    let value = |i: usize| low + (high - low) * i as f64 / cells as f64;
    Axis { label: label.into(), values: (0..n).map(value).collect(), periodic, reference: None }
}

pub fn panel(axes: &[Axis], title: &str, energy: impl Fn(f64, f64) -> f64) -> Panel {
    let y = axes.get(1).map_or(vec![0.6], |axis| axis.values.clone());
    let energy = axes[0].values.iter().flat_map(|x| y.iter().map(|y| energy(*x, *y))).collect();
    Panel { title: title.into(), energy, ..Panel::default() }
}

/// One model on those axes, nothing masked.
pub fn one(axes: Vec<Axis>, energy: impl Fn(f64, f64) -> f64) -> Landscape {
    let panels = vec![panel(&axes, "MACE", energy)];
    let distance_cost = vec![0.0; panels[0].energy.len()];
    let title = "W₂N₃ · A3B2_oP20_62_3c_2c:N-W".into();
    Landscape { title, axes, distance_cost, panels, ..Landscape::default() }
}

/// The toy on a full period, `n` points along each axis.
pub fn full(n: usize) -> Landscape {
    one(vec![axis("x (W1, 4c)", (0.0, 1.0), n, true), axis("z (W1, 4c)", (0.0, 1.0), n, true)], toy)
}

/// What stands between `before` and the next quotation mark, for every occurrence.
pub fn all_after<'a>(svg: &'a str, before: &str) -> Vec<&'a str> {
    svg.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// All words of a figure.
pub fn said(svg: &Svg) -> String {
    let lines = svg.as_str().lines().filter_map(|line| line.strip_prefix("<text")?.strip_suffix("</text>"));
    lines.filter_map(|line| Some(line.split_once('>')?.1)).collect::<Vec<_>>().join(" ")
}

/// Left, top, width and height of each panel in points.
pub fn frames(svg: &Svg) -> Vec<[f64; 4]> {
    let number = |line: &str, name: &str| all_after(line, name)[0].parse().unwrap();
    let frame = |line: &str| [" x=\"", " y=\"", " width=\"", " height=\""].map(|name| number(line, name));
    svg.as_str().lines().filter(|line| line.contains("class=\"frame\"")).map(frame).collect()
}

/// Places of the stars in points, without the one in the key, which comes first.
pub fn stars(svg: &Svg) -> Vec<[f64; 2]> {
    let place = |text: &str| {
        let (x, y) = text.trim_end_matches(')').split_once(' ').unwrap();
        [x.parse().unwrap(), y.parse().unwrap()]
    };
    let marks = all_after(svg.as_str(), "class=\"input\" transform=\"translate(");
    marks.into_iter().skip(1).map(place).collect()
}

/// Colours of the bands of each panel, from the lowest level up.
pub fn fills(svg: &Svg) -> Vec<Vec<&str>> {
    let of_panel = |part| -> Vec<&str> {
        let lines = str::lines(part).filter(|line| line.contains("fill-rule") && !line.contains("class="));
        lines.flat_map(|line| all_after(line, "fill=\"")).collect()
    };
    let parts: Vec<&str> = svg.as_str().split("class=\"frame\"").collect();
    parts[..parts.len() - 1].iter().map(|part| of_panel(part)).collect()
}
