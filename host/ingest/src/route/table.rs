//! The table from topics to routes: built once, asked millions of times a second.

use std::collections::{HashMap, HashSet};

use super::{FxBuild, Payload, Point, Route, RouteError};

const TOPIC_BYTES_MAX: usize = 65_535;

/// All routes of a site, found by the bytes of a topic.
#[derive(Debug, Default)]
pub struct Routes {
    routes: Vec<Route>,
    /// Where a topic's routes stand in `routes`: start and count.
    by_topic: HashMap<Box<[u8]>, (u32, u32), FxBuild>,
}

impl Routes {
    /// Checks and sorts the routes.
    ///
    /// # Errors
    /// [`RouteError`] names the first topic that cannot be meant so.
    pub fn build(mut routes: Vec<Route>) -> Result<Self, RouteError> {
        routes.iter().try_for_each(check)?;
        routes.sort_by(|a, b| a.topic.cmp(&b.topic));
        let mut by_topic: HashMap<Box<[u8]>, (u32, u32), FxBuild> = HashMap::default();
        for (index, route) in (0_u32..).zip(&routes) {
            by_topic.entry(route.topic.as_bytes().into()).or_insert((index, 0)).1 += 1;
        }
        let table = Self { routes, by_topic };
        table.check_series()?;
        Ok(table)
    }

    /// The routes of a topic; empty when nobody wants it.
    #[must_use]
    pub fn of(&self, topic: &[u8]) -> &[Route] {
        let Some(&(start, count)) = self.by_topic.get(topic) else { return &[] };
        let start = start as usize;
        self.routes.get(start..start + count as usize).unwrap_or(&[])
    }

    /// Number of routes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// True when nothing is routed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Every topic once, in order.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.routes
            .chunk_by(|a, b| a.topic == b.topic)
            .filter_map(|same| same.first())
            .map(|r| r.topic.as_str())
    }

    fn check_series(&self) -> Result<(), RouteError> {
        for same in self.routes.chunk_by(|a, b| a.topic == b.topic) {
            let mut seen = HashSet::new();
            for (route, point) in same.iter().flat_map(|route| points(route).map(move |point| (route, point)))
            {
                if !seen.insert(point.series) {
                    return Err(RouteError::DuplicateSeries {
                        topic: route.topic.clone(),
                        series: point.series.0,
                    });
                }
            }
        }
        Ok(())
    }
}

fn points(route: &Route) -> Box<dyn Iterator<Item = &Point> + '_> {
    match &route.payload {
        Payload::Value { point, .. } => Box::new(std::iter::once(point)),
        Payload::Object { fields } => Box::new(fields.iter().map(|field| &field.point)),
    }
}

fn check(route: &Route) -> Result<(), RouteError> {
    let topic = &route.topic;
    if topic.is_empty() || topic.len() > TOPIC_BYTES_MAX {
        return Err(RouteError::Length(topic.clone()));
    }
    if topic.contains(['+', '#', '\0']) {
        return Err(RouteError::Wildcard(topic.clone()));
    }
    points(route).try_for_each(|point| check_conversion(topic, point))?;
    check_members(route)
}

fn check_conversion(topic: &str, point: &Point) -> Result<(), RouteError> {
    let Some(conversion) = point.conversion else { return Ok(()) };
    if conversion.scale.is_finite() && conversion.scale != 0.0 && conversion.offset.is_finite() {
        return Ok(());
    }
    Err(RouteError::Conversion {
        topic: topic.to_owned(),
        scale: conversion.scale.to_string(),
        offset: conversion.offset.to_string(),
    })
}

fn check_members(route: &Route) -> Result<(), RouteError> {
    let values: Vec<&str> = match &route.payload {
        Payload::Value { member, .. } => vec![member],
        Payload::Object { fields } if fields.is_empty() => {
            return Err(RouteError::NoFields(route.topic.clone()));
        }
        Payload::Object { fields } => fields.iter().map(|field| field.name.as_str()).collect(),
    };
    let mut seen = HashSet::from([route.envelope.time.as_str()]);
    for member in std::iter::once(route.envelope.quality.as_str()).chain(values) {
        if !seen.insert(member) {
            return Err(RouteError::DuplicateMember {
                topic: route.topic.clone(),
                member: member.to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Conversion, Field};
    use geminus_core::SeriesId;
    use std::sync::Arc;

    #[test]
    fn a_topic_finds_all_its_routes_and_nothing_else() {
        let routes = vec![
            Route::value("hall/ambient", SeriesId(2)),
            Route::value("pump/1/flow", SeriesId(0)),
            Route::value("hall/ambient", SeriesId(1)),
        ];
        let table = Routes::build(routes).expect("table");
        assert_eq!(table.of(b"hall/ambient").len(), 2);
        assert_eq!(table.of(b"pump/1/flow").len(), 1);
        assert!(table.of(b"pump/1").is_empty() && table.of(b"").is_empty());
        assert_eq!(table.topics().collect::<Vec<_>>(), ["hall/ambient", "pump/1/flow"]);
    }

    #[test]
    fn routes_that_cannot_be_meant_so_are_refused_by_name() {
        let with = |scale: f64| {
            let mut route = Route::value("t", SeriesId(0));
            if let Payload::Value { point, .. } = &mut route.payload {
                point.conversion = Some(Conversion { scale, offset: 0.0 });
            }
            route
        };
        let object = |names: &[&str]| Route {
            topic: "t".to_owned(),
            payload: Payload::Object {
                fields: (0..)
                    .zip(names)
                    .map(|(n, name)| Field { name: (*name).to_owned(), point: Point::plain(SeriesId(n)) })
                    .collect(),
            },
            envelope: Arc::default(),
        };
        let cases = [
            (vec![Route::value("", SeriesId(0))], "must have 1 to 65,535 bytes"),
            (vec![Route::value("a/+/b", SeriesId(0))], "must be exact"),
            (vec![Route::value("a/#", SeriesId(0))], "must be exact"),
            (vec![with(0.0)], "must be finite and its scale not zero"),
            (vec![with(f64::NAN)], "must be finite and its scale not zero"),
            (vec![object(&[])], "at least one field"),
            (vec![object(&["a", "a"])], "`a` is named twice"),
            (vec![object(&["time"])], "`time` is named twice"),
            (vec![Route::value("t", SeriesId(3)), Route::value("t", SeriesId(3))], "feeds series 3 twice"),
        ];
        for (routes, expect) in cases {
            let error = Routes::build(routes).expect_err(expect).to_string();
            assert!(error.contains(expect), "{error}");
        }
    }
}
