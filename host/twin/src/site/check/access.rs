//! What can be wrong in `[access.oidc]`. Addresses are judged once more by the room that asks them.

use super::Check;
use crate::site::Oidc;

/// Most grants of a site.
const GRANTS_MAX: usize = 200;
/// Most scopes that are asked for.
const SCOPES_MAX: usize = 20;

impl Check<'_> {
    pub(super) fn access(&mut self) {
        let site = self.site;
        if let Some(oidc) = &site.document.access.oidc {
            self.oidc("access.oidc", oidc);
        }
    }

    fn oidc(&mut self, key: &str, oidc: &Oidc) {
        self.range(&format!("{key}.leeway_s"), oidc.leeway_s, 0..=300);
        self.range(&format!("{key}.keys_hours_max"), oidc.keys_hours_max, 1..=168);
        self.range(&format!("{key}.title"), oidc.title.chars().count(), 1..=40);
        let texts = [
            ("client_id", Some(&oidc.client_id)),
            ("audience", oidc.audience.as_ref()),
            ("name_claim", Some(&oidc.name_claim)),
            ("roles_claim", Some(&oidc.roles_claim)),
        ];
        for (name, text) in texts {
            if text.is_some_and(String::is_empty) {
                self.report(&format!("{key}.{name}"), format!("{name} is empty"));
            }
        }
        if oidc.algorithms.is_empty() {
            self.report(&format!("{key}.algorithms"), "algorithms is empty: RS256 and ES256 are usual");
        }
        if oidc.issuer.starts_with("https://") && oidc.ca.is_none() {
            let message = "an issuer over https needs the authorities that may vouch for it: ca = \"ca.pem\"";
            self.report(&format!("{key}.ca"), message);
        }
        let plain =
            |text: &String| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
        if oidc.scopes.len() > SCOPES_MAX || oidc.scopes.iter().any(|text| text.is_empty() || !plain(text)) {
            let message = format!("scopes are {SCOPES_MAX} words at most, without spaces and quotes");
            self.report(&format!("{key}.scopes"), message);
        }
        if oidc.grant.is_empty() {
            let message =
                "nobody could log in: say in [[access.oidc.grant]] what which value of roles_claim is worth";
            self.report(&format!("{key}.grant"), message);
        }
        self.range(&format!("{key}.grant"), oidc.grant.len(), 0..=GRANTS_MAX);
        for (index, grant) in oidc.grant.iter().enumerate() {
            let key = format!("{key}.grant[{index}]");
            if grant.value.is_empty() {
                self.report(&format!("{key}.value"), "value is empty");
            }
            if grant.roles.is_empty() {
                self.report(
                    &format!("{key}.roles"),
                    "roles is empty: give one at least, or leave the grant out",
                );
            }
        }
    }
}
