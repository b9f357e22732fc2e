//! Expressions in a formula: columns, numbers, arithmetic, and NumPy's functions of one value.
//!
//! They are Python, but nothing is run: what is not listed here is refused by its name.

use crate::any::Cell;
use crate::input::Cells;
use crate::numeric::functions::named;

/// Depth to which expressions nest.
const DEPTH_MAX: usize = 50;

/// Bytes of one expression; those that people write have some dozens.
const LENGTH_MAX: usize = 2_000;

/// Signs of one expression: in a long sum each is a level more of what is walked.
const SIGNS_MAX: usize = 200;

/// A value by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Column(String),
    Number(f64),
    Text(String),
    Each(&'static str, Box<Expression>),
    Arithmetic(char, Box<Expression>, Box<Expression>),
    Compare(&'static str, Box<Expression>, Box<Expression>),
}

/// NumPy's functions that a formula may call.
const FUNCTIONS: [&str; 17] = [
    "log", "log1p", "log2", "log10", "exp", "expm1", "sqrt", "cbrt", "square", "abs", "absolute",
    "sin", "cos", "tanh", "arctan", "floor", "ceil",
];

impl Expression {
    /// Reads an expression; the error names what is not known.
    fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser::new(text)?;
        let expression = parser.comparison()?;
        if parser.rest.is_empty() { Ok(expression) } else { Err(parser.unknown()) }
    }

    /// What a column is coded by: the expression in `C(…)`, whatever its coding, or the expression itself.
    pub(super) fn parse_factor(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let Some(inner) = text.strip_prefix("C(").and_then(|rest| rest.strip_suffix(')')) else {
            return Self::parse(text);
        };
        let mut parser = Parser::new(inner)?;
        let expression = parser.comparison()?;
        if parser.rest.is_empty() || parser.rest.starts_with(',') {
            return Ok(expression);
        }
        Err(parser.unknown())
    }

    /// Whether its values are true or false.
    pub(super) fn is_comparison(&self) -> bool {
        matches!(self, Self::Compare(..))
    }

    /// The columns that it takes.
    pub(super) fn columns(&self) -> Vec<&str> {
        match self {
            Self::Column(name) => vec![name],
            Self::Number(_) | Self::Text(_) => Vec::new(),
            Self::Each(_, of) => of.columns(),
            Self::Arithmetic(_, left, right) | Self::Compare(_, left, right) => {
                [left.columns(), right.columns()].concat()
            }
        }
    }

    /// Its values for rows whose columns `column` gives; what a single value is becomes one for each row.
    ///
    /// # Errors
    ///
    /// What is wrong with the rows, or what `column` says.
    pub(super) fn values(
        &self,
        rows: usize,
        column: &impl Fn(&str) -> Result<Cells, String>,
    ) -> Result<Cells, String> {
        Ok(match self {
            Self::Column(name) => match column(name.as_str())? {
                Cells::Other(kind) => {
                    return Err(format!(
                        "column {name:?} is {kind} where the formula takes numbers or text"
                    ));
                }
                cells => cells,
            },
            Self::Number(x) => Cells::Numbers(vec![*x; rows]),
            Self::Text(text) => Cells::Text(vec![Some(text.clone()); rows]),
            Self::Each(name, of) => {
                let function = named(name).ok_or_else(|| format!("np.{name} is not known"))?;
                let mut values = of.numbers(rows, column)?;
                for x in &mut values {
                    *x = function(*x);
                }
                Cells::Numbers(values)
            }
            Self::Arithmetic(sign, left, right) => {
                let (left, right) = (left.numbers(rows, column)?, right.numbers(rows, column)?);
                let each = left.into_iter().zip(right);
                Cells::Numbers(each.map(|(x, y)| arithmetic(*sign, x, y)).collect())
            }
            Self::Compare(sign, left, right) => {
                let left = cells(left.values(rows, column)?);
                let right = cells(right.values(rows, column)?);
                if !matches!(*sign, "==" | "!=") && left.iter().chain(&right).any(Cell::is_text) {
                    return Err(format!(
                        "column {:?} holds text where the formula asks which number is larger",
                        self.columns().first().copied().unwrap_or_default()
                    ));
                }
                let each = left.iter().zip(&right);
                Cells::Numbers(
                    each.map(|(x, y)| f64::from(u8::from(compare(sign, x, y)))).collect(),
                )
            }
        })
    }

    /// Its values, where they are numbers.
    pub(super) fn numbers(
        &self,
        rows: usize,
        column: &impl Fn(&str) -> Result<Cells, String>,
    ) -> Result<Vec<f64>, String> {
        match self.values(rows, column)? {
            Cells::Numbers(values) => Ok(values),
            _ => Err(format!(
                "column {:?} holds something else where the formula takes numbers",
                self.columns().first().copied().unwrap_or_default()
            )),
        }
    }
}

