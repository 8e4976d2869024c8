//! Lines that are cut, and servers that are killed.

use std::time::Duration;

use geminus_tests::{OpcUaPeer, PATIENCE, Wire, wait_for};

use crate::rig::{Field, Place, options};

/// A line that is cut again and again while a node counts loses and doubles nothing; a server that is killed comes back.
fn lost_lines(peer: OpcUaPeer) -> anyhow::Result<()> {
    // No faster than the server looks at the node: node-opcua does so every 50 ms.
    let (count, period_ms) = match peer {
        OpcUaPeer::Asyncua => (600, 20),
        OpcUaPeer::NodeOpcua => (160, 150),
    };
    let place = Place::new()?;
    let mut server = place.server(peer)?;
    let wire = Wire::to(place.port)?;
    let mut field = Field::start(&place.runtime, options(wire.port, &place.host()), &["double"])?;
    field.told("source-connected", 1)?;
    server.count("double", 1, count, period_ms)?;
    for cut in 1..=3 {
        let seen = field.of(0).len();
        wait_for("more values", PATIENCE, || Ok((field.of(0).len() > seen + 20).then_some(())))?;
        wire.cut();
        field.told("source-lost", cut)?;
        // Some values come while nobody is there.
        let from = field.of(0).len();
        wait_for("some time without a line", Duration::from_secs(2), || {
            assert_eq!(field.of(0).len(), from, "{peer:?}: nothing comes through a cut");
            Ok(None::<()>)
        })
        .expect_err("nothing comes");
        wire.mend();
        field.told("source-back", cut)?;
    }
    server.says("count")?;
    let last = f64::from(count - 1);
    let got = wait_for("the last value", PATIENCE, || {
        let got = field.of(0);
        Ok(got.last().is_some_and(|sample| sample.value == last).then_some(got))
    })?;
    let values: Vec<f64> = got.iter().map(|sample| sample.value).collect();
    let expect: Vec<f64> = (0..count).map(f64::from).collect();
    let stats = field.handle.stats();
    assert_eq!(values, expect, "{peer:?}: each once, in its order; {stats:?}");
    assert_eq!(stats.lost(), 0, "{peer:?}");

    server.kill()?;
    field.told("source-lost", 4)?;
    let mut server = place.server(peer)?;
    field.told("source-back", 4)?;
    server.set("double", 4711.0, 0)?;
    wait_for("a value of the new server", PATIENCE, || {
        Ok(field.of(0).last().is_some_and(|sample| sample.value == 4711.0).then_some(()))
    })?;
    place.runtime.block_on(field.handle.stop());
    Ok(())
}

#[test]
fn a_cut_line_to_asyncua_loses_and_doubles_nothing() -> anyhow::Result<()> {
    lost_lines(OpcUaPeer::Asyncua)
}

#[test]
fn a_cut_line_to_node_opcua_loses_and_doubles_nothing() -> anyhow::Result<()> {
    lost_lines(OpcUaPeer::NodeOpcua)
}
