//! What the process uses, as Linux tells it. Elsewhere these metrics are left out.

use super::{Exposition, catalogue};

pub(crate) fn write(out: &mut Exposition) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(kibibytes) = field(&status, "VmRSS:") {
        out.count(&catalogue::PROCESS_MEMORY, &[], kibibytes * 1_024);
    }
    if let Some(threads) = field(&status, "Threads:") {
        out.count(&catalogue::PROCESS_THREADS, &[], threads);
    }
    if let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") {
        // One of them is the folder that is being read.
        let open = descriptors.count().saturating_sub(1);
        out.count(&catalogue::PROCESS_FDS, &[], u64::try_from(open).unwrap_or(u64::MAX));
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_status_are_found() {
        let status = "Name:\tgeminus\nVmRSS:\t   12345 kB\nThreads:\t7\n";
        assert_eq!(field(status, "VmRSS:"), Some(12_345));
        assert_eq!(field(status, "Threads:"), Some(7));
        assert_eq!(field(status, "VmSwap:"), None);
    }
}
