//! What of the field can be known to be wrong before anything runs: addresses of brokers, the tables that topics are
//! looked up in, and recordings. Each is asked of the code that `run` uses, so that a site that passes here also starts.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use geminus_ingest::csv::{MapError, Recording, RecordingError};
use geminus_ingest::mqtt::Address;
use geminus_twin::plant::Route;
use geminus_twin::problem::Problems;
use geminus_twin::{Plant, Site, site};

use super::{table, topics};
use crate::runtime::commands::egress;
use crate::runtime::replay;

/// A longer header is no header.
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// What is wrong with the address of a broker, or of an OPC UA server.
///
/// # Errors
/// In an operator's words.
pub(crate) fn address(url: &str) -> Result<(), String> {
    if url.starts_with("opc.tcp:") {
        return geminus_opcua::check_endpoint(url).map_err(|error| error.to_string());
    }
    url.parse::<Address>().map(drop).map_err(|error| error.to_string())
}

/// The tables of all sources. Copies every route, so for a check only: a start builds them itself.
pub(crate) fn tables(site: &Site, plant: &Plant, problems: &mut Problems) {
    for (place, (source, routes)) in plant.sources.iter().zip(&plant.routes).enumerate() {
        if source.sparkplug.is_some() {
            if let Some((bind, error)) = super::sparkplug::wrong_place(routes) {
                problems.add(&site.path, site.line(&format!("bind[{bind}].topic")), error);
            }
            continue;
        }
        if source.opcua.is_some() {
            if let Some((bind, error)) = super::opcua::wrong_node(routes) {
                problems.add(&site.path, site.line(&format!("bind[{bind}].topic")), error);
            }
            if let Some((target, key, error)) = egress::wrong_node(plant, &source.name) {
                problems.add(&site.path, site.line(&format!("target[{target}].{key}")), error);
            }
            continue;
        }
        if let Err(error) = table(routes.clone()) {
            let message = format!("source \"{}\": {error}", source.name);
            problems.add(&site.path, site.line(&format!("source[{place}]")), message);
        }
    }
}

/// The certificates of all brokers. Passwords are left out: a check may run where they are not. Blocks on the files.
pub(crate) fn certificates(site: &Site, plant: &Plant, problems: &mut Problems) {
    let mut check = |broker, key: String, who: String| {
        if let Err(error) = super::broker::tls(broker, &site.beside("")) {
            problems.add(&site.path, site.line(&key), format!("{who}: {error:#}"));
        }
    };
    for (place, source) in plant.sources.iter().enumerate() {
        let Some(broker) = source.broker() else { continue };
        let kind = if source.mqtt.is_some() { "mqtt" } else { "sparkplug" };
        check(broker, format!("source[{place}].{kind}.tls"), format!("source \"{}\"", source.name));
    }
    for (name, publish) in &site.document.publish {
        check(publish.broker(), format!("publish.{name}.tls"), format!("publish.{name}"));
    }
}

/// The recordings that can be played, each with the name of its source. Blocks on the files.
pub(crate) fn recordings(site: &Site, plant: &Plant, problems: &mut Problems) -> Vec<(String, Recording)> {
    let mut all = Vec::new();
    for (place, (source, routes)) in plant.sources.iter().zip(&plant.routes).enumerate() {
        let Some(csv) = source.csv.as_ref().filter(|_| !routes.is_empty()) else { continue };
        if !has_what_it_needs(site, plant, (place, csv, routes), problems) {
            continue;
        }
        match super::recording(csv, routes, &site.beside("")) {
            Ok(recording) => all.push((source.name.clone(), recording)),
            Err(error) => {
                let line = site.line(&format!("source[{place}].csv.path"));
                problems.add(&site.path, line, format!("source \"{}\": {error:#}", source.name));
            }
        }
    }
    all
}

/// Whether the header has all columns. Each that is missing is a problem of its own.
fn has_what_it_needs(
    site: &Site,
    plant: &Plant,
    (place, csv, routes): (usize, &site::Csv, &[Route]),
    problems: &mut Problems,
) -> bool {
    let path = site.beside(&csv.path);
    let shown = path.display();
    let mut report = |key: &str, message: String| problems.add(&site.path, site.line(key), message);
    let key = |part: &str| format!("source[{place}].csv.{part}");
    let columns = topics(routes);
    let mut columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    // Each column that is missing is named: without it, the next one is found.
    let mut complete = true;
    while !columns.is_empty() {
        let found = match header(csv, &path, &columns) {
            Ok(found) => found,
            Err(error) => {
                report(&key("path"), format!("recording {shown} cannot be read: {error}"));
                return false;
            }
        };
        match found {
            Ok(()) => return complete,
            Err(RecordingError::Map(MapError::UnknownColumn { column, known })) => {
                let Some(route) = routes.iter().find(|route| route.topic == column) else {
                    let message = format!("time column \"{column}\" is not in {shown}, which has: {known}");
                    report(&key("time_column"), message);
                    return false;
                };
                let (twin, point) =
                    route.series().next().and_then(|series| plant.name_of(series)).unwrap_or(("?", "?"));
                let message = format!(
                    "point \"{point}\" of twin \"{twin}\": column \"{column}\" is not in {shown}, which has: {known}"
                );
                report(&format!("bind[{}].topic", route.bind), message);
                columns.retain(|one| *one != column);
                complete = false;
            }
            Err(other) => {
                report(&key("path"), format!("recording {shown}: {other}"));
                return false;
            }
        }
    }
    complete
}

/// Whether the file of a source can be played, as far as its header says; `columns` are those that the site binds. Blocks
/// on the file, of which it reads the beginning.
///
/// # Errors
/// When the file cannot be read; inside, why it cannot be played.
fn header(csv: &site::Csv, path: &Path, columns: &[&str]) -> std::io::Result<Result<(), RecordingError>> {
    let mut reader = BufReader::new(std::fs::File::open(path)?);
    let mut first = Vec::new();
    reader.by_ref().take(HEADER_BYTES_MAX).read_until(b'\n', &mut first)?;
    let has_rows = !reader.fill_buf()?.is_empty();
    let first = String::from_utf8_lossy(&first);
    Ok(match Recording::parse(&first, &replay::map(&first, csv, columns)) {
        // A header that everything is right with still has no rows of its own.
        Err(RecordingError::Empty("rows")) if has_rows => Ok(()),
        other => other.map(drop),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_no_source_can_use_is_known() {
        for good in ["mqtt://broker", "tcp://127.0.0.1:1883/", "mqtt://ann:secret@[::1]:1", "mqtts://broker"]
        {
            assert_eq!(address(good), Ok(()), "{good}");
        }
        for (bad, says) in [
            ("http://x:1", "`http://` is not spoken"),
            ("mqtt://127.0.0.1:119000/path", "is not an address"),
            ("mqtt://", "is not an address"),
            ("mqtt://:1883", "is not an address"),
            ("broker", "is not an address"),
        ] {
            let said = address(bad).expect_err(bad);
            assert!(said.contains(says), "{bad}: {said}");
        }
    }
}
