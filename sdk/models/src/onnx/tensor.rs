//! Numbers with a shape, row-major: `float`, or `int64` where an operator wants lengths or axes.

use super::{AXES_MAX, ELEMENTS_MAX};

/// A tensor; as many numbers as its shape says, at most [`ELEMENTS_MAX`].
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    dims: Vec<usize>,
    data: Data,
}

#[derive(Clone, Debug, PartialEq)]
enum Data {
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

impl Tensor {
    /// Numbers in a shape; `None` when there are not as many as it says, or too many, or it has too many axes.
    #[must_use]
    pub fn new(dims: &[usize], data: Vec<f32>) -> Option<Self> {
        (elements(dims)? == data.len()).then(|| Self { dims: dims.to_vec(), data: Data::Floats(data) })
    }

    pub(crate) fn integers_of(dims: &[usize], data: Vec<i64>) -> Option<Self> {
        (elements(dims)? == data.len()).then(|| Self { dims: dims.to_vec(), data: Data::Integers(data) })
    }

    /// Length of each axis; none for a single number.
    #[must_use]
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// Its numbers; `None` when they are integers.
    #[must_use]
    pub fn floats(&self) -> Option<&[f32]> {
        match &self.data {
            Data::Floats(data) => Some(data),
            Data::Integers(_) => None,
        }
    }

    pub(crate) fn integers(&self) -> Option<&[i64]> {
        match &self.data {
            Data::Floats(_) => None,
            Data::Integers(data) => Some(data),
        }
    }

    /// The same numbers in another shape.
    pub(crate) fn reshaped(&self, dims: &[usize]) -> Option<Self> {
        let count = match &self.data {
            Data::Floats(data) => data.len(),
            Data::Integers(data) => data.len(),
        };
        (elements(dims)? == count).then(|| Self { dims: dims.to_vec(), data: self.data.clone() })
    }
}

/// Numbers in a shape; `None` beyond the limits.
pub(crate) fn elements(dims: &[usize]) -> Option<usize> {
    if dims.len() > AXES_MAX {
        return None;
    }
    let product = dims.iter().try_fold(1_usize, |product, dim| product.checked_mul(*dim))?;
    (product <= ELEMENTS_MAX).then_some(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_holds_as_many_numbers_as_it_says_and_no_more_than_the_limit() {
        assert!(Tensor::new(&[2, 3], vec![0.0; 6]).is_some());
        assert!(Tensor::new(&[], vec![1.0]).is_some(), "a single number has no axes");
        assert_eq!(Tensor::new(&[2, 3], vec![0.0; 5]), None);
        assert_eq!(elements(&[ELEMENTS_MAX]), Some(ELEMENTS_MAX));
        assert_eq!(elements(&[ELEMENTS_MAX + 1]), None);
        assert_eq!(elements(&[usize::MAX, usize::MAX]), None);
        assert_eq!(elements(&[1; AXES_MAX + 1]), None);
    }
}
