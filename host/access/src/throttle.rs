//! How often a login may fail: by name from one address, by address, and by name, each with a delay that doubles.
//!
//! A name alone is held up for a minute at most, so that a stranger cannot lock somebody out for long; from the stranger's
//! own address the wait grows to a quarter of an hour. An attempt counts as failed when it begins, so that many at once
//! gain nothing, and is forgiven when it was right.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Failures by name and address that cost nothing: fingers slip.
const FREE_PAIR: u32 = 4;
/// Failures by address that cost nothing: people share one behind a gateway.
const FREE_ADDRESS: u32 = 20;
/// Failures by name that cost nothing.
const FREE_NAME: u32 = 30;
/// Delay after the first failure that costs; each further one doubles it.
const DELAY_FIRST: Duration = Duration::from_secs(2);
/// Longest delay for an address.
const DELAY_MAX: Duration = Duration::from_secs(900);
/// Longest delay for a name whatever the address.
const DELAY_NAME_MAX: Duration = Duration::from_secs(60);
/// After so long without a failure all is forgotten.
const FORGET: Duration = Duration::from_secs(3_600);
/// Most names and addresses that are remembered; the longest quiet goes first.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Pair(String, IpAddr),
    Address(IpAddr),
    Name(String),
    /// A name over protocols that tell no addresses: apart, so that guesses there hold nobody up who comes with one.
    Distant(String),
}

impl Key {
    fn free(&self) -> u32 {
        match self {
            Self::Pair(..) | Self::Distant(_) => FREE_PAIR,
            Self::Address(_) => FREE_ADDRESS,
            Self::Name(_) => FREE_NAME,
        }
    }

