//! Slots by number, in pages that never move: an instance's memory only grows, and a single array that is moved as it
//! grows would leave as much behind as it takes.

/// Slots of a page.
const PAGE_SLOTS: usize = 256;

/// Open slots by number.
pub(super) struct Pages<T> {
    pages: Vec<Vec<Option<T>>>,
}

impl<T> Pages<T> {
    pub(super) const fn new() -> Self {
        Self { pages: Vec::new() }
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        let (page, place) = place(slot);
        self.pages.get(page)?.get(place)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let (page, place) = place(slot);
        self.pages.get_mut(page)?.get_mut(place)?.as_mut()
    }

    /// Opens a slot, or replaces what it held.
    pub(super) fn put(&mut self, slot: u32, open: T) {
        let (page, place) = place(slot);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, Vec::new);
        }
        let Some(slots) = self.pages.get_mut(page) else { return };
        if slots.len() <= place {
            // A lone twin takes little; from the second page on there are many.
            if page > 0 && slots.capacity() == 0 {
                slots.reserve_exact(PAGE_SLOTS);
            }
            slots.resize_with(place + 1, || None);
        }
        if let Some(free) = slots.get_mut(place) {
            *free = Some(open);
        }
    }

    /// Closes a slot, whether it is open or not.
    pub(super) fn remove(&mut self, slot: u32) {
        let (page, place) = place(slot);
        if let Some(open) = self.pages.get_mut(page).and_then(|slots| slots.get_mut(place)) {
            *open = None;
        }
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.pages.iter().flatten().flatten().count()
    }
}

#[inline]
fn place(slot: u32) -> (usize, usize) {
    (slot as usize / PAGE_SLOTS, slot as usize % PAGE_SLOTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_where_they_were_put_across_pages() {
        let mut pages = Pages::new();
        for slot in [0, 1, 255, 256, 511, 1_000] {
            pages.put(slot, slot * 2);
        }
        for (slot, expect) in
            [(0, Some(0)), (2, None), (255, Some(510)), (256, Some(512)), (512, None), (1_000, Some(2_000))]
        {
            assert_eq!(pages.get(slot).copied(), expect, "{slot}");
            assert_eq!(pages.get_mut(slot).copied(), expect, "{slot}");
        }
        pages.remove(256);
        pages.remove(70_000);
        assert_eq!((pages.get(256), pages.count()), (None, 5));
        pages.put(256, 7);
        assert_eq!(pages.get(256), Some(&7));
    }
}
