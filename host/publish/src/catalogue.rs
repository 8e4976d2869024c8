//! What may be published: twins and their items, numbered once at the start.

use std::ops::Range;

/// Most items of one publication; each costs some two hundred bytes.
pub(crate) const ITEMS_MAX: usize = 1_000_000;
/// Most items of one twin: with Sparkplug all of them stand in one birth.
pub(crate) const TWIN_ITEMS_MAX: usize = 4_096;

/// One thing of a twin that has a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// `thermal.winding_temperature`; that of an alarm; `health`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An estimated point.
    Point {
        /// UCUM code.
        unit: String,
    },
    /// The health of the twin.
    Health,
    /// An alarm of the twin.
    Alarm,
}

/// One twin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// Unique in the site, and one level of a topic.
    pub id: String,
    /// Levels of a topic between site and twin: area and line, where they are known.
    pub place: Vec<String>,
    first: u32,
    items: u32,
}

/// Everything that a publication may say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    twins: Vec<Twin>,
    items: Vec<Item>,
}

/// Why something cannot be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// In all.
    #[error("more than {ITEMS_MAX} items: choose fewer twins or points")]
    Items,
    /// Of one twin.
    #[error("twin {0} has more than {TWIN_ITEMS_MAX} items: choose fewer points")]
    TwinItems(String),
}

impl Catalogue {
    /// Adds a twin; gives the number of its first item, the others follow. A twin without items is left out.
    ///
    /// # Errors
    /// [`CatalogueError`] when there would be too many.
    pub fn add(&mut self, id: String, place: Vec<String>, items: Vec<Item>) -> Result<u32, CatalogueError> {
        let first = u32::try_from(self.items.len()).map_err(|_| CatalogueError::Items)?;
        if items.is_empty() {
            return Ok(first);
        }
        if items.len() > TWIN_ITEMS_MAX {
            return Err(CatalogueError::TwinItems(id));
        }
        if self.items.len() + items.len() > ITEMS_MAX {
            return Err(CatalogueError::Items);
        }
        let count = u32::try_from(items.len()).map_err(|_| CatalogueError::Items)?;
        self.items.extend(items);
        self.twins.push(Twin { id, place, first, items: count });
        Ok(first)
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing may be said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn twins(&self) -> &[Twin] {
        &self.twins
    }

    /// An item and its twin.
    pub(crate) fn item(&self, item: u32) -> Option<(&Twin, &Item)> {
        Some((self.twins.get(self.twin_of(item)?)?, self.items.get(item as usize)?))
    }

    /// Place of the twin that has this item.
    pub(crate) fn twin_of(&self, item: u32) -> Option<usize> {
        self.twins.partition_point(|twin| twin.first <= item).checked_sub(1)
    }
}

impl Twin {
    /// Numbers of its items.
    pub(crate) fn items(&self) -> Range<u32> {
        self.first..self.first + self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(count: usize) -> Vec<Item> {
        vec![Item { name: "x".to_owned(), kind: Kind::Health }; count]
    }

    #[test]
    fn items_are_numbered_through_and_know_their_twin() {
        let mut catalogue = Catalogue::default();
        let mut add = |id: &str, count| catalogue.add(id.to_owned(), Vec::new(), items(count));
        assert_eq!((add("a", 2), add("none", 0), add("b", 3)), (Ok(0), Ok(2), Ok(2)));
        let of = |item| catalogue.item(item).map(|(twin, _)| twin.id.as_str());
        assert_eq!([of(0), of(1), of(2), of(4), of(5)], [Some("a"), Some("a"), Some("b"), Some("b"), None]);
        assert_eq!(catalogue.twins()[1].items(), 2..5);
    }

    #[test]
    fn too_many_are_refused() {
        let mut catalogue = Catalogue::default();
        let mut add = |count| catalogue.add("a".to_owned(), Vec::new(), items(count));
        assert_eq!(add(TWIN_ITEMS_MAX + 1), Err(CatalogueError::TwinItems("a".to_owned())));
        for _ in 0..ITEMS_MAX / TWIN_ITEMS_MAX {
            assert!(add(TWIN_ITEMS_MAX).is_ok());
        }
        assert_eq!(add(TWIN_ITEMS_MAX), Err(CatalogueError::Items));
    }
}
