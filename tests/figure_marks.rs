//! Figures, by what their marks and words say: no picture may mislead.

#[path = "common/pictures.rs"]
mod pictures;

use pictures::*;
use s2dpes::plot::{Cell, DPI, Landscape, Masked, RelativeTo, Style, Svg, draw, sheet, write_pages};

/// Centres of the rings in points, without the one in the key, which comes first.
fn rings(svg: &Svg) -> Vec<[f64; 2]> {
    let lines = svg.as_str().lines().filter(|line| line.contains("class=\"lowest\"")).skip(1);
    lines.map(|line| ["cx=\"", "cy=\""].map(|name| all_after(line, name)[0].parse().unwrap())).collect()
}

/// The toy and its image at (0.7, 0.6), which is equal by symmetry.
fn mirrored(n: usize) -> Landscape {
    let mut landscape = one(full(n).axes, |x, y| toy(x, y).min(toy(1.0 - x, y)));
    let equal_to = (0..n * n).map(|i| (i / n).min((n - i / n) % n) * n + i % n);
    landscape.panels[0].equal_to = Some(equal_to.map(|i| i as u32).collect());
    landscape
}

#[test]
fn every_equal_minimum_is_ringed_and_no_other_point() {
    let mut landscape = mirrored(20);
    let svg = draw(&landscape, &Style::default()).unwrap();
    let frame = frames(&svg)[0];
    let places: Vec<[f64; 2]> = (rings(&svg).iter())
        .map(|[x, y]| [(x - frame[0]) / frame[2], 1.0 - (y - frame[1]) / frame[3]])
        .collect();
    assert_eq!(places.len(), 2);
    for (place, expected) in places.iter().zip([[0.3, 0.6], [0.7, 0.6]]) {
        assert!((place[0] - expected[0]).abs() < 1e-3 && (place[1] - expected[1]).abs() < 1e-3, "{places:?}");
    }
    // The same energy alone makes no second minimum: of two, the nearest to the input structure, to float32.
    landscape.panels[0].energy[6 * 20 + 12] -= 1e-6;
    for equal_to in [Some((0..400).collect()), None] {
        landscape.panels[0].equal_to = equal_to;
        for reference in [0.31, 0.72] {
            landscape.axes[0].reference = Some(reference);
            let ring = rings(&draw(&landscape, &Style::default()).unwrap());
            assert_eq!(ring.len(), 1);
            let x = (ring[0][0] - frame[0]) / frame[2];
            assert!((x - reference).abs() < 0.03, "{x} for an input at {reference}");
        }
    }
}

#[test]
fn of_many_equal_minima_that_nearest_the_input_structure_is_ringed() {
    let energy =
        |x: f64, y: f64| (2.0 * std::f64::consts::TAU * x).cos() + (5.0 * std::f64::consts::TAU * y).cos();
    let mut landscape = one(full(20).axes, energy);
    let equal_to = (0..400_u32).map(|i| i / 20 % 10 * 20 + i % 4);
    landscape.panels[0].equal_to = Some(equal_to.collect());
    landscape.panels[0].energy =
        (0..400).map(|i| if i / 20 % 10 == 5 && i % 4 == 2 { -2.0 } else { 0.0 }).collect();
    let svg = draw(&landscape, &Style::default()).unwrap();
    assert_eq!(rings(&svg).len(), 10, "ten are few enough");
    landscape.panels[0].equal_to = Some((0..400_u32).map(|i| i / 20 % 5 * 20 + i % 4).collect());
    landscape.panels[0].energy =
        (0..400).map(|i| if i / 20 % 5 == 2 && i % 4 == 2 { -2.0 } else { 0.0 }).collect();
    (landscape.axes[0].reference, landscape.axes[1].reference) = (Some(0.33), Some(0.52));
    let svg = draw(&landscape, &Style::default()).unwrap();
    let (frame, ring) = (frames(&svg)[0], rings(&svg));
    let [[x, y]] = ring[..] else { panic!("one ring, not {ring:?}") };
    assert!((x - frame[0] - 0.35 * frame[2]).abs() < 0.02 && (y - frame[1] - 0.5 * frame[3]).abs() < 0.02);
    assert!(svg.as_str().contains("minimum (of equal ones the nearest)"));
}

