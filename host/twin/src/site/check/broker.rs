//! What all connections to a broker have.

use super::Check;
use crate::site::Broker;

impl Check<'_> {
    pub(super) fn broker(&mut self, key: &str, broker: Broker<'_>) {
        let Broker { url, username, .. } = broker;
        match (self.address)(url) {
            Err(reason) => self.report(&format!("{key}.url"), reason),
            Ok(()) if url.starts_with("opc.tcp:") => {
                self.report(&format!("{key}.url"), format!("`{url}` is an OPC UA server and no broker"));
            }
            Ok(()) => {}
        }
        let user_of_url = url.rsplit_once('@').map(|(before, _)| before.rsplit('/').next().unwrap_or(before));
        if user_of_url.is_some_and(|user| user.contains(':')) {
            let message =
                "a password does not stand in this file: give username, and password_file or password_env";
            self.report(&format!("{key}.url"), message);
        }
        if username.is_some() && user_of_url.is_some() {
            let message = "give the user either in url or in username, not in both";
            self.report(&format!("{key}.username"), message);
        }
        if broker.client_id.is_some_and(str::is_empty) {
            let message = "client_id must not be empty: leave it out, and the host makes one";
            self.report(&format!("{key}.client_id"), message);
        }
        match (broker.password_env, broker.password_file) {
            (Some(_), Some(_)) => {
                let message = "give either password_env or password_file, not both";
                self.report(&format!("{key}.password_file"), message);
            }
            (None, Some(_)) if username.is_none() => {
                self.report(&format!("{key}.password_file"), "a password without username is not sent");
            }
            _ => {}
        }
        self.tls(key, broker);
    }

    fn tls(&mut self, key: &str, Broker { url, tls, .. }: Broker<'_>) {
        match (url.starts_with("mqtts://"), tls) {
            (true, None) => {
                let message = "mqtts:// needs an authority to trust: tls = { ca = \"ca.pem\" }";
                self.report(&format!("{key}.url"), message);
            }
            (false, Some(_)) => {
                self.report(&format!("{key}.tls"), "tls is used with mqtts:// only, and url says otherwise");
            }
            _ => {}
        }
        if tls.is_some_and(|tls| tls.certificate.is_some() != tls.key.is_some()) {
            let message = "certificate and key belong together: give both, or none";
            self.report(&format!("{key}.tls"), message);
        }
    }
}
