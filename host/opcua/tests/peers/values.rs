//! Values and status codes bit for bit, and nodes that are not there or fit no point.

use geminus_core::{Quality, SeriesId};
use geminus_tests::{OpcUaPeer, PATIENCE, wait_for};

use crate::rig::{Field, Place, TYPES, options};

/// What each type can hold at its ends.
fn values(name: &str) -> Vec<f64> {
    match name {
        "double" => {
            vec![0.1, -0.0, 1e-300, 5e-324, f64::MAX, f64::MIN, 1.0 / 3.0, -273.15, std::f64::consts::PI]
        }
        "float" => vec![0.5, -1.5, f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX), f64::from(0.1_f32)],
        "sbyte" => vec![-128.0, 127.0, -1.0],
        "byte" => vec![255.0, 1.0],
        "int16" => vec![-32_768.0, 32_767.0],
        "uint16" => vec![65_535.0, 1.0],
        "int32" => vec![-2_147_483_648.0, 2_147_483_647.0],
        "uint32" => vec![4_294_967_295.0, 1.0],
        "int64" => vec![-9_223_372_036_854_775_808.0, 9_007_199_254_740_992.0, -9_007_199_254_740_991.0, 1.0],
        "uint64" => vec![9_223_372_036_854_775_808.0, 9_007_199_254_740_992.0, 1.0],
        "boolean" => vec![1.0, 0.0, 1.0],
        other => panic!("{other} is no node of the peers"),
    }
}

fn bit_for_bit(peer: OpcUaPeer) -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut server = place.server(peer)?;
    let mut field = Field::start(&place.runtime, options(place.port, &place.host()), &TYPES)?;
    field.told("source-connected", 1)?;
    for (series, name) in (0..).zip(TYPES) {
        wait_for("the first value", PATIENCE, || Ok((field.of(series).len() == 1).then_some(())))?;
        let mut expect = vec![0.0_f64.to_bits()];
        for value in values(name) {
            server.set(name, value, 0)?;
            let held = server.held(name)?;
            assert_eq!(held, value.to_bits(), "{peer:?} {name}: the peer holds what it was told");
            expect.push(held);
            // One after the other: what a server does not look at between two changes nobody hears of.
            wait_for(&format!("{value} of {name}"), PATIENCE, || {
                Ok((field.of(series).len() >= expect.len()).then_some(()))
            })?;
        }
        let got = wait_for(&format!("all of {name}"), PATIENCE, || {
            let got = field.of(series);
            Ok((got.len() >= expect.len()).then_some(got))
        })?;
        let found: Vec<u64> = got.iter().map(|sample| sample.value.to_bits()).collect();
        assert_eq!(found, expect, "{peer:?} {name}");
        assert!(got.iter().all(|sample| sample.quality == Quality::Good), "{peer:?} {name}: {got:?}");
        assert!(got.is_sorted_by(|one, other| one.time < other.time), "{peer:?} {name}: in their order");
    }
    let before = field.of(0).len();
    let statuses = [
        (0x4090_0000, Quality::Uncertain),
        (0x808c_0000, Quality::Bad),
        (0x8000_0000, Quality::Bad),
        (0x0096_0000, Quality::Good),
        (0x4000_0000, Quality::Uncertain),
        (0, Quality::Good),
    ];
    for (number, (status, _)) in (0_u32..).zip(statuses) {
        server.set("double", f64::from(number), status)?;
        let there = before + number as usize + 1;
        wait_for("a status", PATIENCE, || Ok((field.of(0).len() >= there).then_some(())))?;
    }
    let got = wait_for("all qualities", PATIENCE, || {
        let got = field.of(0);
        Ok((got.len() >= before + statuses.len()).then_some(got))
    })?;
    let qualities: Vec<Quality> = got[before..].iter().map(|sample| sample.quality).collect();
    assert_eq!(qualities, statuses.map(|(_, quality)| quality), "{peer:?}");
    assert_eq!(field.handle.stats().refusals().total(), 0, "{peer:?}");
    place.runtime.block_on(field.handle.stop());
    Ok(())
}

#[test]
fn values_and_status_codes_of_asyncua_come_bit_for_bit() -> anyhow::Result<()> {
    bit_for_bit(OpcUaPeer::Asyncua)
}

#[test]
fn values_and_status_codes_of_node_opcua_come_bit_for_bit() -> anyhow::Result<()> {
    bit_for_bit(OpcUaPeer::NodeOpcua)
}

#[test]
fn nodes_that_are_not_there_and_values_that_fit_no_point_are_named() -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut server = place.server(OpcUaPeer::NodeOpcua)?;
    let names = ["double", "missing", "text", "curve"];
    let mut field = Field::start(&place.runtime, options(place.port, &place.host()), &names)?;
    let refused = field.told("node-refused", 1)?;
    assert!(
        refused.message.contains("pump-1.missing") && refused.message.contains("BadNodeIdUnknown"),
        "{}",
        refused.message
    );
    for number in 1..=2 {
        field.told("sample-refused", number)?;
    }
    server.set("double", 2.5, 0)?;
    wait_for("the one that is good", PATIENCE, || {
        Ok(field.of(0).last().is_some_and(|sample| sample.value == 2.5).then_some(()))
    })?;
    assert_eq!(field.got.iter().filter(|sample| sample.series != SeriesId(0)).count(), 0);
    place.runtime.block_on(field.handle.stop());
    Ok(())
}
