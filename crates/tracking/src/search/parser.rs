//! Tokens to syntax tree.
//!
//! ```text
//! filter     := or
//! or         := and (OR and)*
//! and        := AND* not (AND+ not)* AND*      upstream ignores an AND too many
//! not        := NOT not | '(' or ')' | comparison
//! comparison := identifier operator value
//!             | identifier [NOT] IN '(' value (',' value)* ')'
//!             | identifier [NOT] BETWEEN value AND value
//!             | identifier IS [NOT] NULL
//! ```

use trainyard_mlflow::Error;

use super::lexer::{Token, TokenKind, error_at, tokens};
use super::syntax::{Comparison, Expression, Literal, LiteralKind, Operand, Operator};
use crate::error::{Result, invalid};
use crate::store::python;

/// Deepest nesting of parentheses and NOT: keeps the stack and SQLite's expressions small.
const DEPTH_MAX: usize = 50;
/// Most comparisons of a filter: each is a part of the SQL statement.
const COMPARISONS_MAX: usize = 300;
/// Most values of a list: what clients that fetch many runs at once ask for, with room.
const LIST_MAX: usize = 100_000;
/// Longest pattern of LIKE, in bytes: SQLite's own limit, on which upstream runs.
const PATTERN_BYTES_MAX: usize = 50_000;
/// Most `%` of a pattern that stand apart: PostgreSQL calls itself once for each.
const PATTERN_GAPS_MAX: usize = 1_000;

/// How a search words what it cannot read: upstream has three ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Each piece in quotes.
    Runs,
    /// Pieces as they are.
    Plain,
    /// The whole filter.
    LoggedModels,
    /// As of runs, with `RLIKE`.
    Traces,
}

/// Parses a filter; none if it is empty.
pub(crate) fn parse(filter: &str, style: Style) -> Result<Option<Expression>> {
    let tokens = tokens(filter)?;
    if let Some(position) = tokens.iter().position(|token| token.kind == TokenKind::Semicolon)
        && position + 1 < tokens.len()
    {
        return Err(several(filter, style));
    }
    let mut parser = Parser { filter, style, tokens, next: 0, depth: 0, comparisons: 0 };
    parser.skip_and();
    if parser.peek().is_none() {
        return Ok(None);
    }
    let expression = parser.or()?;
    match parser.peek() {
        None => Ok(Some(expression)),
        Some(token) if token.kind == TokenKind::Close => {
            Err(error_at(filter, token.start, "a parenthesis is closed that was not opened"))
        }
        Some(_token) => Err(parser.invalid_clause(parser.next)),
    }
}

fn several(filter: &str, style: Style) -> crate::Error {
    let quoted = python::repr(filter);
    Error::invalid(match style {
        Style::LoggedModels => {
            format!("Invalid filter string: {quoted}. Expected a single SQL expression.")
        }
        Style::Runs | Style::Plain | Style::Traces => format!(
            "Search filter contained multiple expression {quoted}. Provide AND-ed expression list."
        ),
    })
    .into()
}

