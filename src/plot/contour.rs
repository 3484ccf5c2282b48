//! From values on a grid to the outlines of the regions above a level, by marching squares (crate `contour`).

use contour::ContourBuilder;

use super::PlotError;

/// Coordinates of the nodes, increasing along both axes; two each at least.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Horizontal coordinates.
    pub x: Vec<f64>,
    /// Vertical coordinates.
    pub y: Vec<f64>,
}

/// The part of the plane where a field reaches a level.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// The level, in the unit of the field.
    pub level: f64,
    /// Closed outlines (first point = last point) as `[x, y]`; a point is inside if an odd number of them
    /// encloses it. Islands run one way round, holes the other.
    pub rings: Vec<Vec<[f64; 2]>>,
}

impl Region {
    /// Area in units of the coordinates.
    pub fn area(&self) -> f64 {
        let twice = |ring: &Vec<[f64; 2]>| -> f64 {
            ring.windows(2).map(|edge| edge[0][0] * edge[1][1] - edge[1][0] * edge[0][1]).sum()
        };
        0.5 * self.rings.iter().map(twice).sum::<f64>().abs()
    }
}

/// The region with `value >= level` for each level. `values` is `[ny][nx]`, linear along the edges of the
/// cells; where it is NaN, the nearest numbers take its place (see [`missing`]).
pub fn contours(grid: &Grid, values: &[f64], levels: &[f64]) -> Result<Vec<Region>, PlotError> {
    let (nx, ny) = (grid.x.len(), grid.y.len());
    if nx < 2 || ny < 2 || values.len() != nx * ny {
        let array = "a contour".to_owned();
        return Err(PlotError::Shape { array, found: values.len(), expected: nx * ny });
    }
    let values = filled(values, nx);
    let lines = ContourBuilder::new(nx, ny, true)
        .lines(&values, levels)
        .map_err(|error| PlotError::Render(error.to_string()))?;
    let rings = |line: &contour::Line| {
        line.geometry()
            .0
            .iter()
            .map(|ring| ring.0.iter().map(|p| [coordinate(&grid.x, p.x), coordinate(&grid.y, p.y)]).collect())
            .collect()
    };
    Ok(lines.iter().map(|line| Region { level: line.threshold(), rings: rings(line) }).collect())
}

/// From the crate's index coordinates to ours. Node `i` sits at `i + 0.5` there, and an outline that leaves
/// the grid passes half a cell outside of it; clamped to the border, it encloses the part inside exactly.
fn coordinate(nodes: &[f64], index: f64) -> f64 {
    let position = (index - 0.5).clamp(0.0, (nodes.len() - 1) as f64);
    let cell = (position as usize).min(nodes.len() - 2);
    let t = position - cell as f64;
    // Exact at both ends, so that borders meet.
    if t == 1.0 { nodes[cell + 1] } else { nodes[cell] + t * (nodes[cell + 1] - nodes[cell]) }
}

/// The region with distance cost above zero. `cost` is `[ny][nx]` in Angstrom.
///
/// The cost rises linearly from where atoms begin to be too close, but is cut off at zero on the other side,
/// so that its zero contour would follow the nodes in stairs. We continue the slope to the first nodes
/// outside, and find the place between the nodes where it reaches zero. Each node itself stays on its side.
pub fn masked(grid: &Grid, cost: &[f64]) -> Result<Region, PlotError> {
    let signed = signed_cost(cost, grid.x.len());
    let region = contours(grid, &signed, &[0.0])?.pop();
    Ok(region.unwrap_or(Region { level: 0.0, rings: Vec::new() }))
}

/// True where a point is masked; a cost that is not a number masks, too.
pub fn is_masked(cost: f64) -> bool {
    cost > 0.0 || cost.is_nan()
}

/// The cost where it is positive; at its neighbours what the slope says, always negative; elsewhere -1.
pub fn signed_cost(cost: &[f64], nx: usize) -> Vec<f64> {
    let at = |x: i64, y: i64| -> Option<f64> {
        let inside = x >= 0 && y >= 0 && x < nx as i64;
        let value = *cost.get(usize::try_from(y).ok()? * nx + usize::try_from(x).ok()?)?;
        (inside && is_masked(value)).then_some(if value.is_finite() { value } else { 1.0 })
    };
    let outside = |x: i64, y: i64| -> f64 {
        let slopes: Vec<f64> = [(1, 0), (-1, 0), (0, 1), (0, -1)]
            .into_iter()
            .filter_map(|(dx, dy)| {
                let near = at(x + dx, y + dy)?;
                let far = at(x + 2 * dx, y + 2 * dy).unwrap_or(2.0 * near);
                // The zero lies between the nodes: a twentieth of a cell from either at least.
                Some((2.0 * near - far).clamp(-19.0 * near, -near / 19.0))
            })
            .collect();
        if slopes.is_empty() { -1.0 } else { slopes.iter().sum::<f64>() / slopes.len() as f64 }
    };
    (0..cost.len() as i64)
        .map(|i| {
            let (x, y) = (i % nx as i64, i / nx as i64);
            at(x, y).unwrap_or_else(|| outside(x, y))
        })
        .collect()
}

/// The region without values: cells with a NaN corner up to their nodes that have a number. `values` is
/// `[ny][nx]`.
pub fn missing(grid: &Grid, values: &[f64]) -> Result<Region, PlotError> {
    /// Just above zero, so that the outline runs through the nodes that have a number.
    const TOUCH: f64 = 1e-6;
    let hole: Vec<f64> = values.iter().map(|value| f64::from(u8::from(value.is_nan()))).collect();
    let region = contours(grid, &hole, &[TOUCH])?.pop();
    Ok(region.unwrap_or(Region { level: TOUCH, rings: Vec::new() }))
}

