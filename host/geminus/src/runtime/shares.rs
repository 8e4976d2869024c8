//! How twins are shared out among shards: in turn, so that neighbours in the site file do not fall to one of them.

use std::sync::Arc;

use geminus_core::TwinIndex;
use geminus_twin::Plant;

/// The most shards there are.
const SHARDS_MAX: usize = 16;

/// As many as the site says; where it does not, one for two cores, so that sockets and the store have room beside them.
pub(super) fn shard_count(plant: &Plant, wished: u32) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let count = match wished {
        0 => (cores / 2).max(1),
        wished => wished as usize,
    };
    count.min(SHARDS_MAX).min(plant.twins.len().max(1))
}

pub(super) fn shard_number(twin: TwinIndex, count: usize) -> u16 {
    u16::try_from(twin.0 as usize % count.max(1)).unwrap_or_default()
}

pub(super) fn members(plant: &Plant, number: usize, count: usize) -> Vec<TwinIndex> {
    plant.indices().filter(|twin| usize::from(shard_number(*twin, count)) == number).collect()
}

pub(super) fn series_owners(plant: &Plant, count: usize) -> Arc<[u16]> {
    let owners = plant.twin_of_series();
    owners.into_iter().map(|owner| owner.map_or(0, |twin| shard_number(twin, count))).collect()
}
