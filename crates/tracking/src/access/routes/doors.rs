//! `sign-in`, `sign-out` and `account`: how browsers, and programs with a provider's token, come in and go.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;
use trainyard_mlflow::{Error, ErrorCode};

use super::asked::{Answer, Asked, Refusal, Users, answer, done};
use super::forms::{field, form, is_of_form, query, with_cookie, with_form};
use super::users::{allow, self_or_admin};
use crate::access::browser::{checked_next, is_csrf, is_secure, see_other};
use crate::access::oidc::{Oidc, Refused, Returned};
use crate::access::pages::{AccountPage, SignInPage};
use crate::access::rights::Rights;
use crate::access::roles_sql::is_own;
use crate::access::rows::TokenRow;
use crate::access::sessions::csrf;
use crate::access::sign_in::{OF_PAGES, OF_TOKENS};
use crate::access::{cookies, pages, token, users_sql};
use crate::api::error_answer;
use crate::origin::Origin;
use crate::server::actor::Actor;
use crate::server::verdict::{Verdict, address, admit};
use crate::store::now_millis;

/// Time to sign in at a provider.
const FLOW_SECONDS: i64 = 600;
/// Hours of a session where no settings say how many.
const SESSION_HOURS: i64 = 12;
const TOO_MANY: &str = "too many sign-ins from this address failed";

/// The page to sign in on, whose form knows what the cookie beside it is.
fn sign_in_page(
    users: &Users,
    headers: &HeaderMap,
    status: StatusCode,
    next: &str,
    problem: Option<&str>,
    username: &str,
) -> Response {
    let sign_in = &users.sign_in;
    let offers = sign_in.oidc.iter().flat_map(Oidc::offers);
    let providers: Vec<&str> =
        offers.filter(|offer| offer.has_pages).map(|offer| offer.name).collect();
    with_form(users, headers, |csrf| {
        let page = SignInPage { prefix: &sign_in.prefix, providers, csrf, next, problem, username };
        pages::sign_in(status, &page)
    })
}

pub(super) async fn show(State(users): State<Users>, request: Request) -> Response {
    let next = query(&request, "next").unwrap_or_default();
    let next = checked_next(&users.sign_in.prefix, &next);
    sign_in_page(&users, request.headers(), StatusCode::OK, &next, None, "")
}

/// A name and a password of a form.
pub(super) async fn enter(State(users): State<Users>, request: Request) -> Response {
    let Some((parts, text)) = form(request).await else {
        let problem = "this is no form to sign in by";
        return pages::refused(StatusCode::BAD_REQUEST, &users.sign_in.prefix, problem);
    };
    let headers = &parts.headers;
    let next = field(&text, "next").unwrap_or_default();
    let next = checked_next(&users.sign_in.prefix, &next);
    let name = field(&text, "username").unwrap_or_default();
    let again =
        |status, problem: &str| sign_in_page(&users, headers, status, &next, Some(problem), &name);
    let given = field(&text, "csrf").unwrap_or_default();
    if !is_of_form(headers, &given) {
        return again(
            StatusCode::FORBIDDEN,
            "the form is too old, or of another browser; try again",
        );
    }
    let password = field(&text, "password").unwrap_or_default();
    let verdict = users.sign_in.password(name.clone(), password, address(&parts)).await;
    if matches!(verdict, Verdict::Wrong | Verdict::Wait(_) | Verdict::Refused(_)) {
        users.directory.refusals.count(address(&parts));
    }
    match verdict {
        Verdict::Right(_) => signed_in(&users, &parts, &name, &next).await,
        Verdict::Wait(wait) => {
            let problem =
                format!("too many wrong passwords; try again in {} s", wait.as_secs() + 1);
            again(StatusCode::TOO_MANY_REQUESTS, &problem)
        }
        Verdict::Busy | Verdict::Unavailable(_) => again(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many passwords are being checked; try again",
        ),
        Verdict::Wrong | Verdict::Refused(_) => {
            again(StatusCode::UNAUTHORIZED, "wrong name or password")
        }
    }
}

/// Opens a session, and sends the browser on.
async fn signed_in(users: &Users, parts: &Parts, name: &str, next: &str) -> Response {
    let sign_in = &users.sign_in;
    if let Err(wait) = sign_in.sessions.may_begin(name) {
        users.directory.refusals.count(address(parts));
        let problem = format!("too many sign-ins; try again in {} s", wait.as_secs() + 1);
        return pages::refused(StatusCode::TOO_MANY_REQUESTS, &sign_in.prefix, &problem);
    }
    let hours = sign_in.oidc.as_ref().map_or(SESSION_HOURS, |oidc| oidc.session_hours);
    let is_safe = is_secure(&parts.headers, sign_in.oidc.as_ref());
    match sign_in.sessions.open(name, address(parts), hours).await {
        Ok(secret) => {
            let cookie = cookies::set(cookies::SESSION, &secret, hours * 60 * 60, is_safe);
            let answer = with_cookie(see_other(next), cookie);
            let answer = with_cookie(answer, cookies::set(cookies::FLOW, "", 0, is_safe));
            with_cookie(answer, cookies::set(cookies::FORM, "", 0, is_safe))
        }
        Err(error) => error_answer(error),
    }
}

