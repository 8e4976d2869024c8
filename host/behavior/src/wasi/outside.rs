//! What one instance sees of the outside: the time at which its clocks stand, numbers that look random, lines that it
//! has begun to write, handles that it holds. All but the handles begin anew with each call, so that an answer follows
//! from the call alone: a twin that is restored elsewhere, or a row that is computed again, sees the same.

use super::Resource;
use crate::host::Room;
use crate::trouble::FaultKind;

/// Number of the stream whose lines are information.
pub(super) const STDOUT: u32 = 1;
/// Number of the stream whose lines are warnings.
pub(super) const STDERR: u32 = 2;
/// Bytes that a stream takes at a time.
pub(super) const WRITE_BYTES: u64 = 4_096;
/// Random bytes that are given at a time.
const RANDOM_BYTES_MAX: u64 = 64 << 10;
/// Handles that an instance may hold; a runtime holds a handful.
pub(super) const HANDLES_MAX: u32 = 256;

/// What a call is shown.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    time: u64,
    state: u64,
    pub(super) handles: Handles,
    out: Vec<u8>,
    err: Vec<u8>,
}

/// Handles that are held.
#[derive(Debug, Default)]
pub(super) struct Handles(u32);

impl Handles {
    pub(super) fn give_back(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }
}

impl Outside {
    /// Of a call about the row at `time` (nanoseconds; 0 where it is about no row) of the twin with this seed.
    pub(crate) fn begin(&mut self, time: u64, seed: u64) {
        self.time = time;
        self.state = mixed(seed) ^ mixed(time ^ WEYL);
    }

    /// Nanoseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.time
    }

    /// SplitMix64.
    pub(super) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(WEYL);
        mixed(self.state)
    }

    pub(super) fn bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        if length > RANDOM_BYTES_MAX {
            wasmtime::bail!("asked for {length} random bytes, {RANDOM_BYTES_MAX} may be");
        }
        let length = usize::try_from(length).unwrap_or_default();
        let mut bytes: Vec<u8> = Vec::with_capacity(length.next_multiple_of(8));
        while bytes.len() < length {
            bytes.extend(self.bits().to_le_bytes());
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Takes bytes of a stream; gives the lines that are whole, or too long to wait for their end.
    fn take(&mut self, stream: u32, bytes: &[u8], bytes_max: usize) -> Vec<Vec<u8>> {
        let begun = if stream == STDERR { &mut self.err } else { &mut self.out };
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            begun.extend_from_slice(part.strip_suffix(b"\n").unwrap_or(part));
            if part.ends_with(b"\n") || begun.len() >= bytes_max {
                lines.push(std::mem::take(begun));
            }
        }
        lines
    }
}

const WEYL: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Room {
    /// A handle for the guest; one that collects them is stopped.
    pub(super) fn hand_out<T: 'static>(&mut self, number: u32) -> wasmtime::Result<Resource<T>> {
        self.count(0)?;
        self.outside.handles.0 += 1;
        if self.outside.handles.0 > HANDLES_MAX {
            self.refused = Some(FaultKind::HostCalls);
            wasmtime::bail!("holds more than {HANDLES_MAX} handles of streams");
        }
        Ok(Resource::new_own(number))
    }

    /// What was written to a stream, as lines of the log.
    pub(super) fn say(&mut self, stream: u32, bytes: &[u8]) -> wasmtime::Result<()> {
        self.count(bytes.len())?;
        let lines = self.outside.take(stream, bytes, self.log_bytes_max());
        lines.iter().for_each(|line| self.line(level(stream), String::from_utf8_lossy(line).into_owned()));
        Ok(())
    }

    /// Lines that the finished call has not ended.
    pub(crate) fn say_rest(&mut self) {
        for stream in [STDOUT, STDERR] {
            let lines = self.outside.take(stream, b"\n", 0);
            let said = lines.iter().filter(|line| !line.is_empty());
            said.for_each(|line| self.line(level(stream), String::from_utf8_lossy(line).into_owned()));
        }
    }
}

/// The log's level of a stream.
fn level(stream: u32) -> u8 {
    if stream == STDERR { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_and_those_too_long_are_not_waited_for() {
        let mut outside = Outside::default();
        let mut check = |stream: u32, bytes: &[u8], expect: &[&[u8]]| {
            assert_eq!(outside.take(stream, bytes, 8), expect, "{bytes:?}");
        };
        check(STDOUT, b"ab", &[]);
        check(STDERR, b"x\ny", &[b"x"]);
        check(STDOUT, b"c\n\nd", &[b"abc", b""]);
        check(STDERR, b"z\n", &[b"yz"]);
        check(STDOUT, b"efghijklm", &[b"defghijklm"]);
        check(STDOUT, b"\n", &[b""]);
    }

    #[test]
    fn numbers_follow_from_seed_and_time() {
        let numbers = |time: u64, seed: u64| {
            let mut outside = Outside::default();
            outside.begin(time, seed);
            (outside.now(), outside.bits(), outside.bits())
        };
        assert_eq!(numbers(5, 7), numbers(5, 7));
        let all = [numbers(5, 7), numbers(7, 5), numbers(6, 7), numbers(5, 8), numbers(0, 0)];
        for (index, one) in all.iter().enumerate() {
            assert!(one.1 != one.2 && all.iter().skip(index + 1).all(|other| other.1 != one.1), "{one:?}");
        }
        let mut outside = Outside::default();
        assert_eq!(outside.bytes(13).expect("few").len(), 13);
        assert!(outside.bytes(RANDOM_BYTES_MAX + 1).is_err());
    }
}
