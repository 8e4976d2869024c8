//! A server whose nodes show what they are told, with source times of one's own; and which obeys: what is written to one node,
//! another one shows.
//!
//! It runs on one thread, so that its processor time is told apart from that of the house. Source times come through as they
//! were given only because the server has no shortest sampling interval, see decision 0006.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use geminus_core::{Clock, Timestamp};
use opcua::nodes::VariableBuilder;
use opcua::server::diagnostics::NamespaceMetadata;
use opcua::server::node_manager::memory::{SimpleNodeManager, simple_node_manager};
use opcua::server::{ServerBuilder, ServerHandle};
use opcua::types::{DataTypeId, DataValue, NodeId, ObjectId, StatusCode, Variant};
use tokio::sync::oneshot;

use super::NAMESPACE;
use crate::{status, time};

/// How often the server looks whether something is to be told.
const TICK: Duration = Duration::from_millis(10);
/// Values of a node that it keeps for a client, and messages that it keeps for one: more than a window of a measurement.
const VALUES_MAX: usize = 10_000;
const MESSAGES_MAX: usize = 10_000;
/// Largest message.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Nodes of one subscription.
const NODES_MAX: usize = 100_000;

/// Why there is no server, or why it does not show something.
#[derive(Debug, thiserror::Error)]
pub enum FieldError {
    /// No port, or no thread.
    #[error("the OPC UA server cannot be started: {0}")]
    Start(#[from] std::io::Error),
    /// The library refuses it.
    #[error("the OPC UA server cannot be set up: {0}")]
    Setup(String),
    /// A node is not there.
    #[error("the OPC UA server does not show it: {0}")]
    Show(String),
    /// A thread ended otherwise than it should.
    #[error("a thread of the OPC UA server panicked")]
    Panicked,
}

/// A server on a free port of loopback. Ends when it is dropped.
pub struct Field {
    endpoint: String,
    handle: ServerHandle,
    nodes: Arc<SimpleNodeManager>,
    shown: Vec<NodeId>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Field {
    /// Starts one with these nodes, all of them numbers; `folder` is for its certificates, of which it uses none.
    ///
    /// # Errors
    /// [`FieldError`] when it does not come up.
    pub fn start(folder: &Path, names: &[String]) -> Result<Self, FieldError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let metadata = NamespaceMetadata { namespace_uri: NAMESPACE.to_owned(), ..Default::default() };
        let mut builder = ServerBuilder::new_anonymous("geminus bench")
            // Another one than that of the nodes: the library keeps its diagnostics under it, and would look for nodes there.
            .application_uri(format!("{NAMESPACE}:server"))
            .product_uri(NAMESPACE)
            .host("127.0.0.1")
            .port(port)
            .pki_dir(folder)
            .max_array_length(NODES_MAX)
            .max_message_size(MESSAGE_BYTES_MAX)
            // Without end: a message has thousands of values.
            .max_chunk_count(0)
            .subscription_poll_interval_ms(u64::try_from(TICK.as_millis()).unwrap_or(10))
            .with_node_manager(simple_node_manager(metadata, "bench"));
        let limits = &mut builder.limits_mut().subscriptions;
        limits.min_sampling_interval_ms = 0.0;
        limits.min_publishing_interval_ms = TICK.as_secs_f64() * 1e3;
        limits.max_monitored_item_queue_size = VALUES_MAX;
        limits.max_queued_notifications = MESSAGES_MAX;
        limits.max_monitored_items_per_sub = NODES_MAX;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // The library leaves work of its own on the runtime in which it is made.
        let inside = runtime.enter();
        let (server, handle) = builder.build().map_err(FieldError::Setup)?;
        drop(inside);
        let lacks = || FieldError::Setup("it has no nodes of its own".to_owned());
        let nodes = handle.node_managers().get_of_type::<SimpleNodeManager>().ok_or_else(lacks)?;
        let namespace = handle.get_namespace_index(NAMESPACE).ok_or_else(lacks)?;
        let shown: Vec<NodeId> = names.iter().map(|name| NodeId::new(namespace, name.as_str())).collect();
        {
            let mut space = nodes.address_space().write();
            for (id, name) in shown.iter().zip(names) {
                let made = VariableBuilder::new(id, name.as_str(), name.as_str())
                    .data_type(DataTypeId::Double)
                    .value(0.0)
                    .organized_by(ObjectId::ObjectsFolder)
                    .writable()
                    .insert(&mut *space);
                if !made {
                    return Err(FieldError::Setup(format!("node {name} is given twice")));
                }
            }
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("opcua-server".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let run = async {
                    match tokio::net::TcpListener::from_std(listener) {
                        Ok(listener) => server.run_with(listener).await,
                        Err(error) => Err(error.to_string()),
                    }
                };
                tokio::select! {
                    ended = run => if let Err(reason) = ended {
                        tracing::error!(reason, "the OPC UA server of the bench has ended");
                    },
                    // An error is a field that was dropped, which is a stop too.
                    _ = stopped => {}
                }
            });
        })?;
        let endpoint = format!("opc.tcp://127.0.0.1:{port}");
        Ok(Self { endpoint, handle, nodes, shown, stop: Some(stop), thread: Some(thread) })
    }

    /// Its address.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Shows new values of nodes, given by their places among the names, all of one source time.
    ///
    /// # Errors
    /// [`FieldError::Show`] when a place is that of no node.
    pub fn show(&self, values: &[(usize, f64)], at: Timestamp) -> Result<(), FieldError> {
        let at = time::date_time(at);
        let mut changes = Vec::with_capacity(values.len());
        for (place, value) in values {
            let node = self
                .shown
                .get(*place)
                .ok_or_else(|| FieldError::Show(format!("there is no node {place}")))?;
            let value = DataValue {
                value: Some(Variant::Double(*value)),
                status: Some(StatusCode::Good),
                source_timestamp: Some(at),
                server_timestamp: Some(at),
                ..DataValue::null()
            };
            changes.push((node, None, value));
        }
        let set = self.nodes.set_values(self.handle.subscriptions(), changes.into_iter());
        set.map_err(|code| FieldError::Show(status::name(code)))
    }

    /// From now on what is written to the first node of a pair is shown by the second, at once and with the time of this
    /// clock. Pairs are places among the names.
    ///
    /// # Errors
    /// When a place is that of no node, or there is no thread.
    pub fn obey(
        self: &Arc<Self>,
        pairs: &[(usize, usize)],
        clock: Arc<dyn Clock>,
    ) -> Result<Obedience, FieldError> {
        let (tell, told) = channel();
        for (order, shows) in pairs {
            let node = self
                .shown
                .get(*order)
                .ok_or_else(|| FieldError::Show(format!("there is no node {order}")))?;
            let (tell, shows) = (tell.clone(), *shows);
            self.nodes.inner().add_write_callback(node.clone(), move |written, _| {
                let Some(Variant::Double(value)) = written.value else { return StatusCode::BadTypeMismatch };
                // Nothing is shown from here: the server holds its nodes while it asks.
                let heard = tell.send(Some((shows, value))).is_ok();
                if heard { StatusCode::Good } else { StatusCode::BadOutOfService }
            });
        }
        let field = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("field".to_owned())
            .spawn(move || follow(&field, &told, clock.as_ref()))?;
        Ok(Obedience { stop: tell, thread: Some(thread) })
    }
}

