//! One instance of a component: its store, and each export as a call that is bounded every time.
//!
//! Fuel is set and the epoch's deadline armed anew before *every* call; armed once, a resident instance would
//! trap on its second use. A call has the fuel of one row or one slot, and carries as many as well fit into that
//! (`meter`). Whatever comes back is held against the contract here, except the answer of `step`, which `answer`
//! checks. After any trouble but a fault the instance must not be called again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use geminus_core::{Declaration, TwinIndex};
use wasmtime::Store;

use crate::answer::{Answers, Bounds};
use crate::bindings::Plugin;
use crate::bindings::geminus::behavior::types;
use crate::columns::Columns;
use crate::compiled::Compiled;
use crate::engine::Inner;
use crate::host::{Holder, HostCalls, Purpose, Room};
use crate::limits::Limits;
use crate::meter::{Appetite, Meter};
use crate::states::States;
use crate::trouble::{FaultKind, Trouble};

/// What the host tells an instance about a twin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotOpening<'a> {
    pub(crate) slot: u32,
    pub(crate) twin: TwinIndex,
    pub(crate) id: &'a str,
    pub(crate) parameters: &'a [u8],
    pub(crate) seed: u64,
}

/// How many rows or slots go into one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stride {
    /// As many as well fit into the fuel that one may use.
    Many,
    /// One: whoever breaks is known by name, and has had the whole budget.
    One,
}

/// An instance that may be called.
pub(crate) struct Instance {
    store: Store<Room>,
    plugin: Plugin,
    limits: Arc<Limits>,
    declaration: Arc<Declaration>,
    meter: Arc<Meter>,
    /// Whether each call is about one row or slot only: what WASI shows is that row's.
    alone: bool,
    /// Given back after the store is gone.
    _seat: Seat,
}

/// A place among the instances that the process may have.
struct Seat {
    engine: Arc<Inner>,
    /// Memories of the instance.
    weight: u32,
}

impl Seat {
    fn take(compiled: &Compiled) -> Result<Self, Trouble> {
        let (engine, weight) = (compiled.engine.clone(), compiled.memories);
        let taken = engine.alive.fetch_add(weight, Ordering::Relaxed);
        let count_max = engine.limits.instances_max;
        let seat = Self { engine, weight };
        if taken.saturating_add(weight) > count_max {
            let message =
                format!("all {count_max} instances that this process may have are alive (instances_max)");
            return Err(Trouble::new(FaultKind::Instances, message));
        }
        Ok(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.engine.alive.fetch_sub(self.weight, Ordering::Relaxed);
    }
}

impl Instance {
    /// Instantiates, under the limits that every later call has.
    pub(crate) fn new(
        compiled: &Compiled,
        host: &Arc<dyn HostCalls>,
        meter: &Arc<Meter>,
    ) -> Result<Self, Trouble> {
        let seat = Seat::take(compiled)?;
        let limits = compiled.engine.limits.clone();
        let declaration = compiled.declaration().clone();
        let room = Room::new(host.clone(), limits.clone(), limits.memory_bytes(&declaration));
        let mut store = Store::new(&compiled.engine.wasm, room);
        store.limiter(|room| room);
        arm(&mut store, &limits, limits.fuel_to_start, limits.transfer_bytes_base, "instantiate")?;
        let plugin = compiled.pre.instantiate(&mut store);
        let plugin =
            plugin.map_err(|error| Trouble::from_wasm("instantiate", &error, store.data().refused))?;
        let (meter, alone) = (meter.clone(), compiled.alone);
        Ok(Self { store, plugin, limits, declaration, meter, alone, _seat: seat })
    }

    /// Bytes of linear memory it holds.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().memory_bytes
    }

    /// What its cohort has used.
    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Number of the newest state schema; 0 without state.
    pub(crate) fn schema(&self) -> u32 {
        self.declaration.state.schema
    }

