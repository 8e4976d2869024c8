//! Which twins are shown, and what each has: every variable has a number, in order.

use std::sync::Arc;

use super::options::ServerError;

/// Most variables of one server: each is two nodes in memory, with its unit.
pub const VARIABLES_MAX: usize = 100_000;

/// Where a point of a twin stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// What the field sends.
    Measured,
    /// What behaviors compute.
    Estimated,
    /// What says how healthy the twin is.
    Health,
}

impl Folder {
    /// All of them, in the order of a twin.
    pub(crate) const ALL: [Self; 3] = [Self::Measured, Self::Estimated, Self::Health];

    /// Its browse name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Measured => "Measured",
            Self::Estimated => "Estimated",
            Self::Health => "Health",
        }
    }

    /// What people read beside it.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Measured => "What the field sends.",
            Self::Estimated => "What behaviors compute.",
            Self::Health => "How healthy the twin is.",
        }
    }
}

/// One point of a kind of twins.
#[derive(Clone, Debug)]
pub struct ShownPoint {
    /// Unique in the twin.
    pub name: String,
    /// What it means.
    pub description: String,
    /// UCUM code.
    pub unit: String,
    /// Where it stands.
    pub folder: Folder,
}

/// What twins of one kind have.
#[derive(Clone, Debug)]
pub struct Layout {
    /// DTMI of the type.
    pub type_id: String,
    /// Its points, whose places are theirs in what shards say.
    pub points: Vec<ShownPoint>,
}

/// What a twin has beside its points. Numbered after them, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Index of its health, 0 … 1.
    Index,
    /// What that means, in a word.
    Verdict,
    /// Whether it sends, in a word.
    State,
}

impl Part {
    pub(crate) const ALL: [Self; 3] = [Self::Index, Self::Verdict, Self::State];
}

impl Layout {
    /// Number of the part, counted from the first variable of a twin.
    #[must_use]
    pub fn place(&self, part: Part) -> usize {
        self.points.len() + part as usize
    }

    fn variables(&self) -> usize {
        self.points.len() + Part::ALL.len()
    }
}

/// A twin that is shown.
#[derive(Debug)]
pub(crate) struct ShownTwin {
    pub(crate) id: String,
    pub(crate) name: String,
    /// How far its behaviors may reach, by the site file.
    pub(crate) authority: &'static str,
    pub(crate) layout: Arc<Layout>,
}

/// All twins that are shown.
#[derive(Debug, Default)]
pub struct Catalogue {
    twins: Vec<ShownTwin>,
    variables: usize,
}

impl Catalogue {
    /// Adds a twin; gives the number of its first variable.
    ///
    /// # Errors
    /// [`ServerError::Variables`] when there are too many.
    pub fn add(
        &mut self,
        id: &str,
        name: String,
        authority: &'static str,
        layout: &Arc<Layout>,
    ) -> Result<u32, ServerError> {
        let first = u32::try_from(self.variables).map_err(|_| ServerError::Variables)?;
        self.variables += layout.variables();
        if self.variables > VARIABLES_MAX {
            return Err(ServerError::Variables);
        }
        self.twins.push(ShownTwin { id: id.to_owned(), name, authority, layout: Arc::clone(layout) });
        Ok(first)
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.twins.is_empty()
    }

    pub(crate) fn variables(&self) -> usize {
        self.variables
    }

    pub(crate) fn twins(&self) -> &[ShownTwin] {
        &self.twins
    }
}
