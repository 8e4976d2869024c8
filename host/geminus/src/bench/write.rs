//! What the store alone takes: points a second that are durable, and bytes that a point costs.

use geminus_store::bench::{Load, write};
use serde_json::json;

use super::figure::rounded;
use super::{Figure, Workbench};

/// Points of the load: 10,000 series in batches as a busy shard hands over.
const LOAD: Load = Load { points: 6_000_000, series: 10_000, batch: 4_096, rate: 0 };

pub(super) fn measure(bench: &Workbench) -> anyhow::Result<Figure> {
    let folder = tempfile::tempdir()?;
    let figures = write(folder.path(), geminus_store::Options::default(), &bench.clock, LOAD)?;
    let stats = &figures.stats;
    let detail = json!({
        "points": stats.points_written, "series": LOAD.series, "commits": stats.commits,
        "commit_p50_ms": rounded(stats.commit.p50_ms), "commit_p99_ms": rounded(stats.commit.p99_ms),
        "commit_max_ms": rounded(stats.commit.max_ms),
        "mixed_bytes_per_point": rounded(figures.mixed_bytes_per_point),
        "folded_bytes_per_point": rounded(figures.folded_bytes_per_point),
    });
    anyhow::ensure!(stats.points_dropped == 0, "{} points were dropped", stats.points_dropped);
    Ok(Figure::new(figures.points_per_s, detail))
}