#[test]
fn a_lowest_point_at_the_edge_of_the_mask_is_no_minimum_and_says_so() {
    let words = "lowest point, at the edge of the mask";
    let mut landscape = full(20);
    let broken = |landscape: &Landscape| {
        let svg = draw(landscape, &Style::default()).unwrap();
        let rings = svg.as_str().lines().filter(|line| line.contains("class=\"lowest\""));
        let broken = rings.map(|line| line.contains("stroke-dasharray")).collect::<Vec<_>>();
        assert!(
            broken.len() > 1 && broken.iter().all(|b| *b == said(&svg).contains(words)),
            "as the key has it"
        );
        broken[1]
    };
    assert!(!broken(&landscape));
    // The minimum is node (6, 12); its neighbours are masked, and higher.
    landscape.distance_cost[5 * 20 + 12] = 0.1;
    assert!(!broken(&landscape));
    landscape.distance_cost[6 * 20 + 12] = 0.1;
    assert!(broken(&landscape));
    // Across the border of a periodic axis, too.
    let mut landscape = one(full(20).axes, |x, y| toy(x + 0.3, y));
    landscape.distance_cost[12] = 0.1;
    assert!(broken(&landscape));
}

#[test]
fn where_all_is_masked_the_energies_show_and_the_pair_is_named() {
    let mut landscape = full(20);
    landscape.distance_cost = (0..400).map(|i| if i < 200 { 0.1 } else { 3.0 }).collect();
    landscape.closest = "P-O 1.49 Å < 1.54 Å".into();
    // An artefact where atoms are closest does not take the colours.
    landscape.panels[0].energy[399] = -5e4;
    let svg = draw(&landscape, &Style::default()).unwrap();
    assert!(said(&svg).contains("all points masked: P-O") && !svg.as_str().contains("class=\"lowest\""));
    assert!(fills(&svg)[0].len() > 8, "the levels of the energies are drawn");
    let veil = |svg: &Svg| -> Vec<f64> {
        all_after(svg.as_str(), "fill-opacity=\"").iter().map(|veil| veil.parse().unwrap()).collect()
    };
    assert!(veil(&svg)[1] < 0.5, "through a thin veil");
    let hidden = draw(&landscape, &Style { masked: Masked::Hidden, ..Style::default() }).unwrap();
    assert_eq!(veil(&hidden)[1], 1.0);
    landscape.distance_cost[..100].fill(0.0);
    let svg = draw(&landscape, &Style::default()).unwrap();
    assert!(veil(&svg)[1] > 0.5 && !svg.as_str().contains("all points masked"));
}

#[test]
fn a_model_that_left_all_reason_neither_flattens_the_others_nor_hides_it() {
    let two = || {
        let mut landscape = full(20);
        let axes = landscape.axes.clone();
        landscape.panels.push(panel(&axes, "DFT", |x, y| 1.1 * toy(x, y)));
        landscape
            .panels
            .iter_mut()
            .for_each(|panel| panel.reference_energy = Some(panel.energy[6 * 20 + 12] + 0.01));
        landscape
    };
    let expected = draw(&two(), &Style::default()).unwrap();
    let with = |change: &dyn Fn(usize, f64) -> f64| {
        let mut landscape = two();
        let mut strange = landscape.panels[0].clone();
        strange.title = "strange".into();
        strange.energy = strange.energy.iter().enumerate().map(|(i, e)| change(i, *e)).collect();
        landscape.panels.push(strange);
        draw(&landscape, &Style::default()).unwrap()
    };
    // The highest level that is written at the bar.
    let highest = |svg: &Svg| {
        let numbers = said(svg).split(' ').filter_map(|word| word.parse::<f64>().ok()).collect::<Vec<_>>();
        numbers.into_iter().filter(|number| *number < 100.0).fold(0.0, f64::max)
    };
    assert!(highest(&expected) > 2.0);
    let pit = with(&|i, energy| if i == 0 { -1.2e5 } else { energy });
    let deep = with(&|i, energy| if i < 250 && i % 20 < 8 { -1e9 } else { energy });
    let steep = with(&|_, energy| 1e4 * (energy + 8.0) - 8.0);
    let modest = with(&|i, energy| if i == 0 { -20.0 } else { energy });
    for (svg, words) in [
        (&pit, "below the range: down to −1.2e5"),
        (&deep, "below the range: down to −1.0e9"),
        (&steep, "beyond the range: to 3."),
        (&modest, "below the range: down to −1"),
    ] {
        assert!(said(svg).contains(words), "{words}: {}", said(svg));
        // A third panel adds its own values, and a bar beside smaller panels has fewer labels.
        assert!((highest(svg) - highest(&expected)).abs() < 0.6, "{words}: {}", highest(svg));
    }
    // The minimum is where the others have it, and the arrow head tells of what is below.
    let rings = rings(&pit);
    assert!(rings.len() == 3 && (rings[0][1] - rings[2][1]).abs() < 0.02);
    assert!(pit.as_str().contains("class=\"beyond\""));
    // Alone, it has no others to compare with.
    let mut alone = full(20);
    alone.panels[0].energy[0] = -1.2e5;
    let svg = draw(&alone, &Style::default()).unwrap();
    assert!(said(&svg).contains("below the range: down to −1.2e5"));
    assert_eq!(highest(&svg), highest(&draw(&full(20), &Style::default()).unwrap()));
}

