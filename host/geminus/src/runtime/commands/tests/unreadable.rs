//! What an earlier run left and nobody can read: a target of which that much is not known is written by nobody.

use geminus_api::orders::TargetOrder;
use geminus_api::view::Level;

use super::*;

impl Rig {
    fn release(&mut self, target: &str, (name, role): (&str, Role)) -> Result<Level, Trouble> {
        let order = TargetOrder::Release { level: Level::Lockout };
        let who = Actor { role, ..actor(name) };
        self.desk.order_target(("rig-1", target), order, who, self.now).map(|view| view.owner)
    }

    /// Nobody but an admin ends it.
    fn stays_locked(&mut self, target: &str) {
        for who in [("Ines", Role::Operator), ("Ben", Role::Engineer), ("Cleo", Role::Approver)] {
            let refused = self.release(target, who);
            assert!(
                matches!(&refused, Err(Trouble::Conflict(why)) if why.contains("only an admin")),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn a_target_whose_document_cannot_be_read_is_locked_out_until_an_admin_releases_it() {
    let mut rig = Rig::new();
    let lockout = TargetOrder::Lockout { for_s: 600, reason: "coupling".to_owned() };
    rig.desk.order_target(("rig-1", "free"), lockout, actor("Ines"), rig.now).expect("locked");
    let key = ("rig-1".to_owned(), "free".to_owned());
    rig.seen.seen().targets.insert(key, r#"{"ownership":{"holdi"#.to_owned());
    let mut rig = rig.killed();
    assert_eq!(rig.told("target-unreadable"), 1);
    assert_eq!(rig.propose("free", 4.0, 1).rule.as_deref(), Some("owner"));
    assert_eq!(rig.propose("also", 4.0, 2).state, Phase::Sent, "the others go on");
    // Not even the safe value is written.
    rig.arm();
    rig.sample("temperature", 95.0);
    assert_eq!(rig.left(), ["left rig/rig-1/set/also 4"]);
    // No restart and no time opens it.
    let mut rig = rig.killed();
    rig.pass(Duration::from_secs(601));
    rig.sample("temperature", 40.0);
    rig.stays_locked("free");
    assert_eq!(rig.release("free", ("Olga", Role::Admin)).ok(), Some(Level::Behavior));
    let mut rig = rig.killed();
    assert_eq!(rig.propose("free", 4.0, 3).state, Phase::Expired, "it came too late");
    let wish = Wish { id: None, ..rig.wish("free", 4.0, 0) };
    let now = rig.desk.propose(wish, actor("Anna"), rig.now).expect("taken").0;
    assert_eq!(now.state, Phase::Sent);
}

#[test]
fn an_open_command_that_cannot_be_read_locks_its_target_out_until_an_admin_releases_it() {
    let mut rig = Rig::new();
    let command = rig.propose("held", 4.0, 1);
    let id: Uuid = command.id.parse().expect("an id");
    if let Some(row) = rig.seen.seen().rows.get_mut(&id) {
        row.document = row.document.replace("\"value\":\"4\"", "\"value\":\"9\"");
    }
    let mut rig = rig.killed();
    assert_eq!(rig.told("command-unreadable"), 1, "its bytes are not those of its digest");
    assert_eq!(rig.propose("held", 5.0, 2).rule.as_deref(), Some("owner"));
    assert_eq!(rig.propose("free", 4.0, 3).state, Phase::Sent, "the others go on");
    let mut rig = rig.killed();
    assert_eq!(rig.told("command-unreadable"), 2);
    rig.stays_locked("held");
    // Whoever cannot write it down does not open it.
    rig.seen.seen().full = Some("the disk is full".to_owned());
    assert!(matches!(rig.release("held", ("Olga", Role::Admin)), Err(Trouble::Unavailable(_))));
    rig.seen.seen().full = None;
    assert_eq!(rig.propose("held", 5.0, 4).rule.as_deref(), Some("owner"));
    assert_eq!(rig.release("held", ("Olga", Role::Admin)).ok(), Some(Level::Behavior));
    assert_eq!(rig.seen.seen().rows.get(&id).map(|row| row.open), Some(false));
    let mut rig = rig.killed();
    assert_eq!(rig.told("command-unreadable"), 2, "it needs nobody any more");
    assert_eq!(rig.propose("held", 6.0, 5).state, Phase::Held);
    assert_eq!(rig.left(), ["left rig/rig-1/set/free 4"]);
}
