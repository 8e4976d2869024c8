//! The server against the client of this room: what it shows, whom it lets in, and what it refuses.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use geminus_core::{Batch, Clock as _, Event, Quality, Sample, SeriesId, SystemClock, Timestamp};
use geminus_ingest::Point;
use geminus_tests::{PATIENCE, wait_for};
use opcua::types::{
    AttributeId, DataValue, EUInformation, NodeId, ReadValueId, StatusCode, TimestampsToReturn, Variant,
    WriteValue,
};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::*;
use crate::discover::{Bounds, discover};
use crate::link::{self, Link};
use crate::{Mode, NodePoint, OpcUaOptions, OpcUaSource, Pki, Policy, Security, Subscribe, User, time};

const SECURED: Security = Security::Secured(Policy::Aes256Sha256RsaPss, Mode::SignAndEncrypt);
/// Numbers of the variables of `pump-1`; `pump-2` has as many after them.
const HOT: u32 = 0;
const OF_TWIN: u32 = 5;

/// Lets `ada` in for `pump-1`, until she is gone.
#[derive(Debug, Default)]
struct Keeper {
    gone: AtomicBool,
}

impl Doorkeeper for Keeper {
    fn admit(&self, name: &str, password: &str) -> Option<Visitor> {
        let stamp = "1".to_owned();
        (name == "ada" && password == "correct").then(|| Visitor { name: name.to_owned(), stamp })
    }

    fn rights(&self, visitor: &Visitor) -> Option<Rights> {
        let is_here = visitor.name == "ada" && visitor.stamp == "1" && !self.gone.load(Ordering::SeqCst);
        is_here.then(|| Arc::new(|twin: &str| twin == "pump-1") as Rights)
    }
}

/// A server of two pumps, and a place for clients.
struct Place {
    runtime: Runtime,
    folder: tempfile::TempDir,
    board: Arc<Board>,
    server: OpcUaServer,
    keeper: Arc<Keeper>,
    told: Arc<Mutex<Vec<Event>>>,
}

impl Place {
    fn new(security: Security, sessions: u32) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let point = |name: &str, unit: &str, folder| ShownPoint {
            name: name.to_owned(),
            description: format!("the {name} of it"),
            unit: unit.to_owned(),
            folder,
        };
        let layout = Arc::new(Layout {
            type_id: "dtmi:t:Pump;1".to_owned(),
            points: vec![
                point("hot", "Cel", Folder::Measured),
                point("thermal.inside", "mol/kg", Folder::Estimated),
            ],
        });
        let mut catalogue = Catalogue::default();
        for (id, first) in [("pump-1", 0), ("pump-2", OF_TWIN)] {
            assert_eq!(catalogue.add(id, format!("Pump {id}"), "advise", &layout).expect("room"), first);
        }
        let board = Arc::new(Board::new(&catalogue));
        let options = ServerOptions {
            site: "t".to_owned(),
            listen: "127.0.0.1:0".parse().expect("address"),
            host: "127.0.0.1".to_owned(),
            security: vec![security],
            anonymous: security == Security::None,
            pki: folder.path().join("server"),
            limits: ServerLimits { sessions, subscriptions: 1, items: 10, queue: 10 },
        };
        let (keeper, told) = (Arc::new(Keeper::default()), Arc::new(Mutex::new(Vec::new())));
        let (ear, clock) = (Arc::clone(&told), Arc::new(SystemClock::new()));
        let ear =
            Arc::new(move |event: Event| ear.lock().unwrap_or_else(PoisonError::into_inner).push(event));
        let (shown, door) = (Arc::clone(&board), Arc::clone(&keeper));
        let server = OpcUaServer::start(options, catalogue, shown, door, clock, ear).expect("a server");
        Self { runtime: Runtime::new().expect("runtime"), folder, board, server, keeper, told }
    }

    fn options(&self, security: Security, user: User) -> OpcUaOptions {
        OpcUaOptions {
            name: "twins".to_owned(),
            endpoint: format!("opc.tcp://{}", self.server.address()),
            security,
            user,
            pki: self.folder.path().join("client"),
            check_host: false,
            subscribe: Subscribe {
                publishing: Duration::from_millis(100),
                sampling: Duration::from_millis(250),
                queue: 10,
            },
            accept_future: Duration::from_mins(10),
        }
    }

    fn link(&self, security: Security, user: User) -> Result<Link, String> {
        let options = self.options(security, user);
        let now = SystemClock::new().now();
        self.runtime.block_on(async { link::open(&options, now).await.map_err(|error| error.to_string()) })
    }

    fn put(&self, item: u32, number: f64, quality: Quality, time: u64) {
        let reading = Reading { content: Content::Number(number), quality, time: Timestamp(time) };
        self.board.put([(item, reading)]);
    }

    fn read(&self, link: &Link, id: &str, attribute: AttributeId) -> DataValue {
        let node = ReadValueId {
            node_id: NodeId::new(2, id),
            attribute_id: attribute as u32,
            ..ReadValueId::default()
        };
        let asked = link.session.read(std::slice::from_ref(&node), TimestampsToReturn::Both, 0.0);
        self.runtime.block_on(asked).expect("an answer").remove(0)
    }

    fn write(&self, link: &Link, id: &str) -> StatusCode {
        let value = WriteValue {
            node_id: NodeId::new(2, id),
            attribute_id: AttributeId::Value as u32,
            value: DataValue::value_only(7.0),
            ..WriteValue::default()
        };
        let written = self.runtime.block_on(link.session.write(&[value])).expect("an answer");
        written[0]
    }
}

