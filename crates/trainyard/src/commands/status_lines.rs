//! Lines of a page in the making: a name, and a text that goes on below itself where it is too long.

use anstyle::Style;

use crate::printer::Look;

/// Columns of the names of lines.
const NAME_WIDTH: usize = 11;

/// Lines in the making.
pub(super) struct Page {
    look: Look,
    pub(super) lines: Vec<String>,
}

impl Page {
    pub(super) fn new(look: Look) -> Self {
        Self { look, lines: Vec::new() }
    }

    /// A line with its name; what is too long for a screen goes on below itself.
    pub(super) fn put(&mut self, name: &str, text: &str, style: Option<Style>) {
        let room = self.look.columns.map(|columns| columns.saturating_sub(NAME_WIDTH).max(20));
        let style = style.filter(|_| self.look.has_colour);
        for (number, part) in wrapped(text, room).into_iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            let part = match style {
                Some(style) => format!("{style}{part}{style:#}"),
                None => part,
            };
            self.lines.push(format!("{name:<10} {part}").trim_end().to_owned());
        }
    }
}

/// A text in parts that fit, cut between words where that can be.
fn wrapped(text: &str, room: Option<usize>) -> Vec<String> {
    let Some(room) = room else { return vec![text.to_owned()] };
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > room {
            parts.push(std::mem::take(&mut part));
            length = 0;
        }
        if length > 0 {
            part.push(' ');
            length += 1;
        }
        part.push_str(word);
        length += word_length;
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_go_on_below_themselves() {
        let text = "one two three four";
        assert_eq!(wrapped(text, None), [text]);
        assert_eq!(wrapped(text, Some(9)), ["one two", "three", "four"]);
        assert_eq!(wrapped(text, Some(10)), ["one two", "three four"]);
        assert_eq!(wrapped("http://a.name.longer.than.the.room b", Some(5)).len(), 2);
        assert_eq!(wrapped("", Some(5)), [""]);
    }
}
