//! Interfaces of WASI that a component may import: what the runtimes of other languages (JavaScript, Python) cannot be
//! linked without. What stands behind each is for `behavior` to say, and never a clock that runs, a file or a socket;
//! registry and compiler both refuse whatever is not listed here, by name.

/// Interfaces by package.
const PACKAGES: [(&str, &[&str]); 6] = [
    (
        "cli",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    ("clocks", &["monotonic-clock", "wall-clock"]),
    ("filesystem", &["preopens", "types"]),
    ("io", &["error", "poll", "streams"]),
    ("random", &["random", "insecure", "insecure-seed"]),
    (
        "sockets",
        &[
            "instance-network",
            "ip-name-lookup",
            "network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    ),
];

/// Versions in which they may be asked for: all have the same shape.
const VERSIONS: &str = "0.2.";

/// `package/interface` of an import such as `wasi:io/poll@0.2.9`, when a component may have it.
#[must_use]
pub fn interface(import: &str) -> Option<&str> {
    let (name, version) = import.strip_prefix("wasi:")?.split_once('@')?;
    let (package, interface) = name.split_once('/')?;
    let listed = PACKAGES.iter().any(|(of, all)| *of == package && all.contains(&interface));
    (listed && version.starts_with(VERSIONS)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_is_known_and_only_in_the_second_preview() {
        let check = |import: &str, expect: Option<&str>| assert_eq!(interface(import), expect, "{import}");
        check("wasi:io/poll@0.2.0", Some("io/poll"));
        check("wasi:sockets/udp-create-socket@0.2.12", Some("sockets/udp-create-socket"));
        check("wasi:http/outgoing-handler@0.2.0", None);
        check("wasi:io/poll@0.3.0", None);
        check("wasi:io/poll", None);
        check("wasi:io/poll/deep@0.2.0", None);
        check("geminus:io/poll@0.2.0", None);
    }
}