/// Seconds since 1970 with some nanoseconds that are no whole step of OPC UA.
fn at(seconds: u64) -> u64 {
    (1_767_225_600 + seconds) * 1_000_000_000 + 123_456_789
}

#[test]
fn twins_are_browsed_and_read_as_the_host_holds_them_and_not_written() {
    let place = Place::new(Security::None, 5);
    let link = place.link(Security::None, User::Anonymous).expect("a session");
    let before = place.read(&link, "pump-1/hot", AttributeId::Value);
    assert_eq!((before.value, before.status), (None, Some(StatusCode::BadWaitingForInitialData)));
    for number in [0.1, -0.0, 5e-324, f64::MAX] {
        place.put(HOT, number, Quality::Uncertain, at(1));
        let read = place.read(&link, "pump-1/hot", AttributeId::Value);
        let Some(Variant::Double(found)) = read.value else { panic!("{read:?}") };
        assert_eq!(found.to_bits(), number.to_bits());
        assert_eq!(read.status, Some(StatusCode::Uncertain));
        assert_eq!(time::of(&read), Some(Timestamp(at(1))));
    }
    let words = place.read(&link, "pump-1/hot", AttributeId::Description).value;
    assert!(format!("{words:?}").contains("the hot of it"), "{words:?}");
    for (id, unit, shown) in [("pump-1/hot", 4_408_652, "°C"), ("pump-2/thermal.inside", -1, "mol/kg")] {
        let read = place.read(&link, &format!("{id}/EngineeringUnits"), AttributeId::Value);
        let Some(Variant::ExtensionObject(read)) = read.value else { panic!("{read:?}") };
        let read = read.inner_as::<EUInformation>().expect("a unit");
        assert_eq!((read.unit_id, read.display_name.text.as_ref()), (unit, shown), "{id}");
    }
    let authority = place.read(&link, "pump-1/Twin/authority", AttributeId::Value).value;
    assert_eq!(authority, Some(Variant::from("advise")));
    for id in ["pump-1/hot", "pump-1/Health/index", "pump-1/Twin/authority"] {
        assert_eq!(place.write(&link, id), StatusCode::BadNotWritable, "{id}");
    }
    let read = place.read(&link, "pump-1/hot", AttributeId::Value);
    assert_eq!(read.value, Some(Variant::Double(f64::MAX)), "what was written went nowhere");
    let unknown = place.read(&link, "pump-3/hot", AttributeId::Value);
    assert_eq!(unknown.status, Some(StatusCode::BadNodeIdUnknown));

    let options = place.options(Security::None, User::Anonymous);
    let under = "nsu=urn:geminus:twins:1;s=/Geminus".parse().expect("an address");
    let looked = discover(&options, Some(&under), Bounds::default(), SystemClock::new().now());
    let found = place.runtime.block_on(looked).expect("found");
    let mut names: Vec<String> = found
        .variables
        .iter()
        .filter(|variable| variable.path.iter().any(|step| step == "pump-2"))
        .map(|variable| format!("{}/{}", variable.path.join("/"), variable.name))
        .collect();
    names.sort();
    let has = |end: &str| names.iter().any(|name| name.ends_with(end));
    for end in [
        "pump-2/Measured/hot",
        "pump-2/Estimated/thermal.inside",
        "pump-2/Health/index",
        "pump-2/Health/verdict",
        "pump-2/state",
    ] {
        assert!(has(end), "{end} is not among {names:?}");
    }
    let all = discover(&options, None, Bounds::default(), SystemClock::new().now());
    let all = place.runtime.block_on(all).expect("found");
    let is_ours = |node: &str| node.contains("pump-1/hot");
    assert!(all.variables.iter().any(|one| is_ours(&one.node)), "it hangs below all objects");
    place.server.stop();
}

