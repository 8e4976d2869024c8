//! Answers of the address space: values from the board, refusals of writes, and a book of what clients watch.
//!
//! The library would shift source times of watched variables to a grid of its own (its `sampling interval`), and would not
//! send a change of status alone to a client without a filter. The book says which watched variable needs which detour; see
//! `push`, which takes it.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use geminus_core::Clock;
use opcua::server::address_space::AddressSpace;
use opcua::server::diagnostics::NamespaceMetadata;
use opcua::server::node_manager::memory::{
    InMemoryNodeManager, InMemoryNodeManagerImpl, InMemoryNodeManagerImplBuilder,
};
use opcua::server::node_manager::{
    MonitoredItemRef, MonitoredItemUpdateRef, ParsedReadValueId, RequestContext, ServerContext, WriteNode,
};
use opcua::server::{CreateMonitoredItem, MonitoredItemHandle};
use opcua::sync::{Mutex, RwLock};
use opcua::types::{DataValue, Identifier, NodeId, NumericRange, StatusCode, TimestampsToReturn};

use super::NAMESPACE;
use super::board::Board;
use super::catalogue::Catalogue;
use super::reading::{data_value, with_times};
use super::space::{self, Variables, twin_of};

/// The smallest interval that the library takes for one, in milliseconds: every change passes it as it is.
const EACH_CHANGE_MS: f64 = 1e-6;

/// A variable that a client watches.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// Whether source times pass as they are. Else the client gets none, rather than a shifted one.
    pub(crate) exact: bool,
    /// Whether the client may have set no filter, so that a change of status alone needs a detour.
    pub(crate) plain: bool,
    /// Token of the client's user.
    pub(crate) token: Arc<str>,
    /// Its twin.
    pub(crate) twin: Arc<str>,
}

/// Everything that clients watch, and how many watched variables are gone again.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) watches: HashMap<MonitoredItemHandle, Watch>,
    /// Variables whose watchers may have missed a change while they began to watch.
    pub(crate) begun: Vec<u32>,
    /// Ended watches. The library keeps a note of each for as long as it runs.
    pub(crate) ended: u64,
}

/// What the library is given to build.
pub(crate) struct TwinNodesBuilder {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) board: Arc<Board>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The nodes of all twins.
pub(crate) struct TwinNodes {
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    namespace: NamespaceMetadata,
    pub(crate) variables: Variables,
    numbers: HashMap<String, u32>,
    pub(crate) book: Mutex<Book>,
}

/// As the library finds them again.
pub(crate) type TwinNodeManager = InMemoryNodeManager<TwinNodes>;

impl InMemoryNodeManagerImplBuilder for TwinNodesBuilder {
    type Impl = TwinNodes;

    fn build(self, context: ServerContext, space: &mut AddressSpace) -> TwinNodes {
        let index = context.type_tree.write().namespaces_mut().add_namespace(NAMESPACE);
        space.add_namespace(NAMESPACE, index);
        let variables = space::fill(space, index, &self.catalogue);
        let numbers = (0..).zip(&variables).filter_map(|(number, id)| {
            let Identifier::String(text) = &id.identifier else { return None };
            Some((text.as_ref().to_owned(), number))
        });
        TwinNodes {
            board: self.board,
            clock: self.clock,
            namespace: NamespaceMetadata {
                namespace_uri: NAMESPACE.to_owned(),
                namespace_index: index,
                ..NamespaceMetadata::default()
            },
            numbers: numbers.collect(),
            variables,
            book: Mutex::default(),
        }
    }
}

impl TwinNodes {
    fn number(&self, id: &NodeId) -> Option<u32> {
        let Identifier::String(text) = &id.identifier else { return None };
        (id.namespace == self.namespace.namespace_index).then(|| self.numbers.get(text.as_ref()).copied())?
    }

