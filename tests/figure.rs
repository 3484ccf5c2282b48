//! Figures, by what they promise.

#[path = "common/pictures.rs"]
mod pictures;

use pictures::*;
use s2dpes::plot::{ColourMap, DPI, Landscape, Panel, PlotError, RelativeTo, Style, Svg, Width, draw, write};

#[test]
fn a_periodic_axis_is_drawn_as_if_closed_by_hand() {
    let open = full(20);
    let mut closed = full(20);
    for axis in &mut closed.axes {
        axis.values.push(1.0);
        axis.periodic = false;
    }
    let energy = |i: usize| open.panels[0].energy[i / 21 % 20 * 20 + i % 21 % 20];
    closed.panels[0].energy = (0..441).map(energy).collect();
    closed.distance_cost = vec![0.0; 441];
    assert_eq!(draw(&open, &Style::default()).unwrap(), draw(&closed, &Style::default()).unwrap());
}

#[test]
fn the_star_is_at_the_coordinates_of_the_input_structure() {
    let mut landscape = full(24);
    // The second coordinate is wrapped: -0.58 is 0.42.
    (landscape.axes[0].reference, landscape.axes[1].reference) = (Some(0.7), Some(-0.58));
    let svg = draw(&landscape, &Style::default()).unwrap();
    let ([frame], [star]) = (&frames(&svg)[..], &stars(&svg)[..]) else { panic!("one panel, one star") };
    assert!((star[0] - (frame[0] + 0.7 * frame[2])).abs() < 0.02);
    assert!((star[1] - (frame[1] + (1.0 - 0.42) * frame[3])).abs() < 0.02);
}

#[test]
fn an_input_structure_on_the_border_shows_on_both_ends_and_one_outside_not_at_all() {
    let mut landscape = full(24);
    (landscape.axes[0].reference, landscape.axes[1].reference) = (Some(1.0 - 1e-9), Some(0.5));
    let svg = draw(&landscape, &Style::default()).unwrap();
    let frame = frames(&svg)[0];
    let [left, right] = stars(&svg)[..] else { panic!("two stars") };
    assert!((left[0] - frame[0]).abs() < 0.02 && (right[0] - frame[0] - frame[2]).abs() < 0.02);

    let mut part = one(vec![axis("x", (0.2, 0.4), 9, false), axis("z", (0.0, 1.0), 9, true)], toy);
    (part.axes[0].reference, part.axes[1].reference) = (Some(0.7), Some(0.5));
    assert!(!draw(&part, &Style::default()).unwrap().as_str().contains("class=\"input\""));
}

#[test]
fn the_lowest_point_is_sought_outside_the_mask() {
    let mut landscape = full(10);
    landscape.panels[0].energy[7] = -100.0; // (0, 0.7): an artefact of overlapping atoms
    landscape.distance_cost[7] = 0.2;
    let svg = draw(&landscape, &Style::default()).unwrap();
    let x: f64 = all_after(svg.as_str(), "class=\"lowest\" cx=\"")[1].parse().unwrap();
    let frame = frames(&svg)[0];
    assert!((x - (frame[0] + 0.3 * frame[2])).abs() < 0.02);
    // What is lower than the lowest level shows as an arrow head at that end of the bar.
    assert_eq!(svg.as_str().matches("class=\"beyond\"").count(), 1);
}

#[test]
fn the_lowest_point_shows_where_it_meets_the_input_structure() {
    let mut landscape = full(10);
    for (axis, reference) in landscape.axes.iter_mut().zip([0.3, 0.6]) {
        axis.reference = Some(reference);
    }
    let svg = draw(&landscape, &Style::default()).unwrap();
    let (star, ring) = (svg.as_str().rfind("class=\"input\""), svg.as_str().rfind("class=\"lowest\""));
    assert!(star.unwrap() < ring.unwrap(), "the ring is drawn over the star");
    let line = svg.as_str().lines().rfind(|line| line.contains("class=\"lowest\"")).unwrap();
    let radius: f64 = all_after(line, " r=\"")[0].parse().unwrap();
    assert!(radius > 4.6 + 0.3, "a star fits inside a ring of radius {radius}");
}

