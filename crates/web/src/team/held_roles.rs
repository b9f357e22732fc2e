//! The roles of a user or a group, given and taken away by whoever may.

use maud::{Markup, html};
use trainyard_mlflow::team::Role;

use super::grants;
use crate::form::Forms;
use crate::site::Web;

/// Each with a way to take it away, and a choice of the others.
pub(super) fn held_roles(
    web: &Web,
    forms: &Forms<'_>,
    held: &[&Role],
    all: &[Role],
    manages: bool,
) -> Markup {
    let others: Vec<&Role> = all
        .iter()
        .filter(|role| !role.is_own() && !held.iter().any(|known| known.id == role.id))
        .collect();
    let choice = html! {
        label {
            "Role "
            select name="role" { @for role in &others { option value=(role.id) { (role.name) } } }
        }
        button.quiet { "Give this role" }
    };
    html! {
        @if held.is_empty() { p.soft { "None." } }
        @for role in held {
            div.actions {
                @if manages {
                    a href=(web.links.role(role.id)) { (role.name) }
                    (forms.form("unassign", &html! {
                        input type="hidden" name="role" value=(role.id);
                        (grants::button("Take away", &role.name))
                    }))
                } @else { (role.name) }
            }
        }
        @if !others.is_empty() { (forms.form("assign", &choice)) }
    }
}
