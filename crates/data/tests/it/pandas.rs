//! The same text read by pandas and by this crate: same columns, types and values.

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use trainyard_data::arrow_array::cast::AsArray as _;
use trainyard_data::arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use trainyard_data::arrow_array::{Array as _, RecordBatch};
use trainyard_data::arrow_schema::DataType;
use trainyard_data::{ReadOptions, read_csv_text};
use trainyard_testkit::run_python;

/// Reads every text of a JSON list with `pandas.read_csv` and prints names, types and values.
///
/// Values are text, so that nothing is lost on the way; floats come twice: as pandas' default parser
/// reads them and as its exact one does.
const SCRIPT: &str = r#"
import io, json, sys
import pandas as pd

def spell(value):
    if value is None or value != value: return None
    if isinstance(value, float): return value.hex()
    return str(value)

def read(text):
    try:
        frame = pd.read_csv(io.BytesIO(text.encode()), index_col=False)
        exact = pd.read_csv(io.BytesIO(text.encode()), index_col=False, float_precision="round_trip")
    except Exception as error:
        return {"error": str(error)}
    columns = []
    for name in frame.columns:
        values, kind = frame[name].tolist(), str(frame[name].dtype)
        if kind == "object":
            present = [value for value in values if value == value]
            kind = "bool" if all(isinstance(value, bool) for value in present) else "str"
        same = exact[name].dtype == frame[name].dtype
        columns.append({"name": name, "kind": kind, "values": [spell(value) for value in values],
                        "exact": [spell(value) for value in exact[name].tolist()] if same else None})
    return {"columns": columns}

with open(sys.argv[1]) as file: texts = json.load(file)
print(json.dumps([read(text) for text in texts]))
"#;

fn pandas(texts: &[String]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("texts.json");
    std::fs::write(&path, json!(texts).to_string()).unwrap();
    let answer = run_python(SCRIPT, &[path.to_str().unwrap()], &[]);
    serde_json::from_str(&answer).unwrap()
}

/// C's `%a` as Python writes it.
fn from_hex(text: &str) -> f64 {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let value = if rest == "inf" {
        f64::INFINITY
    } else {
        let (mantissa, exponent) = rest.strip_prefix("0x").unwrap().split_once('p').unwrap();
        let (whole, fraction) = mantissa.split_once('.').unwrap();
        let bits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).unwrap();
        let scale = exponent.parse::<i32>().unwrap() - 4 * fraction.len() as i32;
        // In two steps, so that subnormals survive.
        bits as f64 * 2_f64.powi(scale / 2) * 2_f64.powi(scale - scale / 2)
    };
    if negative { -value } else { value }
}

fn near(ours: f64, pandas: f64) -> bool {
    ours == pandas || (ours - pandas).abs() <= 4.0 * f64::EPSILON * ours.abs()
}

fn compare(text: &str, expected: &Value, ours: &RecordBatch) {
    let columns = expected["columns"].as_array().unwrap();
    let names: Vec<_> = columns.iter().map(|column| column["name"].as_str().unwrap()).collect();
    let schema = ours.schema();
    let our_names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(our_names, names, "{text:?}");
    for (column, array) in columns.iter().zip(ours.columns()) {
        let name = &column["name"];
        let kind = match array.data_type() {
            DataType::Int64 => "int64",
            DataType::UInt64 => "uint64",
            DataType::Float64 => "float64",
            DataType::Boolean => "bool",
            DataType::Utf8 => "str",
            other => panic!("{other} in {text:?}"),
        };
        assert_eq!(kind, column["kind"], "type of {name} in {text:?}");
        let values = column["values"].as_array().unwrap();
        assert_eq!(array.len(), values.len(), "rows of {text:?}");
        for (row, value) in values.iter().enumerate() {
            let place = format!("row {row} of {name} in {text:?}");
            // pandas leaves a column of unsigned integers with nulls as it is written, null words included.
            let Some(value) = value.as_str().filter(|value| !NULLS.contains(value)) else {
                assert!(array.is_null(row), "{place} should be null");
                continue;
            };
            assert!(array.is_valid(row), "{place} is null, pandas has {value:?}");
            match array.data_type() {
                DataType::Int64 => {
                    assert_eq!(
                        array.as_primitive::<Int64Type>().value(row).to_string(),
                        value,
                        "{place}"
                    );
                }
                DataType::UInt64 => {
                    assert_eq!(
                        array.as_primitive::<UInt64Type>().value(row).to_string(),
                        value,
                        "{place}"
                    );
                }
                DataType::Boolean => {
                    let ours = if array.as_boolean().value(row) { "True" } else { "False" };
                    assert_eq!(ours, value, "{place}");
                }
                DataType::Utf8 => {
                    let ours = array.as_string::<i32>().value(row);
                    // pandas makes Python integers of integers beyond 64 bits.
                    let normal = ours.trim().trim_start_matches('+');
                    assert!(ours == value || normal == value, "{place}: {ours:?} is not {value:?}");
                }
                _ => {
                    let ours = array.as_primitive::<Float64Type>().value(row);
                    assert!(
                        near(ours, from_hex(value)),
                        "{place}: {ours} is not {}",
                        from_hex(value)
                    );
                    if let Some(exact) = column["exact"].get(row).and_then(Value::as_str) {
                        assert_eq!(ours.to_bits() << 1, from_hex(exact).to_bits() << 1, "{place}");
                    }
                }
            }
        }
    }
}

