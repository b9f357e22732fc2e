//! What is written down of changes, and which aliases move only when others agree.

use std::fmt;
use std::sync::Arc;

use trainyard_mlflow::entities::ApprovalRequest;

/// Which changes are written down in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Audited {
    /// None.
    Off,
    /// Those of the registry and of experiments, and runs that are deleted, restored or removed for good. A run
    /// that is made or logged to says itself by whom and when, and a job does so thousands of times.
    #[default]
    Changes,
    /// Also that runs are made, renamed and end, and their tags; never metrics and params.
    All,
}

/// Approvals that an alias may ask for at most: more people than look at one version.
pub const APPROVALS_MAX: i64 = 20;

/// An alias, of whichever model, that moves only when so many others agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedAlias {
    pub alias: String,
    /// From 1 to [`APPROVALS_MAX`].
    pub approvals: i64,
}

/// A protected alias that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no alias with a number of approvals; write Production, or Production=2 for two (up to 20)"
)]
pub struct NotProtected(String);

impl std::str::FromStr for ProtectedAlias {
    type Err = NotProtected;

    /// `Production`, which asks for one approval, or `Production=2`.
    fn from_str(text: &str) -> Result<Self, NotProtected> {
        let (alias, number) = text.split_once('=').unwrap_or((text, "1"));
        let approvals = number.parse::<i64>().ok().filter(|n| (1..=APPROVALS_MAX).contains(n));
        match approvals {
            Some(approvals) if !alias.trim().is_empty() => {
                Ok(Self { alias: alias.trim().to_owned(), approvals })
            }
            _ => Err(NotProtected(text.to_owned())),
        }
    }
}

/// Whoever knows people and what they may do.
pub trait Approvers: fmt::Debug + Send + Sync {
    /// Whether somebody may move an alias of a model (which may be a prompt) now. They may have left since they approved, or
    /// have been taken off the model.
    fn may_move(&self, who: &str, request: &ApprovalRequest) -> bool;
}

/// How changes are governed. By default they are written down and nothing is protected.
#[derive(Debug, Clone, Default)]
pub struct Governance {
    pub audited: Audited,
    pub protected: Vec<ProtectedAlias>,
    /// Whose approvals count; everybody's if nobody says.
    pub approvers: Option<Arc<dyn Approvers>>,
}

impl Governance {
    /// Approvals that moving this alias (or stage) asks for; none if it is not protected. Case does not
    /// protect `production` from being taken for `Production`.
    pub(crate) fn needed(&self, alias: &str) -> Option<i64> {
        let named = self.protected.iter().filter(|known| known.alias.eq_ignore_ascii_case(alias));
        named.map(|known| known.approvals).max()
    }

    /// Leaves those approvals of a request that count: of whoever could still give them.
    pub(crate) fn keep_counted(&self, request: &mut ApprovalRequest) {
        if let Some(approvers) = &self.approvers {
            let mut given = std::mem::take(&mut request.approvals);
            given.retain(|approval| approvers.may_move(&approval.who, request));
            request.approvals = given;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_aliases_are_read() {
        let read = |text: &str| text.parse::<ProtectedAlias>().ok().map(|p| (p.alias, p.approvals));
        assert_eq!(read("Production"), Some(("Production".to_owned(), 1)));
        assert_eq!(read("Live=2"), Some(("Live".to_owned(), 2)));
        for text in ["", "=2", "a=0", "a=21", "a=x", "a="] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_stricter_of_two_counts() {
        let protected = vec!["Live=1".parse().unwrap(), "live=3".parse().unwrap()];
        let governance = Governance { protected, ..Governance::default() };
        assert_eq!(governance.needed("LIVE"), Some(3));
        assert_eq!(governance.needed("Staging"), None);
    }
}
