//! The shortest time that any schedule could take.

/// Least time in which ranks can do surfaces of `(seconds of points, seconds of preparing)`. Points can be divided at
/// will, but every rank that works on a surface has to prepare it, and nothing else costs any time. What a time asks
/// for can only be too little, so no schedule is shorter.
pub fn shortest(surfaces: &[(f64, f64)], ranks: usize) -> f64 {
    let ranks = ranks as f64;
    // Within `time`, a surface needs so many ranks that each of them has time to prepare it.
    let is_enough = |time: f64| {
        let needed = |(points, preparing): &(f64, f64)| {
            let helpers = (points / (time - preparing)).ceil().max(1.0);
            points + helpers * preparing
        };
        surfaces.iter().all(|s| s.1 < time) && surfaces.iter().map(needed).sum::<f64>() <= ranks * time
    };
    let (mut low, mut high) =
        (0.0, surfaces.iter().map(|(points, preparing)| points + preparing).sum::<f64>());
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if is_enough(middle) { high = middle } else { low = middle }
    }
    high
}
