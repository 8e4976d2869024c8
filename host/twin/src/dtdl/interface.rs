//! One interface, read strictly: a member that DTDL does not define is refused by its pointer.

use std::collections::BTreeMap;

use geminus_core::unit;
use serde_json::{Map, Value};

use super::DtdlError;
use super::quantity::{self, Quantity};
use super::schema::Schema;

const CONTEXT: &str = "dtmi:dtdl:context;3";
const QUANTITATIVE: &str = "dtmi:dtdl:extension:quantitativeTypes;1";

/// A DTDL v3 interface.
#[derive(Clone, Debug, PartialEq)]
pub struct Interface {
    /// DTMI.
    pub id: String,
    /// Name for people, may be empty.
    pub display_name: String,
    /// What it is, may be empty.
    pub description: String,
    /// DTMIs of interfaces whose contents it has too.
    pub extends: Vec<String>,
    /// Telemetry, properties, commands, relationships, components.
    pub contents: Vec<Content>,
    /// Schemas that contents refer to by DTMI.
    pub schemas: BTreeMap<String, Schema>,
}

/// One element of `contents`.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Sent by the asset.
    Telemetry(Measure),
    /// State of the asset.
    Property(Measure),
    /// Something it can be told to do.
    Command(Command),
    /// A link to another twin.
    Relationship(Relationship),
    /// A part, described by an interface of its own.
    Component(Component),
}

/// Telemetry or Property.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Unique in the interface.
    pub name: String,
    /// Name for people, may be empty.
    pub display_name: String,
    /// What it is, may be empty.
    pub description: String,
    /// UCUM code of its `unit`.
    pub unit: Option<String>,
    /// Type of its values.
    pub schema: Schema,
    /// Whether it may be written (properties only).
    pub writable: bool,
}

/// Something the asset can be told to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Unique in the interface.
    pub name: String,
    /// Name and type of the request's argument.
    pub request: Option<(String, Schema)>,
    /// Name and type of the answer.
    pub response: Option<(String, Schema)>,
}

/// A link to another twin.
#[derive(Clone, Debug, PartialEq)]
pub struct Relationship {
    /// Unique in the interface.
    pub name: String,
    /// DTMI of what it points to; anything when absent.
    pub target: Option<String>,
}

/// A part.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Unique in the interface.
    pub name: String,
    /// DTMI of its interface.
    pub schema: String,
}

impl Interface {
    /// Reads one interface; `at` is the JSON pointer of `json`.
    ///
    /// # Errors
    /// The first thing that is wrong, with its pointer.
    pub fn read(json: &Value, at: &str) -> Result<Self, DtdlError> {
        let members = Members::of(json, at)?;
        members.only(&[
            "@context",
            "@id",
            "@type",
            "displayName",
            "description",
            "comment",
            "extends",
            "contents",
            "schemas",
        ])?;
        let context = words(members.need("@context")?, &members.at("@context"))?;
        if !context.iter().any(|word| word == CONTEXT) {
            return Err(DtdlError::new(&members.at("@context"), format!("must name \"{CONTEXT}\"")));
        }
        let types = words(members.need("@type")?, &members.at("@type"))?;
        if !types.iter().any(|word| word == "Interface") {
            return Err(DtdlError::new(&members.at("@type"), "must be \"Interface\""));
        }
        let schemas = members.each("schemas", |item, at| {
            let id = dtmi(Members::of(item, at)?.need("@id")?, &format!("{at}/@id"))?;
            Ok((id, Schema::read(item, at, &BTreeMap::new())?))
        })?;
        let schemas: BTreeMap<String, Schema> = schemas.into_iter().collect();
        let units = context.iter().any(|word| word == QUANTITATIVE);
        let contents = members.each("contents", |item, at| content(item, at, units, &schemas))?;
        let extends = match members.get("extends") {
            None => Vec::new(),
            Some(Value::Array(list)) => list
                .iter()
                .enumerate()
                .map(|(index, id)| dtmi(id, &format!("{}/{index}", members.at("extends"))))
                .collect::<Result<_, _>>()?,
            Some(one) => vec![dtmi(one, &members.at("extends"))?],
        };
        let interface = Self {
            id: dtmi(members.need("@id")?, &members.at("@id"))?,
            display_name: members.localized("displayName")?,
            description: members.localized("description")?,
            extends,
            contents,
            schemas,
        };
        interface.check_names(at)?;
        Ok(interface)
    }

