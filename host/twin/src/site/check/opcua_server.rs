//! What can be wrong in `[opcua_server]`. What of it opens the site is asked of the room that speaks the protocol.

use std::net::SocketAddr;

use super::{Check, is_host};

impl Check<'_> {
    pub(super) fn opcua_server(&mut self) {
        let site = self.site;
        let Some(server) = &site.document.opcua_server else { return };
        if server.listen.parse::<SocketAddr>().is_err() {
            let message = format!("\"{}\" is not an address and port like 127.0.0.1:4840", server.listen);
            self.report("opcua_server.listen", message);
        }
        if let Some(host) = server.host.as_ref().filter(|host| !is_host(host)) {
            let message = format!("\"{host}\" is not a name without port like twins.example");
            self.report("opcua_server.host", message);
        }
        self.selection("opcua_server", &server.twins);
        self.range("opcua_server.sessions_max", server.sessions_max, 1..=1_000);
        self.range("opcua_server.subscriptions_max", server.subscriptions_max, 1..=1_000);
        self.range("opcua_server.items_max", server.items_max, 1..=100_000);
        self.range("opcua_server.queue_max", server.queue_max, 1..=10_000);
    }
}
