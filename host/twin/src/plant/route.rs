//! What a source carries, in neutral words: which topic or column is which series, in which unit.
//!
//! The binary maps these to the routes of `ingest`; this room knows no protocol.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use geminus_core::unit::{self, Conversion};
use geminus_core::{SeriesId, TwinIndex};

use super::resolve::{Resolving, no_such_point};
use super::{Kind, Origin, Plant, Point};
use crate::site::{self, Bind};

/// One topic (or, for a CSV source, one column) and what it feeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Exact topic without wildcards, or name of the column.
    pub topic: String,
    /// Quality of service of the subscription.
    pub qos: u8,
    /// What it carries.
    pub payload: Payload,
    /// How the members beside the values are called and read.
    pub envelope: Arc<site::Payload>,
    /// Place of its `[[bind]]` in the site.
    pub bind: usize,
}

impl Route {
    /// Every series that it feeds.
    pub fn series(&self) -> impl Iterator<Item = SeriesId> {
        let (one, many) = match &self.payload {
            Payload::Value(point) => (Some(point), [].as_slice()),
            Payload::Object(fields) => (None, fields.as_slice()),
        };
        one.into_iter().chain(many.iter().map(|field| &field.point)).map(|point| point.series)
    }
}

/// What a topic carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// One value: plain text, a JSON scalar, or an object that holds it in the member `envelope.value`.
    Value(RoutePoint),
    /// One JSON object with many values.
    Object(Vec<RouteField>),
}

/// One member of an object payload.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteField {
    /// Name of the JSON member.
    pub name: String,
    /// What it feeds.
    pub point: RoutePoint,
}

/// What a number or word of the field becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutePoint {
    /// Whose value.
    pub series: SeriesId,
    /// From the unit of the field to that of the point.
    pub conversion: Conversion,
    /// Words and their values.
    pub labels: Vec<(String, f64)>,
}

/// What the routes of one `[[bind]]` have in common.
struct Shared<'a> {
    key: &'a str,
    place: usize,
    bind: &'a Bind,
    envelope: Arc<site::Payload>,
    qos: u8,
    /// Every topic carries many values, each under its name.
    named: bool,
}

impl Shared<'_> {
    fn route(&self, topic: String, payload: Payload) -> Route {
        Route { topic, qos: self.qos, payload, envelope: Arc::clone(&self.envelope), bind: self.place }
    }
}

