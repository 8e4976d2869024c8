//! `geminus thread`: everything about an asset on one line, over the host's own API.

use std::io::Write;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use geminus_api::query::thread::THREAD_MAX;
use geminus_api::view::{AssetView, ThreadEntryView, ThreadKind, ThreadView, Time};
use geminus_core::{Severity, Timestamp};

use super::alarm::escaped;
use super::history::time;
use super::rollout::Answer;

#[derive(Debug, Args)]
pub(crate) struct Thread {
    /// Id of the twin.
    twin: String,
    /// First time, RFC 3339 or milliseconds since 1970. What began before and reaches into it counts.
    #[arg(long, value_parser = time)]
    from: Option<Timestamp>,
    /// End, exclusive.
    #[arg(long, value_parser = time)]
    to: Option<Timestamp>,
    /// Only these kinds, separated by commas: design, version, calibration, samples, alert, decision, record, event.
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    kinds: Vec<ThreadKind>,
    /// Which end comes first.
    #[arg(long, value_enum, default_value = "newest")]
    order: Order,
    /// At most so many entries.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Shows below each entry what explains it: rows, version, and the line that computes them again.
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    answer: Answer,
}

/// Which end of the line comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    Newest,
    Oldest,
}

fn kind(name: &str) -> Result<ThreadKind, String> {
    ThreadKind::from_name(name)
        .ok_or_else(|| format!("it must be one of {}", ThreadKind::ALL.map(ThreadKind::name).join(", ")))
}

pub(crate) fn run(thread: &Thread) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match show(thread, &mut out) {
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if super::rollout::is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn show(thread: &Thread, out: &mut impl Write) -> anyhow::Result<()> {
    if let (Some(from), Some(to)) = (thread.from, thread.to) {
        ensure!(from < to, "from must be earlier than to");
    }
    let host = thread.answer.door.host()?;
    let mut whole: Option<ThreadView> = None;
    // A page may hold fewer entries than asked for, or none, and go on all the same.
    loop {
        let (shown, after) =
            whole.as_ref().map_or((0, None), |view| (view.entries.len(), view.next.as_deref()));
        let page: ThreadView = host.get(&address(thread, thread.limit - shown, after))?;
        match &mut whole {
            None => whole = Some(page),
            Some(view) => {
                view.entries.extend(page.entries);
                view.next = page.next;
            }
        }
        let is_done = |view: &ThreadView| view.next.is_none() || view.entries.len() >= thread.limit;
        if let Some(view) = whole.take_if(|view| is_done(view)) {
            let site = thread.answer.door.site.as_ref().map(|site| site.display().to_string());
            return thread.answer.print(out, &view, |view| text(view, thread, site.as_deref()));
        }
    }
}

fn address(thread: &Thread, left: usize, after: Option<&str>) -> String {
    let limit = left.clamp(1, THREAD_MAX as usize);
    let order = if thread.order == Order::Newest { "newest" } else { "oldest" };
    let mut path = format!("/api/v1/twins/{}/thread?order={order}&limit={limit}", escaped(&thread.twin));
    let when = |time: Option<Timestamp>| time.map(|time| Time(time).to_string());
    let kinds: Vec<&str> = thread.kinds.iter().map(|kind| kind.name()).collect();
    let kinds = (!kinds.is_empty()).then(|| kinds.join(","));
    let wanted = [
        ("from", when(thread.from)),
        ("to", when(thread.to)),
        ("kind", kinds),
        ("after", after.map(str::to_owned)),
    ];
    for (name, value) in wanted.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        path.push_str(&format!("&{name}={}", escaped(&value)));
    }
    path
}

fn text(view: &ThreadView, thread: &Thread, site: Option<&str>) -> String {
    let mut text = view.asset.as_ref().map(|asset| head(&view.twin, asset)).unwrap_or_default();
    for entry in &view.entries {
        text.push_str(&line(entry));
        if thread.explain {
            text.push_str(&because(entry, site));
        }
    }
    if view.next.is_some() {
        text.push_str("more follow: raise --limit, or narrow --from, --to and --kind\n");
    }
    text
}

/// What the asset is, in some lines.
fn head(twin: &str, asset: &AssetView) -> String {
    let mut text = format!("{twin}  {}  {} ({})\n", asset.display_name, asset.type_name, asset.type_id);
    let place: Vec<&str> = [&asset.area, &asset.line].into_iter().flatten().map(String::as_str).collect();
    if !place.is_empty() {
        text.push_str(&format!("place     {}\n", place.join(" / ")));
    }
    for behavior in &asset.behaviors {
        text.push_str(&format!(
            "behavior  {}  {} {}  {}\n",
            behavior.name, behavior.plugin, behavior.versions, behavior.parameters
        ));
    }
    for point in &asset.points {
        let extent = match (&point.first, &point.last) {
            (Some(first), Some(last)) => format!("{first} … {last}"),
            _ => "no samples in this time".to_owned(),
        };
        text.push_str(&format!("samples   {} ({})  {extent}\n", point.point, point.unit));
    }
    if asset.points_total > asset.points.len() as u64 {
        text.push_str(&format!("          {} more points\n", asset.points_total - asset.points.len() as u64));
    }
    text
}