fn follow(
    field: &Field,
    told: &Receiver<Option<(usize, f64)>>,
    clock: &dyn Clock,
) -> Result<usize, FieldError> {
    let mut obeyed = 0;
    while let Ok(Some((place, value))) = told.recv() {
        field.show(&[(place, value)], clock.now())?;
        obeyed += 1;
    }
    Ok(obeyed)
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Field({}, {} nodes)", self.endpoint, self.shown.len())
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        // It has ended by itself if nobody hears.
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap_or_default();
        }
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the OPC UA server of the bench panicked");
        }
    }
}

/// Obeying under way. Dropping it ends it, too.
#[derive(Debug)]
pub struct Obedience {
    stop: Sender<Option<(usize, f64)>>,
    thread: Option<JoinHandle<Result<usize, FieldError>>>,
}

impl Obedience {
    /// Ends it; gives how many orders were obeyed.
    ///
    /// # Errors
    /// When an order could not be shown.
    pub fn stop(mut self) -> Result<usize, FieldError> {
        self.end();
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| FieldError::Panicked)?,
            None => Err(FieldError::Panicked),
        }
    }

    fn end(&self) {
        // Nobody hears it when following has ended with an error, which joining tells.
        self.stop.send(None).unwrap_or_default();
    }
}

impl Drop for Obedience {
    fn drop(&mut self) {
        // The server holds the other ends: without this the thread, and by that the server, would stay.
        self.end();
    }
}