#[test]
fn arrow_heads_appear_only_where_values_are_cut() {
    let heads = |range| {
        let style = Style { range: Some(range), ..Style::default() };
        draw(&full(30), &style).unwrap().as_str().matches("class=\"beyond\"").count()
    };
    assert_eq!([(0.0, 4.0), (0.0, 2.0), (0.5, 4.0), (0.5, 2.0)].map(heads), [0, 1, 1, 2]);
}

#[test]
fn panels_share_their_levels() {
    let mut landscape = full(40);
    let axes = landscape.axes.clone();
    landscape.panels.push(panel(&axes, "shifted", |x, y| toy(x, y) + 3.0));
    landscape.panels.push(panel(&axes, "half", |x, y| 0.5 * toy(x, y)));
    let svg = draw(&landscape, &Style::default()).unwrap();
    let [toy, shifted, half] = &fills(&svg)[..] else { panic!("three panels") };
    assert!((9..=20).contains(&toy.len()), "{toy:?}");
    assert_eq!(toy, shifted, "a shift alone changes nothing");
    assert_eq!(half[..], toy[..half.len()], "half as high: the same colours, fewer");
    assert!(half.len() <= toy.len() / 2 + 1);
}

#[test]
fn the_zero_of_energy_is_the_minimum_the_input_structure_or_the_models_own() {
    let drawn = |relative_to, shift: f64, reference| {
        let mut landscape = full(16);
        landscape.panels[0].energy.iter_mut().for_each(|energy| *energy += shift);
        landscape.panels[0].reference_energy = Some(reference);
        let style = Style { relative_to, ..Style::default() };
        draw(&landscape, &style).unwrap().as_str().to_owned()
    };
    use RelativeTo::{Absolute, Minimum, Reference};
    assert_eq!(drawn(Minimum, 0.0, 0.0), drawn(Minimum, 2.0, 0.5));
    assert_eq!(drawn(Reference, 0.0, -7.0), drawn(Reference, 2.0, -5.0));
    assert_ne!(drawn(Reference, 0.0, -7.0), drawn(Reference, 0.0, -6.5));
    assert_eq!(drawn(Absolute, 0.0, -7.0), drawn(Absolute, 0.0, -5.0));
    assert_ne!(drawn(Absolute, 0.0, -7.0), drawn(Absolute, 2.0, -7.0));
    assert!(drawn(Minimum, 0.0, 0.0).contains(">min</tspan>"));
    assert!(drawn(Reference, 0.0, -7.0).contains(">input</tspan>"));
}

#[test]
fn a_difference_shows_all_models_but_the_one_compared_with() {
    let mut landscape = full(20);
    let axes = landscape.axes.clone();
    landscape.panels.push(panel(&axes, "DFT", |x, y| toy(x, y) + 0.1 * (20.0 * x).sin() + 1.0));
    landscape.panels.push(panel(&axes, "the same", toy));
    let style = |name: &str| Style { difference: Some(name.into()), ..Style::default() };
    let svg = draw(&landscape, &style("MACE")).unwrap();
    assert_eq!(frames(&svg).len(), 2);
    assert!(svg.as_str().contains("(MACE) (eV/atom)"));
    // The one that is the same has one colour, and says so.
    assert!(svg.as_str().contains("constant: 0.0000"));
    let error = draw(&landscape, &style("CHGNet")).unwrap_err().to_string();
    assert!(error.contains("CHGNet") && error.contains("MACE, DFT, the same"), "{error}");
}

#[test]
fn strange_fields_are_drawn_and_say_what_they_are() {
    let says = |change: &dyn Fn(&mut Landscape), words: &str| {
        let mut landscape = full(6);
        change(&mut landscape);
        for (width, difference) in [(Width::Single, false), (Width::Double, true)] {
            let mut landscape = landscape.clone();
            landscape.panels.push(panel(&landscape.axes.clone(), "DFT", |x, y| 2.0 * toy(x, y)));
            let difference = difference.then(|| "DFT".to_owned());
            let svg = draw(&landscape, &Style { width, difference, ..Style::default() }).unwrap();
            assert!(said(&svg).contains(words) || width == Width::Double, "{words}: {}", said(&svg));
            assert!(!svg.as_str().contains("NaN") && !svg.as_str().contains("inf"));
        }
    };
    says(&|l| l.panels[0].energy.fill(f64::NAN), "not computed");
    says(&|l| l.panels[0].energy.fill(-3.0), "constant:");
    says(&|l| l.distance_cost.fill(0.1), "all points masked");
    says(&|l| l.panels[0].energy[4] = f64::INFINITY, "MACE");
    says(&|l| l.panels[0].energy[4] = f64::NEG_INFINITY, "no energy");
    says(&|l| l.panels[0].energy[4] = 1e300, "MACE");
    says(&|l| l.panels[0].energy[4] = -1e300, "below the range: down to −1.0e9");
    says(&|l| l.panels[0].energy.iter_mut().skip(2).for_each(|e| *e = f64::NAN), "no energy");
}

