//! Orders that are acknowledged, declined or not sent; and signs of life.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use geminus_core::{Clock as _, SystemClock, Timestamp, TwinIndex};
use geminus_dispatch::{Answer, Beat, Egress as _, Order, Reply};
use geminus_opcua::OpcUaEgress;
use geminus_tests::{OpcUaPeer, OpcUaServer, PATIENCE, bits, wait_for};
use tokio::sync::watch;
use uuid::Uuid;

use crate::rig::{Place, node, options};

/// Sends one order and waits for its answer.
fn order(egress: &mut OpcUaEgress, address: &str, value: f64) -> anyhow::Result<Answer> {
    let now = SystemClock::new().now();
    let expires = now.plus(Duration::from_mins(1));
    let order =
        Order { id: Uuid::nil(), twin: TwinIndex(0), address, value, unit: "1", by: "a test", expires };
    let (tell, told) = std::sync::mpsc::channel();
    egress.send(&order, now, Reply::new(move |answer| drop(tell.send(answer))));
    told.recv_timeout(PATIENCE).context("an order has one answer")
}

async fn becomes(up: &mut watch::Receiver<bool>, wanted: bool) -> anyhow::Result<()> {
    tokio::time::timeout(PATIENCE, up.wait_for(|up| *up == wanted)).await??;
    Ok(())
}

fn orders(peer: OpcUaPeer) -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut server = place.server(peer)?;
    let clock = Arc::new(SystemClock::new());
    let options = options(place.port, &place.host());
    let handle = place.runtime.handle().clone();
    let mut egress = OpcUaEgress::start(options, &[], Duration::from_secs(5), clock, handle)?;
    let mut up = egress.up();
    place.runtime.block_on(becomes(&mut up, true))?;

    for value in [0.1, -0.0, 5e-324] {
        let answer = order(&mut egress, &node("setpoint"), value)?;
        assert!(matches!(answer, Answer::Acknowledged { .. }), "{peer:?}: {answer:?}");
        assert_eq!(server.held("setpoint")?, value.to_bits(), "{peer:?}");
    }
    assert!(matches!(order(&mut egress, &node("whole"), 7.0)?, Answer::Acknowledged { .. }), "{peer:?}");
    assert_eq!(server.held("whole")?, 7.0_f64.to_bits(), "{peer:?}: in the type of the node");
    for (address, value, says) in [
        (node("whole"), 7.5, "no whole number"),
        (node("whole"), 1e6, "does not fit"),
        (node("curve"), 1.0, "array"),
        (node("text"), 1.0, "String"),
        (node("missing"), 1.0, "BadNodeIdUnknown"),
        ("nsu=urn:nobody;s=a".to_owned(), 1.0, "namespace"),
        ("plant/pump-1/set".to_owned(), 1.0, "names no node"),
    ] {
        match order(&mut egress, &address, value)? {
            Answer::NotSent { reason } => assert!(reason.contains(says), "{peer:?} {address}: {reason}"),
            other => panic!("{peer:?} {address}: {other:?}"),
        }
    }
    assert_eq!(server.held("whole")?, 7.0_f64.to_bits(), "{peer:?}: nothing of it has left");
    let answer = order(&mut egress, &node("double"), 1.0)?;
    assert!(
        matches!(answer, Answer::Declined { .. }),
        "{peer:?}: a node that is not to be written: {answer:?}"
    );

    let method = format!("nsu=urn:geminus:test;s=pump-1 | {}", node("setSpeed"));
    let answer = order(&mut egress, &method, 1480.5)?;
    assert!(matches!(answer, Answer::Acknowledged { .. }), "{peer:?}: {answer:?}");
    assert_eq!(bits(&server.says("called")?)?, 1480.5_f64.to_bits(), "{peer:?}");
    let answer = order(&mut egress, &method, -1.0)?;
    assert!(matches!(answer, Answer::Declined { .. }), "{peer:?}: {answer:?}");

    server.kill()?;
    place.runtime.block_on(becomes(&mut up, false))?;
    let answer = order(&mut egress, &node("setpoint"), 1.0)?;
    assert!(matches!(answer, Answer::NotSent { .. }), "{peer:?}: {answer:?}");
    let mut server = place.server(peer)?;
    place.runtime.block_on(becomes(&mut up, true))?;
    assert_eq!(server.held("setpoint")?, 0.0_f64.to_bits(), "{peer:?}: nothing was kept to leave later");
    Ok(())
}

#[test]
fn orders_to_asyncua_are_acknowledged_declined_or_not_sent() -> anyhow::Result<()> {
    orders(OpcUaPeer::Asyncua)
}

