//! Deaths at a chosen place: the host is held still, its crumbs are read, and it is killed if they are as wished. So what
//! was seen is what it dies in, however short that is.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::host::Host;
use super::wait::wait_for;

/// What each thread that carries a crumb is inside of: a number of `incarnation` in `control.db`, 0 for nothing.
pub type Crumbs = BTreeMap<String, u32>;

/// How long the wished moment may take to come.
const MOMENT_MAX: Duration = Duration::from_secs(30);

impl Host {
    /// SIGKILL while the crumbs are as wished; gives them.
    ///
    /// # Errors
    /// When they never are; the message says what they were.
    pub fn kill_when(self, what: &str, wish: impl Fn(&Crumbs) -> bool) -> anyhow::Result<Crumbs> {
        let data = self.site().with_file_name("data");
        let crumbs = wait_for(&format!("the host to be {what}"), MOMENT_MAX, || {
            self.hold()?;
            let crumbs = crumbs(&data)?;
            if wish(&crumbs) {
                return Ok(Some(crumbs));
            }
            self.signal("CONT")?;
            anyhow::bail!("it is inside of {crumbs:?}")
        })?;
        // One that is held can be killed.
        self.kill()?;
        Ok(crumbs)
    }

    /// SIGKILL while it is inside of no component.
    ///
    /// # Errors
    /// As [`Host::kill_when`].
    pub fn kill_outside(self) -> anyhow::Result<()> {
        self.kill_when("inside of no component", |crumbs| crumbs.values().all(|inside| *inside == 0))
            .map(drop)
    }

    /// SIGSTOP, and waits until every thread stands still.
    fn hold(&self) -> anyhow::Result<()> {
        self.signal("STOP")?;
        wait_for("the host to stand still", Duration::from_secs(10), || {
            for thread in std::fs::read_dir(format!("/proc/{}/task", self.id()))? {
                let text = std::fs::read_to_string(thread?.path().join("stat"))?;
                let state = text.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().next());
                if state != Some("T") {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let status = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status()?;
        anyhow::ensure!(status.success(), "kill -{name} failed");
        Ok(())
    }
}

fn crumbs(data: &Path) -> anyhow::Result<Crumbs> {
    let mut crumbs = Crumbs::new();
    for entry in std::fs::read_dir(data)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "crumb") {
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let inside = std::fs::read(&path)?.try_into().map_or(0, u32::from_le_bytes);
            crumbs.insert(name, inside);
        }
    }
    Ok(crumbs)
}
