//! Components and twins that are not let in, each with the reason; and the cache of compiled ones.

use std::sync::Arc;

use geminus_behavior::{Cohort, CompileError, Engine, Limits, StartError};
use geminus_core::{Declaration, Digest};

use crate::probe::{ENGINE, Listener, Oracle, Outside, Probe, frame, limits, openings, step};

fn refusal(bytes: &[u8], declaration: Arc<Declaration>) -> CompileError {
    ENGINE.compile(Digest::of(bytes), bytes, declaration, None).expect_err("must be refused")
}

#[test]
fn a_component_that_does_not_fit_is_refused_by_name() {
    let good = Probe::default().component();
    let module = Probe::default().module();
    let web = Probe { outside: Outside::Web, ..Probe::default() }.component();
    let next = Probe { contract: "0.2.0", ..Probe::default() }.component();
    let empty = wat::parse_str("(component)").unwrap();
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    let cases: [(&[u8], &str); 9] = [
        (&[], "not a WebAssembly component"),
        (b"\x7fELF\x02\x01\x01\x00", "not a WebAssembly component"),
        (&good[..6], "not a WebAssembly component"),
        (&good[..good.len() - 100], "cannot be compiled"),
        (&damaged, "cannot be compiled"),
        (&module, "core module, not a component"),
        (&web, "wasi:http/fetch@0.2.0"),
        (&next, "@0.2.0, this host speaks 0.1.x"),
        (&empty, "does not export geminus:behavior/behavior"),
    ];
    for (bytes, expect) in cases {
        let error = refusal(bytes, Probe::default().declaration()).to_string();
        assert!(error.contains(expect), "{error} does not say {expect:?}");
    }
    let error =
        ENGINE.compile(Digest::of(b"other"), &good, Probe::default().declaration(), None).unwrap_err();
    assert!(matches!(error, CompileError::Digest { .. }), "{error}");
    let mut windows = (*Probe::default().declaration()).clone();
    windows.windows = serde_json::from_value(serde_json::json!([{"name": "wave"}])).unwrap();
    assert!(refusal(&good, Arc::new(windows)).to_string().contains("window inputs"));
    let small = Engine::new(Limits { component_bytes_max: 1_000, ..limits() }).unwrap();
    let error = small.compile(Digest::of(&good), &good, Probe::default().declaration(), None).unwrap_err();
    assert!(error.to_string().contains("1000 are allowed"), "{error}");
}

#[test]
fn an_artefact_made_elsewhere_is_loaded_and_nothing_is_compiled_where_rows_wait() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = Probe::default().component();
    let (digest, declaration) = (Digest::of(&bytes), Probe::default().declaration());
    let load = || ENGINE.load(digest, declaration.clone(), folder.path()).unwrap();
    assert!(load().is_none(), "an empty folder");
    // As another process does it: an engine that reserves nothing, with the limits of the one that runs.
    let apart = Engine::for_compiling(ENGINE.limits().clone()).unwrap();
    apart.precompile(digest, &bytes, folder.path()).unwrap();
    let compiled = load().expect("it fits");
    assert!(compiled.from_cache());
    let (mut cohort, _) = Cohort::start(compiled, Arc::new(Listener::default()), openings("nl")).unwrap();
    let rows = frame([(0, 1, 1.0, 1.0), (1, 1, 666.0, 1.0)]);
    Oracle::default().check(&rows, &step(&mut cohort, &rows), &[1]);
    let web = Probe { outside: Outside::Web, ..Probe::default() }.component();
    let error = apart.precompile(Digest::of(&web), &web, folder.path()).unwrap_err();
    assert!(error.to_string().contains("wasi:http/fetch"), "{error}");
    let nowhere = folder.path().join("file");
    std::fs::write(&nowhere, b"").unwrap();
    let error = apart.precompile(digest, &bytes, &nowhere).unwrap_err();
    assert!(error.to_string().contains("cannot be kept in"), "{error}");
    let wrong = apart.precompile(Digest::of(b"other"), &bytes, folder.path()).unwrap_err();
    assert!(matches!(wrong, CompileError::Digest { .. }), "{wrong}");
}

#[test]
fn compile_bombs_are_refused_by_the_name_of_the_rule() {
    let refused = |text: String, rule: &str| {
        let bytes = wat::parse_str(format!("(component (core module {text}))")).unwrap();
        let error = refusal(&bytes, Probe::default().declaration()).to_string();
        assert!(error.contains(&format!("({rule})")), "{error} does not name {rule}");
    };
    let nest = |count: usize| format!("{}{}", "block ".repeat(count), "end ".repeat(count));
    refused("(func)".repeat(100_001), "functions_max");
    refused(format!("(func {})", "nop ".repeat(600_000)), "function_bytes_max");
    refused(format!("(func (local {}))", "i32 ".repeat(30_000)), "locals_max");
    refused(format!("(func {})", nest(2_001)), "block_depth_max");
    refused(format!("(func (local {}) {})", "i32 ".repeat(1_000), "loop end ".repeat(101)), "joins_max");
}

