//! What others use of the machine while a scenario runs, as the kernel counts it: so that a rate that was not reached
//! can be told from one that others did not leave room for. Only Linux tells.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context as _;

/// Processor time at one moment, in ticks of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    all: u64,
    busy: u64,
    own: u64,
}

impl Machine {
    /// Of the whole machine, and of this process with everything that it started: brokers, hosts, their compilers.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn now() -> anyhow::Result<Self> {
        let own = own(std::process::id(), &processes()?);
        let stat = fs::read_to_string("/proc/stat").context("/proc/stat")?;
        let (all, busy) = whole(&stat).context("/proc/stat has no line of all processors")?;
        Ok(Self { all, busy, own })
    }

    /// Part of the machine, 0 to 1, that others used since an earlier moment.
    #[must_use]
    pub fn others_since(&self, earlier: &Self) -> f64 {
        let busy = self.busy.saturating_sub(earlier.busy);
        let own = self.own.saturating_sub(earlier.own);
        busy.saturating_sub(own) as f64 / self.all.saturating_sub(earlier.all).max(1) as f64
    }
}

/// All time and busy time: user, nice, system, idle, waiting for disks, two kinds of interrupts, stolen by a hypervisor.
fn whole(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let [user, nice, system, idle, disk, hard, soft, stolen] = times.get(..8)?.try_into().ok()?;
    let busy = user + nice + system + hard + soft + stolen;
    Some((busy + idle + disk, busy))
}

/// A process: who started it, and its time with that of its ended children.
type Process = (u32, u64);

fn processes() -> anyhow::Result<BTreeMap<u32, Process>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir("/proc").context("/proc")? {
        let entry = entry?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Another process may end while it is looked at.
        let text = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        all.extend(process(&text).map(|process| (id, process)));
    }
    Ok(all)
}

/// Behind the name, which may hold anything: state, parent, and from the twelfth on four times.
fn process(stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    let times = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok());
    Some((fields.get(1)?.parse().ok()?, times.sum::<Option<u64>>()?))
}

/// The time of a process and of all that descend from it.
fn own(root: u32, processes: &BTreeMap<u32, Process>) -> u64 {
    let mut family = vec![root];
    let mut place = 0;
    while let Some(parent) = family.get(place).copied() {
        family.extend(processes.iter().filter(|(_, (of, _))| *of == parent).map(|(id, _)| *id));
        place += 1;
    }
    family.iter().filter_map(|id| processes.get(id)).map(|(_, time)| time).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_used_is_what_is_neither_idle_nor_of_the_family() {
        let (earlier, later) =
            (Machine { all: 100, busy: 50, own: 10 }, Machine { all: 300, busy: 150, own: 60 });
        assert_eq!((later.others_since(&earlier), earlier.others_since(&earlier)), (0.25, 0.0));
        let now = Machine::now().expect("Linux tells");
        assert!(now.all >= now.busy && now.busy >= now.own, "{now:?}");
    }

    #[test]
    fn lines_of_the_kernel_are_read() {
        assert_eq!(whole("cpu  10 1 5 80 4 2 3 1 0 0\ncpu0 9 9"), Some((106, 22)));
        assert_eq!(whole("cpu  10 1"), None);
        let stat = "77 (a) b) S 12 77 77 0 -1 4194304 1 2 3 4 50 6 7 8 20 0 1 0";
        assert_eq!(process(stat), Some((12, 71)));
        assert_eq!(process(""), None);
        let all =
            BTreeMap::from([(1, (0, 1_000)), (2, (1, 1)), (3, (2, 10)), (4, (3, 100)), (5, (1, 2_000))]);
        assert_eq!(own(2, &all), 111);
    }
}