fn check_all(texts: &[String]) {
    let options = ReadOptions { fill_short_records: true, ..ReadOptions::default() };
    for (text, expected) in texts.iter().zip(pandas(texts)) {
        let ours = read_csv_text("test.csv", text.as_bytes(), &options);
        match (ours, expected.get("error")) {
            (Ok(ours), None) => compare(text, &expected, &ours),
            (Err(_), Some(_)) => {}
            (Ok(_), Some(error)) => panic!("pandas refuses {text:?}: {error}"),
            (Err(error), None) => panic!("pandas reads {text:?}, we say {error}"),
        }
    }
}

#[test]
fn known_cases() {
    let texts = [
        "a,b\n  x, y\n 5,6\n",
        "a\n \n\t\n5\n",
        "a,b\n1,2\n3\n",
        "a,b\n1,2\n3,4,5\n",
        "a\n9223372036854775808\n1\n",
        "a\n9223372036854775808\n-1\n",
        "a,b\n9223372036854775808,1\n,2\n",
        "a\n18446744073709551616\n1\n",
        "a\n-9223372036854775809\n1\n",
        "a\n9223372036854775808\n1.5\n",
        "a,b\nTrue,1\n,2\n",
        "a\nTrue\nfalse\nTRUE\n",
        "a\nTrue\n1\n",
        "a\n1\nTrue\n",
        "x,x,x.1,x\n1,2,3,4\n",
        ",a,\n1,2,3\n",
        "a,a,Unnamed: 0,\n1,2,3,4\n",
        "\n\na\n1\n",
        "\u{feff}a,b\n1,2\n",
        "\u{feff}\"a\",b\n1,2\n",
        "   \na,b\n1,2\n",
        "a\n\"x\"y\n\"a\"\"b\"\nq\"r\"\n",
        "a,b\n\"NA\",\"\"\n\"1\",2\n",
        "a\n\"x\n",
        "a,b\n\"x\ny\",2\r\n3,4\r5,6\n",
        "a,b\n1,2\n\n3,4\n\r\n5,6",
        "a\n\"\"\n1\n",
        "",
        "\n",
        "\"a\nb\",c\n1,2\n",
        " a , b \n1,2\n",
        "a,b\n,\n,\n",
        "1.5,2\n1,2\n",
        "a,a.1,a\n1,2,3\n",
        "a,a,a.1\n1,2,3\n",
        "a,b\n1,\"2\"\n3,\"4\" \n",
        "a,b\n1, \"2\"\n3,4\n",
        "a,b\n1,2\n   \n,\n3,4\n",
        "a\n\"  \"\n5\n",
        "a\n \"x\"\n",
        "a,b\n\"x\",\"y\n1,2\n",
        "a,b\nnan,1\nNaN,2\n<NA>,3\n",
        "a\n#N/A N/A\n-1.#IND\n1\n",
        "a\n1\x0b\n1\x0c\n",
        "größe,名\n1,ä\n2,ö\n",
        "a,b\n1e400,-1e400\n1,2\n",
    ];
    check_all(&texts.map(str::to_owned));
}

/// Words that change what a column is.
const WORDS: &[&str] = &[
    "",
    "0",
    "1",
    "-7",
    "42",
    "+3",
    "00012",
    " 5",
    "5 ",
    "1.",
    ".5",
    "-0.0",
    "1e5",
    "1E-3",
    "2.5e+10",
    "0.1",
    "3.141592653589793",
    "1e-320",
    "1e308",
    "1e309",
    "inf",
    "-inf",
    "Infinity",
    "+Inf",
    "nan",
    "NaN",
    "NA",
    "NULL",
    "null",
    "None",
    "n/a",
    "N/A",
    "<NA>",
    "#N/A",
    "-nan",
    "NAN",
    "none",
    "True",
    "False",
    "TRUE",
    "false",
    "true",
    "tRue",
    "yes",
    "abc",
    " x",
    "x ",
    "a b",
    "0x10",
    "1_000",
    "1,5",
    "\"",
    "a\"b",
    "\"\"",
    "line\nbreak",
    "cr\rhere",
    "ü",
    "日本",
    "-",
    ".",
    "e",
    "1e",
    "--1",
    "9e9",
    "123456789012",
    "9007199254740993",
    "-9223372036854775807",
    "9223372036854775807",
    "  ",
    "\t",
    "0.30000000000000004",
    "2.2250738585072014e-308",
    "123456.789e-5",
    "1.7976931348623157e308",
];

