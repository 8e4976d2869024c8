//! Roles, and what each of them may do. The table stands in [`Role::may`] and nowhere else.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::AccessError;

/// What somebody is to the plant. Several may be held at once; none contains another, save that [`Role::Admin`] may
/// everything and that each may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Acknowledges and shelves alarms, commands.
    Operator,
    /// Brings plugins and rolls versions out; takes alarms in and out of service; trusts and rejects certificates.
    Engineer,
    /// Approves what others propose.
    Approver,
    /// Brings records of other systems: work orders, batches, inspections.
    Recorder,
    /// Everything, users and tokens among it.
    Admin,
}

/// One kind of act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Look.
    Read,
    /// Acknowledge, shelve, reset alarms.
    Alarms,
    /// Propose or give commands to the field.
    Command,
    /// Reset latched trips and pass over permissives; the rule itself says which roles.
    Interlocks,
    /// Ask forks of twins what would be, which takes the machine's time and changes nothing.
    Explore,
    /// Bring plugins; begin, promote, cancel and roll back rollouts.
    Plugins,
    /// Approve commands of others.
    Approve,
    /// Trust and reject certificates of servers and clients.
    Certificates,
    /// Bring records of other systems.
    Records,
    /// Make and remove users and tokens.
    Administer,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Viewer, Self::Operator, Self::Engineer, Self::Approver, Self::Recorder, Self::Admin];

    /// Whether this role alone allows it. What is not named here is denied.
    #[must_use]
    pub fn may(self, permission: Permission) -> bool {
        match (self, permission) {
            (_, Permission::Read) | (Self::Admin, _) => true,
            (Self::Operator, Permission::Alarms | Permission::Command) => true,
            (Self::Engineer, Permission::Alarms | Permission::Plugins | Permission::Certificates) => true,
            (Self::Approver, Permission::Approve) => true,
            (Self::Recorder | Self::Operator | Self::Engineer, Permission::Records) => true,
            (
                Self::Operator | Self::Engineer | Self::Approver,
                Permission::Interlocks | Permission::Explore,
            ) => true,
            (Self::Viewer | Self::Operator | Self::Engineer | Self::Approver | Self::Recorder, _) => false,
        }
    }

    /// As it is written everywhere.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Engineer => "engineer",
            Self::Approver => "approver",
            Self::Recorder => "recorder",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Self, AccessError> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| AccessError::Role(text.chars().take(40).collect()))
    }
}

impl Permission {
    /// What a refusal calls it.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Alarms => "handle alarms",
            Self::Command => "command",
            Self::Interlocks => "handle interlocks",
            Self::Explore => "ask what would be",
            Self::Plugins => "change plugins and rollouts",
            Self::Approve => "approve",
            Self::Records => "bring records",
            Self::Certificates => "trust and reject certificates",
            Self::Administer => "manage users and tokens",
        }
    }

    /// Names of the roles that allow it, for a refusal.
    #[must_use]
    pub fn roles(self) -> String {
        let may = Role::ALL.into_iter().filter(|role| role.may(self));
        may.map(Role::name).collect::<Vec<_>>().join(" or ")
    }
}

/// Roles that one name holds; at least one when it was made by [`Roles::new`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// These, twice is once.
    ///
    /// # Errors
    /// When there are none: a name that may nothing is a mistake.
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Result<Self, AccessError> {
        let roles: BTreeSet<Role> = roles.into_iter().collect();
        if roles.is_empty() { Err(AccessError::NoRole) } else { Ok(Self(roles)) }
    }

    /// Whether one of them allows it.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.0.iter().any(|role| role.may(permission))
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn contains(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// In the order of [`Role::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().copied()
    }
}

/// `operator,approver`
impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(Role::name).collect::<Vec<_>>().join(","))
    }
}

/// Reads what `Display` writes.
impl FromStr for Roles {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Self, AccessError> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        Self::new(words.map(str::parse).collect::<Result<Vec<Role>, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_table_says_and_nothing_else() {
        use Permission::{
            Administer, Alarms, Approve, Certificates, Command, Explore, Interlocks, Plugins, Read, Records,
        };
        let all =
            [Read, Alarms, Command, Interlocks, Explore, Plugins, Approve, Certificates, Records, Administer];
        let check = |role: Role, expect: &[Permission]| {
            for permission in all {
                assert_eq!(role.may(permission), expect.contains(&permission), "{role:?} {permission:?}");
            }
        };
        check(Role::Viewer, &[Read]);
        check(Role::Operator, &[Read, Alarms, Command, Interlocks, Explore, Records]);
        check(Role::Engineer, &[Read, Alarms, Interlocks, Explore, Plugins, Certificates, Records]);
        check(Role::Approver, &[Read, Approve, Interlocks, Explore]);
        check(Role::Recorder, &[Read, Records]);
        check(Role::Admin, &all);
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        let both = Roles::new([Role::Approver, Role::Operator, Role::Operator]).expect("roles");
        assert_eq!(both.to_string(), "operator,approver");
        assert_eq!("approver, operator".parse::<Roles>().expect("roles"), both);
        assert!(both.may(Permission::Command) && both.may(Permission::Approve));
        assert!(!both.may(Permission::Administer));
        for text in ["", ",", "root", "Admin", "operator;admin"] {
            assert!(text.parse::<Roles>().is_err(), "{text:?}");
        }
    }
}
