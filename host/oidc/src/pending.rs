//! Logins that have begun: each counts once, for ten minutes, for the browser that began it, and there are not many of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use geminus_access::Secret;
use geminus_core::Digest;

use crate::OidcError;

/// How long somebody may take at the issuer.
pub(crate) const PENDING_LIFE: Duration = Duration::from_secs(600);
/// Most logins that have begun from one address or network: people share one behind a gateway.
pub(crate) const PENDING_OF_ADDRESS_MAX: usize = 50;
/// Most logins that have begun.
pub(crate) const PENDING_MAX: usize = 1_000;

/// One login on its way. Its `Debug` would show secrets, so it has none.
pub(crate) struct Login {
    binding: Digest,
    /// What the issuer puts into the token of this login.
    pub(crate) nonce: Secret,
    /// What shows the issuer that whoever asks for the token is who began.
    pub(crate) verifier: Secret,
    address: IpAddr,
    began: Duration,
}

/// What a login goes away with.
pub(crate) struct Begun {
    pub(crate) state: Secret,
    pub(crate) binding: Secret,
    pub(crate) nonce: Secret,
    pub(crate) verifier: Secret,
}

/// All of them, by the digest of their state.
#[derive(Default)]
pub(crate) struct Pending(HashMap<Digest, Login>);

impl Pending {
    pub(crate) fn begin(&mut self, address: IpAddr, now: Duration) -> Result<Begun, OidcError> {
        self.0.retain(|_, login| login.lives(now));
        let address = geminus_access::network(address);
        self.room(now, PENDING_OF_ADDRESS_MAX, |login| login.address == address)?;
        if self.0.len() >= PENDING_MAX {
            self.make_room();
        }
        let fresh = || Secret::once().map_err(|_| OidcError::Randomness);
        let begun = Begun { state: fresh()?, binding: fresh()?, nonce: fresh()?, verifier: fresh()? };
        let (nonce, verifier) = (begun.nonce.clone(), begun.verifier.clone());
        let login = Login { binding: begun.binding.digest(), nonce, verifier, address, began: now };
        self.0.insert(begun.state.digest(), login);
        Ok(begun)
    }

    /// The login of this state, which counts no more afterwards: also when the browser is another one, because then its state
    /// is known to somebody who should not know it.
    pub(crate) fn take(&mut self, state: &str, binding: &str, now: Duration) -> Result<Login, OidcError> {
        let found = self.0.remove(&Digest::of(state.as_bytes()));
        let login = found.filter(|login| login.lives(now)).ok_or(OidcError::State(PENDING_LIFE))?;
        // Digests of secrets that nobody can guess: how long the comparison takes tells nothing.
        match login.binding == Digest::of(binding.as_bytes()) {
            true => Ok(login),
            false => Err(OidcError::Binding),
        }
    }

    /// Ends the oldest login of the network that has most of them, so that whoever begins thousands holds up nobody else.
    fn make_room(&mut self) {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        self.0.values().for_each(|login| *counts.entry(login.address).or_default() += 1);
        let Some((busiest, _)) = counts.into_iter().max_by_key(|(_, count)| *count) else { return };
        let its = self.0.iter().filter(|(_, login)| login.address == busiest);
        if let Some(state) = its.min_by_key(|(_, login)| login.began).map(|(state, _)| *state) {
            self.0.remove(&state);
        }
    }

    fn room(&self, now: Duration, most: usize, counts: impl Fn(&Login) -> bool) -> Result<(), OidcError> {
        let began = self.0.values().filter(|login| counts(login)).map(|login| login.began);
        let began: Vec<Duration> = began.collect();
        match (began.len() < most, began.iter().min()) {
            (false, Some(oldest)) => {
                Err(OidcError::Pending { wait: PENDING_LIFE.saturating_sub(now.saturating_sub(*oldest)) })
            }
            (true, _) | (false, None) => Ok(()),
        }
    }
}

impl Login {
    fn lives(&self, now: Duration) -> bool {
        now.saturating_sub(self.began) < PENDING_LIFE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + n).to_be_bytes())
    }

    #[test]
    fn a_login_counts_once_in_time_and_for_its_own_browser() {
        let mut pending = Pending::default();
        let at = Duration::from_secs;
        let check = |pending: &mut Pending, begun: &Begun, binding: &str, now, expect: Option<OidcError>| {
            assert_eq!(pending.take(begun.state.reveal(), binding, now).err(), expect);
        };
        let gone = || Some(OidcError::State(PENDING_LIFE));
        let begun = pending.begin(address(1), at(0)).expect("begun");
        check(&mut pending, &begun, begun.binding.reveal(), at(1), None);
        check(&mut pending, &begun, begun.binding.reveal(), at(1), gone());
        let begun = pending.begin(address(1), at(0)).expect("begun");
        check(&mut pending, &begun, begun.state.reveal(), at(1), Some(OidcError::Binding));
        check(&mut pending, &begun, begun.binding.reveal(), at(1), gone());
        let begun = pending.begin(address(1), at(0)).expect("begun");
        check(&mut pending, &begun, begun.binding.reveal(), PENDING_LIFE, gone());
        assert_eq!(pending.take("", "", at(1)).err(), gone());
    }

    #[test]
    fn their_number_is_bounded_by_address_and_in_all() {
        let mut pending = Pending::default();
        for _ in 0..PENDING_OF_ADDRESS_MAX {
            pending.begin(address(0), Duration::ZERO).expect("begun");
        }
        let now = Duration::from_secs(100);
        let wait = PENDING_LIFE - now;
        assert_eq!(pending.begin(address(0), now).err(), Some(OidcError::Pending { wait }));
        let fair = pending.begin(address(1), now).expect("begun");
        for n in 0..PENDING_MAX {
            pending.begin(address(2 + n as u32), now).expect("begun");
            assert!(pending.0.len() <= PENDING_MAX);
        }
        let left = pending.0.values().filter(|login| login.address == address(0)).count();
        assert_eq!(left, 1, "the busiest network has made room");
        assert!(
            pending.take(fair.state.reveal(), fair.binding.reveal(), now).is_ok(),
            "others are left alone"
        );
        assert!(pending.begin(address(0), PENDING_LIFE).is_ok(), "what is over makes room");
    }
}
