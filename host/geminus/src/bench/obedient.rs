//! A field that obeys at once: whatever value an order has, it shows, on the topic of the point that is read back.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context as _, anyhow};
use geminus_core::Clock;
use serde_json::Value;

use super::mqtt::Client;

/// Where orders come, for whatever twin.
const ORDERS: &str = "set/+/current";

/// A field behind a broker. Ends with the broker, if it is not ended before.
#[derive(Debug)]
pub(crate) struct Field {
    socket: TcpStream,
    thread: JoinHandle<anyhow::Result<usize>>,
}

impl Field {
    /// Subscribes to orders and answers them from a thread of its own. Samples have the time of this clock.
    pub(crate) fn start(port: u16, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let mut client = Client::connect(port, "obedient-field", ORDERS)?;
        let socket = client.socket()?;
        let thread = std::thread::Builder::new()
            .name("field".to_owned())
            .spawn(move || obey(&mut client, clock.as_ref()))?;
        Ok(Self { socket, thread })
    }

    /// Ends it; gives how many orders it obeyed.
    pub(crate) fn stop(self) -> anyhow::Result<usize> {
        self.socket.shutdown(Shutdown::Both)?;
        self.thread.join().map_err(|_| anyhow!("the field panicked"))?
    }
}

/// Topic of the orders to a twin.
pub(crate) fn order_topic(twin: &str) -> String {
    format!("set/{twin}/current")
}

/// Topic on which the field shows what it does.
pub(crate) fn sample_topic(twin: &str) -> String {
    format!("rig/{twin}/current")
}

fn obey(client: &mut Client, clock: &dyn Clock) -> anyhow::Result<usize> {
    let mut obeyed = 0;
    while let Some(order) = client.hear()? {
        let twin = order.topic.strip_prefix("set/").and_then(|rest| rest.strip_suffix("/current"));
        let topic = sample_topic(twin.with_context(|| format!("an order on {}", order.topic))?);
        client.publish(&topic, sample(&order.payload, clock)?.as_bytes())?;
        obeyed += 1;
    }
    Ok(obeyed)
}

/// What the field shows for an order. Its time is in nanoseconds: a whole millisecond may lie before the order.
fn sample(order: &[u8], clock: &dyn Clock) -> anyhow::Result<String> {
    let order: Value = serde_json::from_slice(order)?;
    let value = order.get("value").and_then(Value::as_f64).context("an order without a value")?;
    Ok(format!(r#"{{"value":{value},"time":{},"quality":"good"}}"#, clock.now().0))
}

#[cfg(test)]
mod tests {
    use geminus_core::{ManualClock, Timestamp};

    use super::*;

    #[test]
    fn an_order_is_shown_with_its_value_and_a_time_in_nanoseconds() {
        let clock = ManualClock::new(Timestamp(1_900_000_000_123_456_789));
        let order = br#"{"id":"01990000-0000-7000-8000-000000000001","value":4.25,"unit":"A"}"#;
        let expect = r#"{"value":4.25,"time":1900000000123456789,"quality":"good"}"#;
        assert_eq!(sample(order, &clock).expect("an order"), expect);
        assert!(sample(b"{}", &clock).is_err());
    }
}
