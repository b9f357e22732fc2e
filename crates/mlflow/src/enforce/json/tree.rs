//! Values as a whole: read past, or read into a tree.

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

    /// Reads a value into a tree: for params and for columns of any type, never for plain columns.
    /// `NaN` and the infinities, which a tree cannot hold, become null.
    pub(crate) fn tree(&mut self) -> Result<serde_json::Value> {
        self.tree_value(0)
    }

    fn tree_value(&mut self, depth: usize) -> Result<serde_json::Value> {
        use serde_json::Value;

        if depth > self.depth_max {
            return self.error(TOO_DEEP);
        }
        Ok(match self.kind()? {
            Kind::Null => {
                self.null()?;
                Value::Null
            }
            Kind::Boolean => Value::Bool(self.boolean()?),
            Kind::Number => match self.number()? {
                Number::Int(value) => Value::from(value),
                Number::BigInt(text) => {
                    text.parse::<u64>().map_or_else(|_big| Value::from(f64_of(text)), Value::from)
                }
                Number::Real(value) | Number::Overflow(value) => Value::from(value),
            },
            Kind::Text => Value::String(self.string()?.into_owned()),
            Kind::Array => {
                let mut items = Vec::new();
                let mut more = self.array_start()?;
                while more {
                    items.push(self.tree_value(depth + 1)?);
                    more = self.array_next()?;
                }
                Value::Array(items)
            }
            Kind::Object => {
                let mut entries = serde_json::Map::new();
                let mut more = self.object_start()?;
                while more {
                    let key = self.key()?.into_owned();
                    entries.insert(key, self.tree_value(depth + 1)?);
                    more = self.object_next()?;
                }
                Value::Object(entries)
            }
        })
    }
}

fn f64_of(digits: &str) -> f64 {
    digits.parse().unwrap_or(f64::NAN)
}
