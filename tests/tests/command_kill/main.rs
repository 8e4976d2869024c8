//! `kill -9` at every step of a command: the host that ships dies right before a step is in `outbox.db`, and right after it
//! was forced to the disk, and is started again. Each command reaches the field once at most, is never told to be verified
//! when it is not, comes to a true end, and nothing that needs an armed twin leaves before a person has armed it again.
//!
//! The moment is chosen from outside (`Cutter`): the host has no place where a test could stop it.

mod clock;
mod world;

use std::path::Path;

use anyhow::{Context as _, ensure};
use geminus_tests::{Cut, Host, Listener, PATIENCE, Publisher, wait_for};
use serde_json::{Value, json};

use world::When::{After, Before};
use world::{
    Case, Field, SETS, TWIN, When, World, approval_by, arm, connected, cut, died_at, has_approved, journaled,
    kept, known, propose,
};

/// The host dies, is started again, and the command comes to its end.
fn dies_once(world: &mut World, case: &Case) -> anyhow::Result<()> {
    let (site, id) = (world.site()?, world.id()?);
    world.limit = 1.0;
    let host = world.cutter.start(&site.site(), &cut(case.step, case.when))?;
    connected(&host)?;
    if case.by.is_none() {
        arm(&host)?;
    }
    let early = if case.field == Field::ObeysLate { Field::Deaf } else { case.field };
    host.dies_while(|host| world.turn(host, case, &id, early).map(drop))?;
    died_at(&site, &id, case.step, case.when)?;
    world.settle()?;
    ensure!(world.orders(&id) <= case.orders, "{} orders", world.orders(&id));

    let host = start_again(&site.site())?;
    let late = if case.field == Field::ObeysLate { Field::Obeys } else { case.field };
    let end = wait_for(&format!("the command to be {}", case.end), PATIENCE, || {
        let stands = world.turn(&host, case, &id, late)?;
        ensure!(stands["state"] == case.end, "{stands}");
        Ok(Some(stands))
    })?;
    is_true(world, &end, case, &id)?;
    journaled(&host, &id)?;

    // What comes again acts no more, and neither does an armed twin bring it back.
    let (status, again) = propose(&host, case, &id)?;
    ensure!(status == 200 && again["state"] == case.end, "{status}: {again}");
    arm(&host)?;
    if case.end == "indeterminate" {
        let body = json!({"by": "Cleo", "reason": "it was looked at"});
        let (status, seen) = host.post(&format!("/commands/{id}/resolve"), &body)?;
        ensure!(status == 200 && seen["state"] == "indeterminate", "{seen}");
    }
    world.settle()?;
    ensure!(world.orders(&id) == case.orders, "{} orders", world.orders(&id));
    host.kill()
}

fn start_again(site: &Path) -> anyhow::Result<Host> {
    let host = Host::start(site)?;
    connected(&host)?;
    let authority = host.get(&format!("/twins/{TWIN}/authority"))?;
    ensure!(authority["effective"] == "advise" && authority["armed"].is_null(), "{authority}");
    Ok(host)
}

/// An end is a claim about the field, which knows better.
fn is_true(world: &mut World, end: &Value, case: &Case, id: &str) -> anyhow::Result<()> {
    world.settle()?;
    let orders = world.orders(id);
    match case.end {
        "verified" => {
            ensure!(orders == 1 && world.limit == case.value, "{orders} orders: {end}");
            ensure!(end["read_back"]["value"] == case.value, "{end}");
        }
        "indeterminate" => ensure!(world.limit != case.value, "it could be known: {end}"),
        _ => ensure!(orders == 0, "{orders} orders, and it says {end}"),
    }
    Ok(())
}

fn all(cases: &[Case]) -> anyhow::Result<()> {
    let mut world = World::new()?;
    for case in cases {
        dies_once(&mut world, case).with_context(|| format!("{case:?}"))?;
    }
    Ok(())
}

#[test]
fn an_approved_command_leaves_once_wherever_the_host_dies_before_it_is_sent() -> anyhow::Result<()> {
    let case = Case {
        target: "asked",
        value: 40.0,
        by: Some("Anna"),
        step: "proposed",
        when: Before,
        field: Field::Obeys,
        end: "verified",
        orders: 1,
    };
    all(&[
        case,
        Case { when: After, ..case },
        Case { step: "checked", ..case },
        Case { step: "checked", when: After, ..case },
        Case { step: "held", ..case },
        Case { step: "held", when: After, ..case },
        Case { step: "armed", ..case },
        Case { step: "armed", when: After, ..case },
        Case { step: "sent", ..case },
    ])
}

