//! How fast a behavior is natively: `geminus plugin bench` runs an author's `examples/native.rs`, which calls [`run`], on
//! the rows that it gave the component, and shows both figures side by side.

use std::io::{self, Read};
use std::time::Instant;

use crate::columns::{OpeningRequest, Rows};
use crate::testing::SEED;
use crate::{Behavior, Inputs, SlotTable};

/// Rows of one frame, as columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// R
    pub slots: Vec<u32>,
    /// R
    pub times: Vec<u64>,
    /// R × I
    pub values: Vec<f64>,
    /// R × I
    pub quality: Vec<u8>,
}

/// Frames of one run, all of as many twins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// Twins, which are slots 0 …
    pub twins: u32,
    /// Parameters of each, as a JSON object.
    pub parameters: String,
    /// One call each.
    pub frames: Vec<Columns>,
}

/// Reads a course from standard input, steps it, and prints the nanoseconds of each row: what `examples/native.rs` is.
///
/// # Errors
/// When the course does not fit the behavior, or a row is not answered.
pub fn run<B: Behavior>() -> io::Result<()> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let course = Course::read(&bytes)
        .ok_or_else(|| io::Error::other("standard input is no course: run `geminus plugin bench`"))?;
    let ns = measured::<B>(&course).map_err(io::Error::other)?;
    println!("{ns}");
    Ok(())
}

/// Nanoseconds of each row.
fn measured<B: Behavior>(course: &Course) -> Result<f64, String> {
    let opening = |slot: u32| OpeningRequest {
        slot,
        twin: format!("twin-{slot}"),
        parameters: course.parameters.clone().into_bytes(),
        seed: SEED,
    };
    let openings: Vec<_> = (0..course.twins).map(opening).collect();
    let mut table = SlotTable::<B>::new();
    table.open(&openings).map_err(|fault| fault.to_string())?;
    let mut rows = 0_u32;
    #[expect(clippy::disallowed_methods, reason = "a measurement is what this is; no behavior reaches it")]
    let start = Instant::now();
    for Columns { slots, times, values, quality } in &course.frames {
        if values.len() != slots.len() * B::Inputs::WIDTH {
            return Err("the course has other inputs than this behavior".to_owned());
        }
        let outcome = table.step(Rows { slots, times, values, quality });
        std::hint::black_box(outcome).map_err(|fault| fault.to_string())?;
        rows += u32::try_from(slots.len()).unwrap_or(u32::MAX);
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(rows.max(1)))
}

impl Course {
    /// As bytes: counts and columns, little end first.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        bytes.extend(self.twins.to_le_bytes());
        bytes.extend(count(self.parameters.len()));
        bytes.extend(self.parameters.as_bytes());
        bytes.extend(count(self.frames.len()));
        for frame in &self.frames {
            bytes.extend(count(frame.slots.len()));
            bytes.extend(count(frame.values.len()));
            frame.slots.iter().for_each(|slot| bytes.extend(slot.to_le_bytes()));
            frame.times.iter().for_each(|time| bytes.extend(time.to_le_bytes()));
            frame.values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
            bytes.extend(&frame.quality);
        }
        bytes
    }

    /// Reads what [`Course::bytes`] wrote; `None` when it is something else, or cut short.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let twins = u32::from_le_bytes(taken(&mut rest)?);
        let length = count(&mut rest)?;
        let parameters = String::from_utf8(rest.split_off(..length)?.to_vec()).ok()?;
        let mut course = Self { twins, parameters, frames: Vec::new() };
        for _ in 0..count(&mut rest)? {
            let (rows, cells) = (count(&mut rest)?, count(&mut rest)?);
            let mut frame = Columns::default();
            for _ in 0..rows {
                frame.slots.push(u32::from_le_bytes(taken(&mut rest)?));
            }
            for _ in 0..rows {
                frame.times.push(u64::from_le_bytes(taken(&mut rest)?));
            }
            for _ in 0..cells {
                frame.values.push(f64::from_le_bytes(taken(&mut rest)?));
            }
            frame.quality = rest.split_off(..cells)?.to_vec();
            course.frames.push(frame);
        }
        rest.is_empty().then_some(course)
    }
}

fn taken<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    rest.split_off(..N)?.try_into().ok()
}

fn count(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(taken(rest)?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_comes_back_as_it_was_and_cut_short_it_does_not() {
        let frame = Columns {
            slots: vec![0, 1],
            times: vec![5, 6],
            values: vec![1.0, -0.0, 3.0, 4.5],
            quality: vec![0, 1, 0, 4],
        };
        let course =
            Course { twins: 2, parameters: "{\"ä\": 1}".to_owned(), frames: vec![frame.clone(), frame] };
        let bytes = course.bytes();
        assert_eq!(Course::read(&bytes), Some(course));
        for cut in 0..bytes.len() {
            assert_eq!(Course::read(&bytes[..cut]), None, "{cut}");
        }
    }
}
