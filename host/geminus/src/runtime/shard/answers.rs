//! What a shard answers when it is asked, and what it carries out when it is told to: always between two rounds.

use geminus_api::view::TwinView;
use geminus_core::TwinIndex;
use geminus_twin::BindingIndex;
use geminus_twin::shard::{self, Moment};

use super::ShardRunner;
use crate::runtime::cohorts::Return;
use crate::runtime::message::{self, Ask, Past, Totals};
use crate::runtime::view;

impl ShardRunner {
    /// Answers; a reply whose asker has gone is thrown away.
    pub(super) fn answer(&mut self, ask: Ask) {
        let now = Moment::of(self.parts.clock.as_ref());
        match ask {
            Ask::Twin(twin, reply) => drop(reply.send(self.view(twin, now))),
            Ask::Past(twin, reply) => drop(reply.send(self.past(twin, now))),
            Ask::Summaries(twins, reply) => {
                let brief = |&twin: &TwinIndex| {
                    let summary = self.parts.shard.summary(twin, now)?;
                    view::summary(&self.parts.plant, &summary)
                };
                drop(reply.send(twins.iter().filter_map(brief).collect()));
            }
            Ask::InState(state, reply) => {
                let shard = &self.parts.shard;
                let here = |twin: &TwinIndex| {
                    shard.summary(*twin, now).is_some_and(|summary| view::state(summary.state) == state)
                };
                drop(reply.send(shard.twins().filter(here).collect()));
            }
            Ask::Totals(twins, reply) => drop(reply.send(self.totals_of(twins.into_iter(), now))),
            Ask::Live(reply) => {
                let shard = &self.parts.shard;
                let live = |twin: &TwinIndex| shard.state(*twin) == Some(shard::State::Live);
                drop(reply.send(shard.twins().filter(live).collect()));
            }
            Ask::Households(index, twins, reply) => {
                drop(reply.send(self.parts.cohorts.households(index, twins.as_deref())));
            }
            Ask::Copy(index, twins, schema, reply) => {
                drop(reply.send(self.parts.cohorts.copy(index, &twins, schema)));
            }
            Ask::Fork(twin, index, reply) => drop(reply.send(self.fork(twin, index, now))),
            Ask::Begin(index, candidate, reply) => drop(reply.send(self.begin(index, *candidate))),
            Ask::Conduct(index, wanted, phase, reply) => {
                reply.send(self.parts.cohorts.want(index, wanted, phase)).unwrap_or_default();
            }
            Ask::Standing(index, reply) => {
                let shard = &self.parts.shard;
                // Gone stale, or not heard of since the start.
                let is_quiet = |twin| shard.state(twin) != Some(shard::State::Live);
                drop(reply.send(self.parts.cohorts.standing(index, &is_quiet)));
            }
            Ask::Settle(index, reply) => {
                let (moved, left) = self.parts.cohorts.settle(index);
                self.moved(index, moved);
                self.trials.remove(&index);
                drop(reply.send(left));
            }
            Ask::Withdraw(index, rollout, reply) => drop(reply.send(self.withdraw(index, rollout))),
            Ask::Apart(index, twin, of, reply) => {
                reply.send(self.parts.cohorts.is_apart(index, twin, of)).unwrap_or_default();
            }
            Ask::Compiled(index, twin, of, reply) => {
                drop(reply.send(self.parts.cohorts.compiled(index, twin, of)));
            }
            Ask::Reinstate(index, twin, of, how, reply) => {
                let moves = matches!(how, Return::Move(_));
                let done = self.parts.cohorts.reinstate(index, twin, of, how);
                if done.is_ok() {
                    self.faults.remove(&(index, twin));
                    self.border(index, twin);
                }
                if let (Ok(_), true, Some(binding)) = (&done, moves, self.parts.plant.binding(index)) {
                    // No plan goes with a rung of the ladder: the site's own stages say how a change is limited.
                    self.court.switched_by(index, &[twin], &binding.stages.bumpless.clone());
                }
                drop(reply.send(done));
            }
            Ask::Snapshot(reply) => drop(reply.send(self.snapshot())),
            Ask::Stop => {}
        }
    }

    fn view(&self, twin: TwinIndex, now: Moment) -> Option<TwinView> {
        let seen = self.parts.shard.view(twin, now)?;
        let fault = |index: BindingIndex| self.faults.get(&(index, twin)).map(|(message, _)| message.clone());
        let standing = |index: BindingIndex| view::Standing {
            runs: self.parts.cohorts.runs(index),
            quarantined: self.parts.cohorts.is_quarantined(index, twin),
            fault: fault(index),
            berth: self.parts.cohorts.berth(index, twin),
            trial: self.parts.cohorts.trial(index).filter(|trial| trial.has(twin)),
            substituted: self.substitutes.in_force(index, twin),
        };
        view::twin(seen, &self.parts.plant, &self.parts.board, standing)
    }

    /// The price is one call of the behavior, for the state of one twin.
    fn fork(&mut self, twin: TwinIndex, index: BindingIndex, now: Moment) -> Result<message::Forked, String> {
        let origin = self.parts.cohorts.fork(index, twin)?;
        let held = self.parts.shard.held(twin, index, now).unwrap_or_default();
        Ok(message::Forked { origin, held })
    }

    fn past(&self, twin: TwinIndex, now: Moment) -> Past {
        let newest = self.parts.shard.view(twin, now).and_then(|view| {
            view.measured.iter().chain(&view.estimated).filter_map(|point| point.time).max()
        });
        Past { newest, swaps: self.swaps.of(twin).collect() }
    }

    pub(super) fn totals(&self, now: Moment) -> Totals {
        self.totals_of(self.parts.shard.twins(), now)
    }

    fn totals_of(&self, twins: impl Iterator<Item = TwinIndex>, now: Moment) -> Totals {
        let mut totals = Totals::default();
        for summary in twins.filter_map(|twin| self.parts.shard.summary(twin, now)) {
            match summary.state {
                shard::State::Live => totals.live += 1,
                shard::State::Stale => totals.stale += 1,
                shard::State::Waiting => totals.waiting += 1,
            }
            if let (Some(priority), true) = (summary.highest, summary.alerts > 0)
                && let Some(count) = totals.by_priority.get_mut(priority as usize)
            {
                // Counted under the highest of the twin: the others stand on its page.
                *count += summary.alerts as u64;
            }
        }
        totals
    }
}
