//! How far behaviors of each twin may reach now: what the site says, what a person armed, and what holds it down.
//!
//! After a start no twin is above `advise` until a person arms it, whatever was so before; so nothing here is read back from a file.
//! The same rule meets a host that was stopped for a while, lost its lease or could not write: it is disarmed, with the reason.

use std::collections::BTreeMap;

use geminus_core::{Authority, Timestamp};
use serde::Serialize;

use crate::CommandError;
use crate::command::name;

/// The most that a twin has which nobody armed.
pub const UNARMED_MAX: Authority = Authority::Advise;

/// One twin's authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// What the site says.
    pub configured: Authority,
    /// Who armed it; `None`: nobody since the start, or since it was disarmed.
    pub armed: Option<Armed>,
    /// Why it is not armed; `None` when it is.
    pub disarmed: Option<String>,
    /// What holds it down besides: each cause, and the most that it allows.
    pub limits: BTreeMap<String, Authority>,
}

/// A person armed a twin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Armed {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Why the authority does not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// No such twin.
    #[error("there is no twin {twin}")]
    NoTwin {
        /// Its id.
        twin: String,
    },
    /// Arming gives no more than the site does.
    #[error("the site gives {twin} no more than it has: raise its authority there first")]
    NothingToArm {
        /// The twin.
        twin: String,
    },
    /// Who armed it has no name.
    #[error(transparent)]
    Name(CommandError),
}

impl Standing {
    fn new(configured: Authority, why: &str) -> Self {
        Self { configured, armed: None, disarmed: Some(why.to_owned()), limits: BTreeMap::new() }
    }

    /// What it has now: the least of what is configured, what an unarmed twin may have, and every limit.
    #[must_use]
    pub fn effective(&self) -> Authority {
        let unarmed = if self.armed.is_some() { Authority::Control } else { UNARMED_MAX };
        self.limits.values().copied().fold(self.configured.min(unarmed), Authority::min)
    }

    /// Why it has less than the site says, in words for people; nothing when it has all of it.
    #[must_use]
    pub fn reasons(&self) -> Vec<&str> {
        let held = |allowed: Authority| allowed < self.configured;
        let unarmed = self.disarmed.as_deref().filter(|_| self.armed.is_none() && held(UNARMED_MAX));
        let limits =
            self.limits.iter().filter(|(_, allowed)| held(**allowed)).map(|(cause, _)| cause.as_str());
        unarmed.into_iter().chain(limits).collect()
    }
}

/// The authority of every twin of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Authorities {
    twins: BTreeMap<String, Standing>,
}

impl Authorities {
    /// As a host starts: nobody has armed anything.
    #[must_use]
    pub fn start(configured: impl IntoIterator<Item = (String, Authority)>) -> Self {
        let standing =
            |(twin, configured)| (twin, Standing::new(configured, "not armed since the host started"));
        Self { twins: configured.into_iter().map(standing).collect() }
    }

    /// One twin's; `None` when there is no such twin.
    #[must_use]
    pub fn of(&self, twin: &str) -> Option<&Standing> {
        self.twins.get(twin)
    }

    /// What a twin has now. One that is not known has nothing.
    #[must_use]
    pub fn effective(&self, twin: &str) -> Authority {
        self.of(twin).map_or(Authority::Observe, Standing::effective)
    }

