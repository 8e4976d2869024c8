//! How a node is named in a site file: as OPC UA writes it, with the number or the URI of its namespace. Pure.
//!
//! A server may number its namespaces anew at each start; a name with `nsu=` is looked up after each connection.

use std::fmt;
use std::str::FromStr;

use opcua::types::{NamespaceMap, NodeId};

/// Longest name of a node.
const ADDRESS_BYTES_MAX: usize = 4_096;

/// Name of a node: `ns=2;s=Pump.Load`, `i=2258`, `nsu=urn:maker:line;s=Pump.Load`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeAddress {
    /// URI of the namespace; without it the id has a number.
    uri: Option<String>,
    id: NodeId,
    text: String,
}

/// Why a text names no node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no node: write it like ns=2;s=Pump.Load, ns=2;i=1001 or nsu=urn:maker:line;s=Pump.Load"
)]
pub struct AddressError {
    text: String,
}

impl FromStr for NodeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError { text: text.chars().take(120).collect() };
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(wrong());
        }
        let (uri, rest) = match text.strip_prefix("nsu=") {
            Some(named) => {
                let (uri, rest) = named.split_once(';').ok_or_else(wrong)?;
                if uri.is_empty() || rest.starts_with("ns=") {
                    return Err(wrong());
                }
                (Some(uri.to_owned()), rest)
            }
            None => (None, text),
        };
        let id: NodeId = rest.parse().map_err(|_| wrong())?;
        if id.is_null() {
            return Err(wrong());
        }
        Ok(Self { uri, id, text: text.to_owned() })
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl NodeAddress {
    /// Whether the namespaces of the server must be known.
    pub(crate) fn needs_namespaces(&self) -> bool {
        self.uri.is_some()
    }

    /// The node on a server with these namespaces; `None` when it has not the one that is named.
    pub(crate) fn on(&self, namespaces: &NamespaceMap) -> Option<NodeId> {
        match &self.uri {
            None => Some(self.id.clone()),
            Some(uri) => {
                let namespace = namespaces.get_index(uri)?;
                Some(NodeId { namespace, identifier: self.id.identifier.clone() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_named_as_opc_ua_writes_them() {
        for good in [
            "ns=2;s=Pump.Load",
            "i=2258",
            "ns=3;i=1001",
            "ns=2;g=72962b91-fa75-4ae6-8d28-b404dc7daf63",
            "ns=3;s=\"DB 1\".\"load\"",
            "nsu=urn:maker:line;s=Pump.Load",
        ] {
            let address: NodeAddress = good.parse().expect(good);
            assert_eq!(address.to_string(), good);
        }
        for bad in [
            "",
            "Pump.Load",
            "ns=2",
            "ns=x;s=a",
            "nsu=;s=a",
            "nsu=urn:a",
            "nsu=urn:a;ns=2;s=a",
            "i=0",
            "ns=70000;i=1",
        ] {
            assert!(bad.parse::<NodeAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_namespace_is_looked_up_by_its_uri() {
        let mut namespaces = NamespaceMap::new();
        let number = namespaces.add_namespace("urn:maker:line");
        let address: NodeAddress = "nsu=urn:maker:line;s=Load".parse().expect("address");
        assert!(address.needs_namespaces());
        assert_eq!(address.on(&namespaces), Some(NodeId::new(number, "Load")));
        let other: NodeAddress = "nsu=urn:other;s=Load".parse().expect("address");
        assert_eq!(other.on(&namespaces), None);
        let plain: NodeAddress = "ns=7;i=5".parse().expect("address");
        assert_eq!(plain.on(&namespaces), Some(NodeId::new(7, 5_u32)));
    }
}