#[test]
fn a_command_that_may_have_left_is_never_sent_again_and_verified_by_the_field_alone() -> anyhow::Result<()> {
    let case = Case {
        target: "asked",
        value: 40.0,
        by: Some("Anna"),
        step: "sent",
        when: After,
        field: Field::Deaf,
        end: "indeterminate",
        orders: 0,
    };
    let late = Case { step: "transport-acked", field: Field::ObeysLate, end: "verified", orders: 1, ..case };
    let seen = Case { step: "verified", field: Field::Obeys, end: "verified", orders: 1, ..case };
    let deaf = Case { target: "brief", step: "indeterminate", orders: 1, ..case };
    all(&[
        case,
        Case { when: Before, ..late },
        late,
        Case { when: Before, ..seen },
        seen,
        Case { when: Before, ..deaf },
        deaf,
    ])
}

#[test]
fn what_is_refused_or_expires_stays_so() -> anyhow::Result<()> {
    let case = Case {
        target: "free",
        value: 400.0,
        by: Some("Anna"),
        step: "refused",
        when: Before,
        field: Field::Deaf,
        end: "refused",
        orders: 0,
    };
    let late = Case { target: "hasty", value: 40.0, step: "expired", end: "expired", ..case };
    all(&[case, Case { when: After, ..case }, late, Case { when: After, ..late }])
}

#[test]
fn what_a_program_wishes_of_an_armed_twin_does_not_leave_before_it_is_armed_again() -> anyhow::Result<()> {
    let case = Case {
        target: "free",
        value: 40.0,
        by: None,
        step: "proposed",
        when: After,
        field: Field::Obeys,
        end: "refused",
        orders: 0,
    };
    all(&[
        case,
        Case { step: "checked", when: Before, ..case },
        Case { step: "checked", ..case },
        Case { step: "armed", when: Before, ..case },
        Case { step: "armed", ..case },
        Case { step: "sent", when: Before, ..case },
        Case { step: "sent", end: "indeterminate", field: Field::Deaf, ..case },
    ])
}

/// Two commands of one target, of which the newer one takes the place of the older one.
fn superseded(world: &mut World, when: When) -> anyhow::Result<()> {
    let case = Case {
        target: "asked",
        value: 40.0,
        by: Some("Anna"),
        step: "superseded",
        when,
        field: Field::Obeys,
        end: "verified",
        orders: 1,
    };
    let (site, older, newer) = (world.site()?, world.id()?, world.id()?);
    world.limit = 1.0;
    let host = world.cutter.start(&site.site(), &cut(case.step, when))?;
    connected(&host)?;
    let older_case = Case { value: 30.0, ..case };
    let (status, held) = propose(&host, &older_case, &older)?;
    ensure!(status == 201 && held["state"] == "held", "{held}");
    host.dies_while(|host| propose(host, &case, &newer).map(drop))?;
    died_at(&site, &older, case.step, when)?;
    ensure!(kept(&site, &newer)?.as_deref() == Some("proposed"), "the newer one was written down first");

    let host = start_again(&site.site())?;
    wait_for("the newer command to be verified", PATIENCE, || {
        // Whoever still saw the older one in the list would approve it now.
        let newest = known(&host, &newer)?.context("the newer one")?["command"].clone();
        let stands = known(&host, &older)?.context("the older one")?["command"].clone();
        if newest["state"] != "proposed" {
            ensure!(stands["state"] == "superseded", "both are under way: {stands} and {newest}");
            let body = json!({ "digest": stands["digest"], "by": "Ben" });
            let (status, no) = host.post(&format!("/commands/{older}/approve"), &body)?;
            ensure!(status == 409, "{no}");
        }
        let newest = world.turn(&host, &case, &newer, Field::Obeys)?;
        ensure!(newest["state"] == "verified", "{newest}");
        Ok(Some(()))
    })?;
    world.settle()?;
    ensure!((world.orders(&older), world.orders(&newer)) == (0, 1), "{:?}", world.got);
    journaled(&host, &older)?;
    journaled(&host, &newer)?;
    host.kill()
}

#[test]
fn an_older_command_makes_way_wherever_the_host_dies() -> anyhow::Result<()> {
    let mut world = World::new()?;
    for when in [Before, After] {
        superseded(&mut world, when).with_context(|| format!("{when:?}"))?;
    }
    Ok(())
}