/// Everything that a source got so far of a series.
fn samples(got: &mut Vec<Sample>, sink: &mut mpsc::Receiver<Batch>, series: u32) -> Vec<Sample> {
    while let Ok(batch) = sink.try_recv() {
        got.extend(batch.samples);
        batch.ticket.into_iter().for_each(geminus_core::Ticket::commit);
    }
    got.iter().filter(|sample| sample.series == SeriesId(series)).copied().collect()
}

#[test]
fn subscriptions_are_sent_each_change_of_number_and_status_with_its_own_time() {
    let place = Place::new(Security::None, 5);
    // A client that asks for every quarter of a second: the library alone would put source times on that grid.
    let options = place.options(Security::None, User::Anonymous);
    let node = |id: &str, series| NodePoint {
        node: format!("nsu={NAMESPACE};s={id}").parse().expect("a node"),
        point: Point::plain(SeriesId(series)),
    };
    let (sink, mut batches) = mpsc::channel(1_000);
    let inside = place.runtime.enter();
    let points = vec![node("pump-1/hot", 1), node("pump-2/hot", 2)];
    let source = OpcUaSource::spawn(options, points, sink, Arc::new(SystemClock::new()), Arc::new(|_| {}))
        .expect("a source");
    drop(inside);
    wait_for("both to be watched", PATIENCE, || {
        Ok((place.server.stats().subscriptions() == 1 && source.stats().connected()).then_some(()))
    })
    .expect("watched");
    let mut got = Vec::new();
    let steps = [
        (1.5, Quality::Good, at(1)),
        // Sooner than the client looks.
        (2.5, Quality::Good, at(1) + 10_000_000),
        // The number stays, the status does not, and neither does the time.
        (2.5, Quality::Uncertain, at(1) + 10_000_000),
        (2.5, Quality::Good, at(2)),
        (2.5, Quality::Bad, at(3)),
        (-0.0, Quality::Good, at(4)),
        (0.0, Quality::Good, at(5)),
    ];
    for (number, wanted, time) in steps {
        place.put(HOT, number, wanted, time);
        let arrived = wait_for(&format!("{number} {wanted:?}"), PATIENCE, || {
            let newest = samples(&mut got, &mut batches, 1).last().copied();
            // Of several values of one time our own client tells each a nanosecond later than the one before.
            let is_of_it = |of: Timestamp| (time..=time + 2).contains(&of.0);
            let is_it = |sample: &Sample| is_of_it(sample.time) && sample.quality == wanted;
            Ok(newest.filter(is_it))
        });
        let arrived = arrived.expect("it arrives");
        if wanted != Quality::Bad {
            assert_eq!(arrived.value.to_bits(), f64::to_bits(number), "{number} {wanted:?}");
        }
    }
    assert!(place.server.stats().pushed() >= steps.len() as u64);
    assert_eq!(samples(&mut got, &mut batches, 2).iter().filter(|one| one.quality.usable()).count(), 0);
    place.runtime.block_on(source.stop());
    place.server.stop();
}

