//! The library's server on a thread of its own, from its start to its end.
//!
//! The library keeps a note of every watched variable of subscriptions that have ended, for as long as it runs. So after a
//! number of them it is made anew: clients lose their line for a moment and come back, and memory stays bounded. So it is when a
//! client is trusted no more, whose session would stand otherwise. One that ends by itself is made anew after some seconds.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use geminus_core::{Clock, Event, Severity};
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
use super::relay::{self, Relay, SPARE, SPARE_OF_ADDRESS};
use super::stats::ServerStats;
use crate::options::Security;
use crate::pki::{APPLICATION_URI, OWN_CERTIFICATE, OWN_KEY, Pki};

/// How long clients have to take leave when the server ends.
const GOODBYE: Duration = Duration::from_secs(3);
/// Of it, how long the last words of the server may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long after the library's server has ended by itself, or could not be made, another one is tried.
const AGAIN: Duration = Duration::from_secs(5);
/// Looks after which a server that was made anew counts as one that stands.
const STANDS: u32 = 2;
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

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct OpcUaServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stats: Arc<ServerStats>,
    /// The library's first server.
    #[cfg(test)]
    pub(super) first: FirstServer,
}

/// A handle that says nothing of itself.
#[cfg(test)]
pub(super) struct FirstServer(pub(super) ServerHandle);

#[cfg(test)]
impl std::fmt::Debug for FirstServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FirstServer")
    }
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
            told: AtomicBool::new(false),
        };
        // Now, so that what is in the way is said at the start.
        let first = room.build()?;
        #[cfg(test)]
        let handle = FirstServer(first.2.clone());
        let thread = std::thread::Builder::new().name("opcua-server".to_owned());
        let thread = thread.spawn(move || room.serve(first, strangers)).map_err(ServerError::Thread)?;
        Ok(Self {
            address,
            stop,
            thread: Mutex::new(Some(thread)),
            stats,
            #[cfg(test)]
            first: handle,
        })
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

/// A server of the library, and the runtime in which it was made and is to be served.
type Made = (Runtime, Server, ServerHandle);

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
    /// Whether it was told that clients are not served, and not yet that they are again.
    told: AtomicBool,
}

impl Room {
    fn build(&self) -> Result<Made, ServerError> {
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
        // The library leaves work of its own on the runtime in which it is made.
        let runtime = Builder::new_current_thread().enable_all().build().map_err(ServerError::Thread)?;
        let made = {
            let _inside = runtime.enter();
            builder.build()
        };
        match made {
            Ok((server, handle)) => Ok((runtime, server, handle)),
            Err(reason) => {
                // Whoever starts the host may be inside of another one, where none may be waited for.
                runtime.shutdown_background();
                Err(ServerError::Library(reason))
            }
        }
    }

    /// Serves, with one server of the library after the other, until it is to stop.
    fn serve(self, first: Made, mut strangers: Strangers) {
        let mut next = Some(Ok(first));
        while let Some(made) = next.take() {
            let goes_on = match self.once(made, &mut strangers) {
                Ok(Ended::Stopped) => false,
                Ok(Ended::Worn) => true,
                Err(reason) => {
                    self.tell_ended(&reason);
                    self.rest()
                }
            };
            next = goes_on.then(|| self.build().map_err(|error| error.to_string()));
        }
        self.stats.sessions.store(0, Relaxed);
        self.stats.subscriptions.store(0, Relaxed);
    }

    /// One server of the library, until it ends.
    fn once(&self, made: Result<Made, String>, strangers: &mut Strangers) -> Result<Ended, String> {
        let (runtime, server, handle) = made?;
        let ended = self.run(&runtime, (server, handle), strangers);
        // With all that the library has left running.
        runtime.shutdown_timeout(GOODBYE);
        ended
    }

