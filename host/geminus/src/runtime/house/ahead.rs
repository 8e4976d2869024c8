//! Forecasts and what-if of live twins: the shard gives a copy between two rows, everything else happens on a thread that no
//! row waits for.

use std::sync::Arc;
use std::time::Duration;

use geminus_api::Trouble;
use geminus_core::TwinIndex;
use geminus_scenario::{ForecastAsk, ForecastReport, Study, StudyReport};
use geminus_twin::BindingIndex;
use geminus_twin::plant::Binding;
use tokio::task::spawn_blocking;

use super::Rooms;
use crate::ahead::{self, Rows, Subject, Unable};
use crate::runtime::message::{Ask, Forked};

/// Longest time that a study may compute: less than the API waits for an answer.
const STUDY_MAX: Duration = Duration::from_secs(20);

impl Rooms {
    pub(super) async fn foresee(&self, id: String, ask: ForecastAsk) -> Result<ForecastReport, Trouble> {
        let forecasts = |binding: &Binding| binding.declaration.forecast;
        let (forked, subject) = self.fork(id, ask.behavior.as_deref(), &forecasts).await?;
        let whose = subject.to_string();
        let done = spawn_blocking(move || ahead::forecast(&forked.origin, &ask, &subject)).await;
        let done = done.map_err(|error| Trouble::Internal(error.to_string()))?;
        done.map_err(|error| trouble(&whose, error))
    }

    pub(super) async fn explore(&self, id: String, study: Study) -> Result<StudyReport, Trouble> {
        let Ok(place) = Arc::clone(&self.studies).try_acquire_owned() else {
            return Err(Trouble::Unavailable(
                "another study is under way; try again when it is done".to_owned(),
            ));
        };
        let (forked, subject) = self.fork(id, study.behavior.as_deref(), &|_| true).await?;
        let (clock, whose) = (Arc::clone(&self.clock), subject.to_string());
        let work = move || {
            // Also when whoever asked has gone: the place is free when the machine is.
            let _place = place;
            let until = clock.monotonic() + STUDY_MAX;
            let Forked { origin, held } = forked;
            let rows = Rows::ahead(&origin, &study, held)?;
            let is_over = || clock.monotonic() >= until;
            ahead::study(&origin, &study, &rows, &subject, &is_over).map(|(report, _)| report)
        };
        let done = spawn_blocking(work).await;
        let done = done.map_err(|error| Trouble::Internal(error.to_string()))?;
        done.map_err(|error| trouble(&whose, error))
    }

    /// A copy of the behavior that is named, or of the only one that is `meant`.
    async fn fork(
        &self,
        id: String,
        behavior: Option<&str>,
        meant: &(dyn Fn(&Binding) -> bool + Sync),
    ) -> Result<(Forked, Subject), Trouble> {
        let twin = self.known(&id)?;
        let (index, name) = self.behavior_of(twin, &id, behavior, meant)?;
        let forked = self.ask(twin, |reply| Ask::Fork(twin, index, reply)).await?;
        let subject = Subject { twin: id, behavior: name };
        let forked = forked.map_err(|why| Trouble::Conflict(format!("{subject}: {why}")))?;
        Ok((forked, subject))
    }

    fn behavior_of(
        &self,
        twin: TwinIndex,
        id: &str,
        behavior: Option<&str>,
        meant: &dyn Fn(&Binding) -> bool,
    ) -> Result<(BindingIndex, String), Trouble> {
        let kind = self.plant.twin(twin).and_then(|twin| self.plant.kind(twin));
        let of = kind.map(|kind| kind.behaviors.as_slice()).unwrap_or_default();
        let all: Vec<(BindingIndex, &Binding)> =
            of.iter().filter_map(|it| Some((it.binding, self.plant.binding(it.binding)?))).collect();
        let names = || all.iter().map(|(_, binding)| binding.name.as_str()).collect::<Vec<_>>().join(", ");
        if let Some(name) = behavior {
            let found = all.iter().find(|(_, binding)| binding.name == name);
            let absent = || Trouble::NotFound(format!("{id} has no behavior {name}; it has {}", names()));
            return found.map(|(index, _)| (*index, name.to_owned())).ok_or_else(absent);
        }
        // One that is not meant may still be the only one, and then says why it cannot.
        let of_those = |all: &[(BindingIndex, &Binding)]| match all {
            [(index, binding)] => Some((*index, binding.name.clone())),
            _ => None,
        };
        let fit: Vec<(BindingIndex, &Binding)> =
            all.iter().filter(|(_, binding)| meant(binding)).copied().collect();
        of_those(&fit).or_else(|| of_those(&all)).ok_or_else(|| match all.is_empty() {
            true => Trouble::NotFound(format!("{id} has no behavior")),
            false => Trouble::Invalid(format!("say which behavior of {id}: {}", names())),
        })
    }
}

fn trouble(whose: &str, error: Unable) -> Trouble {
    let words = format!("{whose}: {error}");
    match error {
        Unable::Asked(_) => Trouble::Invalid(words),
        Unable::Stands(_) => Trouble::Conflict(words),
        Unable::Failed(_) => Trouble::Internal(words),
    }
}
