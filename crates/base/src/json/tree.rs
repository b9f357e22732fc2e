//! Values as a whole: read past, or read into a tree.

use serde_json::{Map, Value};

use super::number::Number;
use super::reader::{EXPECTED_COMMA, Kind, OUT_OF_RANGE, Reader, Result};

/// Nesting of JSON that is not a request.
const DEPTH_MAX: usize = 64;

/// Reads JSON as Python's `json` does, with missing values for `NaN` and the infinities. The error is the
/// text of Python's.
pub fn parse(text: &str) -> std::result::Result<Value, String> {
    let mut reader = Reader::new(text, DEPTH_MAX);
    let value = reader.value().and_then(|value| reader.end().map(|()| value));
    value.map_err(|syntax| syntax.describe(text))
}

impl<'a> Reader<'a> {
    /// Goes past a list without looking at what is in it, for whoever comes back and reads it: only
    /// then is it known to be JSON. A list that is JSON ends where this stops.
    pub fn pass_list(&mut self) -> Result<()> {
        self.skip_space();
        let mut depth = 0_usize;
        loop {
            match self.byte() {
                Some(b'[' | b'{') => depth += 1,
                Some(b']' | b'}') => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        self.at += 1;
                        return Ok(());
                    }
                }
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(_) => {}
                None => return self.error(EXPECTED_COMMA),
            }
            self.at += 1;
        }
    }

    /// Reads past a value and returns its text.
    pub fn skip(&mut self) -> Result<&'a str> {
        self.skip_space();
        let start = self.at;
        self.skip_value(0)?;
        Ok(self.since(start))
    }

    fn skip_value(&mut self, depth: usize) -> Result<()> {
        self.check_depth(depth)?;
        match self.kind()? {
            Kind::Null => self.null(),
            Kind::Boolean => self.boolean().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::Text => self.string().map(drop),
            Kind::Array => {
                let mut more = self.array_start()?;
                while more {
                    self.skip_value(depth + 1)?;
                    more = self.array_next()?;
                }
                Ok(())
            }
            Kind::Object => {
                let mut more = self.object_start()?;
                while more {
                    self.key()?;
                    self.skip_value(depth + 1)?;
                    more = self.object_next()?;
                }
                Ok(())
            }
        }
    }

    /// Reads a value into a tree: for params and examples, never for columns. `NaN` and the infinities,
    /// which a tree cannot hold, become null; digits beyond a double are refused.
    pub fn value(&mut self) -> Result<Value> {
        self.value_at(0)
    }

    fn value_at(&mut self, depth: usize) -> Result<Value> {
        self.check_depth(depth)?;
        Ok(match self.kind()? {
            Kind::Null => {
                self.null()?;
                Value::Null
            }
            Kind::Boolean => Value::Bool(self.boolean()?),
            Kind::Number => match self.number()? {
                Number::Int(value) => Value::from(value),
                Number::BigInt(text) => match (text.parse::<u64>(), text.parse::<f64>()) {
                    (Ok(value), _) => Value::from(value),
                    (_, Ok(value)) if value.is_finite() => Value::from(value),
                    _ => return self.error(OUT_OF_RANGE),
                },
                Number::Overflow(_) => return self.error(OUT_OF_RANGE),
                Number::Real(value) => Value::from(value),
            },
            Kind::Text => Value::String(self.string()?.into_owned()),
            Kind::Array => {
                let mut items = Vec::new();
                let mut more = self.array_start()?;
                while more {
                    items.push(self.value_at(depth + 1)?);
                    more = self.array_next()?;
                }
                Value::Array(items)
            }
            Kind::Object => {
                let mut entries = Map::new();
                let mut more = self.object_start()?;
                while more {
                    let key = self.key()?.into_owned();
                    entries.insert(key, self.value_at(depth + 1)?);
                    more = self.object_next()?;
                }
                Value::Object(entries)
            }
        })
    }
}
