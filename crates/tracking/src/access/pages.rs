//! The pages around signing in: small, without scripts, and with nothing from elsewhere.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, html};

use super::rows::{SessionRow, TokenRow};

const STYLE: &str = ":root{color-scheme:light dark;background:Canvas;color:CanvasText}\
    body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:4rem auto;padding:0 1rem}\
    label{display:block;margin:.5rem 0}input{display:block;font:inherit;padding:.3rem}\
    button,a.way{display:inline-block;font:inherit;margin:.5rem .5rem .5rem 0;padding:.3rem 1rem;\
    border:1px solid #888;border-radius:4px;color:ButtonText;background:ButtonFace;text-decoration:none}\
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .5rem;border-bottom:1px solid #8886}\
    .problem{border-left:4px solid #c00;padding-left:.5rem}";
/// No scripts, no frames, forms to this server alone.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// What the page to sign in on shows.
#[derive(Debug)]
pub(super) struct SignInPage<'a> {
    pub(super) prefix: &'a str,
    /// Names of providers.
    pub(super) providers: Vec<&'a str>,
    /// What the form has to know.
    pub(super) csrf: &'a str,
    /// Where to go on to.
    pub(super) next: &'a str,
    /// What went wrong.
    pub(super) problem: Option<&'a str>,
    /// The name that was given, where the password was wrong.
    pub(super) username: &'a str,
}

/// What the page of somebody's account shows.
#[derive(Debug)]
pub(super) struct AccountPage<'a> {
    pub(super) prefix: &'a str,
    pub(super) username: &'a str,
    pub(super) is_admin: bool,
    pub(super) roles: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) sessions: Vec<SessionRow>,
    pub(super) tokens: Vec<TokenRow>,
    /// What the form has to know; none of somebody who is signed in by each request.
    pub(super) csrf: Option<String>,
}

fn page(status: StatusCode, title: &str, content: &Markup) -> Response {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Trainyard" }
                style { (maud::PreEscaped(STYLE)) }
            }
            body { main { h1 { (title) } (content) } }
        }
    };
    let mut answer = (status, text.into_string()).into_response();
    let headers = answer.headers_mut();
    let of_html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, of_html);
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}

/// The page to sign in on.
pub(super) fn sign_in(status: StatusCode, shown: &SignInPage<'_>) -> Response {
    let next =
        percent_encoding::utf8_percent_encode(shown.next, percent_encoding::NON_ALPHANUMERIC);
    let next = next.to_string();
    let content = html! {
        @if let Some(problem) = shown.problem {
            p.problem role="alert" { (problem) }
        }
        @for name in &shown.providers {
            a.way href={ (shown.prefix) "/sign-in/" (name) "?next=" (next) } { "Sign in with " (name) }
        }
        form method="post" action={ (shown.prefix) "/sign-in" } {
            input type="hidden" name="csrf" value=(shown.csrf);
            input type="hidden" name="next" value=(shown.next);
            label { "Name" input name="username" value=[Some(shown.username).filter(|name| !name.is_empty())] autocomplete="username" required; }
            label {
                "Password"
                input type="password" name="password" autocomplete="current-password" required;
            }
            button { "Sign in" }
        }
    };
    page(status, "Sign in", &content)
}

/// The page of somebody who could not be signed in.
pub(super) fn refused(status: StatusCode, prefix: &str, problem: &str) -> Response {
    let content = html! {
        p.problem role="alert" { (problem) }
        a.way href={ (prefix) "/sign-in" } { "Sign in" }
    };
    page(status, "Not signed in", &content)
}

