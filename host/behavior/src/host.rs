//! What a behavior may ask of the host: a line for the log, a look at the past. Each instance has one `Room`,
//! the data of its store, which counts what a call has used and refuses the rest. Nothing here blocks, unless
//! the look-up that the host was given does.

use std::sync::Arc;

use geminus_core::{Quality, Timestamp, TwinIndex};
use wasmtime::ResourceLimiter;

use crate::bindings::geminus::behavior::{log, lookups, types};
use crate::flood::{Flood, Rule};
use crate::limits::{Limits, cut};
use crate::trouble::FaultKind;
use crate::wasi::Outside;

/// What a guest hears that wants to look something up where nothing is granted. It may put it into its outputs, so whoever computes
/// rows again or ahead says the same.
pub const NO_LOOKUPS: &str = "this site grants no look-ups";

/// What the house offers to behaviors. Called on the shard's thread, in the middle of a step.
pub trait HostCalls: Send + Sync {
    /// A line for the operator's log, bounded in length and number. `twin` is known when the call was about one
    /// twin only. `level`: 0 error, 1 warning, 2 information, 3 debug, 4 trace.
    fn log(&self, twin: Option<TwinIndex>, level: u8, message: &str);

    /// `count` lines of one call that were not passed on, because the call had written too many.
    fn log_dropped(&self, twin: Option<TwinIndex>, count: u32) {
        self.log(twin, 1, &format!("{count} more log lines of this call were dropped"));
    }

    /// Samples of declared look-up `lookup` of this twin in [from, to), at most `limit`. A house that says nothing else grants none.
    ///
    /// # Errors
    /// Says in the operator's words why there is no answer: not declared, not granted.
    fn lookup(
        &self,
        _twin: TwinIndex,
        _lookup: u32,
        _from: Timestamp,
        _to: Timestamp,
        _limit: u32,
    ) -> Result<Series, String> {
        Err(NO_LOOKUPS.to_owned())
    }
}

/// Samples of one point in increasing time: the answer to a look-up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Source times.
    pub times: Vec<Timestamp>,
    /// As many values, in the unit that the look-up declares.
    pub values: Vec<f64>,
    /// As many qualities.
    pub quality: Vec<Quality>,
}

/// What the running call is for; look-ups are answered in a step and a forecast only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Rows that count.
    Step,
    /// Rows that were stepped before, or a trial: the log is not written again.
    Again,
    /// A look ahead.
    Forecast,
    /// Opening, closing, saving and restoring.
    Lifecycle,
}

/// Who holds a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) twin: TwinIndex,
    /// The twin's seed.
    pub(crate) seed: u64,
}

/// The data of one instance's store.
pub(crate) struct Room {
    host: Arc<dyn HostCalls>,
    limits: Arc<Limits>,
    memory_bytes_max: usize,
    purpose: Purpose,
    /// The one twin that the running call is about.
    only: Option<TwinIndex>,
    /// Who holds which slot; `None` when the slot is not open.
    holders: Vec<Option<Holder>>,
    /// Calls of the host during the running call.
    calls: u32,
    lines: u32,
    log_bytes: usize,
    lookups: u32,
    /// Whose look-up was the last one that was refused because there were too many.
    greedy: Option<TwinIndex>,
    /// What a component that imports WASI sees.
    pub(crate) outside: Outside,
    /// Bytes of linear memory that the instance holds.
    pub(crate) memory_bytes: usize,
    /// What the host itself refused, which ended the call.
    pub(crate) refused: Option<FaultKind>,
}

impl Room {
    pub(crate) fn new(host: Arc<dyn HostCalls>, limits: Arc<Limits>, memory_bytes_max: usize) -> Self {
        Self {
            host,
            limits,
            memory_bytes_max,
            purpose: Purpose::Lifecycle,
            only: None,
            holders: Vec::new(),
            calls: 0,
            lines: 0,
            log_bytes: 0,
            lookups: 0,
            greedy: None,
            outside: Outside::default(),
            memory_bytes: 0,
            refused: None,
        }
    }

    /// Gives the coming call its budget. `time` and `slot` are those of its only row or slot: what WASI shows follows from
    /// them.
    pub(crate) fn begin(&mut self, purpose: Purpose, only: Option<TwinIndex>, time: u64, slot: Option<u32>) {
        (self.purpose, self.only) = (purpose, only);
        let seed = slot.and_then(|slot| self.holder(slot)).map_or(0, |holder| holder.seed);
        self.outside.begin(time, seed);
        (self.calls, self.lines, self.log_bytes, self.lookups) = (0, 0, 0, 0);
        self.greedy = None;
    }

