//! House rules that Cargo's dependency lists cannot keep.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use geminus_tests::repository;

/// Files of the repository with this ending, without what is built or fetched.
fn files(ending: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path()) {
            let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if entry.is_dir() && !["target", "node_modules", "dist", ".git"].contains(&name) {
                walk(&entry, ending, found);
            } else if name.ends_with(ending) && entry.is_file() {
                found.push(entry);
            }
        }
    }
    let mut found = Vec::new();
    walk(&repository(), ending, &mut found);
    assert!(!found.is_empty(), "no {ending} file: is the repository where it should be?");
    found
}

/// The normal dependencies of each crate, as its manifest lists them.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    files("Cargo.toml")
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("manifest");
            let mut name = String::new();
            let mut section = String::new();
            let mut list = Vec::new();
            for line in text.lines().map(str::trim) {
                if line.starts_with('[') {
                    section = line.to_owned();
                } else if section == "[package]" && line.starts_with("name") {
                    name = line.split('"').nth(1).unwrap_or_default().to_owned();
                } else if section == "[dependencies]" && !line.starts_with('#') && !line.is_empty() {
                    list.push(line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned());
                }
            }
            (name, list)
        })
        .collect()
}

#[test]
fn a_library_is_named_by_the_one_room_that_may() {
    let owners = [
        ("wasmtime", vec!["geminus-behavior"]),
        ("rusqlite", vec!["geminus-store"]),
        ("parquet", vec!["geminus-store"]),
        // Reading and writing the field are two connections, of two rooms.
        ("rumqttc-v4", vec!["geminus-dispatch", "geminus-ingest"]),
        ("rumqttc-v5", vec!["geminus-dispatch", "geminus-ingest"]),
        ("tokio-rustls", vec!["geminus-api", "geminus-tls"]),
        ("axum", vec!["geminus-api"]),
        // Tests make components that no author would.
        ("wit-component", vec!["geminus-registry", "geminus-tests"]),
        ("notify", vec!["geminus-registry"]),
        ("argon2", vec!["geminus-access"]),
        ("cel", vec!["geminus-interlock"]),
        ("async-opcua", vec!["geminus-opcua"]),
        ("jsonwebtoken", vec!["geminus-oidc"]),
        ("rhai", vec!["script"]),
    ];
    let dependencies = dependencies();
    assert!(dependencies.contains_key("geminus-core"), "manifests are not read");
    for (library, may) in owners {
        let users: Vec<&String> = dependencies
            .iter()
            .filter(|(_, list)| list.iter().any(|name| name == library))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(users, may, "{library}");
    }
}

#[test]
fn pure_rooms_have_nothing_to_do_io_with() {
    let banned = ["tokio", "rusqlite", "ureq", "axum", "notify", "crossbeam-channel"];
    let dependencies = dependencies();
    for room in [
        "geminus-core",
        "geminus-twin",
        "geminus-interlock",
        "geminus-command",
        "geminus-rollout",
        "geminus-scenario",
        "geminus-alarm",
        "geminus-access",
        "geminus-sparkplug",
    ] {
        for library in &dependencies[room] {
            assert!(!banned.contains(&library.as_str()), "{room} names {library}");
        }
    }
}

#[test]
fn rooms_do_not_reach_into_each_other() {
    let dependencies = dependencies();
    let rooms = ["ingest", "twin", "behavior", "interlock", "store", "registry", "api"];
    for room in rooms {
        let others: Vec<&String> = dependencies[&format!("geminus-{room}")]
            .iter()
            .filter(|name| rooms.iter().any(|other| **name == format!("geminus-{other}")))
            // The site file embeds the rules of targets, which interlock owns and compiles.
            .filter(|name| !(room == "twin" && *name == "geminus-interlock"))
            .collect();
        assert!(others.is_empty(), "{room} names {others:?}: pass a type of core instead");
    }
    assert!(dependencies["geminus-dispatch"].contains(&"geminus-interlock".to_owned()));
}

/// Everything of ours that a crate depends on, itself or through others.
fn reached<'d>(dependencies: &'d BTreeMap<String, Vec<String>>, from: &str) -> BTreeSet<&'d str> {
    let (mut reached, mut ahead) = (BTreeSet::new(), vec![from]);
    while let Some((room, needs)) = ahead.pop().and_then(|room| dependencies.get_key_value(room)) {
        if reached.insert(room.as_str()) {
            ahead.extend(needs.iter().map(String::as_str).filter(|need| dependencies.contains_key(*need)));
        }
    }
    reached
}

#[test]
fn no_command_can_leave_a_fork() {
    let dependencies = dependencies();
    let reached = reached(&dependencies, "geminus-fork");
    // Whoever adds a room here looks whether anything leads from it to the field, to a broker, a disk or a socket.
    let expect = ["geminus-behavior", "geminus-core", "geminus-fork", "geminus-scenario"];
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), expect);
    let doors = ["tokio", "rusqlite", "rumqttc-v4", "rumqttc-v5", "async-opcua", "ureq", "axum", "hyper"];
    for room in expect {
        for library in &dependencies[room] {
            assert!(!doors.contains(&library.as_str()), "{room} names {library}");
        }
    }
    // Forks are made of a copy: what asks for it in a shard is the one place where both meet.
    let named = |path: &PathBuf| fs::read_to_string(path).expect("source").contains("geminus_fork");
    let inside = |path: &PathBuf| path.starts_with(repository().join("host/geminus/src"));
    let users: Vec<PathBuf> = files(".rs").into_iter().filter(|path| inside(path) && named(path)).collect();
    for path in &users {
        let text = fs::read_to_string(path).expect("source");
        for banned in ["geminus_dispatch", "geminus_command", "geminus_interlock"] {
            assert!(!text.contains(banned), "{} names {banned} beside forks", path.display());
        }
    }
    assert!(users.len() >= 3, "only {users:?}: has the wiring of forks moved?");
}

#[test]
fn every_rust_file_says_what_it_is() {
    let silent: Vec<PathBuf> = files(".rs")
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).expect("source");
            !text.lines().take(3).any(|line| line.starts_with("//!"))
        })
        .collect();
    assert!(silent.is_empty(), "no //! at the top of {silent:?}");
}

#[test]
fn only_interlock_can_make_a_permit() {
    for path in files(".rs") {
        let inside = path.starts_with(repository().join("host/interlock"));
        let text = fs::read_to_string(&path).expect("source");
        assert!(inside || !text.contains(concat!("Permit ", "{ ")), "{} builds a permit", path.display());
    }
}

#[test]
fn no_file_holds_a_path_of_the_machine_it_was_written_on() {
    let marks = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    for ending in [".rs", ".toml", ".md", ".json", ".svelte", ".ts", ".wit", ".py", ".lock"] {
        for path in files_or_none(ending) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            for mark in marks {
                assert!(!text.contains(mark), "{} contains {mark}", path.display());
            }
        }
    }
}

fn files_or_none(ending: &str) -> Vec<PathBuf> {
    std::panic::catch_unwind(|| files(ending)).unwrap_or_default()
}
