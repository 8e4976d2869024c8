//! What the documents say is so: links lead somewhere, sites are read by the host's own reader, examples are the
//! examples, commands and addresses exist, and every event is explained.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use geminus_tests::repository;
use geminus_twin::Site;

/// Files below `folder` with this ending, without what is built or fetched.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for path in fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !["target", "node_modules", "dist", "data", ".git"].contains(&name) {
                walk(&path, ending, found);
            } else if path.is_file() && name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&repository().join(folder), ending, &mut found);
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A fenced block: its language and its lines.
struct Block {
    language: String,
    text: String,
}

/// Prose with the fenced blocks taken out, and the blocks.
fn parts(text: &str) -> (String, Vec<Block>) {
    let (mut prose, mut blocks, mut open) = (String::new(), Vec::new(), None::<Block>);
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), text: String::new() })
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => prose.extend([line, "\n"]),
        }
    }
    assert!(open.is_none(), "a fenced block is not closed");
    (prose, blocks)
}

/// Blocks in this language of the README and everything in docs.
fn blocks(language: &str) -> Vec<(PathBuf, String)> {
    let mut places = files("docs", ".md");
    places.push(repository().join("README.md"));
    let mut found = Vec::new();
    for path in places {
        let (_, blocks) = parts(&read(&path));
        found.extend(
            blocks.into_iter().filter(|b| b.language == language).map(|block| (path.clone(), block.text)),
        );
    }
    assert!(!found.is_empty(), "no {language} block is found: has the shape of the documents changed?");
    found
}

/// Targets of `[text](target)` and `![text](target)`.
fn links(prose: &str) -> Vec<&str> {
    let starts = prose.match_indices("](").map(|(at, mark)| at + mark.len());
    starts.filter_map(|start| prose[start..].split_once(')').map(|(target, _)| target)).collect()
}

/// The name that a heading gets, as code hosts make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut seen = 0;
    for path in files(".", ".md") {
        let text = read(&path);
        for target in links(&parts(&text).0) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
            let place = match file {
                "" => path.clone(),
                file => path.parent().expect("folder").join(file),
            };
            assert!(place.exists(), "{}: the link {target} leads nowhere", path.display());
            if !fragment.is_empty() {
                let known = parts(&read(&place)).0;
                let mut headings = known.lines().filter(|line| line.starts_with('#'));
                assert!(
                    headings.any(|line| anchor(line.trim_start_matches('#')) == fragment),
                    "{}: {target} names no heading",
                    path.display()
                );
            }
        }
    }
    assert!(seen > 40, "only {seen} links are found");
}

#[test]
fn every_site_in_the_documents_is_read_by_the_host() {
    let mut seen = 0;
    // Types are looked for beside the file: beside the example they are there.
    let beside = repository().join("examples/pump-rig/site.toml");
    for (path, text) in blocks("toml") {
        if text.contains("[site]") {
            seen += 1;
            if let Err(problems) = Site::parse(&beside, &text) {
                panic!("{}: {problems}\n{text}", path.display());
            }
        }
    }
    assert!(seen >= 3, "only {seen} sites are found");
}

#[test]
fn the_first_behavior_of_the_readme_is_the_example() {
    let source = read(&repository().join("examples/first-behavior/src/lib.rs"));
    let start = source.find("use geminus_sdk").expect("the example's first line");
    let shown = blocks("rust");
    let readme: Vec<&String> =
        shown.iter().filter(|(path, _)| path.ends_with("README.md")).map(|(_, text)| text).collect();
    assert_eq!(readme, [&source[start..]], "README.md shows another first behavior than the example");
}

/// Lines of shell blocks, continued lines joined.
fn commands() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for (path, text) in blocks("sh") {
        let joined = text.replace("\\\n", " ");
        found.extend(joined.lines().map(|line| (path.clone(), line.trim().to_owned())));
    }
    found
}

#[test]
fn every_geminus_command_in_the_documents_exists_with_its_options() {
    let reference = read(&repository().join("docs/generated/cli.md"));
    let chapters: Vec<(&str, &str)> =
        reference.split("\n## ").skip(1).filter_map(|chapter| chapter.split_once('\n')).collect();
    let mut seen = 0;
    for (path, line) in commands() {
        let Some((_, arguments)) =
            line.split_once("cargo run --release -- ").or_else(|| line.split_once("geminus "))
        else {
            continue;
        };
        let words: Vec<&str> =
            arguments.split_whitespace().take_while(|word| !["#", "|", "&"].contains(word)).collect();
        let named = |count: usize| format!("geminus {}", words[..count].join(" "));
        let best = (1..=words.len().min(2)).rev().find_map(|count| {
            let title = named(count);
            chapters.iter().find(|(known, _)| *known == title)
        });
        let (_, chapter) = best.unwrap_or_else(|| panic!("{}: no such command: {line}", path.display()));
        seen += 1;
        for word in words.iter().filter(|word| word.starts_with("--")) {
            let option = word.split('=').next().unwrap_or_default();
            let known = chapter.split(|c: char| !c.is_alphanumeric() && c != '-').any(|part| part == option);
            assert!(known, "{}: {option} is no option of: {line}", path.display());
        }
    }
    assert!(seen >= 15, "only {seen} commands are found");
}

