//! Somebody: their roles, what they may do, where they are signed in, and their tokens.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use maud::{Markup, html};
use trainyard_mlflow::Error as StoreError;
use trainyard_mlflow::team::{
    AccessToken, Choices, Grant, Group, Member, Myself, Role, Session, Team, Thing,
};

use super::held_roles::held_roles;
use super::{grants, place, tokens};
use crate::error::{Result, status};
use crate::form::Forms;
use crate::format;
use crate::pagination::Asked;
use crate::query::Query;
use crate::site::Web;
use crate::ticket::Ticket;

/// What the page shows.
struct Shown<'a> {
    web: &'a Web,
    forms: Forms<'a>,
    asked: Asked<'a>,
    me: &'a Myself,
    member: &'a Member,
    choices: &'a Choices,
}

pub(crate) async fn show(
    State(web): State<Web>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    Extension(ticket): Extension<Ticket>,
) -> Result {
    let team = place::team(&web)?;
    let me = team.myself().await?;
    let members = team.members().await?;
    let Some(member) = members.iter().find(|member| member.username == name) else {
        return Err(StoreError::not_found(format!("there is no user {name:?}")).into());
    };
    let roles = if me.manages { place::allowed(team.roles().await)? } else { None };
    let mut groups = team.groups().await?;
    groups.retain(|group| group.members.contains(&name));
    let sessions = place::allowed(team.sessions(&name).await)?;
    let mut tokens = team.tokens().await?;
    tokens.retain(|token| token.username == name);
    let thing = Query::read(query.as_deref().unwrap_or_default());
    let answer = answer(team, &name, &thing).await?;
    let choices = team.choices();
    let address = web.links.member(&name);
    let forms = Forms { ticket: &ticket, address: &address };
    let asked = Asked::new(&address, query.as_deref());
    let shown = Shown { web: &web, forms, asked, me: &me, member, choices: &choices };
    // Others see no roles and grants of theirs.
    let sees = me.manages || me.username == name;
    let body = html! {
        h1 { (name) " " @if member.is_admin { small { "administrator" } } }
        @if sees {
            (shown.roles(roles.as_deref().unwrap_or_default()))
            (shown.groups(&groups))
            h2 { "Granted to " (name) " alone" }
            (shown.granted())
        } @else { p.soft { "What they may do is shown to them, and to whoever manages the team." } }
        (shown.grant())
        @if member.is_admin { p { "An administrator may do everything." } }
        @else if sees { (shown.question(&thing, &answer)) }
        @if let Some(sessions) = &sessions { (shown.browsers(sessions)) }
        (shown.tokens(&tokens))
        (shown.password())
        @if me.is_admin { (shown.administration()) }
    };
    Ok(place::respond(&web, Some(&me), None, &name, &body))
}

/// What they may do with the thing that the address names; nothing if it names none.
async fn answer(team: &dyn Team, name: &str, query: &Query) -> Result<Markup> {
    if !query.has("kind") || !query.has("id") {
        return Ok(html! {});
    }
    let thing = Thing { kind: query.one("kind"), id: query.one("id") };
    match team.permission(name, thing).await {
        Ok(permission) => Ok(html! {
            p role="status" {
                (name) " has " span.badge { (permission) } " on "
                (grants::words(thing.kind)) " " strong { (format::short(thing.id, 120)) } "."
            }
        }),
        Err(error) if status(&error).is_client_error() => {
            Ok(html! { p.notice.bad { (error.for_clients()) } })
        }
        Err(error) => Err(error.into()),
    }
}

impl Shown<'_> {
    fn roles(&self, all: &[Role]) -> Markup {
        let held: Vec<&Role> = self.member.roles.iter().filter(|role| !role.is_own()).collect();
        html! {
            h2 { "Roles" }
            (held_roles(self.web, &self.forms, &held, all, self.me.manages))
        }
    }

    /// Those that they are in, whose roles they have, too.
    fn groups(&self, groups: &[Group]) -> Markup {
        html! {
            @if !groups.is_empty() {
                h2 { "Groups" }
                @for group in groups {
                    div.actions {
                        a href=(self.web.links.group(group.id)) { (group.name) }
                        @for role in &group.roles { span.badge.plain { (role.name) } }
                    }
                }
            }
        }
    }

    /// What was granted to them alone.
    fn granted(&self) -> Markup {
        let own = self.member.roles.iter().filter(|role| role.is_own());
        let own: Vec<&Grant> = own.flat_map(|role| &role.permissions).collect();
        let take_back = |grant: &Grant| {
            let what =
                format!("{} {}", grants::words(&grant.resource_type), grant.resource_pattern);
            let fields = html! { (grants::hidden(grant)) (grants::button("Revoke", &what)) };
            self.forms.form("revoke", &fields)
        };
        grants::table(self.asked, &own, take_back)
    }

    fn grant(&self) -> Markup {
        let grant = html! {
            (grants::thing_fields(self.choices, None))
            (grants::permission_field(self.choices))
            button.quiet { "Grant" }
        };
        html! {
            details.more {
                summary { "Grant something" }
                p.soft { "Whoever may do everything with a thing may grant it." }
                (self.forms.form("grant", &grant))
            }
        }
    }

    /// What they may do with a thing, whatever says so.
    fn question(&self, query: &Query, answer: &Markup) -> Markup {
        let chosen = Thing { kind: query.one("kind"), id: query.one("id") };
        let chosen = Some(chosen).filter(|thing| !thing.kind.is_empty());
        html! {
            h2 #may { "What they may do" }
            form.edit method="get" action={ (self.forms.address) "#may" } {
                (grants::thing_fields(self.choices, chosen))
                button.quiet { "Look it up" }
            }
            (answer)
        }
    }

    fn browsers(&self, sessions: &[Session]) -> Markup {
        html! {
            h2 { "Signed in" }
            @if sessions.is_empty() { p.soft { "In no browser." } } @else {
                div.scroll {
                    table {
                        thead { tr { th.tight { "Since (UTC)" } th { "From" } th.tight { "Until (UTC)" } } }
                        tbody {
                            @for session in sessions {
                                tr {
                                    td.tight { (format::time(session.created_at)) }
                                    td { (session.address) }
                                    td.tight { (format::time(session.expires_at)) }
                                }
                            }
                        }
                    }
                }
                (self.forms.button("sign_out", "Sign out everywhere"))
            }
        }
    }

    fn tokens(&self, held: &[AccessToken]) -> Markup {
        html! {
            @if !held.is_empty() {
                h2 { "Tokens" }
                (tokens::table(self.forms, held, false))
            }
        }
    }

    /// One's own, which one knows, or that of somebody who forgot theirs.
    fn password(&self) -> Markup {
        let is_self = self.me.username == self.member.username;
        let fields = html! {
            @if is_self {
                label { "Password now " input type="password" name="current" autocomplete="current-password" required; }
            }
            label { "New password " input type="password" name="password" autocomplete="new-password" required; }
            button.quiet { "Set the password" }
        };
        html! {
            @if is_self || self.me.is_admin {
                h2 { "Password" }
                (self.forms.form("password", &fields))
                p.soft { "Whoever is signed in with the one before is not any more." }
            }
        }
    }

    fn administration(&self) -> Markup {
        let Member { username, is_admin, .. } = self.member;
        html! {
            details.more {
                summary { "Administrator, or delete" }
                @if *is_admin { (self.forms.button("demote", "No longer an administrator")) }
                @else { (self.forms.button("promote", "Make an administrator, who may do everything")) }
                @if *username != self.me.username {
                    (self.forms.delete(username, "Delete the user, with tokens and grants"))
                }
            }
        }
    }
}