fn line(entry: &ThreadEntryView) -> String {
    let until = entry.until.map(|until| format!(" … {until}")).unwrap_or_default();
    let mark = match entry.severity {
        Severity::Info => "",
        Severity::Warning => "  [warning]",
        Severity::Error => "  [error]",
    };
    let mut text =
        format!("{}{until}  {:11}  {}  {}{mark}", entry.time, entry.kind.name(), entry.what, entry.title);
    if let Some(record) = &entry.record {
        text.push_str(&format!("  ({} {}", record.source, record.id));
        if !record.state.is_empty() {
            text.push_str(&format!(", {}", record.state));
        }
        if let Some(corrected) = record.corrected {
            text.push_str(&format!(", corrected {corrected}"));
        }
        text.push(')');
    }
    text.push('\n');
    text
}

/// What explains an entry, in lines that are set in.
fn because(entry: &ThreadEntryView, site: Option<&str>) -> String {
    let explain = &entry.explain;
    let mut text = String::new();
    let mut say = |what: &str, words: String| text.push_str(&format!("    {what:8}  {words}\n"));
    if let Some(verdict) = &explain.verdict {
        say("stands", verdict.clone());
    }
    if let Some(plugin) = &explain.plugin {
        say(
            "version",
            format!("{plugin} {}", explain.digest.as_deref().unwrap_or_default()).trim_end().to_owned(),
        );
    }
    if let Some(rollout) = explain.rollout {
        say("rollout", format!("geminus rollout status {rollout}"));
    }
    if let Some(command) = &explain.command {
        say("command", format!("geminus command show {command}"));
    }
    if let Some(replay) = &explain.replay {
        say("replay", site.map_or_else(|| replay.clone(), |site| replay.replacen("SITE.toml", site, 1)));
    }
    if let Some(link) = entry.record.as_ref().and_then(|record| record.link.as_ref()) {
        say("link", link.clone());
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        thread: Thread,
    }

    fn parsed(words: &[&str]) -> Thread {
        Line::try_parse_from([&["thread"], words].concat()).expect("a command line").thread
    }

    fn entry(change: Value) -> ThreadEntryView {
        let mut entry = json!({
            "id": "journal-7", "kind": "alert", "what": "alert-raised", "time": "2026-03-01T12:00:00Z", "until": null,
            "severity": "warning", "title": "rig hot: winding is hot", "detail": "", "facts": null, "record": null,
            "explain": {"behavior": "thermal", "plugin": "motor-thermal@1.0.0", "digest": "sha256:ab", "rows": null,
                "replay": "geminus replay SITE.toml --twin rig", "rollout": null, "command": null, "verdict": null,
                "journal": 7},
        });
        entry.as_object_mut().expect("object").extend(change.as_object().expect("object").clone());
        serde_json::from_value(entry).expect("an entry")
    }

    #[test]
    fn addresses_hold_what_was_asked_for() {
        let plain = parsed(&["rig"]);
        assert_eq!(address(&plain, 100, None), "/api/v1/twins/rig/thread?order=newest&limit=100");
        let words =
            ["pump:1", "--from", "1000", "--kind", "alert,record", "--order", "oldest", "--limit", "9999"];
        let path = address(&parsed(&words), 9_999, Some("5-0-7"));
        assert_eq!(
            path,
            "/api/v1/twins/pump%3A1/thread?order=oldest&limit=500&from=1970-01-01T00%3A00%3A01Z&kind=alert%2Crecord&after=5-0-7"
        );
        assert!(Line::try_parse_from(["thread", "rig", "--kind", "alarm"]).is_err());
    }

    #[test]
    fn entries_are_lines_and_lead_to_what_explains_them() {
        let alert = entry(json!({}));
        assert_eq!(
            line(&alert),
            "2026-03-01T12:00:00Z  alert        alert-raised  rig hot: winding is hot  [warning]\n"
        );
        let because = because(&alert, Some("plant/site.toml"));
        assert!(because.contains("version   motor-thermal@1.0.0 sha256:ab\n"), "{because}");
        assert!(because.contains("replay    geminus replay plant/site.toml --twin rig\n"), "{because}");
        let order = entry(
            json!({"kind": "record", "what": "work-order", "severity": "info", "title": "Bearing",
            "until": "2026-03-01T13:00:00Z", "record": {"source": "sap-pm", "id": "WO-1", "state": "done", "link": null,
                "changed": null, "received": "2026-03-01T12:00:00Z", "corrected": null, "revision": 0, "by": "erp"}}),
        );
        assert_eq!(
            line(&order),
            "2026-03-01T12:00:00Z … 2026-03-01T13:00:00Z  record       work-order  Bearing  (sap-pm WO-1, done)\n"
        );
    }
}
