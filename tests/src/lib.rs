//! The harness: real peers (broker, browser), the real binary, and waits that end.
//!
//! Scenarios stand in `tests/tests/`, one file each. No scenario sleeps and then takes something as done: every wait
//! polls a condition under a deadline, and says what it waited for when it gives up. Only feeds and probes sleep, for
//! their pace.

mod harness;

pub use harness::application::HostApplication;
pub use harness::bomb::{bomb, slow_bomb};
pub use harness::broker::Broker;
pub use harness::browser::Browser;
pub use harness::cells::Cells;
pub use harness::certificates::{Authority, Identity};
pub use harness::clockwork::Clockwork;
pub use harness::cut::{Cut, Cutter};
pub use harness::dead_man::{DeadMan, Watch};
pub use harness::death::Crumbs;
pub use harness::edge::EdgeNode;
pub use harness::field::Publisher;
pub use harness::guest::{Guest, drop_bytes};
pub use harness::host::{Host, get};
pub use harness::http::{asking, asking_step_by_step, asking_whatever_the_status};
pub use harness::listener::{Listener, Message};
pub use harness::machine::Machine;
pub use harness::opcua::{Mute, OpcUaPeer, OpcUaServer, Wire, bits};
pub use harness::opcua_client::{Login, OpcUaClient};
pub use harness::openid::{OpenIdProvider, Visit, Visitor};
pub use harness::place::{free_port, geminus, recorded_data, repository};
pub use harness::pulse::{Answers, Pulse, Sent, answered, tally, tally_without};
pub use harness::question::PATIENCE;
pub use harness::rebuild::{rebuild, rebuild_file, with_second_schema};
pub use harness::rounds::{Rounds, START_MS, publish_round, whole};
pub use harness::site::SiteFolder;
pub use harness::stream::{Page, Probe};
pub use harness::wait::wait_for;
pub use harness::wat::{component, probe};