#[test]
fn tiny_grids_and_single_points_of_a_period_are_drawn() {
    for (n0, n1) in [(2, 2), (3, 5), (1, 1), (1, 7)] {
        let periodic = n0.min(n1) == 1;
        let axes = vec![axis("x", (0.0, 1.0), n0, periodic), axis("z", (0.0, 1.0), n1, periodic)];
        let svg = draw(&one(axes, toy), &Style::default()).unwrap();
        assert!(!svg.as_str().contains("NaN"), "{n0} x {n1}");
    }
}

#[test]
fn one_axis_gives_one_curve_a_model() {
    let mut landscape = one(vec![axis("x (W1, 4c)", (0.0, 1.0), 40, true)], toy);
    let axes = landscape.axes.clone();
    landscape.panels.push(panel(&axes, "DFT", |x, y| 1.1 * toy(x, y)));
    landscape.panels.push(Panel { title: "ORB".into(), energy: vec![f64::NAN; 40], ..Panel::default() });
    landscape.distance_cost[30..].fill(0.1);
    landscape.axes[0].reference = Some(0.25);
    let svg = draw(&landscape, &Style { width: Width::Single, ..Style::default() }).unwrap();
    let count = |what: &str| svg.as_str().matches(what).count();
    assert_eq!((count("class=\"curve\""), count("class=\"masked\"")), (2, 2));
    assert!(svg.as_str().contains("ORB (not computed)"));
    let (frame, star) = (frames(&svg)[0], stars(&svg)[0]);
    assert!((star[0] - (frame[0] + 0.25 * frame[2])).abs() < 0.02);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let mut landscape = full(30);
    landscape.distance_cost[100..140].fill(0.3);
    let again = || draw(&landscape.clone(), &Style::default()).unwrap();
    assert_eq!(again(), again());
}

#[test]
fn figures_are_small() {
    let rugged = |x: f64, y: f64| toy(x, y) + 0.3 * (40.0 * x + 9.0 * y).sin() + 0.2 * (50.0 * y).cos();
    let mut landscape = full(121);
    let axes = landscape.axes.clone();
    landscape.panels = (0..6).map(|_| panel(&axes, "MACE", rugged)).collect();
    let bytes = draw(&landscape, &Style::default()).unwrap().as_str().len();
    assert!(bytes < 1_000_000, "{bytes} bytes");
}

#[test]
fn errors_name_the_way_out() {
    let message = |change: &dyn Fn(&mut Landscape, &mut Style)| {
        let (mut landscape, mut style) = (full(4), Style::default());
        change(&mut landscape, &mut style);
        draw(&landscape, &style).unwrap_err().to_string()
    };
    let contains = |message: String, words: &str| assert!(message.contains(words), "{message}");
    contains(message(&|l, _| l.axes.clear()), "one or two axes");
    contains(message(&|l, _| l.panels.clear()), "no model");
    contains(
        message(&|l, _| l.distance_cost.truncate(3)),
        "the distance cost has 3 values, but the grid has 16",
    );
    contains(message(&|l, _| l.panels[0].energy.push(0.0)), "\"MACE\" has 17 values");
    contains(message(&|l, _| l.axes[1].values[2] = 0.0), "\"z (W1, 4c)\": its values must increase");
    contains(message(&|l, _| l.axes[0].values[3] = 1.5), "a periodic axis must end before");
    contains(
        message(&|l, _| l.axes.iter_mut().for_each(|a| (a.values[3], a.periodic) = (1e9, false))),
        "a hundred periods",
    );
    contains(message(&|_, s| s.range = Some((1.0, 1.0))), "must go up");
    contains(message(&|_, s| s.levels = 1), "from 2 to 64");
    contains(message(&|_, s| s.relative_to = RelativeTo::Reference), "draw relative to the minimum");
    contains(message(&|_, s| s.difference = Some("MACE".into())), "needs a second model");
    contains("jet".parse::<ColourMap>().unwrap_err().to_string(), "viridis, cividis");
    assert_eq!("magma".parse::<ColourMap>().unwrap(), ColourMap::Magma);
    contains(message(&|_, s| s.width = Width::Inches(1.0)), "from 2 to 40 inches, not 1");
    contains(message(&|l, _| l.panels[0].equal_to = Some(vec![0; 3])), "what is equal in \"MACE\" has 3");
    assert_eq!("4.5".parse::<Width>().unwrap(), Width::Inches(4.5));
    assert!("wide".parse::<Width>().is_err() && "lowest".parse::<RelativeTo>().is_err());
}

