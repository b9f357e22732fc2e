//! Whether a request comes in.
//!
//! Where tokens or certificates are asked for, they are asked of everybody, at both listeners, but for the paths that
//! are open. A token or a certificate is enough; a certificate predicts, and at the operators' listener it operates.
//! A right token is let in whatever its address sent before: behind one address there may be many clients.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use trainyard_base::prometheus::Kind::Counter;
use trainyard_base::prometheus::Page;

use super::caller::Caller;
use super::seen::{Seen, Why};
use super::tokens::{Known, Tokens};
use crate::clock::now_ms;
use crate::gateway::failure::Failure;
use crate::gateway::paths::{Audience, Reach};
use crate::tokens::Scope;

/// Who is let in.
#[derive(Debug)]
pub(in crate::gateway) struct Door {
    tokens: Option<Arc<Tokens>>,
    asks_certificates: bool,
    seen: Arc<Seen>,
}

/// What a request shows, and what it asks for.
#[derive(Debug)]
pub(in crate::gateway) struct Asking<'a> {
    pub(in crate::gateway) audience: Audience,
    pub(in crate::gateway) reach: Reach,
    pub(in crate::gateway) address: IpAddr,
    /// Whom the client's certificate was given to.
    pub(in crate::gateway) subject: Option<&'a Arc<str>>,
    pub(in crate::gateway) headers: &'a HeaderMap,
}

impl Door {
    pub(in crate::gateway) fn new(
        tokens: Option<Arc<Tokens>>,
        asks_certificates: bool,
        seen: Arc<Seen>,
    ) -> Self {
        Self { tokens, asks_certificates, seen }
    }

    pub(in crate::gateway) fn tokens(&self) -> Option<&Arc<Tokens>> {
        self.tokens.as_ref()
    }

    pub(in crate::gateway) fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen)
    }

    /// Whether anybody is asked for anything.
    pub(in crate::gateway) fn asks(&self) -> bool {
        self.tokens.is_some() || self.asks_certificates
    }

    /// Reads the file of tokens again if it has changed.
    pub(in crate::gateway) fn look(&self) {
        if let Some(tokens) = &self.tokens {
            tokens.look();
        }
    }

    /// Who asks, or why that is no matter (`None`).
    pub(in crate::gateway) fn admit(&self, asking: &Asking<'_>) -> Result<Option<Caller>, Failure> {
        let is_for_all = asking.reach != Reach::Operators || asking.audience == Audience::Operators;
        if !self.asks() {
            let nothing = Failure::Refused(
                StatusCode::NOT_FOUND,
                "this path is not for the public; whoever runs the service lets a path through with `expose` \
                 under [deploy] of trainyard.toml and `trainyard deploy reload`",
            );
            return if is_for_all { Ok(None) } else { Err(nothing) };
        }
        if asking.reach == Reach::Open {
            return Ok(None);
        }
        let is_steering =
            asking.reach == Reach::Operators || asking.audience == Audience::Operators;
        let (shown, token) = self.token(asking.headers);
        let refusal = match token {
            Some(token) if token.entry.has_expired(now_ms()) => {
                (Why::Expired, Failure::Unauthorized("the token has expired"))
            }
            Some(token) if is_steering && token.entry.scope != Scope::Operate => {
                (Why::Scope, forbidden())
            }
            Some(token) => return self.use_token(&token).map(Some),
            None if shown == Shown::Nothing => (Why::Nothing, self.nothing_shown()),
            None => (Why::Wrong, Failure::Unauthorized("the token is not known")),
        };
        if let Some(subject) = asking.subject.filter(|_| self.asks_certificates) {
            if is_for_all {
                return Ok(Some(Caller::Certificate(Arc::clone(subject))));
            }
            return Err(self.refuse(Why::Scope, forbidden()));
        }
        let (why, failure) = refusal;
        if why == Why::Wrong
            && let Err(wait) = self.seen.guess(asking.address)
        {
            let message = "too many wrong tokens came from this address";
            return Err(self.refuse(Why::Guesses, too_often(message, wait)));
        }
        Err(self.refuse(why, failure))
    }

    /// The token that a request shows, if it is known.
    fn token(&self, headers: &HeaderMap) -> (Shown, Option<Arc<Known>>) {
        let Some(tokens) = &self.tokens else { return (Shown::Nothing, None) };
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (value, more) = (values.next(), values.next());
        let Some(value) = value else { return (Shown::Nothing, None) };
        // Of two, the instance might read the other one.
        let text = value.to_str().ok().filter(|_| more.is_none());
        let bearer = text.and_then(|text| text.split_once(' '));
        let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        (Shown::Something, bearer.and_then(|(_, secret)| tokens.find(secret.trim())))
    }

    fn use_token(&self, token: &Known) -> Result<Caller, Failure> {
        if let Some(meter) = &token.meter
            && let Err(wait) = meter.take(Instant::now())
        {
            return Err(self.refuse(Why::Rate, too_often("the token is used too often", wait)));
        }
        token.used.fetch_add(1, Ordering::Relaxed);
        Ok(Caller::Token(Arc::clone(&token.name)))
    }

    fn nothing_shown(&self) -> Failure {
        Failure::Unauthorized(match self.tokens {
            Some(_) => "send a token: Authorization: Bearer <token>",
            None => "show a client certificate",
        })
    }

    fn refuse(&self, why: Why, failure: Failure) -> Failure {
        self.seen.refuse(why);
        failure
    }

    /// Whom it let in and whom not, for the page of metrics.
    pub(in crate::gateway) fn page(&self) -> String {
        if !self.asks() {
            return String::new();
        }
        let mut page = Page::new("trainyard_gateway_");
        page.head("door_refused_total", Counter, "Requests that were not let in, by why.");
        for (why, count) in self.seen.refused() {
            page.sample("door_refused_total", &[("why", why)], count);
        }
        if let Some(tokens) = &self.tokens {
            page.head(
                "token_requests_total",
                Counter,
                "Requests that a token let in, by its name.",
            );
            for token in tokens.all().iter() {
                let used = token.used.load(Ordering::Relaxed);
                page.sample("token_requests_total", &[("token", &token.entry.name)], used);
            }
        }
        page.into_text()
    }
}

