//! Sessions of the page: made by a login, ended by a logout, silence, age, a change of the password, or the process's end.
//!
//! A session of a user holds a name and nothing of what that name may do: rights are looked up anew at each request. Whoever
//! comes from an issuer has no entry here, so its session keeps what the issuer said at the login. An id is made here and never taken from a browser, so none can be planted.

use std::collections::HashMap;
use std::time::Duration;

use geminus_core::Digest;

use crate::secret::{Secret, digest_of};
use crate::{AccessError, Principal};

/// Silence after which a session ends.
pub const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
/// Age at which a session ends, whatever happened in it: a shift.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 3_600);
/// Most sessions of one user; the one that was silent longest ends.
const SESSIONS_OF_USER_MAX: usize = 10;
/// Most sessions of the host; the one that was silent longest ends.
const SESSIONS_MAX: usize = 2_000;

#[derive(Clone, Debug)]
struct Session {
    user: String,
    /// Digest of the password's hash at the login: another password ends the session.
    password: Digest,
    /// Whoever an issuer vouched for at the login; what that one may stays as it was then.
    guest: Option<Principal>,
    began: Duration,
    used: Duration,
}

/// All sessions, by the digest of their id.
#[derive(Debug, Default)]
pub(crate) struct Sessions(HashMap<Digest, Session>);

impl Sessions {
    /// A new one, with an id that nobody knew before.
    pub(crate) fn begin(
        &mut self,
        user: &str,
        password: Digest,
        now: Duration,
    ) -> Result<Secret, AccessError> {
        let user = user.to_owned();
        self.keep(Session { user, password, guest: None, began: now, used: now }, now)
    }

    /// The same for somebody of elsewhere, who has no password here.
    pub(crate) fn begin_guest(&mut self, guest: Principal, now: Duration) -> Result<Secret, AccessError> {
        let (user, password) = (guest.name.clone(), Digest::of(b""));
        self.keep(Session { user, password, guest: Some(guest), began: now, used: now }, now)
    }

    fn keep(&mut self, new: Session, now: Duration) -> Result<Secret, AccessError> {
        let id = Secret::session()?;
        self.0.retain(|_, session| session.lives(now));
        self.bound(SESSIONS_OF_USER_MAX, |session| session.user == new.user);
        self.bound(SESSIONS_MAX, |_| true);
        self.0.insert(id.digest(), new);
        Ok(id)
    }

    /// Whose session this is, if `is_good` says that its user and password still are. What is over is forgotten.
    pub(crate) fn user(
        &mut self,
        id: &str,
        now: Duration,
        is_good: impl FnOnce(&str, &Digest) -> bool,
    ) -> Option<String> {
        let digest = digest_of(id.as_bytes())?;
        let session = self.0.get_mut(&digest)?;
        if session.lives(now) && is_good(&session.user, &session.password) {
            session.used = now;
            return Some(session.user.clone());
        }
        self.0.remove(&digest);
        None
    }

    /// Who of elsewhere this session is of, while it lives.
    pub(crate) fn guest(&mut self, id: &str, now: Duration) -> Option<Principal> {
        let session = self.0.get_mut(&digest_of(id.as_bytes())?)?;
        let guest = session.guest.clone().filter(|_| session.lives(now))?;
        session.used = now;
        Some(guest)
    }

    /// Ends it; gives whose it was.
    pub(crate) fn end(&mut self, id: &str) -> Option<String> {
        self.0.remove(&digest_of(id.as_bytes())?).map(|session| session.user)
    }

    /// Ends those that were silent longest until one more is within `limit`.
    fn bound(&mut self, limit: usize, counts: impl Fn(&Session) -> bool) {
        while self.0.values().filter(|session| counts(session)).count() >= limit {
            let all = self.0.iter().filter(|(_, session)| counts(session));
            let Some(oldest) = all.min_by_key(|(_, session)| session.used).map(|(id, _)| *id) else { return };
            self.0.remove(&oldest);
        }
    }
}

