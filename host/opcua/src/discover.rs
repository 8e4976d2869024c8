//! Looks through a server and writes what it found as a part of a site file.
//!
//! Reads only. Everything that the server says has a bound: nodes, depth, references, the length of names. What is found is
//! a proposal: twins and points get the names that the server uses, and a person decides what to keep.

use std::collections::{HashSet, VecDeque};

use geminus_core::Timestamp;
use opcua::client::services::{Browse, BrowseNext, Read};
use opcua::types::{
    AttributeId, BrowseDescription, BrowseDescriptionResultMask, BrowseDirection, BrowseResult, NamespaceMap,
    NodeClass, NodeId, ObjectId, ReadValueId, ReferenceDescription, ReferenceTypeId, Variant, VariantTypeId,
};

use crate::link::{self, Link};
use crate::{NodeAddress, OpcUaOptions, status, value};

mod text;

/// Nodes that are asked for what is below them in one request.
const BROWSE_MAX: u32 = 50;
/// Nodes below one node that are told at a time.
const REFERENCES_MAX: u32 = 1_000;
/// Values that are read in one request.
const READ_MAX: usize = 200;
/// Longest name that is kept.
const NAME_CHARS_MAX: usize = 100;

/// How far it is looked.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Nodes that are looked at.
    pub nodes_max: usize,
    /// Steps from the first node.
    pub depth_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { nodes_max: 10_000, depth_max: 16 }
    }
}

/// A variable of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Names from the first node to the object that has it.
    pub path: Vec<String>,
    /// Its own name.
    pub name: String,
    /// Its node, with the URI of the namespace where that can stand in a site file.
    pub node: String,
    /// Type of its value, as it is now; `None` when the server did not tell it.
    pub kind: Option<String>,
    /// Whether a point can hold it.
    pub fits: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// In the order of the server.
    pub variables: Vec<Variable>,
    /// Whether a bound was met, so that there is more.
    pub cut: bool,
}

/// Why nothing could be found.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The options.
    #[error(transparent)]
    Options(#[from] crate::OpcUaError),
    /// The connection, in words.
    #[error("{endpoint}: {reason}")]
    Connection {
        /// To whom.
        endpoint: String,
        /// Why not.
        reason: String,
    },
    /// A namespace that the server has not.
    #[error("the server has not the namespace of `{0}`")]
    Namespace(String),
    /// What the server said to a request.
    #[error("the server does not let us look: {0}")]
    Refused(String),
}

/// Looks below `under`, or below the folder of all objects. Needs a tokio runtime.
///
/// # Errors
/// [`DiscoverError`].
pub async fn discover(
    options: &OpcUaOptions,
    under: Option<&NodeAddress>,
    bounds: Bounds,
    now: Timestamp,
) -> Result<Found, DiscoverError> {
    options.check()?;
    let endpoint = options.endpoint.clone();
    let link = link::open(options, now)
        .await
        .map_err(|error| DiscoverError::Connection { endpoint, reason: error.to_string() })?;
    let found = look(&link, under, bounds).await;
    link.goodbye(None).await;
    found
}

async fn look(link: &Link, under: Option<&NodeAddress>, bounds: Bounds) -> Result<Found, DiscoverError> {
    let refused = |error: opcua::types::Error| DiscoverError::Refused(status::name(error.status()));
    let namespaces = link.namespaces().await.map_err(refused)?;
    let first = match under {
        Some(under) => under.on(&namespaces).ok_or_else(|| DiscoverError::Namespace(under.to_string()))?,
        None => NodeId::objects_folder_id(),
    };
    let mut walk = Walk::new(first, bounds);
    while let Some(steps) = walk.next() {
        let nodes = steps.iter().map(|step| description(&step.node)).collect();
        let browse =
            Browse::new(&link.session).max_references_per_node(REFERENCES_MAX).nodes_to_browse(nodes);
        let response = link.ask(browse).await.map_err(refused)?;
        let results: Vec<BrowseResult> = response.results.into_iter().flatten().collect();
        for (step, result) in steps.iter().zip(results) {
            below(link, &mut walk, step, result).await.map_err(refused)?;
        }
    }
    let kinds = kinds(link, &walk.variables).await.map_err(refused)?;
    // What the first node itself has belongs to it, by the name in its id.
    let root = under.map(|under| {
        let text = under.to_string();
        text.rsplit('=').next().unwrap_or_default().chars().take(NAME_CHARS_MAX).collect::<String>()
    });
    let variables = walk.variables.iter().zip(kinds);
    let variables = variables.map(|((path, name, node), (kind, fits))| Variable {
        path: if path.is_empty() { root.iter().cloned().collect() } else { path.clone() },
        name: name.clone(),
        node: named(node, &namespaces),
        kind,
        fits,
    });
    Ok(Found { variables: variables.collect(), cut: walk.cut })
}

