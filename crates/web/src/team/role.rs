//! A role: what it grants, and who has it.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use maud::{Markup, html};
use trainyard_mlflow::Error as StoreError;
use trainyard_mlflow::team::{Choices, Grant, Group, Member, Role};

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
    role: &'a Role,
    /// Whether whoever asks may change it.
    manages: bool,
}

pub(crate) async fn show(
    State(web): State<Web>,
    Path(role_id): Path<String>,
    RawQuery(query): RawQuery,
    Extension(ticket): Extension<Ticket>,
) -> Result {
    let team = place::team(&web)?;
    let me = team.myself().await?;
    let number = number(&role_id)?;
    let roles = team.roles().await?;
    let found = roles.iter().find(|role| role.id == number && !role.is_own());
    let role = found.ok_or_else(|| missing(&role_id))?;
    let members = team.members().await?;
    let mut groups = team.groups().await?;
    groups.retain(|group| group.roles.iter().any(|held| held.id == role.id));
    let address = web.links.role(role.id);
    let forms = Forms { ticket: &ticket, address: &address };
    let asked = Asked::new(&address, query.as_deref());
    let shown = Shown { web: &web, forms, asked, role, manages: me.manages };
    let description = role.description.as_deref().filter(|text| !text.is_empty());
    let body = html! {
        h1 { (role.name) " " small { "role" } }
        @if let Some(text) = description { p { (page::value(text)) } }
        h2 { "What it grants" }
        (shown.granted(&team.choices()))
        h2 { "Who has it" }
        (shown.groups(&groups))
        (shown.holders(&members))
        @if me.manages {
            details.more {
                summary { "Delete this role" }
                (forms.delete(&role.name, "Delete the role"))
            }
        }
    };
    Ok(place::respond(&web, Some(&me), None, &role.name, &body))
}

fn missing(role_id: &str) -> StoreError {
    StoreError::not_found(format!("there is no role {role_id:?}"))
}

fn number(role_id: &str) -> Result<i64, StoreError> {
    role_id.parse().map_err(|_error| missing(role_id))
}

impl Shown<'_> {
    fn granted(&self, choices: &Choices) -> Markup {
        let own: Vec<&Grant> = self.role.permissions.iter().collect();
        let take_back = |grant: &Grant| {
            let what =
                format!("{} {}", grants::words(&grant.resource_type), grant.resource_pattern);
            let fields = html! {
                input type="hidden" name="grant" value=(grant.id);
                (grants::button("Remove", &what))
            };
            html! { @if self.manages { (self.forms.form("remove", &fields)) } }
        };
        let grant = html! {
            (grants::thing_fields(choices, None))
            (grants::permission_field(choices))
            button.quiet { "Grant" }
        };
        html! {
            (grants::table(self.asked, &own, take_back))
            @if self.manages { (self.forms.form("grant", &grant)) }
        }
    }

    /// Whoever is in one of these.
    fn groups(&self, groups: &[Group]) -> Markup {
        html! {
            @if !groups.is_empty() {
                p {
                    "Whoever is in: "
                    @for group in groups { a href=(self.web.links.group(group.id)) { (group.name) } " " }
                }
            }
        }
    }

    fn holders(&self, members: &[Member]) -> Markup {
        let has = |member: &&Member| member.roles.iter().any(|held| held.id == self.role.id);
        let holders: Vec<&Member> = members.iter().filter(has).collect();
        let others = members.iter().filter(|member| !has(member)).take(NAMES_SHOWN);
        let rows = self.asked.rows("people", &holders);
        let give = html! {
            label { "Name " input type="text" name="username" list="names" required; }
            datalist id="names" { @for member in others { option value=(member.username) {} } }
            button.quiet { "Give this role" }
        };
        html! {
            @if holders.is_empty() { p.soft { "Nobody." } }
            @for member in rows.items {
                div.actions {
                    a href=(self.web.links.member(&member.username)) { (member.username) }
                    @if self.manages {
                        (self.forms.form("unassign", &html! {
                            input type="hidden" name="username" value=(member.username);
                            (grants::button("Take away from", &member.username))
                        }))
                    }
                }
            }
            (rows.others())
            @if self.manages { (self.forms.form("assign", &give)) }
        }
    }
}

/// A form of this page.
pub(crate) async fn change(
    State(web): State<Web>,
    Path(role_id): Path<String>,
    form: Posted,
) -> Result {
    let team = place::team(&web)?;
    let number = number(&role_id)?;
    let mut address = web.links.role(number);
    match form.action() {
        "grant" => {
            team.add_grant(number, grants::thing(&form)?, form.need("permission")?).await?;
        }
        "remove" => team.remove_grant(form.number("grant")?).await?,
        "assign" => team.assign(form.need("username")?, number).await?,
        "unassign" => team.unassign(form.text("username"), number).await?,
        "delete" => {
            let roles = team.roles().await?;
            let role = roles.iter().find(|role| role.id == number);
            form.confirm(&role.ok_or_else(|| missing(&role_id))?.name)?;
            team.delete_role(number).await?;
            address = web.links.team();
        }
        other => return Err(unknown(other)),
    }
    Ok(done(&address))
}
