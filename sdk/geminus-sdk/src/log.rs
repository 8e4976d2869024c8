//! Lines for the operator's log: `log::warn!("pressure {p} above {limit}")`.
//!
//! In wasm they go to the host, which bounds their number and length. Natively the testing host collects them;
//! without one nobody listens and they are not even formatted.

use std::cell::RefCell;
use std::fmt;

/// How much a line matters; the numbers are those of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Something does not work.
    Error = 0,
    /// Something may soon not work.
    Warn = 1,
    /// Worth knowing.
    Info = 2,
    /// For the plugin's author.
    Debug = 3,
    /// For the plugin's author, at length.
    Trace = 4,
}

/// One collected line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How much it matters.
    pub level: Level,
    /// The text.
    pub message: String,
}

thread_local! {
    static LISTENER: RefCell<Option<Vec<Line>>> = const { RefCell::new(None) };
}

/// Writes a line. The macros call it.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    #[cfg(target_arch = "wasm32")]
    crate::wasm::log(level as u8, &message.to_string());
    #[cfg(not(target_arch = "wasm32"))]
    LISTENER.with_borrow_mut(|lines| {
        if let Some(lines) = lines {
            lines.push(Line { level, message: message.to_string() });
        }
    });
}

/// Runs `call` and gives back what it logged on this thread.
pub(crate) fn collect<T>(call: impl FnOnce() -> T) -> (T, Vec<Line>) {
    let outer = LISTENER.replace(Some(Vec::new()));
    let answer = call();
    (answer, LISTENER.replace(outer).unwrap_or_default())
}

macro_rules! levels {
    ($d:tt $($name:ident $hidden:ident $level:ident $text:literal)*) => {$(
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $hidden {
            ($d($d argument:tt)*) => {
                $crate::log::write($crate::log::Level::$level, ::std::format_args!($d($d argument)*))
            };
        }
        #[doc = $text]
        pub use $hidden as $name;
    )*};
}
levels! { $
    error __log_error Error "Logs an error."
    warn __log_warn Warn "Logs a warning."
    info __log_info Info "Logs something worth knowing."
    debug __log_debug Debug "Logs for the plugin's author."
    trace __log_trace Trace "Logs for the plugin's author, at length."
}
