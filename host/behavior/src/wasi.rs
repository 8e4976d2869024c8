//! What a component gets that imports WASI, because the runtime of its language (JavaScript, Python) cannot be linked
//! without: clocks that stand at the row's time, numbers that follow from the twin's seed and that time, output into
//! the behavior's log, an empty environment, an empty input, no folders. Whatever else such a runtime imports (files,
//! sockets) is there by name only and ends the call. What is not listed in `geminus_core::wasi` was refused before.
//!
//! Each import is offered under the very name and version by which the component asks for it. Nothing blocks.

use geminus_core::wasi;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType};

use crate::bindings::wasi::{Datetime, IoError, StreamError};
use crate::host::Room;
use crate::trouble::FaultKind;

mod outside;

pub(crate) use outside::Outside;

/// Something to wait for; it has always come already.
struct Pollable;
struct InputStream;
struct OutputStream;
struct TerminalInput;
struct TerminalOutput;
/// What no component ever holds: folders, sockets.
struct Nothing;

type Place<'a> = LinkerInstance<'a, Room>;

/// Offers what `component` imports of WASI. Gives whether it imports any.
pub(crate) fn offer(linker: &mut Linker<Room>, component: &Component) -> wasmtime::Result<bool> {
    let engine = linker.engine().clone();
    let mut any = false;
    for (import, item) in component.component_type().imports(&engine) {
        let (Some(interface), ComponentItem::ComponentInstance(instance)) =
            (wasi::interface(import), item.ty)
        else {
            continue;
        };
        any = true;
        let mut place = linker.instance(import)?;
        for (name, item) in instance.exports(&engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => function(&mut place, interface, name)?,
                ComponentItem::Resource(_) => place.resource(name, resource(name), |mut store, _| {
                    store.data_mut().outside.handles.give_back();
                    Ok(())
                })?,
                _ => {}
            }
        }
    }
    Ok(any)
}

fn resource(name: &str) -> ResourceType {
    match name {
        "pollable" => ResourceType::host::<Pollable>(),
        "error" => ResourceType::host::<IoError>(),
        "input-stream" => ResourceType::host::<InputStream>(),
        "output-stream" => ResourceType::host::<OutputStream>(),
        "terminal-input" => ResourceType::host::<TerminalInput>(),
        "terminal-output" => ResourceType::host::<TerminalOutput>(),
        _ => ResourceType::host::<Nothing>(),
    }
}

fn function(place: &mut Place<'_>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match interface {
        "cli/environment" | "filesystem/preopens" => surroundings(place, interface, name),
        "cli/stdin" | "cli/stdout" | "cli/stderr" => stdio(place, interface, name),
        "cli/terminal-stdin" | "cli/terminal-stdout" | "cli/terminal-stderr" => {
            terminal(place, interface, name)
        }
        "clocks/monotonic-clock" | "clocks/wall-clock" => clock(place, interface, name),
        "io/poll" => poll(place, interface, name),
        "io/streams" => match name.strip_prefix("[method]output-stream.") {
            Some(method) => output(place, name, method),
            None => input(place, name),
        },
        "random/random" | "random/insecure" | "random/insecure-seed" => random(place, interface, name),
        _ => refused(place, interface, name),
    }
}

/// Linked, and never called with success.
fn refused(place: &mut Place<'_>, interface: &str, name: &str) -> wasmtime::Result<()> {
    let said = format!("called wasi:{interface} {name}, which a behavior may not");
    place.func_new(name, move |mut store, _, _, _| {
        store.data_mut().refused = Some(FaultKind::HostCalls);
        wasmtime::bail!("{said}")
    })
}

fn surroundings(place: &mut Place<'_>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match name {
        "get-environment" => place.func_wrap(name, |mut store, (): ()| {
            store.data_mut().count(0)?;
            Ok((Vec::<(String, String)>::new(),))
        }),
        "get-arguments" => place.func_wrap(name, |mut store, (): ()| {
            store.data_mut().count(0)?;
            Ok((Vec::<String>::new(),))
        }),
        "initial-cwd" => place.func_wrap(name, |mut store, (): ()| {
            store.data_mut().count(0)?;
            Ok((None::<String>,))
        }),
        "get-directories" => place.func_wrap(name, |mut store, (): ()| {
            store.data_mut().count(0)?;
            Ok((Vec::<(Resource<Nothing>, String)>::new(),))
        }),
        _ => refused(place, interface, name),
    }
}

/// Output streams are told apart by their number.
fn stdio(place: &mut Place<'_>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match name {
        "get-stdin" => {
            place.func_wrap(name, |mut store, (): ()| Ok((store.data_mut().hand_out::<InputStream>(0)?,)))
        }
        "get-stdout" => place.func_wrap(name, |mut store, (): ()| {
            Ok((store.data_mut().hand_out::<OutputStream>(outside::STDOUT)?,))
        }),
        "get-stderr" => place.func_wrap(name, |mut store, (): ()| {
            Ok((store.data_mut().hand_out::<OutputStream>(outside::STDERR)?,))
        }),
        _ => refused(place, interface, name),
    }
}

