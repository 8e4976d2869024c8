//! The gate as a whole, over a book in memory: logins, tokens, sessions, and who may make whom.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use geminus_core::{Digest, Event, Timestamp};

use crate::book::{Allowed, Verdict};
use crate::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PASSWORD: &str = "correct horse battery";

#[derive(Debug, Default)]
struct Shelf {
    book: Mutex<Book>,
    words: Mutex<Vec<Event>>,
}

#[derive(Clone, Debug, Default)]
struct Memory(Arc<Shelf>);

impl Keep for Memory {
    fn has_changed(&self) -> Result<bool, KeepError> {
        Ok(true)
    }

    fn read(&self) -> Result<Book, KeepError> {
        Ok(self.0.book.lock().expect("book").clone())
    }

    fn change(&self, change: &Change, word: &Event, allowed: &Allowed<'_>) -> Result<Verdict, KeepError> {
        let mut book = self.0.book.lock().expect("book");
        if let Err(refusal) = allowed(&book) {
            return Ok(Err(refusal));
        }
        match change.clone() {
            Change::PutUser(user) => {
                book.users.retain(|other| other.name != user.name);
                book.users.push(user);
            }
            Change::RemoveUser(name) => {
                book.users.retain(|user| user.name != name);
                book.tokens.retain(|token| token.owner != name);
            }
            Change::PutToken(token) => book.tokens.push(token),
            Change::RemoveToken(name) => book.tokens.retain(|token| token.name != name),
        }
        self.0.words.lock().expect("words").push(word.clone());
        Ok(Ok(()))
    }
}

struct House {
    gate: Gate,
    memory: Memory,
    heard: Arc<Mutex<Vec<Event>>>,
}

fn at(second: u64) -> Now {
    Now { wall: Timestamp(second * 1_000_000_000), monotonic: Duration::from_secs(second) }
}

fn house(local: Option<&str>) -> House {
    let (memory, heard) = (Memory::default(), Arc::new(Mutex::new(Vec::new())));
    let ear = Arc::clone(&heard);
    let local = local.map(|token| Digest::of(token.as_bytes()));
    let gate = Gate::open(
        Box::new(memory.clone()),
        local,
        Arc::new(move |event| ear.lock().expect("heard").push(event)),
    );
    House { gate: gate.expect("gate"), memory, heard }
}

fn wish(name: &str, role: Role, twins: &str) -> UserWish {
    let roles = Roles::new([role]).expect("roles");
    UserWish { name: name.into(), password: PASSWORD.into(), roles, scope: twins.parse().expect("scope") }
}

fn with_admin() -> House {
    let house = house(Some("folder"));
    house.gate.add_user(wish("ada", Role::Admin, "*"), "cli", at(1)).expect("admin");
    house
}

fn login(gate: &Gate, name: &str, password: &str, now: u64) -> Result<Login, LoginError> {
    gate.login((name, password), HERE, None, at(now))
}

fn session(id: &str) -> Brought<'_> {
    Brought { session: Some(id), ..Brought::default() }
}

fn token(text: &str) -> Brought<'_> {
    Brought { token: Some(text.as_bytes()), ..Brought::default() }
}

fn name_of(admission: &Admission) -> Option<&str> {
    match admission {
        Admission::Known(principal) => Some(&principal.name),
        Admission::Missing | Admission::Wrong | Admission::Refused(_) => None,
    }
}

#[test]
fn a_site_without_users_is_read_by_anybody_on_loopback_and_by_nobody_beyond() {
    let House { gate, .. } = house(Some("folder"));
    assert!(gate.is_open());
    assert_eq!(gate.admit(Brought::default(), at(1)), Admission::Known(Principal::visitor()));
    assert_eq!(gate.admit(token("wrong"), at(1)), Admission::Known(Principal::visitor()));
    assert_eq!(gate.admit(token("folder"), at(1)), Admission::Known(Principal::local()));
    assert!(matches!(login(&gate, "ada", PASSWORD, 1), Err(LoginError::NoUsers)));
    let House { gate, .. } = house(None);
    assert!(!gate.is_open());
    assert_eq!(gate.admit(Brought::default(), at(1)), Admission::Missing);
    assert_eq!(gate.admit(token("folder"), at(1)), Admission::Wrong);
}