    fn delay_max(&self) -> Duration {
        match self {
            Self::Pair(..) | Self::Address(_) => DELAY_MAX,
            Self::Name(_) | Self::Distant(_) => DELAY_NAME_MAX,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Duration,
}

/// What failed lately. Spans are of a clock that never goes back.
#[derive(Debug, Default)]
pub(crate) struct Throttle(HashMap<Key, Failures>);

impl Throttle {
    /// Lets an attempt begin, and counts it as failed.
    ///
    /// # Errors
    /// How long to wait. Then nothing is counted: asking again too early does not prolong it.
    pub(crate) fn begin(&mut self, name: &str, address: IpAddr, now: Duration) -> Result<(), Duration> {
        let keys = keys(name, address);
        let wait = keys.iter().filter_map(|key| self.wait(key, now)).max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        for key in keys {
            self.count(key, now);
        }
        Ok(())
    }

    /// The same for an attempt without a name of ours: by address alone, because a wait for a name that all share would lock
    /// everybody out.
    ///
    /// # Errors
    /// As [`Throttle::begin`].
    pub(crate) fn begin_unnamed(&mut self, address: IpAddr, now: Duration) -> Result<(), Duration> {
        let key = Key::Address(network(address));
        match self.wait(&key, now) {
            Some(wait) => Err(wait),
            None => {
                self.count(key, now);
                Ok(())
            }
        }
    }

    /// The same for an attempt over a protocol that tells no addresses: by name alone where there is somebody of that name, so
    /// that one client with an old password holds up nobody else; names of nobody count together.
    ///
    /// # Errors
    /// As [`Throttle::begin`].
    pub(crate) fn begin_named(&mut self, name: Option<&str>, now: Duration) -> Result<(), Duration> {
        let key = name_key(name);
        match self.wait(&key, now) {
            Some(wait) => Err(wait),
            None => {
                self.count(key, now);
                Ok(())
            }
        }
    }

    /// An attempt over such a protocol was right.
    pub(crate) fn forgive_named(&mut self, name: &str) {
        self.0.remove(&name_key(Some(name)));
    }

    /// An attempt without a name was right.
    pub(crate) fn forgive_unnamed(&mut self, address: IpAddr) {
        if let Some(failures) = self.0.get_mut(&Key::Address(network(address))) {
            failures.count = failures.count.saturating_sub(1);
        }
    }

    /// The attempt was right: its name is trusted from this address again, and its own failure is taken back elsewhere.
    pub(crate) fn forgive(&mut self, name: &str, address: IpAddr) {
        let [pair, others @ ..] = keys(name, address);
        self.0.remove(&pair);
        for key in others {
            if let Some(failures) = self.0.get_mut(&key) {
                failures.count = failures.count.saturating_sub(1);
            }
        }
    }

    fn wait(&self, key: &Key, now: Duration) -> Option<Duration> {
        let failures = self.0.get(key)?;
        let over = failures.count.checked_sub(key.free())?;
        let delay = DELAY_FIRST.saturating_mul(1 << over.min(16)).min(key.delay_max());
        let passed = now.saturating_sub(failures.last);
        delay.checked_sub(passed).filter(|wait| !wait.is_zero())
    }

    fn count(&mut self, key: Key, now: Duration) {
        if self.0.len() >= REMEMBERED_MAX && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let failures = self.0.entry(key).or_insert(Failures { count: 0, last: now });
        if now.saturating_sub(failures.last) >= FORGET {
            failures.count = 0;
        }
        *failures = Failures { count: failures.count.saturating_add(1), last: now };
    }

    /// Forgets what is over, and the quietest tenth when that is not enough.
    fn make_room(&mut self, now: Duration) {
        self.0.retain(|_, failures| now.saturating_sub(failures.last) < FORGET);
        if self.0.len() < REMEMBERED_MAX {
            return;
        }
        let mut ages: Vec<Duration> = self.0.values().map(|failures| failures.last).collect();
        ages.sort_unstable();
        let border = ages.get(REMEMBERED_MAX / 10).copied().unwrap_or(now);
        let mut surplus = REMEMBERED_MAX / 10;
        self.0.retain(|_, failures| {
            let goes = failures.last <= border && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
    }
}

fn keys(name: &str, address: IpAddr) -> [Key; 3] {
    let (name, address) = (name.chars().take(crate::NAME_CHARS_MAX).collect::<String>(), network(address));
    [Key::Pair(name.clone(), address), Key::Address(address), Key::Name(name)]
}

fn name_key(name: Option<&str>) -> Key {
    match name {
        Some(name) => Key::Distant(name.to_owned()),
        None => Key::Address(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)),
    }
}

/// One home or server has a whole /64 of IPv6 addresses: they count as one.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_delay_doubles_up_to_its_bound() {
        let mut throttle = Throttle::default();
        let mut now = second(10);
        for _ in 0..FREE_PAIR {
            assert_eq!(throttle.begin("ada", HERE, now), Ok(()));
        }
        for expect in [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            assert_eq!(throttle.begin("ada", HERE, now), Err(second(expect)));
            now += second(expect) - Duration::from_nanos(1);
            assert!(throttle.begin("ada", HERE, now).is_err(), "too early by a nanosecond");
            now += Duration::from_nanos(1);
            assert_eq!(throttle.begin("ada", HERE, now), Ok(()), "after {expect} s");
        }
    }

    #[test]
    fn a_right_attempt_is_no_failure_and_quiet_is_forgotten() {
        let mut throttle = Throttle::default();
        for n in 0..1_000 {
            assert_eq!(throttle.begin("ada", HERE, second(n)), Ok(()));
            throttle.forgive("ada", HERE);
        }
        for _ in 0..FREE_PAIR {
            throttle.begin("eve", HERE, second(1_000)).expect("free");
        }
        assert!(throttle.begin("eve", HERE, second(1_000)).is_err());
        for _ in 0..FREE_PAIR {
            assert_eq!(throttle.begin("eve", HERE, second(1_000) + FORGET), Ok(()));
        }
    }

    #[test]
    fn many_names_from_one_address_are_held_up_and_others_are_not() {
        let mut throttle = Throttle::default();
        for n in 0..FREE_ADDRESS {
            assert_eq!(throttle.begin(&format!("user{n}"), HERE, second(1)), Ok(()));
        }
        assert!(throttle.begin("ada", HERE, second(1)).is_err());
        let elsewhere = "192.0.2.7".parse().expect("address");
        assert_eq!(throttle.begin("ada", elsewhere, second(1)), Ok(()));
    }

    #[test]
    fn an_attempt_without_a_name_counts_for_its_address_alone() {
        let mut throttle = Throttle::default();
        for _ in 0..FREE_ADDRESS {
            assert_eq!(throttle.begin_unnamed(HERE, second(1)), Ok(()));
        }
        assert_eq!(throttle.begin_unnamed(HERE, second(1)), Err(DELAY_FIRST));
        assert!(throttle.begin("ada", HERE, second(1)).is_err(), "passwords from there wait as well");
        let elsewhere = "192.0.2.7".parse().expect("address");
        assert_eq!(throttle.begin_unnamed(elsewhere, second(1)), Ok(()));
        throttle.forgive_unnamed(HERE);
        assert_eq!(throttle.begin_unnamed(HERE, second(1)), Ok(()));
    }

    #[test]
    fn without_addresses_a_name_holds_up_itself_alone() {
        let mut throttle = Throttle::default();
        for _ in 0..FREE_PAIR {
            assert_eq!(throttle.begin_named(Some("old"), second(1)), Ok(()));
        }
        assert_eq!(throttle.begin_named(Some("old"), second(1)), Err(DELAY_FIRST));
        assert_eq!(throttle.begin_named(Some("ada"), second(1)), Ok(()));
        assert_eq!(throttle.begin("old", HERE, second(1)), Ok(()), "with an address it is another matter");
        throttle.forgive_named("old");
        assert_eq!(throttle.begin_named(Some("old"), second(1)), Ok(()));
        for _ in 0..FREE_ADDRESS {
            assert_eq!(throttle.begin_named(None, second(1)), Ok(()), "names of nobody");
        }
        assert_eq!(throttle.begin_named(None, second(1)), Err(DELAY_FIRST));
        assert_eq!(throttle.begin_named(Some("ada"), second(1)), Ok(()));
    }

    #[test]
    fn a_name_tried_from_many_addresses_waits_a_minute_at_most() {
        let mut throttle = Throttle::default();
        for n in 0..200_u8 {
            let address = IpAddr::from([203, 0, 113, n]);
            throttle.begin("ada", address, second(u64::from(n) * 60)).unwrap_or_default();
        }
        let wait = throttle.begin("ada", HERE, second(199 * 60)).expect_err("held up");
        assert_eq!(wait, DELAY_NAME_MAX);
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let mut throttle = Throttle::default();
        for n in 0..FREE_PAIR {
            let address = format!("2001:db8::{n}").parse().expect("address");
            assert_eq!(throttle.begin("ada", address, second(1)), Ok(()));
        }
        assert!(throttle.begin("ada", "2001:db8::ffff".parse().expect("address"), second(1)).is_err());
        assert!(throttle.begin("ada", "2001:db8:0:1::1".parse().expect("address"), second(1)).is_ok());
        let mapped = "::ffff:127.0.0.1".parse().expect("address");
        assert_eq!(network(mapped), HERE);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut throttle = Throttle::default();
        for n in 0..30_000_u32 {
            let address = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
            throttle
                .begin(&format!("u{n}"), address, second(1) + Duration::from_nanos(n.into()))
                .unwrap_or_default();
            assert!(throttle.0.len() <= REMEMBERED_MAX + 2);
        }
        assert!(throttle.0.len() > REMEMBERED_MAX / 2, "and not more is forgotten than must be");
    }
}