#[test]
fn every_address_of_the_api_in_the_book_is_in_its_document() {
    let openapi: serde_json::Value =
        serde_json::from_str(&read(&repository().join("docs/generated/openapi.json"))).expect("json");
    let paths: Vec<&String> = openapi["paths"].as_object().expect("paths").keys().collect();
    let mut seen = 0;
    for (place, line) in commands() {
        for address in
            line.split(['"', '\'', ' ']).filter_map(|word| word.split_once(":8630/").map(|(_, path)| path))
        {
            seen += 1;
            let path = address.split('?').next().unwrap_or_default();
            let parts: Vec<&str> = path.split('/').collect();
            let fits = |known: &&&String| {
                let known: Vec<&str> = known.trim_start_matches('/').split('/').collect();
                known.len() == parts.len()
                    && known.iter().zip(&parts).all(|(known, part)| known.starts_with('{') || known == part)
            };
            assert!(paths.iter().any(|known| fits(&known)), "{}: /{path} is not served", place.display());
        }
    }
    assert!(seen >= 8, "only {seen} addresses are found");
}

/// Shipping sources of the host, each without its tests.
fn host_sources() -> Vec<(PathBuf, String)> {
    let sources: Vec<(PathBuf, String)> = files("host", ".rs")
        .into_iter()
        .filter(|path| path.strip_prefix(repository()).expect("inside").iter().any(|part| part == "src"))
        .map(|path| (path.clone(), read(&path)))
        .collect();
    // Files that are tests only, as `#[cfg(test)] mod name;` of the file above them says.
    let tests: BTreeSet<PathBuf> = sources
        .iter()
        .flat_map(|(path, text)| {
            let folder = match path.file_stem().and_then(|stem| stem.to_str()) {
                Some("lib" | "main") => path.parent().expect("folder").to_owned(),
                _ => path.with_extension(""),
            };
            let names = text.split("#[cfg(test)]\nmod ").skip(1).filter_map(|rest| rest.split_once(';'));
            names.map(move |(name, _)| folder.join(name).with_extension("rs"))
        })
        .collect();
    let shipped = sources.into_iter().filter(|(path, _)| !tests.contains(path));
    shipped
        .map(|(path, text)| {
            let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
            (path, text[..end].to_owned())
        })
        .collect()
}

/// Texts between quotes that are words joined by dashes, as the kinds of events are.
fn dashed(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2).filter(|word| {
        word.contains('-')
            && word.split('-').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()))
    })
}

/// Kinds that the host's sources give to events. Where a kind is worked out before, every dashed word of the file
/// counts as one.
fn kinds() -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for (path, text) in host_sources().iter().filter(|(path, _)| !path.ends_with("core/src/journal.rs")) {
        for (at, call) in text.match_indices("Event::new(") {
            let argument = text[at + call.len()..].trim_start();
            match argument.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                Some((kind, _)) => drop(kinds.insert(kind.to_owned())),
                None => {
                    let words: Vec<String> = dashed(text).map(str::to_owned).collect();
                    assert!(!words.is_empty(), "{}: which kinds does it write?", path.display());
                    kinds.extend(words);
                }
            }
        }
    }
    kinds
}

#[test]
fn every_event_is_explained_and_nothing_else() {
    let list = read(&repository().join("docs/generated/events.md"));
    let table = list.split("\n## ").next().expect("the first part");
    let explained: BTreeSet<String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(kind, _)| kind.to_owned()))
        .collect();
    let written = kinds();
    assert!(written.len() > 20, "only {} kinds are found in the sources", written.len());
    let missing: Vec<_> = written.difference(&explained).collect();
    assert!(missing.is_empty(), "docs/generated/events.md does not explain {missing:?}");
    let surplus: Vec<_> = explained.difference(&written).collect();
    assert!(surplus.is_empty(), "docs/generated/events.md explains what nobody writes: {surplus:?}");
}

#[test]
fn every_decision_stands_in_the_index() {
    let index = read(&repository().join("docs/decisions/README.md"));
    let records = files("docs/decisions", ".md").into_iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        (name != "README.md").then_some((path, name))
    });
    let mut number = 0;
    for (path, name) in records {
        number += 1;
        assert!(
            name.starts_with(&format!("{number:04}-")),
            "{name} does not have the next number, {number:04}"
        );
        assert!(index.contains(&format!("]({name})")), "{name} is not in docs/decisions/README.md");
        assert!(
            read(&path).starts_with(&format!("# {number:04} ")),
            "{name} has another title than its number"
        );
    }
    assert!(number >= 5, "only {number} decisions are found");
}