#[test]
fn with_the_first_user_everything_closes_and_the_folder_token_opens_nothing() {
    let House { gate, .. } = with_admin();
    assert!(!gate.is_open());
    assert_eq!(gate.admit(Brought::default(), at(2)), Admission::Missing);
    assert_eq!(gate.admit(token("folder"), at(2)), Admission::Wrong);
    assert_eq!(gate.admit(session("0"), at(2)), Admission::Wrong);
}

#[test]
fn a_login_makes_a_session_and_ends_the_one_that_was_brought() {
    let House { gate, heard, .. } = with_admin();
    let first = login(&gate, "ada", PASSWORD, 2).expect("login");
    let admitted = gate.admit(session(first.session.reveal()), at(3));
    assert_eq!(admitted, Admission::Known(first.principal.clone()));
    let again = gate.login(("ada", PASSWORD), HERE, Some(first.session.reveal()), at(4)).expect("login");
    assert_ne!(again.session, first.session);
    assert_eq!(gate.admit(session(first.session.reveal()), at(5)), Admission::Wrong);
    gate.logout(again.session.reveal(), HERE);
    assert_eq!(gate.admit(session(again.session.reveal()), at(5)), Admission::Wrong);
    let kinds: Vec<String> = heard.lock().expect("heard").iter().map(|event| event.kind.clone()).collect();
    assert_eq!(kinds, ["logged-in", "logged-in", "logged-out"]);
}

#[test]
fn wrong_names_and_passwords_are_refused_alike_and_told_without_secrets() {
    let House { gate, heard, .. } = with_admin();
    let refusal = |name: &str, password: &str| {
        let error = login(&gate, name, password, 2).expect_err("refused");
        assert!(matches!(error, LoginError::Wrong), "{error}");
        error.to_string()
    };
    assert_eq!(refusal("ada", "not the password"), refusal("hunter2-typed-as-name", "whatever it is"));
    let told = format!("{:?}", heard.lock().expect("heard"));
    assert!(told.contains("login as ada from 127.0.0.1 failed") && told.contains("somebody unknown"));
    assert!(!told.contains("hunter2") && !told.contains("not the password"), "{told}");
}

#[test]
fn a_flood_of_logins_is_held_up_before_any_hash_is_made() {
    let House { gate, heard, .. } = with_admin();
    let results: Vec<_> = (0..20).map(|_| login(&gate, "ada", "a wrong password", 2)).collect();
    let tried = results.iter().filter(|result| matches!(result, Err(LoginError::Wrong))).count();
    assert_eq!(tried, 4);
    assert!(results.iter().skip(tried).all(|result| matches!(result, Err(LoginError::TooMany { .. }))));
    assert!(matches!(login(&gate, "ada", PASSWORD, 2), Err(LoginError::TooMany { .. })));
    assert_eq!(heard.lock().expect("heard").len(), tried, "what is held up is not told each time");
    assert!(login(&gate, "ada", PASSWORD, 5).is_ok(), "the wait is over");
}

#[test]
fn who_is_removed_or_has_another_password_is_out_at_once() {
    let House { gate, .. } = with_admin();
    gate.add_user(wish("bob", Role::Operator, "pump-*"), "ada", at(2)).expect("bob");
    let bob = login(&gate, "bob", PASSWORD, 3).expect("login");
    let cookie = bob.session.reveal();
    gate.set_password("bob", "another long password", "ada").expect("set");
    assert_eq!(gate.admit(session(cookie), at(4)), Admission::Wrong);
    let bob = login(&gate, "bob", "another long password", 5).expect("login");
    let cookie = bob.session.reveal();
    gate.remove_user("bob", false, "ada").expect("removed");
    assert_eq!(gate.admit(session(cookie), at(6)), Admission::Wrong);
    gate.add_user(wish("bob", Role::Admin, "*"), "ada", at(7)).expect("another bob");
    assert_eq!(gate.admit(session(cookie), at(8)), Admission::Wrong, "nor is it the new one's");
}