/// NaN replaced by the mean of those of the four neighbours that have a number, or by zero: further away it
/// is covered anyway (see [`missing`]), it only must not be NaN, which would make NaN coordinates.
fn filled(values: &[f64], nx: usize) -> Vec<f64> {
    let mean_beside = |i: usize| {
        let left = (!i.is_multiple_of(nx)).then(|| values[i - 1]);
        let right = (i % nx + 1 < nx).then(|| values[i + 1]);
        let below = i.checked_sub(nx).map(|j| values[j]);
        let above = values.get(i + nx).copied();
        let known: Vec<f64> =
            [left, right, below, above].into_iter().flatten().filter(|v| !v.is_nan()).collect();
        if known.is_empty() { 0.0 } else { known.iter().sum::<f64>() / known.len() as f64 }
    };
    (0..values.len()).map(|i| if values[i].is_nan() { mean_beside(i) } else { values[i] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(x: (f64, f64), nx: usize, y: (f64, f64), ny: usize) -> Grid {
        let nodes = |(low, high): (f64, f64), n: usize| {
            (0..n).map(|i| low + (high - low) * i as f64 / (n - 1) as f64).collect()
        };
        Grid { x: nodes(x, nx), y: nodes(y, ny) }
    }

    fn on(grid: &Grid, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        grid.y.iter().flat_map(|y| grid.x.iter().map(|x| f(*x, *y)).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn the_contour_of_a_paraboloid_is_a_circle_of_the_right_radius() {
        let grid = grid((-1.0, 1.5), 126, (-2.0, 1.0), 76);
        let regions = contours(&grid, &on(&grid, |x, y| -(x * x + y * y)), &[-0.25]).unwrap();
        let [ring] = &regions[0].rings[..] else { panic!("one circle, not {}", regions[0].rings.len()) };
        assert_eq!(ring.first(), ring.last());
        for [x, y] in ring {
            assert!((x.hypot(*y) - 0.5).abs() < 1e-3, "({x}, {y}) is not on the circle");
        }
        assert!((regions[0].area() - std::f64::consts::PI / 4.0).abs() < 2e-3);
    }

    #[test]
    fn contours_lie_at_true_coordinates_on_uneven_axes() {
        let grid = Grid { x: vec![0.1, 0.2, 0.4, 0.45, 0.5], y: vec![-3.0, -1.0, 0.0] };
        let region = &contours(&grid, &on(&grid, |x, _| x), &[0.3]).unwrap()[0];
        for corner in [[0.3, -3.0], [0.5, -3.0], [0.5, 0.0], [0.3, 0.0]] {
            let found = region.rings[0].iter().any(|p| (p[0] - corner[0]).hypot(p[1] - corner[1]) < 1e-12);
            assert!(found, "{corner:?} is missing in {:?}", region.rings);
        }
        assert!((region.area() - 0.2 * 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_region_that_fills_the_grid_has_the_area_of_the_grid() {
        let grid = grid((0.2, 0.4), 3, (0.0, 1.0), 5);
        let regions = contours(&grid, &[1.0; 15], &[0.5, 1.5]).unwrap();
        assert!((regions[0].area() - 0.2).abs() < 1e-12);
        assert!(regions[1].rings.is_empty());
    }

    #[test]
    fn holes_count_out_of_the_area() {
        let grid = grid((-1.0, 1.0), 201, (-1.0, 1.0), 201);
        let ring = contours(&grid, &on(&grid, |x, y| 0.1 - (x.hypot(y) - 0.6).abs()), &[0.0]).unwrap();
        let area = std::f64::consts::PI * (0.7_f64.powi(2) - 0.5_f64.powi(2));
        assert!((ring[0].area() - area).abs() < 2e-3, "{} instead of {area}", ring[0].area());
    }

    #[test]
    fn the_masked_region_ends_where_the_cost_begins_not_at_the_nodes() {
        let error = |radius: f64, n: usize| {
            let grid = grid((-1.0, 1.0), n, (-1.0, 1.0), n);
            let cost = on(&grid, |x, y| (radius - x.hypot(y)).max(0.0));
            masked(&grid, &cost).unwrap().area() / (std::f64::consts::PI * radius * radius) - 1.0
        };
        // Along the nodes alone, the area would be wrong by about a cell all around: 13 % of the first.
        for (radius, n) in [(0.6, 51), (0.613, 51), (0.3, 41)] {
            assert!(error(radius, n).abs() < 0.01, "{radius}, {n}: {:.4}", error(radius, n));
        }
    }

    #[test]
    fn a_mask_keeps_every_node_on_its_side() {
        let grid = grid((0.0, 4.0), 5, (0.0, 3.0), 4);
        let mut cost = vec![0.0; 20];
        cost[7] = 0.4; // node (2, 1)
        let region = masked(&grid, &cost).unwrap();
        let [ring] = &region.rings[..] else { panic!("one island") };
        assert!(ring.iter().all(|p| (p[0] - 2.0).abs() < 1.0 && (p[1] - 1.0).abs() < 1.0));
        assert!(masked(&grid, &[0.0; 20]).unwrap().rings.is_empty());
        assert!((masked(&grid, &[f64::NAN; 20]).unwrap().area() - 12.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_missing_reaches_to_the_nodes_that_have_a_number() {
        let grid = grid((0.0, 4.0), 5, (0.0, 4.0), 5);
        let mut values = vec![1.0; 25];
        values[12] = f64::NAN; // node (2, 2): the four triangles around it
        assert!((missing(&grid, &values).unwrap().area() - 2.0).abs() < 1e-4);
        let rings = contours(&grid, &values, &[0.5]).unwrap().remove(0).rings;
        assert!(rings.iter().flatten().flatten().all(|c| c.is_finite()));
    }
}
