//! Blocks: the unit that samples are stored in. A block holds runs (one series each, in time order) as columns.
//!
//! Mixed blocks hold many series with few samples each, as they were committed; series blocks hold one series
//! and are packed harder. Both have the same layout, numbers as varints:
//! version (1) · divisor exponent · points · number of runs · (series step, points) for each run ·
//! columns of times, lags, values, quality · CRC-32 of all before.
//! Times are divided by the greatest of 1 s, 1 ms, 1 µs, 1 ns that divides all of them; they start each run whole and go on
//! as steps. Received times are kept as whole milliseconds, as the lag behind the source time: ages
//! and staleness are judged no finer.

pub(crate) mod columns;

use columns::{Bytes, Press, Unpress, put_signed, put_varint};
use geminus_core::{Quality, Sample, SeriesId, Timestamp};

const VERSION: u8 = 1;
/// Most points that a block may claim to hold.
const POINTS_MAX: usize = 1_000_000;
const PLANES: u8 = 0;
const XOR_PLANES: u8 = 1;
/// `DECIMALS + k`: whole numbers of 10^-k, as steps.
const DECIMALS: u8 = 2;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// How hard to pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// For a block that lives until the next fold.
    Quick,
    /// For a block that stays.
    Tight,
}

/// Writes blocks and owns the buffers for that.
#[derive(Debug)]
pub(crate) struct Packer {
    quick: Press,
    tight: Press,
    raw: Vec<u8>,
    bits: Vec<u64>,
    floats: Vec<f64>,
    wholes: Vec<i64>,
}

impl Packer {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            quick: Press::new(1)?,
            tight: Press::new(3)?,
            raw: Vec::new(),
            bits: Vec::new(),
            floats: Vec::new(),
            wholes: Vec::new(),
        })
    }

    /// The block of these samples, which are in order of series and time and at most 1,000,000.
    pub(crate) fn pack(&mut self, samples: &[Sample], packing: Packing) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + samples.len() * 12);
        let (exponent, divisor) = divisor(samples);
        out.extend_from_slice(&[VERSION, exponent]);
        put_varint(&mut out, samples.len() as u64);
        self.directory(&mut out, samples);
        self.times(samples, divisor);
        self.press(&mut out, packing);
        self.lags(samples);
        self.press(&mut out, packing);
        let codec = self.values(samples, packing);
        out.push(codec);
        self.press(&mut out, packing);
        self.qualities(samples);
        self.press(&mut out, packing);
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    fn press(&mut self, out: &mut Vec<u8>, packing: Packing) {
        match packing {
            Packing::Quick => self.quick.put(out, &self.raw),
            Packing::Tight => self.tight.put(out, &self.raw),
        }
    }

    fn directory(&mut self, out: &mut Vec<u8>, samples: &[Sample]) {
        self.raw.clear();
        let (mut runs, mut before) = (0u64, 0u32);
        for run in samples.chunk_by(|a, b| a.series == b.series) {
            let series = run.first().map_or(before, |sample| sample.series.0);
            put_varint(&mut self.raw, u64::from(series.wrapping_sub(before)));
            put_varint(&mut self.raw, run.len() as u64);
            (runs, before) = (runs + 1, series);
        }
        put_varint(out, runs);
        out.extend_from_slice(&self.raw);
    }

    fn times(&mut self, samples: &[Sample], divisor: u64) {
        self.raw.clear();
        let (mut series, mut before) = (None, 0);
        for sample in samples {
            let time = sample.time.0 / divisor;
            let step = match series == Some(sample.series) {
                true => time.wrapping_sub(before),
                false => time,
            };
            put_varint(&mut self.raw, step);
            (series, before) = (Some(sample.series), time);
        }
    }

    fn lags(&mut self, samples: &[Sample]) {
        self.raw.clear();
        let mut before = 0i64;
        for sample in samples {
            let lag = sample.received.millis().cast_signed() - sample.time.millis().cast_signed();
            put_signed(&mut self.raw, lag - before);
            before = lag;
        }
    }

    fn values(&mut self, samples: &[Sample], packing: Packing) -> u8 {
        self.raw.clear();
        if packing == Packing::Tight {
            self.floats.clear();
            self.floats.extend(samples.iter().map(|sample| sample.value));
            if let Some(scale) = columns::decimals(&self.floats, &mut self.wholes) {
                let mut before = 0;
                for whole in &self.wholes {
                    put_signed(&mut self.raw, whole - before);
                    before = *whole;
                }
                return DECIMALS + scale;
            }
        }
        self.bits.clear();
        self.bits.extend(samples.iter().map(|sample| sample.value.to_bits()));
        if packing == Packing::Tight {
            columns::xor(&mut self.bits);
        }
        columns::put_planes(&mut self.raw, &self.bits);
        if packing == Packing::Tight { XOR_PLANES } else { PLANES }
    }

    fn qualities(&mut self, samples: &[Sample]) {
        self.raw.clear();
        for run in samples.chunk_by(|a, b| a.quality == b.quality) {
            self.raw.push(run.first().map_or(0, |sample| sample.quality as u8));
            put_varint(&mut self.raw, run.len() as u64);
        }
    }
}

/// The greatest of 10^9, 10^6, 10^3, 1 nanoseconds that divides every time, and its exponent.
fn divisor(samples: &[Sample]) -> (u8, u64) {
    let (mut exponent, mut divisor) = (9, 1_000_000_000);
    for sample in samples {
        while !sample.time.0.is_multiple_of(divisor) {
            (exponent, divisor) = (exponent - 3, divisor / 1000);
        }
    }
    (exponent, divisor)
}

