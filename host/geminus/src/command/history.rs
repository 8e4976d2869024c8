//! `geminus history`: reads a site's history, whether or not the host runs.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use clap::Subcommand;
use geminus_api::query::history::BUCKETS_MAX;
use geminus_api::view::Time;
use geminus_core::Timestamp;
use geminus_store::Reader;
use geminus_twin::Site;

#[derive(Debug, Subcommand)]
pub(crate) enum History {
    /// Prints samples of one point as CSV (time, value, quality), or what there is when no point is named.
    Query {
        /// The site's configuration, or its data folder.
        site: PathBuf,
        /// Id of the twin.
        twin: Option<String>,
        /// Name of the point, for example temperature or thermal.winding_temperature.
        point: Option<String>,
        /// First time, RFC 3339 or milliseconds since 1970.
        #[arg(long, value_parser = time)]
        from: Option<Timestamp>,
        /// End, exclusive.
        #[arg(long, value_parser = time)]
        to: Option<Timestamp>,
        /// At most so many samples, the earliest first.
        #[arg(long, default_value_t = 1_000_000)]
        limit: usize,
        /// Instead of samples so many buckets: time, count, min, max, mean, worst quality.
        #[arg(long, value_parser = buckets)]
        buckets: Option<usize>,
    },
}

pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(millis) = text.parse::<u64>() {
        return Ok(Timestamp::from_millis(millis));
    }
    let time: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    u64::try_from(time.as_nanosecond()).map(Timestamp).map_err(|_| format!("{text} is before 1970"))
}

/// As many as the API gives at most.
fn buckets(text: &str) -> Result<usize, String> {
    let range = 1..=BUCKETS_MAX as usize;
    text.parse()
        .ok()
        .filter(|count| range.contains(count))
        .ok_or_else(|| format!("buckets must be a whole number from {} to {}", range.start(), range.end()))
}

pub(crate) fn run(history: History) -> anyhow::Result<()> {
    let History::Query { site, twin, point, from, to, limit, buckets } = history;
    // As the API has it.
    if let (Some(from), Some(to)) = (from, to) {
        ensure!(from < to, "from must be earlier than to");
    }
    let folder = folder(&site)?;
    let reader = Reader::open(&folder).map_err(|error| super::named(&folder, error))?;
    let (Some(twin), Some(point)) = (&twin, &point) else { return list(&reader, twin.as_deref()) };
    let Some(series) = reader.series(twin, point)? else {
        bail!(
            "there is no history of {point} of {twin}: `geminus history query {}` lists what there is",
            site.display()
        );
    };
    let (from, to) = (from.unwrap_or(Timestamp(0)), to.unwrap_or(Timestamp(u64::MAX)));
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut more = None;
    let written = match buckets {
        None => {
            // One more than asked tells whether there are more.
            let mut samples = reader.range(series, from, to, limit.saturating_add(1))?;
            more = samples.get(limit).map(|sample| sample.time);
            samples.truncate(limit);
            samples.iter().try_fold((), |(), sample| {
                writeln!(out, "{},{},{}", Time(sample.time), number(sample.value), sample.quality.name())
            })
        }
        Some(count) => {
            let to = match to.0 {
                u64::MAX => reader.newest(series)?.map_or(from, |sample| Timestamp(sample.time.0 + 1)),
                _ => to,
            };
            let from = if from.0 == 0 {
                reader.range(series, from, to, 1)?.first().map_or(from, |s| s.time)
            } else {
                from
            };
            reader.buckets(series, from, to, count)?.iter().try_fold((), |(), bucket| {
                let (min, max, mean) = (number(bucket.min), number(bucket.max), number(bucket.mean));
                writeln!(
                    out,
                    "{},{},{min},{max},{mean},{}",
                    Time(Timestamp(bucket.start_ns)),
                    bucket.count,
                    bucket.quality.name()
                )
            })
        }
    };
    if let Some(time) = more.filter(|_| written.is_ok()) {
        eprintln!(
            "only the first {limit} samples: more follow from {}; raise --limit or narrow --from",
            Time(time)
        );
    }
    // A reader that has seen enough (`| head`) is no failure.
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Empty where there is no number.
fn number(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { String::new() }
}

fn list(reader: &Reader, twin: Option<&str>) -> anyhow::Result<()> {
    for (_, owner, point) in reader.catalog()? {
        if twin.is_none_or(|twin| twin == owner) {
            println!("{owner},{point}");
        }
    }
    Ok(())
}

pub(super) fn folder(site: &Path) -> anyhow::Result<PathBuf> {
    if site.is_dir() {
        return Ok(site.to_owned());
    }
    Ok(Site::load(site)?.data_folder())
}
