//! Where a change comes from: who asked for it, from which address, by which request.
//!
//! Every write of the store is asked for by one task, so what is known of the request goes along with its task
//! and not through each method between the guard and the table.

use std::net::IpAddr;
use std::sync::OnceLock;

use http::HeaderValue;

use crate::server::{Actor, ActorKind};

tokio::task_local! {
    static ORIGIN: Origin;
}

/// Who asks, and how.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// None for a program that opened the database itself: then it is whoever runs it.
    actor: Option<Actor>,
    address: Option<IpAddr>,
    request_id: Option<HeaderValue>,
}

impl Origin {
    /// A request.
    pub(crate) fn of_request(actor: Actor, address: Option<IpAddr>, id: HeaderValue) -> Self {
        let address = address.map(|address| address.to_canonical());
        Self { actor: Some(actor), address, request_id: Some(id) }
    }

    /// This program itself.
    pub(crate) fn local() -> Self {
        Self { actor: None, address: None, request_id: None }
    }

    /// That of the request which this task answers; this program itself if it answers none.
    pub(crate) fn current() -> Self {
        ORIGIN.try_with(Clone::clone).unwrap_or_else(|_no_request| Self::local())
    }

    /// The same request, once it is known whose it is: of who signs in by it.
    #[must_use]
    pub(crate) fn of_actor(self, actor: Actor) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// Does all of `work` for this origin.
    pub(crate) async fn scope<F: Future>(self, work: F) -> F::Output {
        ORIGIN.scope(self, work).await
    }

    /// Name of who asks; empty if nobody has to say.
    pub(crate) fn who(&self) -> &str {
        match &self.actor {
            Some(actor) => &actor.name,
            None => user_of_process(),
        }
    }

    /// What they signed in as: `user`, `token`, `anonymous`, or `local`.
    pub(crate) fn kind(&self) -> &'static str {
        match self.actor.as_ref().map(|actor| actor.kind) {
            Some(ActorKind::User) => "user",
            Some(ActorKind::Token) => "token",
            Some(ActorKind::Anonymous) => "anonymous",
            None => "local",
        }
    }

    /// Whether it is a person whom we know by name: machines do not approve.
    pub(crate) fn is_person(&self) -> bool {
        let is_user = self.actor.as_ref().is_none_or(|actor| actor.kind == ActorKind::User);
        is_user && !self.who().is_empty()
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.actor.as_ref()?.token.as_deref()
    }

    /// Where it came from; an address of IPv4 is never written as one of IPv6.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref()?.to_str().ok()
    }
}

/// The user whose program this is, as the environment has it.
fn user_of_process() -> &'static str {
    static USER: OnceLock<String> = OnceLock::new();
    USER.get_or_init(|| {
        let named = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
        named.unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Origin {
        let actor = Actor::user("ada");
        let address = "::ffff:10.0.0.7".parse().ok();
        Origin::of_request(actor, address, HeaderValue::from_static("r1"))
    }

    #[tokio::test]
    async fn an_origin_is_that_of_its_task() {
        assert_eq!(Origin::current().kind(), "local");
        ada()
            .scope(async {
                let origin = Origin::current();
                assert_eq!((origin.who(), origin.kind()), ("ada", "user"));
                assert_eq!(origin.address(), "10.0.0.7".parse().ok());
                assert_eq!(origin.request_id(), Some("r1"));
            })
            .await;
        assert_eq!(Origin::current().request_id(), None);
    }

    #[test]
    fn machines_and_strangers_are_no_persons() {
        let of = |name: &str, kind| {
            let actor = Actor { kind, ..Actor::user(name) };
            Origin::of_request(actor, None, HeaderValue::from_static("r")).is_person()
        };
        assert!(of("ada", ActorKind::User));
        assert!(!of("", ActorKind::User));
        assert!(!of("ci", ActorKind::Token));
        assert!(!of("", ActorKind::Anonymous));
    }
}
