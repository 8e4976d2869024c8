//! Columns as bytes: varints, byte planes of floats, decimals, runs of quality, and zstd over what gains by it.
//!
//! Everything here is checked on the way in: damaged bytes give `None`, never a panic or a huge allocation.

use zstd::bulk::{Compressor, Decompressor};

/// Below this many bytes compressing costs more than it saves.
const COMPRESS_BYTES_MIN: usize = 48;
/// Most bytes of one column: 1,000,000 points (the most of a block) of at most 11 bytes.
const COLUMN_BYTES_MAX: usize = 16 << 20;
const STORED: u8 = 0;
const ZSTD: u8 = 1;

/// Reads a block's bytes from the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for (at, byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = self.0.get(at + 1..)?;
                return Some(value);
            }
        }
        None
    }

    pub(crate) fn count(&mut self, most: usize) -> Option<usize> {
        usize::try_from(self.varint()?).ok().filter(|count| *count <= most)
    }

    #[inline]
    pub(crate) fn signed(&mut self) -> Option<i64> {
        self.varint().map(|coded| (coded >> 1).cast_signed() ^ -(coded & 1).cast_signed())
    }
}

#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// The compressor of one writer and the buffers it reuses.
pub(crate) struct Press {
    compressor: Compressor<'static>,
    packed: Vec<u8>,
}

impl std::fmt::Debug for Press {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Press")
    }
}

impl Press {
    pub(crate) fn new(level: i32) -> std::io::Result<Self> {
        Ok(Self { compressor: Compressor::new(level)?, packed: Vec::new() })
    }

    /// Appends a column: compressed where that saves at least one byte in sixteen, as it is otherwise.
    pub(crate) fn put(&mut self, out: &mut Vec<u8>, raw: &[u8]) {
        if raw.len() >= COMPRESS_BYTES_MIN {
            self.packed.clear();
            self.packed.reserve(raw.len());
            let packed = self.compressor.compress_to_buffer(raw, &mut self.packed);
            if packed.is_ok_and(|bytes| bytes < raw.len() - raw.len() / 16) {
                out.push(ZSTD);
                put_varint(out, raw.len() as u64);
                put_varint(out, self.packed.len() as u64);
                out.extend_from_slice(&self.packed);
                return;
            }
        }
        out.push(STORED);
        put_varint(out, raw.len() as u64);
        out.extend_from_slice(raw);
    }
}

/// The decompressor of one reader and a buffer for each column.
pub(crate) struct Unpress {
    decompressor: Decompressor<'static>,
}

impl std::fmt::Debug for Unpress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpress")
    }
}

impl Unpress {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { decompressor: Decompressor::new()? })
    }

    /// Takes a column from the front of `bytes` into `raw`.
    pub(crate) fn take(&mut self, bytes: &mut Bytes<'_>, raw: &mut Vec<u8>) -> Option<()> {
        raw.clear();
        match bytes.byte()? {
            STORED => {
                let count = bytes.count(COLUMN_BYTES_MAX)?;
                raw.extend_from_slice(bytes.take(count)?);
            }
            ZSTD => {
                let count = bytes.count(COLUMN_BYTES_MAX)?;
                let packed_count = bytes.count(COLUMN_BYTES_MAX)?;
                let packed = bytes.take(packed_count)?;
                raw.reserve(count);
                let written = self.decompressor.decompress_to_buffer(packed, raw).ok()?;
                (written == count).then_some(())?;
            }
            _ => return None,
        }
        Some(())
    }
}

/// Floats as eight planes of bytes, lowest first: neighbours in a plane are alike, so they compress.
pub(crate) fn put_planes(out: &mut Vec<u8>, values: &[u64]) {
    for plane in 0..8 {
        out.extend(values.iter().map(|bits| (bits >> (8 * plane)) as u8));
    }
}

