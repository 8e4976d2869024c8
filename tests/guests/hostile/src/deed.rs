//! What can be done, where, and when: one line of a script.

/// Which call of the host.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Export {
    Open,
    Step,
    Forecast,
    Snapshot,
    Restore,
    Close,
}

/// What is done. Numbers are bytes, elements or repetitions.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    /// An unreachable instruction.
    Trap,
    /// A panic, which is a trap with an own message to the log before it.
    Panic,
    /// Goes round for ever.
    Loop,
    /// Calls `log.write` for ever, with a message of so many bytes.
    LogForEver(usize),
    /// Calls `lookups.read` for ever.
    ReadForEver,
    /// Writes so many lines, then goes on.
    Logs(usize),
    /// Asks so many look-ups, then goes on.
    Reads(usize),
    /// Grows the memory page by page for ever, without touching it.
    Grow,
    /// Allocates and writes so many bytes at a time for ever.
    Allocate(usize),
    /// Calls itself for ever.
    Recurse,
    /// Moves so many bytes to and fro for ever.
    Copy(usize),
    /// Computes so many rounds, then goes on.
    Burn(usize),
    /// Answers with a fault.
    Fault,
    /// Answers with a fault of so many bytes.
    LongFault(usize),
    /// So many values in the answer.
    Values(usize),
    /// So many slots, bytes or ends in a snapshot.
    States(usize),
    /// Values that are no numbers.
    Nan,
    Infinite,
    /// A quality that does not exist.
    Quality(u8),
    /// So many alerts for the row.
    Alerts(usize),
    /// An alert with a detail of so many bytes.
    LongAlert(usize),
    /// An alert by its index.
    Alert(u32),
    /// A proposal of command 0.
    Propose(f64),
    /// Added to the first output; in `restore`, to the state.
    Offset(f64),
    /// The state grows by so many bytes.
    Leak(usize),
    /// The snapshot says that it has another schema.
    Schema(u32),
}

/// A call as a condition sees it.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) export: Export,
    pub(crate) twin: &'a str,
    /// Rows of the twin, this one included.
    pub(crate) count: f64,
    /// Input `a` of this row.
    pub(crate) a: f64,
    pub(crate) sum: f64,
}

/// One line: what is done when all that it names is so.
pub(crate) struct Deed {
    pub(crate) export: Export,
    pub(crate) act: Act,
    pub(crate) twin: Option<String>,
    pub(crate) value: Option<f64>,
    pub(crate) above: Option<f64>,
    pub(crate) row: Option<f64>,
    pub(crate) from: Option<f64>,
    pub(crate) sum_above: Option<f64>,
}

impl Deed {
    pub(crate) fn fits(&self, call: &Call<'_>) -> bool {
        self.export == call.export
            && self.twin.as_deref().is_none_or(|twin| twin == call.twin)
            && self.value.is_none_or(|value| call.a == value)
            && self.above.is_none_or(|limit| call.a > limit)
            && self.row.is_none_or(|row| call.count == row)
            && self.from.is_none_or(|from| call.count >= from)
            && self.sum_above.is_none_or(|limit| call.sum > limit)
    }
}
