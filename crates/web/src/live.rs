//! Parts of pages that change by themselves while somebody looks: marked here, sent anew by whoever serves the pages,
//! and put in place by a script.

use maud::{Markup, PreEscaped};
use sha2::{Digest as _, Sha256};
use trainyard_base::words::live_parts::{CLOSE, OPEN};

/// Hex digits of a digest: enough to tell what a part was from what it is.
const DIGITS: usize = 16;

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
