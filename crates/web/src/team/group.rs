//! A group: who is in it, its roles, and what was granted to it alone.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use maud::{Markup, html};
use trainyard_mlflow::Error as StoreError;
use trainyard_mlflow::team::{Choices, Grant, Group, Member, Role, Team};

use super::held_roles::held_roles;
use super::{grants, place};
use crate::error::Result;
use crate::form::Forms;
use crate::page;
use crate::pagination::Asked;
use crate::posted::{Posted, done, unknown};
use crate::site::Web;
use crate::ticket::Ticket;

/// Names that a browser proposes.
const NAMES_SHOWN: usize = 1000;

/// What the page shows.
struct Shown<'a> {
    web: &'a Web,
    forms: Forms<'a>,
    asked: Asked<'a>,
    group: &'a Group,
    /// Whether whoever asks may change it.
    manages: bool,
}

/// The group of an id, among those that whoever asks may look at.
async fn group(team: &dyn Team, id: &str) -> Result<Group> {
    let number: Option<i64> = id.parse().ok();
    let found = team.groups().await?.into_iter().find(|group| Some(group.id) == number);
    let found = found.ok_or_else(|| StoreError::not_found(format!("there is no group {id:?}")))?;
    Ok(team.group(&found.name).await?)
}

pub(crate) async fn show(
    State(web): State<Web>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    Extension(ticket): Extension<Ticket>,
) -> Result {
    let team = place::team(&web)?;
    let me = team.myself().await?;
    let group = group(team, &id).await?;
    let roles = if me.manages { place::allowed(team.roles().await)? } else { None };
    let members = team.members().await?;
    let address = web.links.group(group.id);
    let forms = Forms { ticket: &ticket, address: &address };
    let asked = Asked::new(&address, query.as_deref());
    let shown = Shown { web: &web, forms, asked, group: &group, manages: me.manages };
    let description = group.description.as_deref().filter(|text| !text.is_empty());
    let body = html! {
        h1 { (group.name) " " small { "group" } }
        @if let Some(text) = description { p { (page::value(text)) } }
        h2 { "Who is in it" }
        (shown.members(&members))
        h2 { "Roles of whoever is in it" }
        (shown.roles(roles.as_deref().unwrap_or_default()))
        h2 { "Granted to " (group.name) " alone" }
        (shown.granted(&team.choices()))
        @if me.manages {
            details.more {
                summary { "Delete this group" }
                (forms.delete(&group.name, "Delete the group"))
            }
        }
    };
    Ok(place::respond(&web, Some(&me), None, &group.name, &body))
}

impl Shown<'_> {
    fn members(&self, all: &[Member]) -> Markup {
        let is_in = |name: &str| self.group.members.iter().any(|member| member == name);
        let others = all.iter().map(|member| member.username.as_str()).filter(|name| !is_in(name));
        let others: Vec<&str> = others.take(NAMES_SHOWN).collect();
        let rows = self.asked.rows("people", &self.group.members);
        let add = html! {
            label { "Name " input type="text" name="username" list="names" required; }
            datalist id="names" { @for name in &others { option value=(name) {} } }
            button.quiet { "Take into the group" }
        };
        html! {
            @if self.group.members.is_empty() { p.soft { "Nobody." } }
            @for name in rows.items {
                div.actions {
                    a href=(self.web.links.member(name)) { (name) }
                    @if self.manages {
                        (self.forms.form("remove", &html! {
                            input type="hidden" name="username" value=(name);
                            (grants::button("Take out", name))
                        }))
                    }
                }
            }
            (rows.others())
            @if self.manages { (self.forms.form("add", &add)) }
        }
    }

    fn roles(&self, all: &[Role]) -> Markup {
        let held: Vec<&Role> = self.group.roles.iter().collect();
        held_roles(self.web, &self.forms, &held, all, self.manages)
    }

    fn granted(&self, choices: &Choices) -> Markup {
        let own: Vec<&Grant> = self.group.permissions.iter().collect();
        let take_back = |grant: &Grant| {
            let what =
                format!("{} {}", grants::words(&grant.resource_type), grant.resource_pattern);
            let fields = html! { (grants::hidden(grant)) (grants::button("Revoke", &what)) };
            self.forms.form("revoke", &fields)
        };
        let grant = html! {
            (grants::thing_fields(choices, None))
            (grants::permission_field(choices))
            button.quiet { "Grant" }
        };
        html! {
            (grants::table(self.asked, &own, take_back))
            details.more {
                summary { "Grant something" }
                p.soft { "Whoever may do everything with a thing may grant it." }
                (self.forms.form("grant", &grant))
            }
        }
    }
}

/// A form of this page.
pub(crate) async fn change(State(web): State<Web>, Path(id): Path<String>, form: Posted) -> Result {
    let team = place::team(&web)?;
    let group = group(team, &id).await?;
    let name = &group.name;
    let mut address = web.links.group(group.id);
    match form.action() {
        "add" => team.add_to_group(name, form.need("username")?).await?,
        "remove" => team.remove_from_group(name, form.text("username")).await?,
        "assign" => team.assign_to_group(name, form.number("role")?).await?,
        "unassign" => team.unassign_from_group(name, form.number("role")?).await?,
        "grant" => {
            team.grant_to_group(name, grants::thing(&form)?, form.need("permission")?).await?;
        }
        "revoke" => team.revoke_from_group(name, grants::carried(&form)).await?,
        "delete" => {
            form.confirm(name)?;
            team.delete_group(name).await?;
            address = web.links.team();
        }
        other => return Err(unknown(other)),
    }
    Ok(done(&address))
}
