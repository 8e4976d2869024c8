//! The bytes of a command: one command has one encoding, and no two commands share one.
//!
//! In this order: the text `geminus-command-1`; id (16 bytes); twin; target; value (its 8 bytes, IEEE 754); unit;
//! proposer (one byte: 1 behavior, 2 operator, 3 program; then its texts in the order of the type, where an owner that
//! is missing is the byte 0 and one that is there the byte 1 and his name); reason; number of evidence (4 bytes), and of
//! each its point, its value (byte 0, or byte 1 and 8 bytes), its quality (one byte, the contract's number), its time;
//! proposed; not after; class. A text is its length in bytes (4 bytes) and its UTF-8; a time is 8 bytes, nanoseconds
//! since 1970 UTC. Numbers are big-endian.

use crate::{Command, Evidence, Proposer};

/// Opens the bytes; another encoding will have another number.
const HEAD: &str = "geminus-command-1";

impl Command {
    /// The command in its canonical encoding. Approvals bind to the SHA-256 of these bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Out(Vec::with_capacity(512));
        out.text(HEAD);
        out.0.extend_from_slice(self.id.as_bytes());
        out.text(&self.twin);
        out.text(&self.target);
        out.number(self.value.to_bits());
        out.text(&self.unit);
        out.proposer(&self.proposer);
        out.text(&self.reason);
        out.count(self.evidence.len());
        self.evidence.iter().for_each(|evidence| out.evidence(evidence));
        out.number(self.proposed.0);
        out.number(self.not_after.0);
        out.text(&self.class);
        out.0
    }
}

struct Out(Vec<u8>);

impl Out {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    /// Counts are bounded far below by [`Command::check`].
    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn proposer(&mut self, proposer: &Proposer) {
        match proposer {
            Proposer::Behavior { name, version, digest } => {
                self.0.push(1);
                [name, version, digest].into_iter().for_each(|text| self.text(text));
            }
            Proposer::Operator { name } => {
                self.0.push(2);
                self.text(name);
            }
            Proposer::Program { name, owner } => {
                self.0.push(3);
                self.text(name);
                self.0.push(u8::from(owner.is_some()));
                owner.iter().for_each(|owner| self.text(owner));
            }
        }
    }

    fn evidence(&mut self, evidence: &Evidence) {
        self.text(&evidence.point);
        self.0.push(u8::from(evidence.value.is_some()));
        evidence.value.iter().for_each(|value| self.number(value.to_bits()));
        self.0.push(evidence.quality as u8);
        self.number(evidence.time.0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use geminus_core::{Quality, Timestamp};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::tests::command;

    #[test]
    fn the_encoding_is_the_documented_one() {
        let mut command = command(1);
        command.proposer = Proposer::Operator { name: "é".to_owned() };
        command.evidence.clear();
        let text = |text: &str| [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat();
        let expect = [
            text("geminus-command-1"),
            command.id.as_bytes().to_vec(),
            text("pump-1"),
            text("load-limit"),
            72.5f64.to_be_bytes().to_vec(),
            text("%"),
            vec![2],
            text("é"),
            text("winding is warm"),
            vec![0, 0, 0, 0],
            command.proposed.0.to_be_bytes().to_vec(),
            command.not_after.0.to_be_bytes().to_vec(),
            text("routine"),
        ];
        assert_eq!(command.bytes(), expect.concat());
    }

    #[test]
    fn every_field_changes_the_digest() {
        type Change = fn(&mut Command);
        let changes: [Change; 20] = [
            |_| (),
            |c| c.id = Uuid::from_u128(c.id.as_u128() + 1),
            |c| c.twin.push('2'),
            |c| c.target.push('2'),
            |c| c.value = f64::from_bits(c.value.to_bits() + 1),
            |c| c.unit.push('2'),
            |c| c.proposer = Proposer::Operator { name: "throttle".to_owned() },
            |c| c.proposer = Proposer::Program { name: "throttle".to_owned(), owner: None },
            |c| c.proposer = Proposer::Program { name: "throttle".to_owned(), owner: Some(String::new()) },
            |c| c.reason.push('2'),
            |c| c.evidence.clear(),
            |c| c.evidence[0].point.push('2'),
            |c| c.evidence[0].value = Some(0.0),
            |c| c.evidence[0].value = Some(-0.0),
            |c| c.evidence[0].value = None,
            |c| c.evidence[0].quality = Quality::Uncertain,
            |c| c.evidence[0].time = Timestamp(7),
            |c| c.proposed = Timestamp(c.proposed.0 + 1),
            |c| c.not_after = Timestamp(c.not_after.0 + 1),
            |c| c.class.push('2'),
        ];
        let digests: BTreeSet<_> = changes
            .iter()
            .map(|change| {
                let mut command = command(1);
                change(&mut command);
                command.digest()
            })
            .collect();
        assert_eq!(digests.len(), changes.len());
    }

    proptest! {
        /// What moves from the end of one text to the start of the next does not go unnoticed; nor is any bit lost when
        /// a command goes through its document.
        #[test]
        fn two_commands_never_share_their_bytes(
            twin in ".{0,6}", target in ".{0,6}", unit in ".{0,6}", at in 0usize..6, value: f64,
        ) {
            let mut one = command(1);
            (one.twin, one.target, one.unit) = (twin, target, unit);
            one.value = if value.is_finite() { value } else { 0.1 };
            let mut other = one.clone();
            let joined = format!("{}{}{}", one.twin, one.target, one.unit);
            let cut = joined.floor_char_boundary(at.min(joined.len()));
            (other.twin, other.target, other.unit) = (joined[..cut].to_owned(), joined[cut..].to_owned(), String::new());
            prop_assert_eq!(one == other, one.bytes() == other.bytes());
            let text = serde_json::to_string(&one).expect("json");
            let back: Command = serde_json::from_str(&text).expect("json");
            prop_assert_eq!(back.bytes(), one.bytes());
        }
    }
}
