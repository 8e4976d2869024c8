//! The end of a session that is told to stop.

use std::time::Duration;

use geminus_ingest::mqtt::line::{Line, Step, Voice};

use super::{Session, message};

/// How long a stopping session waits for the broker to take its last word.
const STOP_GRACE: Duration = Duration::from_secs(5);

impl Session {
    /// Says that we go, waits until the broker has it, and disconnects. If that fails, the will says it.
    pub(super) async fn say_goodbye<L: Line>(mut self, mut line: L) {
        if self.standing {
            let goodbye = self.speaker.goodbye(self.house.clock.now());
            match line.voice().publish(&message(&goodbye)) {
                Ok(()) => {
                    self.under_way += 1;
                    if tokio::time::timeout(STOP_GRACE, self.part(&mut line)).await.is_err() {
                        tracing::warn!(broker = %self.broker, "stopped before the broker had the last word");
                    }
                }
                Err(error) => tracing::warn!(broker = %self.broker, %error, "no goodbye could be said"),
            }
        }
        line.hang_up();
    }

    async fn part<L: Line>(&mut self, line: &mut L) {
        let mut parting = false;
        loop {
            if self.under_way == 0 && !parting {
                parting = true;
                if let Err(error) = line.voice().disconnect() {
                    tracing::debug!(%error, "the connection ends without DISCONNECT");
                    return;
                }
            }
            match line.poll().await {
                Ok(Step::Arrived | Step::Declined(_)) => self.under_way = self.under_way.saturating_sub(1),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}
