//! From what shards and alarms say to the outlets of `[publish.NAME]`: which items there are, and how they stand.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use geminus_alarm::Key;
use geminus_api::view::AlarmView;
use geminus_behavior::Compiled;
use geminus_core::declaration::Priority;
use geminus_core::{Clock, Digest, Quality, Timestamp, TwinIndex};
use geminus_publish::{
    By, Catalogue, Content, Item, Kind, Layer, Options, Outlet, Publication, Publishing, State,
};
use geminus_twin::pattern::Selection;
use geminus_twin::plant::{Origin, Twin};
use geminus_twin::problem::Problems;
use geminus_twin::shard::{Health, Update, Verdict};
use geminus_twin::{BindingIndex, Plant, Site, site};

use super::chronicle::Chronicle;
use super::field::{broker, version};

#[cfg(test)]
mod tests;

/// Where the items of a twin begin, and what it has of them.
#[derive(Clone, Copy, Debug)]
struct Row {
    first: u32,
    layout: usize,
}

/// Items of the twins of one kind: each place of a point that is published, then health, then alarms.
#[derive(Debug)]
struct Layout {
    points: Vec<usize>,
    health: bool,
}

/// One publication, seen from inside.
#[derive(Debug)]
struct Feed {
    outlet: Arc<Outlet>,
    twins: HashMap<TwinIndex, Row>,
    layouts: Vec<Layout>,
    alarms: HashMap<Key, u32>,
}

/// All publications of the site. Shared by shards and alarms; what it is told costs a lock, and never waits for a broker.
#[derive(Debug, Default)]
pub(crate) struct Press {
    feeds: Vec<Feed>,
    /// Versions by behavior, so that each value need not have its words made anew.
    versions: Mutex<HashMap<(BindingIndex, Digest), Arc<By>>>,
}

/// What is published, known to be right, and not connected yet.
pub(crate) type Ready = Vec<Publication>;

/// Lays out what the site publishes. `data` is the data folder. Blocks on certificates and passwords.
///
/// # Errors
/// When a publication cannot work.
pub(crate) fn prepare(site: &Site, plant: &Plant, data: &Path) -> anyhow::Result<(Arc<Press>, Ready)> {
    let (mut press, mut ready) = (Press::default(), Vec::new());
    for (name, publish) in &site.document.publish {
        let (feed, publication) =
            one(site, plant, data, name, publish).with_context(|| format!("publish.{name}"))?;
        press.feeds.push(feed);
        ready.push(publication);
    }
    Ok((Arc::new(press), ready))
}

/// What of the site's publications could not work, with its line. Certificates are looked at elsewhere.
pub(crate) fn check(site: &Site, plant: &Plant, problems: &mut Problems) {
    for (name, publish) in &site.document.publish {
        if let Err(error) = lay_out(plant, publish) {
            let line = site.line(&format!("publish.{name}"));
            problems.add(&site.path, line, format!("publish.{name}: {error:#}"));
        }
    }
}

/// Connects. Needs a tokio runtime.
pub(crate) fn start(ready: Ready, clock: &Arc<dyn Clock>, chronicle: &Chronicle) -> Vec<Publishing> {
    let start = |publication: Publication| publication.start(Arc::clone(clock), chronicle.ear());
    ready.into_iter().map(start).collect()
}

