//! Who asks, and what that one may do.

use serde::Serialize;

use crate::{Permission, Role, Roles, Scope};

/// What kind of one it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Kind {
    /// Somebody who logged in.
    Person,
    /// A program with a token, for which a person answers.
    Program {
        /// Name of the person.
        owner: String,
    },
    /// Whoever holds the token of the data folder of a site without users.
    Local,
    /// Anybody, at a site without users: reads.
    Visitor,
}

/// Who asks. Every request that is admitted carries one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Name of the user or token; `local` and `visitor` at a site without users.
    pub name: String,
    /// Person, program, or neither.
    pub kind: Kind,
    /// What it is to the plant.
    pub roles: Roles,
    /// For which twins.
    pub scope: Scope,
}

impl Principal {
    /// Who holds the token of the data folder, at a site without users.
    #[must_use]
    pub fn local() -> Self {
        Self::of_everybody("local", Kind::Local, Role::Admin)
    }

    /// Anybody, at a site without users.
    #[must_use]
    pub fn visitor() -> Self {
        Self::of_everybody("visitor", Kind::Visitor, Role::Viewer)
    }

    fn of_everybody(name: &str, kind: Kind, role: Role) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            roles: Roles::new([role]).unwrap_or_default(),
            scope: Scope::all(),
        }
    }

    /// Whether it may do this to that twin, whose id is as the site has it.
    #[must_use]
    pub fn may(&self, permission: Permission, twin: &str) -> bool {
        self.roles.may(permission) && self.scope.contains(twin)
    }

    /// Whether it may do this to what is about no twin alone: plugins, rollouts, users.
    #[must_use]
    pub fn may_site(&self, permission: Permission) -> bool {
        self.roles.may(permission) && self.scope.is_all()
    }

    /// Who answers for what it does: two programs of one person are one when it comes to approving.
    #[must_use]
    pub fn person(&self) -> &str {
        match &self.kind {
            Kind::Program { owner } => owner,
            Kind::Person | Kind::Local | Kind::Visitor => &self.name,
        }
    }

    /// As it stands in the journal: `ada`, or `historian of ada` for a program. A name has no spaces, so neither can be
    /// taken for the other.
    #[must_use]
    pub fn signature(&self) -> String {
        match &self.kind {
            Kind::Program { owner } => format!("{} of {owner}", self.name),
            Kind::Person | Kind::Local | Kind::Visitor => self.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_holds_inside_its_scope_only() {
        let ada = Principal {
            name: "ada".to_owned(),
            kind: Kind::Person,
            roles: Roles::new([Role::Operator]).expect("roles"),
            scope: "pump-*".parse().expect("scope"),
        };
        assert!(ada.may(Permission::Alarms, "pump-1") && ada.may(Permission::Read, "pump-1"));
        assert!(!ada.may(Permission::Alarms, "fan-1") && !ada.may(Permission::Read, "fan-1"));
        assert!(!ada.may(Permission::Plugins, "pump-1"));
        assert!(!ada.may_site(Permission::Read), "the site is wider than her scope");
        assert!(Principal::local().may_site(Permission::Administer));
        assert!(Principal::visitor().may_site(Permission::Read));
        assert!(!Principal::visitor().may(Permission::Alarms, "pump-1"));
    }

    #[test]
    fn a_person_answers_for_a_program() {
        let mut one = Principal { name: "historian".to_owned(), ..Principal::local() };
        one.kind = Kind::Program { owner: "ada".to_owned() };
        assert_eq!((one.person(), one.signature().as_str()), ("ada", "historian of ada"));
        assert_eq!(Principal::local().signature(), "local");
    }
}