#[test]
fn the_suffix_names_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let svg = draw(&full(8), &Style::default()).unwrap();
    let path = |name: &str| folder.path().join(name);
    write(&svg, &path("a.SVG"), DPI).unwrap();
    // The program's mark follows.
    assert!(std::fs::read_to_string(path("a.SVG")).unwrap().starts_with(svg.as_str()));
    assert!(s2dpes::plot::is_ours(&path("a.SVG")));
    assert!(matches!(write(&svg, &path("a.tiff"), DPI), Err(PlotError::Suffix(_))));
    assert!(matches!(write(&svg, &path("no/such/folder.svg"), DPI), Err(PlotError::Write { .. })));
    if cfg!(feature = "figures") {
        for (name, magic) in [("a.png", "\u{89}PNG"), ("a.pdf", "%PDF")] {
            write(&svg, &path(name), DPI).unwrap();
            let bytes = std::fs::read(path(name)).unwrap();
            assert!(magic.chars().map(|c| c as u8).eq(bytes[..4].iter().copied()), "{name}");
        }
    } else {
        let error = write(&svg, &path("a.pdf"), DPI).unwrap_err().to_string();
        assert!(error.contains("--features figures"), "{error}");
    }
}

/// What an SVG reader makes of the figures.
#[cfg(feature = "figures")]
mod read_back {
    use super::*;
    use resvg::tiny_skia::{Pixmap, PremultipliedColorU8};
    use resvg::usvg::{self, Group, Node, Rect, Tree};
    use s2dpes::plot::{pdf, png};

    fn tree(svg: &Svg) -> Tree {
        let mut options = usvg::Options::default();
        let fonts = options.fontdb_mut();
        fonts.load_fonts_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/fonts"));
        fonts.set_sans_serif_family("s2dpes Sans");
        Tree::from_str(svg.as_str(), &options).unwrap()
    }

    /// Every text with the rectangle that its ink takes, in CSS pixels.
    fn texts(group: &Group) -> Vec<(String, Rect)> {
        let of = |node: &Node| match node {
            Node::Group(group) => texts(group),
            Node::Text(text) => {
                let ink = text.flattened().bounding_box().transform(text.abs_transform()).unwrap();
                let content = text.chunks().iter().map(|chunk| chunk.text()).collect();
                vec![(content, ink)]
            }
            _ => Vec::new(),
        };
        group.children().iter().flat_map(of).collect()
    }

    fn assert_tidy(svg: &Svg, what: &str) {
        let tree = tree(svg);
        let texts = texts(tree.root());
        let page = tree.size();
        for (i, (text, a)) in texts.iter().enumerate() {
            let inside =
                a.left() >= 0.0 && a.top() >= 0.0 && a.right() <= page.width() && a.bottom() <= page.height();
            assert!(inside, "{what}: {text:?} sticks out of the page: {a:?}");
            for (other, b) in &texts[i + 1..] {
                let apart = a.right() <= b.left()
                    || b.right() <= a.left()
                    || a.bottom() <= b.top()
                    || b.bottom() <= a.top();
                assert!(apart, "{what}: {text:?} on {other:?}: {a:?}, {b:?}");
            }
        }
    }

    const NAMES: [&str; 4] =
        ["DFT (PBE)", "MACE-MATPES-r2SCAN-0", "CHGNet", "a-model-with-a-name-that-no-one-can-print"];