/// The smallest 64-bit integer is missing on purpose: beside a null, pandas reads it as a null.
///
/// Families from which columns are drawn, so that most columns have a type of their own.
const INTS: &[&str] = &[
    "0",
    "1",
    "-7",
    "42",
    "+3",
    "00012",
    " 5",
    "5 ",
    "-9223372036854775807",
    "9223372036854775807",
];
const WIDE: &[&str] = &["0", "1", "42", "9223372036854775808", "18446744073709551615"];
const HUGE: &[&str] =
    &["1", "-3", "18446744073709551616", "-9223372036854775809", "9223372036854775808"];
const FLOATS: &[&str] = &[
    "0.1",
    "1e5",
    ".5",
    "1.",
    "-0.0",
    "inf",
    "-inf",
    "3",
    "1e-320",
    "0.30000000000000004",
    "7e22",
    "1e23",
];
const BOOLS: &[&str] = &["True", "False", "TRUE", "FALSE", "true", "false"];
const NULLS: &[&str] = &["", "NA", "NaN", "nan", "null", "<NA>", "#N/A N/A"];

fn random_float(rng: &mut StdRng) -> String {
    match rng.random_range(0..5) {
        0 => format!("{}", rng.random_range(-1e6..1e6)),
        1 => format!("{:.3}", rng.random_range(-100.0..100.0)),
        2 => format!(
            "{:e}",
            f64::from_bits(
                rng.random::<u64>() & !(0x7ff << 52) | rng.random_range(1_u64..2046) << 52
            )
        ),
        3 => format!("{}.{:019}", rng.random_range(0..1000), rng.random_range(0..u64::MAX / 2)),
        _ => format!("{}e{}", rng.random_range(0..100_000), rng.random_range(-330..310)),
    }
}

fn write_field(rng: &mut StdRng, text: &mut String, field: &str, lone: bool) {
    let must = field.contains([',', '"', '\n', '\r']) || (lone && field.trim().is_empty());
    if must || rng.random_bool(0.1) {
        write!(text, "\"{}\"", field.replace('"', "\"\"")).unwrap();
    } else {
        text.push_str(field);
    }
}

fn random_csv(rng: &mut StdRng) -> String {
    let width = rng.random_range(1..6);
    let rows = rng.random_range(1..30);
    let end = *["\n", "\n", "\r\n", "\r"].choose(rng).unwrap();
    let mut text = String::new();
    if rng.random_bool(0.1) {
        text.push('\u{feff}');
    }
    let mut families = Vec::new();
    for column in 0..width {
        let name = *["a", "b", "a", "", "x y", "a.1", "c\"d", "e,f"].choose(rng).unwrap();
        write_field(rng, &mut text, name, width == 1);
        text.push_str(if column + 1 == width { end } else { "," });
        let null_rate = *[0.0, 0.0, 0.2, 1.0].choose(rng).unwrap();
        families.push((rng.random_range(0..8), null_rate));
    }
    for row in 0..rows {
        // From the second record on, some records are short.
        let fields =
            if row > 0 && rng.random_bool(0.03) { rng.random_range(1..=width) } else { width };
        for (column, &(family, null_rate)) in families.iter().enumerate().take(fields) {
            let family = match family {
                0 => INTS,
                1 => WIDE,
                2 => HUGE,
                3 => FLOATS,
                4 => BOOLS,
                _ => WORDS,
            };
            let field = if rng.random_bool(null_rate) {
                (*NULLS.choose(rng).unwrap()).to_owned()
            } else if family == FLOATS && rng.random_bool(0.5) {
                random_float(rng)
            } else {
                (*family.choose(rng).unwrap()).to_owned()
            };
            write_field(rng, &mut text, &field, width == 1);
            let last = row + 1 == rows && rng.random_bool(0.3);
            text.push_str(if column + 1 < fields {
                ","
            } else if last {
                ""
            } else {
                end
            });
        }
        if rng.random_bool(0.05) {
            text.push_str(end);
        }
    }
    text
}

#[test]
fn random_tables_read_as_pandas_reads_them() {
    let mut rng = StdRng::seed_from_u64(20_261_123);
    // pandas misreads what follows a lone return when it is a blank or a separator; we do not.
    let quirk = |text: &String| ["\r ", "\r\t", "\r,"].iter().any(|pair| text.contains(pair));
    let texts: Vec<String> = std::iter::repeat_with(|| random_csv(&mut rng))
        .filter(|text| !quirk(text))
        .take(3000)
        .collect();
    check_all(&texts);
}