    fn read(
        &self,
        context: &RequestContext,
        space: &AddressSpace,
        node: &ParsedReadValueId,
        times: TimestampsToReturn,
    ) -> DataValue {
        let Some(number) = self.number(&node.node_id) else {
            return space.read(context, node, 0.0, times);
        };
        let refused = |status| DataValue { status: Some(status), ..DataValue::default() };
        if let Err(status) = space.validate_node_read(context, node) {
            return refused(status);
        }
        if node.index_range != NumericRange::None {
            return refused(StatusCode::BadIndexRangeNoData);
        }
        with_times(data_value(self.board.reading(number).as_ref(), self.clock.now()), times)
    }
}

/// The library names its kinds of filters to nobody, but shows them.
fn has_no_filter(item: &CreateMonitoredItem) -> bool {
    format!("{:?}", item.filter()) == "None"
}

#[async_trait]
impl InMemoryNodeManagerImpl for TwinNodes {
    async fn init(&self, _space: &mut AddressSpace, _context: ServerContext) {}

    fn name(&self) -> &str {
        "twins"
    }

    fn namespaces(&self) -> Vec<NamespaceMetadata> {
        vec![self.namespace.clone()]
    }

    async fn read_values(
        &self,
        context: &RequestContext,
        space: &RwLock<AddressSpace>,
        nodes: &[&ParsedReadValueId],
        _max_age: f64,
        times: TimestampsToReturn,
    ) -> Vec<DataValue> {
        let space = space.read();
        nodes.iter().map(|node| self.read(context, &space, node, times)).collect()
    }

    async fn create_value_monitored_items(
        &self,
        context: &RequestContext,
        space: &RwLock<AddressSpace>,
        items: &mut [&mut &mut CreateMonitoredItem],
    ) {
        let space = space.read();
        let token: Arc<str> = context.user_token().0.as_str().into();
        let mut book = self.book.lock();
        for item in items {
            let node = item.item_to_monitor();
            let value = self.read(context, &space, node, TimestampsToReturn::Both);
            let refusals = [
                StatusCode::BadNodeIdUnknown,
                StatusCode::BadAttributeIdInvalid,
                StatusCode::BadUserAccessDenied,
                StatusCode::BadDataEncodingInvalid,
                StatusCode::BadIndexRangeNoData,
            ];
            if let Some(status) = value.status.filter(|status| refusals.contains(status)) {
                item.set_status(status);
                continue;
            }
            if let Some(number) = self.number(&node.node_id) {
                let exact = item.sampling_interval() >= 0.0;
                let twin = match &node.node_id.identifier {
                    Identifier::String(text) => twin_of(text.as_ref()).into(),
                    _ => "".into(),
                };
                let plain = has_no_filter(item);
                item.revise_sampling_interval(EACH_CHANGE_MS);
                book.watches.insert(item.handle(), Watch { exact, plain, token: Arc::clone(&token), twin });
                book.begun.push(number);
            }
            item.set_initial_value(value);
            item.set_status(StatusCode::Good);
        }
    }

    async fn modify_monitored_items(&self, _context: &RequestContext, items: &[&MonitoredItemUpdateRef]) {
        let mut book = self.book.lock();
        for item in items {
            if let Some(watch) = book.watches.get_mut(&item.handle()) {
                // The library takes the client's interval unasked this time, and does not tell its filter.
                watch.exact = item.update().revised_sampling_interval == 0.0;
                watch.plain = true;
            }
        }
    }

    async fn delete_monitored_items(&self, _context: &RequestContext, items: &[&MonitoredItemRef]) {
        let mut book = self.book.lock();
        for item in items {
            let known = book.watches.remove(&item.handle()).is_some();
            book.ended += u64::from(known);
        }
    }

    async fn write(
        &self,
        _context: &RequestContext,
        _space: &RwLock<AddressSpace>,
        nodes: &mut [&mut WriteNode],
    ) -> Result<(), StatusCode> {
        nodes.iter_mut().for_each(|node| node.set_status(StatusCode::BadNotWritable));
        Ok(())
    }
}