    #[test]
    fn no_text_touches_another_or_leaves_the_page() {
        let long =
            "z of the tungsten atom on the second Wyckoff position 4c of the space group Pnma, at last";
        for count in 1..=12 {
            for (width, label) in
                [(Width::Single, "z (W1, 4c)"), (Width::Double, "z (W1, 4c)"), (Width::Double, long)]
            {
                let mut landscape = full(9);
                landscape.axes[1].label = label.into();
                (landscape.axes[0].reference, landscape.axes[1].reference) = (Some(0.1), Some(0.2));
                landscape.distance_cost[3..9].fill(0.1);
                let axes = landscape.axes.clone();
                landscape.panels = (0..count)
                    .map(|i| panel(&axes, NAMES[i % 4], |x, y| toy(x, y) * (1.0 + i as f64)))
                    .collect();
                landscape.panels[0].energy[40] = f64::NAN;
                for (relative_to, scale) in [(RelativeTo::Minimum, 1.0), (RelativeTo::Absolute, 1e-4)] {
                    landscape.panels.iter_mut().flat_map(|panel| &mut panel.energy).for_each(|e| *e *= scale);
                    let svg = draw(&landscape, &Style { width, relative_to, ..Style::default() }).unwrap();
                    assert_tidy(&svg, &format!("{count} panels, {width:?}, {label}, {relative_to:?}"));
                }
                landscape.axes.truncate(1);
                landscape.distance_cost.truncate(9);
                landscape.panels.iter_mut().for_each(|panel| panel.energy.truncate(9));
                let svg = draw(&landscape, &Style { width, ..Style::default() }).unwrap();
                assert_tidy(&svg, &format!("{count} curves, {width:?}"));
            }
        }
    }

