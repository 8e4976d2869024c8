//! A behavior that adds up its inputs `a` and `b` and counts its rows, so that a row lost or doubled shows in every
//! later answer; and that misbehaves where its script says so. Written against the contract itself, without the SDK,
//! because the SDK would not let it. Tests give it the declaration that they need, true or not.

mod deed;
mod misdeed;
mod script;

use std::cell::RefCell;

use bindings::exports::geminus::behavior::behavior::{
    Fault, ForecastRequest, Guest, Opening, Outcome, Prediction, Rows, States,
};
use deed::{Act, Call, Export};
use script::Script;

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/next", world: "plugin" });
}

/// Placeholders: a test puts its own in their place.
#[used]
#[unsafe(link_section = "geminus:declaration")]
static DECLARATION: [u8; 223] = *br#"{"declaration":1,"name":"hostile","version":"1.0.0","kind":"estimator","inputs":[],"outputs":[{"name":"sum","unit":"1"}],"lookups":[{"name":"past","kind":"history","unit":"1"}],"state":{"schema":1,"reads":[1],"writes":[1]}}"#;
#[used]
#[unsafe(link_section = "geminus:stamp")]
static STAMP: [u8; 53] = *br#"{"contract":"0.1.0","sdk":"none","toolchain":"rustc"}"#;

/// One twin.
struct Slot {
    twin: String,
    script: Script,
    sum: f64,
    count: f64,
    /// What `leak` has piled up; part of the state.
    hoard: Vec<u8>,
}

thread_local! {
    static SLOTS: RefCell<Vec<Option<Slot>>> = const { RefCell::new(Vec::new()) };
}

fn slots<T>(work: impl FnOnce(&mut Vec<Option<Slot>>) -> T) -> T {
    SLOTS.with(|slots| work(&mut slots.borrow_mut()))
}

impl Slot {
    fn call(&self, export: Export) -> Call<'_> {
        Call { export, twin: &self.twin, count: self.count, a: f64::NAN, sum: self.sum }
    }
}

/// Calls `work` for each open one of `numbers`; a slot that is not open is the host's mistake.
fn each(slots: &mut [Option<Slot>], numbers: &[u32], mut work: impl FnMut(&mut Slot)) {
    for number in numbers {
        work(slots[*number as usize].as_mut().expect("an open slot"));
    }
}

struct Component;

impl Guest for Component {
    fn open(openings: Vec<Opening>) -> Result<(), Fault> {
        slots(|slots| {
            for opening in openings {
                let place = opening.slot as usize;
                let script = Script::of(&opening.parameters);
                let slot = Slot { twin: opening.twin, script, sum: 0.0, count: 0.0, hoard: Vec::new() };
                let acts = slot.script.acts(&slot.call(Export::Open));
                misdeed::commit_all(&acts, opening.slot)?;
                if slots.len() <= place {
                    slots.resize_with(place + 1, || None);
                }
                assert!(slots[place].is_none(), "opened twice");
                slots[place] = Some(slot);
            }
            Ok(())
        })
    }

    fn step(rows: Rows) -> Result<Outcome, Fault> {
        slots(|slots| step(slots, &rows))
    }

    fn forecast(request: ForecastRequest) -> Result<Prediction, Fault> {
        slots(|slots| {
            let slot = slots[request.slot as usize].as_ref().expect("an open slot");
            misdeed::commit_all(&slot.script.acts(&slot.call(Export::Forecast)), request.slot)?;
            let outputs = [slot.sum, slot.count];
            let mean = outputs.repeat(request.times.len());
            Ok(Prediction { deviation: vec![f64::NAN; mean.len()], mean })
        })
    }