#[test]
fn a_token_opens_until_it_expires_or_it_or_its_owner_goes() {
    let House { gate, memory, .. } = with_admin();
    gate.add_user(wish("bob", Role::Operator, "*"), "ada", at(2)).expect("bob");
    let make = |name: &str, owner: &str, expires: Option<u64>| {
        let wish = TokenWish {
            name: name.to_owned(),
            roles: "viewer".parse().expect("roles"),
            scope: "pump-*".parse().expect("scope"),
            owner: owner.to_owned(),
            expires: expires.map(|second| at(second).wall),
        };
        gate.add_token(wish, "ada", at(3))
    };
    let (secret, _) = make("historian", "bob", Some(10)).expect("token");
    let known = gate.admit(token(secret.reveal()), at(9));
    assert_eq!(name_of(&known), Some("historian"));
    let Admission::Known(principal) = known else { unreachable!("it was known") };
    assert_eq!(principal.person(), "bob");
    assert!(principal.may(Permission::Read, "pump-1") && !principal.may_site(Permission::Read));
    assert_eq!(gate.admit(token(secret.reveal()), at(10)), Admission::Wrong, "expired");
    let back = Now { monotonic: at(11).monotonic, ..at(9) };
    assert_eq!(
        gate.admit(token(secret.reveal()), back),
        Admission::Wrong,
        "a clock that is set back brings none back"
    );
    for forged in ["", "geminus_", &secret.reveal().to_uppercase(), &secret.reveal()[..71]] {
        assert_eq!(gate.admit(token(forged), at(4)), Admission::Wrong, "{forged}");
    }
    let both = Brought { token: Some(b"forged"), session: Some("x") };
    assert_eq!(gate.admit(both, at(4)), Admission::Wrong);
    assert!(matches!(make("late", "bob", Some(3)), Err(AccessError::Expired)));
    assert!(matches!(make("orphan", "eve", None), Err(AccessError::Unknown { .. })));
    assert!(matches!(make("historian", "bob", None), Err(AccessError::Taken { .. })));
    let (lasting, _) = make("lasting", "bob", None).expect("token");
    let (removed, _) = make("removed", "ada", None).expect("token");
    gate.remove_token("removed", "ada").expect("removed");
    assert_eq!(gate.admit(token(removed.reveal()), at(4)), Admission::Wrong);
    gate.remove_user("bob", false, "ada").expect("removed");
    assert_eq!(gate.admit(token(lasting.reveal()), at(4)), Admission::Wrong);
    let told =
        format!("{:?}{:?}", memory.0.words.lock().expect("words"), memory.0.book.lock().expect("book"));
    for secret in [secret.reveal(), lasting.reveal(), removed.reveal(), PASSWORD, "$argon2id"] {
        assert!(!told.contains(secret), "a secret is told");
    }
}

#[test]
fn the_first_user_and_the_last_admin_can_make_others() {
    let House { gate, .. } = house(Some("folder"));
    let refused = gate.add_user(wish("bob", Role::Operator, "*"), "cli", at(1));
    assert!(matches!(refused, Err(AccessError::FirstAdmin)));
    let refused = gate.add_user(wish("bob", Role::Admin, "pump-*"), "cli", at(1));
    assert!(matches!(refused, Err(AccessError::FirstAdmin)));
    gate.add_user(wish("ada", Role::Admin, "*"), "cli", at(1)).expect("admin");
    gate.add_user(wish("bob", Role::Operator, "*"), "ada", at(1)).expect("bob");
    for last_too in [false, true] {
        let refused = gate.remove_user("ada", last_too, "cli");
        assert!(matches!(refused, Err(AccessError::LastAdmin(_))), "{last_too}");
    }
    gate.remove_user("bob", false, "ada").expect("removed");
    assert!(matches!(gate.remove_user("ada", false, "ada"), Err(AccessError::LastAdmin(_))));
    gate.remove_user("ada", true, "cli").expect("the site is open again");
    assert!(gate.is_open());
    assert!(matches!(gate.remove_user("ada", true, "cli"), Err(AccessError::Unknown { .. })));
}

