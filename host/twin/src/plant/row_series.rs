//! Series in which the rows of a behavior are recorded: what it was given, what it said besides outputs, who answered.
//!
//! They are numbered like points, but are none: no page lists them, no sample of the field is routed to them. The shard
//! writes them, `geminus replay` reads them. Beside them a row's outputs stand in the series of its estimated points.

use geminus_core::{SeriesId, TwinIndex};

use super::{Binding, BindingIndex, Plant};

impl Binding {
    /// Names of the series in which a row is recorded: `<behavior>/in/<input>` for each declared input, then
    /// `<behavior>/age/<input>` for each when ages are declared, then `<behavior>/said`, last `<behavior>/by`. None when
    /// it is not recorded.
    #[must_use]
    pub fn row_series_names(&self) -> Vec<String> {
        if !self.record {
            return Vec::new();
        }
        let inputs = || self.declaration.inputs.iter();
        let values = inputs().map(|input| format!("{}/in/{}", self.name, input.name));
        let ages = inputs().filter(|_| self.declaration.ages);
        let ages = ages.map(|input| format!("{}/age/{}", self.name, input.name));
        values.chain(ages).chain(["said", "by"].map(|what| format!("{}/{what}", self.name))).collect()
    }
}

impl Plant {
    /// Series in which rows of a behavior of a twin are recorded, in the order of [`Binding::row_series_names`]. Empty
    /// when they are not, or the twin does not have the behavior.
    #[must_use]
    pub fn row_series(&self, twin: TwinIndex, binding: BindingIndex) -> &[SeriesId] {
        let found = self.twin(twin).and_then(|twin| {
            let behavior = self.kind(twin)?.behaviors.iter().find(|behavior| behavior.binding == binding)?;
            let first = twin.first_row_series as usize;
            self.row_series.get(first + behavior.row_series.start..first + behavior.row_series.end)
        });
        found.unwrap_or_default()
    }

    /// The row series with this name; looks at every behavior, so not for hot paths.
    pub(super) fn row_series_of(&self, twin: TwinIndex, name: &str) -> Option<SeriesId> {
        let kind = self.kind(self.twin(twin)?)?;
        kind.behaviors.iter().find_map(|behavior| {
            let names = self.binding(behavior.binding)?.row_series_names();
            let place = names.iter().position(|known| known == name)?;
            self.row_series(twin, behavior.binding).get(place).copied()
        })
    }
}
