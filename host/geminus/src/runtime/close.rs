//! The end of a run: in which order its parts stop. Only a run whose threads all came to their end is marked as stopped: after any other one the next
//! start looks for the component that a thread was inside of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use geminus_api::House as _;
use geminus_core::{Event, Severity};
use geminus_store::Store;
use tokio::task::JoinHandle as Task;

use super::Running;
use super::commands;
use super::manager::Heard;
use super::message::Ask;

impl Running {
    /// Stops in order: sources deliver what they have read and wait for its commit, shards step and record the
    /// rest, state is saved, pages are told, history and journal are closed.
    ///
    /// # Errors
    /// When something that was taken could not be made durable, or a thread of the house has panicked: then the run does
    /// not count as one that ended in order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let site = self.rooms.site(geminus_access::Scope::all()).await.ok();
        drop(self.rooms);
        self.bus.close();
        self.stop_serving.send_replace(true);
        drop(self.watcher);
        self.replays.iter().chain(&self.followers).for_each(Task::abort);
        // The server held the last other share of the sources.
        drop(self.server.await);
        match Arc::try_unwrap(self.sources) {
            Ok(sources) => {
                for source in sources {
                    source.handle.stop().await;
                }
            }
            Err(_) => tracing::warn!("sources are still in use and end without a goodbye"),
        }
        self.keeper.stop();
        // Not before: a shard ends when its lane does, and would leave its last state uncopied.
        for shard in &self.asks {
            drop(shard.send(Ask::Stop));
        }
        drop(self.manager.send(Heard::Stop));
        drop(self.commands.send(commands::Ask::Stop));
        drop((self.asks, self.lanes));
        let (threads, store, broken) = (self.threads, self.store, self.broken);
        tokio::task::spawn_blocking(move || {
            let samples = site.and_then(|site| site.inputs).map_or(0, |inputs| inputs.samples);
            close(&store, threads, &broken, samples)
        })
        .await??;
        for publishing in self.publishing {
            publishing.stop().await;
        }
        if let Some(server) = self.opcua_server {
            tokio::task::spawn_blocking(move || server.stop()).await?;
        }
        self.tail.abort();
        Ok(())
    }
}

/// Waits for the threads, makes everything durable, and says in the journal and in the books how it ended. `broken`:
/// whether a worker that nobody waits for has panicked. Blocks.
///
/// # Errors
/// When something could not be made durable, or a thread has panicked.
pub(crate) fn close(
    store: &Store,
    threads: Vec<JoinHandle<()>>,
    broken: &AtomicBool,
    samples: u64,
) -> anyhow::Result<()> {
    let mut panicked: Vec<String> = threads.into_iter().filter_map(panicked).collect();
    if broken.load(Relaxed) {
        panicked.push("a worker of a rollout".to_owned());
    }
    let (severity, message) = match panicked.as_slice() {
        [] => (Severity::Info, format!("stopped in order after {samples} samples")),
        names => {
            let names = names.join(", ");
            let text = format!(
                "stopped after {samples} samples, but not in order: {names} had panicked; the log says where, and the next start which component it was in"
            );
            (Severity::Error, text)
        }
    };
    store.journal().write(Event::new("host-stopped", severity, message.clone()));
    store.flush()?;
    anyhow::ensure!(panicked.is_empty(), "{message}");
    Ok(store.control().mark_stopped()?)
}

/// Waits for a thread; its name when it panicked.
fn panicked(thread: JoinHandle<()>) -> Option<String> {
    let name = thread.thread().name().unwrap_or("a thread").to_owned();
    thread.join().err().map(|_| name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use geminus_core::SystemClock;
    use geminus_store::Options;

    use super::*;

    /// Whether a run that ends so counts as one that ended in order.
    fn check(panics: bool, broken: bool, in_order: bool) {
        let folder = tempfile::tempdir().expect("folder");
        let open = || Store::open(folder.path(), Options::default(), Arc::new(SystemClock::new()));
        let store = open().expect("opens");
        store.control().mark_running().expect("marked");
        let thread = std::thread::Builder::new().name("shard-0".to_owned());
        let thread = thread.spawn(move || assert!(!panics, "on request")).expect("a thread");
        let closed = close(&store, vec![thread], &AtomicBool::new(broken), 7);
        assert_eq!(closed.is_ok(), in_order, "{closed:?}");
        let said = closed.map_or_else(|error| error.to_string(), |()| String::new());
        assert_eq!(said.contains("shard-0"), panics, "{said}");
        assert_eq!(said.contains("a worker of a rollout"), broken, "{said}");
        drop(store);
        assert_eq!(open().expect("opens again").control().was_clean(), in_order);
    }

    #[test]
    fn whatever_panicked_a_run_did_not_end_in_order() {
        check(false, false, true);
        check(true, false, false);
        check(false, true, false);
        check(true, true, false);
    }
}
