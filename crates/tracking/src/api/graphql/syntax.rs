//! The part of GraphQL's syntax that queries use, read into a tree with limits.

use serde_json::{Map, Number, Value};

/// Longest document, in bytes; the longest of upstream's pages has 3 KB.
pub(super) const DOCUMENT_BYTES_MAX: usize = 64 << 10;
/// Deepest nesting of selections or values.
const DEPTH_MAX: usize = 16;

/// A parsed document.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) operations: Vec<Operation>,
    pub(super) fragments: Vec<Fragment>,
}

/// `query Name($x: T) { … }`
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: Option<String>,
    pub(super) mutation: bool,
    /// Names and default values of the variables.
    pub(super) variables: Vec<(String, Option<Literal>)>,
    pub(super) selections: Vec<Selection>,
}

/// `fragment Name on Type { … }`
#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) name: String,
    pub(super) selections: Vec<Selection>,
}

/// One entry of a `{ … }`.
#[derive(Debug)]
pub(super) enum Selection {
    Field {
        alias: Option<String>,
        name: String,
        arguments: Vec<(String, Literal)>,
        directives: Vec<Directive>,
        selections: Vec<Selection>,
    },
    Spread {
        name: String,
        directives: Vec<Directive>,
    },
    Inline {
        directives: Vec<Directive>,
        selections: Vec<Selection>,
    },
}

/// `@name(argument: value)`
#[derive(Debug)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) arguments: Vec<(String, Literal)>,
}

/// A value that may hold variables.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Variable(String),
    Plain(Value),
    List(Vec<Literal>),
    Object(Vec<(String, Literal)>),
}

impl Literal {
    /// The value, with variables filled in; an unknown variable is null.
    pub(super) fn resolve(&self, variables: &Map<String, Value>) -> Value {
        match self {
            Self::Variable(name) => variables.get(name).cloned().unwrap_or_default(),
            Self::Plain(value) => value.clone(),
            Self::List(items) => items.iter().map(|item| item.resolve(variables)).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), value.resolve(variables)))
                .collect(),
        }
    }
}

/// Reads a document; the error says where it stopped.
pub(super) fn parse(text: &str) -> Result<Document, String> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(format!("the query is longer than {DOCUMENT_BYTES_MAX} bytes"));
    }
    let mut parser = Parser { rest: text, whole: text };
    let mut document = Document::default();
    loop {
        parser.skip();
        if parser.rest.is_empty() {
            break;
        }
        if parser.rest.starts_with('{') {
            let selections = parser.selections(0)?;
            let operation =
                Operation { name: None, mutation: false, variables: Vec::new(), selections };
            document.operations.push(operation);
            continue;
        }
        match parser.name()?.as_str() {
            "query" => document.operations.push(parser.operation(false)?),
            "mutation" => document.operations.push(parser.operation(true)?),
            "fragment" => document.fragments.push(parser.fragment()?),
            other => return Err(parser.unexpected(&format!("Name '{other}'"))),
        }
    }
    if document.operations.is_empty() {
        return Err("Must provide an operation.".to_owned());
    }
    Ok(document)
}

struct Parser<'a> {
    rest: &'a str,
    whole: &'a str,
}

