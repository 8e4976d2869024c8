//! One `[publish.NAME]`: what it is told, and its start and end.

use std::sync::Arc;
use std::time::Duration;

use geminus_core::Clock;
use geminus_ingest::ProtocolVersion;
use geminus_ingest::mqtt::line::Will;
use geminus_ingest::mqtt::{Address, AddressError, LineV4, LineV5};
use geminus_tls::Tls;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::EventSink;
use crate::catalogue::Catalogue;
use crate::layer::Layer;
use crate::outlet::Outlet;
use crate::session::{House, Session};

/// Our own messages that may wait in the client.
const OUTGOING: usize = 256;

/// How one publication speaks to its broker.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its name in the site.
    pub name: String,
    /// `mqtt://[user:password@]host[:port]`, or `mqtts://…`.
    pub url: String,
    /// Whom to trust and who we are, for `mqtts://`.
    pub tls: Option<Tls>,
    /// Unique at the broker.
    pub client_id: String,
    /// 5 or 3.1.1.
    pub version: ProtocolVersion,
    /// Silence after which the connection is probed; at least a second.
    pub keep_alive: Duration,
    /// Least time between two values of one item.
    pub interval: Duration,
    /// How results are laid out.
    pub layer: Layer,
}

/// Why nothing can be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// No name at the broker.
    #[error("client_id must not be empty: it names the connection at the broker")]
    ClientId,
}

/// A publication that is known to be right.
#[derive(Debug)]
pub struct Publication {
    options: Options,
    address: Address,
    catalogue: Catalogue,
    outlet: Arc<Outlet>,
}

impl Publication {
    /// Of what stands in `catalogue`. Connects to nothing yet.
    ///
    /// # Errors
    /// [`PublishError`] when the options cannot work.
    pub fn new(options: Options, catalogue: Catalogue) -> Result<Self, PublishError> {
        let address = options.url.parse::<Address>()?.with_tls(options.tls.clone())?;
        if options.client_id.is_empty() {
            return Err(PublishError::ClientId);
        }
        let outlet = Outlet::new(catalogue.len());
        Ok(Self { options, address, catalogue, outlet })
    }

    /// Where states are put in, from now on.
    #[must_use]
    pub fn outlet(&self) -> Arc<Outlet> {
        Arc::clone(&self.outlet)
    }

    /// Connects on the current tokio runtime, and connects again, for ever. A broker that is away is an event.
    #[must_use]
    pub fn start(self, clock: Arc<dyn Clock>, events: EventSink) -> Publishing {
        let Self { options, address, catalogue, outlet } = self;
        let (stop, stopped) = watch::channel(false);
        // The session has one too: told to stop by a word only, never by a handle that is gone.
        let told = stop.clone();
        let house = House { clock, events };
        let session = Session::new(&options, address.name(), catalogue, outlet, house, stopped);
        let task = tokio::spawn(async move {
            let _told = told;
            let who = (options.client_id.as_str(), options.keep_alive);
            match options.version {
                ProtocolVersion::V5 => {
                    session.run(|will: Will| LineV5::with_will(&address, who, will, OUTGOING)).await;
                }
                ProtocolVersion::V311 => {
                    session.run(|will: Will| LineV4::with_will(&address, who, will, OUTGOING)).await;
                }
            }
        });
        Publishing { stop, task }
    }
}

/// A running publication. Dropping it ends it without a goodbye, and the broker says that it has gone.
#[derive(Debug)]
pub struct Publishing {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Publishing {
    /// Says goodbye, and waits a bounded time for the broker to have it.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Err(error) = (&mut self.task).await {
            tracing::warn!(%error, "a publication did not end by itself");
        }
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_cannot_work_are_told() {
        let options = |url: &str, client_id: &str| Options {
            name: "plant".to_owned(),
            url: url.to_owned(),
            tls: None,
            client_id: client_id.to_owned(),
            version: ProtocolVersion::V5,
            keep_alive: Duration::from_secs(30),
            interval: Duration::from_secs(1),
            layer: Layer::SparkplugB1 { group: "g".to_owned(), node: "n".to_owned() },
        };
        let check = |url, client_id, says: &str| {
            let error = Publication::new(options(url, client_id), Catalogue::default()).expect_err(says);
            assert!(error.to_string().contains(says), "{error}");
        };
        check("http://x", "me", "is not spoken");
        check("mqtts://x", "me", "needs an authority");
        check("mqtt://x", "", "client_id");
        assert!(Publication::new(options("mqtt://x", "me"), Catalogue::default()).is_ok());
    }
}
