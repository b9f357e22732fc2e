//! The grammar of conditions: that of the tracking server's searches, as far as tables need it.
//!
//! `column operator value`, `column in (…)`, `column is null`, joined by `and`, `or`, `not` and parentheses;
//! keywords in any case. Beyond it names and values may go without quotes where no keyword or sign is within:
//! what a shell passes on has often lost them.

use super::condition::{Comparison, Condition, Operand, Operator};
use super::token::{Token, TokenKind, tokens};
use crate::error::{Error, Result};

/// Longest condition, in bytes: a list of a hundred thousand short values.
const LENGTH_MAX: usize = 1 << 20;
/// Parentheses and `not` within each other: people write three.
const DEPTH_MAX: usize = 64;

/// Takes a condition apart.
pub(super) fn parse(text: &str) -> Result<Condition> {
    let wrong = |reason: &'static str| Error::Condition {
        condition: crate::error::shorten(text),
        reason: reason.to_owned(),
        hint:
            "write: column = value, with = != < <= > >=, or column in (a, b); join with and, or, \
               not; names and values with signs in double quotes"
                .to_owned(),
    };
    if text.len() > LENGTH_MAX {
        return Err(wrong("it is longer than 1 MiB"));
    }
    let tokens = tokens(text).map_err(wrong)?;
    let mut parser = Parser { text, tokens, next: 0, depth: 0 };
    let condition = parser.or().map_err(wrong)?;
    match parser.peek() {
        None => Ok(condition),
        Some(token) if token.kind == TokenKind::Close => {
            Err(wrong("a parenthesis is closed that was not opened"))
        }
        Some(_) => Err(wrong("conditions are joined by and or or")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    next: usize,
    depth: usize,
}

type Parsed<T> = Result<T, &'static str>;

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.next).copied()
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_word(word));
        self.next += usize::from(found);
        found
    }

    fn take_kind(&mut self, kind: TokenKind) -> bool {
        let found = self.peek().is_some_and(|token| token.kind == kind);
        self.next += usize::from(found);
        found
    }

    fn or(&mut self) -> Parsed<Condition> {
        let mut parts = vec![self.and()?];
        while self.take_word("or") {
            parts.push(self.and()?);
        }
        Ok(join(parts, Condition::Or))
    }

    fn and(&mut self) -> Parsed<Condition> {
        let mut parts = vec![self.not()?];
        while self.take_word("and") {
            parts.push(self.not()?);
        }
        Ok(join(parts, Condition::And))
    }

    fn not(&mut self) -> Parsed<Condition> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("too many parentheses within each other");
        }
        let condition = if self.take_word("not") {
            Condition::Not(Box::new(self.not()?))
        } else if self.take_kind(TokenKind::Open) {
            let inner = self.or()?;
            if !self.take_kind(TokenKind::Close) {
                return Err("a parenthesis is not closed");
            }
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn comparison(&mut self) -> Parsed<Condition> {
        let column = self.column()?;
        let of = |operator, operand| {
            Condition::Comparison(Comparison { column: column.clone(), operator, operand })
        };
        let negated = |condition| Condition::Not(Box::new(condition));
        if self.take_word("in") {
            return Ok(of(Operator::Equal, Operand::AnyOf(self.list()?)));
        }
        if self.take_word("not") {
            if !self.take_word("in") {
                return Err("it has no comparison");
            }
            return Ok(negated(of(Operator::Equal, Operand::AnyOf(self.list()?))));
        }
        if self.take_word("is") {
            let operator = if self.take_word("not") { Operator::NotEqual } else { Operator::Equal };
            if !self.take_word("null") {
                return Err("`is` goes with null alone");
            }
            return Ok(of(operator, Operand::Null));
        }
        let operator = self
            .peek()
            .filter(|token| token.kind == TokenKind::Operator)
            .and_then(|token| Operator::of(token.text))
            .ok_or("it has no comparison")?;
        self.next += 1;
        let operand = self.operand()?;
        if operand == Operand::Null && !matches!(operator, Operator::Equal | Operator::NotEqual) {
            return Err("null is neither less nor greater than anything");
        }
        Ok(of(operator, operand))
    }

    /// A name: quoted, or all words up to the comparison.
    fn column(&mut self) -> Parsed<String> {
        if let Some(token) = self.peek().filter(|token| token.kind == TokenKind::Quoted) {
            self.next += 1;
            return Ok(token.content());
        }
        let first = self.next;
        while let Some(token) = self.peek() {
            let is_name = token.kind == TokenKind::Word
                && !["in", "is", "not", "and", "or"].iter().any(|word| token.is_word(word));
            if !is_name {
                break;
            }
            self.next += 1;
        }
        match self.written(first, self.next) {
            "" if self.peek().is_none() => Err("a column or a value is missing"),
            "" => Err("a column is missing"),
            _ if self.peek().is_none() => Err("it has no comparison"),
            name => Ok(name.to_owned()),
        }
    }

    /// The value of a comparison: all up to `and`, `or` or a parenthesis that was opened before it.
    fn operand(&mut self) -> Parsed<Operand> {
        let first = self.next;
        let mut open = 0;
        while let Some(token) = self.peek() {
            match token.kind {
                TokenKind::Open => open += 1,
                TokenKind::Close if open == 0 => break,
                TokenKind::Close => open -= 1,
                TokenKind::Word if token.is_word("and") || token.is_word("or") => break,
                _ => {}
            }
            self.next += 1;
        }
        let (value, is_null) = self.value(first)?;
        Ok(if is_null { Operand::Null } else { Operand::AnyOf(vec![value]) })
    }

    fn list(&mut self) -> Parsed<Vec<String>> {
        if !self.take_kind(TokenKind::Open) {
            return Err("`in` needs a list: (a, b)");
        }
        let mut values = Vec::new();
        loop {
            let first = self.next;
            while self
                .peek()
                .is_some_and(|token| !matches!(token.kind, TokenKind::Comma | TokenKind::Close))
            {
                self.next += 1;
            }
            let (value, is_null) = self.value(first)?;
            if is_null {
                return Err("null is no value of a list; write: or column = null");
            }
            values.push(value);
            if self.take_kind(TokenKind::Close) {
                return Ok(values);
            }
            if !self.take_kind(TokenKind::Comma) {
                return Err("a list is not closed");
            }
        }
    }

    /// The value of the tokens since `first`, and whether it is the word `null`.
    fn value(&self, first: usize) -> Parsed<(String, bool)> {
        match self.tokens.get(first..self.next).unwrap_or_default() {
            [] => Err("a column or a value is missing"),
            [only] => Ok((only.content(), only.is_word("null"))),
            _ => Ok((self.written(first, self.next).to_owned(), false)),
        }
    }

    /// The text of these tokens, with what is between them.
    fn written(&self, first: usize, end: usize) -> &'a str {
        let tokens = self.tokens.get(first..end).unwrap_or_default();
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return "" };
        self.text.get(first.start..last.end()).unwrap_or_default()
    }
}

/// The parts as one condition.
fn join(mut parts: Vec<Condition>, wrap: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            wrap(parts)
        }
        None => wrap(parts),
    }
}
