//! Pages that users logged, where they can do nothing to ours.

use maud::{Markup, html};

use crate::links::Links;

/// Scripts of a logged page may run, in an origin of their own, with nothing to load and nowhere
/// to send anything.
pub(crate) const POLICY: &str = "sandbox allow-scripts; default-src 'none'; \
                                 style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                                 img-src data: blob:; font-src data:; form-action 'none'; \
                                 base-uri 'none'; frame-ancestors 'self'";

/// A PDF file in which nothing acts ([`crate::passive_pdf`]).
pub(crate) const PDF_POLICY: &str = "sandbox; default-src 'none'; frame-ancestors 'self'";

/// A logged page within one of ours.
pub(crate) fn frame(owner: &str, path: &str) -> Markup {
    html! {
        iframe.report src=(Links::raw(owner, path)) title=(path) sandbox="allow-scripts" referrerpolicy="no-referrer" {}
    }
}
