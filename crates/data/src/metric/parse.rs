//! The grammar of metrics: aggregates of rows, and arithmetic over both.
//!
//! `sum`, `mean`, `min` and `max` of a value, `count(*)`, `count(condition)` and `share(condition)`; a value is a column, a
//! number, `case when condition then value … else value end`, or arithmetic over these. Conditions are those of `--where`, in
//! which what stands alone on the right side is a column where there is one of that name.

use super::token::{Kind, Token, tokens};
use super::tree::{Sign, Tree};
use crate::filter::RowRule;

/// Longest metric, in bytes and in pieces: people write one in a line or two, and each piece is a walk over all rows.
const LENGTH_MAX: usize = 10_000;
const TOKENS_MAX: usize = 500;
/// Parentheses and `case` within each other.
const DEPTH_MAX: usize = 32;

/// A number of each row.
pub(super) type Value = Tree<Cell>;

/// What a row has.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Column(String),
    /// The value behind the first condition that holds, or else this one; none if there is none.
    Case(Vec<(RowRule, Value)>, Option<Box<Value>>),
}

/// A number of all rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Aggregate {
    Of(Function, Value),
    /// Rows of which a condition holds; all if none.
    Count(Option<RowRule>),
    /// Their share of the rows of which that is known.
    Share(RowRule),
}

/// What is computed of the values of all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Sum,
    Mean,
    Min,
    Max,
}

/// Takes a metric apart.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<Tree<Aggregate>, String> {
    if text.len() > LENGTH_MAX {
        return Err(format!("it is longer than {LENGTH_MAX} bytes"));
    }
    let tokens = tokens(text)?;
    if tokens.len() > TOKENS_MAX {
        return Err(format!("it has more than {TOKENS_MAX} pieces"));
    }
    let mut parser = Parser { text, tokens, next: 0, depth: 0 };
    let tree = parser.sum(&mut Parser::aggregate)?;
    match parser.peek() {
        None => Ok(tree),
        Some(token) => Err(format!("{:?} does not go on with what is before it", token.text)),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    next: usize,
    depth: usize,
}

type Parsed<T> = Result<T, String>;

