//! From what shards say to the OPC UA server of `[opcua_server]`: which twins it shows, how they stand, and who may read them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use geminus_access::{Gate, LoginError, Now, Permission};
use geminus_core::declaration::Role;
use geminus_core::{Authority, Clock, Digest, Quality, Timestamp, TwinIndex};
use geminus_opcua::server::{
    Board, Catalogue, Content, Doorkeeper, Folder, Layout, OpcUaServer, Part, Reading, Rights, ServerLimits,
    ServerOptions, ShownPoint, Visitor,
};
use geminus_twin::pattern::Selection;
use geminus_twin::plant::{Kind, Origin};
use geminus_twin::problem::Problems;
use geminus_twin::shard::{Update, Verdict};
use geminus_twin::{Plant, Site, site};

use super::chronicle::Chronicle;
use super::field::opcua::{pki, security};

#[cfg(test)]
mod tests;

/// How journal and people call the way in.
const PROTOCOL: &str = "OPC UA";

/// Where the variables of a twin begin.
#[derive(Debug)]
struct Place {
    first: u32,
    layout: Arc<Layout>,
}

/// What is shown of the plant. Shared by shards; what it is told costs a lock and never waits for a client.
#[derive(Debug, Default)]
pub(crate) struct Exhibit {
    twins: HashMap<TwinIndex, Place>,
    board: Option<Arc<Board>>,
}

/// What is shown, and the server that shows it, if the site has one. Blocks on certificates.
///
/// # Errors
/// When it cannot listen, or would be open to whom it must not be.
pub(crate) fn start(
    site: &Site,
    plant: &Plant,
    data: &Path,
    gate: &Arc<Gate>,
    clock: &Arc<dyn Clock>,
    chronicle: &Chronicle,
) -> anyhow::Result<(Arc<Exhibit>, Option<OpcUaServer>)> {
    let Some(server) = &site.document.opcua_server else { return Ok(Default::default()) };
    let start = || -> anyhow::Result<_> {
        let options = options(plant, data, server)?;
        if let Some(lack) = lack(options.listen, gate.has_users()) {
            anyhow::bail!(lack);
        }
        if !server.anonymous && !gate.has_users() {
            tracing::warn!("nobody can log in to the OPC UA server: `geminus user add` makes users");
        }
        let (twins, catalogue) = lay_out(plant, server)?;
        let board = Arc::new(Board::new(&catalogue));
        let keeper = Arc::new(Keeper { gate: Arc::clone(gate), clock: Arc::clone(clock) });
        let (shown, now, ear) = (Arc::clone(&board), Arc::clone(clock), chronicle.ear());
        let running = OpcUaServer::start(options, catalogue, shown, keeper, now, ear)?;
        tracing::info!("OPC UA clients are served at {}", running.address());
        Ok((Arc::new(Exhibit { twins, board: Some(board) }), Some(running)))
    };
    start().context("opcua_server")
}

/// What of it could not work, with its line.
pub(crate) fn check(site: &Site, plant: &Plant, problems: &mut Problems) {
    let Some(server) = &site.document.opcua_server else { return };
    let checked = options(plant, Path::new(""), server)
        .and_then(|options| Ok(options.check()?))
        .and_then(|()| lay_out(plant, server).map(drop));
    if let Err(error) = checked {
        problems.add(&site.path, site.line("opcua_server"), format!("opcua_server: {error:#}"));
    }
}

fn options(plant: &Plant, data: &Path, server: &site::OpcUaServer) -> anyhow::Result<ServerOptions> {
    let listen: SocketAddr = server.listen.parse().context("listen is no address")?;
    let host = match (&server.host, listen.ip().is_unspecified()) {
        (Some(host), _) => host.clone(),
        (None, true) => geminus_opcua::host_name(),
        (None, false) => listen.ip().to_string(),
    };
    let secured = |policy: &site::SecurityPolicy| security(*policy, site::SecurityMode::SignAndEncrypt);
    Ok(ServerOptions {
        site: plant.name.clone(),
        listen,
        host,
        security: server.security.iter().map(secured).collect(),
        anonymous: server.anonymous,
        pki: pki(data),
        limits: ServerLimits {
            sessions: server.sessions_max,
            subscriptions: server.subscriptions_max,
            items: server.items_max,
            queue: server.queue_max,
        },
    })
}