/// A block that was read and whose checksum holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    divisor: u64,
    points: usize,
    runs: usize,
    directory: Bytes<'a>,
}

impl<'a> Block<'a> {
    /// Checks the bytes and reads the head; `Err` says what is wrong with them.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or("cut short")?;
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return Err("checksum does not match");
        }
        Self::head(Bytes(body)).ok_or("of an unknown format")
    }

    fn head(mut body: Bytes<'a>) -> Option<Self> {
        (body.byte()? == VERSION).then_some(())?;
        let divisor = match body.byte()? {
            exponent @ (0 | 3 | 6 | 9) => 10u64.pow(u32::from(exponent)),
            _ => return None,
        };
        let points = body.count(POINTS_MAX)?;
        let runs = body.count(points)?;
        Some(Self { divisor, points, runs, directory: body })
    }

    /// Reads all samples, or those of some series (given in their order), in stored order. `false`: the block is of
    /// an unknown format, and nothing or a part of it was given.
    pub(crate) fn read(
        &self,
        unpacker: &mut Unpacker,
        only: Option<&[SeriesId]>,
        each: impl FnMut(Sample),
    ) -> bool {
        self.read_runs(unpacker, only, each).is_some()
    }

    fn read_runs(
        &self,
        unpacker: &mut Unpacker,
        only: Option<&[SeriesId]>,
        mut each: impl FnMut(Sample),
    ) -> Option<()> {
        let mut columns = self.directory;
        unpacker.runs.clear();
        let (mut series, mut start, mut wanted) = (0u32, 0usize, false);
        for _ in 0..self.runs {
            series = series.wrapping_add(u32::try_from(columns.varint()?).ok()?);
            let count = columns.count(self.points - start)?;
            wanted |= among(only, SeriesId(series));
            unpacker.runs.push((SeriesId(series), count));
            start += count;
        }
        (start == self.points).then_some(())?;
        match wanted {
            true => {
                unpacker.columns(columns, self.points)?;
                unpacker.emit(self.divisor, only, &mut each)
            }
            false => Some(()),
        }
    }
}

fn among(only: Option<&[SeriesId]>, series: SeriesId) -> bool {
    only.is_none_or(|only| only.binary_search(&series).is_ok())
}

/// Reads blocks and owns the buffers for that.
#[derive(Debug)]
pub(crate) struct Unpacker {
    unpress: Unpress,
    runs: Vec<(SeriesId, usize)>,
    times: Vec<u8>,
    lags: Vec<u8>,
    raw: Vec<u8>,
    qualities: Vec<u8>,
    values: Vec<u64>,
}

impl Unpacker {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            unpress: Unpress::new()?,
            runs: Vec::new(),
            times: Vec::new(),
            lags: Vec::new(),
            raw: Vec::new(),
            qualities: Vec::new(),
            values: Vec::new(),
        })
    }

    fn columns(&mut self, mut columns: Bytes<'_>, points: usize) -> Option<()> {
        self.unpress.take(&mut columns, &mut self.times)?;
        self.unpress.take(&mut columns, &mut self.lags)?;
        let codec = columns.byte()?;
        self.unpress.take(&mut columns, &mut self.raw)?;
        self.values(codec, points)?;
        self.unpress.take(&mut columns, &mut self.qualities)
    }

    fn values(&mut self, codec: u8, points: usize) -> Option<()> {
        match codec {
            PLANES => columns::planes(&self.raw, points, &mut self.values),
            XOR_PLANES => {
                columns::planes(&self.raw, points, &mut self.values)?;
                columns::unxor(&mut self.values);
                Some(())
            }
            _ => {
                let scale = columns::scale(codec - DECIMALS)?;
                self.values.clear();
                let (mut steps, mut whole) = (Bytes(&self.raw), 0i64);
                for _ in 0..points {
                    whole = whole.wrapping_add(steps.signed()?);
                    self.values.push((whole as f64 / scale).to_bits());
                }
                Some(())
            }
        }
    }

    fn emit(&self, divisor: u64, only: Option<&[SeriesId]>, each: &mut impl FnMut(Sample)) -> Option<()> {
        let (mut times, mut lags, mut qualities) =
            (Bytes(&self.times), Bytes(&self.lags), Bytes(&self.qualities));
        let mut values = self.values.iter();
        let (mut quality, mut of_quality, mut lag) = (Quality::Bad, 0u64, 0i64);
        for (series, count) in &self.runs {
            let wanted = among(only, *series);
            if only.is_some_and(|only| only.last().is_none_or(|last| last < series)) {
                return Some(());
            }
            let mut time = 0u64;
            for _ in 0..*count {
                time = time.wrapping_add(times.varint()?);
                lag = lag.wrapping_add(lags.signed()?);
                let bits = values.next()?;
                if of_quality == 0 {
                    quality = Quality::from_u8(qualities.byte()?);
                    of_quality = qualities.varint()?;
                }
                of_quality = of_quality.checked_sub(1)?;
                if wanted {
                    let nanos = time.checked_mul(divisor)?;
                    let received = (nanos / NANOS_PER_MILLI).cast_signed().wrapping_add(lag).max(0);
                    each(Sample {
                        series: *series,
                        quality,
                        value: f64::from_bits(*bits),
                        time: Timestamp(nanos),
                        received: Timestamp::from_millis(received.cast_unsigned()),
                    });
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
