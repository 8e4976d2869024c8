//! The end of a run. Only a run whose threads all came to their end is marked as stopped: after any other one the next
//! start looks for the component that a thread was inside of.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use geminus_core::{Event, Severity};
use geminus_store::Store;

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