#[test]
fn bad_wishes_are_refused() {
    let House { gate, .. } = with_admin();
    let mut short = wish("bob", Role::Viewer, "*");
    short.password = "short".to_owned();
    assert!(matches!(gate.add_user(short, "ada", at(2)), Err(AccessError::Password)));
    let refused = gate.add_user(wish("Bob", Role::Viewer, "*"), "ada", at(2));
    assert!(matches!(refused, Err(AccessError::Name(_))));
    let refused = gate.add_user(wish("ada", Role::Viewer, "*"), "ada", at(2));
    assert!(matches!(refused, Err(AccessError::Taken { .. })));
    let refused = Gate::local(Digest::of(b"x")).add_user(wish("ada", Role::Admin, "*"), "cli", at(2));
    assert!(matches!(refused, Err(AccessError::Keep(_))));
    assert_eq!(gate.users().len(), 1);
}

const OTHER: &str = "another horse entirely";

#[test]
fn whoever_knows_the_own_password_changes_it_and_only_the_other_sessions_end() {
    let House { gate, memory, .. } = with_admin();
    gate.add_user(wish("bob", Role::Viewer, "pump-1"), "ada", at(1)).expect("user");
    let [own, other] = [2, 3].map(|now| login(&gate, "bob", PASSWORD, now).expect("login"));
    let ada = login(&gate, "ada", PASSWORD, 3).expect("login");
    let change = |current, new, now| {
        let wish = PasswordWish { current, new };
        gate.change_own_password(&own.principal, wish, (Some(own.session.reveal()), HERE), at(now))
    };
    assert!(matches!(change("not the password", OTHER, 4), Err(PasswordError::Wrong)));
    assert!(matches!(change(PASSWORD, "short", 4), Err(PasswordError::Access(AccessError::Password))));
    assert!(matches!(change(PASSWORD, PASSWORD, 4), Err(PasswordError::Same)));
    for session_of in [&own, &other] {
        assert_eq!(
            name_of(&gate.admit(session(session_of.session.reveal()), at(4))),
            Some("bob"),
            "nothing has changed"
        );
    }
    change(PASSWORD, OTHER, 5).expect("changed");
    assert_eq!(
        name_of(&gate.admit(session(own.session.reveal()), at(5))),
        Some("bob"),
        "the one that asked goes on"
    );
    assert_eq!(gate.admit(session(other.session.reveal()), at(5)), Admission::Wrong, "the other has ended");
    assert_eq!(
        name_of(&gate.admit(session(ada.session.reveal()), at(5))),
        Some("ada"),
        "so has nobody else's"
    );
    assert!(matches!(login(&gate, "bob", PASSWORD, 6), Err(LoginError::Wrong)));
    login(&gate, "bob", OTHER, 6).expect("the new one opens");
    // Once more, and by an admin in between, so that what was expected is not what counts.
    change(OTHER, PASSWORD, 7).expect("changed");
    assert_eq!(name_of(&gate.admit(session(own.session.reveal()), at(7))), Some("bob"));
    gate.set_password("bob", OTHER, "ada").expect("set");
    assert_eq!(gate.admit(session(own.session.reveal()), at(8)), Admission::Wrong, "an admin's word ends it");
    let bob = gate.users().into_iter().find(|user| user.name == "bob").expect("bob");
    assert_eq!((bob.roles.to_string(), bob.scope.to_string()), ("viewer".to_owned(), "pump-1".to_owned()));
    let words = memory.0.words.lock().expect("words");
    let last = words.iter().rfind(|word| word.facts["by"] == "bob").expect("told");
    assert_eq!((last.kind.as_str(), &last.facts["name"]), ("password-set", &serde_json::json!("bob")));
    assert!(words.iter().all(|word| !format!("{word:?}").contains("horse")), "no secret is told");
}

