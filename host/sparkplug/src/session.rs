//! A session of an edge node, from its NBIRTH on: its metrics, its devices, and their values.

use std::collections::HashMap;
use std::time::Duration;

use geminus_core::Timestamp;

use crate::host::{DEVICES_MAX, Ear, Moment, NODE_METRICS_MAX, Update};
use crate::payload::{Metric, Payload};
use crate::table::Table;
use crate::value::{quality, reading};
use crate::{Reading, Refusal};

/// Since a birth, and until a death.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) bd_seq: u8,
    /// When the NBIRTH was sent, in milliseconds.
    pub(crate) born: Option<u64>,
    /// When it arrived, monotonic.
    pub(crate) heard: Duration,
    /// The sequence number whose turn it is.
    pub(crate) next: u8,
    pub(crate) own: Table,
    pub(crate) devices: HashMap<Box<str>, Table>,
    /// Places of devices that were there before an NBIRTH and must be born again before this time.
    pub(crate) pending: HashMap<Box<str>, Vec<u32>>,
    pub(crate) pending_until: Duration,
}

/// The message at hand, for whoever is told of its refusal.
#[derive(Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) topic: &'a [u8],
    pub(crate) bytes: &'a [u8],
    pub(crate) moment: Moment,
}

impl Session {
    pub(crate) fn device_birth(
        &mut self,
        device: &str,
        table: Table,
        (time, received): (Timestamp, Timestamp),
        ear: &mut impl Ear,
    ) -> Result<&Table, Refusal> {
        let others: usize =
            self.devices.iter().filter(|(id, _)| &***id != device).map(|(_, one)| one.len()).sum();
        let new = !self.devices.contains_key(device);
        if (new && self.devices.len() >= DEVICES_MAX)
            || self.own.len() + others + table.len() > NODE_METRICS_MAX
        {
            return Err(Refusal::TooMany);
        }
        let before = self.devices.remove(device);
        let pending = self.pending.remove(device).into_iter().flatten();
        let places = before.iter().flat_map(Table::places).chain(pending);
        for gone in places.filter(|place| !table.has(*place)) {
            ear.stale(gone, time, received);
        }
        Ok(self.devices.entry(device.into()).insert_entry(table).into_mut())
    }

    /// What is known of a device is so no more.
    pub(crate) fn device_death(
        &mut self,
        device: &str,
        (time, received): (Timestamp, Timestamp),
        ear: &mut impl Ear,
    ) {
        let table = self.devices.remove(device);
        let pending = self.pending.remove(device).into_iter().flatten();
        let places = table.iter().flat_map(Table::places).chain(pending);
        places.for_each(|place| ear.stale(place, time, received));
    }

    /// Places by device, those included that are to be born again.
    pub(crate) fn places_of_devices(&self) -> HashMap<Box<str>, Vec<u32>> {
        let mut places = self.pending.clone();
        for (device, table) in &self.devices {
            places.entry(device.clone()).or_default().extend(table.places());
        }
        places
    }
}

impl Table {
    /// The values of a data message. All metrics are looked up before any is told: a message of which one is not known
    /// is not taken in part.
    pub(crate) fn data(
        &self,
        said: Said<'_>,
        payload: &Payload<'_>,
        ear: &mut impl Ear,
    ) -> Result<(), Refusal> {
        let found = payload.metrics.iter().map(|metric| self.slot(metric));
        if found.clone().any(|slot| slot == Err(Refusal::UnknownAlias)) {
            return Err(Refusal::UnknownAlias);
        }
        let unknown = found.filter_map(Result::err).next();
        self.tell(said, payload, false, ear);
        unknown.map_or(Ok(()), Err)
    }

    /// Tells every metric that somebody wants.
    pub(crate) fn tell(&self, said: Said<'_>, payload: &Payload<'_>, birth: bool, ear: &mut impl Ear) {
        let sent = payload.timestamp.map(Timestamp::from_millis);
        for metric in &payload.metrics {
            let Ok(slot) = self.slot(metric) else { continue };
            let Some(place) = slot.place else { continue };
            let told = value(metric, slot.datatype).and_then(|reading| {
                ear.value(&Update {
                    place,
                    reading,
                    quality: quality(metric.quality),
                    time: metric
                        .timestamp
                        .map(Timestamp::from_millis)
                        .or(sent)
                        .unwrap_or(said.moment.received),
                    said: sent.unwrap_or(said.moment.received),
                    received: said.moment.received,
                    birth,
                    historical: metric.is_historical,
                })
            });
            if let Err(refusal) = told {
                ear.refused(said.topic, said.bytes, refusal, 1);
            }
        }
    }
}

fn value<'a>(metric: &Metric<'a>, born_as: Option<u32>) -> Result<Reading<'a>, Refusal> {
    reading(metric, metric.datatype.or(born_as).ok_or(Refusal::WrongType)?)
}
