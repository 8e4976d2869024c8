//! The reference of the command line is what the binary says of itself. `UPDATE_GENERATED=1` writes it anew.
#![cfg(all(feature = "demo", feature = "bench"))]
#![allow(clippy::expect_used, reason = "a test that cannot run the binary fails by saying so")]

use std::path::Path;
use std::process::Command;

const HEAD: &str = "# Command line\n\n\
    Generated from the help of the binary; a test fails when they differ (`UPDATE_GENERATED=1` writes this file anew).\n\
    The log goes to standard error, one line per event; `GEMINUS_LOG_FORMAT=json` makes each a JSON object.\n";

/// `geminus <path…> --help`.
fn help(path: &[String]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_geminus"))
        .args(path)
        .arg("--help")
        .env_remove("GEMINUS_LOG")
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{path:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The names under `Commands:`, without `help`.
fn commands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect()
}

/// A chapter for the command and each one below it.
fn describe(path: &[String], book: &mut String) -> usize {
    let help = help(path);
    let title = ["geminus"].into_iter().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    book.push_str(&format!("\n## {title}\n\n```text\n{}\n```\n", lines.join("\n").trim()));
    let below = commands(&help);
    let deeper = below.iter().map(|name| {
        let path: Vec<String> = path.iter().chain([name]).cloned().collect();
        describe(&path, book)
    });
    1 + deeper.sum::<usize>()
}

#[test]
fn the_reference_of_the_command_line_is_up_to_date() {
    let mut made = HEAD.to_owned();
    let chapters = describe(&[], &mut made);
    assert!(chapters >= 12, "only {chapters} commands were found: has the shape of the help changed?");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/generated/cli.md");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, &made).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "docs/generated/cli.md is not what the code makes: run the tests with UPDATE_GENERATED=1 and commit it"
    );
}
