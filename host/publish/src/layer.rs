//! How results are laid out: one of the layers, behind what a session asks of any of them.

use geminus_core::Timestamp;
use geminus_ingest::mqtt::line::Will;

use crate::catalogue::Catalogue;
use crate::outgoing::{Outgoing, Work};
use crate::outlet::Outlet;
use crate::sparkplug::EdgeNode;
use crate::uns::Namespace;

/// A layer, with what it has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// `uns-1`: a Unified Namespace.
    Uns1 {
        /// First level.
        enterprise: String,
        /// Second level: the site.
        site: String,
        /// Name of the publication, under which it says whether it is there.
        name: String,
    },
    /// `sparkplug-b-1`: an edge node.
    SparkplugB1 {
        /// Group id.
        group: String,
        /// Edge node id.
        node: String,
    },
}

/// What is said, in the words of a layer.
#[derive(Debug)]
pub(crate) enum Speaker {
    Uns(Namespace),
    Sparkplug(EdgeNode),
}

impl Speaker {
    pub(crate) fn new(layer: &Layer) -> Self {
        match layer {
            Layer::Uns1 { enterprise, site, name } => Self::Uns(Namespace::new(enterprise, site, name)),
            Layer::SparkplugB1 { group, node } => Self::Sparkplug(EdgeNode::new(group, node)),
        }
    }

    /// A connection begins: what the broker shall say when it breaks.
    pub(crate) fn begin(&mut self, now: Timestamp) -> Will {
        match self {
            Self::Uns(uns) => uns.will(),
            Self::Sparkplug(node) => node.begin(now),
        }
    }

    /// What is listened to.
    pub(crate) fn filters(&self) -> Vec<String> {
        match self {
            Self::Uns(_) => Vec::new(),
            Self::Sparkplug(node) => vec![node.command_topic()],
        }
    }

    /// Everything that is said at the beginning, in this order.
    pub(crate) fn births(&self, catalogue: &Catalogue) -> Vec<Work> {
        let twins = 0..catalogue.twins().len();
        match self {
            Self::Uns(_) => {
                let items = twins.flat_map(|twin| catalogue.twins().get(twin)).flat_map(|twin| twin.items());
                std::iter::once(Work::Here).chain(items.map(|item| Work::Items(vec![item]))).collect()
            }
            Self::Sparkplug(_) => std::iter::once(Work::Here).chain(twins.map(Work::Twin)).collect(),
        }
    }

    /// Whether items of one twin travel together.
    pub(crate) fn groups(&self) -> bool {
        matches!(self, Self::Sparkplug(_))
    }

    /// The message for it; `None` when there is nothing to say.
    pub(crate) fn message(
        &self,
        work: &Work,
        catalogue: &Catalogue,
        outlet: &Outlet,
        now: Timestamp,
    ) -> Option<Outgoing> {
        match self {
            Self::Uns(uns) => uns.message(work, catalogue, outlet),
            Self::Sparkplug(node) => node.message(work, catalogue, outlet, now),
        }
    }

    /// The message for this is on its way.
    pub(crate) fn said(&mut self, work: &Work) {
        if let Self::Sparkplug(node) = self {
            node.said(work);
        }
    }

    /// Whether a message that came asks for all births anew.
    pub(crate) fn asks_for_births(&self, topic: &[u8], payload: &[u8]) -> bool {
        match self {
            Self::Uns(_) => false,
            Self::Sparkplug(node) => node.asks_for_births(topic, payload),
        }
    }

    /// What is said at the end.
    pub(crate) fn goodbye(&self, now: Timestamp) -> Outgoing {
        match self {
            Self::Uns(uns) => uns.goodbye(),
            Self::Sparkplug(node) => node.goodbye(now),
        }
    }
}