impl Session {
    fn lives(&self, now: Duration) -> bool {
        now.saturating_sub(self.used) < SESSION_IDLE && now.saturating_sub(self.began) < SESSION_LIFE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password() -> Digest {
        Digest::of(b"hash")
    }

    fn is_there(sessions: &mut Sessions, id: &Secret, now: Duration) -> bool {
        sessions.user(id.reveal(), now, |_, _| true).is_some()
    }

    #[test]
    fn silence_and_age_end_a_session() {
        let mut sessions = Sessions::default();
        let id = sessions.begin("ada", password(), Duration::ZERO).expect("session");
        let mut now = Duration::ZERO;
        while now + SESSION_IDLE <= SESSION_LIFE {
            now += SESSION_IDLE - Duration::from_secs(1);
            assert!(is_there(&mut sessions, &id, now), "{now:?}");
        }
        assert!(!is_there(&mut sessions, &id, SESSION_LIFE));
        let id = sessions.begin("ada", password(), now).expect("session");
        assert!(!is_there(&mut sessions, &id, now + SESSION_IDLE));
        assert!(!is_there(&mut sessions, &id, now), "what ended does not come back");
    }

    #[test]
    fn an_id_that_was_not_made_here_is_nobodys() {
        let mut sessions = Sessions::default();
        let planted = "0".repeat(64);
        assert_eq!(sessions.user(&planted, Duration::ZERO, |_, _| true), None);
        let id = sessions.begin("ada", password(), Duration::ZERO).expect("session");
        assert_ne!(id.reveal(), planted);
        assert_eq!(sessions.user(&planted, Duration::ZERO, |_, _| true), None);
        assert_eq!(sessions.end(&planted), None);
        assert_eq!(sessions.end(id.reveal()).as_deref(), Some("ada"));
        assert!(!is_there(&mut sessions, &id, Duration::ZERO));
    }

    #[test]
    fn a_user_who_is_gone_has_no_session() {
        let mut sessions = Sessions::default();
        let id = sessions.begin("ada", password(), Duration::ZERO).expect("session");
        assert_eq!(sessions.user(id.reveal(), Duration::ZERO, |_, kept| *kept == Digest::of(b"other")), None);
        assert!(!is_there(&mut sessions, &id, Duration::ZERO), "and it is forgotten");
    }

    #[test]
    fn whoever_comes_from_an_issuer_keeps_what_it_said_as_long_as_any_session() {
        let mut sessions = Sessions::default();
        let ada =
            Principal { name: "oidc:ada".to_owned(), kind: crate::Kind::Person, ..Principal::visitor() };
        let id = sessions.begin_guest(ada.clone(), Duration::ZERO).expect("session");
        let mut now = SESSION_IDLE - Duration::from_secs(1);
        assert_eq!(sessions.guest(id.reveal(), now), Some(ada.clone()));
        now += SESSION_IDLE;
        assert_eq!(sessions.guest(id.reveal(), now), None, "it was silent too long");
        let id = sessions.begin_guest(ada.clone(), now).expect("session");
        assert_eq!(sessions.end(id.reveal()).as_deref(), Some("oidc:ada"));
        assert_eq!(sessions.guest(id.reveal(), now), None);
        let user = sessions.begin("ada", password(), now).expect("session");
        assert_eq!(sessions.guest(user.reveal(), now), None, "a user is no guest");
        let ids: Vec<_> = (0..=SESSIONS_OF_USER_MAX)
            .map(|_| sessions.begin_guest(ada.clone(), now).expect("session"))
            .collect();
        let live = ids.iter().filter(|id| sessions.guest(id.reveal(), now).is_some()).count();
        assert_eq!(live, SESSIONS_OF_USER_MAX);
    }

    #[test]
    fn the_number_of_sessions_is_bounded() {
        let mut sessions = Sessions::default();
        let mut ids = Vec::new();
        for n in 0..=SESSIONS_OF_USER_MAX as u64 {
            ids.push(sessions.begin("ada", password(), Duration::from_secs(n)).expect("session"));
        }
        let now = Duration::from_secs(60);
        assert!(!is_there(&mut sessions, &ids[0], now) && is_there(&mut sessions, &ids[1], now));
        for n in 0..SESSIONS_MAX + 5 {
            sessions.begin(&format!("u{n}"), password(), now).expect("session");
        }
        assert_eq!(sessions.0.len(), SESSIONS_MAX);
    }
}
