//! Grants as pages show them, and the fields by which a thing and a permission are named.

use maud::{Markup, html};
use trainyard_mlflow::team::{Choices, Grant, Thing};

use crate::error::Result;
use crate::format;
use crate::pagination::Asked;
use crate::posted::Posted;

/// The kind that is proposed.
const USUAL_KIND: &str = "experiment";
/// The permission that is proposed.
const USUAL_PERMISSION: &str = "READ";

/// Grants in a table, each with a way to take it back. Whoever makes a thing has one on it, so there may be many.
pub(super) fn table(
    asked: Asked<'_>,
    grants: &[&Grant],
    take_back: impl Fn(&Grant) -> Markup,
) -> Markup {
    let rows = asked.rows("grants", grants);
    html! {
        @if grants.is_empty() { p.soft { "Nothing." } } @else {
            div.scroll {
                table {
                    thead { tr { th { "Kind" } th { "Which" } th { "May" } th { "Change" } } }
                    tbody {
                        @for grant in rows.items {
                            tr {
                                td { (words(&grant.resource_type)) }
                                td { (which(grant)) }
                                td { span.badge.bad[grant.permission == "DENY"] { (grant.permission) } }
                                td { (take_back(grant)) }
                            }
                        }
                    }
                }
            }
            (rows.others())
        }
    }
}

fn which(grant: &Grant) -> Markup {
    html! {
        @if grant.resource_pattern == "*" { span.soft { "all" } }
        @else { (format::short(&grant.resource_pattern, 120)) }
    }
}

/// A kind as people say it.
pub(super) fn words(kind: &str) -> String {
    kind.replace('_', " ")
}

/// Fields that name a thing; those of `chosen` are filled in.
pub(super) fn thing_fields(choices: &Choices, chosen: Option<Thing<'_>>) -> Markup {
    let kind = chosen.map_or(USUAL_KIND, |thing| thing.kind);
    let id = chosen.map_or("", |thing| thing.id);
    html! {
        label {
            "Kind "
            select name="kind" {
                @for known in &choices.kinds {
                    option value=(known) selected[*known == kind] { (words(known)) }
                }
            }
        }
        label { "Id or name, or * " input type="text" name="id" value=(id) maxlength="255" required; }
    }
}

pub(super) fn permission_field(choices: &Choices) -> Markup {
    html! {
        label {
            "May "
            select name="permission" {
                @for known in &choices.permissions {
                    option value=(known) selected[*known == USUAL_PERMISSION] { (known) }
                }
            }
        }
    }
}

/// Fields that carry a thing along.
pub(super) fn hidden(grant: &Grant) -> Markup {
    html! {
        input type="hidden" name="kind" value=(grant.resource_type);
        input type="hidden" name="id" value=(grant.resource_pattern);
    }
}

/// The thing that somebody wrote into a form.
pub(super) fn thing(form: &Posted) -> Result<Thing<'_>> {
    Ok(Thing { kind: form.need("kind")?, id: form.need("id")? })
}

/// The thing that a form carries along, as it is: names may end in a space.
pub(super) fn carried(form: &Posted) -> Thing<'_> {
    Thing { kind: form.text("kind"), id: form.text("id") }
}

/// A button in a row, which says to those who do not see the row what it is for.
pub(super) fn button(word: &str, what: &str) -> Markup {
    html! { button.quiet aria-label={ (word) " " (what) } { (word) } }
}
