//! Cholesky factors of symmetric matrices of any size, in storage that is given: what surrogates and quadratic
//! programmes factor at their start and solve with in every step. Rows one after the other.
//!
//! Plain loops and a fixed order of summation, so native code and wasm give the same bits. Source: Golub and Van Loan,
//! *Matrix Computations*, §4.2 (factor), §3.1 (substitution).
#![expect(clippy::indexing_slicing, reason = "indices run below n, and callers give n × n numbers")]

/// Replaces the lower triangle of the symmetric `n` × `n` matrix by `L` of `L Lᵀ`; what stands above the diagonal is
/// left as it was and never read. `None` when the matrix is not positive definite or not finite.
#[must_use]
pub(crate) fn factor(a: &mut [f64], n: usize) -> Option<()> {
    for i in 0..n {
        let (above, row) = a.split_at_mut(i * n);
        let row = &mut row[..n];
        for j in 0..i {
            let other = &above[j * n..j * n + j + 1];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let pivot = row[i] - dot(&row[..i], &row[..i]);
        if pivot.is_nan() || pivot <= 0.0 || pivot.is_infinite() {
            return None;
        }
        row[i] = pivot.sqrt();
    }
    Some(())
}

/// Solves `L x = b` in place.
pub(crate) fn forward(l: &[f64], n: usize, b: &mut [f64]) {
    for i in 0..n {
        let row = &l[i * n..i * n + i + 1];
        b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
    }
}

/// Solves `Lᵀ x = b` in place.
pub(crate) fn backward(l: &[f64], n: usize, b: &mut [f64]) {
    for i in (0..n).rev() {
        let row = &l[i * n..i * n + i + 1];
        b[i] /= row[i];
        let value = b[i];
        for (b, l) in b[..i].iter_mut().zip(row) {
            *b -= l * value;
        }
    }
}

/// The inverse `(L Lᵀ)⁻¹`, full and symmetric, into `inverse`.
pub(crate) fn invert(l: &[f64], n: usize, inverse: &mut [f64]) {
    // Row j of `inverse` first becomes column j of L⁻¹ (zero before its place j).
    for j in 0..n {
        let column = &mut inverse[j * n..(j + 1) * n];
        column.fill(0.0);
        column[j] = 1.0 / l[j * n + j];
        for i in j + 1..n {
            let row = &l[i * n..i * n + i + 1];
            column[i] = -dot(&row[j..i], &column[j..i]) / row[i];
        }
    }
    // Element (i, j) of L⁻ᵀ L⁻¹, i ≤ j, needs rows i and j from place j on; going up through j it may overwrite the
    // upper part of row i, whose places from j on are still needed only for later j.
    for i in 0..n {
        for j in i..n {
            let (head, tail) = inverse.split_at_mut(j * n);
            let value = if i == j {
                dot(&tail[j..n], &tail[j..n])
            } else {
                dot(&head[i * n + j..(i + 1) * n], &tail[j..n])
            };
            if i == j {
                tail[i] = value;
            } else {
                head[i * n + j] = value;
            }
        }
    }
    for i in 0..n {
        for j in 0..i {
            inverse[i * n + j] = inverse[j * n + i];
        }
    }
}

/// Sum of products, in four lanes that are added at the end: faster than one, and always in the same order.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 4];
    let (fours, rest) = a.as_chunks::<4>();
    let (others, other_rest) = b[..a.len()].as_chunks::<4>();
    for (a, b) in fours.iter().zip(others) {
        for lane in 0..4 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = rest.iter().zip(other_rest).map(|(a, b)| a * b).sum();
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]) + rest
}

/// `2 Σ ln L_ii`, the logarithm of the determinant of `L Lᵀ`.
pub(crate) fn ln_determinant(l: &[f64], n: usize) -> f64 {
    2.0 * (0..n).map(|i| libm::log(l[i * n + i])).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_solve_and_inverse_fit_together() {
        for n in [1, 2, 5, 9] {
            let a: Vec<f64> = (0..n * n)
                .map(|at| {
                    let (i, j) = (at / n, at % n);
                    1.0 / (1.0 + i.abs_diff(j) as f64) + if i == j { 1.0 } else { 0.0 }
                })
                .collect();
            let mut l = a.clone();
            factor(&mut l, n).expect("positive definite");
            let mut inverse = vec![0.0; n * n];
            invert(&l, n, &mut inverse);
            for i in 0..n {
                let mut x: Vec<f64> = (0..n).map(|j| a[j * n + i]).collect();
                forward(&l, n, &mut x);
                backward(&l, n, &mut x);
                for j in 0..n {
                    let unit = if i == j { 1.0 } else { 0.0 };
                    assert!((x[j] - unit).abs() < 1e-13, "solve {n}: {x:?}");
                    let product: f64 = (0..n).map(|k| a[i * n + k] * inverse[k * n + j]).sum();
                    assert!((product - unit).abs() < 1e-13, "inverse {n}: ({i}, {j}) {product}");
                }
            }
        }
        assert_eq!(factor(&mut [1.0, 2.0, 2.0, 1.0], 2), None);
        assert_eq!(factor(&mut [f64::NAN], 1), None);
    }
}