#[test]
fn no_more_sessions_and_variables_are_taken_than_allowed() {
    let place = Place::new(Security::None, 1);
    let link = place.link(Security::None, User::Anonymous).expect("the first");
    let error = place.link(Security::None, User::Anonymous).err().expect("one too many");
    assert!(error.contains("BadTooManySessions"), "{error}");
    wait_for("the session to be counted", PATIENCE, || {
        Ok((place.server.stats().sessions() == 1).then_some(()))
    })
    .expect("counted");
    let subscribe = |max| {
        link.session.create_subscription(
            Duration::from_millis(100),
            30,
            10,
            0,
            0,
            max,
            opcua::client::DataChangeCallback::new(|_, _| {}),
        )
    };
    let first = place.runtime.block_on(subscribe(true)).expect("the first subscription");
    let second = place.runtime.block_on(subscribe(true)).expect_err("one too many");
    assert_eq!(second.status(), StatusCode::BadTooManySubscriptions);
    let items = (0..11).map(|_| NodeId::new(2, "pump-1/hot").into()).collect();
    let watched = link.session.create_monitored_items(first, TimestampsToReturn::Both, items);
    let refused = place.runtime.block_on(watched).expect_err("one too many");
    assert_eq!(refused.status(), StatusCode::BadTooManyMonitoredItems);
    place.server.stop();
}

/// Makes either side trust the other, as a person does.
fn introduce(folder: &Path) {
    let (server, client) = (folder.join("server"), folder.join("client"));
    let [server, client] = [server, client].map(|folder| Pki::open(folder).expect("pki"));
    client.ensure_own().expect("made");
    let own = |pki: &Pki| std::fs::read(pki.folder().join(crate::pki::OWN_CERTIFICATE)).expect("certificate");
    for (pki, der) in [(server.clients().expect("clients"), own(&client)), (client.clone(), own(&server))] {
        pki.judge("other", &der).expect("read");
        let found = pki.list().expect("list");
        pki.trust(&found[0].thumbprint).expect("trusted");
    }
}

#[test]
fn who_is_trusted_and_knows_the_password_reads_the_twins_of_its_scope() {
    let place = Place::new(SECURED, 5);
    let ada = |password: &str| User::Named { name: "ada".to_owned(), password: password.to_owned() };
    introduce(place.folder.path());
    let open = place.link(Security::None, User::Anonymous).err().expect("refused");
    assert!(open.contains("Aes256_Sha256_RsaPss"), "{open}");
    let nameless = place.link(SECURED, User::Anonymous).err().expect("refused");
    assert!(nameless.contains("anonymous"), "{nameless}");
    let wrong = place.link(SECURED, ada("guess")).err().expect("refused");
    assert!(wrong.contains("BadUserAccessDenied"), "{wrong}");

    let link = place.link(SECURED, ada("correct")).expect("let in");
    place.put(HOT, 1.5, Quality::Good, at(1));
    place.put(HOT + OF_TWIN, 2.5, Quality::Good, at(1));
    let read = |id: &str| place.read(&link, id, AttributeId::Value);
    assert_eq!(read("pump-1/hot").value, Some(Variant::Double(1.5)));
    assert_eq!(read("pump-2/hot").status, Some(StatusCode::BadUserAccessDenied), "not in her scope");
    assert_eq!(read("pump-2/hot").value, None);
    place.keeper.gone.store(true, Ordering::SeqCst);
    wait_for("her rights to end", PATIENCE, || {
        Ok((read("pump-1/hot").status == Some(StatusCode::BadUserAccessDenied)).then_some(()))
    })
    .expect("they end");
    place.server.stop();
}

