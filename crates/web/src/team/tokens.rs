//! Tokens: one's own, and those of everybody for administrators. A new one is shown once.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, header};
use maud::{Markup, html};
use trainyard_mlflow::team::{AccessToken, Choices, Myself, WantedToken};

use super::grants::button;
use super::place::{self, Place};
use crate::error::Result;
use crate::form::Forms;
use crate::pagination::Asked;
use crate::posted::{Posted, done, unknown};
use crate::site::Web;
use crate::ticket::Ticket;
use crate::{format, page};

/// The scope that is proposed: what training needs.
const USUAL_SCOPE: &str = "EDIT";
/// Days that are proposed.
const USUAL_DAYS: i64 = 90;

pub(crate) async fn show(
    State(web): State<Web>,
    RawQuery(query): RawQuery,
    Extension(ticket): Extension<Ticket>,
) -> Result {
    let team = place::team(&web)?;
    let me = team.myself().await?;
    let (own, others): (Vec<_>, Vec<_>) =
        team.tokens().await?.into_iter().partition(|token| token.username == me.username);
    let address = web.links.tokens();
    let asked = Asked::new(&address, query.as_deref());
    let forms = Forms { ticket: &ticket, address: &address };
    let (own, others) = (asked.rows("own", &own), asked.rows("others", &others));
    let body = html! {
        h1 { "Tokens" }
        p {
            "A program signs in with a token on behalf of whoever it is of, as " code { "MLFLOW_TRACKING_TOKEN" }
            ", and does at most what its scope says."
        }
        h2 { "Mine" }
        @if own.items.is_empty() { p.soft { "None." } } @else { (table(forms, own.items, false)) (own.others()) }
        @if me.makes_tokens { (wanted(forms, &me, &team.choices())) }
        @else { p.soft { "Tokens are made by whoever signs in with a password or in a browser, not with a token." } }
        @if me.is_admin {
            h2 { "Those of others" }
            @if others.items.is_empty() { p.soft { "None." } }
            @else { (table(forms, others.items, true)) (others.others()) }
        }
    };
    Ok(place::respond(&web, Some(&me), Some(Place::Tokens), "Tokens", &body))
}

/// Tokens, each with a way to revoke it.
pub(super) fn table(forms: Forms<'_>, tokens: &[AccessToken], with_owner: bool) -> Markup {
    let now = chrono::Utc::now().timestamp_millis();
    html! {
        div.scroll {
            table {
                thead { tr { th { "Name" } @if with_owner { th { "Of" } } th { "At most" } th.tight { "Made (UTC)" } th.tight { "Ends (UTC)" } th { "Change" } } }
                tbody {
                    @for token in tokens {
                        tr {
                            td { (token.name) }
                            @if with_owner { td { (token.username) } }
                            td { (token.scope) }
                            td.tight { (format::time(token.created_at)) }
                            td.tight { (end(token.expires_at, now)) }
                            td {
                                (forms.form("revoke_token", &html! {
                                    input type="hidden" name="token" value=(token.name);
                                    (button("Revoke", &token.name))
                                }))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn end(at: Option<i64>, now: i64) -> Markup {
    html! {
        @match at {
            Some(at) if at <= now => { span.badge.bad { "ended" } " " (format::time(at)) },
            Some(at) => (format::time(at)),
            None => span.badge { "never" },
        }
    }
}

fn wanted(forms: Forms<'_>, me: &Myself, choices: &Choices) -> Markup {
    let scopes = choices.scopes.iter().filter(|scope| me.is_admin || **scope != "ADMIN");
    let fields = html! {
        label { "Name " input type="text" name="name" autocomplete="off" required; }
        @if me.is_admin {
            label { "Of " input type="text" name="username" value=(me.username) autocomplete="off" required; }
        }
        label {
            "At most "
            select name="scope" {
                @for scope in scopes { option value=(scope) selected[*scope == USUAL_SCOPE] { (scope) } }
            }
        }
        label { "Days, none for ever " input type="text" inputmode="numeric" name="days" size="6" value=(USUAL_DAYS); }
        button.quiet { "Make a token" }
    };
    forms.form("make", &fields)
}

/// A form of this page.
pub(crate) async fn change(State(web): State<Web>, form: Posted) -> Result {
    match form.action() {
        "make" => make(&web, &form).await,
        "revoke_token" => {
            place::team(&web)?.delete_token(form.text("token")).await?;
            Ok(done(&web.links.tokens()))
        }
        other => Err(unknown(other)),
    }
}

/// The answer is the page itself: an address to go on to would have to know the secret, or the server to keep it. Sent
/// once more the form makes nothing, as there is a token of the name.
async fn make(web: &Web, form: &Posted) -> Result {
    let team = place::team(web)?;
    let name = form.need("name")?;
    let wanted = WantedToken {
        name,
        username: Some(form.text("username").trim()).filter(|owner| !owner.is_empty()),
        scope: form.need("scope")?,
        days: if form.text("days").trim().is_empty() { None } else { Some(form.number("days")?) },
    };
    let secret = team.create_token(wanted).await?;
    let me = team.myself().await?;
    let body = html! {
        h1 { "A new token" }
        p { "This is the token " strong { (name) } ". It is shown this once, and kept nowhere: copy it now." }
        (page::code(&secret))
        p { "Programs take it from their environment:" }
        (page::code("read -rs MLFLOW_TRACKING_TOKEN && export MLFLOW_TRACKING_TOKEN"))
        p { a href=(web.links.tokens()) { "I have it" } }
    };
    let mut answer = place::respond(web, Some(&me), None, "A new token", &body);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_is_told_from_what_never_does() {
        let of = |at| end(at, 2000).into_string();
        assert!(of(Some(2000)).contains("ended") && !of(Some(2001)).contains("ended"));
        assert!(of(None).contains("never"));
    }
}
