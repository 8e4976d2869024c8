//! Servers that lie about intervals, have a wrong clock, flood, or say nothing.

use std::time::Duration;

use anyhow::Context as _;
use geminus_core::Quality;
use geminus_opcua::{OpcUaOptions, Subscribe};
use geminus_tests::{Mute, OpcUaPeer, PATIENCE, wait_for};
use serde_json::json;

use crate::rig::{Field, Place, options};

#[test]
fn intervals_that_cannot_be_are_refused_by_name_and_an_honest_server_is_followed_again() -> anyhow::Result<()>
{
    let place = Place::new()?;
    let mut server = place.server(OpcUaPeer::Asyncua)?;
    for (lies, names) in [
        (json!({ "publishing": "1e300" }), "a publishing interval"),
        (json!({ "publishing": "inf" }), "a publishing interval"),
        (json!({ "publishing": "nan" }), "a publishing interval"),
        (json!({ "publishing": "-1" }), "a publishing interval"),
        (json!({ "publishing": "0" }), "a keep-alive"),
        (json!({ "keep_alive": 0 }), "a keep-alive"),
        (json!({ "keep_alive": u32::MAX, "lifetime": u32::MAX }), "a keep-alive"),
        (json!({ "lifetime": 0 }), "a lifetime"),
    ] {
        server.lie(&lies)?;
        let mut field = Field::start(&place.runtime, options(place.port, &place.host()), &["double"])?;
        let lost = field.told("source-lost", 1)?;
        assert!(lost.message.contains(names), "{lies}: {}", lost.message);
        assert!(field.of(0).is_empty(), "{lies}: nothing is taken from it");
        place.runtime.block_on(field.handle.stop());
    }
    for sampling in ["1e300", "nan", "-5"] {
        server.lie(&json!({ "sampling": sampling }))?;
        let field = Field::start(&place.runtime, options(place.port, &place.host()), &["double"])?;
        let refused = field.told("node-refused", 1)?;
        assert!(refused.message.contains("a sampling interval"), "{sampling}: {}", refused.message);
        place.runtime.block_on(field.handle.stop());
    }
    server.lie(&json!({}))?;
    let mut field = Field::start(&place.runtime, options(place.port, &place.host()), &["double"])?;
    field.told("source-connected", 1)?;
    server.set("double", 2.5, 0)?;
    wait_for("an honest value", PATIENCE, || {
        Ok(field.of(0).last().is_some_and(|sample| sample.value == 2.5).then_some(()))
    })?;
    place.runtime.block_on(field.handle.stop());
    Ok(())
}

#[test]
fn a_server_that_says_nothing_is_given_up_and_tried_again() -> anyhow::Result<()> {
    let place = Place::new()?;
    let mute = Mute::start()?;
    let mut field = Field::start(&place.runtime, options(mute.port, &place.host()), &["double"])?;
    mute.called(PATIENCE)?;
    let lost = field.told("source-lost", 1)?;
    assert!(lost.message.contains("did not answer"), "{}", lost.message);
    mute.called(PATIENCE).context("it is tried again")?;
    assert!(field.of(0).is_empty());
    place.runtime.block_on(field.handle.stop());
    Ok(())
}

