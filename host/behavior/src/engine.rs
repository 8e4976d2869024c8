//! The one wasmtime engine of the process, and the thread that moves its epoch on.
//!
//! Everything that bounds or fixes what compiled code does is set here: fuel, epochs, memory of the pool, no
//! relaxed SIMD, no concurrency. The engine's own NaN canonicalisation stays off (six to eight times slower);
//! the host makes NaNs canonical where values leave a behavior. One engine a process: types of two engines
//! must never meet.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_channel::{RecvTimeoutError, Sender};
use geminus_core::{Declaration, Digest};
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, InstanceAllocationStrategy, OperatorCost, OptLevel, PoolingAllocationConfig};

use crate::bindings::Plugin;
use crate::compiled::{CompileError, Compiled};
use crate::host::Room;
use crate::limits::Limits;

/// The engine. Cheap to clone; its ticker thread ends with the last clone and the last component made with it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) wasm: wasmtime::Engine,
    pub(crate) linker: Linker<Room>,
    pub(crate) limits: Arc<Limits>,
    /// Instances alive.
    pub(crate) alive: AtomicU32,
    /// Dropping it stops the ticker; none where nothing runs.
    _ticker: Option<Sender<()>>,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The machine does not offer what the limits ask for.
    #[error("cannot reserve address space for {instances} instances: {cause}")]
    Reserve {
        /// Instances asked for.
        instances: u32,
        /// What the engine said.
        cause: String,
    },
    /// The contract's imports could not be offered.
    #[error("cannot offer the contract's imports: {0}")]
    Imports(String),
    /// The ticker's thread could not be started.
    #[error("cannot start the epoch thread: {0}")]
    Ticker(std::io::Error),
}

impl Engine {
    /// Makes the engine and starts its ticker.
    ///
    /// # Errors
    /// When the machine cannot reserve the address space, or cannot start a thread.
    pub fn new(limits: Limits) -> Result<Self, EngineError> {
        let (wasm, limits) = wasm_engine(limits)?;
        let ticker = start_ticker(&wasm, limits.epoch_tick)?;
        Self::with(wasm, limits, Some(ticker))
    }

    /// An engine that reserves no memory and starts no thread, for a process of its own that only compiles. What it
    /// compiles is what an engine with the same limits loads, where `limits` are those that `Engine::limits` of the
    /// running one gives. Nothing can be stopped in it, so nothing should be run in it.
    ///
    /// # Errors
    /// When the machine is none that code can be made for.
    pub fn for_compiling(limits: Limits) -> Result<Self, EngineError> {
        let mut config = config(&limits);
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        let wasm = wasmtime::Engine::new(&config).map_err(|cause| reserve_error(&limits, &cause))?;
        Self::with(wasm, limits, None)
    }

    fn with(wasm: wasmtime::Engine, limits: Limits, ticker: Option<Sender<()>>) -> Result<Self, EngineError> {
        let mut linker = Linker::new(&wasm);
        Plugin::add_to_linker::<_, HasSelf<Room>>(&mut linker, |room| room)
            .map_err(|cause| EngineError::Imports(format!("{cause:#}")))?;
        let (limits, alive) = (Arc::new(limits), AtomicU32::new(0));
        Ok(Self { inner: Arc::new(Inner { wasm, linker, limits, alive, _ticker: ticker }) })
    }

    /// Instances that are alive now.
    #[must_use]
    pub fn instances(&self) -> u32 {
        self.inner.alive.load(Ordering::Relaxed)
    }

    /// The limits that every behavior is held to, as this machine can keep them.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Checks and compiles a component; `digest` is the digest of `bytes`. With `cache`, a folder that nobody
    /// but the host may write, the compiled artefact is kept there and loaded the next time. Takes tens of
    /// milliseconds and more: never call it on a shard's thread.
    ///
    /// # Errors
    /// Says what is wrong with the component, by name.
    pub fn compile(
        &self,
        digest: Digest,
        bytes: &[u8],
        declaration: Arc<Declaration>,
        cache: Option<&Path>,
    ) -> Result<Arc<Compiled>, CompileError> {
        Compiled::new(self, digest, bytes, declaration, cache).map(Arc::new)
    }

    /// Loads what was compiled before, and compiles nothing: `None` when `cache` holds no artefact that fits this
    /// engine and is whole. Takes well under a millisecond for small components.
    ///
    /// # Errors
    /// When the artefact is of a component that does not fit the contract.
    pub fn load(
        &self,
        digest: Digest,
        declaration: Arc<Declaration>,
        cache: &Path,
    ) -> Result<Option<Arc<Compiled>>, CompileError> {
        Ok(Compiled::load(self, digest, declaration, cache)?.map(Arc::new))
    }

