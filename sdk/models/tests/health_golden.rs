//! The health models against scipy, scikit-learn and river: golden vectors made by `tests/golden/health/make.py`.
#![expect(clippy::panic, clippy::expect_used, reason = "a test may")]

use std::path::Path;

use geminus_models::chi_square::{chi_square_cdf, chi_square_point, fisher_cdf, fisher_point, normal_point};
use geminus_models::cusum::{Cusum, Page};
use geminus_models::half_space::{Cut, Forest};
use geminus_models::moments::Moments;
use geminus_models::principal::{Keep, Principal};
use geminus_models::remaining_life::{FirstPassage, Wear};
use geminus_models::window::Window;

/// Lines of a golden file: a name and its numbers.
fn golden(name: &str) -> Vec<(String, Vec<f64>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/health").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let lines = text.lines().map(|line| {
        let mut words = line.split(' ');
        let name = words.next().expect("a name").to_owned();
        (name, words.map(|word| word.parse().expect("a number")).collect())
    });
    lines.collect()
}

fn all<'a>(lines: &'a [(String, Vec<f64>)], name: &'a str) -> impl Iterator<Item = &'a [f64]> {
    lines.iter().filter(move |line| line.0 == name).map(|line| line.1.as_slice())
}

fn near(what: &str, found: f64, expect: f64, tolerance: f64) {
    let error = (found - expect).abs();
    assert!(
        error <= tolerance * (1.0 + expect.abs()),
        "{what}: {found:e} instead of {expect:e}, off by {error:e}"
    );
}

/// Error of a quantile, relative to the value that scipy gives.
fn relative(found: f64, expect: f64) -> f64 {
    (found - expect).abs() / expect.abs().max(1e-300)
}

#[test]
fn thresholds_equal_scipy() {
    let lines = golden("thresholds.txt");
    let (mut chi, mut fisher, mut normal) = (0.0_f64, 0.0_f64, 0.0_f64);
    for line in all(&lines, "chi_square") {
        let &[p, freedom, point] = line else { panic!("{line:?}") };
        let found = chi_square_point(p, freedom).expect("within");
        chi = chi.max(relative(found, point));
        near("cdf of chi-square", chi_square_cdf(point, freedom), p, 1e-11);
    }
    for line in all(&lines, "fisher") {
        let &[p, numerator, denominator, point] = line else { panic!("{line:?}") };
        let found = fisher_point(p, numerator, denominator).expect("within");
        fisher = fisher.max(relative(found, point));
        near("cdf of F", fisher_cdf(point, numerator, denominator), p, 1e-11);
    }
    for line in all(&lines, "normal") {
        let &[p, point] = line else { panic!("{line:?}") };
        let found = normal_point(p).expect("within");
        normal = normal.max(if p == 0.5 { found.abs() } else { relative(found, point) });
    }
    println!("worst relative error: chi-square {chi:.1e}, F {fisher:.1e}, normal {normal:.1e}");
    assert!(chi < 1e-8 && fisher < 1e-8 && normal < 1e-8);
    assert_eq!(lines.len(), 9 * (1 + 8 + 7));
}

#[test]
fn components_t2_and_q_equal_scikit_learn() {
    let lines = golden("components.txt");
    let mut moments = Moments::<5>::default();
    all(&lines, "healthy").for_each(|row| moments.push(row.try_into().expect("five columns")));
    let variances = all(&lines, "variances").next().expect("variances");
    let axes = all(&lines, "axes").next().expect("axes");
    let mut compared = 0;
    for line in all(&lines, "kept") {
        let &[part, kept, limit_95, limit_99] = line else { panic!("{line:?}") };
        let principal = Principal::of(&moments, Keep::Part(part)).expect("components");
        assert_eq!(f64::from(principal.kept), kept, "part {part}");
        for (found, expect) in principal.variances.iter().zip(variances) {
            near("variance", *found, *expect, 1e-12);
        }
        for (found, expect) in principal.axes.iter().flatten().zip(axes) {
            near("axis", *found, *expect, 1e-11);
        }
        near("limit of T²", principal.t2_limit(0.95, 200).expect("within"), limit_95, 1e-9);
        near("limit of T²", principal.t2_limit(0.99, 200).expect("within"), limit_99, 1e-9);
        for new in all(&lines, "new").filter(|new| new[0] == part) {
            let distance = principal.distance(new[1..6].try_into().expect("five columns"));
            near("T²", distance.t2, new[6], 1e-9);
            near("Q", distance.q, new[7], 1e-9);
            compared += 1;
        }
    }
    assert_eq!(compared, 3 * 25);
    // Jackson and Mudholkar's limit is an approximation: within 3 % of what four million drawn rows say.
    let principal = Principal { kept: 3, ..Principal::of(&moments, Keep::Part(0.9)).expect("components") };
    let points = all(&lines, "q_points").next().expect("points");
    for (probability, point) in [(0.95, points[0]), (0.99, points[1])] {
        let found = principal.q_limit(probability).expect("two components are left");
        assert!((found / point - 1.0).abs() < 0.03, "{probability}: limit of Q {found}, drawn {point}");
    }
}

