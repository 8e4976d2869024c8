//! When a phase that waits for evidence ends, and how.

use geminus_core::Timestamp;

use super::{Phase, Progress, Rollout};
use crate::VerdictState;
use crate::plan::Promote;

/// What stands at the end of a phase.
pub(super) enum Gate {
    /// It goes on.
    Shut,
    /// The next phase, and why.
    Open(String),
    /// Back, and why.
    Lost(String),
}

impl Rollout {
    /// Whether, with this progress, the phase has reached the rows and seconds that the plan asks for at least, or its
    /// time is over. Checks that are only worth something over the whole phase are judged from then on.
    #[must_use]
    pub fn is_ripe(&self, progress: &Progress, now: Timestamp) -> bool {
        let judged = matches!(self.phase, Phase::Shadow | Phase::Canary | Phase::Probation);
        let late = self.deadline().is_some_and(|deadline| now >= deadline);
        judged && (late || self.reaches_minimum(progress.rows_min, now))
    }

    pub(super) fn gate(&self, now: Timestamp, late: bool) -> Gate {
        if self.verdict == Some(VerdictState::Fail) {
            return Gate::Lost(self.words.clone());
        }
        match self.phase {
            Phase::Promoting => self.promoting_gate(late),
            Phase::Probation => self.probation_gate(now, late),
            _ => self.trial_gate(now, late),
        }
    }

    /// Every twin has the candidate. When the time is over, those are not waited for any more that send nothing: the
    /// incumbent answers for such a twin until the candidate is warm for it, or is all there is.
    fn promoting_gate(&self, late: bool) -> Gate {
        let progress = self.progress.unwrap_or_default();
        if self.fresh && progress.authoritative >= progress.twins {
            return Gate::Open(format!("the new version answers for all {} twins", progress.twins));
        }
        if !late {
            return Gate::Shut;
        }
        // Nobody's answer at all would be a version that nobody has seen at work.
        let found = progress.authoritative.saturating_add(progress.idle);
        if self.fresh && progress.authoritative > 0 && found >= progress.twins {
            return Gate::Open(format!(
                "the new version answers for {} of {} twins; the others have gone stale and get it later",
                progress.authoritative, progress.twins
            ));
        }
        let idle = match progress.idle {
            0 => String::new(),
            idle => format!("; {idle} send nothing by which it could become warm"),
        };
        Gate::Lost(format!(
            "after {} s the new version answers for {} of {} twins and is warm for {}{idle}",
            self.seconds_max(),
            progress.authoritative,
            progress.twins,
            progress.warm
        ))
    }

    fn probation_gate(&self, now: Timestamp, late: bool) -> Gate {
        let rows = self.rows();
        match self.verdict {
            Some(VerdictState::Pass) if self.minimum(now) => {
                Gate::Open(format!("every check passed over {rows} rows of each twin"))
            }
            _ if late && self.proven => {
                Gate::Open("the time of probation is over and no check failed".to_owned())
            }
            // A version that was never seen at work is not made permanent by time alone.
            _ if late => Gate::Lost(format!(
                "no row of any twin was compared until the end of probation after {} s, so nothing speaks for the new \
                 version",
                self.seconds_max()
            )),
            _ => Gate::Shut,
        }
    }

    /// Shadow and canary: nothing is trusted that was not seen.
    fn trial_gate(&self, now: Timestamp, late: bool) -> Gate {
        let ripe = self.verdict == Some(VerdictState::Pass) && self.minimum(now) && self.canary_answers();
        if ripe && self.plan.stages.promote == Promote::Automatic {
            return Gate::Open(format!("every check passed over {} rows of each twin", self.rows()));
        }
        if !late {
            return Gate::Shut;
        }
        let what = match self.verdict {
            _ if ripe => "nobody promoted it".to_owned(),
            _ if self.waits.is_some() => self.waits.clone().unwrap_or_default(),
            _ if !self.canary_answers() => {
                let (warm, canary) = (self.progress.unwrap_or_default().authoritative, self.facts.canary);
                format!("the new version answers for {warm} of {canary} canary twins")
            }
            None => "there was no verdict".to_owned(),
            Some(VerdictState::Open) => self.words.clone(),
            Some(_) => {
                format!("only {} of {} rows of each twin were compared", self.rows(), self.rows_wanted())
            }
        };
        Gate::Lost(format!("{} did not pass within {} s: {what}", self.phase, self.seconds_max()))
    }

    /// Whether the canary twins have the candidate; true in shadow.
    fn canary_answers(&self) -> bool {
        let answers = self.progress.map_or(0, |progress| progress.authoritative);
        self.phase != Phase::Canary || (self.fresh && answers >= self.facts.canary)
    }

    /// Compared rows of the poorest twin in this phase.
    fn rows(&self) -> u64 {
        self.progress.map_or(0, |progress| progress.rows_min)
    }

    fn rows_wanted(&self) -> u64 {
        match self.phase {
            Phase::Shadow => self.plan.stages.shadow.rows,
            Phase::Canary => self.plan.stages.canary.rows_wanted(),
            _ => self.plan.stages.probation.rows,
        }
    }

    /// Whether rows and seconds have reached what the plan asks for at least.
    fn minimum(&self, now: Timestamp) -> bool {
        self.reaches_minimum(self.rows(), now)
    }

    fn reaches_minimum(&self, rows: u64, now: Timestamp) -> bool {
        let stages = &self.plan.stages;
        let seconds = match self.phase {
            Phase::Shadow => stages.shadow.seconds,
            Phase::Canary => stages.canary.seconds,
            _ => stages.probation.seconds,
        };
        now.since(self.since).as_secs() >= seconds && rows >= self.rows_wanted()
    }
}