struct Parser<'a> {
    filter: &'a str,
    style: Style,
    tokens: Vec<Token<'a>>,
    next: usize,
    depth: usize,
    comparisons: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.next).copied()
    }

    fn take(&mut self) -> Option<Token<'a>> {
        let token = self.peek();
        self.next += usize::from(token.is_some());
        token
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_word(word));
        self.next += usize::from(found);
        found
    }

    fn skip_and(&mut self) {
        while self.take_word("AND") {}
    }

    fn error_here(&self, message: &str) -> crate::Error {
        let at = self.peek().map_or(self.filter.len(), |token| token.start);
        error_at(self.filter, at, message)
    }

    fn or(&mut self) -> Result<Expression> {
        let mut parts = vec![self.and()?];
        while self.take_word("OR") {
            parts.push(self.and()?);
        }
        Ok(join(parts, Expression::Or))
    }

    fn and(&mut self) -> Result<Expression> {
        self.skip_and();
        let mut parts = vec![self.not()?];
        while self.take_word("AND") {
            self.skip_and();
            // Upstream lets a filter end with AND.
            let at_end = self
                .peek()
                .is_none_or(|token| token.kind == TokenKind::Close || token.is_word("OR"));
            if at_end {
                break;
            }
            parts.push(self.not()?);
        }
        Ok(join(parts, Expression::And))
    }

    fn not(&mut self) -> Result<Expression> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error_here(&format!("more than {DEPTH_MAX} levels of nesting")));
        }
        let expression = if self.take_word("NOT") {
            Expression::Not(Box::new(self.not()?))
        } else if self.peek().is_some_and(|token| token.kind == TokenKind::Open) {
            self.next += 1;
            let inner = self.or()?;
            match self.take() {
                Some(token) if token.kind == TokenKind::Close => inner,
                Some(token) => {
                    return Err(error_at(self.filter, token.start, "expected AND, OR or )"));
                }
                None => return Err(self.error_here("a parenthesis is not closed")),
            }
        } else {
            Expression::Comparison(self.comparison()?)
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn comparison(&mut self) -> Result<Comparison> {
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            return Err(self.error_here(&format!("more than {COMPARISONS_MAX} comparisons")));
        }
        let start = self.next;
        let Some(first) = self.take() else {
            return Err(self.error_here("expected a comparison"));
        };
        let identifier = match first.kind {
            TokenKind::Word if !is_keyword(&first) => first.text.to_owned(),
            // A name within double quotes looks like a value.
            TokenKind::Literal(LiteralKind::Quoted) if first.text.starts_with('"') => {
                first.text.to_owned()
            }
            TokenKind::Literal(_)
                if self.peek().is_some_and(|token| token.kind == TokenKind::Operator) =>
            {
                return invalid!(
                    "Invalid comparison clause. Expected 'Identifier' found '{}'",
                    first.text
                );
            }
            TokenKind::Close => {
                return Err(error_at(self.filter, first.start, "expected a comparison"));
            }
            TokenKind::Stray => {
                return Err(error_at(self.filter, first.start, "unexpected character"));
            }
            _ => return Err(self.invalid_clause(start)),
        };
        let (operator, value) = self.operator_and_value(start)?;
        Ok(Comparison { identifier, operator, value })
    }

    fn operator_and_value(&mut self, start: usize) -> Result<(Operator, Operand)> {
        let Some(token) = self.take() else { return Err(self.invalid_clause(start)) };
        if token.kind == TokenKind::Operator {
            let operator = Operator::Symbol(token.text.to_owned());
            return Ok((operator, self.value(start)?));
        }
        if token.is_word("LIKE") {
            return Ok((Operator::Like, self.pattern(start)?));
        }
        if token.is_word("ILIKE") {
            return Ok((Operator::Ilike, self.pattern(start)?));
        }
        if token.is_word("RLIKE") && self.style == Style::Traces {
            return Ok((Operator::Rlike, self.pattern(start)?));
        }
        if token.is_word("IN") {
            return Ok((Operator::In, self.list(start)?));
        }
        if token.is_word("BETWEEN") {
            return Ok((Operator::Between, self.range()?));
        }
        if token.is_word("NOT") && self.take_word("IN") {
            return Ok((Operator::NotIn, self.list(start)?));
        }
        if token.is_word("NOT") && self.take_word("BETWEEN") {
            return Ok((Operator::NotBetween, self.range()?));
        }
        if token.is_word("IS") {
            let negated = self.take_word("NOT");
            if self.take_word("NULL") {
                let operator = if negated { Operator::IsNotNull } else { Operator::IsNull };
                return Ok((operator, Operand::None));
            }
        }
        Err(self.invalid_clause(start))
    }

    /// A value, or a list, which the search then refuses in its own words.
    fn value(&mut self, start: usize) -> Result<Operand> {
        if self.peek().is_some_and(|token| token.kind == TokenKind::Open) {
            return self.list(start);
        }
        match self.literal() {
            Some(literal) => Ok(Operand::One(literal)),
            None => Err(self.invalid_clause(start)),
        }
    }

    /// The value behind LIKE.
    fn pattern(&mut self, start: usize) -> Result<Operand> {
        let at = self.peek().map_or(self.filter.len(), |token| token.start);
        let value = self.value(start)?;
        if let Operand::One(literal) = &value {
            let text = &literal.text;
            // The quotes are not the pattern's.
            let bytes = text.len().saturating_sub(2);
            if bytes > PATTERN_BYTES_MAX {
                let message =
                    format!("a pattern of {bytes} bytes, at most {PATTERN_BYTES_MAX} are allowed");
                return Err(error_at(self.filter, at, &message));
            }
            let gaps = text.split('%').filter(|part| !part.is_empty()).count();
            if gaps > PATTERN_GAPS_MAX {
                let message = format!("a pattern with more than {PATTERN_GAPS_MAX} times %");
                return Err(error_at(self.filter, at, &message));
            }
        }
        Ok(value)
    }

    fn literal(&mut self) -> Option<Literal> {
        let token = self.peek()?;
        let kind = match token.kind {
            TokenKind::Literal(kind) => kind,
            TokenKind::Word if !is_keyword(&token) => LiteralKind::Word,
            _ => return None,
        };
        self.next += 1;
        Some(Literal { kind, text: token.text.to_owned() })
    }

    fn list(&mut self, start: usize) -> Result<Operand> {
        let open = match self.take() {
            Some(token) if token.kind == TokenKind::Open => token,
            _ => return Err(self.invalid_clause(start)),
        };
        let mut items = Vec::new();
        loop {
            match self.peek() {
                Some(token) if token.kind == TokenKind::Close => {
                    self.next += 1;
                    let text = self.filter.get(open.start..token.end()).unwrap_or_default();
                    return Ok(Operand::List { text: text.to_owned(), items });
                }
                Some(token) if token.kind == TokenKind::Comma && !items.is_empty() => {
                    self.next += 1;
                }
                Some(_token) => {
                    let Some(item) = self.literal() else {
                        return Err(self.error_here("expected a value or )"));
                    };
                    if items.len() >= LIST_MAX {
                        let message = format!("a list has at most {LIST_MAX} values");
                        return Err(error_at(self.filter, open.start, &message));
                    }
                    items.push(item);
                }
                None => return Err(error_at(self.filter, open.start, "a list is not closed")),
            }
        }
    }

    fn range(&mut self) -> Result<Operand> {
        let Some(low) = self.literal() else {
            return Err(self.error_here("expected the lower bound of BETWEEN"));
        };
        if !self.take_word("AND") {
            return Err(self.error_here("expected AND and the upper bound of BETWEEN"));
        }
        let Some(high) = self.literal() else {
            return Err(self.error_here("expected the upper bound of BETWEEN"));
        };
        Ok(Operand::Range(low, high))
    }

    /// Upstream's message for pieces that are no comparison: those of the clause at token `start`.
    fn invalid_clause(&self, start: usize) -> crate::Error {
        if self.style == Style::LoggedModels {
            return Error::invalid(format!(
                "Invalid filter string: {}. Expected a list of comparisons separated by 'AND' \
                 (e.g. 'metrics.loss > 0.1 AND params.lr = 0.01').",
                python::repr(self.filter)
            ))
            .into();
        }
        let ends = |token: &&Token<'_>| !(token.is_word("AND") || token.is_word("OR"));
        let rest = self.tokens.get(start..).unwrap_or_default();
        let mut pieces: Vec<String> = Vec::new();
        for token in rest.iter().take_while(ends) {
            pieces.push(match self.style {
                Style::Runs | Style::Traces => format!("'{}'", token.text),
                _ => token.text.to_owned(),
            });
        }
        if pieces.is_empty() {
            // A keyword where a comparison should be.
            return self.error_here("expected a comparison");
        }
        Error::invalid(format!("Invalid clause(s) in filter string: {}", pieces.join(", "))).into()
    }
}

fn join(mut parts: Vec<Expression>, wrap: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            wrap(parts)
        }
        None => wrap(parts),
    }
}

fn is_keyword(token: &Token<'_>) -> bool {
    ["AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "ILIKE", "IS"]
        .iter()
        .any(|keyword| token.is_word(keyword))
}