/// The reverse; `raw` must hold eight bytes for each of `count` values.
pub(crate) fn planes(raw: &[u8], count: usize, values: &mut Vec<u64>) -> Option<()> {
    values.clear();
    (raw.len() == count.checked_mul(8)?).then_some(())?;
    values.resize(count, 0);
    for (plane, bytes) in raw.chunks_exact(count.max(1)).enumerate() {
        for (bits, byte) in values.iter_mut().zip(bytes) {
            *bits |= u64::from(*byte) << (8 * plane);
        }
    }
    Some(())
}

/// Each value exclusive-or the one before it.
pub(crate) fn xor(values: &mut [u64]) {
    let mut before = 0;
    for bits in values {
        let own = *bits;
        *bits ^= before;
        before = own;
    }
}

/// The reverse of [`xor`].
pub(crate) fn unxor(values: &mut [u64]) {
    let mut before = 0;
    for bits in values {
        *bits ^= before;
        before = *bits;
    }
}

/// Powers of ten that sensors print their values with.
const SCALES: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/// Integers beyond this are not exact in a float.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The values as whole numbers of the smallest power of ten that gives every one of them back bit for bit.
pub(crate) fn decimals(values: &[f64], wholes: &mut Vec<i64>) -> Option<u8> {
    let mut from = 0;
    'scale: loop {
        let (at, scale) = SCALES
            .iter()
            .enumerate()
            .skip(from)
            .find(|(_, scale)| values.first().is_some_and(|value| whole(*value, **scale).is_some()))?;
        wholes.clear();
        for value in values {
            match whole(*value, *scale) {
                Some(number) => wholes.push(number),
                None => {
                    from = at + 1;
                    continue 'scale;
                }
            }
        }
        return u8::try_from(at).ok();
    }
}

fn whole(value: f64, scale: f64) -> Option<i64> {
    let rounded = (value * scale).round_ties_even();
    let number = rounded as i64;
    // Compared by way of the integer, which has no minus zero.
    let exact = rounded.abs() < EXACT_MAX && (number as f64 / scale).to_bits() == value.to_bits();
    exact.then_some(number)
}

/// The reverse of [`decimals`] for one number; `None` for a scale that is not ours.
pub(crate) fn scale(at: u8) -> Option<f64> {
    SCALES.get(usize::from(at)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_go_both_ways() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(Bytes(&out).varint(), Some(value));
            out.pop();
            assert_eq!(Bytes(&out).varint(), None, "cut varint of {value}");
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            assert_eq!(Bytes(&out).signed(), Some(value));
        }
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        let cases: [(&[f64], Option<u8>); 6] = [
            (&[1.0, 2.0, -3.0], Some(0)),
            (&[0.1, 23.45, 7.0], Some(2)),
            (&[0.1 + 0.2], None),
            (&[1.0, f64::NAN], None),
            (&[-0.0], None),
            (&[1e300], None),
        ];
        for (values, expect) in cases {
            let mut wholes = Vec::new();
            let scaled = decimals(values, &mut wholes);
            assert_eq!(scaled, expect, "{values:?}");
            if let Some(divisor) = scaled.and_then(scale) {
                let back: Vec<f64> = wholes.iter().map(|whole| *whole as f64 / divisor).collect();
                assert_eq!(back, values);
            }
        }
    }

    #[test]
    fn a_column_comes_back_and_a_lying_length_is_refused() {
        let raw: Vec<u8> = (0..4000u32).map(|at| (at / 50) as u8).collect();
        let mut out = Vec::new();
        Press::new(1).expect("zstd").put(&mut out, &raw);
        assert!(out.len() < raw.len() / 4);
        let mut back = Vec::new();
        let mut unpress = Unpress::new().expect("zstd");
        assert_eq!(unpress.take(&mut Bytes(&out), &mut back), Some(()));
        assert_eq!(back, raw);
        let lying = [ZSTD, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 0];
        assert_eq!(unpress.take(&mut Bytes(&lying), &mut back), None);
    }
}
