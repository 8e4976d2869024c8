//! Blocks go both ways bit for bit, and damaged ones are refused.

use proptest::prelude::*;

use super::*;

fn sample(series: u32, nanos: u64, received_ms: u64, value: f64, quality: Quality) -> Sample {
    Sample {
        series: SeriesId(series),
        quality,
        value,
        time: Timestamp(nanos),
        received: Timestamp::from_millis(received_ms),
    }
}

fn bits(samples: &[Sample]) -> Vec<(u32, u64, u64, u64, Quality)> {
    samples.iter().map(|s| (s.series.0, s.time.0, s.received.0, s.value.to_bits(), s.quality)).collect()
}

fn unpack(bytes: &[u8], only: Option<SeriesId>) -> Vec<Sample> {
    let mut out = Vec::new();
    let mut unpacker = Unpacker::new().expect("zstd");
    let only = only.as_ref().map(std::slice::from_ref);
    assert!(Block::open(bytes).expect("whole block").read(&mut unpacker, only, |sample| out.push(sample)));
    out
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let value = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (-100_000i64..100_000).prop_map(|whole| whole as f64 / 100.0),
    ];
    let time = prop_oneof![any::<u64>(), (0u64..4_000_000_000_000).prop_map(|ms| ms * 1_000_000)];
    (0u32..40, time, 0u64..4_000_000_000_000, value, 0u8..5).prop_map(
        |(series, time, received, value, quality)| {
            sample(series, time, received, value, Quality::from_u8(quality))
        },
    )
}

proptest! {
    #[test]
    fn blocks_go_both_ways(mut samples in prop::collection::vec(any_sample(), 0..300), tight in any::<bool>()) {
        samples.sort_by_key(|sample| (sample.series, sample.time));
        let packing = if tight { Packing::Tight } else { Packing::Quick };
        let bytes = Packer::new().expect("zstd").pack(&samples, packing);
        prop_assert_eq!(bits(&unpack(&bytes, None)), bits(&samples));
        let one: Vec<Sample> = samples.iter().copied().filter(|sample| sample.series.0 == 7).collect();
        prop_assert_eq!(bits(&unpack(&bytes, Some(SeriesId(7)))), bits(&one));
    }

    /// Bytes that lie behind a right checksum reach the decoder: it must refuse or give wrong samples, but
    /// neither panic nor eat memory.
    #[test]
    fn lying_bytes_do_not_panic(mut body in prop::collection::vec(any::<u8>(), 0..200), exponent in 0u8..10) {
        body.splice(0..0, [VERSION, exponent]);
        let crc = crc32fast::hash(&body);
        body.extend_from_slice(&crc.to_le_bytes());
        if let Ok(block) = Block::open(&body) {
            let mut given = 0usize;
            block.read(&mut Unpacker::new().expect("zstd"), None, |_| given += 1);
            prop_assert!(given <= POINTS_MAX);
        }
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let samples: Vec<Sample> = (0..20)
        .map(|at| sample(at / 5, u64::from(at) * 1_000_000, 7, f64::from(at), Quality::Good))
        .collect();
    let bytes = Packer::new().expect("zstd").pack(&samples, Packing::Quick);
    for at in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        assert!(Block::open(&flipped).is_err(), "bit {at}");
    }
    assert!(Block::open(&bytes[..bytes.len() - 1]).is_err());
    assert!(Block::open(&[]).is_err());
}

#[test]
fn regular_sensor_values_pack_into_few_bytes() {
    let samples: Vec<Sample> = (0..2000u32)
        .map(|at| {
            let value = (f64::from(at) * 0.01).sin() * 20.0 + 60.0;
            let time = u64::from(at) * 1_000_000_000;
            sample(3, time, time / 1_000_000 + 2, (value * 100.0).round() / 100.0, Quality::Good)
        })
        .collect();
    let bytes = Packer::new().expect("zstd").pack(&samples, Packing::Tight);
    assert!(bytes.len() < 2 * samples.len(), "{} bytes", bytes.len());
}
