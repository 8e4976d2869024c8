//! Compiling apart.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use geminus_behavior::{Compiled, Engine};
use geminus_core::Clock;
use geminus_registry::Package;

/// The compiled component.
///
/// # Errors
/// Why there is none, in an operator's words.
pub(crate) fn apart(
    engine: &Engine,
    package: &Package,
    cache: &Path,
    _limit: Duration,
    _clock: &dyn Clock,
) -> Result<Arc<Compiled>, String> {
    engine
        .compile(package.digest, &package.bytes, Arc::clone(&package.declaration), Some(cache))
        .map_err(|error| error.to_string())
}