fn arithmetic(sign: char, x: f64, y: f64) -> f64 {
    match sign {
        '+' => x + y,
        '-' => x - y,
        '*' => x * y,
        '/' => x / y,
        // As NumPy does these two.
        _ if y == 2.0 => x * x,
        _ if y == 0.5 => x.sqrt(),
        _ => x.powf(y),
    }
}

fn compare(sign: &str, x: &Cell, y: &Cell) -> bool {
    match (sign, x, y) {
        ("==", ..) => x == y && *x != Cell::Missing,
        ("!=", ..) => x != y || *x == Cell::Missing,
        (_, Cell::Number(x), Cell::Number(y)) => match sign {
            "<" => x < y,
            "<=" => x <= y,
            ">" => x > y,
            _ => x >= y,
        },
        // What is missing is on no side.
        _ => false,
    }
}

/// A column's values one by one.
fn cells(column: Cells) -> Vec<Cell> {
    let number = |x: f64| if x.is_nan() { Cell::Missing } else { Cell::Number(x) };
    match column {
        Cells::Numbers(values) => values.into_iter().map(number).collect(),
        Cells::Text(values) => {
            values.into_iter().map(|text| text.map_or(Cell::Missing, Cell::Text)).collect()
        }
        Cells::Mixed(values) => values,
        Cells::Other(_) => Vec::new(),
    }
}

