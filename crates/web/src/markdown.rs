//! Markdown that users wrote, as parts of our pages.
//!
//! HTML within it stays text, links lead to the web or to the files beside it, and pictures are files beside it: what
//! else it names is not followed, and nothing of it is loaded.

use std::borrow::Cow;

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::html::push_html;
use pulldown_cmark::{
    CodeBlockKind, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd,
};

use crate::links::Links;
use crate::page;

/// Pieces of a text that are laid out. A long README has some thousand; beyond that the text is shown as it is.
const PIECES_MAX: usize = 20_000;

/// Where files that a text names lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beside<'a> {
    /// The address of the run or logged model.
    pub(crate) owner: &'a str,
    /// The folder of the text.
    pub(crate) folder: &'a str,
}

/// A description below a page's title: it lies in no folder, so only links to the web lead on.
pub(crate) fn description(text: &str) -> Markup {
    show(text, 1, None)
}

/// A text with links to files beside it, below a heading of the level `above` (1 to 6).
pub(crate) fn show(text: &str, above: usize, beside: Option<Beside<'_>>) -> Markup {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_GFM;
    let pieces: Vec<Event<'_>> = Parser::new_ext(text, options).take(PIECES_MAX + 1).collect();
    if pieces.len() > PIECES_MAX {
        return page::value(text);
    }
    let mut shown = String::new();
    let mut open = Open::below(above);
    push_html(&mut shown, pieces.into_iter().map(|piece| open.safe(piece, beside)));
    html! { div.markdown { (PreEscaped(shown)) } }
}

/// The headings, links and pictures that are open.
#[derive(Debug)]
struct Open {
    /// The level of the page's heading above.
    above: usize,
    /// The last heading: the next one is at most a level deeper, whatever the text says.
    heading: HeadingLevel,
    depth: usize,
    /// How each of them ends: as what it is shown.
    ends: Vec<TagEnd>,
    /// How many of them are shown as links: one within another would end it.
    links: usize,
}

impl Open {
    fn below(above: usize) -> Self {
        let (heading, depth) = (HeadingLevel::H6, above);
        Self { above, heading, depth, ends: Vec::new(), links: 0 }
    }

    fn safe<'a>(&mut self, piece: Event<'a>, beside: Option<Beside<'_>>) -> Event<'a> {
        match piece {
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            Event::Start(tag) => Event::Start(self.opened(tag, beside)),
            Event::End(TagEnd::Link | TagEnd::Image) => {
                let end = self.ends.pop().unwrap_or(TagEnd::Emphasis);
                if end == TagEnd::Link {
                    self.links = self.links.saturating_sub(1);
                }
                Event::End(end)
            }
            Event::End(TagEnd::Heading(_)) => Event::End(TagEnd::Heading(self.heading)),
            other => other,
        }
    }

    fn opened<'a>(&mut self, tag: Tag<'a>, beside: Option<Beside<'_>>) -> Tag<'a> {
        match tag {
            Tag::Link { dest_url, title, .. } => self.link(target(&dest_url, beside), title),
            Tag::Image { dest_url, title, .. } => {
                let picture = beside.and_then(|beside| {
                    Some(Links::raw(beside.owner, &joined(beside.folder, &dest_url)?))
                });
                let Some(picture) = picture else {
                    return self.link(target(&dest_url, None), title);
                };
                self.ends.push(TagEnd::Image);
                let (link_type, id) = (LinkType::Inline, CowStr::Borrowed(""));
                Tag::Image { link_type, dest_url: CowStr::from(picture), title, id }
            }
            Tag::Heading { level, .. } => {
                self.depth = (self.above + level as usize).min(self.depth + 1);
                let level = HeadingLevel::try_from(self.depth).unwrap_or(HeadingLevel::H6);
                self.heading = level;
                Tag::Heading { level, id: None, classes: Vec::new(), attrs: Vec::new() }
            }
            // Alignment would be a style within the page, which its policy refuses.
            Tag::Table(_) => Tag::Table(Vec::new()),
            // A language would be a class of the user's choice.
            Tag::CodeBlock(_) => Tag::CodeBlock(CodeBlockKind::Indented),
            Tag::BlockQuote(_) => Tag::BlockQuote(None),
            other => other,
        }
    }

