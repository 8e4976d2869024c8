//! What is remembered of a pump from row to row, and what it was in the schema before.

use geminus_sdk::prelude::*;

use crate::{CHANNELS, Channel, Joint, Plane};

/// Schema 2.
#[derive(Clone, Debug, PartialEq, State)]
#[state(schema = 2, up = MemoryV1, down = MemoryV1)]
pub struct Memory {
    /// Each input's past, in declared order.
    pub channels: [Channel; CHANNELS],
    /// Seconds since the first row in which the pump ran without a stop; none while it stands still or nobody knows.
    pub running: Option<f64>,
    /// How the inputs vary together, while that is being learnt.
    pub joint: Option<Joint>,
    /// What came of it; none while it is being learnt, and when too few rows were whole.
    pub plane: Option<Plane>,
    /// How much has added up above the slack, score times seconds.
    pub lasting: f64,
}

impl Default for Memory {
    fn default() -> Self {
        let MemoryV1 { channels, running } = MemoryV1::default();
        Self { channels, running, joint: Some(Joint::default()), plane: None, lasting: 0.0 }
    }
}

/// Schema 1, as version 0.1.0 wrote it: each input for itself.
#[derive(Clone, Debug, Default, PartialEq, State)]
pub struct MemoryV1 {
    /// Each input's past, in declared order.
    pub channels: [Channel; CHANNELS],
    /// Seconds since the first row in which the pump ran without a stop.
    pub running: Option<f64>,
}

impl Migrate<MemoryV1> for Memory {
    /// A pump that had learnt goes on with each input for itself; one that had not learns the rest together too.
    fn migrate(MemoryV1 { channels, running }: MemoryV1) -> Result<Self, Fault> {
        Ok(Self { channels, running, ..Self::default() })
    }
}

impl Migrate<Memory> for MemoryV1 {
    fn migrate(Memory { channels, running, .. }: Memory) -> Result<Self, Fault> {
        Ok(Self { channels, running })
    }
}