impl Parser<'_> {
    /// White space, commas and comments mean nothing.
    fn skip(&mut self) {
        loop {
            self.rest = self
                .rest
                .trim_start_matches(|c: char| c.is_whitespace() || c == ',' || c == '\u{feff}');
            let Some(comment) = self.rest.strip_prefix('#') else { return };
            self.rest = comment.find('\n').and_then(|end| comment.get(end..)).unwrap_or_default();
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected(&format!("expected '{token}'"))) }
    }

    fn unexpected(&self, what: &str) -> String {
        let offset = self.whole.len() - self.rest.len();
        format!("Syntax Error: {what} at character {offset}.")
    }

    fn name(&mut self) -> Result<String, String> {
        self.skip();
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.unexpected("expected a name"));
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn operation(&mut self, mutation: bool) -> Result<Operation, String> {
        self.skip();
        let name = if self.rest.starts_with(['{', '(', '@']) { None } else { Some(self.name()?) };
        let mut variables = Vec::new();
        if self.eat("(") {
            while !self.eat(")") {
                self.expect("$")?;
                let name = self.name()?;
                self.expect(":")?;
                self.type_reference(0)?;
                let default = if self.eat("=") { Some(self.value(0)?) } else { None };
                variables.push((name, default));
            }
        }
        self.directives()?;
        Ok(Operation { name, mutation, variables, selections: self.selections(0)? })
    }

    /// Types of variables are checked where the values are used.
    fn type_reference(&mut self, depth: usize) -> Result<(), String> {
        self.check_depth(depth)?;
        if self.eat("[") {
            self.type_reference(depth + 1)?;
            self.expect("]")?;
        } else {
            self.name()?;
        }
        self.eat("!");
        Ok(())
    }

    fn fragment(&mut self) -> Result<Fragment, String> {
        let name = self.name()?;
        if self.name()? != "on" {
            return Err(self.unexpected("expected 'on'"));
        }
        self.name()?;
        self.directives()?;
        Ok(Fragment { name, selections: self.selections(0)? })
    }

    fn selections(&mut self, depth: usize) -> Result<Vec<Selection>, String> {
        if depth > DEPTH_MAX {
            return Err(format!("Query exceeds maximum depth of {DEPTH_MAX}"));
        }
        self.expect("{")?;
        let mut selections = Vec::new();
        while !self.eat("}") {
            selections.push(self.selection(depth)?);
        }
        Ok(selections)
    }

    fn selection(&mut self, depth: usize) -> Result<Selection, String> {
        if self.eat("...") {
            self.skip();
            if self.rest.starts_with(['{', '@']) {
                let directives = self.directives()?;
                return Ok(Selection::Inline {
                    directives,
                    selections: self.selections(depth + 1)?,
                });
            }
            let name = self.name()?;
            if name == "on" {
                self.name()?;
                let directives = self.directives()?;
                return Ok(Selection::Inline {
                    directives,
                    selections: self.selections(depth + 1)?,
                });
            }
            return Ok(Selection::Spread { name, directives: self.directives()? });
        }
        let first = self.name()?;
        let (alias, name) = if self.eat(":") { (Some(first), self.name()?) } else { (None, first) };
        let arguments = self.arguments()?;
        let directives = self.directives()?;
        self.skip();
        let selections =
            if self.rest.starts_with('{') { self.selections(depth + 1)? } else { Vec::new() };
        Ok(Selection::Field { alias, name, arguments, directives, selections })
    }

    fn arguments(&mut self) -> Result<Vec<(String, Literal)>, String> {
        let mut arguments = Vec::new();
        if self.eat("(") {
            while !self.eat(")") {
                let name = self.name()?;
                self.expect(":")?;
                arguments.push((name, self.value(0)?));
            }
        }
        Ok(arguments)
    }

    fn directives(&mut self) -> Result<Vec<Directive>, String> {
        let mut directives = Vec::new();
        while self.eat("@") {
            directives.push(Directive { name: self.name()?, arguments: self.arguments()? });
        }
        Ok(directives)
    }

    fn value(&mut self, depth: usize) -> Result<Literal, String> {
        self.check_depth(depth)?;
        if self.eat("$") {
            return Ok(Literal::Variable(self.name()?));
        }
        if self.eat("[") {
            let mut items = Vec::new();
            while !self.eat("]") {
                items.push(self.value(depth + 1)?);
            }
            return Ok(Literal::List(items));
        }
        if self.eat("{") {
            let mut members = Vec::new();
            while !self.eat("}") {
                let name = self.name()?;
                self.expect(":")?;
                members.push((name, self.value(depth + 1)?));
            }
            return Ok(Literal::Object(members));
        }
        if self.rest.starts_with('"') {
            return Ok(Literal::Plain(Value::String(self.string()?)));
        }
        if self.rest.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return self.number();
        }
        Ok(Literal::Plain(match self.name()?.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            // The value of an enum.
            name => Value::from(name),
        }))
    }

    fn string(&mut self) -> Result<String, String> {
        if let Some(block) = self.rest.strip_prefix("\"\"\"") {
            let Some((text, rest)) = block.split_once("\"\"\"") else {
                return Err(self.unexpected("unterminated string"));
            };
            self.rest = rest;
            return Ok(text.trim().to_owned());
        }
        // Escapes are JSON's: find the closing quote and let JSON read what is between.
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find_map(|(index, c)| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes.then_some(index + 1)
        });
        let Some(end) = end else { return Err(self.unexpected("unterminated string")) };
        let (quoted, rest) = self.rest.split_at(end);
        let text = serde_json::from_str(quoted)
            .map_err(|error| self.unexpected(&format!("bad string ({error})")))?;
        self.rest = rest;
        Ok(text)
    }

    fn number(&mut self) -> Result<Literal, String> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c))
            .unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        let number: Number =
            serde_json::from_str(digits).map_err(|_error| self.unexpected("bad number"))?;
        self.rest = rest;
        Ok(Literal::Plain(Value::Number(number)))
    }

    fn check_depth(&self, depth: usize) -> Result<(), String> {
        if depth <= DEPTH_MAX { Ok(()) } else { Err(self.unexpected("nested too deeply")) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn queries_of_pages_are_read() {
        let text = r#"# a comment
            query GetRun($data: [MlflowGetRunInput!]! = {runId: "x\"y", n: -1.5e3, e: ALL}) @component(name: "A") {
              first: mlflowGetRun(input: $data) { ...F  ... on T { id } ... @skip(if: true) { z } }
            }
            fragment F on MlflowRun { run { info { runUuid } } }"#;
        let document = parse(text).unwrap();
        let operation = &document.operations[0];
        assert_eq!(operation.name.as_deref(), Some("GetRun"));
        let default = operation.variables[0].1.as_ref().unwrap().resolve(&Map::new());
        assert_eq!(default, json!({"runId": "x\"y", "n": -1500.0, "e": "ALL"}));
        let Selection::Field { alias, name, selections, .. } = &operation.selections[0] else {
            panic!("not a field");
        };
        assert_eq!(
            (alias.as_deref(), name.as_str(), selections.len()),
            (Some("first"), "mlflowGetRun", 3)
        );
        assert_eq!(document.fragments[0].name, "F");
    }

    #[test]
    fn broken_queries_say_where() {
        for text in
            ["", "query {", "{ a(", "subscription { a }", "{ a(x: \"y) }", "{ 1 }", "{ a } }"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"{a".repeat(1000)).unwrap_err().contains("exceeds maximum depth of"));
        assert!(parse(&format!("{{a(x: {})}}", "[".repeat(10_000))).is_err());
    }

    proptest::proptest! {
        #[test]
        fn nothing_breaks_the_parser(text in "[{}()\\[\\]:$@!.\"\\\\a#, 1-]{0,64}") {
            let _read = parse(&text);
        }
    }
}
