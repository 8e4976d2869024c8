//! What threads and the process cost, as the kernel counts it. Only Linux tells; elsewhere there is nothing to show.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

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

/// Processor time of the whole machine and of this process with its ended children at one moment, in ticks of the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    all: u64,
    busy: u64,
    own: u64,
}

impl Machine {
    /// `None` where the kernel does not tell.
    pub(crate) fn now() -> Option<Self> {
        let numbers = |text: &str| -> Vec<u64> {
            text.split_whitespace().map_while(|word| word.parse().ok()).collect()
        };
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let of = numbers(stat.lines().next()?.strip_prefix("cpu")?);
        // User, nice, system, idle, waiting for disks, two kinds of interrupts, stolen by a hypervisor.
        let [user, nice, system, idle, disk, hard, soft, stolen] = of.get(..8)?.try_into().ok()?;
        let busy = user + nice + system + hard + soft + stolen;
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        let (_, own) = own.rsplit_once(") ")?;
        // Behind the state, which is a letter: ten numbers, some below zero, then the four that count.
        let own = own.split_whitespace().skip(11).take(4).filter_map(|word| word.parse::<u64>().ok()).sum();
        Some(Self { all: busy + idle + disk, busy, own })
    }

    /// Part of the machine that others used since an earlier moment.
    pub(crate) fn others_since(&self, earlier: &Self) -> f64 {
        let busy = self.busy.saturating_sub(earlier.busy);
        let own = self.own.saturating_sub(earlier.own);
        busy.saturating_sub(own) as f64 / self.all.saturating_sub(earlier.all).max(1) as f64
    }
}

/// Processor time of the calling thread, which neither others nor waiting add to. `None` where the kernel does not tell.
///
/// The kernel brings this account up to date at its tick, 4 ms or more apart, and whenever a thread gives its processor
/// away: so this one does first.
pub(crate) fn own_time() -> Option<Duration> {
    std::thread::sleep(Duration::from_nanos(1));
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Memory of this process that lies in RAM, in bytes.
pub(crate) fn resident_bytes() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kibibytes.ok_or_else(|| anyhow::anyhow!("the kernel does not tell VmRSS"))? * 1024)
}

#[cfg(test)]
mod tests {
    use geminus_core::{Clock as _, SystemClock};

    use super::*;

    #[test]
    fn own_time_is_finer_than_a_tick() {
        let clock = SystemClock::default();
        let mut steps = Vec::new();
        for _ in 0..20 {
            let (start, before) = (clock.monotonic(), own_time().expect("Linux tells"));
            while clock.monotonic() - start < Duration::from_micros(500) {
                std::hint::spin_loop();
            }
            steps.push(own_time().expect("Linux tells") - before);
        }
        steps.sort();
        let median = steps[steps.len() / 2];
        // On a busy machine the thread has less of those 500 us, never none and never a tick.
        assert!(median > Duration::from_micros(20) && median < Duration::from_millis(2), "{steps:?}");
    }

    #[test]
    fn what_others_used_is_what_is_neither_idle_nor_ours() {
        let (earlier, later) =
            (Machine { all: 100, busy: 50, own: 10 }, Machine { all: 300, busy: 150, own: 60 });
        assert_eq!(later.others_since(&earlier), 0.25);
        assert_eq!(earlier.others_since(&earlier), 0.0);
        let now = Machine::now().expect("Linux tells");
        assert!(now.all >= now.busy && now.busy >= now.own, "{now:?}");
    }
}