/// The answer to the form of a page by somebody who is signed in no more. What was typed is not read here, so that it
/// goes nowhere; the browser has it still, and sends it again.
pub(super) fn signed_out(prefix: &str, next: &str) -> Response {
    let next = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
    let next = next.to_string();
    let content = html! {
        p.problem role="alert" { "You were signed out, so nothing was saved." }
        p { "Your browser still has what you typed:" }
        ol {
            li {
                a.way href={ (prefix) "/sign-in?next=" (next) } target="_blank" rel="noopener" { "Sign in" }
                " in a new tab."
            }
            li { "Come back to this tab and reload it. Your browser asks whether to send the form again." }
        }
        p { "Going back shows the form as you left it, too." }
    };
    let mut answer = page(StatusCode::UNAUTHORIZED, "Signed out", &content);
    // A browser that is told of basic access asks for a password by itself, and shows no page.
    let bearer = HeaderValue::from_static(r#"Bearer realm="trainyard""#);
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
    answer
}

/// The page on which an administrator makes a user. Fields are named as on upstream's.
pub(super) fn sign_up(prefix: &str, csrf: &str) -> Response {
    let content = html! {
        form method="post" action={ (prefix) "/api/2.0/mlflow/users/create-ui" } {
            input type="hidden" name="csrf_token" value=(csrf);
            label { "Name" input name="username" autocomplete="off" required; }
            label {
                "Password"
                input type="password" name="password" autocomplete="new-password" required;
            }
            button { "Sign up" }
        }
    };
    page(StatusCode::OK, "Sign up a user", &content)
}

/// What became of it.
pub(super) fn signed_up(status: StatusCode, prefix: &str, said: &str) -> Response {
    let content = html! {
        p.problem[status != StatusCode::OK] role="alert" { (said) }
        a.way href={ (prefix) "/signup" } { "Sign up a user" }
        a.way href={ (prefix) "/" } { "Experiments and models" }
    };
    page(status, "Sign up a user", &content)
}

/// Milliseconds since the Unix epoch, for people.
fn time(millis: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(millis);
    time.map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// The page of somebody's account.
pub(super) fn account(shown: &AccountPage<'_>) -> Response {
    let prefix = shown.prefix;
    let content = html! {
        p {
            "You are signed in as " strong { (shown.username) }
            @if shown.is_admin { ", an administrator" }
            "."
        }
        p { a href={ (prefix) "/" } { "Experiments and models" } }
        h2 { "Roles" }
        @if shown.roles.is_empty() { p { "None." } }
        ul { @for role in &shown.roles { li { (role) } } }
        @if !shown.groups.is_empty() {
            h2 { "Groups" }
            ul { @for group in &shown.groups { li { (group) } } }
        }
        h2 { "Browsers" }
        table {
            tr { th { "signed in" } th { "from" } th { "until" } }
            @for session in &shown.sessions {
                tr {
                    td { (time(session.created_at)) }
                    td { (session.address) }
                    td { (time(session.expires_at)) }
                }
            }
        }
        @if let Some(csrf) = &shown.csrf {
            form method="post" action={ (prefix) "/sign-out" } {
                input type="hidden" name="csrf" value=(csrf);
                button { "Sign out" }
                button name="all" value="yes" { "Sign out everywhere" }
            }
        }
        h2 { "Tokens" }
        table {
            tr { th { "name" } th { "may" } th { "made" } th { "ends" } }
            @for token in &shown.tokens {
                tr {
                    td { (token.name) }
                    td { (token.scope) }
                    td { (time(token.created_at)) }
                    td { (token.expires_at.map_or_else(|| "never".to_owned(), time)) }
                }
            }
        }
    };
    page(StatusCode::OK, "Account", &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_others_write_is_text_on_the_page() {
        let page = SignInPage {
            prefix: "/p",
            providers: vec!["company"],
            csrf: "c",
            next: "/\"><script>",
            problem: Some("<b>no</b>"),
            username: "",
        };
        let answer = sign_in(StatusCode::UNAUTHORIZED, &page);
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("'none'"));
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(!text.contains("<script>") && !text.contains("<b>no"), "{text}");
        assert!(text.contains("/p/sign-in/company?next=%2F%22%3E%3Cscript%3E"), "{text}");
    }
}
