//! What a reader made by serde wants at a place of its input. It says so when it is given something to read from: which
//! keys a table may have, whether a value is to be a number or a text. Nothing is read; each question ends in an error.

use std::cell::RefCell;

use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A table with these keys.
    Table(&'static [&'static str]),
    /// A table with any keys.
    Map,
    List,
    Flag,
    WholeNumber,
    Number,
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// Whatever is there is looked at.
    Anything,
}

/// What the reader of `T` wants behind these keys. Any key leads into a map or a list.
pub(super) fn wanted<T: DeserializeOwned>(path: &[&str]) -> Option<Wanted> {
    let seen = RefCell::new(None);
    let _always_fails = T::deserialize(Question { path, seen: &seen });
    seen.into_inner()
}

/// An input that has nothing but the keys of one path.
#[derive(Debug, Clone, Copy)]
struct Question<'q> {
    path: &'q [&'q str],
    seen: &'q RefCell<Option<Wanted>>,
}

impl<'q> Question<'q> {
    /// Notes what is wanted, at the end of the path, and ends the reading.
    fn note<V>(self, wanted: Wanted) -> Result<V, Error> {
        if self.path.is_empty() {
            *self.seen.borrow_mut() = Some(wanted);
        }
        Err(Error::custom("nothing is read"))
    }

    /// The next key, and the question behind it.
    fn step(self) -> Option<(&'q str, Self)> {
        let (key, path) = self.path.split_first()?;
        Some((*key, Self { path, ..self }))
    }

    fn table<'de, V: Visitor<'de>>(self, wanted: Wanted, visitor: V) -> Result<V::Value, Error> {
        match self.step() {
            Some(entry) => visitor.visit_map(MapDeserializer::new(std::iter::once(entry))),
            None => self.note(wanted),
        }
    }

    fn list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.step() {
            Some((_, item)) => visitor.visit_seq(SeqDeserializer::new(std::iter::once(item))),
            None => self.note(Wanted::List),
        }
    }
}

impl IntoDeserializer<'_, Error> for Question<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Values, by what they are to be.
macro_rules! values {
    ($($method:ident => $wanted:expr,)*) => {
        $(fn $method<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
            self.note($wanted)
        })*
    };
}

impl<'de> Deserializer<'de> for Question<'_> {
    type Error = Error;

    values! {
        deserialize_any => Wanted::Anything,
        deserialize_ignored_any => Wanted::Anything,
        deserialize_unit => Wanted::Anything,
        deserialize_bool => Wanted::Flag,
        deserialize_i8 => Wanted::WholeNumber,
        deserialize_i16 => Wanted::WholeNumber,
        deserialize_i32 => Wanted::WholeNumber,
        deserialize_i64 => Wanted::WholeNumber,
        deserialize_u8 => Wanted::WholeNumber,
        deserialize_u16 => Wanted::WholeNumber,
        deserialize_u32 => Wanted::WholeNumber,
        deserialize_u64 => Wanted::WholeNumber,
        deserialize_f32 => Wanted::Number,
        deserialize_f64 => Wanted::Number,
        deserialize_char => Wanted::Text,
        deserialize_str => Wanted::Text,
        deserialize_string => Wanted::Text,
        deserialize_bytes => Wanted::Text,
        deserialize_byte_buf => Wanted::Text,
        deserialize_identifier => Wanted::Text,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _visitor: V,
    ) -> Result<V::Value, Error> {
        self.note(Wanted::Anything)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.table(Wanted::Map, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.table(Wanted::Table(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        self.note(Wanted::Choice(variants))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn the_reader_says_what_it_wants() {
        let of = |path: &[&str]| wanted::<Config>(path);
        assert_eq!(of(&["model"]), Some(Wanted::Table(&["name"])));
        let cases: [(&[&str], Wanted); 11] = [
            (&["model", "name"], Wanted::Text),
            (&["train", "seed"], Wanted::WholeNumber),
            (&["train", "test_size"], Wanted::Number),
            (&["train", "feedback"], Wanted::Flag),
            (&["train", "exclude"], Wanted::List),
            (&["train", "exclude", "0"], Wanted::Text),
            (&["train", "holdout"], Wanted::Anything),
            (&["gate", "undecided"], Wanted::Choice(&["pass", "refuse"])),
            (&["gate", "thresholds"], Wanted::Map),
            (&["gate", "thresholds", "any"], Wanted::Table(&["min", "max"])),
            (&["deploy", "drain"], Wanted::Text),
        ];
        for (path, expected) in cases {
            assert_eq!(of(path), Some(expected), "{path:?}");
        }
        assert_eq!(of(&["modle"]), None);
    }
}
