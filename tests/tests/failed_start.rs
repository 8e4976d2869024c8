//! A host that cannot start leaves those that run alone, and says why in one true sentence.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use geminus_tests::{Broker, Host, PATIENCE, SiteFolder, geminus, wait_for};

/// A run that is expected to end by itself.
fn run(site: &Path, listen: &str) -> anyhow::Result<(Output, String)> {
    let output = Command::new(geminus()?)
        .arg("run")
        .arg(site)
        .args(["--listen", listen, "--for", "60s"])
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((output, said))
}

fn site(broker: &Broker, client_id: &str) -> anyhow::Result<SiteFolder> {
    SiteFolder::from_example("pump-rig", |text| {
        let text = text.replace("mqtt://127.0.0.1:1883", &broker.url());
        text.replace("qos = 1 }", &format!("qos = 1{client_id} }}"))
    })
}

fn connected(host: &Host) -> anyhow::Result<()> {
    wait_for("the broker", PATIENCE, || {
        Ok((host.metric("geminus_source_connected{source=\"broker\"}")? == Some(1.0)).then_some(()))
    })
}

fn lost(host: &Host) -> anyhow::Result<usize> {
    Ok(host.journal()?.iter().filter(|entry| entry["kind"] == "source-lost").count())
}

#[test]
fn a_second_host_on_a_taken_port_does_not_touch_the_session_of_the_first() -> anyhow::Result<()> {
    let broker = Broker::start(1_000)?;
    // The same client id in both, as in a copied folder.
    let [first, second] = [(); 2].map(|()| site(&broker, ", client_id = \"twins\""));
    let (first, second) = (first?, second?);
    let host = Host::start(&first.site())?;
    connected(&host)?;
    let (output, said) = run(&second.site(), &format!("127.0.0.1:{}", host.port))?;
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot listen on 127.0.0.1:") && said.contains("--listen"), "{said}");
    assert!(!said.contains("snapshot-failed"), "{said}");
    assert_eq!(said.matches("cannot listen").count(), 1, "{said}");
    assert!(!said.contains('\u{1b}'), "no escape codes in a file: {said:?}");
    assert_eq!(lost(&host)?, 0, "the first keeps its connection");
    connected(&host)?;
    // It never ran, so the next start of it has nothing to say about its end.
    let again = Host::start(&second.site())?;
    let kinds: Vec<_> = again.journal()?.iter().map(|entry| entry["kind"].clone()).collect();
    assert!(!kinds.iter().any(|kind| kind == "snapshot-failed"), "{kinds:?}");
    Ok(())
}

#[test]
fn a_start_that_fails_late_connects_to_nothing_and_journals_no_lost_state() -> anyhow::Result<()> {
    let broker = Broker::start(1_000)?;
    let site = site(&broker, "")?;
    // Nobody can write a token there.
    std::fs::create_dir_all(site.path("data/token"))?;
    let (output, said) = run(&site.site(), "127.0.0.1:0")?;
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("token"), "{said}");
    assert!(!said.contains("snapshot-failed") && !said.contains("source-connected"), "{said}");
    std::fs::remove_dir(site.path("data/token"))?;
    let host = Host::start(&site.site())?;
    connected(&host)?;
    let kinds: Vec<_> = host.journal()?.iter().map(|entry| entry["kind"].clone()).collect();
    assert!(!kinds.iter().any(|kind| kind == "snapshot-failed"), "{kinds:?}");
    host.stop()
}

#[test]
fn two_hosts_of_one_name_at_one_broker_leave_each_other_alone() -> anyhow::Result<()> {
    let broker = Broker::start(1_000)?;
    let sites = (site(&broker, "")?, site(&broker, "")?);
    let hosts = (Host::start(&sites.0.site())?, Host::start(&sites.1.site())?);
    connected(&hosts.0)?;
    connected(&hosts.1)?;
    let id = |site: &SiteFolder| std::fs::read_to_string(site.path("data/client-broker.txt"));
    let (first, second) = (id(&sites.0)?, id(&sites.1)?);
    assert!(first.starts_with("geminus-pump-rig-broker-") && first != second, "{first} {second}");
    // Both hear what is published once.
    let mut field = geminus_tests::Publisher::connect(broker.port, "field")?;
    for round in 0..20 {
        geminus_tests::publish_round(&mut field, "rig/pump-rig-1/", round)?;
    }
    field.flush()?;
    for host in [&hosts.0, &hosts.1] {
        geminus_tests::whole(host, "pump-rig-1", 20)?;
        assert_eq!(lost(host)?, 0);
    }
    hosts.1.stop()?;
    let again = Host::start(&sites.1.site())?;
    connected(&again)?;
    assert_eq!(id(&sites.1)?, second, "kept over restarts");
    assert_eq!(lost(&hosts.0)?, 0);
    Ok(())
}

#[test]
fn a_log_that_there_is_not_is_refused_with_those_that_there_are() -> anyhow::Result<()> {
    let command = |arguments: &[&str], format: &str| -> anyhow::Result<(Option<i32>, String)> {
        let output = Command::new(geminus()?)
            .args(arguments)
            .args(["check", "no/such/site.toml"])
            .env_remove("GEMINUS_LOG")
            .env("GEMINUS_LOG_FORMAT", format)
            .output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let (code, said) = command(&["--log", "verbose"], "")?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("verbose") && said.contains("error, warn, info, debug, trace"), "{said}");
    let (code, said) = command(&[], "xml")?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("xml") && said.contains("json"), "{said}");
    let (_, said) = command(&["--log", "debug"], "json")?;
    assert!(said.contains("no/such/site.toml: cannot be read"), "{said}");
    Ok(())
}

#[test]
fn an_error_about_a_file_names_it_and_its_cause_once() -> anyhow::Result<()> {
    for arguments in [
        ["plugin", "inspect", "nope.wasm"].as_slice(),
        ["feed", "nope.csv", "--to", "mqtt://127.0.0.1:1"].as_slice(),
        ["check", "nope.toml"].as_slice(),
    ] {
        let output = Command::new(geminus()?).args(arguments).env_remove("GEMINUS_LOG").output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!((said.matches("nope").count(), said.matches("No such file").count()), (1, 1), "{said}");
    }
    Ok(())
}