/// The page of somebody whom a provider did not let in.
fn not_signed_in(users: &Users, parts: &Parts, refused: Refused) -> Response {
    let verdict = users.sign_in.refusal(refused, address(parts), OF_PAGES);
    if !matches!(verdict, Verdict::Unavailable(_)) {
        users.directory.refusals.count(address(parts));
    }
    let (status, problem) = match verdict {
        Verdict::Refused(reason) => (StatusCode::FORBIDDEN, reason),
        Verdict::Unavailable(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
        _ => (StatusCode::TOO_MANY_REQUESTS, format!("{TOO_MANY}; try again later")),
    };
    let is_safe = is_secure(&parts.headers, users.sign_in.oidc.as_ref());
    let answer = pages::refused(status, &users.sign_in.prefix, &problem);
    with_cookie(answer, cookies::set(cookies::FLOW, "", 0, is_safe))
}

fn no_provider() -> Refused {
    Refused::Token("there is no sign-in provider of this name".to_owned())
}

/// Sends a browser to a provider.
pub(super) async fn begin(
    State(users): State<Users>,
    Path(issuer): Path<String>,
    request: Request,
) -> Response {
    let next = checked_next(&users.sign_in.prefix, &query(&request, "next").unwrap_or_default());
    let (parts, _no_body) = request.into_parts();
    let begun = match &users.sign_in.oidc {
        Some(oidc) => oidc.begin(&issuer, &next).await,
        None => Err(no_provider()),
    };
    match begun {
        Ok(begun) => {
            let is_safe = is_secure(&parts.headers, users.sign_in.oidc.as_ref());
            let cookie = cookies::set(cookies::FLOW, &begun.cookie, FLOW_SECONDS, is_safe);
            with_cookie(see_other(&begun.location), cookie)
        }
        Err(refused) => not_signed_in(&users, &parts, refused),
    }
}

/// A browser that comes back from a provider.
pub(super) async fn finish(
    State(users): State<Users>,
    Path(issuer): Path<String>,
    request: Request,
) -> Response {
    let returned = Returned {
        code: query(&request, "code"),
        state: query(&request, "state"),
        error: query(&request, "error"),
        iss: query(&request, "iss"),
    };
    let (parts, _no_body) = request.into_parts();
    // Each asks the provider, whoever comes with a cookie of their own making.
    let Ok(attempt) = users.sign_in.attempt(address(&parts), OF_PAGES) else {
        let problem = format!("{TOO_MANY}; try again later");
        return pages::refused(StatusCode::TOO_MANY_REQUESTS, &users.sign_in.prefix, &problem);
    };
    let cookie = cookies::value(&parts.headers, cookies::FLOW);
    let finished = match &users.sign_in.oidc {
        Some(oidc) => oidc.finish(&issuer, cookie, &returned).await,
        None => Err(no_provider()),
    };
    match finished {
        Ok((name, next)) => {
            drop(attempt);
            let next = checked_next(&users.sign_in.prefix, &next);
            signed_in(&users, &parts, &name, &next).await
        }
        Err(refused) => {
            // What is no word of the provider's is counted where it is refused.
            if matches!(refused, Refused::Token(_)) {
                drop(attempt);
            } else {
                attempt.was_wrong();
            }
            not_signed_in(&users, &parts, refused)
        }
    }
}

/// Ends the session of a form, or all of whoever it is of.
pub(super) async fn leave(State(users): State<Users>, request: Request) -> Response {
    let prefix = users.sign_in.prefix.clone();
    let problem = "the form is not of this browser's session";
    let Some((parts, text)) = form(request).await else {
        return pages::refused(StatusCode::BAD_REQUEST, &prefix, problem);
    };
    let given = field(&text, "csrf").unwrap_or_default();
    let Some(secret) =
        cookies::value(&parts.headers, cookies::SESSION).filter(|secret| is_csrf(&given, secret))
    else {
        return pages::refused(StatusCode::FORBIDDEN, &prefix, problem);
    };
    let sessions = &users.sign_in.sessions;
    let ended = match sessions.of(secret).await {
        Ok(Some(session)) if field(&text, "all").is_some() => {
            sessions.end_all(&session.username).await.map(|_ended| ())
        }
        Ok(_) => sessions.end(secret).await,
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        return error_answer(error);
    }
    let is_safe = is_secure(&parts.headers, users.sign_in.oidc.as_ref());
    let gone = cookies::set(cookies::SESSION, "", 0, is_safe);
    with_cookie(see_other(&format!("{prefix}/sign-in")), gone)
}

/// Somebody's own page.
pub(super) async fn account(
    State(users): State<Users>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let look = |rights: &Rights<'_>| {
        let name = rights.user.row.username.clone();
        let roles = rights.index.roles_of(rights.user).map(|role| role.row.name.clone());
        let roles: Vec<String> = roles.filter(|name| !is_own(name)).collect();
        let groups = rights.index.groups_of(rights.user).map(|group| group.row.name.clone());
        let groups: Vec<String> = groups.collect();
        let tokens = rights.index.tokens().filter(|token| token.username == name).cloned();
        let mut tokens: Vec<TokenRow> = tokens.collect();
        tokens.sort_by(|one, other| one.name.cmp(&other.name));
        (name, rights.is_admin, roles, groups, tokens)
    };
    let (username, is_admin, roles, groups, tokens) = users.directory.rights(look)?;
    let sessions = users.sign_in.sessions.of_user(&username).await?;
    Ok(pages::account(&AccountPage {
        prefix: &users.sign_in.prefix,
        username: &username,
        is_admin,
        roles,
        groups,
        sessions,
        tokens,
        csrf: cookies::value(&headers, cookies::SESSION).map(csrf),
    }))
}

