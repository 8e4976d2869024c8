//! Compiling apart: a component is compiled in a process of its own, which has a time and a memory limit and may
//! die of it. What it leaves in the cache is loaded here. So neither a component that is made to be compiled for
//! hours nor one that breaks the compiler touches the house. Where that cannot be, it is compiled here, with a crumb.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use geminus_behavior::{Compiled, Engine, Limits};
use geminus_core::{Clock, Digest};
use geminus_registry::Package;

use super::crumb;

/// Memory that compiling may take, in bytes.
const MEMORY_BYTES_MAX: u64 = 2 << 30;
/// How often the child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Bytes of what the child says that are passed on.
const WORDS_MAX: u64 = 2_048;

/// How much it may cost.
pub(crate) struct Effort<'a> {
    pub(crate) limit: Duration,
    /// Turns false when nobody waits for it any more.
    pub(crate) wanted: &'a AtomicBool,
    pub(crate) clock: &'a dyn Clock,
    /// The incarnation that it is compiled for, should the host have to do it itself.
    pub(crate) number: &'a dyn Fn() -> Result<u32, String>,
}

/// For what is always waited for.
pub(crate) static WANTED: AtomicBool = AtomicBool::new(true);

/// The compiled component: from the cache, or compiled in a child. Blocks for it.
///
/// # Errors
/// Why there is none, in an operator's words.
pub(crate) fn apart(
    engine: &Engine,
    package: &Package,
    cache: &Path,
    effort: &Effort<'_>,
) -> Result<Arc<Compiled>, String> {
    let load = || {
        engine
            .load(package.digest, Arc::clone(&package.declaration), cache)
            .map_err(|error| error.to_string())
    };
    if let Some(compiled) = load()? {
        return Ok(compiled);
    }
    let reservation = engine.limits().memory_reservation_bytes;
    let instances_max = engine.limits().instances_max;
    let fuel_per_row_max = engine.limits().fuel_per_row_max;
    let usual = Limits {
        memory_reservation_bytes: reservation,
        instances_max,
        fuel_per_row_max,
        ..Limits::default()
    };
    // Tests have another program around them, and a measurement may set limits that the child does not know.
    if cfg!(test) || *engine.limits() != usual {
        return here(engine, package, cache, effort);
    }
    let component = put_beside(cache, package)?;
    let done = child(&component, cache, reservation, effort);
    if let Err(error) = std::fs::remove_file(&component) {
        tracing::debug!(%error, "a component that was compiled still lies there");
    }
    done?;
    match load()? {
        Some(compiled) => Ok(compiled),
        // The child could do it within its limits, so it is harmless here, where it says what does not fit.
        None => here(engine, package, cache, effort),
    }
}

/// Compiles in this process, which the crumb says meanwhile: a host that dies of it knows the next time what it was.
fn here(
    engine: &Engine,
    package: &Package,
    cache: &Path,
    effort: &Effort<'_>,
) -> Result<Arc<Compiled>, String> {
    let _inside = crumb::inside((effort.number)()?);
    engine
        .compile(package.digest, &package.bytes, Arc::clone(&package.declaration), Some(cache))
        .map_err(|error| error.to_string())
}

/// What the child does: compiles one file into the cache.
///
/// # Errors
/// What is wrong with the component, by name.
pub(crate) fn compile_file(
    component: &Path,
    cache: &Path,
    reservation: u64,
    parent: u32,
) -> anyhow::Result<()> {
    std::thread::spawn(move || end_with_parent(parent));
    let bytes = std::fs::read(component)?;
    let limits = Limits { memory_reservation_bytes: reservation, ..Limits::default() };
    Ok(Engine::for_compiling(limits)?.precompile(Digest::of(&bytes), &bytes, cache)?)
}

/// A host that was killed cannot end its compiler, so the compiler ends itself. It is told who its parent is: a parent
/// that was killed before this line ran is not the one that it would find here.
fn end_with_parent(parent: u32) {
    while std::os::unix::process::parent_id() == parent {
        std::thread::park_timeout(Duration::from_millis(200));
    }
    std::process::exit(1);
}

/// The component as a file, since the one in the plugin folder may have changed since it was read.
fn put_beside(cache: &Path, package: &Package) -> Result<PathBuf, String> {
    let name = format!("{}.{}.component", package.digest.short(), std::process::id());
    geminus_registry::store_bytes(cache, &name, &package.bytes).map_err(|error| error.to_string())?;
    Ok(cache.join(name))
}

