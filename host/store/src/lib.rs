//! What happened, kept: history of samples (`hot.db`), the journal (`journal.db`), commands (`outbox.db`), records of
//! other systems (`records.db`), users and tokens (`access.db`), and what is in force (`control.db`): versions, rollouts,
//! strikes, quarantines, snapshots and checkpoints of behavior state.
//!
//! This room alone names SQLite. It decides nothing: it takes samples and events from queues that never
//! block their senders, makes them durable, and then says so (a ticket is committed after the fsync). What it
//! cannot keep it counts, and it says why it cannot write; it goes on by itself when it can again.
//! Reading blocks on files: call readers from `spawn_blocking` or a thread of your own.

mod access;
pub mod bench;
mod block;
mod control;
mod error;
mod hot;
mod journal;
mod options;
mod outbox;
mod reader;
mod records;
mod sealed;
mod snapshots;
mod sqlite;
mod stats;
mod store;
mod stretch;

pub use access::{AccessBook, AccessChange, AccessFile, AccessWord};
pub use control::{
    Activation, ActivationFilter, AlarmRecord, Assignment, Border, Checkpoint, Commanded, Control,
    ControlReader, Crash, DamagedState, Incarnation, LedgerChange, PackageRecord, Quarantine, Release,
    RolloutRecord, Strike,
};
pub use error::{Fault, StoreError};
pub use hot::recorder::{Mark, Recorder};
pub use journal::{
    Audit, CHECKPOINTS_FILE, Chain, Entry, Format, Journal, Kept, PublicKey, SITE_KINDS, audit, audit_export,
    export, rotate_key,
};
pub use options::{Keep, Options};
pub use outbox::{
    COMMANDS_KEPT_MIN, CommandChange, CommandFilter, CommandRow, Outbox, OutboxReader, TargetRow, Transition,
    Untold,
};
pub use reader::buckets::Bucket;
pub use reader::rows::{Row, Rows};
pub use reader::{Damage, Reader, Tail};
pub use records::{
    Filed, Filing, KeptRecord, RECORDS_AT_ONCE_MAX, RECORDS_OF_TWIN_MAX, RecordFilter, Records,
};
pub use sealed::Class;
pub use snapshots::{Generation, Loaded, Snapshots, StateSnapshot};
pub use stats::{JournalStats, Spread, Stats};
pub use store::{Store, check_free};
pub use stretch::Stretch;
