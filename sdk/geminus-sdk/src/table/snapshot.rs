//! The state of slots as bytes and back, all or none. Around the behavior's own state stands what the table
//! keeps: one byte for this envelope's version, the time of the last row, the inputs held for forecasts.

use super::{Slot, SlotTable};
use crate::columns::States;
use crate::pack::{Pack, Unpacker};
use crate::state::unknown_schema;
use crate::{Behavior, Fault, Inputs, State, Timestamp};

const ENVELOPE: u8 = 1;

impl<B: Behavior> SlotTable<B> {
    /// Copies the state of slots; `schema` asks for an older one.
    ///
    /// # Errors
    /// `State` for a slot that is not open, or a schema that is not written.
    pub fn snapshot(&self, slots: &[u32], schema: Option<u32>) -> Result<States, Fault> {
        let schema = schema.unwrap_or(B::State::SCHEMA);
        known::<B>(schema, B::State::WRITES)?;
        let mut states = States { schema, slots: slots.to_vec(), ..States::default() };
        for &number in slots {
            let slot = self.get(number).ok_or_else(|| Fault::state(format!("slot {number} is not open")))?;
            slot.save(schema, &mut states.bytes)?;
            let end = u32::try_from(states.bytes.len());
            states.ends.push(end.map_err(|_| Fault::state("more than 4 GiB of state in one call"))?);
        }
        Ok(states)
    }

    /// Replaces the state of open slots, migrating where needed.
    ///
    /// # Errors
    /// `State`, naming the slot; then no slot has changed.
    pub fn restore(&mut self, states: &States) -> Result<(), Fault> {
        known::<B>(states.schema, B::State::READS)?;
        if states.slots.len() != states.ends.len() {
            let (slots, ends) = (states.slots.len(), states.ends.len());
            return Err(Fault::state(format!("{slots} slots do not fit {ends} ends")));
        }
        let (mut loaded, mut start) = (Vec::with_capacity(states.slots.len()), 0);
        for (&number, &end) in states.slots.iter().zip(&states.ends) {
            let about = |why: &dyn std::fmt::Display| Fault::state(format!("slot {number}: {why}"));
            self.get(number).ok_or_else(|| about(&"is not open"))?;
            let bytes =
                states.bytes.get(start..end as usize).ok_or_else(|| about(&"ends outside the bytes"))?;
            loaded.push((number, Loaded::<B>::load(states.schema, bytes).map_err(|fault| about(&fault))?));
            start = end as usize;
        }
        if start != states.bytes.len() {
            return Err(Fault::state(format!("{} bytes belong to no slot", states.bytes.len() - start)));
        }
        for (number, Loaded { state, last, held }) in loaded {
            if let Some(slot) = self.get_mut(number) {
                (slot.state, slot.last, slot.admitted) = (state, last, last);
                match held.len() == slot.held.len() {
                    true => slot.held = held,
                    // Of a version that did not forecast.
                    false => slot.held.fill(f64::NAN),
                }
            }
        }
        Ok(())
    }
}

/// Asked before any slot, so that the fault names all schemas and not only the oldest in the chain.
fn known<B: Behavior>(schema: u32, list: &str) -> Result<(), Fault> {
    let listed = || list.split(',').any(|one| one.parse() == Ok(schema));
    if schema == B::State::SCHEMA || listed() { Ok(()) } else { Err(unknown_schema(schema, list)) }
}

struct Loaded<B: Behavior> {
    state: B::State,
    last: Option<Timestamp>,
    held: Vec<f64>,
}

impl<B: Behavior> Loaded<B> {
    fn load(schema: u32, bytes: &[u8]) -> Result<Self, Fault> {
        let mut input = Unpacker::new(bytes);
        let envelope = u8::unpack(&mut input)?;
        if envelope != ENVELOPE {
            return Err(Fault::state(format!("envelope {envelope} is not known, {ENVELOPE} is")));
        }
        let last = Option::unpack(&mut input)?.map(Timestamp);
        let held = Vec::unpack(&mut input)?;
        let state = B::State::load(schema, &mut input)?;
        input.finish()?;
        Ok(Self { state, last, held })
    }
}

impl<B: Behavior> Slot<B> {
    fn save(&self, schema: u32, out: &mut Vec<u8>) -> Result<(), Fault> {
        ENVELOPE.pack(out);
        self.last.map(|last| last.0).pack(out);
        debug_assert!(self.held.is_empty() || self.held.len() == B::Inputs::WIDTH);
        // Where nothing is held nothing is kept: so a version that forecasts leaves the state of one that did not as it was.
        match self.held.iter().all(|held| held.is_nan()) {
            true => Vec::<f64>::new().pack(out),
            false => self.held.pack(out),
        }
        self.state.save(schema, out)
    }
}
