//! Against servers of two libraries that are not ours: values bit for bit, status codes, lost lines, certificates, lies,
//! writes and methods. `tests/run` installs the peers.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expected"
)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_core::{Batch, Clock as _, Event, Quality, Sample, SeriesId, SystemClock, TwinIndex};
use geminus_dispatch::{Answer, Egress as _, Order, Reply};
use geminus_ingest::Point;
use geminus_opcua::discover::{self, Bounds};
use geminus_opcua::{
    Mode, NodeAddress, NodePoint, OpcUaEgress, OpcUaHandle, OpcUaOptions, OpcUaSource, Pki, Policy, Security,
    Standing, Subscribe, User,
};
use geminus_tests::{Mute, OpcUaPeer, OpcUaServer, PATIENCE, Wire, bits, free_port, wait_for};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Receiver};
use tokio::sync::watch;
use uuid::Uuid;

const TYPES: [&str; 11] =
    ["double", "float", "sbyte", "byte", "int16", "uint16", "int32", "uint32", "int64", "uint64", "boolean"];

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

fn node(name: &str) -> String {
    format!("nsu=urn:geminus:test;s=pump-1.{name}")
}

fn options(port: u16, folder: &Path) -> OpcUaOptions {
    OpcUaOptions {
        name: "plc".to_owned(),
        endpoint: format!("opc.tcp://127.0.0.1:{port}"),
        security: Security::None,
        user: User::Anonymous,
        pki: folder.join("pki"),
        check_host: true,
        subscribe: Subscribe {
            publishing: Duration::from_millis(50),
            sampling: Duration::ZERO,
            queue: 10_000,
        },
        accept_future: Duration::from_mins(10),
    }
}

/// A source that runs, and all that it gave and told.
struct Field {
    handle: OpcUaHandle,
    samples: Receiver<Batch>,
    got: Vec<Sample>,
    told: Arc<Mutex<Vec<Event>>>,
}

impl Field {
    fn start(runtime: &Runtime, options: OpcUaOptions, names: &[&str]) -> anyhow::Result<Self> {
        let _inside = runtime.enter();
        let points = (0..).zip(names).map(|(number, name)| {
            let node = node(name).parse().expect("a node");
            NodePoint { node, point: Point::plain(SeriesId(number)) }
        });
        let (sink, samples) = mpsc::channel(1_000);
        let told = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&told);
        let events =
            Arc::new(move |event: Event| ear.lock().unwrap_or_else(PoisonError::into_inner).push(event));
        let handle =
            OpcUaSource::spawn(options, points.collect(), sink, Arc::new(SystemClock::new()), events)?;
        Ok(Self { handle, samples, got: Vec::new(), told })
    }

    /// Everything that a series has given so far.
    fn of(&mut self, series: u32) -> Vec<Sample> {
        while let Ok(batch) = self.samples.try_recv() {
            self.got.extend(batch.samples);
        }
        self.got.iter().filter(|sample| sample.series == SeriesId(series)).copied().collect()
    }

    fn told(&self, kind: &str, count: usize) -> anyhow::Result<Event> {
        let all = || self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = wait_for(&format!("{count} events {kind}"), PATIENCE, || {
            let mut found = all().into_iter().filter(|event| event.kind == kind);
            Ok(found.nth(count - 1))
        });
        found.with_context(|| format!("{:#?}", all()))
    }
}

struct Place {
    folder: tempfile::TempDir,
    port: u16,
    runtime: Runtime,
}

impl Place {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { folder: tempfile::tempdir()?, port: free_port()?, runtime: Runtime::new()? })
    }

    fn server(&self, peer: OpcUaPeer) -> anyhow::Result<OpcUaServer> {
        OpcUaServer::start(peer, self.port, &self.folder.path().join("server"))
    }

    fn host(&self) -> PathBuf {
        self.folder.path().join("host")
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

fn secured(peer: OpcUaPeer) -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut server = place.server(peer)?;
    let user = User::Named { name: "ann".to_owned(), password: "secret".to_owned() };
    let security = Security::Secured(Policy::Aes256Sha256RsaPss, Mode::SignAndEncrypt);
    // node-opcua puts the URI last among the names of its certificate, where the library does not look.
    let check_host = peer == OpcUaPeer::Asyncua;
    let options = OpcUaOptions { security, user, check_host, ..options(place.port, &place.host()) };
    let pki = Pki::open(&options.pki)?;
    let mut field = Field::start(&place.runtime, options, &["double"])?;

    // Nobody knows the server: it is not spoken to until a person says so.
    let unknown = field.told("certificate-untrusted", 1)?;
    let thumbprint = unknown.facts["thumbprint"].as_str().context("thumbprint")?.to_owned();
    assert!(pki.list()?.iter().any(|one| one.thumbprint == thumbprint && one.standing == Standing::Rejected));
    assert!(field.of(0).is_empty(), "{peer:?}: nothing is taken from it");
    pki.trust(&thumbprint)?;
    field.told("source-connected", 1)?;
    server.set("double", 1.5, 0)?;
    wait_for("a value over the secured line", PATIENCE, || {
        Ok(field.of(0).last().is_some_and(|sample| sample.value == 1.5).then_some(()))
    })?;

    // Another server, or the same one with another certificate, takes its place.
    server.kill()?;
    field.told("source-lost", 1)?;
    std::fs::remove_dir_all(place.folder.path().join("server"))?;
    let mut server = place.server(peer)?;
    let changed = field.told("certificate-changed", 1)?;
    assert_eq!(changed.facts["before"], thumbprint.as_str(), "{peer:?}");
    let now = changed.facts["thumbprint"].as_str().context("thumbprint")?.to_owned();
    ensure!(now != thumbprint, "{peer:?}: it has changed");
    server.set("double", 666.0, 0)?;
    assert!(field.of(0).iter().all(|sample| sample.value != 666.0), "{peer:?}: nothing is taken from it");
    pki.trust(&now)?;
    field.told("source-back", 1)?;
    wait_for("a value of the server that is trusted now", PATIENCE, || {
        Ok(field.of(0).last().is_some_and(|sample| sample.value == 666.0).then_some(()))
    })?;
    place.runtime.block_on(field.handle.stop());
    Ok(())
}

