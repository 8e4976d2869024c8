//! Raising a candidate: its instances made, its twins opened, the state tried on a copy. All of it on a worker's
//! thread; a shard only gives names and copies, some twins at a time.

use std::collections::HashSet;
use std::sync::Arc;

use geminus_behavior::{Cohort, ColdStart, Heir, Household, Snapshot, handover_schema};
use geminus_core::TwinIndex;
use geminus_rollout::{Bumpless, Tally};
use geminus_twin::BindingIndex;

use crate::change::{Named, change};
use crate::runtime::cohorts::side::Berth;
use crate::runtime::cohorts::{Version, openings, twins_per_instance};
use crate::runtime::crumb;
use crate::runtime::floor::Floor;
use crate::runtime::message::{Ask, Candidate};

/// Twins whose state is copied at a time for the rehearsal: what that takes, no row should wait for.
const COPY_TWINS: usize = 256;
/// Twins that are named where the state of many cannot be carried.
const TWINS_NAMED_MAX: usize = 10;

/// What is to be raised.
pub(super) struct Wish {
    pub(super) rollout: u64,
    pub(super) index: BindingIndex,
    pub(super) version: Version,
    /// What most of its twins run now: `name@version` and digest; `None`: nothing.
    pub(super) from: Option<(String, String)>,
    pub(super) twins: Arc<HashSet<TwinIndex>>,
    pub(super) cold: ColdStart,
    pub(super) tally: Tally,
    pub(super) bumpless: Bumpless,
}

impl Wish {
    fn incumbent(&self) -> Option<Named<'_>> {
        self.from.as_ref().map(|(label, digest)| Named::new(label, digest))
    }
}

/// Twins that one new instance gets.
struct Raising {
    household: Household,
    /// Whether an instance has them now. Who has none has no state that could be lost.
    housed: bool,
}

/// One candidate for each shard that has twins of it.
///
/// # Errors
/// Why the new version cannot take over, in an operator's words: which twins refuse, or what broke.
pub(super) fn candidates(floor: &Floor, wish: &Wish) -> Result<Vec<(usize, Candidate)>, String> {
    let text = change(wish.incumbent(), Named::new(&wish.version.label(), &wish.version.digest()));
    let mut all = Vec::new();
    for shard in 0..floor.shards.len() {
        let mine = floor.members(shard, &wish.twins);
        if mine.is_empty() {
            continue;
        }
        let candidate = Candidate {
            rollout: wish.rollout,
            berths: berths(floor, wish, shard, &mine)?,
            cold: wish.cold,
            tally: wish.tally.clone(),
            bumpless: wish.bumpless.clone(),
            text: text.clone(),
        };
        all.push((shard, candidate));
    }
    Ok(all)
}

fn berths(floor: &Floor, wish: &Wish, shard: usize, mine: &[TwinIndex]) -> Result<Vec<Berth>, String> {
    let version = wish.version.compiled.declaration().version.to_string();
    let account = floor.meters.get(shard).ok_or("there is no such shard")?.account(wish.index, &version);
    let mut berths = Vec::new();
    for Raising { household, housed } in households(floor, wish, shard, mine)? {
        let household = household.with_parameters(&wish.version.parameters);
        let raised = inside(&wish.version, || household.raise(Arc::clone(&wish.version.compiled)));
        let mut heir = raised.map_err(|error| error.to_string())?;
        if let Some(schema) = schema_of(floor, wish, &heir.twins().collect::<Vec<_>>())? {
            let left_behind = rehearse(floor, wish, shard, &mut heir, schema)?;
            if housed && wish.cold == ColdStart::Refuse && !left_behind.is_empty() {
                return Err(nothing_to_carry(floor, wish, &left_behind, schema));
            }
        }
        berths.push(Berth::new(heir.into_cohort(), wish.version.incarnation, Arc::clone(&account)));
    }
    Ok(berths)
}

/// Calls the new version, with a crumb for as long as that takes.
fn inside<T>(version: &Version, call: impl FnOnce() -> T) -> T {
    let _inside = crumb::inside(version.incarnation);
    call()
}

/// Tries the state of all twins of an heir; gives those of whom the incumbent has none in this schema.
fn rehearse(
    floor: &Floor,
    wish: &Wish,
    shard: usize,
    heir: &mut Heir,
    schema: u32,
) -> Result<Vec<TwinIndex>, String> {
    let twins: Vec<TwinIndex> = heir.twins().collect();
    let mut left_behind = Vec::new();
    for some in twins.chunks(COPY_TWINS) {
        let copies = copies(floor, wish.index, shard, some, Some(schema))?;
        for copy in &copies {
            inside(&wish.version, || heir.rehearse(copy)).map_err(|error| error.to_string())?;
        }
        let copied: HashSet<TwinIndex> =
            copies.iter().flat_map(|copy| &copy.twins).map(|saved| saved.twin).collect();
        left_behind.extend(some.iter().filter(|twin| !copied.contains(twin)));
    }
    Ok(left_behind)
}

