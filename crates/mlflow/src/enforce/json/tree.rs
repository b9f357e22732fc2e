//! Values as a whole: read past, or read into a tree.

use indexmap::IndexMap;
use serde_json::Value;

use super::{Kind, Number, Reader, Result, TOO_DEEP};

impl<'a> Reader<'a> {
    /// Reads past a value and returns its text.
    pub(crate) fn skip(&mut self) -> Result<&'a str> {
        self.skip_space();
        let start = self.at;
        self.skip_value(0)?;
        Ok(self.since(start))
    }

    fn skip_value(&mut self, depth: usize) -> Result<()> {
        if depth > self.depth_max {
            return self.error(TOO_DEEP);
        }
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

    /// Reads a value into a tree: for params and for the schema of a request without one, never for
    /// plain columns. `NaN` and the infinities, which a tree cannot hold, become null.
    pub(crate) fn tree(&mut self) -> Result<Tree> {
        self.tree_value(0)
    }

    fn tree_value(&mut self, depth: usize) -> Result<Tree> {
        if depth > self.depth_max {
            return self.error(TOO_DEEP);
        }
        Ok(match self.kind()? {
            Kind::Null => {
                self.null()?;
                Tree::Scalar(Value::Null)
            }
            Kind::Boolean => Tree::Scalar(Value::Bool(self.boolean()?)),
            Kind::Number => Tree::Scalar(match self.number()? {
                Number::Int(value) => Value::from(value),
                Number::BigInt(text) => {
                    text.parse::<u64>().map_or_else(|_big| Value::from(f64_of(text)), Value::from)
                }
                Number::Real(value) | Number::Overflow(value) => Value::from(value),
            }),
            Kind::Text => Tree::Scalar(Value::String(self.string()?.into_owned())),
            Kind::Array => {
                let mut items = Vec::new();
                let mut more = self.array_start()?;
                while more {
                    items.push(self.tree_value(depth + 1)?);
                    more = self.array_next()?;
                }
                Tree::Array(items)
            }
            Kind::Object => {
                let mut entries = IndexMap::new();
                let mut more = self.object_start()?;
                while more {
                    let key = self.key()?.into_owned();
                    entries.insert(key, self.tree_value(depth + 1)?);
                    more = self.object_next()?;
                }
                Tree::Object(entries)
            }
        })
    }
}

/// A value whose objects keep the order in which their keys came, as Python's do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    /// Null, a boolean, a number or text.
    Scalar(Value),
    Array(Vec<Tree>),
    Object(IndexMap<String, Tree>),
}

impl Tree {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(Value::Null))
    }

    pub(crate) fn items(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        if let Self::Object(entries) = self { entries.get(key) } else { None }
    }

    /// The same for whom the order of keys does not matter.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Scalar(value) => value,
            Self::Array(items) => items.into_iter().map(Self::into_value).collect(),
            Self::Object(entries) => {
                entries.into_iter().map(|(key, value)| (key, value.into_value())).collect()
            }
        }
    }
}

fn f64_of(digits: &str) -> f64 {
    digits.parse().unwrap_or(f64::NAN)
}
