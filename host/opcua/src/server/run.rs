//! The library's server on a thread of its own, from its start to its end.
//!
//! The library keeps a note of every watched variable of subscriptions that have ended, for as long as it runs. So after a
//! number of them it is made anew: clients lose their line for a moment and come back, and memory stays bounded.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use geminus_core::{Clock, Event};
use opcua::crypto::SecurityPolicy;
use opcua::server::node_manager::memory::InMemoryNodeManagerBuilder;
use opcua::server::{ANONYMOUS_USER_TOKEN_ID, Server, ServerBuilder, ServerEndpoint, ServerHandle};
use opcua::types::{MessageSecurityMode, VariableId, Variant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::board::Board;
use super::catalogue::Catalogue;
use super::certificates::Strangers;
use super::login::{Door, Doorkeeper};
use super::nodes::{TwinNodeManager, TwinNodesBuilder};
use super::options::{ServerError, ServerOptions};
use super::push::Pusher;
use crate::options::Security;
use crate::pki::{APPLICATION_URI, OWN_CERTIFICATE, OWN_KEY, Pki};

/// How long clients have to take leave when the server ends.
const GOODBYE: Duration = Duration::from_secs(3);
/// How often rejected certificates are looked at, and figures taken.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Ended watches after which the library's server is made anew.
const ENDED_MAX: u64 = 1_000_000;
/// How long a client may take to say hello, in seconds.
const HELLO_S: u32 = 5;
/// Shortest time between two messages of a subscription; values come no faster.
const PUBLISHING_MS: u64 = 100;
/// Longest time that a session may be silent.
const SESSION_MS: u64 = 600_000;
/// Most nodes in one request.
const NODES_OF_REQUEST_MAX: usize = 10_000;
/// Longest text or bytes that a client may send.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// Largest message, and its chunks.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
const CHUNKS_MAX: usize = 512;
/// Messages of a subscription that wait for a client that is away.
const MESSAGES_WAITING_MAX: usize = 100;

/// Where events go.
type Ear = Arc<dyn Fn(Event) + Send + Sync>;

/// What a server counts. Shared, and cheap to read.
#[derive(Debug, Default)]
pub struct ServerStats {
    sessions: AtomicU64,
    subscriptions: AtomicU64,
    pushed: AtomicU64,
}

impl ServerStats {
    /// Sessions that are open, as of the last look.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Relaxed)
    }

    /// Subscriptions of all of them.
    #[must_use]
    pub fn subscriptions(&self) -> u64 {
        self.subscriptions.load(Relaxed)
    }

    /// Values that were given to subscriptions.
    #[must_use]
    pub fn pushed(&self) -> u64 {
        self.pushed.load(Relaxed)
    }
}

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct OpcUaServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stats: Arc<ServerStats>,
}

impl OpcUaServer {
    /// Listens, and serves what the catalogue has. Blocks: makes our certificate where there is none, and the nodes.
    ///
    /// # Errors
    /// [`ServerError`] of the first thing that is in the way.
    pub fn start(
        options: ServerOptions,
        catalogue: Catalogue,
        board: Arc<Board>,
        keeper: Arc<dyn Doorkeeper>,
        clock: Arc<dyn Clock>,
        ear: Ear,
    ) -> Result<Self, ServerError> {
        options.check()?;
        let taken = |source| ServerError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).map_err(taken)?;
        listener.set_nonblocking(true).map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let pki = Pki::open(&options.pki)?;
        if options.security.iter().any(|security| *security != Security::None) {
            pki.ensure_own()?;
        }
        let strangers = Strangers::new(pki.clients()?)?;
        let stats = Arc::new(ServerStats::default());
        let (stop, stopped) = watch::channel(false);
        let room = Room {
            door: Arc::new(Door::new(keeper, options.anonymous, Arc::clone(&clock))),
            catalogue: Arc::new(catalogue),
            board,
            clock,
            ear,
            stats: Arc::clone(&stats),
            pki,
            listener,
            address,
            stopped,
            options,
        };
        // Now, so that what is in the way is said at the start.
        let first = room.build()?;
        let thread = std::thread::Builder::new().name("opcua-server".to_owned());
        let thread = thread.spawn(move || room.serve(first, strangers)).map_err(ServerError::Thread)?;
        Ok(Self { address, stop, thread: Mutex::new(Some(thread)), stats })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it counts.
    #[must_use]
    pub fn stats(&self) -> &Arc<ServerStats> {
        &self.stats
    }

