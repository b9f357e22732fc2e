//! JSON of every form, and random texts.

use proptest::prelude::*;

use super::reader::{Result, TOO_DEEP};
use super::*;

fn tree(text: &str) -> Result<serde_json::Value> {
    let mut reader = Reader::new(text, 64);
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

fn number(text: &str) -> Number<'_> {
    Reader::new(text, 64).number().unwrap()
}

#[test]
fn numbers_are_read_as_written() {
    assert_eq!(number("0"), Number::Int(0));
    assert_eq!(number("-0"), Number::Int(0));
    assert_eq!(number("9223372036854775807"), Number::Int(i64::MAX));
    assert_eq!(number("-9223372036854775808"), Number::Int(i64::MIN));
    assert_eq!(number("9223372036854775808"), Number::BigInt("9223372036854775808"));
    assert_eq!(number("5.1"), Number::Real(5.1));
    assert_eq!(number("1e3"), Number::Real(1000.0));
    assert_eq!(number("1e400"), Number::Overflow(f64::INFINITY));
    assert_eq!(number("-1e400"), Number::Overflow(f64::NEG_INFINITY));
    assert_eq!(number("1e-400"), Number::Real(0.0));
    assert_eq!(number("-Infinity"), Number::Real(f64::NEG_INFINITY));
    assert!(number("NaN").as_f64().is_nan());
    assert_eq!(number("0.1234567890123456789012345"), Number::Real(0.123_456_789_012_345_68));
    assert_eq!(number("1e99999999999"), Number::Overflow(f64::INFINITY));
    assert_eq!(number("0.000000000000000000000000000000000001"), Number::Real(1e-36));
}

#[test]
fn what_is_not_json_is_refused_where_it_happens() {
    for (text, message) in [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[1,\n x]", "Expecting value: line 2 column 2 (char 5)"),
        ("[1 2]", "Expecting ',' delimiter: line 1 column 4 (char 3)"),
        ("01", "Expecting ',' delimiter: line 1 column 2 (char 1)"),
        ("-NaN", "Expecting value: line 1 column 1 (char 0)"),
        ("\"é", "Unterminated string starting at: line 1 column 1 (char 0)"),
        ("\"\\x\"", "Invalid \\escape: line 1 column 2 (char 1)"),
        ("\"\\ud800\"", "Unpaired surrogate in \\uXXXX escape: line 1 column 2 (char 1)"),
        ("5 5", "Extra data: line 1 column 3 (char 2)"),
    ] {
        assert_eq!(tree(text).unwrap_err().describe(text), message, "{text}");
    }
}

#[test]
fn a_list_is_passed_without_a_look() {
    let mut reader = Reader::new(" [1, {\"a\": \"]\"}, [x]] , 2", 64);
    reader.pass_list().unwrap();
    assert!(reader.array_next().unwrap());
    assert_eq!(reader.number().unwrap(), Number::Int(2));
    Reader::new("[1, [2]", 64).pass_list().unwrap_err();
}

#[test]
fn depth_is_limited() {
    let deep = "[".repeat(100_000);
    assert_eq!(tree(&deep).unwrap_err().what, TOO_DEEP);
    assert_eq!(Reader::new(&deep, 64).skip().unwrap_err().what, TOO_DEEP);
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_filter("JSON has no NaN", |v| v.is_finite()).prop_map(Into::into),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn reads_what_serde_json_writes(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty {
            serde_json::to_string_pretty(&value).unwrap()
        } else {
            serde_json::to_string(&value).unwrap()
        };
        prop_assert_eq!(tree(&text).unwrap(), value);
        let mut reader = Reader::new(&text, 64);
        prop_assert_eq!(reader.skip().unwrap(), text.as_str());
    }

    #[test]
    fn every_double_is_the_nearest(value in any::<f64>(), digits in 0_usize..20) {
        prop_assume!(value.is_finite());
        for text in [format!("{value:?}"), format!("{value:.digits$e}"), format!("{value:e}")] {
            let expected: f64 = text.parse().unwrap();
            prop_assert_eq!(number(&text).as_f64().to_bits() << 1, expected.to_bits() << 1);
        }
    }

    #[test]
    fn agrees_with_serde_json_on_any_text(text in r#"[\[\]{}:,"\\0-9eE+\-.a-u \n]{0,40}"#) {
        // Python's whole numbers have no negative zero; serde_json's have.
        prop_assume!(!text.contains("-0"));
        let expected = serde_json::from_str::<serde_json::Value>(&text);
        match (tree(&text), expected) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
            (Err(_), Err(_)) => {}
            // serde_json calls a number that overflows an error.
            (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("out of range")),
            (Err(error), Ok(_)) => prop_assert!(false, "{}: {:?}", text, error),
        }
    }

    #[test]
    fn never_panics(text in any::<String>()) {
        let mut reader = Reader::new(&text, 16);
        let _any = reader.skip();
        let _any = Reader::new(&text, 16).value();
    }
}
