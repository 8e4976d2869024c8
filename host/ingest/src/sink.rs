//! Where a source puts its batches.

use std::future::Future;

use geminus_core::Batch;

/// Nobody takes batches any more: the host is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sink of this source was closed")]
pub struct SinkClosed;

/// Takes batches in order. A sink that is full waits in `deliver`, and by that slows the source down: the
/// socket is not read meanwhile, so the broker keeps what is not read.
pub trait Sink: Send + Sync + 'static {
    /// Hands over one batch; its ticket, if it has one, ends when everybody who got a share is done.
    fn deliver(&self, batch: Batch) -> impl Future<Output = Result<(), SinkClosed>> + Send;
}

impl Sink for tokio::sync::mpsc::Sender<Batch> {
    async fn deliver(&self, batch: Batch) -> Result<(), SinkClosed> {
        self.send(batch).await.map_err(|_| SinkClosed)
    }
}

impl<S: Sink> Sink for std::sync::Arc<S> {
    async fn deliver(&self, batch: Batch) -> Result<(), SinkClosed> {
        (**self).deliver(batch).await
    }
}
