//! Splits the text of a metric into names, numbers and signs, with their places: conditions within it have a grammar of their
//! own, and are cut out of the text.

use crate::quotes::{quoted, unquoted};

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// As written, with its quotes.
    pub(super) text: &'a str,
    /// Bytes before it.
    pub(super) start: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword: letters, digits, `_` and points.
    Word,
    /// A number without a sign.
    Number,
    /// Within quotes, closed.
    Quoted,
    /// A character that is something else.
    Sign(char),
}

impl Token<'_> {
    /// Whether it is this word without quotes, in any case.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Bytes up to its end.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// The name that it is: a quote that is doubled within quotes is one.
    pub(super) fn name(&self) -> String {
        if self.kind == Kind::Quoted { unquoted(self.text) } else { self.text.to_owned() }
    }
}

/// All tokens, in order.
///
/// # Errors
///
/// Where a quote is not closed.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, &'static str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(rest) = text.get(start..)
        && let Some(first) = rest.chars().next()
    {
        if first.is_whitespace() {
            start += first.len_utf8();
            continue;
        }
        let while_is = |is: &dyn Fn(char) -> bool| rest.find(|one| !is(one)).unwrap_or(rest.len());
        let (kind, length) = match first {
            '"' | '\'' | '`' => (Kind::Quoted, quoted(rest, first)?),
            _ if first.is_ascii_digit() => (Kind::Number, number(rest)),
            _ if first.is_alphabetic() || first == '_' => {
                (Kind::Word, while_is(&|one| one.is_alphanumeric() || one == '_' || one == '.'))
            }
            other => (Kind::Sign(other), other.len_utf8()),
        };
        let text = rest.get(..length).unwrap_or_default();
        tokens.push(Token { kind, text, start });
        start += length;
    }
    Ok(tokens)
}

/// Bytes of a number: digits, a point and an exponent.
fn number(rest: &str) -> usize {
    let digits = |from: usize| -> usize {
        let rest = rest.get(from..).unwrap_or_default();
        from + rest.find(|one: char| !one.is_ascii_digit()).unwrap_or(rest.len())
    };
    let mut end = digits(0);
    if rest[end..].starts_with('.') {
        end = digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let signed = end + 1 + usize::from(rest[end + 1..].starts_with(['+', '-']));
        if digits(signed) > signed {
            end = digits(signed);
        }
    }
    end
}