    /// Checks and compiles a component and keeps the artefact in `cache`, for `load` to find, in this process or in
    /// another one. Nothing is instantiated. A component that takes too long or too much to compile is best met in a
    /// process of its own that can be ended (`for_compiling`).
    ///
    /// # Errors
    /// Says what is wrong with the component, by name, or that the artefact could not be kept.
    pub fn precompile(&self, digest: Digest, bytes: &[u8], cache: &Path) -> Result<(), CompileError> {
        Compiled::precompile(self, digest, bytes, cache)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.inner.limits).finish_non_exhaustive()
    }
}

/// Tries the fast layout first; a machine with little address space gets the tight one. Gives the limits that hold.
fn wasm_engine(limits: Limits) -> Result<(wasmtime::Engine, Limits), EngineError> {
    let tight = limits.memory_bytes_max as u64;
    let instances_max = limits.instances_max.min(mappable());
    let limits = Limits { instances_max, ..limits };
    let memory_reservation_bytes = limits.memory_reservation_bytes.max(tight);
    let fast = Limits { memory_reservation_bytes, ..limits.clone() };
    if let Ok(wasm) = wasmtime::Engine::new(&config(&fast)) {
        return Ok((wasm, fast));
    }
    let limits = Limits { memory_reservation_bytes: tight, ..limits };
    let wasm = wasmtime::Engine::new(&config(&limits)).map_err(|cause| reserve_error(&limits, &cause))?;
    Ok((wasm, limits))
}

/// Instances for which the kernel has mappings: where one linear memory ends inside what is reserved for it, a mapping
/// ends and another begins.
fn mappable() -> u32 {
    let most = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    let most = most.and_then(|text| text.trim().parse::<u32>().ok()).unwrap_or(u32::MAX);
    (most.saturating_sub(MAPPINGS_SPARED) / MAPPINGS_PER_INSTANCE).max(1)
}

/// Mappings of one instance: its memory, and what is reserved after it.
const MAPPINGS_PER_INSTANCE: u32 = 2;
/// Mappings that are left to everything else in the process: code, stacks, the store's files.
const MAPPINGS_SPARED: u32 = 10_000;

fn reserve_error(limits: &Limits, cause: &wasmtime::Error) -> EngineError {
    EngineError::Reserve { instances: limits.instances_max, cause: format!("{cause:#}") }
}

fn config(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .operator_cost(costs())
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .cranelift_nan_canonicalization(false)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_reservation(limits.memory_reservation_bytes)
        .memory_guard_size(GUARD_BYTES)
        .memory_may_move(false)
        // Copies of an image on write would take a mapping more for each instance, of which the kernel has few.
        .memory_init_cow(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    config
}

/// What instructions cost. Growing asks the kernel, so it may not be as cheap as an addition.
fn costs() -> OperatorCost {
    OperatorCost { MemoryGrow: GROW_COST, TableGrow: GROW_COST, ..OperatorCost::new() }
}

/// Fuel of growing a memory or a table, even by nothing: about what it takes in time.
const GROW_COST: u8 = 255;
/// Guard pages after each memory: accesses at small offsets need no check.
const GUARD_BYTES: u64 = 32 << 20;
/// Core instances that a component may be made of (adapters and shims count): one of Python has more than a dozen.
const PARTS_PER_COMPONENT: u32 = 32;
/// Tables that a component may be made of.
const TABLES_PER_COMPONENT: u32 = 8;
/// Core instances and tables that are kept for each component: one of Rust has four.
const PARTS_KEPT: u32 = 4;
/// Linear memories that a component may have: its own and an adapter's.
const MEMORIES_PER_COMPONENT: u32 = 2;
/// The host's own record of an instance.
const INSTANCE_RECORD_BYTES: usize = 1 << 20;

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let count = limits.instances_max;
    let parts = count.saturating_mul(PARTS_KEPT);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(count)
        .total_core_instances(parts)
        .total_memories(count)
        .total_tables(parts)
        .max_core_instances_per_component(PARTS_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_component_instance_size(INSTANCE_RECORD_BYTES)
        .max_core_instance_size(INSTANCE_RECORD_BYTES)
        .table_elements(limits.table_elements_max)
        .max_memory_size(limits.memory_bytes_max)
        .max_unused_warm_slots(16);
    pool
}

/// A plain thread: a timer of an async runtime can starve behind the very guest it should stop.
fn start_ticker(wasm: &wasmtime::Engine, tick: std::time::Duration) -> Result<Sender<()>, EngineError> {
    let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
    let weak = wasm.weak();
    let run = move || {
        while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
            let Some(wasm) = weak.upgrade() else { return };
            wasm.increment_epoch();
        }
    };
    std::thread::Builder::new().name("epoch".to_owned()).spawn(run).map_err(EngineError::Ticker)?;
    Ok(stop)
}
