//! What whoever sent a request may do: the one place where a permission is looked up.

use trainyard_mlflow::entities::ApprovalRequest;
use trainyard_mlflow::{Error, ErrorCode, Result};

use super::directory::Directory;
use super::index::{Index, Requirement};
use super::members::User;
use super::permission::{Action, Permission};
use super::resource::{ANY, Kind};
use super::schema::WORKSPACE;
use super::scope::ADMIN;
use crate::governance::Approvers;
use crate::server::actor;

/// A sender's rights at one time.
#[derive(Debug)]
pub(crate) struct Rights<'a> {
    pub(crate) index: &'a Index,
    pub(crate) user: &'a User,
    /// An administrator, and not one whose token is for less.
    pub(crate) is_admin: bool,
    /// The most that a token may do with things.
    ceiling: Permission,
    default: Permission,
}

impl Rights<'_> {
    /// What somebody may do with a thing, whatever it is in.
    pub(crate) fn on(&self, kind: Kind, id: &str) -> Permission {
        self.governing(&Requirement { kind, id, action: Action::Read, within: None })
    }

    fn governing(&self, requirement: &Requirement<'_>) -> Permission {
        // Also where a token is for less: what its owner may do is everything.
        let permission = if self.user.row.is_admin {
            Permission::Manage
        } else {
            self.index.governing(self.user, requirement, self.default)
        };
        permission.min(self.ceiling)
    }

    /// Whether all of it is theirs to do.
    pub(crate) fn permit(&self, requirements: &[Requirement<'_>]) -> bool {
        requirements.iter().all(|needed| self.governing(needed).allows(needed.action))
    }

    /// Whether they may do something with what is in no experiment and no model.
    pub(crate) fn may_with_nobodys(&self, action: Action) -> bool {
        let permission = if self.hold_everything() { Permission::Manage } else { self.default };
        permission.min(self.ceiling).allows(action)
    }

    /// Whether they may make things of a kind, where nothing else decides.
    pub(crate) fn may_make(&self, kind: Kind, id: &str) -> bool {
        self.ceiling.allows(Action::Update)
            && self.permit(&[Requirement { kind, id, action: Action::NotDenied, within: None }])
    }

    /// Whether they may point an alias at another version, where `otherwise` decides about those that are
    /// nobody's in particular.
    pub(crate) fn may_move(&self, model: &str, alias: &str, otherwise: bool) -> bool {
        if self.hold_everything() {
            return self.ceiling.allows(Action::Update);
        }
        match self.index.granted(self.user, Kind::Alias, &format!("{model}/{alias}")) {
            Some(granted) => granted.min(self.ceiling).allows(Action::Update),
            None => otherwise && !self.index.is_kept_alias(model, alias),
        }
    }

    /// Whether a model may come to a name with an alias that points somewhere already: not where that alias of that name is
    /// for others. One that is so of all models was given by those who may.
    pub(crate) fn may_bring(&self, model: &str, alias: &str) -> bool {
        !self.index.is_kept_alias_of(model, alias) || self.may_move(model, alias, false)
    }

    /// Whether they administer a workspace.
    pub(crate) fn manages(&self, workspace: &str) -> bool {
        self.is_admin || (self.administers() && self.index.manages(self.user, workspace))
    }

    /// Whether what they hold lets them use what they may do with users and roles.
    fn administers(&self) -> bool {
        self.ceiling >= Permission::Manage
    }

    /// Whether nothing at all is kept from them, so that lists need not be looked through.
    fn hold_everything(&self) -> bool {
        self.user.row.is_admin || self.index.manages(self.user, WORKSPACE)
    }
}

impl Approvers for Directory {
    fn may_move(&self, who: &str, request: &ApprovalRequest) -> bool {
        let index = self.index();
        let Some(user) = index.users.get(who) else { return false };
        let rights = Rights {
            index: &index,
            user,
            is_admin: user.row.is_admin,
            // People approve, and no tokens.
            ceiling: Permission::Manage,
            default: self.default_permission,
        };
        let (model, version) = if request.is_prompt {
            (Kind::Prompt, Kind::PromptVersion)
        } else {
            (Kind::RegisteredModel, Kind::RegisteredModelVersion)
        };
        let name = request.model.as_str();
        let otherwise = rights.permit(&[
            on(model, name, Action::Update),
            within(version, Action::Read, (model, name)),
        ]);
        rights.permit(&[on(model, name, Action::Read)])
            && rights.may_move(name, &request.alias, otherwise)
    }
}

impl Directory {
    /// Looks at the rights of whoever sent the request that is being answered. Refused where nobody did, and
    /// where they were removed meanwhile.
    pub(crate) fn rights<T>(&self, look: impl FnOnce(&Rights<'_>) -> T) -> Result<T> {
        let sender = actor::current().ok_or_else(denied)?;
        let index = self.index();
        let user = index.users.get(&sender.name).ok_or_else(denied)?;
        let mut is_admin = user.row.is_admin;
        let mut ceiling = Permission::Manage;
        if let Some(scope) = &sender.scope {
            is_admin &= scope == ADMIN;
            ceiling = ceiling_of(scope);
        } else if let Some(token) = &sender.token {
            let token = index.token_of_name(token).ok_or_else(denied)?;
            is_admin &= token.scope == ADMIN;
            ceiling = ceiling_of(&token.scope);
        }
        let default = self.default_permission;
        Ok(look(&Rights { index: &index, user, is_admin, ceiling, default }))
    }

    /// Refuses what is not theirs to do.
    pub(crate) fn require(&self, requirements: &[Requirement<'_>]) -> Result<()> {
        if self.rights(|rights| rights.permit(requirements))? { Ok(()) } else { Err(denied()) }
    }

    /// Refuses whoever is no administrator.
    pub(crate) fn for_administrators(&self) -> Result<()> {
        if self.rights(|rights| rights.is_admin)? { Ok(()) } else { Err(denied()) }
    }

    /// Whether the sender administers some workspace.
    pub(crate) fn manages_some(&self) -> Result<bool> {
        self.rights(|rights| {
            rights.is_admin || (rights.administers() && rights.index.manages_some(rights.user))
        })
    }

    /// Whether nothing is kept from the sender, so that nothing need be looked up.
    pub(crate) fn hides_nothing(&self) -> Result<bool> {
        self.rights(|rights| rights.ceiling >= Permission::Read && rights.hold_everything())
    }

    /// Whether they may do it, where a refusal is no error.
    pub(crate) fn permits(&self, requirements: &[Requirement<'_>]) -> Result<bool> {
        self.rights(|rights| rights.permit(requirements))
    }
}

fn ceiling_of(scope: &str) -> Permission {
    if scope == ADMIN {
        return Permission::Manage;
    }
    // What was written by a newer version is no reason to let somebody in.
    Permission::of_name(scope).unwrap_or(Permission::NoPermissions)
}

/// The answer of whatever is not theirs to do, in upstream's words.
pub(crate) fn denied() -> Error {
    Error::api(ErrorCode::PermissionDenied, "Permission denied")
}

/// What an action on a kind of things needs.
pub(crate) fn on(kind: Kind, id: &str, action: Action) -> Requirement<'_> {
    Requirement { kind, id, action, within: None }
}

/// The same of things that are in another one, which decides where nothing else does.
pub(crate) fn within(kind: Kind, action: Action, outer: (Kind, &str)) -> Requirement<'_> {
    Requirement { kind, id: ANY, action, within: Some(outer) }
}
