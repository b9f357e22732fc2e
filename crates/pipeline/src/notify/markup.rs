//! Text as Slack and HTML take it.

/// What both take for their own is written another way. Slack knows these three characters and no others.
pub(super) fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The same, fit for an attribute of HTML too.
pub(super) fn attribute(value: &str) -> String {
    text(value).replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_take_for_their_own_is_escaped_once() {
        assert_eq!(text("a < b & 'c' &amp;"), "a &lt; b &amp; 'c' &amp;amp;");
        assert_eq!(attribute("<a b=\"c\" d='e'>"), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;");
    }
}
