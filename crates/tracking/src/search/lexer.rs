//! Splits a filter into words, values and signs.

use trainyard_mlflow::Error;

use super::syntax::LiteralKind;
use crate::error::{Result, invalid};

/// Longest filter, in bytes: holds a list of a hundred thousand run ids.
const LENGTH_MAX: usize = 4 << 20;
/// Most pieces of a filter: two for each value of the longest list, and as many as the rest may need.
const TOKENS_MAX: usize = 210_000;

/// A piece of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    /// As written.
    pub(super) text: &'a str,
    /// Bytes before it.
    pub(super) start: usize,
}

impl Token<'_> {
    /// Bytes up to its end.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this word, which is not quoted, in any case.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// An identifier or a keyword; may contain quoted parts.
    Word,
    /// A value.
    Literal(LiteralKind),
    /// Of `<>=!~`.
    Operator,
    Open,
    Close,
    Comma,
    Semicolon,
    /// A character that has no place in a filter.
    Stray,
}

/// A message with the filter below it and a mark under the character.
pub(super) fn error_at(filter: &str, at: usize, message: &str) -> crate::Error {
    /// Characters of the filter that are shown on either side of the place.
    const SHOWN: usize = 60;
    let before = filter.get(..at).unwrap_or(filter);
    let last: Vec<char> = before.chars().rev().take(SHOWN).collect();
    let line: String = last
        .iter()
        .rev()
        .copied()
        .chain(filter.get(at..).unwrap_or_default().chars().take(SHOWN))
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    let mark = " ".repeat(last.len());
    let position = before.chars().count() + 1;
    Error::invalid(format!(
        "Invalid filter string: {message} at character {position}\n  {line}\n  {mark}^"
    ))
    .into()
}

/// All tokens of a filter.
pub(super) fn tokens(filter: &str) -> Result<Vec<Token<'_>>> {
    if filter.len() > LENGTH_MAX {
        return invalid!(
            "Invalid filter string: it has {} bytes, at most {LENGTH_MAX} are allowed",
            filter.len()
        );
    }
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(rest) = filter.get(start..)
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
            ';' => (TokenKind::Semicolon, 1),
            '<' | '>' | '=' | '!' | '~' => (TokenKind::Operator, operator_length(rest)),
            '\'' => {
                let length = quoted_length(rest, '\'')
                    .ok_or_else(|| error_at(filter, start, "a quote is not closed"))?;
                (TokenKind::Literal(LiteralKind::Quoted), length)
            }
            _ => match number(rest) {
                Some((kind, length)) => (TokenKind::Literal(kind), length),
                None => word(filter, start)?,
            },
        };
        let end = start + length;
        if let TokenKind::Literal(LiteralKind::Integer) = kind {
            check_size(filter, start, end)?;
        }
        if tokens.len() >= TOKENS_MAX {
            return Err(error_at(
                filter,
                start,
                &format!("more than {TOKENS_MAX} words and signs"),
            ));
        }
        tokens.push(Token { kind, text: filter.get(start..end).unwrap_or_default(), start });
        start = end;
    }
    Ok(tokens)
}

/// Refuses a whole number that no double holds: it would compare as infinity.
fn check_size(filter: &str, start: usize, end: usize) -> Result<()> {
    /// Digits that are repeated in a message.
    const SHOWN: usize = 20;
    let text = filter.get(start..end).unwrap_or_default();
    if text.parse::<f64>().is_ok_and(f64::is_finite) {
        return Ok(());
    }
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let shown = text.get(..SHOWN).unwrap_or(text);
    Err(error_at(filter, start, &format!("the number {shown}… has {digits} digits, too many")))
}

fn operator_length(text: &str) -> usize {
    text.bytes().take_while(|byte| b"<>=!~".contains(byte)).count()
}

/// Bytes of a quoted text with its quotes. A doubled quote and one after a backslash belong to the
/// text, and stay in it as they are.
fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if character == '\\' && quote != '`' {
            // What follows cannot end the text, unless nothing else does.
            if let Some((_, next)) = characters.peek()
                && *next == quote
                && has_quote_after(text, index + 1 + quote.len_utf8(), quote)
            {
                characters.next();
            }
        } else if character == quote {
            match characters.peek() {
                Some((_, next)) if *next == quote => {
                    characters.next();
                }
                _ => return Some(index + quote.len_utf8()),
            }
        }
    }
    None
}

fn has_quote_after(text: &str, from: usize, quote: char) -> bool {
    text.get(from..).is_some_and(|rest| rest.contains(quote))
}

/// A number at the start: `-1`, `.5`, `1.`, `1e-3`.
fn number(text: &str) -> Option<(LiteralKind, usize)> {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        bytes.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let mut end = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(end);
    end += whole;
    let mut kind = LiteralKind::Integer;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        if whole + fraction > 0 {
            kind = LiteralKind::Float;
            end += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            kind = LiteralKind::Float;
            end += 1 + sign + exponent;
        }
    }
    // `3abc` is a word, not a number and a word.
    let next = text.get(end..).and_then(|rest| rest.chars().next());
    match next {
        Some(next) if next == '_' || next.is_alphanumeric() => None,
        _ => Some((kind, end)),
    }
}

/// An identifier: parts joined by dots, each plain or within quotes. A lone text within double
/// quotes is a value.
fn word(filter: &str, start: usize) -> Result<(TokenKind, usize)> {
    let mut end = start;
    let mut quoted_only = true;
    loop {
        let rest = filter.get(end..).unwrap_or_default();
        let Some(first) = rest.chars().next() else { break };
        match first {
            '`' | '"' => {
                let length = quoted_length(rest, first)
                    .ok_or_else(|| error_at(filter, end, "a quote is not closed"))?;
                end += length;
            }
            // Quotes of this kind belong to an identifier only after a dot.
            '\'' if filter.get(start..end).is_some_and(|before| before.ends_with('.')) => {
                let length = quoted_length(rest, first)
                    .ok_or_else(|| error_at(filter, end, "a quote is not closed"))?;
                end += length;
                quoted_only = false;
            }
            '_' | '.' | '-' | '/' | ':' | '$' | '@' | '#' | '%' | '*' | '+' | '?' | '&' | '|' => {
                end += 1;
                quoted_only = false;
            }
            character if character.is_alphanumeric() => {
                end += character.len_utf8();
                quoted_only = false;
            }
            _ => break,
        }
    }
    let text = filter.get(start..end).unwrap_or_default();
    if text.is_empty() {
        let length =
            filter.get(start..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        return Ok((TokenKind::Stray, length));
    }
    if quoted_only && text.starts_with('"') {
        return Ok((TokenKind::Literal(LiteralKind::Quoted), end - start));
    }
    Ok((TokenKind::Word, end - start))
}
