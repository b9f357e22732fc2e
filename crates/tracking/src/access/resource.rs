//! What permissions are granted on: kinds of things, and the patterns that name some of them.
//!
//! The kinds are upstream's, and one more: an alias of a registered model, because whoever may add a version
//! need not be who decides that `Production` is it.

use trainyard_mlflow::{Error, Result};

use super::permission::Permission;

/// Names of every thing of a kind.
pub(crate) const ANY: &str = "*";
/// Longest pattern, in characters: what the column holds.
const PATTERN_CHARACTERS_MAX: usize = 255;

macro_rules! kinds {
    ($($kind:ident $name:literal $has_ids:literal,)+) => {
        /// A kind of thing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Kind { $($kind),+ }

        /// All of them, in the order of their names.
        const ALL: &[Kind] = &[$(Kind::$kind),+];

        impl Kind {
            /// As it is written in databases and answers.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),+ }
            }

            /// Whether one of them can be named; if not, only all of them.
            pub(crate) fn has_ids(self) -> bool {
                match self { $(Self::$kind => $has_ids),+ }
            }
        }
    };
}

kinds! {
    Assessment "assessment" false,
    Experiment "experiment" true,
    GatewayEndpoint "gateway_endpoint" true,
    GatewayModelDefinition "gateway_model_definition" true,
    GatewaySecret "gateway_secret" true,
    LoggedModel "logged_model" false,
    McpServer "mcp_server" true,
    McpServerVersion "mcp_server_version" false,
    Prompt "prompt" true,
    PromptVersion "prompt_version" false,
    RegisteredModel "registered_model" true,
    Alias "registered_model_alias" true,
    RegisteredModelVersion "registered_model_version" false,
    ReviewQueue "review_queue" false,
    Run "run" false,
    Scorer "scorer" true,
    ScorerVersion "scorer_version" false,
    Trace "trace" false,
    Workspace "workspace" false,
}

impl Kind {
    /// Names of all kinds.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|kind| kind.name())
    }

    /// None of a name that there is not.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The kind of this name, or upstream's refusal.
    pub(crate) fn read(name: &str) -> Result<Self> {
        Self::of_name(name).ok_or_else(|| {
            let known: Vec<String> =
                ALL.iter().map(|known| format!("'{}'", known.name())).collect();
            let known = known.join(", ");
            Error::invalid(format!(
                "Invalid resource type '{name}'. Valid resource types are: ({known})"
            ))
        })
    }

    /// Refuses a permission that cannot be granted on things of this kind.
    pub(crate) fn check_permission(self, permission: Permission) -> Result<()> {
        let name = permission.name();
        if self == Self::Workspace {
            if matches!(permission, Permission::Use | Permission::Manage) {
                return Ok(());
            }
            return Err(Error::invalid(format!(
                "Invalid permission '{name}' for resource_type='workspace'. Workspace-wide grants \
                 accept only: ('MANAGE', 'USE')."
            )));
        }
        if permission == Permission::NoPermissions {
            return Err(Error::invalid(format!(
                "Invalid permission '{name}' for resource_type='{}'. Resource-level grants accept \
                 only: ('DENY', 'EDIT', 'MANAGE', 'READ', 'USE').",
                self.name()
            )));
        }
        Ok(())
    }

    /// Refuses a pattern that would be stored and never match.
    pub(crate) fn check_pattern(self, pattern: &str) -> Result<()> {
        if pattern.chars().count() > PATTERN_CHARACTERS_MAX {
            return Err(Error::invalid(format!(
                "resource_pattern has more than {PATTERN_CHARACTERS_MAX} characters"
            )));
        }
        if pattern == ANY {
            return Ok(());
        }
        if !self.has_ids() {
            return Err(Error::invalid(format!(
                "Invalid resource_pattern '{pattern}' for resource_type='{}'. This resource type \
                 supports only wildcard ('*') grants.",
                self.name()
            )));
        }
        // As upstream writes them: names may hold a slash.
        let is_quoted = |name: &str| {
            let mut bytes = name.bytes();
            bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-~%".contains(&byte))
        };
        let is_scorer = pattern.split_once('/').is_some_and(|(experiment, name)| {
            let is_plain = experiment == "0" || !experiment.starts_with(['0', '+', '-', ' ']);
            is_plain && !experiment.is_empty() && !name.is_empty() && is_quoted(name)
        });
        if self == Self::Scorer && !is_scorer {
            return Err(Error::invalid(format!(
                "Invalid resource_pattern '{pattern}' for resource_type='{}': a scorer is EXPERIMENT_ID/NAME, its \
                 name quoted as in a URL (a%2Fb for a/b)",
                self.name()
            )));
        }
        let is_alias = pattern
            .rsplit_once('/')
            .is_some_and(|(model, alias)| !model.is_empty() && !alias.is_empty() && alias != ANY);
        if self == Self::Alias && !is_alias {
            return Err(Error::invalid(format!(
                "Invalid resource_pattern '{pattern}' for resource_type='{}': an alias is MODEL/ALIAS, \
                 or */ALIAS for all models",
                self.name()
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_never_match_is_refused() {
        for (kind, pattern, is_fine) in [
            (Kind::Experiment, "3", true),
            (Kind::Experiment, "*", true),
            (Kind::Run, "*", true),
            (Kind::Run, "a1b2", false),
            (Kind::Workspace, "default", false),
            (Kind::Scorer, "3/a%2Fb", true),
            (Kind::Scorer, "0/a_b", true),
            (Kind::Scorer, "3/a/b", false),
            (Kind::Scorer, "3/a b", false),
            (Kind::Scorer, "03/a", false),
            (Kind::Scorer, "a", false),
            (Kind::Alias, "Iris/Production", true),
            (Kind::Alias, "*/Production", true),
            (Kind::Alias, "*", true),
            (Kind::Alias, "Production", false),
            (Kind::Alias, "Iris/", false),
            (Kind::Alias, "Iris/*", false),
        ] {
            assert_eq!(kind.check_pattern(pattern).is_ok(), is_fine, "{kind:?} {pattern}");
        }
        assert!(Kind::Scorer.check_pattern(&"x".repeat(256)).is_err());
    }

    #[test]
    fn a_workspace_has_members_and_managers_and_nothing_else() {
        for (permission, of_workspace, of_others) in [
            (Permission::Read, false, true),
            (Permission::Use, true, true),
            (Permission::Edit, false, true),
            (Permission::Manage, true, true),
            (Permission::Deny, false, true),
            (Permission::NoPermissions, false, false),
        ] {
            assert_eq!(Kind::Workspace.check_permission(permission).is_ok(), of_workspace);
            assert_eq!(Kind::Prompt.check_permission(permission).is_ok(), of_others);
        }
        assert_eq!(Kind::read("prompt").unwrap(), Kind::Prompt);
        assert!(Kind::read("model").unwrap_err().to_string().starts_with("Invalid resource type"));
    }
}