/// Whether a request shows anything that is meant to let it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    Something,
}

fn forbidden() -> Failure {
    let message = "this is for operators: a token with scope=operate may ask it";
    Failure::Refused(StatusCode::FORBIDDEN, message)
}

fn too_often(message: &'static str, wait: std::time::Duration) -> Failure {
    // A client that comes a little early is refused again.
    Failure::TooOften { message, retry_after_s: wait.as_secs() + 1 }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::tokens::{Entry, add};

    /// What comes of a request: who it is from, or the status of the answer.
    fn admitted(
        door: &Door,
        audience: Audience,
        reach: Reach,
        token: &str,
        subject: &str,
    ) -> Result<Option<Caller>, u16> {
        let mut headers = HeaderMap::new();
        if !token.is_empty() {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(token).unwrap());
        }
        let subject = (!subject.is_empty()).then(|| Arc::from(subject));
        let address = "10.0.0.1".parse().unwrap();
        let asking =
            Asking { audience, reach, address, subject: subject.as_ref(), headers: &headers };
        door.admit(&asking).map_err(|failure| failure.status().as_u16())
    }

    #[test]
    fn a_token_or_a_certificate_is_enough() {
        use Audience::{Operators, Public};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let entry = |name: &str| Entry::new(name, &format!("secret-{name}")).unwrap();
        let (mut oncall, mut old) = (entry("oncall"), entry("old"));
        oncall.scope = Scope::Operate;
        old.expires = Some("2001-01-01".parse().unwrap());
        for entry in [entry("shop"), oncall, old] {
            add(&path, &entry).unwrap();
        }
        let tokens = Tokens::open(&path, None).unwrap();
        let door = Door::new(Some(tokens), true, Arc::default());
        let token = |name: &str| Ok(Some(Caller::Token(name.into())));
        let certificate = |subject: &str| Ok(Some(Caller::Certificate(subject.into())));
        let (predict, operate) = (Reach::Public, Reach::Operators);
        for (audience, reach, sent, subject, expect) in [
            (Public, Reach::Open, "", "", Ok(None)),
            (Public, Reach::Open, "Bearer wrong", "", Ok(None)),
            (Public, predict, "", "", Err(401)),
            (Public, operate, "", "", Err(401)),
            (Operators, predict, "", "", Err(401)),
            (Public, predict, "Bearer secret-shop", "", token("shop")),
            (Public, predict, "bearer  secret-shop ", "", token("shop")),
            (Public, predict, "Basic secret-shop", "", Err(401)),
            (Public, predict, "Bearer secret-sho", "", Err(401)),
            (Public, predict, "Bearer secret-old", "", Err(401)),
            (Public, operate, "Bearer secret-shop", "", Err(403)),
            (Operators, predict, "Bearer secret-shop", "", Err(403)),
            (Public, operate, "Bearer secret-oncall", "", token("oncall")),
            (Operators, operate, "Bearer secret-oncall", "", token("oncall")),
            (Public, predict, "", "CN=x", certificate("CN=x")),
            (Public, predict, "Bearer wrong", "CN=x", certificate("CN=x")),
            (Public, operate, "", "CN=x", Err(403)),
            (Public, operate, "Bearer secret-oncall", "CN=x", token("oncall")),
            (Operators, operate, "", "CN=x", certificate("CN=x")),
        ] {
            let found = admitted(&door, audience, reach, sent, subject);
            assert_eq!(found, expect, "{audience:?} {reach:?} {sent:?} {subject:?}");
        }
        let page = door.page();
        assert!(
            page.contains(r#"trainyard_gateway_token_requests_total{token="shop"} 2"#),
            "{page}"
        );
        assert!(page.contains(r#"door_refused_total{why="expired"} 1"#), "{page}");
        assert!(!page.contains("secret"), "{page}");
    }

    #[test]
    fn without_tokens_paths_decide() {
        let door = Door::new(None, false, Arc::default());
        let admitted = |audience, reach| admitted(&door, audience, reach, "Bearer x", "CN=x");
        assert_eq!(admitted(Audience::Public, Reach::Public), Ok(None));
        assert_eq!(admitted(Audience::Public, Reach::Operators), Err(404));
        assert_eq!(admitted(Audience::Operators, Reach::Operators), Ok(None));
        assert_eq!(door.page(), "");
    }

    #[test]
    fn a_rate_is_kept_and_guesses_are_few() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let mut entry = Entry::new("slow", "secret").unwrap();
        entry.rate = Some("3/h".parse().unwrap());
        add(&path, &entry).unwrap();
        let door = Door::new(Some(Tokens::open(&path, None).unwrap()), false, Arc::default());
        let ask = |token| admitted(&door, Audience::Public, Reach::Public, token, "");
        for _request in 0..3 {
            assert_eq!(ask("Bearer secret"), Ok(Some(Caller::Token("slow".into()))));
        }
        assert_eq!(ask("Bearer secret"), Err(429));
        let first = (0..1000).find(|_| ask("Bearer wrong") == Err(429));
        assert!(first.is_some_and(|number| number >= 60), "{first:?}");
    }
}
