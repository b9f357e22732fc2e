//! Messages of the API: structs that read themselves out of the members of a request.
//!
//! `message!` takes the fields in the order in which upstream checks them, each with its type, which
//! also says what it is on the wire, and the rules beyond that. It makes a struct, or reads one that is
//! there already, such as the arguments of a method of the trait:
//!
//! ```text
//! message! {
//!     SearchRuns {
//!         experiment_ids: Vec<String>,
//!         view_type as run_view_type: ViewType,
//!         max_results: Option<i64> [Int32, AtMost(50_000)],
//!     }
//! }
//! ```

use serde_json::{Map, Value};
use trainyard_mlflow::Result;
use trainyard_mlflow::entities::KeyValue;

use super::fields::{self, Field, Kind, double, int};

/// What a request or a part of it says.
pub(super) trait Message: Sized {
    /// Its fields in the order in which they are checked.
    const FIELDS: &'static [Field];

    /// Reads members that are checked already.
    fn of_checked(members: Map<String, Value>) -> Result<Self>;

    /// Checks and reads members.
    fn of_members(mut members: Map<String, Value>) -> Result<Self> {
        fields::check(Self::FIELDS, &mut members)?;
        Self::of_checked(members)
    }

    /// Reads a value; anything but an object has no members.
    fn of_value(value: Value) -> Result<Self> {
        Self::of_members(members_of(Some(value)))
    }
}

fn members_of(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// A type that fields are read into.
pub(super) trait FieldType: Sized {
    /// What it is on the wire; of a list, what its items are.
    const KIND: Kind;
    /// Whether it is a list.
    const REPEATED: bool = false;

    /// Reads a value that is checked already. What is not there is read as if it had proto3's default.
    fn read(name: &str, value: Option<Value>) -> Result<Self>;
}

/// A value whose type only its reader knows.
#[derive(Debug)]
pub(super) struct Raw(pub(super) Option<Value>);

/// A text, none only if it is not there: one that is empty empties what it is for.
#[derive(Debug)]
pub(super) struct Given(pub(super) Option<String>);

macro_rules! message {
    (
        $(#[$attribute:meta])*
        $visible:vis struct $name:ident {
            $(
                $(#[$field_attribute:meta])*
                $field_visible:vis $field:ident $(as $wire:ident)? : $type:ty $([$($check:expr),+])?
            ),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug)]
        $visible struct $name {
            $($(#[$field_attribute])* $field_visible $field: $type,)+
        }

        $crate::api::message::message! {
            $name { $($field $(as $wire)? : $type $([$($check),+])?),+ }
        }
    };
    (
        $name:ident {
            $($field:ident $(as $wire:ident)? : $type:ty $([$($check:expr),+])?),+ $(,)?
        }
    ) => {
        impl $crate::api::message::Message for $name {
            const FIELDS: &'static [$crate::api::fields::Field] = &[$(
                $crate::api::fields::Field {
                    name: $crate::api::message::wire_name!($field $($wire)?),
                    kind: <$type as $crate::api::message::FieldType>::KIND,
                    repeated: <$type as $crate::api::message::FieldType>::REPEATED,
                    checks: &[$($($check),+)?],
                },
            )+];

            fn of_checked(
                mut members: serde_json::Map<String, serde_json::Value>,
            ) -> trainyard_mlflow::Result<Self> {
                Ok(Self {$(
                    $field: {
                        let name = $crate::api::message::wire_name!($field $($wire)?);
                        <$type as $crate::api::message::FieldType>::read(name, members.remove(name))?
                    },
                )+})
            }
        }

        impl $crate::api::message::FieldType for $name {
            const KIND: $crate::api::fields::Kind = $crate::api::fields::Kind::Message(
                <Self as $crate::api::message::Message>::FIELDS,
            );

            fn read(
                _name: &str,
                value: Option<serde_json::Value>,
            ) -> trainyard_mlflow::Result<Self> {
                $crate::api::message::read_nested(value)
            }
        }
    };
}

macro_rules! wire_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $wire:ident) => {
        stringify!($wire)
    };
}

pub(super) use message;
pub(super) use wire_name;

/// Reads a message within another one, which is checked with it.
pub(super) fn read_nested<T: Message>(value: Option<Value>) -> Result<T> {
    T::of_checked(members_of(value))
}

message! { KeyValue { key: String, value: String } }

/// Reads a type out of any value, which is of the kind.
macro_rules! field_type {
    ($type:ty, $kind:ident, $value:ident => $read:expr) => {
        impl $crate::api::message::FieldType for $type {
            const KIND: $crate::api::fields::Kind = $crate::api::fields::Kind::$kind;

            fn read(
                _name: &str,
                $value: Option<serde_json::Value>,
            ) -> trainyard_mlflow::Result<Self> {
                Ok($read)
            }
        }
    };
}

pub(super) use field_type;

field_type!(String, Text, value => text(value).unwrap_or_default());
// None also if it is empty: proto cannot tell them apart everywhere.
field_type!(Option<String>, Text, value => text(value).filter(|text| !text.is_empty()));
field_type!(Given, Text, value => Self(text(value)));
field_type!(Raw, Any, value => Self(value));
field_type!(Option<i64>, Int64, value => value.as_ref().and_then(int));
field_type!(i64, Int64, value => value.as_ref().and_then(int).unwrap_or_default());
field_type!(f64, Double, value => value.as_ref().and_then(double).unwrap_or_default());
field_type!(Option<bool>, Bool, value => value.as_ref().and_then(Value::as_bool));
field_type!(bool, Bool, value => value.as_ref().and_then(Value::as_bool).unwrap_or_default());

fn text(value: Option<Value>) -> Option<String> {
    match value {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

impl<T: FieldType> FieldType for Vec<T> {
    const KIND: Kind = T::KIND;
    const REPEATED: bool = true;

    fn read(name: &str, value: Option<Value>) -> Result<Self> {
        let Some(Value::Array(items)) = value else { return Ok(Self::new()) };
        items.into_iter().map(|item| T::read(name, Some(item))).collect()
    }
}

/// None only if it is not there: a list that is empty holds nothing.
impl<T: FieldType> FieldType for Option<Vec<T>> {
    const KIND: Kind = T::KIND;
    const REPEATED: bool = true;

    fn read(name: &str, value: Option<Value>) -> Result<Self> {
        let list = value.filter(Value::is_array);
        list.map(|list| Vec::<T>::read(name, Some(list))).transpose()
    }
}
