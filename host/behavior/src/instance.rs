//! One instance of a component: its store, and each export as a call that is bounded every time.
//!
//! Fuel is set and the epoch's deadline armed anew before *every* call; armed once, a resident instance would
//! trap on its second use. Whatever comes back is held against the contract here, except the answer of `step`,
//! which `answer` checks. After any trouble but a fault the instance must not be called again.

use std::sync::Arc;

use geminus_core::{Declaration, TwinIndex};
use wasmtime::Store;

use crate::answer::{Answers, Bounds};
use crate::bindings::Plugin;
use crate::bindings::geminus::behavior::types;
use crate::columns::Columns;
use crate::compiled::Compiled;
use crate::host::{HostCalls, Purpose, Room};
use crate::limits::Limits;
use crate::states::States;
use crate::trouble::Trouble;

/// Slots that one call of `open`, `snapshot` or `restore` is about: enough that the call itself costs nothing beside
/// its work, few enough that neither the guest's memory nor the processor's cache swells with the arguments.
const SLOTS_PER_CALL: usize = 1_024;

/// What the host tells an instance about a twin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotOpening<'a> {
    pub(crate) slot: u32,
    pub(crate) twin: TwinIndex,
    pub(crate) id: &'a str,
    pub(crate) parameters: &'a [u8],
    pub(crate) seed: u64,
}

/// An instance that may be called.
pub(crate) struct Instance {
    store: Store<Room>,
    plugin: Plugin,
    limits: Arc<Limits>,
    declaration: Arc<Declaration>,
    /// Fuel used since it was made.
    pub(crate) fuel: u64,
}

impl Instance {
    /// Instantiates, under the limits that every later call has.
    pub(crate) fn new(compiled: &Compiled, host: &Arc<dyn HostCalls>) -> Result<Self, Trouble> {
        let limits = compiled.engine.limits.clone();
        let declaration = compiled.declaration().clone();
        let room = Room::new(host.clone(), limits.clone(), limits.memory_bytes(&declaration));
        let mut store = Store::new(&compiled.engine.wasm, room);
        store.limiter(|room| room);
        let fuel = limits.slot_fuel(1);
        arm(&mut store, &limits, fuel, limits.transfer_bytes_base, "instantiate")?;
        let plugin = compiled.pre.instantiate(&mut store);
        let plugin =
            plugin.map_err(|error| Trouble::from_wasm("instantiate", &error, store.data().memory_refused))?;
        Ok(Self { store, plugin, limits, declaration, fuel: 0 })
    }