#[test]
fn a_difference_says_what_it_is_relative_to() {
    let mut landscape = full(8);
    landscape.panels.push(panel(&landscape.axes.clone(), "DFT", |x, y| 2.0 * toy(x, y)));
    landscape.panels.iter_mut().for_each(|panel| panel.reference_energy = Some(-7.0));
    for (relative_to, words) in [
        (RelativeTo::Minimum, "Difference from DFT, each model relative to its own minimum"),
        (RelativeTo::Reference, "each model relative to its energy of the input structure"),
        (RelativeTo::Absolute, "energies as the models give them"),
    ] {
        let style = Style { difference: Some("DFT".into()), relative_to, ..Style::default() };
        assert!(draw(&landscape, &style).unwrap().as_str().contains(words), "{words}");
    }
    assert!(!draw(&landscape, &Style::default()).unwrap().as_str().contains("relative to"));
}

#[test]
fn a_sheet_has_every_landscape_with_its_own_levels() {
    let cell = |i: usize| {
        let mut landscape = full(8);
        landscape.panels[0].energy.iter_mut().for_each(|energy| *energy *= 1.0 + i as f64);
        if i % 3 == 1 {
            landscape.axes.truncate(1);
            landscape.distance_cost.truncate(8);
            landscape.panels[0].energy.truncate(8);
        }
        if i == 7 {
            landscape.distance_cost.clear();
        }
        Cell { name: format!("crystal-{i} x z"), landscape }
    };
    let cells: Vec<Cell> = (0..40).map(cell).collect();
    let [svg] = &sheet("all", &cells, &Style::default(), false).unwrap()[..] else { panic!("one page") };
    assert_eq!(frames(svg).len(), 40);
    assert!((0..40).all(|i| svg.as_str().contains(&format!("crystal-{i} "))));
    assert!(said(svg).contains("has 0 values"), "what cannot be drawn says why");
    let pages = sheet("all", &cells, &Style::default(), true).unwrap();
    assert!(pages.len() > 1 && pages[1].as_str().contains(&format!("all (2 of {})", pages.len())));
    assert_eq!(pages.iter().map(|page| frames(page).len()).sum::<usize>(), 40);
    let folder = tempfile::tempdir().unwrap();
    let error = write_pages(&pages, &folder.path().join("x.svg"), DPI).unwrap_err().to_string();
    assert!(error.contains("write a .pdf"), "{error}");
    if cfg!(feature = "figures") {
        write_pages(&pages, &folder.path().join("x.pdf"), DPI).unwrap();
        let pdf = std::fs::read(folder.path().join("x.pdf")).unwrap();
        assert!(String::from_utf8_lossy(&pdf).contains(&format!("/Count {}", pages.len())));
    }
    assert!(sheet("none", &[], &Style::default(), true).is_err());
}

#[test]
fn in_one_dimension_each_curve_has_the_star_at_its_energy() {
    let mut landscape = one(vec![axis("x (W1, 4c)", (0.0, 1.0), 40, true)], toy);
    let axes = landscape.axes.clone();
    landscape.panels.push(panel(&axes, "DFT", |x, y| toy(x, y) + 5.0));
    landscape.axes[0].reference = Some(0.55);
    let lowest = toy(0.3, 0.6);
    let style = Style { range: Some((0.0, 2.0)), ..Style::default() };
    let heights = |landscape: &Landscape| -> Vec<f64> {
        let svg = draw(landscape, &style).unwrap();
        let frame = frames(&svg)[0];
        stars(&svg).iter().map(|star| 2.0 * (1.0 - (star[1] - frame[1]) / frame[3])).collect()
    };
    // Energies of no model: the star stands at the top. Of one, at its value; the same of both, one star.
    assert!(heights(&landscape)[..] > [1.8][..]);
    landscape.panels[0].reference_energy = Some(lowest + 0.5);
    assert!((heights(&landscape)[0] - 0.5).abs() < 0.01);
    landscape.panels[1].reference_energy = Some(lowest + 5.5);
    assert_eq!(heights(&landscape).len(), 1);
    landscape.panels[1].reference_energy = Some(lowest + 6.25);
    let found = heights(&landscape);
    assert!((found[0] - 0.5).abs() < 0.01 && (found[1] - 1.25).abs() < 0.01, "{found:?}");
    // What lies beyond the range is at its border.
    landscape.panels[1].reference_energy = Some(lowest + 50.0);
    assert!((heights(&landscape)[1] - 2.0).abs() < 1e-6);
}
