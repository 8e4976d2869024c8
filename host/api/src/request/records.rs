//! Records of other systems, as a request brings them.

use geminus_core::ContextRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{bad, named};
use crate::error::Failure;
use crate::view::Time;

/// Most records in one request.
pub const RECORDS_MAX: usize = 500;

/// Body of `POST /api/v1/twins/{id}/records`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordsRequest {
    /// 1 to 500 of them: all are kept or, when one is wrong, none.
    records: Vec<RecordRequest>,
    /// Who brings them. At a site with users it is who asks, and may be left out; elsewhere `token` unless given. At most 100
    /// characters.
    by: Option<String>,
}

/// A record of another system about an asset: a work order, a batch, an inspection, a calibration. Source and id say which
/// record it is; sent again it changes nothing, and with other words it takes the place of what was kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordRequest {
    /// System that says it: small letters, digits and dashes, a letter first; at most 64.
    #[schema(example = "sap-pm")]
    pub source: String,
    /// Its id there; at most 128 bytes.
    #[schema(example = "WO-4711")]
    pub id: String,
    /// What it is: `work-order`, `batch`, `inspection`, `calibration`, or another such word; at most 64.
    #[schema(example = "work-order")]
    pub kind: String,
    /// One line for people; at most 300 bytes.
    #[schema(example = "Replace the bearing on the drive side")]
    pub title: String,
    /// How it stands, in the source's word; at most 64 bytes.
    #[serde(default)]
    #[schema(example = "released")]
    pub state: Option<String>,
    /// When it happened or began. May lie in the past: it is shown at its time, whenever it comes.
    pub time: Time,
    /// When it ended.
    #[serde(default)]
    pub until: Option<Time>,
    /// When the source changed it last. With it an older version never takes the place of a newer one; without, what comes
    /// last counts.
    #[serde(default)]
    pub changed: Option<Time>,
    /// Whether the source takes it back: it is on the thread no more.
    #[serde(default)]
    pub removed: bool,
    /// Address of it there, of http or https; at most 1,024 bytes.
    #[serde(default)]
    pub link: Option<String>,
    /// More words; at most 4,096 bytes.
    #[serde(default)]
    pub detail: Option<String>,
    /// Facts for programs, an object; at most 8,192 bytes.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub facts: Value,
}

impl From<RecordRequest> for ContextRecord {
    fn from(request: RecordRequest) -> Self {
        let RecordRequest {
            source,
            id,
            kind,
            title,
            state,
            time,
            until,
            changed,
            removed,
            link,
            detail,
            facts,
        } = request;
        Self {
            source,
            id,
            kind,
            title,
            state: state.unwrap_or_default(),
            time: time.0,
            until: until.map(|time| time.0),
            changed: changed.map(|time| time.0),
            removed,
            link: link.filter(|link| !link.is_empty()),
            detail: detail.unwrap_or_default(),
            facts,
        }
    }
}

/// The records, each of which can be kept, and who brings them.
pub(crate) fn records(body: &[u8]) -> Result<(Vec<ContextRecord>, Option<String>), Failure> {
    let request: RecordsRequest = serde_json::from_slice(body).map_err(|error| bad(&error.to_string()))?;
    let by = named(request.by)?;
    if !(1..=RECORDS_MAX).contains(&request.records.len()) {
        let found = request.records.len();
        return Err(bad(&format!("records must be 1 to {RECORDS_MAX}, not {found}")));
    }
    let records: Vec<ContextRecord> = request.records.into_iter().map(ContextRecord::from).collect();
    for (place, record) in records.iter().enumerate() {
        record.check().map_err(|error| bad(&format!("records[{place}]: {error}")))?;
    }
    Ok((records, by))
}

#[cfg(test)]
mod tests {
    use geminus_core::Timestamp;
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<(Vec<ContextRecord>, Option<String>), String> {
        records(body.to_string().as_bytes()).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn records_are_read_and_checked() {
        let least = json!({"source": "mes", "id": "B-1", "kind": "batch", "title": "Batch 1", "time": "1970-01-01T00:00:01Z"});
        let whole = json!({"source": "mes", "id": "B-2", "kind": "batch", "title": "Batch 2", "state": "done",
            "time": "1970-01-01T00:00:01Z", "until": "1970-01-01T01:00:02+01:00", "changed": "1970-01-01T00:00:03Z",
            "removed": true, "link": "https://mes.example/B-2", "detail": "ok", "facts": {"yield": 0.9}});
        let (found, by) = read(&json!({"records": [least, whole], "by": " Ann "})).expect("read");
        assert_eq!((found.len(), by.as_deref()), (2, Some("Ann")));
        assert_eq!(
            (found[0].time, found[0].until, found[0].removed),
            (Timestamp(1_000_000_000), None, false)
        );
        assert_eq!(found[1].until, Some(Timestamp(2_000_000_000)));
        assert_eq!((found[1].facts["yield"].as_f64(), found[1].state.as_str()), (Some(0.9), "done"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |body: Value, says: &str| {
            let refusal = read(&body).expect_err(says);
            assert!(refusal.contains(says), "{refusal}, not {says}");
        };
        let one = |change: Value| {
            let mut record = json!({"source": "mes", "id": "B", "kind": "batch", "title": "b", "time": "2026-03-01T12:00:00Z"});
            let members = record.as_object_mut().expect("object");
            members.extend(change.as_object().expect("object").clone());
            record
        };
        check(json!({"records": []}), "records must be 1 to 500, not 0");
        check(json!({"records": vec![one(json!({})); 501]}), "records must be 1 to 500, not 501");
        check(
            json!({"records": [one(json!({})), one(json!({"kind": "Work order"}))]}),
            "records[1]: kind is",
        );
        check(json!({"records": [one(json!({"link": "javascript:x"}))]}), "records[0]: link must begin with");
        check(json!({"records": [one(json!({"asset": "x"}))]}), "unknown field `asset`");
        check(json!({"records": [one(json!({"time": "yesterday"}))]}), "at line 1");
        check(json!({"records": [one(json!({"time": "1960-01-01T00:00:00Z"}))]}), "at line 1");
        check(json!({}), "missing field `records`");
    }
}