    /// Bytes of linear memory it holds.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().memory_bytes
    }

    /// Rows that one call may have.
    pub(crate) fn rows_per_call_max(&self) -> usize {
        self.limits.rows_per_call_max.max(1)
    }

    /// Declared outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.declaration.outputs.len()
    }

    /// Makes slots, some at a time, so that a guest's memory does not swell for the arguments of thousands.
    pub(crate) fn open(&mut self, openings: &[SlotOpening<'_>]) -> Result<(), Trouble> {
        openings.chunks(SLOTS_PER_CALL).try_for_each(|some| self.open_some(some))
    }

    fn open_some(&mut self, openings: &[SlotOpening<'_>]) -> Result<(), Trouble> {
        let wire: Vec<types::Opening<'_>> = openings
            .iter()
            .map(|o| types::Opening { slot: o.slot, twin: o.id, parameters: o.parameters, seed: o.seed })
            .collect();
        for opening in openings {
            self.store.data_mut().assign(opening.slot, Some(opening.twin));
        }
        let only = match openings {
            [one] => Some(one.twin),
            _ => None,
        };
        let call = self.slot_call("open", openings.len(), only);
        self.call(call, |plugin, store| plugin.geminus_behavior_behavior().call_open(store, &wire))
    }

    /// Advances slots; the answer is checked and appended to `answers`.
    pub(crate) fn step(
        &mut self,
        rows: Columns<'_>,
        purpose: Purpose,
        only: Option<TwinIndex>,
        answers: &mut Answers,
    ) -> Result<(), Trouble> {
        let count = rows.rows();
        let fuel = self.limits.step_fuel(&self.declaration, count);
        let transfer = self.limits.transfer_bytes_per_row.saturating_mul(count);
        let call = Call { export: "step", purpose, only, fuel, transfer };
        let outcome = self
            .call(call, |plugin, store| plugin.geminus_behavior_behavior().call_step(store, rows.wire()))?;
        let bounds = Bounds { declaration: &self.declaration, limits: &self.limits };
        answers.take(&bounds, count, outcome).map_err(|what| Trouble::answer("step", what))
    }

    /// Looks ahead for one slot.
    pub(crate) fn forecast(
        &mut self,
        slot: u32,
        twin: TwinIndex,
        times: &[u64],
        values: &[f64],
    ) -> Result<types::Prediction, Trouble> {
        let transfer = self.limits.transfer_bytes_per_row.saturating_mul(times.len());
        let fuel = self.limits.slot_fuel(times.len());
        let call = Call { export: "forecast", purpose: Purpose::Forecast, only: Some(twin), fuel, transfer };
        let request = types::ForecastRequest { slot, times, values };
        let prediction = self
            .call(call, |plugin, store| plugin.geminus_behavior_behavior().call_forecast(store, request))?;
        let expected = times.len().saturating_mul(self.declaration.outputs.len());
        if prediction.mean.len() != expected || prediction.deviation.len() != expected {
            return Err(Trouble::answer("forecast", format!("{expected} values were asked for, not given")));
        }
        Ok(prediction)
    }

    /// Copies the state of `slots`, some at a time.
    pub(crate) fn snapshot(&mut self, slots: &[u32], schema: Option<u32>) -> Result<States, Trouble> {
        let mut all = States::empty(schema.unwrap_or(self.declaration.state.schema));
        for some in slots.chunks(SLOTS_PER_CALL) {
            all.append(&self.snapshot_some(some, schema)?);
        }
        Ok(all)
    }

    fn snapshot_some(&mut self, slots: &[u32], schema: Option<u32>) -> Result<States, Trouble> {
        let mut call = self.slot_call("snapshot", slots.len(), None);
        call.transfer = self.limits.state_bytes_max.saturating_mul(slots.len());
        let states = self.call(call, |plugin, store| {
            plugin.geminus_behavior_behavior().call_snapshot(store, slots, schema)
        })?;
        let wanted = schema.unwrap_or(self.declaration.state.schema);
        States::checked(states, slots, wanted, self.limits.state_bytes_max)
            .map_err(|what| Trouble::answer("snapshot", what))
    }

    /// Replaces the state of open slots, some at a time: after trouble, the parts before it are restored.
    pub(crate) fn restore(&mut self, states: &States) -> Result<(), Trouble> {
        states.parts(SLOTS_PER_CALL).try_for_each(|some| {
            let call = self.slot_call("restore", some.slots().len(), None);
            self.call(call, |plugin, store| {
                plugin.geminus_behavior_behavior().call_restore(store, some.wire())
            })
        })
    }

    /// Forgets slots.
    pub(crate) fn close(&mut self, slots: &[u32]) -> Result<(), Trouble> {
        let call = self.slot_call("close", slots.len(), None);
        self.call(call, |plugin, store| {
            plugin.geminus_behavior_behavior().call_close(store, slots).map(Ok::<(), types::Fault>)
        })?;
        for &slot in slots {
            self.store.data_mut().assign(slot, None);
        }
        Ok(())
    }

    fn slot_call(&self, export: &'static str, slots: usize, only: Option<TwinIndex>) -> Call {
        Call { export, purpose: Purpose::Lifecycle, only, fuel: self.limits.slot_fuel(slots), transfer: 0 }
    }

    /// Every call goes through here: budget before, account and verdict after.
    fn call<T>(
        &mut self,
        call: Call,
        run: impl FnOnce(&Plugin, &mut Store<Room>) -> wasmtime::Result<Result<T, types::Fault>>,
    ) -> Result<T, Trouble> {
        let transfer = self.limits.transfer_bytes_base.saturating_add(call.transfer);
        arm(&mut self.store, &self.limits, call.fuel, transfer, call.export)?;
        self.store.data_mut().begin(call.purpose, call.only);
        let result = run(&self.plugin, &mut self.store);
        self.store.data_mut().end();
        self.fuel += call.fuel.saturating_sub(self.store.get_fuel().unwrap_or(0));
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => Err(Trouble::fault(call.export, fault, self.limits.string_bytes_max)),
            Err(error) => Err(Trouble::from_wasm(call.export, &error, self.store.data().memory_refused)),
        }
    }
}

/// The budget of one call.
struct Call {
    export: &'static str,
    purpose: Purpose,
    only: Option<TwinIndex>,
    fuel: u64,
    /// Bytes that the guest may hand over, besides the base.
    transfer: usize,
}

/// Gives the next call its fuel, its deadline and its bytes.
fn arm(
    store: &mut Store<Room>,
    limits: &Limits,
    fuel: u64,
    transfer: usize,
    export: &str,
) -> Result<(), Trouble> {
    store.set_fuel(fuel).map_err(|error| Trouble::from_wasm(export, &error, false))?;
    store.set_epoch_deadline(limits.wall_ticks());
    store.set_hostcall_fuel(transfer);
    Ok(())
}
