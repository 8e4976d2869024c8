//! What the event bus has counted.

use super::{Exposition, catalogue};
use crate::bus::BusStats;

pub(crate) fn write(stats: &BusStats, out: &mut Exposition) {
    out.count(&catalogue::SSE_STREAMS, &[], stats.streams);
    out.count(&catalogue::SSE_STREAMS_OPENED, &[], stats.opened);
    out.count(&catalogue::SSE_STREAMS_REFUSED, &[], stats.refused);
    out.count(&catalogue::SSE_EVENTS, &[], stats.sent);
    out.count(&catalogue::SSE_CONFLATED, &[], stats.conflated);
    out.count(&catalogue::SSE_RESYNCS, &[], stats.resyncs);
    out.count(&catalogue::SSE_VALUES, &["true"], stats.values);
    out.count(&catalogue::SSE_VALUES, &["false"], stats.unwatched);
}
