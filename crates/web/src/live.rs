//! Parts of pages that change by themselves while somebody looks: marked here, sent anew by whoever serves the pages,
//! and put in place by a script.

use axum::http::HeaderMap;
use maud::{Markup, PreEscaped};
use sha2::{Digest as _, Sha256};
use trainyard_base::words::live_parts::{CLOSE, DRAWN, OPEN};

/// Hex digits of a digest: enough to tell what a part was from what it is.
const DIGITS: usize = 16;

/// Characters of what whoever serves pages says of one that is drawn.
const DRAWN_MAX: usize = 64;

tokio::task_local! {
    /// Up to which change the page that is drawn will be, as whoever serves it says; empty where nobody does.
    static DRAWN_AT: String;
}

/// Draws a page, which knows up to which change it is.
pub(crate) async fn drawing<T>(headers: &HeaderMap, draw: impl Future<Output = T>) -> T {
    let drawn = headers.get(DRAWN).and_then(|drawn| drawn.to_str().ok()).unwrap_or_default();
    let is_one = drawn.len() <= DRAWN_MAX;
    DRAWN_AT.scope(if is_one { drawn.to_owned() } else { String::new() }, draw).await
}

/// Up to which change the page is, for its stream; none where nobody said.
pub(crate) fn drawn_at() -> Option<String> {
    DRAWN_AT.try_with(Clone::clone).ok().filter(|drawn| !drawn.is_empty())
}

/// A part of a page, by a name that the page has once. It is not within another, and it is there however little is in
/// it: what is not on the page cannot change.
pub(crate) fn part(name: &'static str, content: &Markup) -> Markup {
    let mut digest = hex::encode(Sha256::digest(content.0.as_bytes()));
    digest.truncate(DIGITS);
    let content = &content.0;
    PreEscaped(format!("{OPEN}data-part=\"{name}\" data-digest=\"{digest}\">{content}{CLOSE}"))
}

#[cfg(test)]
mod tests {
    use maud::html;

    use super::*;

    #[test]
    fn a_part_says_when_it_is_another_one() {
        let of = |text: &str| part("runs", &html! { p { (text) } }).into_string();
        let digest = |html: &str| html.split('"').nth(3).unwrap().to_owned();
        let html = of("a");
        assert!(html.starts_with("<live-part data-part=\"runs\" data-digest=\""), "{html}");
        assert!(html.ends_with("\"><p>a</p></live-part>"), "{html}");
        assert_eq!((digest(&html).len(), digest(&html)), (DIGITS, digest(&of("a"))));
        assert_ne!(digest(&html), digest(&of("b")));
        assert_eq!(of("</live-part>").matches(CLOSE).count(), 1, "what users wrote is no mark");
    }
}
