//! What each route needs: the one table of it. A route that does not stand here is denied to everybody.

use geminus_access::{Permission, Principal};

/// What a route asks of whoever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: whoever may use the port.
    Nothing,
    /// To be somebody: a login, a token, or a site without users.
    Login,
    /// To may this to some twins; to which ones is looked at where they are known.
    Twins(Permission),
    /// To may this to all twins, because it is about the whole site.
    Site(Permission),
    /// What nobody has: the route was forgotten here.
    Unknown,
}

use Need::{Login, Nothing, Site, Twins};
use Permission::{
    Administer, Alarms, Approve, Certificates, Command, Explore, Interlocks, Plugins, Read, Records,
};

const TABLE: [(&str, &str, Need); 67] = [
    ("get", "/api/v1/session", Login),
    ("post", "/api/v1/session", Nothing),
    ("delete", "/api/v1/session", Login),
    ("get", "/api/v1/session/ways", Nothing),
    ("get", "/api/v1/session/oidc", Nothing),
    ("get", geminus_access::CALLBACK, Nothing),
    ("get", "/api/v1/users", Site(Administer)),
    ("post", "/api/v1/users", Site(Administer)),
    ("delete", "/api/v1/users/{name}", Site(Administer)),
    ("get", "/api/v1/tokens", Site(Administer)),
    ("post", "/api/v1/tokens", Site(Administer)),
    ("delete", "/api/v1/tokens/{name}", Site(Administer)),
    ("post", "/api/v1/session/password", Login),
    ("get", "/api/v1/certificates", Site(Read)),
    ("get", "/api/v1/certificates/own", Site(Read)),
    ("post", "/api/v1/certificates/{thumbprint}/trust", Site(Certificates)),
    ("post", "/api/v1/certificates/{thumbprint}/reject", Site(Certificates)),
    ("delete", "/api/v1/certificates/{thumbprint}", Site(Certificates)),
    ("post", "/api/v1/certificates/clients/{thumbprint}/trust", Site(Certificates)),
    ("post", "/api/v1/certificates/clients/{thumbprint}/reject", Site(Certificates)),
    ("delete", "/api/v1/certificates/clients/{thumbprint}", Site(Certificates)),
    ("get", "/api/v1/site", Twins(Read)),
    ("get", "/api/v1/twins", Twins(Read)),
    ("get", "/api/v1/twins/{id}", Twins(Read)),
    ("get", "/api/v1/twins/{id}/history", Twins(Read)),
    ("post", "/api/v1/twins/{id}/forecast", Twins(Read)),
    ("post", "/api/v1/twins/{id}/what-if", Twins(Explore)),
    ("get", "/api/v1/twins/{id}/thread", Twins(Read)),
    ("post", "/api/v1/twins/{id}/records", Twins(Records)),
    ("get", "/api/v1/plugins", Site(Read)),
    ("post", "/api/v1/plugins", Site(Plugins)),
    ("get", "/api/v1/rollouts", Site(Read)),
    ("post", "/api/v1/rollouts", Site(Plugins)),
    ("post", "/api/v1/rollouts/plan", Site(Plugins)),
    ("get", "/api/v1/rollouts/{id}", Site(Read)),
    ("post", "/api/v1/rollouts/{id}/promote", Site(Plugins)),
    ("post", "/api/v1/rollouts/{id}/cancel", Site(Plugins)),
    ("post", "/api/v1/rollouts/{id}/rollback", Site(Plugins)),
    ("get", "/api/v1/activations", Site(Read)),
    ("get", "/api/v1/alarms", Twins(Read)),
    ("post", "/api/v1/alarms/{twin}/{name}/acknowledge", Twins(Alarms)),
    ("post", "/api/v1/alarms/{twin}/{name}/shelve", Twins(Alarms)),
    ("post", "/api/v1/alarms/{twin}/{name}/unshelve", Twins(Alarms)),
    ("post", "/api/v1/alarms/{twin}/{name}/out-of-service", Twins(Alarms)),
    ("post", "/api/v1/alarms/{twin}/{name}/in-service", Twins(Alarms)),
    ("post", "/api/v1/alarms/{twin}/{name}/reset", Twins(Alarms)),
    ("get", "/api/v1/commands", Twins(Read)),
    ("post", "/api/v1/commands", Twins(Command)),
    ("get", "/api/v1/commands/{id}", Twins(Read)),
    ("post", "/api/v1/commands/{id}/approve", Twins(Approve)),
    ("post", "/api/v1/commands/{id}/refuse", Twins(Approve)),
    ("post", "/api/v1/commands/{id}/withdraw", Twins(Command)),
    ("post", "/api/v1/commands/{id}/resolve", Twins(Command)),
    ("get", "/api/v1/targets", Twins(Read)),
    ("post", "/api/v1/targets/{twin}/{name}/hold", Twins(Command)),
    ("post", "/api/v1/targets/{twin}/{name}/release", Twins(Command)),
    ("post", "/api/v1/targets/{twin}/{name}/lockout", Twins(Command)),
    ("post", "/api/v1/targets/{twin}/{name}/reset", Twins(Interlocks)),
    ("post", "/api/v1/targets/{twin}/{name}/bypass", Twins(Interlocks)),
    ("get", "/api/v1/twins/{id}/authority", Twins(Read)),
    ("post", "/api/v1/twins/{id}/authority", Twins(Command)),
    ("get", "/api/v1/journal", Twins(Read)),
    ("get", "/api/v1/events", Twins(Read)),
    ("get", "/api/v1/openapi.json", Login),
    ("get", "/livez", Nothing),
    ("get", "/readyz", Nothing),
    ("get", "/metrics", Site(Read)),
];

