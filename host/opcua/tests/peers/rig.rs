//! What the tests share: a place with a server and a source that runs against it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use geminus_core::{Batch, Event, Sample, SeriesId, SystemClock};
use geminus_ingest::Point;
use geminus_opcua::{NodePoint, OpcUaHandle, OpcUaOptions, OpcUaSource, Security, Subscribe, User};
use geminus_tests::{OpcUaPeer, OpcUaServer, PATIENCE, free_port, wait_for};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Receiver};

pub(crate) const TYPES: [&str; 11] =
    ["double", "float", "sbyte", "byte", "int16", "uint16", "int32", "uint32", "int64", "uint64", "boolean"];

pub(crate) fn node(name: &str) -> String {
    format!("nsu=urn:geminus:test;s=pump-1.{name}")
}

pub(crate) fn options(port: u16, folder: &Path) -> OpcUaOptions {
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
pub(crate) struct Field {
    pub(crate) handle: OpcUaHandle,
    pub(crate) samples: Receiver<Batch>,
    pub(crate) got: Vec<Sample>,
    pub(crate) told: Arc<Mutex<Vec<Event>>>,
}

impl Field {
    pub(crate) fn start(runtime: &Runtime, options: OpcUaOptions, names: &[&str]) -> anyhow::Result<Self> {
        Self::with_room(runtime, options, names, 1_000)
    }

    /// One whose house has room for so many batches.
    pub(crate) fn with_room(
        runtime: &Runtime,
        options: OpcUaOptions,
        names: &[&str],
        batches: usize,
    ) -> anyhow::Result<Self> {
        let _inside = runtime.enter();
        let points = (0..).zip(names).map(|(number, name)| {
            let node = node(name).parse().expect("a node");
            NodePoint { node, point: Point::plain(SeriesId(number)) }
        });
        let (sink, samples) = mpsc::channel(batches);
        let told = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&told);
        let events =
            Arc::new(move |event: Event| ear.lock().unwrap_or_else(PoisonError::into_inner).push(event));
        let handle =
            OpcUaSource::spawn(options, points.collect(), sink, Arc::new(SystemClock::new()), events)?;
        Ok(Self { handle, samples, got: Vec::new(), told })
    }

    /// Everything that a series has given so far.
    pub(crate) fn of(&mut self, series: u32) -> Vec<Sample> {
        while let Ok(batch) = self.samples.try_recv() {
            self.got.extend(batch.samples);
            batch.ticket.into_iter().for_each(geminus_core::Ticket::commit);
        }
        self.got.iter().filter(|sample| sample.series == SeriesId(series)).copied().collect()
    }

    pub(crate) fn told(&self, kind: &str, count: usize) -> anyhow::Result<Event> {
        let all = || self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = wait_for(&format!("{count} events {kind}"), PATIENCE, || {
            let mut found = all().into_iter().filter(|event| event.kind == kind);
            Ok(found.nth(count - 1))
        });
        found.with_context(|| format!("{:#?}", all()))
    }
}

pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) port: u16,
    pub(crate) runtime: Runtime,
}

impl Place {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self { folder: tempfile::tempdir()?, port: free_port()?, runtime: Runtime::new()? })
    }

    pub(crate) fn server(&self, peer: OpcUaPeer) -> anyhow::Result<OpcUaServer> {
        OpcUaServer::start(peer, self.port, &self.folder.path().join("server"))
    }

    pub(crate) fn host(&self) -> PathBuf {
        self.folder.path().join("host")
    }
}