#[test]
fn a_clock_that_is_an_hour_behind_is_kept_and_one_that_is_ahead_is_refused() -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut server = place.server(OpcUaPeer::Asyncua)?;
    let mut field = Field::start(&place.runtime, options(place.port, &place.host()), &["double"])?;
    field.told("source-connected", 1)?;
    wait_for("the first value", PATIENCE, || Ok((field.of(0).len() == 1).then_some(())))?;
    server.skew(-3_600)?;
    server.set("double", 1.0, 0)?;
    let behind = wait_for("a value of an hour ago", PATIENCE, || {
        Ok(field.of(0).last().filter(|sample| sample.value == 1.0).copied())
    })?;
    let late = behind.received.since(behind.time);
    assert!((3_590..=3_660).contains(&late.as_secs()), "{late:?}: it has the time that it was given");
    assert_eq!(behind.quality, Quality::Good);

    server.skew(3_600)?;
    server.set("double", 2.0, 0)?;
    let refused = field.told("sample-refused", 1)?;
    assert!(refused.message.contains("too far in the future"), "{}", refused.message);
    assert!(refused.message.contains("pump-1.double"), "{}", refused.message);
    assert!(field.of(0).iter().all(|sample| sample.value != 2.0));

    server.skew(0)?;
    server.set("double", 3.0, 0)?;
    wait_for("a value of a clock that is right", PATIENCE, || {
        Ok(field.of(0).last().is_some_and(|sample| sample.value == 3.0).then_some(()))
    })?;
    assert_eq!(field.handle.stats().refusals().total(), 1);
    place.runtime.block_on(field.handle.stop());
    Ok(())
}

/// Values of the flood, many times what the server keeps and the house takes.
const FLOOD: u32 = 20_000;
/// Values that the server keeps of a node, and batches that wait here.
const QUEUE: u32 = 100;
const BATCHES: usize = 4;
/// Messages that may be under way between both: those asked for, the one in hand, and those at the beginning.
const MESSAGES: usize = 3 + 1 + 2;

#[test]
fn a_flood_stays_in_bounds_is_counted_starves_nobody_and_ends_with_the_newest_value() -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut server = place.server(OpcUaPeer::Asyncua)?;
    let few = |port| {
        let options = options(port, &place.host());
        OpcUaOptions { subscribe: Subscribe { queue: QUEUE, ..options.subscribe }, ..options }
    };
    // One whose house takes nothing for now, and one that is read.
    let names = ["double", "float"];
    let mut flooded = Field::with_room(&place.runtime, few(place.port), &names, BATCHES)?;
    let mut other = Field::start(&place.runtime, few(place.port), &["float"])?;
    flooded.told("source-connected", 1)?;
    other.told("source-connected", 1)?;
    server.flood("double", FLOOD, "float")?;
    // While the house of the one stands still, the other one hears the node beside the flood.
    wait_for("a value beside the flood", PATIENCE, || {
        Ok(other.of(0).last().is_some_and(|sample| sample.value >= 20.0).then_some(()))
    })?;
    server.says("flood")?;
    let last = f64::from(FLOOD / 100);
    wait_for("the newest value beside the flood", PATIENCE, || {
        Ok(other.of(0).last().is_some_and(|sample| sample.value == last).then_some(()))
    })?;
    // Nothing was read until now: what was taken from the server is no more than fits.
    let taken = flooded.handle.stats().samples();
    let most = (BATCHES + 1) * 2 * QUEUE as usize + names.len();
    assert!(taken as usize <= most, "{taken} values were taken, room is for {most}");
    wait_for("the newest value of the flood", PATIENCE, || {
        Ok(flooded.of(0).last().is_some_and(|sample| sample.value == f64::from(FLOOD)).then_some(()))
    })?;
    wait_for("the newest value of the node beside it", PATIENCE, || {
        Ok(flooded.of(1).last().is_some_and(|sample| sample.value == last).then_some(()))
    })?;
    let (got, stats) = (flooded.got.len(), flooded.handle.stats());
    assert_eq!(got as u64, stats.samples(), "each is counted");
    let most = (BATCHES + MESSAGES) * 2 * QUEUE as usize + names.len();
    assert!(got <= most, "{got} values came of {FLOOD}, room is for {most}");
    assert!(flooded.of(0).is_sorted_by(|one, other| one.time < other.time), "in their order, none twice");
    // Both go on as before.
    server.set("double", -1.0, 0)?;
    wait_for("a value after the flood", Duration::from_secs(10), || {
        Ok(flooded.of(0).last().is_some_and(|sample| sample.value == -1.0).then_some(()))
    })?;
    place.runtime.block_on(flooded.handle.stop());
    place.runtime.block_on(other.handle.stop());
    Ok(())
}