/// What reads a leaf.
type Reader<'r, 'a, Leaf> = &'r mut dyn FnMut(&mut Parser<'a>) -> Parsed<Leaf>;

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.next).copied()
    }

    fn take_sign(&mut self, sign: char) -> bool {
        let found = self.peek().is_some_and(|token| token.kind == Kind::Sign(sign));
        self.next += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_word(word));
        self.next += usize::from(found);
        found
    }

    fn expect(&self, is_there: bool, what: &str) -> Parsed<()> {
        if is_there { Ok(()) } else { Err(self.lacks(what)) }
    }

    fn lacks(&self, what: &str) -> String {
        match self.peek() {
            Some(token) => format!("{what} is wanted, and {:?} is there", token.text),
            None => format!("{what} is wanted at its end"),
        }
    }

    fn sum<Leaf>(&mut self, leaf: Reader<'_, 'a, Leaf>) -> Parsed<Tree<Leaf>> {
        let mut tree = self.product(leaf)?;
        loop {
            let sign = match () {
                () if self.take_sign('+') => Sign::Plus,
                () if self.take_sign('-') => Sign::Minus,
                () => return Ok(tree),
            };
            tree = Tree::Two(Box::new(tree), sign, Box::new(self.product(leaf)?));
        }
    }

    fn product<Leaf>(&mut self, leaf: Reader<'_, 'a, Leaf>) -> Parsed<Tree<Leaf>> {
        let mut tree = self.factor(leaf)?;
        loop {
            let sign = match () {
                () if self.take_sign('*') => Sign::Times,
                () if self.take_sign('/') => Sign::Over,
                () => return Ok(tree),
            };
            tree = Tree::Two(Box::new(tree), sign, Box::new(self.factor(leaf)?));
        }
    }

    fn factor<Leaf>(&mut self, leaf: Reader<'_, 'a, Leaf>) -> Parsed<Tree<Leaf>> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("too much is within each other".to_owned());
        }
        let tree = if self.take_sign('-') {
            Tree::Negative(Box::new(self.factor(leaf)?))
        } else if self.take_sign('(') {
            let inner = self.sum(leaf)?;
            let is_closed = self.take_sign(')');
            self.expect(is_closed, "a closing parenthesis")?;
            inner
        } else if let Some(token) = self.peek().filter(|token| token.kind == Kind::Number) {
            self.next += 1;
            let number = token.text.parse().ok().filter(|number: &f64| number.is_finite());
            Tree::Number(number.ok_or_else(|| format!("{:?} is no number", token.text))?)
        } else {
            Tree::Leaf(leaf(self)?)
        };
        self.depth -= 1;
        Ok(tree)
    }

    fn aggregate(&mut self) -> Parsed<Aggregate> {
        let name = self.peek().filter(|token| token.kind == Kind::Word);
        let called = self.tokens.get(self.next + 1).is_some_and(|t| t.kind == Kind::Sign('('));
        let Some(name) = name.filter(|_| called) else {
            return Err(self.lacks("sum(…), mean(…), min(…), max(…), count(…) or share(…)"));
        };
        self.next += 2;
        let lower = name.text.to_ascii_lowercase();
        let function = match lower.as_str() {
            "sum" => Some(Function::Sum),
            "mean" | "avg" => Some(Function::Mean),
            "min" => Some(Function::Min),
            "max" => Some(Function::Max),
            _ => None,
        };
        let aggregate = match (function, lower.as_str()) {
            (Some(function), _) => Aggregate::Of(function, self.sum(&mut Self::cell)?),
            (None, "count") if self.take_sign('*') => Aggregate::Count(None),
            (None, "count") => Aggregate::Count(Some(self.condition(None)?)),
            (None, "share") => Aggregate::Share(self.condition(None)?),
            _ => {
                let name = name.text;
                return Err(format!(
                    "there is no {name}(…); there are sum, mean, min, max, count and share"
                ));
            }
        };
        let is_closed = self.take_sign(')');
        self.expect(is_closed, "a closing parenthesis")?;
        Ok(aggregate)
    }

    fn cell(&mut self) -> Parsed<Cell> {
        if self.take_word("case") {
            return self.case();
        }
        match self.peek() {
            Some(token) if matches!(token.kind, Kind::Word | Kind::Quoted) => {
                self.next += 1;
                Ok(Cell::Column(token.name()))
            }
            _ => Err(self.lacks("a column or a number")),
        }
    }

    fn case(&mut self) -> Parsed<Cell> {
        let mut branches = Vec::new();
        while self.take_word("when") {
            let condition = self.condition(Some("then"))?;
            self.next += 1;
            branches.push((condition, self.sum(&mut Self::cell)?));
        }
        if branches.is_empty() {
            return Err(self.lacks("`when` after `case`"));
        }
        let otherwise =
            if self.take_word("else") { Some(Box::new(self.sum(&mut Self::cell)?)) } else { None };
        let is_ended = self.take_word("end");
        self.expect(is_ended, "`end` of a `case`")?;
        Ok(Cell::Case(branches, otherwise))
    }

    /// The condition up to this word, or to the parenthesis that closes it.
    fn condition(&mut self, end: Option<&str>) -> Parsed<RowRule> {
        let first = self.next;
        let mut open = 0_usize;
        while let Some(token) = self.peek() {
            match token.kind {
                Kind::Sign('(') => open += 1,
                Kind::Sign(')') if open == 0 => break,
                Kind::Sign(')') => open -= 1,
                _ if open == 0 && end.is_some_and(|end| token.is_word(end)) => break,
                _ => {}
            }
            self.next += 1;
        }
        let is_ended = match (self.peek(), end) {
            (Some(token), Some(end)) => token.is_word(end),
            (Some(_), None) => true,
            (None, _) => false,
        };
        self.expect(is_ended, &format!("`{}` after a condition", end.unwrap_or(")")))?;
        let within = self.tokens.get(first..self.next).unwrap_or_default();
        let text = match (within.first(), within.last()) {
            (Some(first), Some(last)) => self.text.get(first.start..last.end()).unwrap_or_default(),
            _ => "",
        };
        RowRule::parse(text).map_err(|error| error.to_string())
    }
}