/// Everything below one node, in as many parts as the server makes of it.
async fn below(
    link: &Link,
    walk: &mut Walk,
    step: &Step,
    result: BrowseResult,
) -> Result<(), opcua::types::Error> {
    let mut result = result;
    loop {
        for reference in result.references.into_iter().flatten() {
            walk.take(step, &reference);
        }
        let point = result.continuation_point;
        if point.is_null_or_empty() {
            return Ok(());
        }
        let full = walk.cut;
        let next = BrowseNext::new(&link.session).continuation_point(point).release_continuation_points(full);
        let response = link.ask(next).await?;
        match response.results.into_iter().flatten().next() {
            Some(more) if !full => result = more,
            _ => return Ok(()),
        }
    }
}

/// A node whose neighbours are to be looked at.
struct Step {
    node: NodeId,
    path: Vec<String>,
}

/// The way through the server, each node once.
struct Walk {
    ahead: VecDeque<Step>,
    seen: HashSet<NodeId>,
    variables: Vec<(Vec<String>, String, NodeId)>,
    bounds: Bounds,
    cut: bool,
}

impl Walk {
    fn new(first: NodeId, bounds: Bounds) -> Self {
        // What a server says of itself is no part of a plant.
        let seen = HashSet::from([first.clone(), ObjectId::Server.into(), ObjectId::TypesFolder.into()]);
        let ahead = VecDeque::from([Step { node: first, path: Vec::new() }]);
        Self { ahead, seen, variables: Vec::new(), bounds, cut: false }
    }

    fn next(&mut self) -> Option<Vec<Step>> {
        let count = self.ahead.len().min(BROWSE_MAX as usize);
        let steps: Vec<Step> = self.ahead.drain(..count).collect();
        Some(steps).filter(|steps| !steps.is_empty())
    }

    fn take(&mut self, step: &Step, reference: &ReferenceDescription) {
        let property = reference.reference_type_id == ReferenceTypeId::HasProperty;
        let elsewhere = reference.node_id.server_index != 0 || !reference.node_id.namespace_uri.is_empty();
        let node = &reference.node_id.node_id;
        if property || elsewhere || self.seen.contains(node) {
            return;
        }
        if self.seen.len() >= self.bounds.nodes_max {
            self.cut = true;
            return;
        }
        self.seen.insert(node.clone());
        let name =
            reference.browse_name.name.as_ref().chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX);
        let name: String = name.collect();
        let mut path = step.path.clone();
        match reference.node_class {
            NodeClass::Variable => {
                self.variables.push((path.clone(), name.clone(), node.clone()));
            }
            NodeClass::Object => {}
            _ => return,
        }
        path.push(name);
        match path.len() < self.bounds.depth_max {
            true => self.ahead.push_back(Step { node: node.clone(), path }),
            false => self.cut = true,
        }
    }
}

fn description(node: &NodeId) -> BrowseDescription {
    BrowseDescription {
        node_id: node.clone(),
        browse_direction: BrowseDirection::Forward,
        reference_type_id: ReferenceTypeId::HierarchicalReferences.into(),
        include_subtypes: true,
        node_class_mask: 0,
        result_mask: BrowseDescriptionResultMask::all().bits(),
    }
}

/// The type of what each variable holds, and whether a point can hold it too.
async fn kinds(
    link: &Link,
    variables: &[(Vec<String>, String, NodeId)],
) -> Result<Vec<(Option<String>, bool)>, opcua::types::Error> {
    let mut kinds = Vec::with_capacity(variables.len());
    for chunk in variables.chunks(READ_MAX) {
        let nodes = chunk.iter().map(|(_, _, node)| ReadValueId {
            node_id: node.clone(),
            attribute_id: AttributeId::Value as u32,
            ..ReadValueId::default()
        });
        let response = link.ask(Read::new(&link.session).nodes_to_read(nodes.collect())).await?;
        let mut values = response.results.into_iter().flatten();
        for _ in chunk {
            let held = values.next().and_then(|value| value.value);
            kinds.push(held.as_ref().map_or((None, true), kind));
        }
    }
    Ok(kinds)
}