impl Resolving<'_> {
    /// Routes by source. `sections` has the place of each twin's `[[twin]]`.
    pub(super) fn routes(&mut self, plant: &Plant, sections: &[usize]) -> Vec<Vec<Route>> {
        let site = self.site;
        let mut routes = vec![Vec::new(); site.document.source.len()];
        for (index, bind) in site.document.bind.iter().enumerate() {
            let key = format!("bind[{index}]");
            let Some(place) = site.document.source.iter().position(|source| source.name == bind.source)
            else {
                continue;
            };
            let source = site.document.source.get(place);
            let named = source.is_some_and(|source| source.sparkplug.is_some());
            let source = source.and_then(|source| source.mqtt.as_ref());
            let shared = Shared {
                key: &key,
                place: index,
                bind,
                envelope: Arc::new(bind.payload.clone()),
                qos: bind.qos.or(source.map(|mqtt| mqtt.qos)).unwrap_or(0),
                named,
            };
            let mut reported = BTreeSet::new();
            for twin in self.selected(&key, &bind.twins, &plant.twins) {
                let section = sections.get(twin.0 as usize).copied().unwrap_or_default();
                // Twins of one section have the same points: a mistake is reported for the first of them.
                let quiet = !reported.insert(section);
                let made = self.bound(&shared, plant, twin, section, quiet);
                routes.get_mut(place).into_iter().for_each(|list| list.extend(made.iter().cloned()));
            }
        }
        self.twice(plant, &routes);
        routes
    }

    /// A topic feeds a point once. Each pair of `[[bind]]` is reported for the first point that both have.
    fn twice(&mut self, plant: &Plant, routes: &[Vec<Route>]) {
        let site = self.site;
        for (source, routes) in site.document.source.iter().zip(routes) {
            // One `[[bind]]` names each point once. A fleet has one, and need not be looked through.
            if routes.first().map(|route| route.bind) == routes.last().map(|route| route.bind) {
                continue;
            }
            let (mut fed, mut reported) = (HashMap::new(), BTreeSet::new());
            for route in routes {
                for series in route.series() {
                    let Some(first) = fed.insert((route.topic.as_str(), series), route.bind) else {
                        continue;
                    };
                    if !reported.insert((first, route.bind)) {
                        continue;
                    }
                    let (twin, point) = plant.name_of(series).unwrap_or(("?", "?"));
                    let line = site.line(&format!("bind[{first}]"));
                    let line = line.map_or_else(String::new, |line| format!(" of line {line}"));
                    let (source, topic) = (&source.name, &route.topic);
                    let message = format!(
                        "point \"{point}\" of twin \"{twin}\" has \"{topic}\" of source \"{source}\" already by the [[bind]]{line}: name it in one of them"
                    );
                    self.report(&format!("bind[{}]", route.bind), message);
                }
            }
        }
    }

    fn bound(
        &mut self,
        shared: &Shared<'_>,
        plant: &Plant,
        twin: TwinIndex,
        section: usize,
        quiet: bool,
    ) -> Vec<Route> {
        let Shared { key, bind, .. } = *shared;
        let Some((id, kind, series)) =
            plant.twin(twin).and_then(|twin| Some((&*twin.id, plant.kind(twin)?, plant.series(twin))))
        else {
            return Vec::new();
        };
        if !quiet {
            self.names(key, bind, section, kind);
        }
        let wanted = |point: &Point| bind.points.as_ref().is_none_or(|names| names.contains(&point.name));
        let points = kind.points.iter().zip(series).take(kind.measured).filter(|(point, _)| wanted(point));
        let mut routes: Vec<Route> = Vec::new();
        for (point, series) in points {
            let over = self.site.document.twin.get(section).and_then(|twin| twin.point.get(&point.name));
            let Some(conversion) = self.field_conversion(section, point, over, quiet) else { continue };
            let labels = match &point.origin {
                Origin::Measured { labels, .. } => labels.clone(),
                Origin::Estimated { .. } => Vec::new(),
            };
            let target = RoutePoint { series: *series, conversion, labels };
            let field = over.and_then(|over| over.field.as_ref()).unwrap_or(&point.name);
            let own = over.and_then(|over| over.topic.as_ref());
            let template = own.or(bind.topic.as_ref()).map_or("{point}", String::as_str);
            let topic = template.replace("{twin}", id).replace("{point}", field);
            if !quiet && topic.contains(['{', '}', '#', '+']) {
                let message =
                    format!("topic \"{topic}\" may hold {{twin}} and {{point}} only, and no wildcards");
                self.report(&format!("{key}.topic"), message);
            }
            let object = shared.named || (bind.payload.shape == site::Shape::Object && own.is_none());
            match object {
                true => {
                    let name = bind.payload.fields.get(&point.name).unwrap_or(field).clone();
                    let member = RouteField { name, point: target };
                    match routes.iter_mut().find(|route| route.topic == topic).map(|route| &mut route.payload)
                    {
                        Some(Payload::Object(fields)) => fields.push(member),
                        _ => routes.push(shared.route(topic, Payload::Object(vec![member]))),
                    }
                }
                false => routes.push(shared.route(topic, Payload::Value(target))),
            }
        }
        routes
    }

    /// Names of points in a `[[bind]]` must exist.
    fn names(&mut self, key: &str, bind: &Bind, section: usize, kind: &Kind) {
        let Some(twin_type) = self.type_of(section) else { return };
        let points = bind.points.iter().flatten().map(|name| ("points", name));
        let fields = bind.payload.fields.keys().map(|name| ("payload.fields", name));
        for (part, name) in points.chain(fields) {
            if !kind.points.iter().take(kind.measured).any(|point| point.name == *name) {
                self.report(&format!("{key}.{part}"), no_such_point(twin_type, name));
            }
        }
    }

    fn field_conversion(
        &mut self,
        section: usize,
        point: &Point,
        over: Option<&site::PointOverride>,
        quiet: bool,
    ) -> Option<Conversion> {
        let Some(sent) = over.and_then(|over| over.unit.as_ref()) else { return Some(Conversion::IDENTITY) };
        match unit::convert(sent, &point.unit) {
            Ok(conversion) => Some(conversion),
            Err(error) => {
                if !quiet {
                    let key = format!("twin[{section}].point.{}.unit", point.name);
                    self.report(&key, format!("point \"{}\" as the field sends it: {error}", point.name));
                }
                None
            }
        }
    }
}
