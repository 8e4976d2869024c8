//! What an order becomes at a server: a value written to a node, or a method called, in the type that the node has.
//!
//! Servers were seen to take an array for a number and a number of another type, so type and shape are looked up before
//! anything is sent. What the server then says is told apart from what nobody knows.

use std::fmt;
use std::str::FromStr;

use geminus_dispatch::Answer;
use opcua::client::Session;
use opcua::client::services::{Browse, Call, Read, Write};
use opcua::types::{
    Argument, AttributeId, BrowseDescription, BrowseDescriptionResultMask, BrowseDirection,
    CallMethodRequest, DataValue, Error, NamespaceMap, NodeId, ReadValueId, ReferenceTypeId, StatusCode,
    Variant, VariantScalarTypeId, VariantTypeId, WriteValue,
};

use crate::address::AddressError;
use crate::link::ask;
use crate::{NodeAddress, status, value};

/// Between the object and its method.
const METHOD: &str = " | ";

/// Where an order goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Destination {
    /// Into the value of a node: `ns=2;s=Pump.Setpoint`.
    Value(NodeAddress),
    /// To a method with one argument: `ns=2;s=Pump | ns=2;s=Pump.SetSpeed`.
    Method {
        /// Whose method.
        object: NodeAddress,
        /// The method.
        method: NodeAddress,
    },
}

impl FromStr for Destination {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.split_once(METHOD) {
            Some((object, method)) => Ok(Self::Method { object: object.parse()?, method: method.parse()? }),
            None => Ok(Self::Value(text.parse()?)),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(node) => write!(f, "{node}"),
            Self::Method { object, method } => write!(f, "{object}{METHOD}{method}"),
        }
    }
}

/// A destination at the server that we are connected to, and the type that it takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    Value(NodeId, VariantScalarTypeId),
    Method(NodeId, NodeId, VariantScalarTypeId),
}

impl Place {
    /// Looks a destination up. Sends nothing that changes anything.
    ///
    /// # Errors
    /// In words, why nothing can be sent there.
    pub(crate) async fn of(
        destination: &Destination,
        session: &Session,
        namespaces: &NamespaceMap,
    ) -> Result<Self, String> {
        match destination {
            Destination::Value(node) => {
                let node = on(node, namespaces)?;
                let wanted =
                    type_of(session, &node).await.map_err(|why| format!("`{destination}`: {why}"))?;
                Ok(Self::Value(node, wanted))
            }
            Destination::Method { object, method } => {
                let (object, method) = (on(object, namespaces)?, on(method, namespaces)?);
                let wanted =
                    argument_of(session, &method).await.map_err(|why| format!("`{destination}`: {why}"))?;
                Ok(Self::Method(object, method, wanted))
            }
        }
    }

    /// The value in the type that is taken here.
    ///
    /// # Errors
    /// In words, why it does not fit.
    pub(crate) fn variant(&self, number: f64) -> Result<Variant, String> {
        let (Self::Value(_, wanted) | Self::Method(_, _, wanted)) = self;
        value::variant(number, *wanted)
    }

    /// The number of a sign of life in the type that is taken here. It begins again at 0 behind the largest that the type has:
    /// a boolean changes its value with each.
    ///
    /// # Errors
    /// In words, why there is none.
    pub(crate) fn count(&self, sequence: u64) -> Result<Variant, String> {
        let (Self::Value(_, wanted) | Self::Method(_, _, wanted)) = self;
        value::variant((sequence % value::turn(*wanted)) as f64, *wanted)
    }

    /// Sends it, once, and gives what the server said, if it said something; [`answer`] says what that means.
    pub(crate) async fn send(self, session: &Session, value: Variant) -> Result<Option<StatusCode>, Error> {
        match self {
            Self::Value(node, _) => {
                let write = WriteValue {
                    node_id: node,
                    attribute_id: AttributeId::Value as u32,
                    index_range: Default::default(),
                    // Many servers refuse a value that brings a time or a status of its own.
                    value: DataValue { value: Some(value), ..DataValue::null() },
                };
                let response = ask(session, Write::new(session).node(write)).await?;
                Ok(response.results.into_iter().flatten().next())
            }
            Self::Method(object_id, method_id, _) => {
                let input_arguments = Some(vec![value]);
                let call = CallMethodRequest { object_id, method_id, input_arguments };
                let response = ask(session, Call::new(session).method(call)).await?;
                Ok(response.results.into_iter().flatten().next().map(|result| result.status_code))
            }
        }
    }
}

fn on(node: &NodeAddress, namespaces: &NamespaceMap) -> Result<NodeId, String> {
    node.on(namespaces).ok_or_else(|| format!("the server has not the namespace of `{node}`"))
}