    /// A link; what leads nowhere is only set apart.
    fn link<'a>(&mut self, target: Option<String>, title: CowStr<'a>) -> Tag<'a> {
        let Some(target) = target.filter(|_| self.links == 0) else {
            self.ends.push(TagEnd::Emphasis);
            return Tag::Emphasis;
        };
        self.links += 1;
        self.ends.push(TagEnd::Link);
        let (link_type, id) = (LinkType::Inline, CowStr::Borrowed(""));
        Tag::Link { link_type, dest_url: CowStr::from(target), title, id }
    }
}

/// Where a link leads; none for anything but the web, mail and files beside the text.
fn target(url: &str, beside: Option<Beside<'_>>) -> Option<String> {
    let lowered = url.trim().to_ascii_lowercase();
    if ["https://", "http://", "mailto:"].iter().any(|scheme| lowered.starts_with(scheme)) {
        return Some(url.trim().to_owned());
    }
    let beside = beside?;
    Some(Links::file(beside.owner, &joined(beside.folder, url)?))
}

/// A path among the artifacts, from a relative address in a text of `folder`.
fn joined(folder: &str, url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path: Cow<'_, str> = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    if path.is_empty() || path.starts_with('/') || path.contains([':', '\\']) {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        show(text, 1, Some(Beside { owner: "/runs/r", folder: "docs" })).into_string()
    }

    #[test]
    fn markdown_is_laid_out_below_the_pages_headings() {
        let html =
            shown("# Model\n\n*best* of **all**\n\n|a|b|\n|:-:|--|\n|1|2|\n\n```html\n<x>\n```");
        assert!(html.contains("<h2>Model</h2>") && html.contains("<em>best</em>"), "{html}");
        let steps = shown("# a\n\n#### b\n\n## c\n\n###### d");
        for heading in ["<h2>a</h2>", "<h3>b</h3>", "<h3>c</h3>", "<h4>d</h4>"] {
            assert!(steps.contains(heading), "{heading}: {steps}");
        }
        assert!(html.contains("<td>1</td>") && !html.contains("style="), "{html}");
        assert!(html.contains("<pre><code>&lt;x&gt;"), "{html}");
    }

    #[test]
    fn links_lead_to_the_web_and_to_files_beside_the_text() {
        for (text, expected) in [
            ("[a](https://example.org/?a=1&b)", "href=\"https://example.org/?a=1&amp;b\""),
            ("[a](../plots/a%20b.png#x)", "href=\"/runs/r/files/plots/a%20b.png\""),
            ("![a](roc.svg)", "<img src=\"/runs/r/raw/docs/roc.svg\" alt=\"a\""),
            (
                "![a *b*](https://example.org/t.png)",
                "<a href=\"https://example.org/t.png\">a <em>b</em></a>",
            ),
            ("[a](javascript:alert(1))", "<em>a</em>"),
            ("[a](JaVaScRiPt&colon;alert(1))", "<em>a</em>"),
            ("[a](data:text/html,x)", "<em>a</em>"),
            ("[a](//example.org)", "<em>a</em>"),
            ("[a](../../x)", "<em>a</em>"),
            ("![a](data:image/svg+xml,x)", "<em>a</em>"),
        ] {
            let html = shown(text);
            assert!(html.contains(expected), "{text}: {html}");
        }
        let html = description("![a](x.png) [b](y) [![c](https://c.example)](https://d.example)");
        let html = html.into_string();
        assert!(html.contains("<em>a</em> <em>b</em>"), "{html}");
        assert!(html.contains("<a href=\"https://d.example\"><em>c</em></a>"), "{html}");
    }

    #[test]
    fn html_is_text() {
        for text in [
            "<script>alert(1)</script>",
            "a <b onclick=alert(1)>b</b>",
            "<img src=x onerror=alert(1)>",
            "<!-- x --> <svg/onload=alert(1)>",
            "# <iframe src=javascript:alert(1)>",
            "[<img src=x>](\"onmouseover=alert(1))",
            "![\"><script>](x.png \"\\\"><script>\")",
        ] {
            let html = shown(text).to_lowercase();
            for tag in ["<script", "<b ", "<svg", "<iframe", "<img src=x", "<!--"] {
                assert!(!html.contains(tag), "{text}: {html}");
            }
        }
        let deep = "> ".repeat(30_000);
        assert!(description(&format!("{deep}x")).into_string().len() < 1_000_000);
    }
}