    /// Declared outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.declaration.outputs.len()
    }

    /// How many go into one call of those that could.
    fn stride(&self, wanted: Stride) -> Stride {
        if self.alone { Stride::One } else { wanted }
    }

    /// Rows to put into the next call of `step`.
    pub(crate) fn portion(&self, stride: Stride) -> usize {
        let allowance = self.limits.step_fuel(&self.declaration);
        match self.stride(stride) {
            Stride::One => 1,
            Stride::Many => self.meter.step.portion(allowance, self.limits.rows_per_call_max),
        }
    }

    /// Makes slots.
    pub(crate) fn open(&mut self, openings: &[SlotOpening<'_>], stride: Stride) -> Result<(), Trouble> {
        let mut left = openings;
        while !left.is_empty() {
            let count = match self.stride(stride) {
                Stride::One => 1,
                Stride::Many => {
                    self.meter.open.portion(self.limits.open_fuel(), self.limits.slots_per_call_max)
                }
            };
            let (some, rest) = left.split_at(count.min(left.len()));
            self.open_some(some)?;
            left = rest;
        }
        Ok(())
    }

    fn open_some(&mut self, openings: &[SlotOpening<'_>]) -> Result<(), Trouble> {
        let wire: Vec<types::Opening<'_>> = openings
            .iter()
            .map(|o| types::Opening { slot: o.slot, twin: o.id, parameters: o.parameters, seed: o.seed })
            .collect();
        for opening in openings {
            let holder = Holder { twin: opening.twin, seed: opening.seed };
            self.store.data_mut().assign(opening.slot, Some(holder));
        }
        let (slot, only) = match openings {
            [one] => (Some(one.slot), Some(one.twin)),
            _ => (None, None),
        };
        let fuel = self.limits.open_fuel();
        let call = Call { only, slot, ..Call::of("open", openings.len(), fuel) };
        let opened =
            self.call(call, |plugin, store| plugin.geminus_behavior_behavior().call_open(store, &wire));
        self.learn(|meter| &meter.open, call, opened)
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
        let slot = match rows.slots {
            [one] => Some(*one),
            _ => None,
        };
        let transfer = self.limits.transfer_bytes_per_row.saturating_mul(count);
        let fuel = self.limits.step_fuel(&self.declaration);
        let time = rows.times.first().copied().unwrap_or_default();
        let call = Call { purpose, only, slot, time, transfer, ..Call::of("step", count, fuel) };
        let outcome =
            self.call(call, |plugin, store| plugin.geminus_behavior_behavior().call_step(store, rows.wire()));
        let outcome = self.learn(|meter| &meter.step, call, outcome)?;
        let bounds = Bounds { declaration: &self.declaration, limits: &self.limits };
        answers.take(&bounds, count, outcome).map_err(|what| call.sign(Trouble::answer("step", what)))
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
        let fuel = self.limits.forecast_fuel(&self.declaration, times.len());
        let (purpose, only, slot_of) = (Purpose::Forecast, Some(twin), Some(slot));
        let time = times.first().copied().unwrap_or_default();
        let call = Call { purpose, only, slot: slot_of, time, transfer, ..Call::of("forecast", 1, fuel) };
        let request = types::ForecastRequest { slot, times, values };
        let (prediction, _) = self
            .call(call, |plugin, store| plugin.geminus_behavior_behavior().call_forecast(store, request))?;
        let expected = times.len().saturating_mul(self.declaration.outputs.len());
        if prediction.mean.len() != expected || prediction.deviation.len() != expected {
            return Err(Trouble::answer("forecast", format!("{expected} values were asked for, not given")));
        }
        Ok(prediction)
    }

    /// Copies the state of `slots`.
    pub(crate) fn snapshot(
        &mut self,
        slots: &[u32],
        schema: Option<u32>,
        stride: Stride,
    ) -> Result<States, Trouble> {
        let mut all = States::empty(schema.unwrap_or(self.declaration.state.schema));
        let mut left = slots;
        while !left.is_empty() {
            let count = self.slots_in_call(|meter| &meter.snapshot, stride);
            let (some, rest) = left.split_at(count.min(left.len()));
            all.append(&self.snapshot_some(some, schema)?);
            left = rest;
        }
        Ok(all)
    }

    fn snapshot_some(&mut self, slots: &[u32], schema: Option<u32>) -> Result<States, Trouble> {
        let transfer = self.limits.state_bytes_max.saturating_mul(slots.len());
        let call = Call { transfer, ..self.slot_call("snapshot", slots) };
        let states = self.call(call, |plugin, store| {
            plugin.geminus_behavior_behavior().call_snapshot(store, slots, schema)
        });
        let states = self.learn(|meter| &meter.snapshot, call, states)?;
        let wanted = schema.unwrap_or(self.declaration.state.schema);
        States::checked(states, slots, wanted, self.limits.state_bytes_max)
            .map_err(|what| call.sign(Trouble::answer("snapshot", what)))
    }

    /// Replaces the state of open slots; after trouble, the parts before it are restored.
    pub(crate) fn restore(&mut self, states: &States, stride: Stride) -> Result<(), Trouble> {
        let mut from = 0;
        while from < states.slots().len() {
            let some = states.part(from, self.slots_in_call(|meter| &meter.restore, stride));
            let call = self.slot_call("restore", some.slots());
            let restored = self.call(call, |plugin, store| {
                plugin.geminus_behavior_behavior().call_restore(store, some.wire())
            });
            self.learn(|meter| &meter.restore, call, restored)?;
            from += some.slots().len();
        }
        Ok(())
    }

    /// Forgets slots.
    pub(crate) fn close(&mut self, slots: &[u32]) -> Result<(), Trouble> {
        let mut left = slots;
        while !left.is_empty() {
            let count = self.slots_in_call(|meter| &meter.close, Stride::Many);
            let (some, rest) = left.split_at(count.min(left.len()));
            let call = self.slot_call("close", some);
            let closed = self.call(call, |plugin, store| {
                plugin.geminus_behavior_behavior().call_close(store, some).map(Ok::<(), types::Fault>)
            });
            self.learn(|meter| &meter.close, call, closed)?;
            some.iter().for_each(|&slot| self.store.data_mut().assign(slot, None));
            left = rest;
        }
        Ok(())
    }

    fn slots_in_call(&self, appetite: impl Fn(&Meter) -> &Appetite, stride: Stride) -> usize {
        match self.stride(stride) {
            Stride::One => 1,
            Stride::Many => {
                appetite(&self.meter).portion(self.limits.slot_fuel(), self.limits.slots_per_call_max)
            }
        }
    }

    fn slot_call(&self, export: &'static str, slots: &[u32]) -> Call {
        let slot = match slots {
            [one] => Some(*one),
            _ => None,
        };
        Call { slot, ..Call::of(export, slots.len(), self.limits.slot_fuel()) }
    }

    /// Takes the fuel of a finished call into account for the size of the next one.
    fn learn<T>(
        &self,
        appetite: impl Fn(&Meter) -> &Appetite,
        call: Call,
        done: Result<(T, u64), Trouble>,
    ) -> Result<T, Trouble> {
        let fuel = match &done {
            Ok((_, fuel)) => *fuel,
            Err(trouble) if trouble.kind == FaultKind::Fuel => call.fuel,
            Err(_) => return done.map(|(value, _)| value),
        };
        appetite(&self.meter).learn(call.items, fuel);
        done.map(|(value, _)| value)
    }

    /// Every call goes through here: budget before, account and verdict after. Gives the fuel it took, too.
    fn call<T>(
        &mut self,
        call: Call,
        run: impl FnOnce(&Plugin, &mut Store<Room>) -> wasmtime::Result<Result<T, types::Fault>>,
    ) -> Result<(T, u64), Trouble> {
        let transfer = self.limits.transfer_bytes_base.saturating_add(call.transfer);
        arm(&mut self.store, &self.limits, call.fuel, transfer, call.export)?;
        self.store.data_mut().begin(call.purpose, call.only, call.time, call.slot);
        let result = run(&self.plugin, &mut self.store);
        for flood in self.store.data_mut().end(call.slot) {
            self.meter.enter_flood(flood);
        }
        let fuel = call.fuel.saturating_sub(self.store.get_fuel().unwrap_or(0));
        self.meter.enter(fuel, result.is_err());
        match result {
            Ok(Ok(value)) => Ok((value, fuel)),
            Ok(Err(fault)) => {
                Err(call.sign(Trouble::fault(call.export, fault, self.limits.string_bytes_max)))
            }
            Err(error) => Err(call.sign(Trouble::from_wasm(call.export, &error, self.store.data().refused))),
        }
    }
}

/// The budget of one call, and what it is about.
#[derive(Clone, Copy)]
struct Call {
    export: &'static str,
    purpose: Purpose,
    only: Option<TwinIndex>,
    /// Rows or slots.
    items: usize,
    /// The only slot.
    slot: Option<u32>,
    /// Of the first row; 0 without rows.
    time: u64,
    fuel: u64,
    /// Bytes that the guest may hand over, besides the base.
    transfer: usize,
}

impl Call {
    fn of(export: &'static str, items: usize, fuel: u64) -> Self {
        let (purpose, only, slot) = (Purpose::Lifecycle, None, None);
        Self { export, purpose, only, items, slot, time: 0, fuel, transfer: 0 }
    }

    /// Says in which call the trouble was.
    fn sign(self, trouble: Trouble) -> Trouble {
        Trouble { items: self.items, slot: self.slot, ..trouble }
    }
}

/// Gives the next call its fuel, its deadline and its bytes.
fn arm(
    store: &mut Store<Room>,
    limits: &Limits,
    fuel: u64,
    transfer: usize,
    export: &str,
) -> Result<(), Trouble> {
    store.set_fuel(fuel).map_err(|error| Trouble::from_wasm(export, &error, None))?;
    store.set_epoch_deadline(limits.wall_ticks());
    store.set_hostcall_fuel(transfer);
    Ok(())
}
