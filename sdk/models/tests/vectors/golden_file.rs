//! Reads the golden vectors of `tests/golden`: lines of a name and its numbers. For the tests that hold models
//! against filterpy, numpy and scipy.

use std::path::Path;

use geminus_models::SMatrix;

/// Lines of a golden file: a name and its numbers.
pub(crate) struct Golden(Vec<(String, Vec<f64>)>);

impl Golden {
    pub(crate) fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let mut words = line.split(' ');
            let name = words.next().expect("a name").to_owned();
            (name, words.map(|word| word.parse().expect("a number")).collect())
        });
        Self(lines.collect())
    }

    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [f64]> + use<'a> {
        let name = name.to_owned();
        self.0.iter().filter(move |(n, _)| *n == name).map(|(_, values)| values.as_slice())
    }

    pub(crate) fn one(&self, name: &str) -> &[f64] {
        self.all(name).next().unwrap_or_else(|| panic!("no line {name}"))
    }

    pub(crate) fn matrix<const N: usize, const M: usize>(&self, name: &str) -> SMatrix<f64, N, M> {
        SMatrix::from_row_slice(self.one(name))
    }
}

/// The symmetric matrix whose upper triangle, row by row, stands in `elements`.
pub(crate) fn of_upper<const N: usize>(elements: &[f64]) -> SMatrix<f64, N, N> {
    assert_eq!(elements.len(), N * (N + 1) / 2, "an upper triangle");
    let mut matrix = SMatrix::<f64, N, N>::zeros();
    let mut elements = elements.iter();
    for i in 0..N {
        for j in i..N {
            matrix[(i, j)] = *elements.next().expect("counted above");
            matrix[(j, i)] = matrix[(i, j)];
        }
    }
    matrix
}

/// Difference of covariances, each element relative to the deviations it is about.
pub(crate) fn covariance_error<const N: usize>(
    found: &SMatrix<f64, N, N>,
    expect: &SMatrix<f64, N, N>,
) -> f64 {
    let mut worst = 0.0_f64;
    for i in 0..N {
        for j in 0..N {
            let scale = (expect[(i, i)] * expect[(j, j)]).sqrt();
            worst = worst.max((found[(i, j)] - expect[(i, j)]).abs() / scale);
        }
    }
    worst
}
