//! Blocks of PUBLISH packets, encoded once; for each block only the digits that change are written.

use super::FloodOptions;
use crate::mqtt::QoS;

/// Bytes of one block, about.
const BLOCK_BYTES: usize = 64 << 10;
const VALUE_DIGITS: usize = 3;
const TIME_DIGITS: usize = 13;

/// Where the changing digits of one message stand in the block.
#[derive(Clone, Copy, Debug)]
struct Place {
    packet: Option<usize>,
    value: usize,
    time: usize,
}

/// A run of messages that is written over and over: for the flood, and for whoever publishes the same to a broker.
#[derive(Debug)]
pub struct Publishes {
    block: Vec<u8>,
    places: Vec<Place>,
    /// End of each message in the block.
    ends: Vec<usize>,
    topics: u64,
    start_ms: u64,
    step_ms: u64,
}

impl Publishes {
    /// `properties`: whether the version has a property length (MQTT 5).
    #[must_use]
    pub fn new(options: &FloodOptions, properties: bool) -> Self {
        let (mut block, mut places, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        while block.len() < BLOCK_BYTES || !places.len().is_multiple_of(options.topics.len()) {
            let Some(topic) = options.topics.get(places.len() % options.topics.len()) else { break };
            places.push(encode(&mut block, topic, options.qos, properties));
            ends.push(block.len());
        }
        Self {
            block,
            places,
            ends,
            topics: options.topics.len() as u64,
            start_ms: options.start.millis(),
            step_ms: u64::try_from(options.step.as_millis()).unwrap_or(u64::MAX).max(1),
        }
    }

    /// Bytes of messages from number `first` on, and how many they are: `wanted`, or fewer where the block ends.
    pub fn run(&mut self, first: u64, wanted: u64) -> (&[u8], u64) {
        let skip = usize::try_from(first % self.places.len() as u64).unwrap_or(0);
        let count = wanted.min((self.places.len() - skip) as u64);
        for (place, k) in self.places.iter().skip(skip).zip(first..first.saturating_add(count)) {
            digits(&mut self.block, place.value, VALUE_DIGITS, k % 1_000);
            digits(&mut self.block, place.time, TIME_DIGITS, self.start_ms + k / self.topics * self.step_ms);
            if let Some(slot) = place.packet.and_then(|at| self.block.get_mut(at..at + 2)) {
                slot.copy_from_slice(&packet_of(k).to_be_bytes());
            }
        }
        let end_of = |messages: usize| messages.checked_sub(1).and_then(|last| self.ends.get(last).copied());
        let start = end_of(skip).unwrap_or(0);
        let end = end_of(skip + usize::try_from(count).unwrap_or(0)).unwrap_or(start);
        (self.block.get(start..end).unwrap_or_default(), count)
    }
}

/// Packet id of message k: 1 to 65,535, over and over.
pub(super) fn packet_of(k: u64) -> u16 {
    u16::try_from(k % 65_535).map_or(1, |id| id + 1)
}

fn encode(block: &mut Vec<u8>, topic: &str, qos: QoS, properties: bool) -> Place {
    let (before, between, after) = (br#"{"value":20."#, br#","time":"#, b"}");
    let payload = before.len() + VALUE_DIGITS + between.len() + TIME_DIGITS + after.len();
    let packet = usize::from(qos == QoS::AtLeastOnce) * 2;
    let remaining = 2 + topic.len() + packet + usize::from(properties) + payload;
    block.push(0x30 | (u8::from(qos == QoS::AtLeastOnce) << 1));
    super::wire::length(block, remaining);
    block.extend_from_slice(&u16::try_from(topic.len()).unwrap_or(u16::MAX).to_be_bytes());
    block.extend_from_slice(topic.as_bytes());
    let packet = (packet > 0).then_some(block.len());
    block.extend(packet.iter().flat_map(|_| [0, 0]));
    block.extend(properties.then_some(0));
    block.extend_from_slice(before);
    let value = block.len();
    block.extend_from_slice(&[b'0'; VALUE_DIGITS]);
    block.extend_from_slice(between);
    let time = block.len();
    block.extend_from_slice(&[b'0'; TIME_DIGITS]);
    block.extend_from_slice(after);
    Place { packet, value, time }
}

fn digits(block: &mut [u8], at: usize, count: usize, mut number: u64) {
    let Some(slot) = block.get_mut(at..at + count) else { return };
    for digit in slot.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::Timestamp;
    use std::time::Duration;

    #[test]
    fn every_message_is_a_packet_with_its_own_id_value_and_time() {
        let options = FloodOptions {
            topics: vec!["a/b".to_owned(), "c".to_owned(), "dd".to_owned()],
            start: Timestamp::from_millis(1_700_000_000_000),
            step: Duration::from_millis(5),
            qos: QoS::AtLeastOnce,
            window: 10,
            messages: 0,
        };
        let mut publishes = Publishes::new(&options, false);
        let (bytes, whole) = publishes.run(0, u64::MAX);
        assert!(bytes.len() >= BLOCK_BYTES && whole % 3 == 0);
        let k = whole + 4;
        let (bytes, count) = publishes.run(k, 2);
        assert_eq!(count, 2);
        let text = String::from_utf8_lossy(bytes);
        let time = 1_700_000_000_000 + k / 3 * 5;
        assert_eq!(bytes[..2], [0x32, 2 + 1 + 2 + 37]);
        assert_eq!(bytes[5..7], packet_of(k).to_be_bytes());
        assert!(text.contains(&format!("{{\"value\":20.{:03},\"time\":{time}}}", k % 1_000)), "{text}");
        assert!(text.contains("dd"), "{text}");
    }
}