/// What a start beyond loopback lacks, in words; `None` when nothing.
fn lack(listen: SocketAddr, users: bool) -> Option<String> {
    let is_fine = users || listen.ip().to_canonical().is_loopback();
    (!is_fine).then(|| {
        format!(
            "{listen} can be reached from the network, and this site lacks users: make an admin with `geminus user add`, or \
             listen on 127.0.0.1"
        )
    })
}

fn lay_out(
    plant: &Plant,
    server: &site::OpcUaServer,
) -> anyhow::Result<(HashMap<TwinIndex, Place>, Catalogue)> {
    let chosen = Selection::new(&server.twins).map_err(anyhow::Error::msg)?;
    let layouts: Vec<Arc<Layout>> = plant.kinds.iter().map(|kind| Arc::new(layout(kind))).collect();
    let (mut twins, mut catalogue) = (HashMap::new(), Catalogue::default());
    for index in plant.indices() {
        let Some(twin) = plant.twin(index).filter(|twin| chosen.matches(&twin.id)) else { continue };
        let Some(layout) = layouts.get(twin.kind as usize) else { continue };
        let first = catalogue.add(&twin.id, plant.display_name(twin), authority(twin.authority), layout)?;
        twins.insert(index, Place { first, layout: Arc::clone(layout) });
    }
    anyhow::ensure!(!catalogue.is_empty(), "shows nothing: no twin is what twins says: {:?}", server.twins);
    Ok((twins, catalogue))
}

fn layout(kind: &Kind) -> Layout {
    let points = kind.points.iter().map(|point| ShownPoint {
        name: point.name.clone(),
        description: point.description.clone(),
        unit: point.unit.clone(),
        folder: match point.origin {
            Origin::Measured { .. } => Folder::Measured,
            Origin::Estimated { role: Role::HealthIndex, .. } => Folder::Health,
            Origin::Estimated { .. } => Folder::Estimated,
        },
    });
    Layout { type_id: kind.type_id.clone(), points: points.collect() }
}

fn authority(authority: Authority) -> &'static str {
    match authority {
        Authority::Observe => "observe",
        Authority::Advise => "advise",
        Authority::Control => "control",
    }
}

impl Exhibit {
    /// Whether this twin is shown.
    pub(crate) fn wants(&self, twin: TwinIndex) -> bool {
        self.twins.contains_key(&twin)
    }

    /// What of a twin has changed.
    pub(crate) fn update(&self, update: &Update, now: Timestamp) {
        let (Some(board), Some(place)) = (&self.board, self.twins.get(&update.twin)) else { return };
        let points = update.points.iter().map(|point| {
            let (content, quality) = (Content::Number(point.value), point.quality);
            (point.point, Reading { content, quality, time: point.time })
        });
        let standing =
            |part, content, quality| (place.layout.place(part), Reading { content, quality, time: now });
        let (health, known) = (
            update.health,
            match update.health.verdict {
                Verdict::Unknown => Quality::Bad,
                _ => Quality::Good,
            },
        );
        let parts = [
            standing(Part::Index, Content::Index(health.index), known),
            standing(Part::Verdict, Content::Word(health.verdict.name()), Quality::Good),
            standing(Part::State, Content::Word(update.state.name()), Quality::Good),
        ];
        let numbered = |(at, reading): (usize, Reading)| {
            Some((place.first.checked_add(u32::try_from(at).ok()?)?, reading))
        };
        board.put(points.chain(parts).filter_map(numbered));
    }

    /// Readings that were replaced before they could be pushed.
    pub(crate) fn replaced(&self) -> u64 {
        self.board.as_ref().map_or(0, |board| board.replaced())
    }
}

/// Lets users of the site in.
#[derive(Debug)]
struct Keeper {
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
}

impl Doorkeeper for Keeper {
    fn admit(&self, name: &str, password: &str) -> Option<Visitor> {
        match self.gate.vouch((name, password), PROTOCOL, Now::of(self.clock.as_ref())) {
            Ok((principal, stamp)) => Some(Visitor { name: principal.name, stamp: stamp.to_string() }),
            // Told by the gate, but for those that it holds up.
            Err(LoginError::Wrong | LoginError::TooMany { .. }) => None,
            Err(error) => {
                tracing::warn!(%error, "a login over {PROTOCOL} is refused");
                None
            }
        }
    }

    fn rights(&self, visitor: &Visitor) -> Option<Rights> {
        let stamp: Digest = visitor.stamp.parse().ok()?;
        let principal = self.gate.standing(&visitor.name, &stamp)?;
        Some(Arc::new(move |twin: &str| principal.may(Permission::Read, twin)))
    }
}
