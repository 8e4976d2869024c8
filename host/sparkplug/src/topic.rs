//! Topics of Sparkplug B 3.0: `spBv1.0/group/type/node[/device]` and `spBv1.0/STATE/host`.

use crate::Refusal;

/// First level of every topic.
pub const NAMESPACE: &str = "spBv1.0";

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// NBIRTH.
    NodeBirth,
    /// NDEATH.
    NodeDeath,
    /// NDATA.
    NodeData,
    /// DBIRTH.
    DeviceBirth,
    /// DDEATH.
    DeviceDeath,
    /// DDATA.
    DeviceData,
    /// NCMD or DCMD: from a host to an edge node.
    Command,
}

/// A topic taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic<'a> {
    /// Of an edge node or one of its devices.
    Edge {
        /// What it is.
        kind: Kind,
        /// Group id.
        group: &'a str,
        /// Edge node id.
        node: &'a str,
        /// Device id; there exactly for D-messages.
        device: Option<&'a str>,
    },
    /// STATE of the host application with this id.
    State(&'a str),
}

impl<'a> Topic<'a> {
    /// Takes a topic apart.
    ///
    /// # Errors
    /// [`Refusal::Topic`].
    pub fn parse(topic: &'a [u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(topic).map_err(|_| Refusal::Topic)?;
        let mut levels = text.split('/');
        if levels.next() != Some(NAMESPACE) {
            return Err(Refusal::Topic);
        }
        let mut next = || levels.next().filter(|level| is_id(level)).ok_or(Refusal::Topic);
        let group = next()?;
        let kind = next()?;
        if group == "STATE" {
            return match levels.next() {
                None => Ok(Self::State(kind)),
                Some(_) => Err(Refusal::Topic),
            };
        }
        let node = next()?;
        let device = levels.next();
        if levels.next().is_some() || device.is_some_and(|device| !is_id(device)) {
            return Err(Refusal::Topic);
        }
        let kind = match (kind, device.is_some()) {
            ("NBIRTH", false) => Kind::NodeBirth,
            ("NDEATH", false) => Kind::NodeDeath,
            ("NDATA", false) => Kind::NodeData,
            ("DBIRTH", true) => Kind::DeviceBirth,
            ("DDEATH", true) => Kind::DeviceDeath,
            ("DDATA", true) => Kind::DeviceData,
            ("NCMD", false) | ("DCMD", true) => Kind::Command,
            _ => return Err(Refusal::Topic),
        };
        Ok(Self::Edge { kind, group, node, device })
    }
}

/// Whether a text may be a group, node, device or host id: one level of a topic, without wildcards.
#[must_use]
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', '+', '#', '\0'])
}

/// Which edge node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName {
    /// Group id.
    pub group: String,
    /// Edge node id.
    pub node: String,
}

impl NodeName {
    /// The one subscription that covers the node and all its devices.
    #[must_use]
    pub fn filter(&self) -> String {
        format!("{NAMESPACE}/{}/+/{}/#", self.group, self.node)
    }

    /// Where it takes commands.
    #[must_use]
    pub fn command_topic(&self) -> String {
        format!("{NAMESPACE}/{}/NCMD/{}", self.group, self.node)
    }
}

impl std::fmt::Display for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.group, self.node)
    }
}

/// Where `[[bind]]` says that values come from: `spBv1.0/group/node[/device]`, which is a topic without its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The edge node.
    pub node: NodeName,
    /// The device; `None` for metrics of the node itself.
    pub device: Option<String>,
}

impl std::str::FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let levels: Vec<&str> = text.split('/').collect();
        let (group, node, device) = match *levels {
            [NAMESPACE, group, node] => (group, node, None),
            [NAMESPACE, group, node, device] => (group, node, Some(device)),
            _ => return Err(PlaceError(text.to_owned())),
        };
        let ids = [group, node].into_iter().chain(device);
        if group == "STATE" || !ids.into_iter().all(is_id) {
            return Err(PlaceError(text.to_owned()));
        }
        let node = NodeName { group: group.to_owned(), node: node.to_owned() };
        Ok(Self { node, device: device.map(str::to_owned) })
    }
}

/// A text that is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no edge node: write spBv1.0/group/node, or spBv1.0/group/node/device, without wildcards"
)]
pub struct PlaceError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_taken_apart_and_others_refused() {
        let edge = |kind, device: Option<&'static str>| {
            Ok(Topic::Edge { kind, group: "plant", node: "edge-1", device })
        };
        for (topic, expect) in [
            ("spBv1.0/plant/NBIRTH/edge-1", edge(Kind::NodeBirth, None)),
            ("spBv1.0/plant/NDEATH/edge-1", edge(Kind::NodeDeath, None)),
            ("spBv1.0/plant/NDATA/edge-1", edge(Kind::NodeData, None)),
            ("spBv1.0/plant/DBIRTH/edge-1/pump-1", edge(Kind::DeviceBirth, Some("pump-1"))),
            ("spBv1.0/plant/DDEATH/edge-1/pump-1", edge(Kind::DeviceDeath, Some("pump-1"))),
            ("spBv1.0/plant/DDATA/edge-1/pump-1", edge(Kind::DeviceData, Some("pump-1"))),
            ("spBv1.0/plant/NCMD/edge-1", edge(Kind::Command, None)),
            ("spBv1.0/plant/DCMD/edge-1/pump-1", edge(Kind::Command, Some("pump-1"))),
            ("spBv1.0/STATE/host", Ok(Topic::State("host"))),
            ("spBv1.0/STATE/host/more", Err(Refusal::Topic)),
            ("spBv1.0/STATE/", Err(Refusal::Topic)),
            ("STATE/host", Err(Refusal::Topic)),
            ("spBv1.0/plant/NBIRTH/edge-1/pump-1", Err(Refusal::Topic)),
            ("spBv1.0/plant/DBIRTH/edge-1", Err(Refusal::Topic)),
            ("spBv1.0/plant/DBIRTH/edge-1/", Err(Refusal::Topic)),
            ("spBv1.0/plant/DBIRTH/edge-1/a/b", Err(Refusal::Topic)),
            ("spBv1.0/plant/XDATA/edge-1", Err(Refusal::Topic)),
            ("spBv1.0//NDATA/edge-1", Err(Refusal::Topic)),
            ("spCv1.0/plant/NDATA/edge-1", Err(Refusal::Topic)),
            ("", Err(Refusal::Topic)),
        ] {
            assert_eq!(Topic::parse(topic.as_bytes()), expect, "{topic}");
        }
        assert_eq!(Topic::parse(b"spBv1.0/\xff/NDATA/e"), Err(Refusal::Topic));
    }

    #[test]
    fn a_bind_names_a_node_or_a_device_and_nothing_else() {
        let place: Place = "spBv1.0/plant/edge-1/pump-1".parse().expect("a device");
        assert_eq!(place.device.as_deref(), Some("pump-1"));
        assert_eq!(place.node.filter(), "spBv1.0/plant/+/edge-1/#");
        assert_eq!(place.node.command_topic(), "spBv1.0/plant/NCMD/edge-1");
        let node: Place = "spBv1.0/plant/edge-1".parse().expect("a node");
        assert_eq!(node.device, None);
        for bad in [
            "plant/edge-1",
            "spBv1.0/plant",
            "spBv1.0/plant/+/pump",
            "spBv1.0/a/b/c/d",
            "spBv1.0/STATE/x",
            "",
        ] {
            let error = bad.parse::<Place>().expect_err(bad).to_string();
            assert!(error.contains("spBv1.0/group/node"), "{error}");
        }
    }
}
