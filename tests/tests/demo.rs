//! `geminus demo`: one command, nothing installed, and a clean end by its own clock or by a signal.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use geminus_tests::{PATIENCE, free_port, geminus, get, wait_for};

/// A demo under way; killed when dropped.
struct Demo {
    port: u16,
    child: Option<Child>,
}

impl Demo {
    fn start(data: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let port = free_port()?;
        let child = Command::new(geminus()?)
            .args(["demo", "--headless", "--listen", &format!("127.0.0.1:{port}")])
            .arg("--data")
            .arg(data)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Self { port, child: Some(child) })
    }

    /// Waits for it to end by itself; gives what it said.
    fn end(mut self) -> anyhow::Result<String> {
        let mut child = self.child.take().context("already ended")?;
        // Plugins are built from source first, and cargo may wait for another build.
        let ended = wait_for("the demo to end", Duration::from_secs(240), || Ok(child.try_wait()?));
        if ended.is_err() {
            child.kill()?;
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        anyhow::ensure!(
            ended?.success(),
            "{}: {said}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Ended by a failed scenario, which tells its own error.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

#[test]
fn a_demo_with_a_time_ends_by_itself_and_tells_its_rows() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let said = Demo::start(data.path(), &["--for", "20s"])?.end()?;
    let last = said.lines().last().unwrap_or_default();
    let rows = last.split(" rows of pump-rig-1").next().and_then(|head| head.rsplit(' ').next());
    let rows: u64 = rows.and_then(|rows| rows.parse().ok()).with_context(|| said.clone())?;
    // Ten readings a second and two behaviors make 400 on an idle machine.
    assert!(rows >= 40, "{last}");
    assert!(last.contains("3 twins live"), "{last}");
    Ok(())
}

#[test]
fn a_demo_is_stopped_by_a_signal_and_keeps_its_data_where_it_was_told() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let demo = Demo::start(data.path(), &[])?;
    let url = format!("http://127.0.0.1:{}/api/v1/twins/pump-rig-1", demo.port);
    wait_for("an estimate in the demo", Duration::from_secs(240), || {
        let twin = get(&url)?;
        let estimated = twin["estimated"].as_array().cloned().unwrap_or_default();
        let winding = estimated.into_iter().find(|point| point["name"] == "thermal.winding_temperature");
        Ok(winding.filter(|point| point["value"].is_number()))
    })?;
    // Twins are counted once a second, so the count follows the first estimate.
    let site = format!("http://127.0.0.1:{}/api/v1/site", demo.port);
    wait_for("all rigs to be counted as live", PATIENCE, || {
        let site = get(&site)?;
        Ok((site["twins"]["live"] == 3).then_some(()))
    })?;
    // Another one in the same folder is refused before it has written anything.
    let site = data.path().join("site.toml");
    let before = std::fs::read(&site)?;
    let refused = Demo::start(data.path(), &[])?.end().expect_err("the folder is in use").to_string();
    assert!(refused.contains("another demo runs in"), "{refused}");
    assert_eq!(std::fs::read(&site)?, before, "and the running one keeps its files");
    let id = demo.child.as_ref().map(Child::id).context("running")?;
    let status = Command::new("kill").args(["-TERM", &id.to_string()]).status()?;
    anyhow::ensure!(status.success(), "kill failed");
    let said = demo.end()?;
    assert!(said.contains("3 twins live"), "{said}");
    let hot = wait_for("the database", PATIENCE, || find(data.path(), "hot.db"))?;
    let wal = hot.with_file_name("hot.db-wal");
    assert!(!wal.exists() || wal.metadata()?.len() == 0, "nothing is left half done");
    Ok(())
}

fn find(folder: &Path, name: &str) -> anyhow::Result<Option<std::path::PathBuf>> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|file| file == name) {
            return Ok(Some(path));
        }
        if path.is_dir()
            && let Some(found) = find(&path, name)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