#[test]
fn an_open_page_is_no_way_to_guess_a_password() {
    let House { gate, heard, .. } = with_admin();
    let ada = login(&gate, "ada", PASSWORD, 2).expect("login");
    let guess = |current, now| {
        let wish = PasswordWish { current, new: OTHER };
        gate.change_own_password(&ada.principal, wish, (None, HERE), at(now))
    };
    for _ in 0..4 {
        assert!(matches!(guess("a wrong password", 3), Err(PasswordError::Wrong)));
    }
    let wait = Duration::from_secs(2);
    assert!(
        matches!(guess(PASSWORD, 3), Err(PasswordError::TooMany { wait: told }) if told == wait),
        "right or not"
    );
    assert!(matches!(login(&gate, "ada", PASSWORD, 3), Err(LoginError::TooMany { .. })), "as for a login");
    guess(PASSWORD, 5).expect("after the wait");
    let heard = heard.lock().expect("heard");
    let refused: Vec<_> = heard.iter().filter(|event| event.kind == "password-refused").collect();
    assert!(refused.len() == 4 && refused.iter().all(|event| event.facts["name"] == "ada"), "{refused:?}");
    assert!(heard.iter().all(|event| !format!("{event:?}").contains("wrong password")), "{heard:?}");
}

#[test]
fn programs_and_visitors_have_no_password() {
    let House { gate, .. } = with_admin();
    let robot = Principal {
        kind: Kind::Program { owner: "ada".to_owned() },
        name: "ada".to_owned(),
        ..Principal::local()
    };
    for who in [Principal::visitor(), Principal::local(), robot] {
        let wish = PasswordWish { current: PASSWORD, new: OTHER };
        let refused = gate.change_own_password(&who, wish, (None, HERE), at(2));
        assert!(matches!(refused, Err(PasswordError::NoPerson(_))), "{refused:?}");
    }
    login(&gate, "ada", PASSWORD, 3).expect("it is as it was");
}

#[test]
fn who_comes_over_another_protocol_is_known_until_the_password_changes() {
    let House { gate, heard, .. } = with_admin();
    gate.add_user(wish("vic", Role::Viewer, "pump-*"), "cli", at(1)).expect("user");
    let (vic, stamp) = gate.vouch(("vic", PASSWORD), "OPC UA", at(2)).expect("known");
    assert!(vic.may(Permission::Read, "pump-1") && !vic.may(Permission::Read, "fan-1"));
    assert_eq!(gate.standing("vic", &stamp), Some(vic));
    assert_eq!(gate.standing("ada", &stamp), None, "another user's");
    assert!(matches!(gate.vouch(("vic", "another password"), "OPC UA", at(3)), Err(LoginError::Wrong)));
    gate.set_password("vic", "another password", "cli").expect("set");
    assert_eq!(gate.standing("vic", &stamp), None, "the password is another one");
    let told: Vec<_> = heard.lock().expect("heard").iter().map(|event| event.message.clone()).collect();
    assert_eq!(told, ["vic logged in over OPC UA", "a login as vic over OPC UA failed"]);
}

#[test]
fn guesses_over_another_protocol_are_held_up_too() {
    let House { gate, .. } = with_admin();
    let guess = || gate.vouch(("ada", "guess"), "OPC UA", at(2)).expect_err("refused");
    let held = (0..10).map(|_| guess()).find(|error| matches!(error, LoginError::TooMany { .. }));
    assert!(held.is_some(), "ten wrong ones in a row are tried");
    assert!(login(&gate, "ada", PASSWORD, 2).is_ok(), "who sits elsewhere is not");
}
