//! The contract as Rust types, generated from `wit/next` by wasmtime. Lists that the host passes are borrowed
//! slices, so a frame's columns are copied once: from the frame straight into the guest's memory. And the types of WASI
//! that are more than numbers.

#![allow(unsafe_code, reason = "generated: wasmtime's typed calls are unsafe traits and constructors")]
#![allow(missing_debug_implementations, clippy::all, clippy::pedantic, reason = "generated")]
#![allow(unreachable_pub, clippy::allow_attributes_without_reason, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit/next",
    world: "plugin",
    imports: { default: trappable },
    ownership: Borrowing { duplicate_if_necessary: true },
});

/// The two types of WASI that have a shape of their own.
pub(crate) mod wasi {
    use wasmtime::component::{ComponentType, Lower, Resource};

    /// Why a stream failed; none that is offered here ever does.
    pub struct IoError;

    /// Since 1970.
    #[derive(ComponentType, Lower)]
    #[component(record)]
    pub struct Datetime {
        seconds: u64,
        nanoseconds: u32,
    }

    impl Datetime {
        pub fn from_ns(ns: u64) -> Self {
            Self { seconds: ns / 1_000_000_000, nanoseconds: (ns % 1_000_000_000) as u32 }
        }
    }

    /// Why a stream takes or gives nothing.
    #[derive(ComponentType, Lower)]
    #[component(variant)]
    pub enum StreamError {
        #[expect(dead_code, reason = "no stream that is offered fails, but the case is part of the type")]
        #[component(name = "last-operation-failed")]
        LastOperationFailed(Resource<IoError>),
        #[component(name = "closed")]
        Closed,
    }
}