    /// Waits before the next attempt; whether there is to be one.
    fn rest(&self) -> bool {
        let mut stopped = self.stopped.clone();
        match Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime
                .block_on(async { timeout(AGAIN, stopped.wait_for(|stopped| *stopped)).await.is_err() }),
            Err(error) => {
                tracing::error!(%error, "OPC UA clients are not served any more");
                false
            }
        }
    }

    fn tell_ended(&self, reason: &str) {
        self.stats.sessions.store(0, Relaxed);
        self.stats.subscriptions.store(0, Relaxed);
        if self.told.swap(true, Relaxed) {
            return tracing::debug!(reason, "OPC UA clients are still not served");
        }
        let (address, again) = (self.address, AGAIN.as_secs());
        let message = format!(
            "OPC UA clients are not served at {address}: {reason}; it is tried again every {again} s"
        );
        let facts = serde_json::json!({ "address": address.to_string(), "reason": reason });
        (self.ear)(Event::new("opcua-server-ended", Severity::Error, message).facts(facts));
    }

    fn tell_back(&self) {
        if self.told.swap(false, Relaxed) {
            let message = format!("OPC UA clients are served again at {}", self.address);
            let facts = serde_json::json!({ "address": self.address.to_string() });
            (self.ear)(Event::new("opcua-server-back", Severity::Info, message).facts(facts));
        }
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
            let inside = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
            let inside = inside.map_err(|error| error.to_string())?;
            let room = self.room();
            let mut relay =
                Relay::new(listener, inside.local_addr().map_err(|error| error.to_string())?, room);
            // The library tells clients the port where it listens; they come by ours.
            let told = || handle.info().port.store(self.address.port(), Relaxed);
            let serving = server.run_with(inside);
            tokio::pin!(serving);
            let mut looks = 0;
            let mut tick = interval(LOOK_EVERY);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut relaying = Box::pin(relay.run(told));
            let ended = loop {
                tokio::select! {
                    // A sender that is gone stops it too.
                    _ = stopped.wait_for(|stopped| *stopped) => break Ended::Stopped,
                    done = &mut serving => {
                        return Err(done.err().unwrap_or_else(|| "the library's server has ended".to_owned()));
                    }
                    () = &mut relaying => {}
                    () = self.board.news.notified() => {
                        while let Some(pushed) = pusher.push() {
                            self.stats.pushed.fetch_add(pushed, Relaxed);
                            tokio::task::yield_now().await;
                        }
                    }
                    _ = tick.tick() => {
                        self.stats.pushed.fetch_add(pusher.catch_up(), Relaxed);
                        let lost_trust = has_lost_trust(strangers);
                        self.look(&handle, strangers);
                        looks += 1;
                        if looks == STANDS {
                            self.tell_back();
                        }
                        if nodes.inner().book.lock().ended >= ENDED_MAX || lost_trust {
                            break Ended::Worn;
                        }
                    }
                }
            };
            drop(relaying);
            handle.cancel();
            if timeout(GOODBYE, serving).await.is_err() {
                tracing::info!("OPC UA clients have not taken leave in time");
            }
            relay.finish(LAST_WORDS).await;
            Ok(ended)
        })
    }

    fn room(&self) -> relay::Room {
        let sessions = self.options.limits.sessions as usize;
        relay::Room {
            connections: sessions + SPARE,
            of_address: sessions + SPARE_OF_ADDRESS,
            silence: Duration::from_millis(SESSION_MS),
        }
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

/// Whether somebody whom a session may belong to is trusted no more. The library closes no session of its own accord, so all have to
/// come back; whoever is trusted does within seconds.
fn has_lost_trust(strangers: &mut Strangers) -> bool {
    strangers.has_lost_trust().unwrap_or_else(|error| {
        tracing::warn!(%error, "certificates of OPC UA clients cannot be looked at");
        false
    })
}

fn endpoint(policy: SecurityPolicy, mode: MessageSecurityMode) -> ServerEndpoint {
    // The library wants a user for each; who may come in is up to the door.
    ServerEndpoint::new("/", policy, mode, &[ANONYMOUS_USER_TOKEN_ID.to_owned()])
}
