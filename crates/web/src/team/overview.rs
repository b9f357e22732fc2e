//! Who there is, and which groups and roles.

use axum::Extension;
use axum::extract::{RawQuery, State};
use maud::{Markup, html};
use trainyard_mlflow::team::{Group, Member, Role};

use super::place::{self, Place};
use crate::error::Result;
use crate::form::Forms;
use crate::pagination::Asked;
use crate::posted::{Posted, done, unknown};
use crate::site::Web;
use crate::ticket::Ticket;
use crate::{format, page};

pub(crate) async fn show(
    State(web): State<Web>,
    RawQuery(query): RawQuery,
    Extension(ticket): Extension<Ticket>,
) -> Result {
    let Some(team) = &web.beside.team else {
        return Ok(place::respond(&web, None, Some(Place::People), "Team", &nobody()));
    };
    let me = team.myself().await?;
    let members = team.members().await?;
    let roles = if me.manages { place::allowed(team.roles().await)? } else { None };
    let groups = team.groups().await?;
    let address = web.links.team();
    let asked = Asked::new(&address, query.as_deref());
    let forms = Forms { ticket: &ticket, address: &address };
    let body = html! {
        h1 { "Team" }
        h2 { "People" }
        (people(&web, asked, &members))
        @if me.manages { (new_member(forms)) }
        @if me.manages || !groups.is_empty() {
            h2 { "Groups" }
            (grouped(&web, asked, &groups))
            @if me.manages { (new_group(forms)) }
        }
        @if let Some(roles) = &roles {
            h2 { "Roles" }
            (named(&web, asked, roles, &members))
            (new_role(forms))
        }
    };
    Ok(place::respond(&web, Some(&me), Some(Place::People), "Team", &body))
}

/// Where there are no users.
fn nobody() -> Markup {
    html! {
        h1 { "Team" }
        p { "Whoever is let in to this server may do everything: it has no users of its own." }
        p { "With users, roles and tokens it is started so:" }
        (page::code("trainyard server --app-name basic-auth"))
    }
}

fn people(web: &Web, asked: Asked<'_>, members: &[Member]) -> Markup {
    let rows = asked.rows("people", members);
    html! {
        div.scroll {
            table.told {
                thead { tr { th { "Name" } th { "Roles" } th.number { "Granted to them alone" } } }
                tbody {
                    @for member in rows.items {
                        tr {
                            td {
                                a href=(web.links.member(&member.username)) { (member.username) } " "
                                @if member.is_admin { span.badge { "administrator" } }
                            }
                            td { @for role in named_of(member) { span.badge.plain { (role.name) } } }
                            td.number { (own_grants(member)) }
                        }
                    }
                }
            }
        }
        (rows.others())
    }
}

/// The roles of somebody that have a name.
fn named_of(member: &Member) -> impl Iterator<Item = &Role> {
    member.roles.iter().filter(|role| !role.is_own())
}

fn own_grants(member: &Member) -> usize {
    let own = member.roles.iter().filter(|role| role.is_own());
    own.map(|role| role.permissions.len()).sum()
}

fn named(web: &Web, asked: Asked<'_>, roles: &[Role], members: &[Member]) -> Markup {
    let roles: Vec<&Role> = roles.iter().filter(|role| !role.is_own()).collect();
    let rows = asked.rows("roles", &roles);
    let holders = |role: &Role| {
        members.iter().filter(|member| member.roles.iter().any(|held| held.id == role.id)).count()
    };
    html! {
        @if roles.is_empty() { p.soft { "No role yet." } } @else {
            div.scroll {
                table {
                    thead { tr { th { "Role" } th { "Description" } th.number { "Grants" } th.number { "People" } } }
                    tbody {
                        @for role in rows.items {
                            tr {
                                td { a href=(web.links.role(role.id)) { (role.name) } }
                                td.soft { (format::short(role.description.as_deref().unwrap_or_default(), 120)) }
                                td.number { (role.permissions.len()) }
                                td.number { (holders(role)) }
                            }
                        }
                    }
                }
            }
            (rows.others())
        }
    }
}

fn grouped(web: &Web, asked: Asked<'_>, groups: &[Group]) -> Markup {
    let rows = asked.rows("groups", groups);
    html! {
        @if groups.is_empty() { p.soft { "No group yet." } } @else {
            div.scroll {
                table {
                    thead { tr { th { "Group" } th { "Description" } th { "Roles" } th.number { "People" } } }
                    tbody {
                        @for group in rows.items {
                            tr {
                                td { a href=(web.links.group(group.id)) { (group.name) } }
                                td.soft { (format::short(group.description.as_deref().unwrap_or_default(), 120)) }
                                td { @for role in &group.roles { span.badge.plain { (role.name) } } }
                                td.number { (group.members.len()) }
                            }
                        }
                    }
                }
            }
            (rows.others())
        }
    }
}

fn new_group(forms: Forms<'_>) -> Markup {
    let group = html! {
        label { "Name " input type="text" name="name" maxlength="255" required; }
        label { "Description " input type="text" name="description" maxlength="1024"; }
        button.quiet { "Add a group" }
    };
    html! {
        details.more {
            summary { "Add a group" }
            (forms.form("add_group", &group))
        }
    }
}

fn new_member(forms: Forms<'_>) -> Markup {
    let person = html! {
        label { "Name " input type="text" name="username" autocomplete="off" required; }
        label { "Password " input type="password" name="password" autocomplete="new-password" required; }
        button.quiet { "Add a person" }
    };
    let account = html! {
        label { "Name " input type="text" name="username" autocomplete="off" required; }
        button.quiet { "Add a service account, which has tokens" }
    };
    html! {
        details.more {
            summary { "Add somebody" }
            (forms.form("add", &person))
            (forms.form("add_account", &account))
        }
    }
}

fn new_role(forms: Forms<'_>) -> Markup {
    let role = html! {
        label { "Name " input type="text" name="name" maxlength="255" required; }
        label { "Description " input type="text" name="description" maxlength="1024"; }
        button.quiet { "Add a role" }
    };
    html! {
        details.more {
            summary { "Add a role" }
            (forms.form("add_role", &role))
        }
    }
}

/// A form of this page.
pub(crate) async fn change(State(web): State<Web>, form: Posted) -> Result {
    let team = place::team(&web)?;
    let address = match form.action() {
        "add" => {
            let name = form.need("username")?;
            // Spaces are a part of a password.
            team.create_member(name, Some(form.text("password"))).await?;
            web.links.member(name)
        }
        "add_account" => {
            let name = form.need("username")?;
            team.create_member(name, None).await?;
            web.links.member(name)
        }
        "add_role" => {
            let id = team.create_role(form.need("name")?, form.text("description").trim()).await?;
            web.links.role(id)
        }
        "add_group" => {
            let id = team.create_group(form.need("name")?, form.text("description").trim()).await?;
            web.links.group(id)
        }
        other => return Err(unknown(other)),
    };
    Ok(done(&address))
}