#[test]
fn asyncua_is_spoken_to_when_it_is_trusted_and_not_when_it_has_changed() -> anyhow::Result<()> {
    secured(OpcUaPeer::Asyncua)
}

#[test]
fn node_opcua_is_spoken_to_when_it_is_trusted_and_not_when_it_has_changed() -> anyhow::Result<()> {
    secured(OpcUaPeer::NodeOpcua)
}

#[test]
fn every_policy_and_a_wrong_password() -> anyhow::Result<()> {
    let place = Place::new()?;
    let _server = place.server(OpcUaPeer::Asyncua)?;
    let under = None;
    let look = |options: &OpcUaOptions| {
        let now = SystemClock::new().now();
        place.runtime.block_on(discover::discover(options, under, Bounds::default(), now))
    };
    let plain = options(place.port, &place.host());
    let pki = Pki::open(&plain.pki)?;
    let mut trusted = false;
    for policy in [Policy::Basic256Sha256, Policy::Aes128Sha256RsaOaep, Policy::Aes256Sha256RsaPss] {
        for mode in [Mode::Sign, Mode::SignAndEncrypt] {
            let options = OpcUaOptions { security: Security::Secured(policy, mode), ..plain.clone() };
            if !trusted {
                let refused = look(&options).expect_err("unknown").to_string();
                assert!(refused.contains("is not trusted"), "{refused}");
                let shown = pki.list()?;
                pki.trust(&shown[0].thumbprint)?;
                trusted = true;
            }
            assert!(!look(&options)?.variables.is_empty(), "{policy:?} {mode:?}");
            let user = User::Named { name: "ann".to_owned(), password: "wrong".to_owned() };
            let refused = look(&OpcUaOptions { user, ..options }).expect_err("a wrong password").to_string();
            assert!(refused.contains("BadUserAccessDenied"), "{refused}");
        }
    }
    Ok(())
}

#[test]
fn a_server_that_lies_or_says_nothing_is_not_followed() -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut server = place.server(OpcUaPeer::Asyncua)?;
    server.lie()?;
    let mut field = Field::start(&place.runtime, options(place.port, &place.host()), &["double"])?;
    let lost = field.told("source-lost", 1)?;
    assert!(lost.message.contains("a publishing interval"), "{}", lost.message);
    assert!(field.of(0).is_empty());
    place.runtime.block_on(field.handle.stop());

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
    let mut egress = OpcUaEgress::start(options, Duration::from_secs(5), clock, handle)?;
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

#[test]
fn what_a_server_has_becomes_a_part_of_a_site() -> anyhow::Result<()> {
    for peer in [OpcUaPeer::Asyncua, OpcUaPeer::NodeOpcua] {
        let place = Place::new()?;
        let _server = place.server(peer)?;
        let options = options(place.port, &place.host());
        let under: NodeAddress = "nsu=urn:geminus:test;s=pump-1".parse()?;
        let now = SystemClock::new().now();
        let look = |under, bounds| place.runtime.block_on(discover::discover(&options, under, bounds, now));
        let all = look(None, Bounds::default())?;
        let text = all.to_toml("plc", "endpoint = \"opc.tcp://x\"");
        assert!(text.contains("topic = \"nsu=urn:geminus:test;s=pump-1.{point}\""), "{peer:?}: {text}");
        assert!(text.contains("array of Double): no point can hold it"), "{peer:?}: {text}");
        let pump = look(Some(&under), Bounds::default())?;
        assert_eq!(pump.variables.len(), TYPES.len() + 4, "{peer:?}: {:#?}", pump.variables);
        let cut = look(None, Bounds { nodes_max: 5, depth_max: 9 })?;
        assert!(cut.cut && cut.variables.len() <= 5, "{peer:?}");
    }
    Ok(())
}