/// Why twins of which an instance is there, but no state in the schema that is handed over, stop a rollout.
fn nothing_to_carry(floor: &Floor, wish: &Wish, twins: &[TwinIndex], schema: u32) -> String {
    let names = twins.iter().take(TWINS_NAMED_MAX).map(|twin| crate::runtime::id_of(&floor.plant, *twin));
    let more = match twins.len().saturating_sub(TWINS_NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "the state of {}{more} cannot be carried to {}: {} holds them apart and has no state of them in schema \
         {schema}, so they would start cold; wait until they run again, or allow cold_start in the plan",
        names.collect::<Vec<_>>().join(", "),
        wish.version.label(),
        wish.incumbent().map_or("nothing", |from| from.label),
    )
}

/// The schema in which twins of one instance hand their state over; `None`: there is none to hand over, or they may
/// start without.
fn schema_of(floor: &Floor, wish: &Wish, twins: &[TwinIndex]) -> Result<Option<u32>, String> {
    // Whoever shares an instance runs the same version.
    let digest = twins.first().and_then(|twin| floor.board.lock().runs(wish.index, *twin));
    let Some(digest) = digest else { return Ok(None) };
    let old = floor.declaration(wish.index, digest);
    let old = old.ok_or_else(|| format!("the package that runs ({}) is gone", digest.short()))?;
    handover_schema(&old, wish.version.compiled.declaration(), wish.cold).map_err(|error| error.to_string())
}

/// The twins as the incumbent's instances have them, and those that no instance has.
fn households(floor: &Floor, wish: &Wish, shard: usize, mine: &[TwinIndex]) -> Result<Vec<Raising>, String> {
    let index = wish.index;
    let twins = Some(Arc::clone(&wish.twins));
    let households: Vec<Household> = floor.ask(shard, |reply| Ask::Households(index, twins, reply))?;
    let housed: HashSet<TwinIndex> = households.iter().flat_map(Household::members).collect();
    let mut all: Vec<Raising> =
        households.into_iter().map(|household| Raising { household, housed: true }).collect();
    let others: Vec<TwinIndex> = mine.iter().copied().filter(|twin| !housed.contains(twin)).collect();
    let binding = floor.binding(index).ok_or("there is no such binding")?;
    for some in others.chunks(twins_per_instance(binding)) {
        let openings = openings(&floor.plant, binding, some, &wish.version.parameters);
        let household = Household::of(Arc::clone(&floor.host), openings);
        all.push(Raising { household, housed: false });
    }
    Ok(all)
}

fn copies(
    floor: &Floor,
    index: BindingIndex,
    shard: usize,
    twins: &[TwinIndex],
    schema: Option<u32>,
) -> Result<Vec<Snapshot>, String> {
    let copied = floor.ask(shard, |reply| Ask::Copy(index, twins.into(), schema, reply))?;
    copied.into_iter().collect::<Result<Vec<_>, _>>()
}

/// One twin in an instance of its own, with this state: for a twin that gets a version which its neighbours have not.
///
/// # Errors
/// Why that version does not take it up.
pub(crate) fn alone(
    floor: &Floor,
    index: BindingIndex,
    version: &Version,
    twin: TwinIndex,
    state: Option<&Snapshot>,
) -> Result<Berth, String> {
    let binding = floor.binding(index).ok_or("there is no such binding")?;
    let account = floor
        .meters
        .get(floor.shard_of(twin))
        .ok_or("there is no such shard")?
        .account(index, &version.compiled.declaration().version.to_string());
    let openings = openings(&floor.plant, binding, &[twin], &version.parameters);
    // All that follows calls it.
    let _inside = crumb::inside(version.incarnation);
    let raised = Household::of(Arc::clone(&floor.host), openings).raise(Arc::clone(&version.compiled));
    let mut heir = raised.map_err(|error| error.to_string())?;
    if let Some(state) = state {
        heir.rehearse(state).map_err(|error| error.to_string())?;
    }
    let mut cohort: Cohort = heir.into_cohort();
    if let Some(state) = state {
        let refused = cohort.take_in(state).map_err(|error| error.to_string())?;
        if let Some(first) = refused.first() {
            return Err(first.to_string());
        }
    }
    Ok(Berth::new(cohort, version.incarnation, account))
}