    fn check_names(&self, at: &str) -> Result<(), DtdlError> {
        let mut seen = std::collections::BTreeSet::new();
        for (index, content) in self.contents.iter().enumerate() {
            if !seen.insert(content.name()) {
                let reason = format!("name \"{}\" is used twice", content.name());
                return Err(DtdlError::new(&format!("{at}/contents/{index}/name"), reason));
            }
        }
        Ok(())
    }
}

impl Content {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Telemetry(measure) | Self::Property(measure) => &measure.name,
            Self::Command(command) => &command.name,
            Self::Relationship(relationship) => &relationship.name,
            Self::Component(component) => &component.name,
        }
    }
}

const KINDS: [&str; 5] = ["Telemetry", "Property", "Command", "Relationship", "Component"];
const COMMON: [&str; 6] = ["@id", "@type", "name", "displayName", "description", "comment"];

fn content(
    item: &Value,
    at: &str,
    units: bool,
    schemas: &BTreeMap<String, Schema>,
) -> Result<Content, DtdlError> {
    let members = Members::of(item, at)?;
    let types = words(members.need("@type")?, &members.at("@type"))?;
    let mut kinds = KINDS.iter().filter(|kind| types.iter().any(|word| word == *kind));
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return Err(DtdlError::new(
            &members.at("@type"),
            format!("must be exactly one of {}", KINDS.join(", ")),
        ));
    };
    let name = members.name()?;
    let also = |more: &[&str]| members.only(&[COMMON.as_slice(), more].concat());
    Ok(match *kind {
        "Telemetry" => {
            also(&["schema", "unit"])?;
            Content::Telemetry(measure(&members, name, &types, units, schemas)?)
        }
        "Property" => {
            also(&["schema", "unit", "writable"])?;
            Content::Property(measure(&members, name, &types, units, schemas)?)
        }
        "Command" => {
            also(&["request", "response", "commandType"])?;
            let payload = |member: &str| {
                members.get(member).map(|value| argument(value, &members.at(member), schemas)).transpose()
            };
            Content::Command(Command { name, request: payload("request")?, response: payload("response")? })
        }
        "Relationship" => {
            also(&["target", "minMultiplicity", "maxMultiplicity", "properties", "writable"])?;
            let target = members.get("target").map(|value| dtmi(value, &members.at("target"))).transpose()?;
            Content::Relationship(Relationship { name, target })
        }
        _ => {
            also(&["schema"])?;
            let schema = dtmi(members.need("schema")?, &members.at("schema"))?;
            Content::Component(Component { name, schema })
        }
    })
}

fn measure(
    members: &Members<'_>,
    name: String,
    types: &[String],
    units: bool,
    schemas: &BTreeMap<String, Schema>,
) -> Result<Measure, DtdlError> {
    let schema = Schema::read(members.need("schema")?, &members.at("schema"), schemas)?;
    let writable = match members.get("writable") {
        None => false,
        Some(value) => {
            value.as_bool().ok_or_else(|| DtdlError::new(&members.at("writable"), "must be true or false"))?
        }
    };
    let unit = match members.get("unit") {
        None => None,
        Some(value) => {
            let at = members.at("unit");
            if !units {
                return Err(DtdlError::new(&at, format!("needs \"{QUANTITATIVE}\" in @context")));
            }
            let quantity = semantic(members, types)?;
            if !schema.is_number() {
                return Err(DtdlError::new(&at, "needs a numeric schema"));
            }
            let dtdl = text(value, &at)?;
            let ucum = unit::ucum_from_dtdl(&dtdl).ok_or_else(|| {
                DtdlError::new(&at, format!("unit \"{dtdl}\" is not known to this version"))
            })?;
            fits(quantity, &dtdl, &at)?;
            Some(ucum.to_owned())
        }
    };
    let (display_name, description) = (members.localized("displayName")?, members.localized("description")?);
    Ok(Measure { name, display_name, description, unit, schema, writable })
}

/// The one semantic type beside Telemetry or Property; others, of other extensions, may stand there too.
fn semantic(members: &Members<'_>, types: &[String]) -> Result<Quantity, DtdlError> {
    let mut found = types.iter().filter_map(|word| quantity::find(word));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(one), Some(other)) => Err(DtdlError::new(
            &members.at("@type"),
            format!(
                "has two semantic types, \"{}\" and \"{}\": a value is one of them",
                one.name, other.name
            ),
        )),
        (None, _) => {
            let other = types.iter().find(|word| !KINDS.contains(&word.as_str()));
            let hint = other.map_or_else(String::new, |word| {
                format!("; \"{word}\" is none{}", crate::problem::did_you_mean(word, quantity::names()))
            });
            let reason = format!("needs a semantic type such as \"Temperature\" beside @type{hint}");
            Err(DtdlError::new(&members.at("unit"), reason))
        }
    }
}