fn kind(held: &Variant) -> (Option<String>, bool) {
    match held.type_id() {
        VariantTypeId::Empty => (None, true),
        _ => {
            let number = held.is_numeric() || matches!(held, Variant::Boolean(_));
            let text = matches!(held, Variant::String(_));
            (Some(value::type_name(held)), number || text)
        }
    }
}

/// A node as a site file names it: by the URI of its namespace, whose number may change at the server's next start.
fn named(node: &NodeId, namespaces: &NamespaceMap) -> String {
    let plain = node.to_string();
    let known = namespaces.known_namespaces().iter().find(|(_, number)| **number == node.namespace);
    match (known, plain.split_once(';')) {
        (Some((uri, _)), Some((_, rest)))
            if node.namespace > 0 && !uri.contains([';', '#', '+', '{', '}']) =>
        {
            format!("nsu={uri};{rest}")
        }
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use opcua::types::{ExpandedNodeId, QualifiedName};

    use super::*;

    fn reference(node: NodeId, name: &str, class: NodeClass, kind: ReferenceTypeId) -> ReferenceDescription {
        ReferenceDescription {
            reference_type_id: kind.into(),
            is_forward: true,
            node_id: ExpandedNodeId::from(node),
            browse_name: QualifiedName::new(2, name),
            node_class: class,
            ..ReferenceDescription::default()
        }
    }

    #[test]
    fn each_node_is_met_once_and_a_circle_ends() {
        let mut walk = Walk::new(NodeId::objects_folder_id(), Bounds::default());
        let organizes = ReferenceTypeId::Organizes;
        let first = walk.next().expect("the first");
        let pump = NodeId::new(2, "Pump");
        for _ in 0..3 {
            walk.take(&first[0], &reference(pump.clone(), "Pump", NodeClass::Object, organizes));
        }
        let next = walk.next().expect("the pump");
        assert_eq!(next.len(), 1);
        walk.take(&next[0], &reference(NodeId::objects_folder_id(), "Objects", NodeClass::Object, organizes));
        let load = reference(
            NodeId::new(2, "Load"),
            "Lo\u{7}ad",
            NodeClass::Variable,
            ReferenceTypeId::HasComponent,
        );
        walk.take(&next[0], &load);
        walk.take(
            &next[0],
            &reference(NodeId::new(2, "EU"), "EU", NodeClass::Variable, ReferenceTypeId::HasProperty),
        );
        walk.take(&next[0], &reference(NodeId::new(2, "Start"), "Start", NodeClass::Method, organizes));
        let found = [(vec!["Pump".to_owned()], "Load".to_owned(), NodeId::new(2, "Load"))];
        assert_eq!(walk.variables, found);
        assert!(walk.next().is_some() && walk.next().is_none() && !walk.cut);
    }

    #[test]
    fn nodes_and_depth_have_bounds_and_it_is_said() {
        let organizes = ReferenceTypeId::Organizes;
        let mut walk = Walk::new(NodeId::objects_folder_id(), Bounds { nodes_max: 10, depth_max: 2 });
        let first = walk.next().expect("the first");
        walk.take(&first[0], &reference(NodeId::new(2, "a"), "a", NodeClass::Object, organizes));
        assert!(!walk.cut);
        let a = walk.next().expect("a");
        walk.take(&a[0], &reference(NodeId::new(2, "b"), "b", NodeClass::Object, organizes));
        assert!(walk.cut && walk.next().is_none(), "deeper is not looked");
        let mut walk = Walk::new(NodeId::objects_folder_id(), Bounds { nodes_max: 10, depth_max: 9 });
        let first = walk.next().expect("the first");
        for number in 0..100_u32 {
            walk.take(&first[0], &reference(NodeId::new(2, number), "x", NodeClass::Variable, organizes));
        }
        assert!(walk.cut && walk.variables.len() < 10);
    }

    #[test]
    fn nodes_are_named_by_uri_where_a_site_file_can() {
        let mut namespaces = NamespaceMap::new();
        let (plain, odd) = (namespaces.add_namespace("urn:plant"), namespaces.add_namespace("http://x#y"));
        assert_eq!(named(&NodeId::new(plain, "a;b"), &namespaces), "nsu=urn:plant;s=a;b");
        assert_eq!(named(&NodeId::new(odd, 7_u32), &namespaces), format!("ns={odd};i=7"));
        assert_eq!(named(&NodeId::new(0, 7_u32), &namespaces), "i=7");
        for name in ["nsu=urn:plant;s=a;b", "i=7"] {
            assert!(name.parse::<NodeAddress>().is_ok(), "{name}");
        }
    }
}
