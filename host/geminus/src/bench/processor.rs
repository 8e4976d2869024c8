//! What threads and the process cost, as the kernel counts it. Only Linux tells; elsewhere there is nothing to show.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Map, Value};

use super::figure::rounded;

/// Processor time of every thread at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent {
    /// Nanoseconds by thread id, with the thread's name.
    threads: BTreeMap<String, (String, u64)>,
}

impl Spent {
    /// Of this process, and of the child with this process id, if there is one.
    pub(crate) fn now(child: Option<u32>) -> Self {
        let mut spent = Self::default();
        spent.add("/proc/self/task");
        if let Some(child) = child {
            spent.add(&format!("/proc/{child}/task"));
        }
        spent
    }

    fn add(&mut self, tasks: &str) {
        for task in fs::read_dir(tasks).into_iter().flatten().flatten() {
            let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let nanos = read("schedstat").split_whitespace().next().and_then(|text| text.parse().ok());
            let Some(nanos) = nanos else { continue };
            self.threads.insert(task.path().display().to_string(), (read("comm").trim().to_owned(), nanos));
        }
    }

    /// Seconds by name since an earlier moment; below 10 ms is left out.
    pub(crate) fn since(&self, earlier: &Self) -> Value {
        let mut seconds: BTreeMap<&str, f64> = BTreeMap::new();
        for (task, (name, nanos)) in &self.threads {
            let before = earlier.threads.get(task).map_or(0, |(_, nanos)| *nanos);
            *seconds.entry(name).or_default() += nanos.saturating_sub(before) as f64 / 1e9;
        }
        let shown = seconds.into_iter().filter(|(_, seconds)| *seconds >= 0.01);
        Value::Object(shown.map(|(name, seconds)| (name.to_owned(), rounded(seconds))).collect::<Map<_, _>>())
    }
}

/// Memory of this process that lies in RAM, in bytes.
pub(crate) fn resident_bytes() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kibibytes.ok_or_else(|| anyhow::anyhow!("the kernel does not tell VmRSS"))? * 1024)
}
