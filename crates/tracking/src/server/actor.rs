//! Who sent a request: known to handlers, to the checks of permissions and to the log of changes.

/// What kind of sender it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    /// Somebody who signed in.
    User,
    /// A token, on behalf of whom it was made for.
    Token,
    /// Nobody has to say who they are here.
    Anonymous,
}

/// The sender of a request; an extension of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user, or whom the token is of; empty for nobody.
    pub name: String,
    /// What kind of sender it is.
    pub kind: ActorKind,
    /// The token's name, never its secret.
    pub token: Option<String>,
    /// The most that a token may do which is not one of ours: no table says it.
    pub scope: Option<String>,
}

impl Actor {
    /// A user who signed in.
    pub fn user(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: ActorKind::User, token: None, scope: None }
    }

    /// A token of `owner`.
    pub fn token(owner: impl Into<String>, token: impl Into<String>) -> Self {
        let (name, token) = (owner.into(), Some(token.into()));
        Self { name, kind: ActorKind::Token, token, scope: None }
    }

    /// A token that a provider of sign-ins made for `owner`, and the most that it may do.
    pub fn bearer(
        owner: impl Into<String>,
        token: impl Into<String>,
        scope: impl Into<String>,
    ) -> Self {
        Self { scope: Some(scope.into()), ..Self::token(owner, token) }
    }

    /// Whoever asks a server that asks nobody.
    pub fn anonymous() -> Self {
        Self { name: String::new(), kind: ActorKind::Anonymous, token: None, scope: None }
    }
}

tokio::task_local! {
    static CURRENT: Actor;
}

/// Answers a request of `actor`: whatever `answer` does, it does for them.
pub async fn acting_as<F: Future>(actor: Actor, answer: F) -> F::Output {
    CURRENT.scope(actor, answer).await
}

/// Does for `actor` what waits for nothing.
pub(super) fn acting_at_once<T>(actor: Actor, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(actor, work)
}

/// Who sent the request that is being answered; none outside of one.
pub fn current() -> Option<Actor> {
    CURRENT.try_with(Clone::clone).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_that_are_answered_at_once_have_each_their_sender() {
        let name_after_a_while = |name: &'static str| {
            acting_as(Actor::user(name), async {
                tokio::task::yield_now().await;
                current().map(|actor| actor.name)
            })
        };
        let (ada, bob) = tokio::join!(name_after_a_while("ada"), name_after_a_while("bob"));
        assert_eq!((ada.as_deref(), bob.as_deref()), (Some("ada"), Some("bob")));
        assert_eq!(current(), None);
    }
}