    /// Tells clients that it ends, and waits for its thread. Blocks for some seconds at most.
    pub fn stop(&self) {
        self.stop.send_replace(true);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the OPC UA server has panicked");
        }
    }
}

impl Drop for OpcUaServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Everything that one server after the other is made of.
struct Room {
    options: ServerOptions,
    address: SocketAddr,
    listener: TcpListener,
    pki: Pki,
    catalogue: Arc<Catalogue>,
    board: Arc<Board>,
    door: Arc<Door>,
    clock: Arc<dyn Clock>,
    ear: Ear,
    stats: Arc<ServerStats>,
    stopped: watch::Receiver<bool>,
}

impl Room {
    fn build(&self) -> Result<(Server, ServerHandle), ServerError> {
        let nodes = TwinNodesBuilder {
            catalogue: Arc::clone(&self.catalogue),
            board: Arc::clone(&self.board),
            clock: Arc::clone(&self.clock),
        };
        // Seen from the folder of clients.
        let own = |file: &str| Path::new("..").join(file);
        let host = match self.options.host.parse::<std::net::Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => self.options.host.clone(),
        };
        let mut builder = ServerBuilder::new()
            .application_name(format!("Geminus {}", self.options.site))
            .application_uri(APPLICATION_URI)
            .product_uri(APPLICATION_URI)
            .create_sample_keypair(false)
            .pki_dir(self.pki.clients()?.folder())
            .certificate_path(own(OWN_CERTIFICATE))
            .private_key_path(own(OWN_KEY))
            .trust_client_certs(false)
            .check_cert_time(true)
            .host(&host)
            .port(self.address.port())
            .discovery_urls(vec![format!("opc.tcp://{host}:{}/", self.address.port())])
            .hello_timeout(HELLO_S)
            .subscription_poll_interval_ms(PUBLISHING_MS)
            .max_session_timeout_ms(SESSION_MS)
            .max_sessions(self.options.limits.sessions as usize)
            .max_string_length(TEXT_BYTES_MAX)
            .max_byte_string_length(TEXT_BYTES_MAX)
            .max_array_length(NODES_OF_REQUEST_MAX)
            .max_message_size(MESSAGE_BYTES_MAX)
            .max_chunk_count(CHUNKS_MAX)
            .diagnostics_enabled(true)
            .with_authenticator(Arc::clone(&self.door) as _)
            .with_node_manager(InMemoryNodeManagerBuilder::new(nodes));
        let limits = builder.limits_mut();
        limits.subscriptions.max_subscriptions_per_session = self.options.limits.subscriptions as usize;
        limits.subscriptions.max_monitored_items_per_sub = self.options.limits.items as usize;
        limits.subscriptions.max_monitored_item_queue_size = self.options.limits.queue as usize;
        limits.subscriptions.min_publishing_interval_ms = PUBLISHING_MS as f64;
        // With any other, the library shifts source times; see `nodes`.
        limits.subscriptions.min_sampling_interval_ms = 0.0;
        limits.subscriptions.max_queued_notifications = MESSAGES_WAITING_MAX;
        limits.operational.max_nodes_per_read = NODES_OF_REQUEST_MAX;
        limits.operational.max_nodes_per_browse = NODES_OF_REQUEST_MAX;
        limits.operational.max_nodes_per_translate_browse_paths_to_node_ids = NODES_OF_REQUEST_MAX;
        limits.operational.max_monitored_items_per_call = NODES_OF_REQUEST_MAX;
        for security in &self.options.security {
            let (policy, mode) = (security.policy(), security.mode());
            builder = builder.add_endpoint(policy.to_string(), endpoint(policy, mode));
        }
        let safest = self.options.security.iter().max_by_key(|security| **security != Security::None);
        if let Some(safest) = safest {
            builder = builder.default_endpoint(safest.policy().to_string());
        }
        builder.build().map_err(ServerError::Library)
    }

    /// Serves, with one server of the library after the other, until it is to stop.
    fn serve(self, first: (Server, ServerHandle), mut strangers: Strangers) {
        let mut next = Some(first);
        while let Some(made) = next.take() {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return tracing::error!(%error, "OPC UA clients are not served any more"),
            };
            let ended = self.run(&runtime, made, &mut strangers);
            // With all that the library has left running.
            runtime.shutdown_timeout(GOODBYE);
            next = match ended {
                Ok(Ended::Stopped) => None,
                Ok(Ended::Worn) => {
                    self.build().map_err(|error| error.to_string()).map(Some).unwrap_or_else(|error| {
                        tracing::error!(error, "OPC UA clients are not served any more");
                        None
                    })
                }
                Err(error) => {
                    tracing::error!(error, "OPC UA clients are not served any more");
                    None
                }
            };
        }
        self.stats.sessions.store(0, Relaxed);
        self.stats.subscriptions.store(0, Relaxed);
    }

    fn run(
        &self,
        runtime: &Runtime,
        (server, handle): (Server, ServerHandle),
        strangers: &mut Strangers,
    ) -> Result<Ended, String> {
        let nodes = handle.node_managers().get_of_type::<TwinNodeManager>();
        let nodes = nodes.ok_or("the library has lost its nodes")?;
        let subscriptions = Arc::clone(handle.subscriptions());
        let (board, clock) = (Arc::clone(&self.board), Arc::clone(&self.clock));
        let mut pusher = Pusher::new(board, Arc::clone(&nodes), subscriptions, Arc::clone(&self.door), clock);
        let listener = self.listener.try_clone().map_err(|error| error.to_string())?;
        let mut stopped = self.stopped.clone();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
            let serving = server.run_with(listener);
            tokio::pin!(serving);
            let mut tick = interval(LOOK_EVERY);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let ended = loop {
                tokio::select! {
                    // A sender that is gone stops it too.
                    _ = stopped.wait_for(|stopped| *stopped) => break Ended::Stopped,
                    done = &mut serving => return done.map(|()| Ended::Stopped),
                    () = self.board.news.notified() => {
                        while let Some(pushed) = pusher.push() {
                            self.stats.pushed.fetch_add(pushed, Relaxed);
                            tokio::task::yield_now().await;
                        }
                    }
                    _ = tick.tick() => {
                        self.stats.pushed.fetch_add(pusher.catch_up(), Relaxed);
                        self.look(&handle, strangers);
                        if nodes.inner().book.lock().ended >= ENDED_MAX {
                            break Ended::Worn;
                        }
                    }
                }
            };
            handle.cancel();
            if timeout(GOODBYE, serving).await.is_err() {
                tracing::info!("OPC UA clients have not taken leave in time");
            }
            Ok(ended)
        })
    }

    fn look(&self, handle: &ServerHandle, strangers: &mut Strangers) {
        match strangers.look() {
            Ok(events) => events.into_iter().for_each(|event| (self.ear)(event)),
            Err(error) => tracing::warn!(%error, "certificates of OPC UA clients cannot be looked at"),
        }
        let summary = handle.info().summary();
        let count = |id| match summary.get(id).and_then(|value| value.value) {
            Some(Variant::UInt32(count)) => u64::from(count),
            _ => 0,
        };
        let sessions = VariableId::Server_ServerDiagnostics_ServerDiagnosticsSummary_CurrentSessionCount;
        let subscriptions =
            VariableId::Server_ServerDiagnostics_ServerDiagnosticsSummary_CurrentSubscriptionCount;
        self.stats.sessions.store(count(sessions), Relaxed);
        self.stats.subscriptions.store(count(subscriptions), Relaxed);
    }
}

/// Why the library's server has ended.
enum Ended {
    Stopped,
    /// It has to be made anew.
    Worn,
}

fn endpoint(policy: SecurityPolicy, mode: MessageSecurityMode) -> ServerEndpoint {
    // The library wants a user for each; who may come in is up to the door.
    ServerEndpoint::new("/", policy, mode, &[ANONYMOUS_USER_TOKEN_ID.to_owned()])
}
