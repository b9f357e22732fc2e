//! `signup` and `users/create-ui`: upstream's page on which administrators make users in a browser.
//!
//! Browsers send a password that they know with whatever page asks them to, so the form has to know what is in a
//! cookie of its page.

use axum::extract::{Request, State};
use http::{HeaderMap, StatusCode};
use trainyard_mlflow::ErrorCode;

use super::asked::{Answer, Users};
use super::forms::{field, form, is_of_form, with_form};
use super::users::{allow, make};
use crate::access::pages;

/// The page with the form.
pub(super) async fn show(State(users): State<Users>, headers: HeaderMap) -> Answer {
    allow(users.directory.manages_some()?)?;
    let prefix = &users.sign_in.prefix;
    Ok(with_form(&users, &headers, |csrf| pages::sign_up(prefix, csrf)))
}

/// What the form sends.
pub(super) async fn enter(State(users): State<Users>, request: Request) -> Answer {
    allow(users.directory.manages_some()?)?;
    let page = |status, said: &str| pages::signed_up(status, &users.sign_in.prefix, said);
    let without_token =
        || -> Answer { Ok(page(StatusCode::BAD_REQUEST, "The CSRF token is missing.")) };
    let Some((parts, text)) = form(request).await else { return without_token() };
    let Some(given) = field(&text, "csrf_token") else { return without_token() };
    if !is_of_form(&parts.headers, &given) {
        let problem = "The CSRF token is too old, or of another browser; open the page again.";
        return Ok(page(StatusCode::BAD_REQUEST, problem));
    }
    let name = field(&text, "username").unwrap_or_default();
    let secret = field(&text, "password").unwrap_or_default();
    match make(&users, &name, &secret).await {
        Ok(user) => {
            Ok(page(StatusCode::OK, &format!("Successfully signed up user: {}", user.username)))
        }
        Err(error) if error.code() == ErrorCode::ResourceAlreadyExists => {
            let problem = format!("Username has already been taken: {name}");
            Ok(page(StatusCode::BAD_REQUEST, &problem))
        }
        Err(error) if error.code() == ErrorCode::InvalidParameterValue => {
            Ok(page(StatusCode::BAD_REQUEST, error.for_clients()))
        }
        Err(error) => Err(error.into()),
    }
}