fn one(
    site: &Site,
    plant: &Plant,
    data: &Path,
    name: &str,
    publish: &site::Publish,
) -> anyhow::Result<(Feed, Publication)> {
    let beside = site.beside("");
    let client_id = match &publish.client_id {
        Some(id) => id.clone(),
        None => super::client_id::client_id(data, &plant.name, &format!("publish-{name}"))?,
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let layer = match publish.layer {
        site::Layer::Uns1 => Layer::Uns1 {
            enterprise: text(&publish.enterprise),
            site: plant.name.clone(),
            name: name.to_owned(),
        },
        site::Layer::SparkplugB1 => {
            Layer::SparkplugB1 { group: text(&publish.group), node: text(&publish.node) }
        }
    };
    let options = Options {
        name: name.to_owned(),
        url: broker::with_credentials(publish.broker(), &beside)?,
        tls: broker::tls(publish.broker(), &beside)?,
        client_id,
        version: version(publish.version),
        keep_alive: Duration::from_secs(publish.keep_alive_s.into()),
        interval: Duration::from_millis(publish.interval_ms),
        layer,
    };
    let Laid { catalogue, twins, layouts, alarms } = lay_out(plant, publish)?;
    let publication = Publication::new(options, catalogue)?;
    Ok((Feed { outlet: publication.outlet(), twins, layouts, alarms }, publication))
}

/// The items of a publication, and where they are found.
struct Laid {
    catalogue: Catalogue,
    twins: HashMap<TwinIndex, Row>,
    layouts: Vec<Layout>,
    alarms: HashMap<Key, u32>,
}

fn lay_out(plant: &Plant, publish: &site::Publish) -> anyhow::Result<Laid> {
    let selection = |pattern: &str| Selection::new(pattern).map_err(anyhow::Error::msg);
    let twins = selection(&publish.twins)?;
    let points = publish.points.iter().map(|point| selection(point)).collect::<Result<Vec<_>, _>>()?;
    let layouts: Vec<Layout> = plant
        .kinds
        .iter()
        .map(|kind| {
            let is_chosen = |name: &str| points.iter().any(|glob| glob.matches(name));
            let is_result = |origin: &Origin| matches!(origin, Origin::Estimated { .. });
            let chosen = kind.points.iter().enumerate();
            let chosen = chosen.filter(|(_, point)| is_result(&point.origin) && is_chosen(&point.name));
            Layout { points: chosen.map(|(place, _)| place).collect(), health: publish.health }
        })
        .collect();
    let (mut catalogue, mut rows, mut alarms) = (Catalogue::default(), HashMap::new(), HashMap::new());
    for index in plant.indices() {
        let Some(twin) = plant.twin(index).filter(|twin| twins.matches(&twin.id)) else { continue };
        let (layout, Some(kind)) = (twin.kind as usize, plant.kind(twin)) else { continue };
        let Some(of) = layouts.get(layout) else { continue };
        let point = |place: &usize| {
            let point = kind.points.get(*place)?;
            Some(Item { name: point.name.clone(), kind: Kind::Point { unit: point.unit.clone() } })
        };
        let mut items: Vec<Item> = of.points.iter().filter_map(point).collect();
        items.extend(of.health.then(|| Item { name: "health".to_owned(), kind: Kind::Health }));
        let before = items.len();
        let own: Vec<(u32, &str)> = (0_u32..)
            .zip(&plant.alarms)
            .filter(|(_, alarm)| publish.alarms && alarm.definition.has(index))
            .map(|(number, alarm)| (number, alarm.definition.name.as_str()))
            .collect();
        items.extend(own.iter().map(|(_, name)| Item { name: (*name).to_owned(), kind: Kind::Alarm }));
        let first = catalogue.add(twin.id.to_string(), place(twin), items)?;
        rows.insert(index, Row { first, layout });
        for (item, (number, _)) in (first + u32::try_from(before)?..).zip(&own) {
            alarms.insert(Key { twin: index, alarm: *number }, item);
        }
    }
    let chosen = (&publish.twins, &publish.points);
    anyhow::ensure!(
        !catalogue.is_empty(),
        "chooses nothing: no twin has what twins and points say: {chosen:?}"
    );
    Ok(Laid { catalogue, twins: rows, layouts, alarms })
}

fn place(twin: &Twin) -> Vec<String> {
    twin.place.area.iter().chain(&twin.place.line).cloned().collect()
}

impl Press {
    /// Whether somebody publishes something of this twin.
    pub(crate) fn wants(&self, twin: TwinIndex) -> bool {
        self.feeds.iter().any(|feed| feed.twins.contains_key(&twin))
    }

    /// Alarms that are published.
    pub(crate) fn alarms(&self) -> impl Iterator<Item = Key> {
        self.feeds.iter().flat_map(|feed| feed.alarms.keys().copied())
    }

    /// What of a twin has changed. `by` gives the version that answers for a behavior of it.
    pub(crate) fn update(
        &self,
        plant: &Plant,
        update: &Update,
        now: Timestamp,
        by: &dyn Fn(BindingIndex) -> Option<Arc<Compiled>>,
    ) {
        for feed in &self.feeds {
            let Some(row) = feed.twins.get(&update.twin) else { continue };
            let Some(layout) = feed.layouts.get(row.layout) else { continue };
            let mut states = Vec::new();
            for point in &update.points {
                let Ok(item) = layout.points.binary_search(&point.point) else { continue };
                states.push((
                    item,
                    State {
                        content: Content::Number(point.value),
                        quality: point.quality,
                        time: point.time,
                        by: self.by(plant, update.twin, point.point, by),
                    },
                ));
            }
            if layout.health {
                states.push((layout.points.len(), health(update.health, now)));
            }
            let numbered =
                |(item, state): (usize, State)| Some((row.first + u32::try_from(item).ok()?, state));
            feed.outlet.put(states.into_iter().filter_map(numbered));
        }
    }

    /// How an alarm stands.
    pub(crate) fn alarm(&self, key: Key, alarm: &AlarmView) {
        for feed in &self.feeds {
            let Some(item) = feed.alarms.get(&key) else { continue };
            let content = Content::Alarm {
                state: alarm.state.name(),
                priority: priority(alarm.priority),
                message: alarm.message.clone(),
                value: alarm.value,
                unit: alarm.unit.clone(),
            };
            let state = State { content, quality: Quality::Good, time: alarm.since.0, by: None };
            feed.outlet.put([(*item, state)]);
        }
    }

    fn by(
        &self,
        plant: &Plant,
        twin: TwinIndex,
        point: usize,
        by: &dyn Fn(BindingIndex) -> Option<Arc<Compiled>>,
    ) -> Option<Arc<By>> {
        let kind = plant.kind(plant.twin(twin)?)?;
        let Origin::Estimated { behavior, .. } = kind.points.get(point)?.origin else { return None };
        let index = kind.behaviors.get(behavior)?.binding;
        let (compiled, binding) = (by(index)?, plant.binding(index)?);
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let words = versions.entry((index, compiled.digest())).or_insert_with(|| {
            let declaration = compiled.declaration();
            Arc::new(By {
                behavior: binding.name.clone(),
                plugin: declaration.name.clone(),
                version: declaration.version.to_string(),
                digest: compiled.digest().to_string(),
            })
        });
        Some(Arc::clone(words))
    }
}

fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Journal => "journal",
        Priority::Low => "low",
        Priority::Medium => "medium",
        Priority::High => "high",
        Priority::Critical => "critical",
    }
}

fn health(health: Health, now: Timestamp) -> State {
    let verdict = match health.verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Critical => "critical",
        Verdict::Unknown => "unknown",
    };
    let quality = match health.verdict {
        Verdict::Unknown => Quality::Bad,
        _ => Quality::Good,
    };
    State { content: Content::Health { index: health.index, verdict }, quality, time: now, by: None }
}
