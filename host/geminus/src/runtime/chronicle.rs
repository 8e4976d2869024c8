//! One way to say that something happened: a log line, a journal entry, and (once it is durable and numbered) an
//! event on every open page.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use geminus_api::EventBus;
use geminus_api::view::EntryView;
use geminus_core::{Event, Severity};
use geminus_store::Journal;

/// How often durable entries are looked for, when something was written.
const TAIL_EVERY: Duration = Duration::from_millis(200);
/// Entries passed on at a time.
const TAIL_ENTRIES_MAX: usize = 256;

/// Shared by everyone who has something to tell.
#[derive(Clone, Debug)]
pub(crate) struct Chronicle {
    journal: Journal,
    told: Arc<AtomicU64>,
}

impl Chronicle {
    pub(crate) fn new(journal: Journal) -> Self {
        Self { journal, told: Arc::default() }
    }

    /// Tells it. Never blocks.
    pub(crate) fn tell(&self, event: Event) {
        let (twin, plugin) = (event.twin.as_deref(), event.plugin.as_deref());
        match event.severity {
            Severity::Info => tracing::info!(kind = event.kind, twin, plugin, "{}", event.message),
            Severity::Warning => tracing::warn!(kind = event.kind, twin, plugin, "{}", event.message),
            Severity::Error => tracing::error!(kind = event.kind, twin, plugin, "{}", event.message),
        }
        self.journal.write(event);
        self.told.fetch_add(1, Ordering::Release);
    }

    /// Tells it and waits until it is durable: whoever acts on it does so afterwards. Gives its number in the journal. Blocks.
    ///
    /// # Errors
    /// When it cannot be written: then nothing may be done that had to be recorded first.
    pub(crate) fn record(&self, event: Event) -> Result<u64, geminus_store::StoreError> {
        tracing::info!(kind = event.kind, twin = event.twin.as_deref(), "{}", event.message);
        let recorded = self.journal.record(event);
        self.told.fetch_add(1, Ordering::Release);
        recorded
    }

    /// Waits until the journal has what was told before. Blocks.
    pub(crate) fn flush(&self) -> Result<(), geminus_store::StoreError> {
        self.journal.flush()
    }

    /// As a function, for rooms that take one.
    pub(crate) fn ear(&self) -> Arc<dyn Fn(Event) + Send + Sync> {
        let chronicle = self.clone();
        Arc::new(move |event| chronicle.tell(event))
    }

    /// Passes durable entries on to open pages until the process ends. Entries from before the start are not
    /// events.
    pub(crate) async fn tail(self, bus: Arc<EventBus>) {
        let mut seen = newest(&self.journal).await;
        let (mut asked_for, mut tick) = (0, tokio::time::interval(TAIL_EVERY));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let told = self.told.load(Ordering::Acquire);
            if told == asked_for {
                continue;
            }
            let journal = self.journal.clone();
            let entries = tokio::task::spawn_blocking(move || journal.after(seen, TAIL_ENTRIES_MAX)).await;
            let Ok(Ok(entries)) = entries else { continue };
            for entry in &entries {
                seen = entry.seq;
                bus.publish_journal(&EntryView::new(entry.seq, entry.time, entry.event.clone()));
            }
            // An entry may be told but not yet durable: only an empty look ends the looking.
            if entries.is_empty() {
                asked_for = told;
            }
        }
    }
}

async fn newest(journal: &Journal) -> u64 {
    let journal = journal.clone();
    let latest = tokio::task::spawn_blocking(move || journal.latest(1, None, None)).await;
    latest.ok().and_then(Result::ok).and_then(|entries| entries.first().map(|entry| entry.seq)).unwrap_or(0)
}