fn fits(quantity: Quantity, dtdl: &str, at: &str) -> Result<(), DtdlError> {
    let Quantity { name, units } = quantity;
    if units.contains(&dtdl) {
        return Ok(());
    }
    let reason = format!("unit \"{dtdl}\" does not measure \"{name}\": it is one of {}", units.join(", "));
    Err(DtdlError::new(at, reason))
}

fn argument(
    value: &Value,
    at: &str,
    schemas: &BTreeMap<String, Schema>,
) -> Result<(String, Schema), DtdlError> {
    let members = Members::of(value, at)?;
    members.only(&[COMMON.as_slice(), &["schema", "unit", "nullable"]].concat())?;
    Ok((members.name()?, Schema::read(members.need("schema")?, &members.at("schema"), schemas)?))
}

/// The members of a JSON object, and where it stands.
pub(super) struct Members<'a> {
    map: &'a Map<String, Value>,
    at: &'a str,
}

impl<'a> Members<'a> {
    pub(super) fn of(json: &'a Value, at: &'a str) -> Result<Self, DtdlError> {
        let map = json.as_object().ok_or_else(|| DtdlError::new(at, "must be a JSON object"))?;
        Ok(Self { map, at })
    }

    pub(super) fn at(&self, member: &str) -> String {
        format!("{}/{member}", self.at)
    }

    pub(super) fn get(&self, member: &str) -> Option<&'a Value> {
        self.map.get(member)
    }

    pub(super) fn need(&self, member: &str) -> Result<&'a Value, DtdlError> {
        self.get(member).ok_or_else(|| DtdlError::new(self.at, format!("\"{member}\" is missing")))
    }

    pub(super) fn only(&self, known: &[&str]) -> Result<(), DtdlError> {
        match self.map.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let hint = crate::problem::did_you_mean(key, known.iter().copied());
                Err(DtdlError::new(&self.at(key), format!("is not a member that DTDL v3 defines here{hint}")))
            }
        }
    }

    pub(super) fn name(&self) -> Result<String, DtdlError> {
        let at = self.at("name");
        let name = text(self.need("name")?, &at)?;
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let ends = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric());
        if ends && name.len() <= 512 && name.chars().all(letters) {
            return Ok(name);
        }
        Err(DtdlError::new(
            &at,
            format!("\"{name}\" must be letters, digits and `_`, starting with a letter"),
        ))
    }

    /// Plain text, or the English (else the first) of a language map.
    pub(super) fn localized(&self, member: &str) -> Result<String, DtdlError> {
        let at = self.at(member);
        match self.get(member) {
            None => Ok(String::new()),
            Some(Value::Object(map)) => {
                let chosen = map.get("en").or_else(|| map.values().next());
                chosen.map_or(Ok(String::new()), |value| text(value, &at))
            }
            Some(value) => text(value, &at),
        }
    }

    pub(super) fn each<T>(
        &self,
        member: &str,
        mut read: impl FnMut(&'a Value, &str) -> Result<T, DtdlError>,
    ) -> Result<Vec<T>, DtdlError> {
        let at = self.at(member);
        match self.get(member) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => {
                list.iter().enumerate().map(|(index, item)| read(item, &format!("{at}/{index}"))).collect()
            }
            Some(_) => Err(DtdlError::new(&at, "must be a JSON array")),
        }
    }
}

pub(super) fn text(value: &Value, at: &str) -> Result<String, DtdlError> {
    value.as_str().map(str::to_owned).ok_or_else(|| DtdlError::new(at, "must be text"))
}

fn words(value: &Value, at: &str) -> Result<Vec<String>, DtdlError> {
    match value {
        Value::Array(list) => list.iter().map(|item| text(item, at)).collect(),
        one => Ok(vec![text(one, at)?]),
    }
}

/// `dtmi:<segment>(:<segment>)*(;<version>)?`
fn dtmi(value: &Value, at: &str) -> Result<String, DtdlError> {
    let id = text(value, at)?;
    let (path, version) =
        id.split_once(';').map_or((id.as_str(), None), |(path, version)| (path, Some(version)));
    let segment = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && !part.ends_with('_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let numbered = version.is_none_or(|version| {
        version.starts_with(|c: char| ('1'..='9').contains(&c))
            && version.split('.').count() <= 2
            && version.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    });
    match path.strip_prefix("dtmi:").is_some_and(|path| path.split(':').all(segment)) && numbered {
        true => Ok(id),
        false => Err(DtdlError::new(at, format!("\"{id}\" is not a DTMI like dtmi:example:PumpRig;1"))),
    }
}
