//! The contract as Rust types, generated from `wit/next` by wasmtime. Lists that the host passes are borrowed
//! slices, so a frame's columns are copied once: from the frame straight into the guest's memory.

#![allow(unsafe_code, reason = "generated: wasmtime's typed calls are unsafe traits and constructors")]
#![allow(missing_debug_implementations, clippy::all, clippy::pedantic, reason = "generated")]
#![allow(unreachable_pub, clippy::allow_attributes_without_reason, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit/next",
    world: "plugin",
    imports: { default: trappable },
    ownership: Borrowing { duplicate_if_necessary: true },
});