#[test]
fn orders_to_node_opcua_are_acknowledged_declined_or_not_sent() -> anyhow::Result<()> {
    orders(OpcUaPeer::NodeOpcua)
}

/// A sign of life of this number to a node.
fn beat(egress: &mut OpcUaEgress, address: &str, sequence: u64, time_s: u64) -> Result<(), String> {
    let (time, every) = (Timestamp::from_millis(time_s * 1_000), Duration::from_secs(1));
    egress.beat(&Beat { twin: "pump-1", target: "speed", address, sequence, time, every })
}

fn holds(server: &mut OpcUaServer, expect: f64) -> anyhow::Result<()> {
    wait_for(&format!("{expect} in the node"), PATIENCE, || {
        Ok((server.held("whole")? == expect.to_bits()).then_some(()))
    })
}

/// A beat that leaves, perhaps only once the one before is answered.
fn leaves(egress: &mut OpcUaEgress, address: &str, (sequence, time_s): (u64, u64)) -> anyhow::Result<()> {
    wait_for(&format!("beat {sequence} to leave"), PATIENCE, || {
        Ok(beat(egress, address, sequence, time_s).ok())
    })
}

fn beats(peer: OpcUaPeer) -> anyhow::Result<()> {
    let place = Place::new()?;
    let (clock, handle) = (Arc::new(SystemClock::new()), place.runtime.handle().clone());
    let mut egress =
        OpcUaEgress::start(options(place.port, &place.host()), &[], Duration::from_secs(5), clock, handle)?;
    let away = beat(&mut egress, &node("whole"), 1, 1).expect_err("nobody is there");
    assert!(away.contains("no connection"), "{away}");
    let mut server = place.server(peer)?;
    let mut up = egress.up();
    place.runtime.block_on(becomes(&mut up, true))?;

    let whole = node("whole");
    for sequence in 1..=3 {
        leaves(&mut egress, &whole, (sequence, sequence))?;
        holds(&mut server, sequence as f64)?;
    }
    // Behind the largest number of its type it begins again.
    for (sequence, expect) in [(32_767, 32_767.0), (32_768, 0.0), (32_769, 1.0)] {
        leaves(&mut egress, &whole, (sequence, sequence))?;
        holds(&mut server, expect)?;
    }
    let wrong = beat(&mut egress, "plant/pump-1/beat", 1, 1).expect_err("no node");
    assert!(wrong.contains("names no node"), "{wrong}");
    // One that the server does not take, or that takes no number, is known by the next one, each time anew.
    for (name, says) in
        [("double", "Bad"), ("missing", "BadNodeIdUnknown"), ("text", "String"), ("curve", "array")]
    {
        let address = node(name);
        let mut time_s = 1;
        for round in 1..=3 {
            let reason = wait_for(&format!("round {round} of {name}"), PATIENCE, || {
                time_s += 1;
                let reason = beat(&mut egress, &address, 1, time_s).err();
                Ok(reason.filter(|reason| reason.contains("heartbeat to")))
            })?;
            assert!(reason.contains(name) && reason.contains(says), "{peer:?} {name}: {reason}");
        }
    }

    // A server that stands still has one beat under way, and no second one.
    server.signal("-STOP")?;
    leaves(&mut egress, &whole, (7, 40_000))?;
    let waits = beat(&mut egress, &whole, 8, 40_001).expect_err("the one before has no answer");
    assert!(waits.contains("no answer yet"), "{waits}");
    server.signal("-CONT")?;
    holds(&mut server, 7.0)?;
    leaves(&mut egress, &whole, (8, 40_002))?;
    holds(&mut server, 8.0)?;

    server.kill()?;
    place.runtime.block_on(becomes(&mut up, false))?;
    let away = beat(&mut egress, &whole, 9, 40_003).expect_err("nobody is there");
    assert!(away.contains("no connection"), "{away}");
    let mut server = place.server(peer)?;
    place.runtime.block_on(becomes(&mut up, true))?;
    assert_eq!(server.held("whole")?, 0.0_f64.to_bits(), "{peer:?}: nothing was kept to leave later");
    leaves(&mut egress, &whole, (9, 40_004))?;
    holds(&mut server, 9.0)
}

#[test]
fn beats_to_asyncua_count_and_what_it_does_not_take_did_not_leave() -> anyhow::Result<()> {
    beats(OpcUaPeer::Asyncua)
}

#[test]
fn beats_to_node_opcua_count_and_what_it_does_not_take_did_not_leave() -> anyhow::Result<()> {
    beats(OpcUaPeer::NodeOpcua)
}