#[test]
fn every_prefix_of_a_component_is_refused_without_a_panic() {
    let good = Probe::default().component();
    let step = (good.len() / 97).max(1);
    for length in (0..good.len()).step_by(step) {
        let error = refusal(&good[..length], Probe::default().declaration());
        assert!(
            matches!(error, CompileError::NotWasm | CompileError::Invalid(_) | CompileError::NoBehavior),
            "{error}"
        );
    }
}

#[test]
fn twins_that_are_refused_do_not_stop_the_others() {
    let (mut cohort, refused) = Probe::default().cohort_with("npno", Arc::new(Listener::default()));
    let mut named: Vec<_> = refused.iter().map(|r| (r.twin.0, r.id.as_str())).collect();
    named.sort_unstable();
    assert_eq!(named, [(1, "twin-1"), (3, "twin-3")]);
    let said = |twin: u32| refused.iter().find(|r| r.twin.0 == twin).map(ToString::to_string).unwrap();
    assert!(said(1).contains("open: parameter /m: not this value"), "{}", said(1));
    assert!(said(3).contains("open: ") && said(3).contains("unreachable"), "{}", said(3));
    let rows = frame([(0, 1, 1.0, 1.0), (2, 1, 1.0, 1.0)]);
    Oracle::default().check(&rows, &step(&mut cohort, &rows), &[]);
}

#[test]
fn a_component_that_cannot_start_says_so() {
    let host = || Arc::new(Listener::default());
    let dies = Probe { starts: false, ..Probe::default() }.compiled();
    let error = Cohort::start(dies, host(), openings("n")).unwrap_err();
    assert!(
        matches!(&error, StartError::Instantiate { message, .. } if message.contains("unreachable")),
        "{error}"
    );
    let error = Cohort::start(Probe::default().compiled(), host(), openings("pp")).unwrap_err();
    assert!(error.to_string().contains("none of its 2 twins: open: parameter /m"), "{error}");
    let hungry = Probe { memory_bytes: 1 << 20, ..Probe::default() }.compiled();
    let error = Cohort::start(hungry, host(), openings("n")).unwrap_err();
    assert!(error.to_string().contains("memory limit of 1048576"), "{error}");
    let few = Engine::new(Limits { slots_max: 2, ..limits() }).unwrap();
    let error = Cohort::start(Probe::default().compiled_by(&few), host(), openings("nnn")).unwrap_err();
    assert!(error.to_string().contains("3 twins for one cohort"), "{error}");
    let (cohort, refused) = Cohort::start(Probe::default().compiled(), host(), vec![]).unwrap();
    assert_eq!((cohort.twins().count(), refused), (0, vec![]));
}

#[test]
fn the_artefact_is_loaded_only_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = Probe::default().component();
    let compile = || {
        ENGINE
            .compile(Digest::of(&bytes), &bytes, Probe::default().declaration(), Some(folder.path()))
            .unwrap()
    };
    let artefact =
        || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    assert!(!compile().from_cache());
    let files = artefact();
    assert_eq!(files.len(), 1);
    let good = std::fs::read(&files[0]).unwrap();
    let cached = compile();
    assert!(cached.from_cache());
    // The cached one carries the same limits as the fresh one.
    let (mut cohort, _) = Cohort::start(cached, Arc::new(Listener::default()), openings("nl")).unwrap();
    let rows = frame([(0, 1, 1.0, 1.0), (1, 1, 666.0, 1.0)]);
    Oracle::default().check(&rows, &step(&mut cohort, &rows), &[1]);
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for harmed in [&flipped[..], &good[..good.len() - 1], &good[..20], &[]] {
        std::fs::write(&files[0], harmed).unwrap();
        assert!(!compile().from_cache());
        assert_eq!(std::fs::read(&files[0]).unwrap(), good, "made anew");
    }
    let other = Engine::new(Limits { memory_reservation_bytes: 1 << 30, ..limits() }).unwrap();
    let compiled = other
        .compile(Digest::of(&bytes), &bytes, Probe::default().declaration(), Some(folder.path()))
        .unwrap();
    assert!(!compiled.from_cache() && artefact().len() == 2, "another engine has its own artefact");
}