/// Providers, for `trainyard login`.
pub(super) async fn offers(State(users): State<Users>) -> Response {
    let offers = users.sign_in.oidc.iter().flat_map(Oidc::offers);
    let offers: Vec<_> = offers
        .map(|offer| {
            json!({
                "name": offer.name,
                "url": offer.url,
                "device_client_id": offer.device_client_id,
                "scopes": offer.scopes,
                "audience": offer.audience,
            })
        })
        .collect();
    Json(json!({ "issuers": offers })).into_response()
}

/// A token of ours for a provider's, which was just made and soon ends.
pub(super) async fn exchange(State(users): State<Users>, parts: Parts, asked: Asked) -> Answer {
    let from = address(&parts);
    let token = asked.text("token")?;
    let access_token = asked.optional_text("access_token", "access_token")?;
    // Each may ask the provider. Jobs behind one address are many, so those with the same token are counted together.
    let attempt = match users.sign_in.attempt(from, &token::digest(token)) {
        Ok(attempt) => attempt,
        Err(wait) => {
            users.directory.refusals.count(from);
            return Ok(too_many(TOO_MANY, wait));
        }
    };
    let admitted = match &users.sign_in.oidc {
        Some(oidc) => oidc.exchange(token, access_token).await,
        None => Err(Refused::Token("this server has no sign-in provider".to_owned())),
    };
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(refused) => {
            // What is no word of the provider's is counted where it is refused; that the provider is away, or this
            // server busy, is no fault of an address behind which people sign in, too.
            if matches!(refused, Refused::Person(_)) {
                attempt.was_wrong();
            } else {
                drop(attempt);
            }
            let verdict = users.sign_in.refusal(refused, from, OF_TOKENS);
            if !matches!(verdict, Verdict::Unavailable(_)) {
                users.directory.refusals.count(from);
            }
            return Ok(
                admit(Some(verdict), from).map_or_else(|answer| *answer, |_actor| no_content())
            );
        }
    };
    drop(attempt);
    if let Err(wait) = users.sign_in.exchanged.take(&admitted.username) {
        users.directory.refusals.count(from);
        let problem = format!("too many tokens were made for {}", admitted.username);
        return Ok(too_many(&problem, wait));
    }
    let (secret, row) = token::for_login(&admitted.username, &admitted.scope, admitted.hours);
    tracing::info!(token = row.name, of = admitted.token, "made a token for a sign-in");
    let who = Actor::token(admitted.username, admitted.token);
    let made = users.directory.change(move |connection| {
        users_sql::delete_ended_logins(connection, now_millis())?;
        users_sql::create_token(connection, &row)
    });
    let made = Box::pin(Origin::current().of_actor(who).scope(made)).await?;
    answer(&json!({ "token": made, "secret": secret }))
}

/// The answer of what is asked too often, with the time after which to try again.
fn too_many(problem: &str, wait: Duration) -> Response {
    let seconds = wait.as_secs() + 1;
    let message = format!("{problem}; try again in {seconds} s");
    let mut answer = error_answer(Error::api(ErrorCode::RequestLimitExceeded, message));
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Who is signed in on pages: oneself, or anybody for an administrator.
pub(super) async fn sessions(State(users): State<Users>, asked: Asked) -> Answer {
    let name = name_of(&users, &asked)?;
    answer(&json!({ "sessions": users.sign_in.sessions.of_user(&name).await? }))
}

pub(super) async fn end_sessions(State(users): State<Users>, asked: Asked) -> Answer {
    let name = name_of(&users, &asked)?;
    users.sign_in.sessions.end_all(&name).await?;
    done()
}

/// Whose sessions are meant, if the sender may look at them.
fn name_of(users: &Users, asked: &Asked) -> Result<String, Error> {
    let sender = users.directory.rights(|rights| rights.user.row.username.clone())?;
    let name = asked.optional_text("username", "username")?.unwrap_or(&sender).to_owned();
    allow(users.directory.rights(|rights| self_or_admin(rights, &name))?)?;
    Ok(name)
}