struct Parser<'t> {
    rest: &'t str,
    depth: usize,
    signs: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, String> {
        if text.len() > LENGTH_MAX {
            return Err(format!("an expression of {} bytes", text.len()));
        }
        Ok(Self { rest: text.trim(), depth: 0, signs: 0 })
    }

    fn unknown(&self) -> String {
        format!("{:?}", self.rest.chars().take(40).collect::<String>())
    }

    fn skip(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest.trim_start();
        true
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.skip(token) { Ok(()) } else { Err(self.unknown()) }
    }

    /// The longest start of the rest that `belongs`.
    fn word(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c: char| !belongs(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        word
    }

    fn comparison(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("an expression deeper than {DEPTH_MAX}"));
        }
        let left = self.sum()?;
        self.depth -= 1;
        for sign in ["==", "!=", "<=", ">=", "<", ">"] {
            if self.skip(sign) {
                let right = self.sum()?;
                return Ok(Expression::Compare(sign, Box::new(left), Box::new(right)));
            }
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let mut left = self.product()?;
        loop {
            let sign = if self.skip("+") {
                '+'
            } else if self.skip("-") {
                '-'
            } else {
                return Ok(left);
            };
            let right = self.product()?;
            left = self.joined(sign, left, right)?;
        }
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut left = self.signed()?;
        loop {
            let is_power_or_floor = self.rest.starts_with("**") || self.rest.starts_with("//");
            let sign = if is_power_or_floor {
                return Ok(left);
            } else if self.skip("*") {
                '*'
            } else if self.skip("/") {
                '/'
            } else {
                return Ok(left);
            };
            let right = self.signed()?;
            left = self.joined(sign, left, right)?;
        }
    }

    /// Two values with a sign between them.
    fn joined(
        &mut self,
        sign: char,
        left: Expression,
        right: Expression,
    ) -> Result<Expression, String> {
        self.signs += 1;
        if self.signs > SIGNS_MAX {
            return Err(format!("an expression of more than {SIGNS_MAX} signs"));
        }
        Ok(Expression::Arithmetic(sign, Box::new(left), Box::new(right)))
    }

    /// A power, perhaps with a sign, which binds less.
    fn signed(&mut self) -> Result<Expression, String> {
        let is_negative = self.skip("-");
        let base = self.atom()?;
        let value = if self.skip("**") {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(format!("an expression deeper than {DEPTH_MAX}"));
            }
            let power = self.signed()?;
            self.depth -= 1;
            Expression::Arithmetic('^', Box::new(base), Box::new(power))
        } else {
            base
        };
        if !is_negative {
            return Ok(value);
        }
        Ok(Expression::Arithmetic('*', Box::new(Expression::Number(-1.0)), Box::new(value)))
    }

    fn atom(&mut self) -> Result<Expression, String> {
        if self.skip("(") {
            let inner = self.comparison()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let first = self.rest.chars().next().unwrap_or(' ');
        if first == '"' || first == '\'' {
            return self.text().map(Expression::Text);
        }
        if first.is_ascii_digit() || first == '.' {
            let before = self.rest;
            let digits = self.word(|c| c.is_ascii_digit() || c == '.');
            // An exponent may have a sign; it is no sum.
            let tail = before.get(digits.len()..).unwrap_or_default();
            if tail.starts_with(['e', 'E', '_', 'j', 'x']) {
                return Err(format!("{:?}", before.chars().take(40).collect::<String>()));
            }
            return digits.parse().map(Expression::Number).map_err(|_bad| format!("{digits:?}"));
        }
        let before = self.rest;
        let name = self.word(|c| c.is_alphanumeric() || c == '_' || c == '.');
        if name.is_empty() {
            return Err(self.unknown());
        }
        if !self.skip("(") {
            if name.contains('.') {
                return Err(format!("{name:?}"));
            }
            return Ok(Expression::Column(name.to_owned()));
        }
        let value = match name {
            "Q" => Expression::Column(self.text()?),
            "I" => self.comparison()?,
            _ => {
                let function = name.strip_prefix("np.").or_else(|| name.strip_prefix("numpy."));
                let refused =
                    || format!("{name}() in {:?}", before.chars().take(60).collect::<String>());
                let function = function.ok_or_else(refused)?;
                let inner = self.comparison()?;
                if function == "power" {
                    self.expect(",")?;
                    Expression::Arithmetic('^', Box::new(inner), Box::new(self.comparison()?))
                } else {
                    let known = FUNCTIONS.into_iter().find(|known| *known == function);
                    Expression::Each(known.ok_or_else(refused)?, Box::new(inner))
                }
            }
        };
        self.expect(")")?;
        Ok(value)
    }

    /// A text in quotes, without escapes.
    fn text(&mut self) -> Result<String, String> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.ok_or_else(|| self.unknown())?;
        let inner = self.rest.get(1..).unwrap_or_default();
        let end = inner.find(quote).ok_or_else(|| self.unknown())?;
        let (text, rest) = inner.split_at(end);
        if text.contains('\\') {
            return Err(format!("{text:?}"));
        }
        self.rest = rest.get(1..).unwrap_or_default().trim_start();
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{Cells, Expression};

    fn value(text: &str) -> f64 {
        let column = |name: &str| -> Result<Cells, String> {
            match name {
                "x" => Ok(Cells::Numbers(vec![3.0])),
                "my col" => Ok(Cells::Numbers(vec![0.25])),
                "town" => Ok(Cells::Text(vec![Some("York".to_owned())])),
                "hole" => Ok(Cells::Text(vec![None])),
                other => Err(format!("no column {other}")),
            }
        };
        Expression::parse_factor(text).unwrap().numbers(1, &column).unwrap()[0]
    }

    #[test]
    fn an_expression_is_what_python_reads() {
        assert_eq!(value("x"), 3.0);
        assert_eq!(value("I(x ** 2)"), 9.0);
        assert_eq!(value("I(-x ** 2)"), -9.0);
        assert_eq!(value("I(2 ** -x ** 0)"), 0.5);
        assert_eq!(value("I(1 - x - 1)"), -3.0);
        assert_eq!(value("I(12 / x / 2)"), 2.0);
        assert_eq!(value("I(1 + x * (2 - .5))"), 5.5);
        assert_eq!(value("np.log(x)"), 3.0_f64.ln());
        assert_eq!(value("numpy.sqrt(np.power(x, 4))"), 9.0);
        assert_eq!(value(r#"Q("my col")"#), 0.25);
        assert_eq!(value("I(x > 2.5)"), 1.0);
        assert_eq!(value("I(town == 'York')"), 1.0);
        assert_eq!(value("I(hole == 'York')"), 0.0);
        assert_eq!(value("I(hole != 'York')"), 1.0);
        assert_eq!(value("C(x, Treatment(reference=1))"), 3.0);
    }

    #[test]
    fn texts_are_neither_larger_nor_smaller() {
        let column =
            |_: &str| -> Result<Cells, String> { Ok(Cells::Text(vec![Some("40".to_owned())])) };
        let asked = |text: &str| Expression::parse_factor(text).unwrap().numbers(1, &column);
        for text in ["I(age > 30)", "I(30 < age)", "I(age <= 'b')"] {
            let refused = asked(text).unwrap_err();
            assert!(refused.contains("\"age\""), "{text}: {refused}");
        }
        assert_eq!(asked("I(age == 40)"), Ok(vec![0.0]));
        assert_eq!(asked("I(age == '40')"), Ok(vec![1.0]));
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (text, named) in [
            ("bs(x, df=4)", "bs()"),
            ("center(x)", "center()"),
            ("np.random.normal(x)", "np.random.normal()"),
            ("np.e", "np.e"),
            ("x // 2", "// 2"),
            ("x % 2", "% 2"),
            ("I(1e3 * x)", "1e3"),
            ("I(x", "\"\""),
            ("x[0]", "[0]"),
            ("__import__('os').system('true')", "__import__()"),
        ] {
            let refused = Expression::parse_factor(text).unwrap_err();
            assert!(refused.contains(named), "{text}: {refused}");
        }
        let deep = format!("{}x{}", "(".repeat(60), ")".repeat(60));
        assert!(Expression::parse(&deep).is_err());
        let long = |signs: usize| format!("x{}", "+x".repeat(signs));
        assert!(Expression::parse(&long(200)).is_ok());
        let refused = Expression::parse(&long(201)).unwrap_err();
        assert!(refused.contains("200 signs"), "{refused}");
    }
}