/// What this route needs.
pub(crate) fn need(method: &str, path: &str) -> Need {
    let row = TABLE.iter().find(|(of, at, _)| *of == method && *at == path);
    row.map_or(Need::Unknown, |(_, _, need)| *need)
}

/// Method (lower case), path and need of each row of the table, in words: for tests and documents.
pub fn permissions() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    TABLE.iter().map(|(method, path, need)| (*method, *path, need.words()))
}

impl Need {
    /// Whether this one has it, as far as the route alone tells.
    pub(crate) fn is_met(self, principal: &Principal) -> bool {
        match self {
            Self::Nothing | Self::Login => true,
            Self::Twins(permission) => principal.roles.may(permission),
            Self::Site(permission) => principal.may_site(permission),
            Self::Unknown => false,
        }
    }

    pub(crate) fn words(self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Login => "a login or a token".to_owned(),
            Self::Twins(permission) => format!("the role {}", permission.roles()),
            Self::Site(permission) => format!("the role {} for all twins", permission.roles()),
            Self::Unknown => "a row in the table of permissions, which it lacks".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether somebody who only reads could have it.
    fn is_reading(need: Need) -> bool {
        matches!(need, Nothing | Login | Twins(Read) | Site(Read))
    }

    #[test]
    fn what_is_not_in_the_table_is_denied_to_everybody() {
        assert_eq!(need("get", "/api/v1/secrets"), Need::Unknown);
        assert_eq!(need("post", "/api/v1/site"), Need::Unknown);
        assert!(!Need::Unknown.is_met(&Principal::local()));
        assert!(!is_reading(Need::Unknown));
    }

    #[test]
    fn each_row_is_there_once() {
        for (method, path, _) in TABLE {
            let count = TABLE.iter().filter(|(of, at, _)| (*of, *at) == (method, path)).count();
            assert_eq!(count, 1, "{method} {path}");
        }
    }

    #[test]
    fn nothing_that_writes_is_open_to_readers() {
        for (method, path, need) in TABLE {
            // Who somebody is, and by which password, is that one's own matter.
            let session = path == "/api/v1/session" || path == "/api/v1/session/password";
            // A question whose words are too many for an address; it changes nothing.
            let question = path == "/api/v1/twins/{id}/forecast";
            let reads = (method == "get" || question) && need != Site(Administer);
            assert_eq!(is_reading(need), reads || session, "{method} {path}");
        }
    }
}