    /// Every twin, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Standing)> {
        self.twins.iter().map(|(twin, standing)| (twin.as_str(), standing))
    }

    /// A person lets a twin have what the site gives it.
    ///
    /// # Errors
    /// When there is no such twin, or arming it would change nothing.
    pub fn arm(&mut self, twin: &str, by: &str, at: Timestamp) -> Result<Authority, AuthorityError> {
        name("who arms it", by).map_err(AuthorityError::Name)?;
        let standing = self.get(twin)?;
        if standing.configured <= UNARMED_MAX {
            return Err(AuthorityError::NothingToArm { twin: twin.to_owned() });
        }
        standing.armed = Some(Armed { by: by.to_owned(), at });
        standing.disarmed = None;
        Ok(standing.effective())
    }

    /// Takes back what was armed, of one twin.
    ///
    /// # Errors
    /// When there is no such twin.
    pub fn disarm(&mut self, twin: &str, why: &str) -> Result<Authority, AuthorityError> {
        let standing = self.get(twin)?;
        standing.armed = None;
        standing.disarmed = Some(why.to_owned());
        Ok(standing.effective())
    }

    /// Takes back what was armed, of every twin: the host did not run for a while, say. Gives those that had more before.
    pub fn disarm_all(&mut self, why: &str) -> Vec<String> {
        let mut lowered = Vec::new();
        for (twin, standing) in &mut self.twins {
            let before = standing.effective();
            if standing.armed.take().is_some() {
                standing.disarmed = Some(why.to_owned());
            }
            if standing.effective() < before {
                lowered.push(twin.clone());
            }
        }
        lowered
    }

    /// Holds a twin down as long as `cause` lasts.
    ///
    /// # Errors
    /// When there is no such twin.
    pub fn limit(
        &mut self,
        twin: &str,
        cause: &str,
        allowed: Authority,
    ) -> Result<Authority, AuthorityError> {
        let standing = self.get(twin)?;
        standing.limits.insert(cause.to_owned(), allowed);
        Ok(standing.effective())
    }

    /// `cause` is over. What it held down rises again only as far as arming allows.
    ///
    /// # Errors
    /// When there is no such twin.
    pub fn lift(&mut self, twin: &str, cause: &str) -> Result<Authority, AuthorityError> {
        let standing = self.get(twin)?;
        standing.limits.remove(cause);
        Ok(standing.effective())
    }

    /// The site gives a twin another authority. Less counts at once; more has to be armed.
    ///
    /// # Errors
    /// When there is no such twin.
    pub fn configure(&mut self, twin: &str, configured: Authority) -> Result<Authority, AuthorityError> {
        let standing = self.get(twin)?;
        if configured > standing.configured {
            standing.armed = None;
            standing.disarmed = Some("not armed since the site gave it more".to_owned());
        }
        standing.configured = configured;
        Ok(standing.effective())
    }

    fn get(&mut self, twin: &str) -> Result<&mut Standing, AuthorityError> {
        self.twins.get_mut(twin).ok_or_else(|| AuthorityError::NoTwin { twin: twin.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Authority::{Advise, Control, Observe};

    const NOW: Timestamp = Timestamp(1);

    fn all() -> Authorities {
        let twins = [("a", Observe), ("b", Advise), ("c", Control)];
        Authorities::start(twins.map(|(twin, configured)| (twin.to_owned(), configured)))
    }

    #[test]
    fn a_host_starts_no_higher_than_advise_until_it_is_armed() {
        let mut all = all();
        assert_eq!(["a", "b", "c", "d"].map(|twin| all.effective(twin)), [Observe, Advise, Advise, Observe]);
        assert_eq!(all.of("c").map(Standing::reasons), Some(vec!["not armed since the host started"]));
        assert_eq!(all.of("b").map(Standing::reasons), Some(Vec::new()));
        assert_eq!(all.arm("c", "anna", NOW), Ok(Control));
        assert_eq!(all.of("c").and_then(|c| c.armed.clone()), Some(Armed { by: "anna".to_owned(), at: NOW }));
        for twin in ["a", "b"] {
            let refused = AuthorityError::NothingToArm { twin: twin.to_owned() };
            assert_eq!(all.arm(twin, "anna", NOW), Err(refused));
        }
        assert_eq!(all.arm("d", "anna", NOW), Err(AuthorityError::NoTwin { twin: "d".to_owned() }));
        assert!(matches!(all.arm("c", "", NOW), Err(AuthorityError::Name(_))));
    }

    #[test]
    fn what_was_disarmed_stays_down_until_somebody_arms_it() {
        let mut all = all();
        all.arm("c", "anna", NOW).expect("armed");
        assert_eq!(all.disarm_all("the host stood still for 10 s"), ["c"]);
        assert_eq!(all.of("c").map(Standing::reasons), Some(vec!["the host stood still for 10 s"]));
        assert_eq!(all.disarm_all("again"), [""; 0]);
        assert_eq!(all.of("c").map(Standing::reasons), Some(vec!["the host stood still for 10 s"]));
        assert_eq!(all.arm("c", "ben", NOW), Ok(Control));
        assert_eq!(all.disarm("c", "by hand"), Ok(Advise));
    }

    #[test]
    fn every_limit_holds_by_itself_and_lifting_one_arms_nothing() {
        let mut all = all();
        all.arm("c", "anna", NOW).expect("armed");
        assert_eq!(all.limit("c", "the journal cannot be written", Observe), Ok(Observe));
        assert_eq!(all.limit("c", "a rollout", Advise), Ok(Observe));
        assert_eq!(all.of("c").map(|c| c.reasons().len()), Some(2));
        assert_eq!(all.lift("c", "the journal cannot be written"), Ok(Advise));
        assert_eq!(all.disarm("c", "by hand"), Ok(Advise));
        assert_eq!(all.lift("c", "a rollout"), Ok(Advise));
        assert_eq!(all.arm("c", "anna", NOW), Ok(Control));
    }

    #[test]
    fn less_counts_at_once_and_more_has_to_be_armed() {
        let mut all = all();
        all.arm("c", "anna", NOW).expect("armed");
        assert_eq!(all.configure("c", Observe), Ok(Observe));
        assert_eq!(all.configure("c", Control), Ok(Advise));
        assert_eq!(all.configure("b", Control), Ok(Advise));
        assert_eq!(all.of("b").map(Standing::reasons), Some(vec!["not armed since the site gave it more"]));
    }
}
