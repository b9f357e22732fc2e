//! Splits a condition into words, quoted texts and signs.

use crate::quotes::{quoted, unquoted};

/// A piece of a condition, with its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    /// As written, with its quotes.
    pub(super) text: &'a str,
    /// Bytes before it.
    pub(super) start: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name, a value or a keyword.
    Word,
    /// Within quotes of one kind, closed.
    Quoted,
    /// Of `<>=!`.
    Operator,
    Open,
    Close,
    Comma,
}

impl Token<'_> {
    /// Bytes up to its end.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this word without quotes, in any case.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// The text within the quotes, a doubled quote once; as it is if there are none.
    pub(super) fn content(&self) -> String {
        if self.kind == TokenKind::Quoted { unquoted(self.text) } else { self.text.to_owned() }
    }
}

/// All tokens, in order.
///
/// # Errors
///
/// Where a quote is not closed. One within a word (`O'Brien`) is part of it.
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
        let (kind, length) = match first {
            '(' => (TokenKind::Open, 1),
            ')' => (TokenKind::Close, 1),
            ',' => (TokenKind::Comma, 1),
            '<' | '>' | '=' | '!' => {
                // Of two signs that make no operator each is one.
                let is_pair = ["==", "!=", "<=", ">="].iter().any(|pair| rest.starts_with(pair));
                (TokenKind::Operator, if is_pair { 2 } else { 1 })
            }
            '"' | '\'' | '`' => (TokenKind::Quoted, quoted(rest, first)?),
            _ => {
                let ends = |c: char| c.is_whitespace() || "()<>=!,".contains(c);
                (TokenKind::Word, rest.find(ends).unwrap_or(rest.len()))
            }
        };
        tokens.push(Token { kind, text: rest.get(..length).unwrap_or(rest), start });
        start += length;
    }
    Ok(tokens)
}