fn terminal(place: &mut Place<'_>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match name {
        "get-terminal-stdin" => place.func_wrap(name, |mut store, (): ()| {
            store.data_mut().count(0)?;
            Ok((None::<Resource<TerminalInput>>,))
        }),
        "get-terminal-stdout" | "get-terminal-stderr" => place.func_wrap(name, |mut store, (): ()| {
            store.data_mut().count(0)?;
            Ok((None::<Resource<TerminalOutput>>,))
        }),
        _ => refused(place, interface, name),
    }
}

fn clock(place: &mut Place<'_>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match (interface, name) {
        ("clocks/monotonic-clock", "now") => place.func_wrap(name, |mut store, (): ()| {
            let room = store.data_mut();
            room.count(0)?;
            Ok((room.outside.now(),))
        }),
        ("clocks/monotonic-clock", "resolution") => place.func_wrap(name, |mut store, (): ()| {
            store.data_mut().count(0)?;
            Ok((1_u64,))
        }),
        // Whatever is waited for has come: time does not go on in a call.
        (_, "subscribe-duration" | "subscribe-instant") => {
            place.func_wrap(name, |mut store, (_,): (u64,)| Ok((store.data_mut().hand_out::<Pollable>(0)?,)))
        }
        ("clocks/wall-clock", "now") => place.func_wrap(name, |mut store, (): ()| {
            let room = store.data_mut();
            room.count(0)?;
            Ok((Datetime::from_ns(room.outside.now()),))
        }),
        ("clocks/wall-clock", "resolution") => place.func_wrap(name, |mut store, (): ()| {
            store.data_mut().count(0)?;
            Ok((Datetime::from_ns(1),))
        }),
        _ => refused(place, interface, name),
    }
}

fn poll(place: &mut Place<'_>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match name {
        "[method]pollable.block" => {
            place.func_wrap(name, |mut store, (_,): (Resource<Pollable>,)| store.data_mut().count(0))
        }
        "[method]pollable.ready" => place.func_wrap(name, |mut store, (_,): (Resource<Pollable>,)| {
            store.data_mut().count(0)?;
            Ok((true,))
        }),
        "poll" => place.func_wrap(name, |mut store, (all,): (Vec<Resource<Pollable>>,)| {
            store.data_mut().count(0)?;
            let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
            Ok(((0..count).collect::<Vec<u32>>(),))
        }),
        _ => refused(place, interface, name),
    }
}

fn output(place: &mut Place<'_>, name: &str, method: &str) -> wasmtime::Result<()> {
    match method {
        "check-write" => place.func_wrap(name, |mut store, (_,): (Resource<OutputStream>,)| {
            store.data_mut().count(0)?;
            Ok((Ok::<u64, StreamError>(outside::WRITE_BYTES),))
        }),
        "write" | "blocking-write-and-flush" => {
            place.func_wrap(name, |mut store, (this, bytes): (Resource<OutputStream>, Vec<u8>)| {
                store.data_mut().say(this.rep(), &bytes)?;
                Ok((Ok::<(), StreamError>(()),))
            })
        }
        "flush" | "blocking-flush" => place.func_wrap(name, |mut store, (_,): (Resource<OutputStream>,)| {
            store.data_mut().count(0)?;
            Ok((Ok::<(), StreamError>(()),))
        }),
        "subscribe" => place.func_wrap(name, |mut store, (_,): (Resource<OutputStream>,)| {
            Ok((store.data_mut().hand_out::<Pollable>(0)?,))
        }),
        _ => refused(place, "io/streams", name),
    }
}

/// The input is at its end.
fn input(place: &mut Place<'_>, name: &str) -> wasmtime::Result<()> {
    match name {
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => {
            place.func_wrap(name, |mut store, (_, _): (Resource<InputStream>, u64)| {
                store.data_mut().count(0)?;
                Ok((Err::<Vec<u8>, StreamError>(StreamError::Closed),))
            })
        }
        "[method]input-stream.subscribe" => place
            .func_wrap(name, |mut store, (_,): (Resource<InputStream>,)| {
                Ok((store.data_mut().hand_out::<Pollable>(0)?,))
            }),
        _ => refused(place, "io/streams", name),
    }
}

fn random(place: &mut Place<'_>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match name {
        "get-random-bytes" | "get-insecure-random-bytes" => {
            place.func_wrap(name, |mut store, (length,): (u64,)| {
                let room = store.data_mut();
                room.count(0)?;
                Ok((room.outside.bytes(length)?,))
            })
        }
        "get-random-u64" | "get-insecure-random-u64" => place.func_wrap(name, |mut store, (): ()| {
            let room = store.data_mut();
            room.count(0)?;
            Ok((room.outside.bits(),))
        }),
        "insecure-seed" => place.func_wrap(name, |mut store, (): ()| {
            let room = store.data_mut();
            room.count(0)?;
            Ok(((room.outside.bits(), room.outside.bits()),))
        }),
        _ => refused(place, interface, name),
    }
}