/// What is known of an order by what the server said of it.
pub(crate) fn answer(said: Result<Option<StatusCode>, Error>) -> Answer {
    let code = match said {
        Ok(Some(code)) => code,
        Ok(None) => return Answer::Lost { reason: "the server answered without a result".to_owned() },
        Err(error) => {
            let name = status::name(error.status());
            return match error.status() {
                // There was no line: nothing has left.
                StatusCode::BadNotConnected => Answer::NotSent { reason: name },
                code if status::says_nothing(code) => Answer::Lost { reason: name },
                _ => Answer::Declined { reason: name },
            };
        }
    };
    let name = status::name(code);
    // The server has heard it and does not know itself whether what is behind it has.
    let beyond = [StatusCode::BadNoCommunication, StatusCode::BadDeviceFailure, StatusCode::BadOutOfService];
    match code {
        _ if code.is_good() => Answer::Acknowledged { receipt: name },
        _ if code.is_uncertain() || status::says_nothing(code) || beyond.contains(&code) => {
            Answer::Lost { reason: name }
        }
        _ => Answer::Declined { reason: name },
    }
}

fn attribute(node: &NodeId, attribute: AttributeId) -> ReadValueId {
    ReadValueId { node_id: node.clone(), attribute_id: attribute as u32, ..ReadValueId::default() }
}

async fn read(session: &Session, nodes: Vec<ReadValueId>) -> Result<Vec<DataValue>, String> {
    let wanted = nodes.len();
    let response = ask(session, Read::new(session).nodes_to_read(nodes)).await;
    let response = response.map_err(|error| status::name(error.status()))?;
    let values: Vec<DataValue> = response.results.into_iter().flatten().collect();
    if values.len() == wanted { Ok(values) } else { Err("the server answered without a result".to_owned()) }
}

/// The type of a node's value, which must be one value. What it holds now is surer than what it says that it may hold.
async fn type_of(session: &Session, node: &NodeId) -> Result<VariantScalarTypeId, String> {
    let asked = vec![attribute(node, AttributeId::Value), attribute(node, AttributeId::DataType)];
    let values = read(session, asked).await?;
    let [held, declared] = values.as_slice() else {
        return Err("the server answered without a result".to_owned());
    };
    match held.value.as_ref().map(Variant::type_id) {
        Some(VariantTypeId::Array(..)) => {
            return Err("it holds an array: name a node with one value".to_owned());
        }
        Some(VariantTypeId::Scalar(scalar)) => return Ok(scalar),
        Some(VariantTypeId::Empty) | None => {}
    }
    match &declared.value {
        Some(Variant::NodeId(declared)) => scalar(declared)
            .ok_or_else(|| format!("it holds nothing yet, and its type {declared} is no plain number")),
        _ => Err(status::name(held.status.or(declared.status).unwrap_or(StatusCode::BadNoValue))),
    }
}

/// The type of a method's one argument.
async fn argument_of(session: &Session, method: &NodeId) -> Result<VariantScalarTypeId, String> {
    let browse = BrowseDescription {
        node_id: method.clone(),
        browse_direction: BrowseDirection::Forward,
        reference_type_id: ReferenceTypeId::HasProperty.into(),
        include_subtypes: true,
        node_class_mask: 0,
        result_mask: BrowseDescriptionResultMask::all().bits(),
    };
    let response = ask(session, Browse::new(session).browse_node(browse)).await;
    let response = response.map_err(|error| status::name(error.status()))?;
    let result =
        response.results.into_iter().flatten().next().ok_or("the server answered without a result")?;
    if result.status_code.is_bad() {
        return Err(status::name(result.status_code));
    }
    let mut properties = result.references.into_iter().flatten();
    let inputs = properties.find(|property| property.browse_name.name.as_ref() == "InputArguments");
    let inputs = inputs.ok_or("the method takes no argument")?;
    let values = read(session, vec![attribute(&inputs.node_id.node_id, AttributeId::Value)]).await?;
    let Some(Variant::Array(array)) = values.into_iter().next().and_then(|value| value.value) else {
        return Err("the arguments of the method cannot be read".to_owned());
    };
    let [Variant::ExtensionObject(one)] = array.values.as_slice() else {
        return Err(format!("the method takes {} arguments, and an order has one value", array.values.len()));
    };
    let argument = one.inner_as::<Argument>().ok_or("the argument of the method cannot be read")?;
    if argument.value_rank >= 0 {
        return Err("the method takes an array".to_owned());
    }
    scalar(&argument.data_type)
        .ok_or_else(|| format!("the method takes {}, no plain number", argument.data_type))
}

