//! The acts themselves. Those that never end keep the compiler from seeing so.

use std::hint::black_box;

use crate::bindings::exports::geminus::behavior::behavior::{Fault, Outcome, States};
use crate::bindings::geminus::behavior::types::{Alert, Proposal};
use crate::bindings::geminus::behavior::{log, lookups};
use crate::deed::Act;

/// Does what needs no answer to be spoilt.
pub(crate) fn commit_all(acts: &[Act], slot: u32) -> Result<(), Fault> {
    acts.iter().try_for_each(|act| commit(*act, slot))
}

fn commit(act: Act, slot: u32) -> Result<(), Fault> {
    match act {
        Act::Trap => core::arch::wasm32::unreachable(),
        Act::Panic => panic!("on request"),
        Act::Loop => for_ever(|| black_box(())),
        Act::LogForEver(bytes) => {
            let message = if bytes > 0 { text(bytes) } else { String::new() };
            for_ever(|| log::write(2, &message));
        }
        Act::ReadForEver => for_ever(|| drop(black_box(lookups::read(slot, 0, 0, u64::MAX, 1_000)))),
        Act::Logs(lines) => (0..lines).for_each(|line| log::write(2, &format!("line {line}"))),
        Act::Reads(count) => {
            (0..count).for_each(|_| drop(black_box(lookups::read(slot, 0, 0, u64::MAX, 1_000))))
        }
        Act::Grow => for_ever(|| drop(black_box(core::arch::wasm32::memory_grow(0, 1)))),
        Act::Allocate(bytes) => {
            let mut eaten = Vec::new();
            for_ever(|| eaten.push(black_box(vec![0xA5_u8; bytes])));
        }
        Act::Recurse => drop(black_box(recurse(0))),
        Act::Copy(bytes) => {
            let mut buffer = vec![1_u8; bytes];
            for_ever(|| black_box(&mut buffer).copy_within(..bytes - 1, 1));
        }
        Act::Burn(rounds) => drop(black_box((0..rounds).fold(1.0_f64, |sum, n| black_box(sum) + n as f64))),
        Act::Fault => return Err(Fault::Other("on request".to_owned())),
        Act::LongFault(bytes) => return Err(Fault::Other(text(bytes))),
        _ => {}
    }
    Ok(())
}

/// So many zeros in memory that nobody has touched, because touching it would cost the fuel that ends the deed early.
/// The allocator never learns of it: the host does not take the answer, so nothing is freed.
fn fresh<T>(count: usize) -> Vec<T> {
    let bytes = count * size_of::<T>();
    let page = core::arch::wasm32::memory_grow(0, bytes.div_ceil(65_536));
    // SAFETY: the pages are new, aligned, and zero, which is a value of the types used here.
    unsafe { Vec::from_raw_parts((page * 65_536) as *mut T, count, count) }
}

/// Zeros are UTF-8 too.
fn text(bytes: usize) -> String {
    // SAFETY: as said.
    unsafe { String::from_utf8_unchecked(fresh(bytes)) }
}

fn for_ever(mut work: impl FnMut()) {
    while black_box(true) {
        work();
    }
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let here = black_box([depth; 16]);
    here[3] + recurse(depth + 1) + here[7]
}

/// Changes what `step` answers; called once for each row, after its values were put in.
pub(crate) fn spoil_outcome(acts: &[Act], row: u32, rows: usize, hoard: &mut Vec<u8>, outcome: &mut Outcome) {
    let alert = |alert, detail| Alert { row, alert, value: 1.0, detail };
    for act in acts {
        let last_row = outcome.values.len().saturating_sub(2);
        match *act {
            Act::Values(count) => outcome.values = if count > 100 { fresh(count) } else { vec![0.0; count] },
            Act::Nan => outcome.values[last_row..].fill(f64::from_bits(0x7ff8_dead_0000_beef)),
            Act::Infinite => outcome.values[last_row..].fill(f64::INFINITY),
            Act::Quality(quality) => outcome.quality = vec![quality; rows * 2],
            Act::Alerts(count) => outcome.alerts.extend((0..count).map(|_| alert(0, String::new()))),
            Act::LongAlert(bytes) => outcome.alerts.push(alert(0, text(bytes))),
            Act::Alert(index) => outcome.alerts.push(alert(index, "on request".to_owned())),
            Act::Propose(value) => outcome.proposals.push(Proposal {
                row,
                command: 0,
                value,
                confidence: 0.9,
                valid_for_ms: 10_000,
                reason: "on request".to_owned(),
            }),
            Act::Offset(by) => outcome.values[last_row] += by,
            Act::Leak(bytes) => hoard.resize(hoard.len() + bytes, 0x5A),
            _ => {}
        }
    }
}

/// Changes what `snapshot` answers; called once for each slot, before its end is noted.
pub(crate) fn spoil_states(acts: &[Act], states: &mut States) {
    for act in acts {
        match *act {
            Act::States(bytes) if bytes > 1 << 20 => states.bytes = fresh(bytes),
            Act::States(bytes) => states.bytes.resize(states.bytes.len() + bytes, 0),
            Act::Schema(schema) => states.schema = schema,
            Act::Values(count) => states.slots = fresh(count),
            _ => {}
        }
    }
}
