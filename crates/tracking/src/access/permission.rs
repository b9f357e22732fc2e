//! What somebody may do with a thing: MLflow's five permissions, and what each allows.

use trainyard_mlflow::{Error, Result};

/// A permission, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Permission {
    /// A veto: it wins over whatever else was granted on the same thing.
    Deny,
    /// Nothing; only a default can say so.
    NoPermissions,
    Read,
    Use,
    Edit,
    Manage,
}

/// What a request does to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Read,
    Update,
    Delete,
    Manage,
    /// Anything that nobody vetoed: what is made is not there yet, so there is nothing to grant.
    NotDenied,
}

/// All of them in the order in which upstream lists them.
const ALL: [Permission; 6] = [
    Permission::Read,
    Permission::Use,
    Permission::Edit,
    Permission::Manage,
    Permission::NoPermissions,
    Permission::Deny,
];

impl Permission {
    /// As it is written in databases, settings and answers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deny => "DENY",
            Self::NoPermissions => "NO_PERMISSIONS",
            Self::Read => "READ",
            Self::Use => "USE",
            Self::Edit => "EDIT",
            Self::Manage => "MANAGE",
        }
    }

    /// Names of all that can be granted.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        ALL.into_iter().filter(|known| *known != Self::NoPermissions).map(Self::name)
    }

    /// Both on the same thing: the most, unless one is a veto.
    pub(crate) fn with(self, other: Self) -> Self {
        let is_veto = self == Self::Deny || other == Self::Deny;
        if is_veto { Self::Deny } else { self.max(other) }
    }

    /// None of a name that there is not.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        ALL.into_iter().find(|permission| permission.name() == name)
    }

    /// The permission of this name, or upstream's refusal.
    pub(crate) fn read(name: &str) -> Result<Self> {
        Self::of_name(name).ok_or_else(|| {
            let known: Vec<String> =
                ALL.iter().map(|known| format!("'{}'", known.name())).collect();
            let known = known.join(", ");
            Error::invalid(format!("Invalid permission '{name}'. Valid permissions are: ({known})"))
        })
    }

    /// Whether it lets `action` happen.
    pub(crate) fn allows(self, action: Action) -> bool {
        match action {
            Action::Read => self >= Self::Read,
            Action::Update => self >= Self::Edit,
            Action::Delete | Action::Manage => self >= Self::Manage,
            Action::NotDenied => self != Self::Deny,
        }
    }

    /// What somebody has who was granted this where `default` is everybody's: never less than that, but a
    /// veto stays one.
    pub(crate) fn or_default(self, default: Self) -> Self {
        if self <= Self::NoPermissions { self } else { self.max(default) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_allows_what_upstream_lets_it() {
        for (permission, read, update, delete) in [
            (Permission::Deny, false, false, false),
            (Permission::NoPermissions, false, false, false),
            (Permission::Read, true, false, false),
            (Permission::Use, true, false, false),
            (Permission::Edit, true, true, false),
            (Permission::Manage, true, true, true),
        ] {
            assert_eq!(permission.allows(Action::Read), read, "{permission:?}");
            assert_eq!(permission.allows(Action::Update), update, "{permission:?}");
            assert_eq!(permission.allows(Action::Delete), delete, "{permission:?}");
            assert_eq!(permission.allows(Action::Manage), delete, "{permission:?}");
            assert_eq!(permission.allows(Action::NotDenied), permission != Permission::Deny);
            assert_eq!(Permission::of_name(permission.name()), Some(permission));
        }
        let error = Permission::read("WRITE").unwrap_err().to_string();
        let list = "('READ', 'USE', 'EDIT', 'MANAGE', 'NO_PERMISSIONS', 'DENY')";
        assert_eq!(error, format!("Invalid permission 'WRITE'. Valid permissions are: {list}"));
    }

    #[test]
    fn a_default_lifts_what_was_granted_and_no_veto() {
        use Permission::{Deny, Edit, Manage, NoPermissions, Read};
        assert_eq!(Read.or_default(Edit), Edit);
        assert_eq!(Manage.or_default(Edit), Manage);
        assert_eq!(Deny.or_default(Manage), Deny);
        assert_eq!(NoPermissions.or_default(Manage), NoPermissions);
    }
}
