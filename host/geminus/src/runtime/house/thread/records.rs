//! Records of other systems: kept when they are brought, and on the thread at their own time.

use geminus_api::query::ThreadQuery;
use geminus_api::view::{RecordView, RecordsFiledView, ThreadEntryView, ThreadKind};
use geminus_api::{Trouble, view as api};
use geminus_core::{ContextRecord, Event, Severity};
use geminus_store::{Fault, Filed, Filing, KeptRecord, RecordFilter, StoreError};

use super::super::{Rooms, blocking};

/// Records of this kind are calibrations on the thread.
const CALIBRATION: &str = "calibration";
/// Most ids of records that one entry of the journal names.
const NAMED_MAX: usize = 20;

impl Rooms {
    pub(in super::super) async fn file_records(
        &self,
        twin: String,
        records: Vec<ContextRecord>,
        by: String,
    ) -> Result<RecordsFiledView, Trouble> {
        self.known(&twin)?;
        let (kept, journal, now) = (self.store.records(), self.store.journal(), self.clock.now());
        let filing = blocking(move || {
            Ok(kept.keep(&twin, &records, &by, now).inspect(|filing| {
                if let Some(event) = told(&twin, &records, filing, &by) {
                    journal.write(event);
                }
            }))
        });
        filing.await?.map(|filing| counted(&filing)).map_err(trouble)
    }
}

fn trouble(error: StoreError) -> Trouble {
    match error {
        StoreError::Exhausted { .. } => Trouble::Conflict(error.to_string()),
        StoreError::Closed => Trouble::Unavailable("the host is stopping".to_owned()),
        _ if error.fault() != Fault::Other => {
            Trouble::Unavailable(format!("records cannot be written now: {error}"))
        }
        _ => Trouble::Internal(error.to_string()),
    }
}

fn counted(filing: &Filing) -> RecordsFiledView {
    let count = |what: Filed| filing.each.iter().filter(|filed| **filed == what).count() as u64;
    RecordsFiledView {
        new: count(Filed::New),
        corrected: count(Filed::Corrected),
        removed: count(Filed::Removed),
        same: count(Filed::Same),
        older: count(Filed::Older),
        forgotten: filing.forgotten,
    }
}

/// What the journal hears: of records that say something else than before, because nothing else remembers that they did.
fn told(twin: &str, records: &[ContextRecord], filing: &Filing, by: &str) -> Option<Event> {
    let changed = records.iter().zip(&filing.each);
    let changed = changed.filter(|(_, filed)| matches!(filed, Filed::Corrected | Filed::Removed));
    let named: Vec<String> = changed.map(|(record, _)| format!("{} {}", record.source, record.id)).collect();
    if named.is_empty() {
        return None;
    }
    let count = |what: Filed| filing.each.iter().filter(|filed| **filed == what).count();
    let (corrected, removed) = (count(Filed::Corrected), count(Filed::Removed));
    let shown = named.get(..NAMED_MAX).unwrap_or(&named);
    let more = if named.len() > shown.len() { ", …" } else { "" };
    let message = format!(
        "{by} brought other words for records of {twin}: {corrected} corrected, {removed} taken back ({}{more})",
        shown.join(", ")
    );
    let facts = serde_json::json!({ "corrected": corrected, "removed": removed, "records": shown, "by": by });
    Some(Event::new("records-corrected", Severity::Info, message).twin(twin).facts(facts))
}

/// Which records are wanted; `None`: none.
pub(super) fn filter(query: &ThreadQuery) -> Option<RecordFilter<'static>> {
    match (query.wants(ThreadKind::Record), query.wants(ThreadKind::Calibration)) {
        (true, true) => Some(RecordFilter::default()),
        (true, false) => Some(RecordFilter { but: Some(CALIBRATION), ..RecordFilter::default() }),
        (false, true) => Some(RecordFilter { kind: Some(CALIBRATION), ..RecordFilter::default() }),
        (false, false) => None,
    }
}

/// A record as the thread shows it.
pub(super) fn view(kept: KeptRecord) -> ThreadEntryView {
    let KeptRecord { number, record, revision, received, corrected, by, .. } = kept;
    let kind = if record.kind == CALIBRATION { ThreadKind::Calibration } else { ThreadKind::Record };
    let entry = super::plain(format!("record-{number}"), kind, &record.kind, record.time, record.title);
    ThreadEntryView {
        until: record.until.map(api::Time),
        detail: record.detail,
        facts: record.facts,
        record: Some(RecordView {
            source: record.source,
            id: record.id,
            state: record.state,
            link: record.link,
            changed: record.changed.map(api::Time),
            received: received.into(),
            corrected: corrected.map(api::Time),
            revision,
            by,
        }),
        ..entry
    }
}

#[cfg(test)]
mod tests {
    use geminus_core::Timestamp;

    use super::*;

    fn order(id: &str) -> ContextRecord {
        let of = |text: &str| text.to_owned();
        ContextRecord { source: of("sap-pm"), id: of(id), kind: of("work-order"), ..ContextRecord::default() }
    }

    #[test]
    fn the_journal_hears_of_other_words_and_of_nothing_else() {
        let records = [order("1"), order("2"), order("3")];
        let filing = |each: [Filed; 3]| Filing { each: each.to_vec(), forgotten: 0 };
        let quiet = filing([Filed::New, Filed::Same, Filed::Older]);
        assert_eq!(told("pump-1", &records, &quiet, "erp"), None);
        let event = told("pump-1", &records, &filing([Filed::Corrected, Filed::New, Filed::Removed]), "erp");
        let event = event.expect("an event");
        assert_eq!(event.twin.as_deref(), Some("pump-1"));
        assert!(
            event.message.contains("1 corrected, 1 taken back (sap-pm 1, sap-pm 3)"),
            "{}",
            event.message
        );
        let many: Vec<_> = (0..30).map(|id| order(&id.to_string())).collect();
        let all = Filing { each: vec![Filed::Corrected; 30], forgotten: 0 };
        let event = told("pump-1", &many, &all, "erp").expect("an event");
        assert_eq!(event.facts["records"].as_array().map(Vec::len), Some(NAMED_MAX));
        assert!(event.message.ends_with("sap-pm 19, …)"), "{}", event.message);
    }

    #[test]
    fn a_calibration_of_another_system_is_a_calibration() {
        let kept = |kind: &str| KeptRecord {
            number: 4,
            twin: "pump-1".to_owned(),
            record: ContextRecord { kind: kind.to_owned(), time: Timestamp(5), ..order("7") },
            revision: 2,
            received: Timestamp(9),
            corrected: Some(Timestamp(11)),
            by: "erp".to_owned(),
        };
        assert_eq!(view(kept("calibration")).kind, ThreadKind::Calibration);
        let entry = view(kept("work-order"));
        assert_eq!(
            (entry.kind, entry.what.as_str(), entry.id.as_str()),
            (ThreadKind::Record, "work-order", "record-4")
        );
        let record = entry.record.expect("a record");
        assert_eq!((record.id.as_str(), record.revision, record.received.0), ("7", 2, Timestamp(9)));
    }

    #[test]
    fn each_refusal_of_the_store_has_its_words() {
        let full = StoreError::Exhausted { what: "context records", limit: 5, instead: "bring fewer" };
        assert!(matches!(trouble(full), Trouble::Conflict(words) if words.contains("context records")));
        assert!(matches!(trouble(StoreError::Closed), Trouble::Unavailable(_)));
    }
}
