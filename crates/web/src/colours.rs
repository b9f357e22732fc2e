//! Light or dark: as the system has it, or as somebody chose, in a cookie of the browser.

use axum::http::HeaderMap;
use maud::{Markup, html};

use crate::cookies;
use crate::links::Links;

pub(crate) const COOKIE: &str = "trainyard-colours";

/// What was chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Colours {
    #[default]
    System,
    Light,
    Dark,
}

impl Colours {
    const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(crate) fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// For the style sheet; nothing where the system decides.
    pub(crate) fn mark(self) -> Option<&'static str> {
        (self != Self::System).then(|| self.name())
    }
}

/// What a browser remembers.
pub(crate) fn of(headers: &HeaderMap) -> Colours {
    cookies::find(headers, COOKIE).and_then(Colours::read).unwrap_or_default()
}

/// The choice, at the end of every page. It changes nothing but how pages look, so it needs no secret, which would keep
/// pages from being packed.
pub(crate) fn choice(links: &Links, chosen: Colours) -> Markup {
    html! {
        form method="post" action=(links.colours()) {
            "Colours"
            @for one in Colours::ALL {
                button.quiet name="colours" value=(one.name()) aria-pressed=(one == chosen) {
                    @if one == Colours::System { "as the system" } @else { (one.name()) }
                }
            }
        }
    }
}