    fn snapshot(numbers: Vec<u32>, schema: Option<u32>) -> Result<States, Fault> {
        slots(|slots| {
            let newest =
                numbers.first().and_then(|n| slots[*n as usize].as_ref()).map_or(1, |s| s.script.schema);
            let schema = schema.unwrap_or(newest);
            let mut states = States { schema, slots: numbers.clone(), bytes: Vec::new(), ends: Vec::new() };
            for number in numbers {
                let slot = slots[number as usize].as_ref().expect("an open slot");
                let acts = slot.script.acts(&slot.call(Export::Snapshot));
                misdeed::commit_all(&acts, number)?;
                states.bytes.extend(slot.sum.to_le_bytes());
                states.bytes.extend(slot.count.to_le_bytes());
                if schema > 1 {
                    states.bytes.extend(2.0_f64.to_le_bytes());
                }
                states.bytes.extend(&slot.hoard);
                misdeed::spoil_states(&acts, &mut states);
                states.ends.push(states.bytes.len() as u32);
            }
            Ok(states)
        })
    }

    fn restore(states: States) -> Result<(), Fault> {
        slots(|slots| {
            let fixed = if states.schema > 1 { 24 } else { 16 };
            let number = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().expect("eight bytes"));
            let mut from = 0;
            for (place, end) in states.slots.iter().zip(&states.ends) {
                let bytes = &states.bytes[from..*end as usize];
                from = *end as usize;
                if bytes.len() < fixed {
                    return Err(Fault::State(format!("{} bytes are no state", bytes.len())));
                }
                let slot = slots[*place as usize].as_mut().expect("an open slot");
                let call = Call {
                    sum: number(&bytes[..8]),
                    count: number(&bytes[8..16]),
                    ..slot.call(Export::Restore)
                };
                let acts = slot.script.acts(&call);
                let (sum, count) = (call.sum, call.count);
                misdeed::commit_all(&acts, *place)?;
                (slot.sum, slot.count, slot.hoard) = (sum, count, bytes[fixed..].to_vec());
                slot.sum +=
                    acts.iter().map(|act| if let Act::Offset(by) = act { *by } else { 0.0 }).sum::<f64>();
            }
            Ok(())
        })
    }

    fn close(numbers: Vec<u32>) {
        slots(|slots| {
            each(slots, &numbers, |slot| {
                // There is no fault to answer with here.
                drop(misdeed::commit_all(&slot.script.acts(&slot.call(Export::Close)), 0));
            });
            for number in numbers {
                slots[number as usize] = None;
            }
        });
    }
}

/// Two inputs, two outputs. A fault changes nothing, so it is looked for before anything is added up.
fn step(slots: &mut [Option<Slot>], rows: &Rows) -> Result<Outcome, Fault> {
    let inputs = rows.values.len() / rows.slots.len();
    let mut outcome =
        Outcome { values: Vec::new(), quality: Vec::new(), alerts: Vec::new(), proposals: Vec::new() };
    let before: Vec<(u32, f64, f64)> = rows
        .slots
        .iter()
        .map(|number| {
            slots[*number as usize].as_ref().map_or((0, 0.0, 0.0), |slot| (*number, slot.sum, slot.count))
        })
        .collect();
    for (row, number) in rows.slots.iter().enumerate() {
        let slot = slots[*number as usize].as_mut().expect("an open slot");
        let cells = row * inputs..(row + 1) * inputs;
        let usable = rows.values[cells.clone()].iter().zip(&rows.quality[cells.clone()]);
        let added: f64 = usable.filter(|(_, quality)| **quality <= 1).map(|(value, _)| value).sum();
        slot.sum += added;
        slot.count += 1.0;
        let a = rows.values.get(cells.start).copied().unwrap_or(f64::NAN);
        let acts = slot.script.acts(&Call { a, ..slot.call(Export::Step) });
        outcome.values.extend([slot.sum, slot.count]);
        if let Err(fault) = misdeed::commit_all(&acts, *number) {
            for (number, sum, count) in before.iter().rev() {
                if let Some(slot) = slots[*number as usize].as_mut() {
                    (slot.sum, slot.count) = (*sum, *count);
                }
            }
            return Err(match fault {
                Fault::Other(reason) => Fault::Input((row as u32, reason)),
                other => other,
            });
        }
        let slot = slots[*number as usize].as_mut().expect("an open slot");
        misdeed::spoil_outcome(&acts, row as u32, rows.slots.len(), &mut slot.hoard, &mut outcome);
    }
    Ok(outcome)
}

bindings::export!(Component with_types_in bindings);