    #[test]
    fn tick_labels_keep_apart() {
        let number = |text: &str| text.replace('−', "-").parse::<f64>().is_ok();
        for range in
            [(0.0, 1.0), (0.2, 0.4), (0.125, 0.375), (0.0, 0.33), (0.0012, 0.0019), (-0.5, 0.5), (0.0, 3.0)]
        {
            for (count, width) in (1..=6).flat_map(|n| [2.0, 3.4, 5.0, 7.0, 12.0].map(|w| (n, w))) {
                for scale in [1.0, 1e-3, 137.0] {
                    let axes = vec![axis("x (W1, 4c)", range, 7, false), axis("z (W1, 4c)", range, 6, false)];
                    let mut landscape = one(axes, |x, y| scale * toy(x / (range.1 - range.0), y));
                    landscape.panels = vec![landscape.panels[0].clone(); count];
                    let style = Style {
                        width: Width::Inches(width),
                        columns: Some(count),
                        relative_to: RelativeTo::Absolute,
                        ..Style::default()
                    };
                    let svg = draw(&landscape, &style).unwrap();
                    let all = texts(tree(&svg).root());
                    let ticks: Vec<_> = all.iter().filter(|(text, _)| number(text)).collect();
                    assert!(ticks.len() > 2);
                    for (i, (text, a)) in ticks.iter().enumerate() {
                        for (other, b) in &ticks[i + 1..] {
                            // CSS pixels: 2 points side by side, half a point one above the other.
                            let across = (b.left() - a.right()).max(a.left() - b.right());
                            let down = (b.top() - a.bottom()).max(a.top() - b.bottom());
                            assert!(
                                across > 2.6 || down > 0.6,
                                "{range:?} {count} {width} {scale}: {text} {other} {across} {down}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_string_survives() {
        let nasty = "<W&N> \"quoted\" 'single' ]]> \u{1}\u{fffe}end";
        let mut landscape = full(5);
        landscape.title = nasty.into();
        landscape.panels[0].title = nasty.into();
        landscape.axes[0].label = nasty.into();
        let texts = texts(tree(&draw(&landscape, &Style::default()).unwrap()).root());
        let found = texts.iter().filter(|(text, _)| text.contains("<W&N> \"quoted\" 'single' ]]>")).count();
        assert_eq!(found, 3, "{texts:?}");
    }

    fn pixels(svg: &Svg) -> Pixmap {
        Pixmap::decode_png(&png(svg, DPI).unwrap()).unwrap()
    }

    #[test]
    fn a_png_has_300_pixels_an_inch() {
        for (width, expected) in [(Width::Single, 1020), (Width::Double, 2100)] {
            let svg = draw(&full(8), &Style { width, ..Style::default() }).unwrap();
            assert_eq!(pixels(&svg).width(), expected);
            // Chunk pHYs behind the header: 11811 pixels a metre.
            assert_eq!(png(&svg, DPI).unwrap()[37..45], *b"pHYs\x00\x00\x2e\x23");
            let small = Pixmap::decode_png(&png(&svg, 100.0).unwrap()).unwrap();
            assert_eq!(small.width(), expected / 3);
        }
    }

    #[test]
    fn a_png_is_the_same_bytes_each_time_and_a_pdf_has_the_printed_size() {
        let svg = draw(&full(12), &Style { width: Width::Single, ..Style::default() }).unwrap();
        assert!(png(&svg, DPI).unwrap() == png(&svg, DPI).unwrap());
        let pdf = String::from_utf8_lossy(&pdf(std::slice::from_ref(&svg)).unwrap()).into_owned();
        let width = pdf.split("/MediaBox [0 0 ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        assert!((width.parse::<f64>().unwrap() - 3.4 * 72.0).abs() < 0.01, "{width}");
        assert!(
            pdf.contains("s2dpesSans-Regular") && pdf.contains("s2dpesSans-Italic"),
            "fonts are embedded"
        );
    }

    /// The pixel at the coordinates (across and up, 0 to 1) of the only panel.
    fn pixel(svg: &Svg, map: &Pixmap, [x, y]: [f64; 2]) -> PremultipliedColorU8 {
        let [left, top, width, height] = frames(svg)[0];
        let at = |points: f64| (points * 300.0 / 72.0) as u32;
        map.pixel(at(left + x * width), at(top + (1.0 - y) * height)).unwrap()
    }

    #[test]
    fn axis_0_runs_to_the_right_and_axis_1_upwards() {
        let mut landscape =
            one(vec![axis("x", (0.0, 1.0), 5, false), axis("z", (0.0, 1.0), 7, false)], |x, _| x);
        (landscape.axes[0].reference, landscape.axes[1].reference) = (Some(0.5), Some(0.75));
        let svg = draw(&landscape, &Style { lines: false, ..Style::default() }).unwrap();
        let map = pixels(&svg);
        let brightness = |at| u32::from(pixel(&svg, &map, at).green());
        assert!(
            brightness([0.1, 0.2]) < brightness([0.5, 0.2])
                && brightness([0.5, 0.2]) < brightness([0.9, 0.2])
        );
        assert_eq!(brightness([0.3, 0.1]), brightness([0.3, 0.9]));
        let star = pixel(&svg, &map, [0.5, 0.75]);
        assert!(star.red() > 200 && star.green() < 40 && star.blue() < 90, "{star:?}");
    }

    #[test]
    fn a_difference_the_other_way_round_swaps_red_and_blue() {
        let mut landscape = full(30);
        let axes = landscape.axes.clone();
        landscape
            .panels
            .push(panel(&axes, "DFT", |x, y| toy(x, y) + 0.5 * (std::f64::consts::TAU * (x + y)).sin()));
        let style = |name: &str| Style { difference: Some(name.into()), lines: false, ..Style::default() };
        let [forth, back] = ["DFT", "MACE"].map(|name| draw(&landscape, &style(name)).unwrap());
        let (forth_map, back_map) = (pixels(&forth), pixels(&back));
        let (mut agree, mut coloured) = (0, 0);
        for i in 0..2500 {
            let at = [(i % 50) as f64 / 50.0 + 0.01, (i / 50) as f64 / 50.0 + 0.01];
            let (a, b) = (pixel(&forth, &forth_map, at), pixel(&back, &back_map, at));
            let warmth = |p: PremultipliedColorU8| (i32::from(p.red()) - i32::from(p.blue())).signum();
            let is_pale = |p: PremultipliedColorU8| p.red().abs_diff(p.blue()) < 12;
            coloured += i32::from(!is_pale(a));
            agree += i32::from(is_pale(a) == is_pale(b) && (is_pale(a) || warmth(a) == -warmth(b)));
        }
        assert!(coloured > 1500 && agree > 2450, "{agree} of 2500 agree, {coloured} are coloured");
    }

    #[test]
    fn what_is_not_computed_stays_white() {
        let mut landscape = full(20);
        landscape.panels[0].energy[10 * 20..].fill(f64::NAN);
        let svg = draw(&landscape, &Style::default()).unwrap();
        let map = pixels(&svg);
        let is_white =
            |at| pixel(&svg, &map, at) == PremultipliedColorU8::from_rgba(255, 255, 255, 255).unwrap();
        assert!(is_white([0.7, 0.5]) && is_white([0.52, 0.2]) && !is_white([0.4, 0.5]));
    }
}