    /// Counts a call of the host; one too many ends the guest's call.
    pub(crate) fn count(&mut self, log_bytes: usize) -> wasmtime::Result<()> {
        self.calls = self.calls.saturating_add(1);
        self.log_bytes = self.log_bytes.saturating_add(log_bytes);
        let (calls_max, bytes_max) = (self.limits.host_calls_per_call, self.limits.log_bytes_per_call);
        if self.calls > calls_max {
            self.refused = Some(FaultKind::HostCalls);
            wasmtime::bail!("more than {calls_max} calls of the host");
        }
        if self.log_bytes > bytes_max {
            self.refused = Some(FaultKind::HostCalls);
            wasmtime::bail!("more than {bytes_max} bytes of log lines");
        }
        Ok(())
    }

    /// Reports what the finished call was refused; `slot`: the only one that it was about.
    pub(crate) fn end(&mut self, slot: Option<u32>) -> Vec<Flood> {
        self.say_rest();
        // What is done again was told the first time.
        let mut floods = Vec::new();
        if self.purpose == Purpose::Again {
            return floods;
        }
        let only = self.only.or_else(|| slot.and_then(|slot| self.twin(slot)));
        let mut over = |rule, count: u32, limit: u32, twin| {
            let count = count.saturating_sub(limit);
            if count > 0 {
                floods.push(Flood { twin, rule, limit: limit.into(), count: count.into() });
            }
            count
        };
        let dropped = over(Rule::LogLines, self.lines, self.limits.log_lines_per_call, only);
        over(Rule::LookUps, self.lookups, self.limits.lookups_per_call, self.greedy.or(only));
        if dropped > 0 {
            self.host.log_dropped(self.only, dropped);
        }
        floods
    }

    fn holder(&self, slot: u32) -> Option<Holder> {
        self.holders.get(slot as usize).copied().flatten()
    }

    fn twin(&self, slot: u32) -> Option<TwinIndex> {
        self.holder(slot).map(|holder| holder.twin)
    }

    /// Notes whose slot it is from now on.
    pub(crate) fn assign(&mut self, slot: u32, holder: Option<Holder>) {
        let index = slot as usize;
        if self.holders.len() <= index {
            self.holders.resize(index + 1, None);
        }
        if let Some(place) = self.holders.get_mut(index) {
            *place = holder;
        }
    }

    /// Bytes that a line may have.
    pub(crate) fn log_bytes_max(&self) -> usize {
        self.limits.log_bytes_max
    }

    /// A line of the guest, unless it was written before or there have been too many.
    pub(crate) fn line(&mut self, level: u8, message: String) {
        if self.purpose == Purpose::Again {
            return;
        }
        self.lines = self.lines.saturating_add(1);
        if self.lines <= self.limits.log_lines_per_call {
            self.host.log(self.only, level.min(4), &cut(message, self.limits.log_bytes_max));
        }
    }

    fn look_up(&mut self, slot: u32, lookup: u32, from: u64, to: u64, limit: u32) -> Result<Series, String> {
        if !matches!(self.purpose, Purpose::Step | Purpose::Again | Purpose::Forecast) {
            return Err("look-ups may be made from step and forecast only".to_owned());
        }
        self.lookups = self.lookups.saturating_add(1);
        if self.lookups > self.limits.lookups_per_call {
            self.greedy = self.twin(slot);
            return Err(format!("the call's budget of {} look-ups is used up", self.limits.lookups_per_call));
        }
        let twin = self.twin(slot).ok_or_else(|| format!("slot {slot} is not open"))?;
        let limit = limit.min(self.limits.lookup_samples_max);
        let series = self.host.lookup(twin, lookup, Timestamp(from), Timestamp(to), limit)?;
        let count = series.times.len();
        if count > limit as usize || count != series.values.len() || count != series.quality.len() {
            return Err("the host's answer is not well formed".to_owned());
        }
        Ok(series)
    }
}

impl types::Host for Room {}

impl log::Host for Room {
    fn write(&mut self, level: u8, message: String) -> wasmtime::Result<()> {
        self.count(message.len())?;
        self.line(level, message);
        Ok(())
    }
}

impl lookups::Host for Room {
    fn read(
        &mut self,
        slot: u32,
        lookup: u32,
        from: u64,
        to: u64,
        limit: u32,
    ) -> wasmtime::Result<Result<lookups::Series, String>> {
        self.count(0)?;
        Ok(self.look_up(slot, lookup, from, to, limit).map(|series| lookups::Series {
            times: series.times.iter().map(|time| time.0).collect(),
            values: series.values,
            quality: series.quality.iter().map(|&quality| quality as u8).collect(),
        }))
    }
}

/// A refusal traps, so that memory never depends on the machine's mood and the guest cannot go on half-fed.
impl ResourceLimiter for Room {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if total > self.memory_bytes_max {
            self.refused = Some(FaultKind::Memory);
            wasmtime::bail!("memory limit of {} bytes", self.memory_bytes_max);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.limits.table_elements_max {
            self.refused = Some(FaultKind::Memory);
            wasmtime::bail!("table limit of {} elements", self.limits.table_elements_max);
        }
        Ok(true)
    }
}
