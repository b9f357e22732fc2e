//! The forms that change things, as pages draw them.

use maud::{Markup, html};
use trainyard_mlflow::entities::Tag;

use crate::ticket::Ticket;

/// Keys that a browser proposes.
const KEYS_SHOWN: usize = 100;

/// Where a page's forms go, and what they have to know.
#[derive(Clone, Copy)]
pub(crate) struct Forms<'a> {
    pub(crate) ticket: &'a Ticket,
    /// The page's own address.
    pub(crate) address: &'a str,
}

impl Forms<'_> {
    /// A form that does `action` with the fields of `content`.
    pub(crate) fn form(self, action: &str, content: &Markup) -> Markup {
        html! {
            form.edit method="post" action=(self.address) {
                (self.ticket.field())
                input type="hidden" name="action" value=(action);
                (content)
            }
        }
    }

    /// A form that is only its button.
    pub(crate) fn button(self, action: &str, word: &str) -> Markup {
        self.form(action, &html! { button.quiet { (word) } })
    }

    /// A description.
    pub(crate) fn description(self, text: &str) -> Markup {
        self.form(
            "describe",
            &html! {
                // The first line end after the tag is the browser's, not the text's.
                label { "Description " textarea name="description" rows="4" { "\n" (text) } }
                button.quiet { "Save" }
            },
        )
    }

    /// Setting and removing tags.
    pub(crate) fn tags(self, tags: &[Tag]) -> Markup {
        let keys = html! {
            datalist id="tag-keys" { @for tag in tags.iter().take(KEYS_SHOWN) { option value=(tag.key) {} } }
        };
        let set = html! {
            label { "Tag " input type="text" name="key" list="tag-keys" required; }
            label { "Value " input type="text" name="value"; }
            button.quiet { "Set tag" }
        };
        let remove = html! {
            label { "Tag " input type="text" name="key" list="tag-keys" required; }
            button.quiet { "Remove tag" }
        };
        html! { (keys) (self.form("tag", &set)) (self.form("untag", &remove)) }
    }

    /// A deletion for good, which wants the thing's name written once more.
    pub(crate) fn delete(self, name: &str, word: &str) -> Markup {
        self.form(
            "delete",
            &html! {
                label { "To delete it, write " code { (name) } " " input type="text" name="confirm" autocomplete="off" required; }
                button.danger { (word) }
            },
        )
    }
}