/// Two people have to approve it, and the host dies when the first one does.
fn approved_by_one(world: &mut World, when: When) -> anyhow::Result<()> {
    let case = Case {
        target: "paired",
        value: 40.0,
        by: Some("Anna"),
        step: "held",
        when,
        field: Field::Obeys,
        end: "verified",
        orders: 1,
    };
    let (site, id) = (world.site()?, world.id()?);
    world.limit = 1.0;
    let cut = Cut { file: "outbox.db-wal".to_owned(), text: approval_by("Ben"), after: when == After };
    let host = world.cutter.start(&site.site(), &cut)?;
    connected(&host)?;
    world.lives()?;
    let (status, held) = propose(&host, &case, &id)?;
    ensure!(status == 201 && held["state"] == "held" && held["missing_approvals"] == 2, "{held}");
    let approve = |host: &Host, by: &str| {
        host.post(&format!("/commands/{id}/approve"), &json!({ "digest": held["digest"], "by": by }))
    };
    host.dies_while(|host| approve(host, "Ben").map(drop))?;
    let is_kept = has_approved(&site, "Ben")?;
    ensure!(is_kept == (when == After), "it died {when:?} the approval, which is kept: {is_kept}");

    let host = start_again(&site.site())?;
    let missing = if is_kept { 1 } else { 2 };
    let stands = known(&host, &id)?.context("the command")?["command"].clone();
    ensure!(stands["state"] == "held" && stands["missing_approvals"] == missing, "{stands}");
    // Whoever got no answer approves once more, and counts once.
    let (status, again) = approve(&host, "Ben")?;
    ensure!(status == if is_kept { 409 } else { 200 }, "{status}: {again}");
    world.settle()?;
    ensure!(world.orders(&id) == 0, "it left with one of two approvals: {:?}", world.got);
    let (status, two) = approve(&host, "Cleo")?;
    ensure!(status == 200, "{status}: {two}");
    let end = wait_for("the command to be verified", PATIENCE, || {
        let stands = world.turn(&host, &case, &id, Field::Obeys)?;
        ensure!(stands["state"] == "verified", "{stands}");
        Ok(Some(stands))
    })?;
    is_true(world, &end, &case, &id)?;
    journaled(&host, &id)?;
    host.kill()
}

#[test]
fn one_approval_of_two_counts_once_wherever_the_host_dies() -> anyhow::Result<()> {
    let mut world = World::new()?;
    for when in [Before, After] {
        approved_by_one(&mut world, when).with_context(|| format!("{when:?}"))?;
    }
    Ok(())
}

/// The broker is away, so that nothing can leave.
fn failed(when: When) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let case = Case {
        target: "asked",
        value: 40.0,
        by: Some("Anna"),
        step: "failed",
        when,
        field: Field::Deaf,
        // That it did not leave is not known before it is written down.
        end: if when == After { "failed" } else { "indeterminate" },
        orders: 0,
    };
    let (site, id) = (world.site()?, world.id()?);
    let host = world.cutter.start(&site.site(), &cut(case.step, when))?;
    connected(&host)?;
    let (status, held) = propose(&host, &case, &id)?;
    ensure!(status == 201 && held["state"] == "held", "{held}");
    world.broker.kill()?;
    wait_for("the connection that writes to be gone", PATIENCE, || {
        let targets = host.get("/targets")?;
        Ok((targets["targets"][0]["egress"]["up"] == false).then_some(()))
    })?;
    let body = json!({ "digest": held["digest"], "by": "Ben" });
    host.dies_while(|host| host.post(&format!("/commands/{id}/approve"), &body).map(drop))?;
    died_at(&site, &id, case.step, when)?;

    world.broker.up()?;
    world.field = Publisher::connect(world.broker.port, "field")?;
    world.ear = Listener::open(world.broker.port, "ear", SETS)?;
    let host = start_again(&site.site())?;
    let end = wait_for(&format!("the command to be {}", case.end), PATIENCE, || {
        let stands = world.turn(&host, &case, &id, Field::Deaf)?;
        ensure!(stands["state"] == case.end, "{stands}");
        Ok(Some(stands))
    })?;
    is_true(&mut world, &end, &case, &id)?;
    journaled(&host, &id)?;
    ensure!(world.orders(&id) == 0, "{:?}", world.got);
    host.kill()
}

#[test]
fn what_could_not_leave_is_failed_or_in_doubt_and_does_not_leave_later() -> anyhow::Result<()> {
    failed(Before)?;
    failed(After)
}
