//! What the issuer's word is worth here: values of one claim, and the role and scope that each gives.

use geminus_access::{Roles, Scope};
use serde_json::{Map, Value};

/// Values of one claim that are looked at; somebody in more groups has the first of them.
const VALUES_MAX: usize = 1_000;

/// One value and what it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// As it stands in the claim.
    pub value: String,
    /// What it makes of whoever has it.
    pub roles: Roles,
    /// For which twins.
    pub scope: Scope,
}

/// The first grant whose value stands in the claim. One and not their sum: roles of one and the scope of another would be more
/// than either says.
pub(crate) fn find<'a>(grants: &'a [Grant], claims: &Map<String, Value>, claim: &str) -> Option<&'a Grant> {
    let found = at(claims, claim)?;
    let values: Vec<&str> = match found {
        Value::Array(values) => values.iter().take(VALUES_MAX).filter_map(Value::as_str).collect(),
        // These alone are lists in one text; a name of a group may have a space in it.
        Value::String(text) if ["scope", "scp"].contains(&claim) => {
            text.split(' ').take(VALUES_MAX).collect()
        }
        Value::String(text) => vec![text],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    grants.iter().find(|grant| values.contains(&grant.value.as_str()))
}

/// The claim of this very name, or the one that dots lead to: `realm_access.roles`.
fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    at(claims.get(first)?.as_object()?, rest)
}

#[cfg(test)]
mod tests {
    use geminus_access::Role;
    use serde_json::json;

    use super::*;

    fn grant(value: &str, role: Role, twins: &str) -> Grant {
        let roles = Roles::new([role]).expect("roles");
        Grant { value: value.to_owned(), roles, scope: twins.parse().expect("scope") }
    }

    #[test]
    fn the_first_grant_that_fits_counts_and_no_sum_of_them() {
        let grants = [grant("ops", Role::Operator, "pump-*"), grant("all staff", Role::Viewer, "*")];
        let check = |claims: Value, claim: &str, expect: Option<&str>| {
            let found = find(&grants, claims.as_object().expect("claims"), claim);
            assert_eq!(found.map(|grant| grant.value.as_str()), expect, "{claims} {claim}");
        };
        check(json!({"groups": ["all staff", "ops"]}), "groups", Some("ops"));
        check(json!({"groups": ["all staff"]}), "groups", Some("all staff"));
        check(json!({"groups": "all staff"}), "groups", Some("all staff"));
        check(json!({"groups": "all ops staff"}), "groups", None);
        check(json!({"groups": ["OPS", "op", "ops "]}), "groups", None);
        check(json!({"groups": [["ops"], {"ops": true}, 1, null]}), "groups", None);
        check(json!({"groups": {"ops": true}}), "groups", None);
        check(json!({"groups": null}), "groups", None);
        check(json!({}), "groups", None);
        check(json!({"scope": "openid ops"}), "scope", Some("ops"));
        check(json!({"realm_access": {"roles": ["ops"]}}), "realm_access.roles", Some("ops"));
        check(json!({"https://plant.example/roles": ["ops"]}), "https://plant.example/roles", Some("ops"));
        check(json!({"realm_access": ["ops"]}), "realm_access.roles", None);
        let many: Vec<String> = (0..VALUES_MAX).map(|n| n.to_string()).chain(["ops".to_owned()]).collect();
        check(json!({"groups": many}), "groups", None);
    }
}