/// The built-in types that are numbers or booleans.
fn scalar(node: &NodeId) -> Option<VariantScalarTypeId> {
    use VariantScalarTypeId as Type;
    let number = node.as_u32().filter(|_| node.namespace == 0)?;
    [
        Type::Boolean,
        Type::SByte,
        Type::Byte,
        Type::Int16,
        Type::UInt16,
        Type::Int32,
        Type::UInt32,
        Type::Int64,
        Type::UInt64,
        Type::Float,
        Type::Double,
    ]
    .get((number as usize).checked_sub(1)?)
    .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_a_node_or_a_method_of_an_object() {
        for good in ["ns=2;s=Pump.Setpoint", "ns=2;s=Pump | ns=2;s=Pump.SetSpeed"] {
            let destination: Destination = good.parse().expect(good);
            assert_eq!(destination.to_string(), good);
        }
        for bad in ["", "plant/pump/set", "ns=2;s=Pump | SetSpeed", " | "] {
            assert!(bad.parse::<Destination>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_the_server_said_is_not_what_nobody_knows() {
        let of = |code: StatusCode| answer(Ok(Some(code)));
        let error = |code: StatusCode| answer(Err(Error::new(code, "")));
        assert!(matches!(of(StatusCode::Good), Answer::Acknowledged { .. }));
        assert!(matches!(of(StatusCode::GoodCompletesAsynchronously), Answer::Acknowledged { .. }));
        for code in [StatusCode::BadTypeMismatch, StatusCode::BadNotWritable, StatusCode::BadUserAccessDenied]
        {
            assert!(matches!(of(code), Answer::Declined { .. }), "{code}");
            assert!(matches!(error(code), Answer::Declined { .. }), "{code}");
        }
        for code in [StatusCode::BadTimeout, StatusCode::BadConnectionClosed] {
            assert!(matches!(of(code), Answer::Lost { .. }), "{code}");
            assert!(matches!(error(code), Answer::Lost { .. }), "{code}");
        }
        for code in [StatusCode::BadNoCommunication, StatusCode::BadDeviceFailure, StatusCode::Uncertain] {
            assert!(matches!(of(code), Answer::Lost { .. }), "{code}");
        }
        assert!(matches!(error(StatusCode::BadNotConnected), Answer::NotSent { .. }));
        assert!(matches!(answer(Ok(None)), Answer::Lost { .. }));
    }

    #[test]
    fn a_sign_of_life_counts_in_the_type_of_the_place_and_begins_again_behind_its_largest() {
        use VariantScalarTypeId as Type;
        for (wanted, sequence, expect) in [
            (Type::Boolean, 1, Variant::Boolean(true)),
            (Type::Boolean, 2, Variant::Boolean(false)),
            (Type::SByte, 127, Variant::SByte(127)),
            (Type::SByte, 128, Variant::SByte(0)),
            (Type::Byte, 255, Variant::Byte(255)),
            (Type::Byte, 257, Variant::Byte(1)),
            (Type::Int16, 32_768, Variant::Int16(0)),
            (Type::UInt16, 65_535, Variant::UInt16(65_535)),
            (Type::UInt16, 65_536, Variant::UInt16(0)),
            (Type::Int32, 1 << 31, Variant::Int32(0)),
            (Type::UInt32, (1 << 32) + 7, Variant::UInt32(7)),
            (Type::Float, (1 << 24) - 1, Variant::Float(16_777_215.0)),
            (Type::Float, 1 << 24, Variant::Float(0.0)),
            (Type::Int64, (1 << 53) + 1, Variant::Int64(1)),
            (Type::UInt64, 42, Variant::UInt64(42)),
            (Type::Double, 1 << 53, Variant::Double(0.0)),
        ] {
            let place = Place::Value(NodeId::new(2, "a"), wanted);
            assert_eq!(place.count(sequence), Ok(expect), "{wanted:?} {sequence}");
        }
        let text = Place::Value(NodeId::new(2, "a"), Type::String);
        assert!(text.count(1).expect_err("no number").contains("only numbers and booleans"));
    }

    #[test]
    fn a_value_is_written_in_the_type_of_the_place() {
        let place = Place::Value(NodeId::new(2, "a"), VariantScalarTypeId::Int16);
        assert_eq!(place.variant(7.0), Ok(Variant::Int16(7)));
        assert!(place.variant(7.5).is_err() && place.variant(1e6).is_err());
        assert_eq!(scalar(&NodeId::new(0, 11_u32)), Some(VariantScalarTypeId::Double));
        assert_eq!(scalar(&NodeId::new(0, 1_u32)), Some(VariantScalarTypeId::Boolean));
        for none in
            [NodeId::new(0, 12_u32), NodeId::new(0, 0_u32), NodeId::new(2, 11_u32), NodeId::new(0, "a")]
        {
            assert_eq!(scalar(&none), None, "{none}");
        }
    }
}
