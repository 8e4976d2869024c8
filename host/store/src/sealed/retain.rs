//! Which files are kept no longer: those of a class that are too old, and the oldest of a class that has too many bytes.

use rusqlite::Connection;

use super::Class;
use super::manifest;
use crate::{Options, StoreError};

/// Most files that one transaction forgets.
const FORGOTTEN_AT_ONCE: usize = 64;

/// Number and name of some files that are to be forgotten; empty when there are none. `now` is in nanoseconds.
pub(super) fn due(
    connection: &Connection,
    options: &Options,
    now: u64,
) -> Result<Vec<(i64, String)>, StoreError> {
    for class in Class::ALL {
        let kept = options.kept(class);
        let mut found = Vec::new();
        if kept.hours > 0 {
            let cutoff = now.saturating_sub(kept.hours.saturating_mul(super::HOUR_NS));
            let cutoff = i64::try_from(cutoff).unwrap_or(i64::MAX);
            found = manifest::older(connection, class, cutoff, FORGOTTEN_AT_ONCE)?;
        }
        if found.is_empty() && kept.mib > 0 {
            found = above(connection, class, kept.mib.saturating_mul(1 << 20))?;
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// The oldest files of a class, as many as it has bytes too many.
fn above(connection: &Connection, class: Class, bytes_max: u64) -> Result<Vec<(i64, String)>, StoreError> {
    let mut excess = manifest::bytes(connection, class)?.saturating_sub(bytes_max);
    let mut found = Vec::new();
    if excess > 0 {
        for (id, file, bytes) in manifest::oldest(connection, class, FORGOTTEN_AT_ONCE)? {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(bytes);
            found.push((id, file));
        }
    }
    Ok(found)
}
