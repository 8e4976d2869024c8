//! A value over time: points in order of time, held or joined by lines.

use crate::scenario::Between;

/// What a trajectory says at `at_s`: nothing before its first point, the last value after its last.
pub(crate) fn value_at(points: &[[f64; 2]], between: Between, at_s: f64) -> Option<f64> {
    let after = points.partition_point(|[time, _]| *time <= at_s);
    let [from_s, from] = *points.get(after.checked_sub(1)?)?;
    let (Between::Line, Some([to_s, to])) = (between, points.get(after)) else { return Some(from) };
    Some(from + (to - from) * ((at_s - from_s) / (to_s - from_s)))
}

/// What is wrong with a trajectory, in words that follow its name.
pub(crate) fn misfit(points: &[[f64; 2]], points_max: usize) -> Option<String> {
    if points.len() > points_max {
        return Some(format!("has {} points, {points_max} are allowed", points.len()));
    }
    if points.iter().flatten().any(|number| !number.is_finite()) {
        return Some("has a time or a value that is no number".to_owned());
    }
    let increases = points.is_sorted_by(|[a, _], [b, _]| a < b);
    (!increases).then(|| "has times that do not increase".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Between::{Hold, Line};

    #[test]
    fn a_trajectory_holds_or_runs_along_lines() {
        let points = [[10.0, 1.0], [20.0, 3.0]];
        let check = |between, at_s, expect| assert_eq!(value_at(&points, between, at_s), expect, "{at_s}");
        check(Hold, 9.9, None);
        check(Line, 9.9, None);
        check(Hold, 10.0, Some(1.0));
        check(Hold, 19.9, Some(1.0));
        check(Line, 15.0, Some(2.0));
        check(Hold, 20.0, Some(3.0));
        check(Line, 99.0, Some(3.0));
        assert_eq!(value_at(&[], Line, 0.0), None);
    }

    #[test]
    fn what_is_no_trajectory_is_named() {
        let check = |points: &[[f64; 2]], expect: &str| {
            let found = misfit(points, 3).unwrap_or_default();
            assert!(found.contains(expect) && found.is_empty() == expect.is_empty(), "{found}, not {expect}");
        };
        check(&[], "");
        check(&[[0.0, 1.0], [1.0, 1.0]], "");
        check(&[[0.0, 1.0], [0.0, 2.0]], "do not increase");
        check(&[[0.0, f64::NAN]], "no number");
        check(&[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]], "4 points, 3");
    }
}