#[test]
fn half_space_trees_score_as_river_does() {
    let lines = golden("trees.txt");
    let shape: Vec<u32> = all(&lines, "shape").next().expect("shape").iter().map(|n| *n as u32).collect();
    let cuts = all(&lines, "cut").map(|cut| Cut { feature: cut[0] as u32, threshold: cut[1] }).collect();
    let forest = Forest::from_cuts(shape[1], shape[2], shape[0] as usize, cuts).expect("river's forest");
    let (mut masses, mut scored, mut highest) = (forest.masses(), 0, 0.0_f64);
    for row in all(&lines, "row") {
        let (features, expect) = row.split_at(shape[0] as usize);
        match forest.score(&masses, features) {
            None => assert!(expect[0].is_nan(), "river has a score of {}", expect[0]),
            Some(score) => {
                near("score", score, expect[0], 1e-14);
                (scored, highest) = (scored + 1, highest.max(score));
            }
        }
        forest.learn(&mut masses, features);
    }
    assert_eq!(scored, 130);
    assert!(highest > 0.85, "rows from nowhere are the most anomalous: {highest}");
}

#[test]
fn first_passage_times_equal_scipy() {
    let lines = golden("first-passage.txt");
    for line in all(&lines, "point") {
        let &[left, drift, diffusion, drift_deviation, probability, point] = line else { panic!("{line:?}") };
        let law = FirstPassage { left, drift, diffusion, drift_deviation };
        near("point", law.point(probability).expect("within"), point, 1e-8);
    }
    for line in all(&lines, "cdf") {
        let &[left, drift, diffusion, drift_deviation, time, probability] = line else { panic!("{line:?}") };
        let law = FirstPassage { left, drift, diffusion, drift_deviation };
        near("cdf", law.cdf(time), probability, 1e-9);
    }
    assert_eq!(lines.len(), 4 * 10 + 3 * 3);
}

#[test]
fn features_of_windows_equal_numpy() {
    let lines = golden("windows.txt");
    let column = all(&lines, "column").next().expect("a column");
    let (mut window, mut end, mut compared) = (Window::<30>::default(), 0, 0);
    for line in all(&lines, "window") {
        let &[upto, values, mean, deviation, slope, lowest, highest, last] = line else { panic!("{line:?}") };
        while end < upto as usize {
            window.push(Some(column[end]));
            end += 1;
        }
        let found = window.features().expect("values");
        assert_eq!(
            (f64::from(found.values), found.lowest, found.highest, found.last),
            (values, lowest, highest, last)
        );
        near("mean", found.mean, mean, 1e-15);
        near("deviation", found.deviation, deviation, 1e-9);
        near("slope", found.slope, slope, 1e-9);
        compared += 1;
    }
    assert_eq!((end, compared > 110), (120, true));
}

/// A small generator (Knuth, MMIX constants) and twelve uniforms for a bell.
fn bell(seed: &mut u64) -> f64 {
    let uniform = |seed: &mut u64| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(|_| uniform(seed)).sum::<f64>() - 6.0
}

#[test]
fn cusum_runs_as_long_as_the_textbook_says() {
    // Montgomery, §9.1: two-sided, slack 1/2, average rows until the alarm.
    let cases = [(4.0, 0.0, 168.0), (4.0, 1.0, 8.38), (5.0, 0.0, 465.0), (5.0, 0.5, 38.0), (5.0, 1.0, 10.4)];
    let mut seed = 17;
    for (limit, shift, expect) in cases {
        let page = Page::new(0.5, limit);
        let runs = 4000;
        let mut rows = 0_u32;
        for _ in 0..runs {
            let mut cusum = Cusum::default();
            while cusum.part(&page) <= 1.0 {
                cusum.push(shift + bell(&mut seed), 1.0, &page);
                rows += 1;
            }
        }
        let average = f64::from(rows) / f64::from(runs);
        println!("limit {limit}, shift {shift}: {average:.2} rows, textbook {expect}");
        assert!(
            (average / expect - 1.0).abs() < 0.08,
            "limit {limit}, shift {shift}: {average} instead of {expect}"
        );
    }
}

#[test]
fn the_interval_of_remaining_life_holds_as_often_as_it_says() {
    // Wear by 1 with deviation 1 a row towards 60; asked at row 30 of each run.
    let (mut seed, mut held, mut asked) = (23, 0, 0);
    for _ in 0..2000 {
        let (mut wear, mut value) = (Wear::default(), 0.0);
        for _ in 0..=30 {
            wear.push(value, 1.0);
            value += 1.0 + bell(&mut seed);
        }
        let Some(remaining) = wear.remaining(60.0, 0.9).filter(|remaining| remaining.mean > 0.0) else {
            continue;
        };
        let mut rows = 0.0;
        let mut level = wear.last.expect("a value");
        while level < 60.0 {
            level += 1.0 + bell(&mut seed);
            rows += 1.0;
        }
        asked += 1;
        held += u32::from(remaining.low - 1.0 <= rows && rows <= remaining.high + 1.0);
    }
    let share = f64::from(held) / f64::from(asked);
    println!("{asked} asked, the interval of 90 % held in {:.1} %", 100.0 * share);
    assert!(asked > 1900 && (0.86..=0.94).contains(&share), "{share}");
}
