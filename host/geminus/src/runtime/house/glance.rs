//! The site at a glance, for the twins that whoever asks may see.

use crossbeam_channel::Sender;
use geminus_access::Scope;
use geminus_api::{Trouble, view as api};
use geminus_core::TwinIndex;

use super::{Rooms, ask};
use crate::runtime::message::{Ask, Totals};

impl Rooms {
    pub(super) async fn glance(&self, scope: &Scope) -> Result<api::SiteView, Trouble> {
        let totals = match scope.is_all() {
            true => self.totals(),
            false => self.totals_inside(scope).await?,
        };
        let total = match scope.is_all() {
            // Also before the shards have counted for the first time.
            true => self.plant.twins.len() as u64,
            false => totals.live + totals.stale + totals.waiting,
        };
        let counters = self.counters();
        let inputs = api::InputsView {
            samples: counters.samples,
            refused: self.refused(),
            late: counters.late,
            duplicates: counters.duplicates,
        };
        Ok(api::SiteView {
            name: self.plant.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started.into(),
            now: self.clock.now().into(),
            twins: api::TwinCounts { total, live: totals.live, stale: totals.stale, waiting: totals.waiting },
            alerts: api::AlertCount { active: totals.by_priority.iter().sum(), highest: totals.highest() },
            inputs: scope.is_all().then_some(inputs),
            store: Self::store_view(&self.store.stats()),
        })
    }

    /// Of the twins inside a scope, now: asked of the shards, because sums are kept for the whole site alone.
    async fn totals_inside(&self, scope: &Scope) -> Result<Totals, Trouble> {
        let id = |twin: &TwinIndex| self.plant.twin(*twin).map_or("", |twin| &*twin.id);
        let inside: Vec<TwinIndex> =
            self.by_id.iter().copied().filter(|twin| scope.contains(id(twin))).collect();
        let mut totals = Totals::default();
        for (shard, mine) in self.by_shard(&inside).filter(|(_, mine)| !mine.is_empty()) {
            totals = totals.plus(ask(shard, |reply| Ask::Totals(mine, reply)).await?);
        }
        Ok(totals)
    }

    /// These twins, by the shard that has them.
    pub(super) fn by_shard<'a>(
        &'a self,
        twins: &'a [TwinIndex],
    ) -> impl Iterator<Item = (&'a Sender<Ask>, Vec<TwinIndex>)> {
        self.shards.iter().enumerate().map(|(number, shard)| {
            let mine = |twin: &&TwinIndex| {
                self.shard_of.get(twin.0 as usize).is_some_and(|shard| usize::from(*shard) == number)
            };
            (shard, twins.iter().filter(mine).copied().collect())
        })
    }
}
