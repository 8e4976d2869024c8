//! A value that is dear to compute and depends on one number, kept from row to row.

use std::cell::{Ref, RefCell};

/// Remembers the last value made for a key: a transition matrix for the last interval, say. It is no state: what
/// it holds follows from its key alone, so it needs no snapshot and survives a fault unharmed.
#[derive(Debug)]
pub struct Memo<T> {
    held: RefCell<Option<(u64, T)>>,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self { held: RefCell::new(None) }
    }
}

impl<T> Memo<T> {
    /// The value for `key`, made by `make` unless it is the last one. Keys are compared by their bits.
    ///
    /// # Panics
    /// When `make` itself asks this memo, or an earlier answer is still held.
    pub fn get(&self, key: f64, make: impl FnOnce() -> T) -> Ref<'_, T> {
        let fresh = matches!(&*self.held.borrow(), Some((held, _)) if *held == key.to_bits());
        if !fresh {
            let made = make();
            *self.held.borrow_mut() = Some((key.to_bits(), made));
        }
        Ref::map(self.held.borrow(), |held| match held {
            Some((_, value)) => value,
            None => unreachable!("filled just above"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_made_once_for_a_key() {
        let memo = Memo::default();
        let made = std::cell::Cell::new(0);
        let ask = |key: f64| {
            *memo.get(key, || {
                made.set(made.get() + 1);
                key * 2.0
            })
        };
        assert_eq!((ask(1.0), ask(1.0), ask(2.0), ask(1.0)), (2.0, 2.0, 4.0, 2.0));
        assert_eq!(made.get(), 3);
    }
}