fn child(component: &Path, cache: &Path, reservation: u64, effort: &Effort<'_>) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let spawn = |mut command: Command| {
        command
            .arg("compile-apart")
            .arg(component)
            .arg(cache)
            .arg(reservation.to_string())
            .arg(std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
    };
    // It may take its time: rows come first where there are few processors.
    let mut nice = Command::new("nice");
    nice.arg("-n").arg("10").arg(&program);
    let mut child = spawn(nice)
        .or_else(|_| spawn(Command::new(&program)))
        .map_err(|error| format!("no process to compile in: {error}"))?;
    let start = effort.clock.monotonic();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                let words = words(&mut child);
                return Err(match words.is_empty() {
                    true => format!("the compiler ended with {status}"),
                    false => words,
                });
            }
            Ok(None) => {}
            Err(error) => return Err(end(&mut child, &format!("the compiler is lost: {error}"))),
        }
        if effort.clock.monotonic().saturating_sub(start) > effort.limit {
            let reason = format!("compiling takes more than {} s", effort.limit.as_secs());
            return Err(end(&mut child, &reason));
        }
        if !effort.wanted.load(Ordering::Relaxed) {
            return Err(end(&mut child, "nobody waits for it any more"));
        }
        if resident(child.id()).is_some_and(|bytes| bytes > MEMORY_BYTES_MAX) {
            return Err(end(
                &mut child,
                &format!("compiling takes more than {} MiB", MEMORY_BYTES_MAX >> 20),
            ));
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
}

fn end(child: &mut Child, reason: &str) -> String {
    if let Err(error) = child.kill().and_then(|()| child.wait().map(drop)) {
        tracing::warn!(%error, "a compiler that was to be ended");
    }
    reason.to_owned()
}

fn words(child: &mut Child) -> String {
    let mut words = Vec::new();
    if let Some(stderr) = child.stderr.take()
        && let Err(error) = stderr.take(WORDS_MAX).read_to_end(&mut words)
    {
        tracing::debug!(%error, "what the compiler said was not read");
    }
    let text = String::from_utf8_lossy(&words);
    text.trim().trim_start_matches("geminus: ").to_owned()
}

/// Memory that a process holds, where the system tells.
fn resident(id: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use geminus_core::SystemClock;
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

    use super::*;
    use crate::replay::tests::guest;
    use crate::runtime::crumb::{carry_for_work, left_behind};

    /// Reads the crumbs of a folder whenever this thread says something.
    struct Peek(PathBuf, Arc<Mutex<Vec<Vec<u32>>>>);

    impl<S: tracing::Subscriber> Layer<S> for Peek {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            if event.metadata().target().starts_with("geminus_behavior") {
                let left = left_behind(&self.0).expect("read");
                self.1.lock().expect("lock").push(left);
            }
        }
    }

    #[test]
    fn a_host_that_compiles_itself_leaves_a_crumb_while_it_does() {
        let folder = tempfile::tempdir().expect("folder");
        let (engine, clock) = (Engine::new(Limits::default()).expect("an engine"), SystemClock::new());
        let package = guest::package("1.0.0", 1, |text| text);
        // A cache that is no folder: keeping the artefact fails, which is said at the end of compiling.
        let cache = folder.path().join("cache");
        std::fs::write(&cache, b"a file").expect("written");
        let number = || Ok(7);
        let effort =
            Effort { limit: Duration::from_secs(60), wanted: &WANTED, clock: &clock, number: &number };
        let seen = Arc::default();
        let peek = Peek(folder.path().to_owned(), Arc::clone(&seen));
        let carried = carry_for_work(folder.path(), "start");
        let subscriber = tracing_subscriber::registry().with(peek);
        let compiled =
            tracing::subscriber::with_default(subscriber, || apart(&engine, &package, &cache, &effort));
        assert!(compiled.is_ok(), "{:?}", compiled.err());
        assert_eq!(seen.lock().expect("lock").last(), Some(&vec![7]));
        assert_eq!(left_behind(folder.path()).expect("read"), [0; 0], "it has come back");
        drop(carried);
        let effort = Effort { number: &|| Err("the books are shut".to_owned()), ..effort };
        assert_eq!(apart(&engine, &package, &cache, &effort).err().as_deref(), Some("the books are shut"));
    }
}