#[test]
fn a_client_that_nobody_has_trusted_is_refused_and_told_once() {
    let place = Place::new(SECURED, 5);
    introduce(place.folder.path());
    let server = Pki::open(place.folder.path().join("server")).expect("pki");
    let clients = server.clients().expect("clients");
    let listed = clients.list().expect("list");
    let [one] = listed.as_slice() else { panic!("one client") };
    clients.reject(&one.thumbprint).expect("rejected");
    // The library tells a client whose certificate lies among the rejected nothing more of it.
    std::fs::remove_file(clients.list().expect("list")[0].file.clone()).expect("forgotten");
    let user = User::Named { name: "ada".to_owned(), password: "correct".to_owned() };
    let refused = place.link(SECURED, user).err().expect("refused");
    assert!(!refused.is_empty());
    let told = wait_for("the stranger to be told", PATIENCE, || {
        let told = place.told.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(told.iter().find(|event| event.kind == "client-certificate-untrusted").cloned())
    });
    let told = told.expect("told");
    assert_eq!(told.facts["thumbprint"], one.thumbprint.as_str());
    place.server.stop();
    let told = place.told.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn a_client_that_is_rejected_is_hung_up_on_and_the_others_come_back() {
    let place = Place::new(SECURED, 5);
    introduce(place.folder.path());
    let user = || User::Named { name: "ada".to_owned(), password: "correct".to_owned() };
    let link = place.link(SECURED, user()).expect("let in");
    place.put(HOT, 1.5, Quality::Good, at(1));
    assert_eq!(place.read(&link, "pump-1/hot", AttributeId::Value).value, Some(Variant::Double(1.5)));
    wait_for("the session to be seen", PATIENCE, || Ok((place.server.stats().sessions() == 1).then_some(())))
        .expect("seen");
    let clients =
        Pki::open(place.folder.path().join("server")).and_then(|pki| pki.clients()).expect("clients");
    let listed = clients.list().expect("list");
    let [one] = listed.as_slice() else { panic!("one client") };
    clients.reject(&one.thumbprint).expect("rejected");
    let node = ReadValueId {
        node_id: NodeId::new(2, "pump-1/hot"),
        attribute_id: AttributeId::Value as u32,
        ..ReadValueId::default()
    };
    wait_for("its session to end", PATIENCE, || {
        let asked = link.session.read(std::slice::from_ref(&node), TimestampsToReturn::Both, 0.0);
        Ok(place.runtime.block_on(asked).is_err().then_some(()))
    })
    .expect("it ends");
    assert!(place.link(SECURED, user()).is_err(), "and it is not let in again");
    clients.trust(&one.thumbprint).expect("trusted again");
    wait_for("it to be let in", PATIENCE, || Ok(place.link(SECURED, user()).ok().map(drop))).expect("let in");
    place.server.stop();
}

#[test]
fn a_server_of_the_library_that_ends_is_told_and_made_anew() {
    let place = Place::new(Security::None, 5);
    place.server.first.0.cancel();
    let told = |kind: &str| {
        wait_for(kind, PATIENCE, || {
            let told = place.told.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(told.iter().find(|event| event.kind == kind).cloned())
        })
        .expect("told")
    };
    let ended = told("opcua-server-ended");
    assert!(ended.message.contains("has ended"), "{}", ended.message);
    told("opcua-server-back");
    place.put(HOT, 1.5, Quality::Good, at(1));
    let link = place.link(Security::None, User::Anonymous).expect("a session");
    assert_eq!(place.read(&link, "pump-1/hot", AttributeId::Value).value, Some(Variant::Double(1.5)));
    place.server.stop();
}

#[test]
fn clients_are_told_the_port_that_they_can_reach() {
    let place = Place::new(Security::None, 5);
    let url = format!("opc.tcp://{}", place.server.address());
    let client = opcua::client::ClientBuilder::new()
        .application_name("t")
        .application_uri("urn:t")
        .product_uri("urn:t")
        .pki_dir(place.folder.path().join("client"))
        .create_sample_keypair(false)
        .client()
        .expect("a client");
    let endpoints = place.runtime.block_on(client.get_server_endpoints_from_url(url)).expect("endpoints");
    let port = format!(":{}/", place.server.address().port());
    assert!(!endpoints.is_empty());
    for endpoint in endpoints {
        assert!(endpoint.endpoint_url.as_ref().contains(&port), "{}", endpoint.endpoint_url);
    }
    place.server.stop();
}

#[test]
fn an_address_that_is_taken_is_named() {
    let place = Place::new(Security::None, 1);
    let options = ServerOptions {
        site: "t".to_owned(),
        listen: place.server.address(),
        host: "127.0.0.1".to_owned(),
        security: vec![Security::None],
        anonymous: true,
        pki: place.folder.path().join("server"),
        limits: ServerLimits { sessions: 1, subscriptions: 1, items: 1, queue: 1 },
    };
    let catalogue = Catalogue::default();
    let board = Arc::new(Board::new(&catalogue));
    let (keeper, clock) = (Arc::new(Keeper::default()), Arc::new(SystemClock::new()));
    let failed = OpcUaServer::start(options, catalogue, board, keeper, clock, Arc::new(|_| {}));
    let error = failed.expect_err("taken").to_string();
    assert!(error.starts_with(&format!("cannot listen on {}", place.server.address())), "{error}");
}
