//! No break is no break: what production's signature takes, the candidate's takes, in every form that the
//! findings spare. And a break is one: there is a request that shows it.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int32Array,
    Int64Array, NullArray, RecordBatch, StringArray, TimestampNanosecondArray,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};
use trainyard_signature::contract::{Contract, Form, compare};
use trainyard_signature::enforce::{Casting, Enforcer, Limits, Protocol};
use trainyard_signature::model::{ColSpec, DataType, Schema, Signature, TensorSpec};

const CASTINGS: [Casting; 3] = [Casting::Strict, Casting::Lossless, Casting::Upstream];

const SCALARS: [DataType; 9] = [
    DataType::Boolean,
    DataType::Integer,
    DataType::Long,
    DataType::Float,
    DataType::Double,
    DataType::String,
    DataType::Binary,
    DataType::Datetime,
    DataType::Any,
];

fn enforcer(inputs: &Schema, casting: Casting) -> Enforcer {
    let signature = Signature { inputs: Some(inputs.clone()), ..Signature::default() };
    Enforcer::new(Some(&signature), casting, Limits::default())
}

fn contract(before: &Schema, after: &Schema) -> Contract {
    let of = |inputs: &Schema| Signature { inputs: Some(inputs.clone()), ..Signature::default() };
    compare(Some(&of(before)), Some(&of(after)))
}

/// Whether requests go on; in one form, or in all that have names and are JSON.
fn spares(contract: &Contract, form: Option<Form>) -> bool {
    contract.is_kept()
        && form.is_none_or(|form| contract.findings.iter().all(|one| one.effect.spares(form)))
}

fn data_type() -> impl Strategy<Value = DataType> {
    select(SCALARS.to_vec()).prop_recursive(3, 12, 3, |inner| {
        let properties = btree_map("[pq]", (inner.clone(), any::<bool>()), 1..3);
        let object = properties.prop_map(|properties| {
            let owned = properties.into_iter().map(|(name, (kind, need))| (name, kind, need));
            DataType::Object(owned.collect())
        });
        prop_oneof![
            inner.clone().prop_map(|items| DataType::Array(Box::new(items))),
            inner.prop_map(|values| DataType::Map(Box::new(values))),
            object,
        ]
    })
}

/// What a candidate might make of a type: mostly one that takes more.
fn successor(kind: &DataType) -> BoxedStrategy<DataType> {
    let wider = match kind {
        DataType::Integer => vec![DataType::Long, DataType::Double, DataType::Float],
        DataType::Long => vec![DataType::Double, DataType::Float],
        DataType::Float => vec![DataType::Double],
        _ => vec![DataType::Any],
    };
    let nested = match kind {
        DataType::Array(items) => {
            successor(items).prop_map(|items| DataType::Array(Box::new(items))).boxed()
        }
        DataType::Map(values) => {
            successor(values).prop_map(|values| DataType::Map(Box::new(values))).boxed()
        }
        DataType::Object(properties) => {
            let kept: Vec<_> = properties
                .iter()
                .map(|(name, kind, required)| {
                    let name = name.clone();
                    let required = prop_oneof![3 => Just(*required), 1 => any::<bool>()];
                    (Just(name), successor(kind), required)
                })
                .collect();
            (kept, any::<bool>())
                .prop_map(|(mut properties, more)| {
                    if more {
                        properties.push(("z".to_owned(), DataType::Long, false));
                    }
                    DataType::Object(properties)
                })
                .boxed()
        }
        scalar => Just(scalar.clone()).boxed(),
    };
    prop_oneof![5 => nested, 4 => select(wider), 1 => data_type()].boxed()
}

/// Columns of production, those of a candidate, and in which order it has them.
fn columns() -> impl Strategy<Value = (Vec<ColSpec>, Vec<ColSpec>)> {
    let names = select(vec![["a", "b", "c", "d"], ["0", "1", "2", "3"]]);
    let kinds = vec((data_type(), any::<bool>()), 1..4);
    let before = (names, kinds).prop_map(|(names, kinds)| {
        let column = |(name, (data_type, required)): (&str, (DataType, bool))| ColSpec {
            name: Some(name.to_owned()),
            data_type,
            required,
        };
        names.into_iter().zip(kinds).map(column).collect::<Vec<_>>()
    });
    before.prop_flat_map(|before| {
        let each: Vec<_> = before
            .iter()
            .map(|column| {
                let required = column.required;
                let required = prop_oneof![4 => Just(required), 1 => Just(false), 1 => Just(true)];
                (any::<u8>(), successor(&column.data_type), required)
            })
            .collect();
        let new = proptest::option::of((data_type(), prop::bool::weighted(0.2)));
        (Just(before), each, new, any::<Index>()).prop_map(|(before, each, new, turn)| {
            let mut after = Vec::new();
            for (column, (fate, data_type, required)) in before.iter().zip(each) {
                match fate {
                    0..40 => {}
                    40..140 => after.push(column.clone()),
                    _ => after.push(ColSpec { data_type, required, ..column.clone() }),
                }
            }
            if let Some((data_type, required)) = new {
                let name = Some(before.len().to_string());
                after.push(ColSpec { name, data_type, required });
            }
            if after.is_empty() {
                after.push(before[0].clone());
            }
            if turn.index(4) == 0 {
                after.reverse();
            }
            (before, after)
        })
    })
}

/// A value that an input of the type mostly takes.
fn value(kind: &DataType, required: bool) -> BoxedStrategy<Value> {
    let fitting = match kind {
        DataType::Boolean => {
            prop_oneof![any::<bool>().prop_map(Value::from), Just(json!(1))].boxed()
        }
        DataType::Integer => {
            prop_oneof![any::<i32>().prop_map(Value::from), Just(json!(7.0))].boxed()
        }
        DataType::Long => any::<i64>().prop_map(Value::from).boxed(),
        DataType::Float => any::<f32>().prop_map(|x| json!(f64::from(x))).boxed(),
        DataType::Double => any::<f64>().prop_map(|x| json!(x)).boxed(),
        DataType::String => "[a-z]{0,3}".prop_map(Value::from).boxed(),
        DataType::Binary => Just(json!("aGVsbG8=")).boxed(),
        DataType::Datetime => Just(json!("2024-01-02T03:04:05")).boxed(),
        DataType::Any => anything(),
        DataType::Array(items) => vec(value(items, true), 0..3).prop_map(Value::from).boxed(),
        DataType::Map(values) => {
            let entries = btree_map("[kl]", value(values, true), 0..3);
            entries.prop_map(|entries| Value::Object(entries.into_iter().collect())).boxed()
        }
        DataType::Object(properties) => {
            let each: Vec<_> = properties
                .iter()
                .map(|(name, kind, required)| {
                    let there = prop::bool::weighted(if *required { 0.97 } else { 0.6 });
                    (Just(name.clone()), value(kind, *required), there)
                })
                .collect();
            each.prop_map(|each| {
                let there = each.into_iter().filter(|(.., there)| *there);
                Value::Object(there.map(|(name, value, _)| (name, value)).collect())
            })
            .boxed()
        }
    };
    let nulls = if required { 1 } else { 4 };
    prop_oneof![30 => fitting, nulls => Just(Value::Null), 1 => anything()].boxed()
}

fn anything() -> BoxedStrategy<Value> {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(2.5),
        json!(3_000_000_000_i64),
        json!(1e300),
        json!("7"),
        json!("1.5"),
        json!("x"),
        json!("2024-01-02"),
        json!("aGk="),
        json!([1]),
        json!({ "p": 1 }),
    ];
    select(values.to_vec()).boxed()
}

/// Rows of values, one an input.
fn rows(columns: &[ColSpec]) -> BoxedStrategy<Vec<Vec<Value>>> {
    let row: Vec<_> =
        columns.iter().map(|column| value(&column.data_type, column.required)).collect();
    vec(row, 1..3).boxed()
}

/// Both sides, rows for production, and which inputs a request leaves out if they may be.
type Case = (Vec<ColSpec>, Vec<ColSpec>, Vec<Vec<Value>>, Vec<bool>);

fn case() -> impl Strategy<Value = Case> {
    columns().prop_flat_map(|(before, after)| {
        let rows = rows(&before);
        (Just(before), Just(after), rows, vec(prop::bool::weighted(0.3), 4))
    })
}

/// How a request is written, and what it is called if it is a form of its own.
type Written = (Option<Form>, Protocol, String);

/// The rows in every form that JSON has.
fn bodies(columns: &[ColSpec], rows: &[Vec<Value>], left_out: &[bool]) -> Vec<Written> {
    let given: Vec<usize> =
        (0..columns.len()).filter(|at| columns[*at].required || !left_out[*at]).collect();
    let name = |at: usize| columns[at].name.clone().unwrap();
    let cells = |row: &[Value]| -> Vec<Value> { given.iter().map(|at| row[*at].clone()).collect() };
    let column = |at: usize| -> Value { rows.iter().map(|row| row[at].clone()).collect() };
    let record = |row: &Vec<Value>| -> Value {
        given.iter().map(|at| (name(*at), row[*at].clone())).collect::<Map<_, _>>().into()
    };
    let records: Vec<Value> = rows.iter().map(record).collect();
    let names: Vec<String> = given.iter().map(|at| name(*at)).collect();
    let data: Vec<Vec<Value>> = rows.iter().map(|row| cells(row)).collect();
    let by_column: Map<String, Value> = given.iter().map(|at| (name(*at), column(*at))).collect();
    let tensors: Vec<Value> = given
        .iter()
        .map(|at| json!({ "name": name(*at), "shape": [rows.len()], "data": column(*at) }))
        .collect();
    let flat: Vec<&Value> = rows.iter().flatten().collect();
    let table = json!({ "name": "all", "shape": [rows.len(), columns.len()], "data": flat });
    let scoring = Protocol::Invocations;
    let open = Protocol::OpenInference;
    vec![
        (None, scoring, json!({ "dataframe_records": records }).to_string()),
        (
            None,
            scoring,
            json!({ "dataframe_split": { "columns": names, "data": data } }).to_string(),
        ),
        (None, scoring, json!({ "inputs": by_column }).to_string()),
        (None, scoring, json!({ "instances": records }).to_string()),
        (None, open, json!({ "inputs": tensors }).to_string()),
        (Some(Form::Unnamed), scoring, json!({ "instances": rows }).to_string()),
        (Some(Form::Unnamed), scoring, json!({ "inputs": column(0) }).to_string()),
        (Some(Form::Table), open, json!({ "inputs": [table] }).to_string()),
    ]
}

/// The rows as CSV; what is no text nor number is nothing.
fn csv(columns: &[ColSpec], rows: &[Vec<Value>]) -> String {
    let names: Vec<&str> = columns.iter().filter_map(|column| column.name.as_deref()).collect();
    let mut text = format!("{}\n", names.join(","));
    for row in rows {
        let cell = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
            other => other.to_string(),
        };
        text.push_str(&row.iter().map(cell).collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

/// Two rows of Parquet's types.
fn arrays() -> Vec<ArrayRef> {
    vec![
        Arc::new(BooleanArray::from(vec![true, false])),
        Arc::new(Int32Array::from(vec![1, i32::MAX])),
        Arc::new(Int32Array::from(vec![Some(1), None])),
        Arc::new(Int64Array::from(vec![0, 1])),
        Arc::new(Int64Array::from(vec![5, i64::MAX])),
        Arc::new(Int64Array::from(vec![Some(5), None])),
        Arc::new(Float32Array::from(vec![1.5, f32::MAX])),
        Arc::new(Float64Array::from(vec![Some(1e300), None])),
        Arc::new(StringArray::from(vec!["a", "2024-01-02"])),
        Arc::new(BinaryArray::from(vec![&b"a"[..], &b"b"[..]])),
        Arc::new(Date32Array::from(vec![1, 2])),
        Arc::new(TimestampNanosecondArray::from(vec![1, 2])),
        Arc::new(NullArray::new(2)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn what_production_takes_the_candidate_takes((before, after, rows, left_out) in case()) {
        let (was, is) = (Schema::Columns(before.clone()), Schema::Columns(after));
        let contract = contract(&was, &is);
        for casting in CASTINGS {
            let (was, is) = (enforcer(&was, casting), enforcer(&is, casting));
            for (form, protocol, body) in bodies(&before, &rows, &left_out) {
                if !spares(&contract, form) || was.json(body.as_bytes(), protocol).is_err() {
                    continue;
                }
                let taken = is.json(body.as_bytes(), protocol);
                prop_assert!(taken.is_ok(), "{casting:?} {body}: {taken:?}\n{contract:?}");
            }
            let text = csv(&before, &rows);
            if spares(&contract, Some(Form::Csv)) && was.csv(text.as_bytes()).is_ok() {
                let taken = is.csv(text.as_bytes());
                prop_assert!(taken.is_ok(), "{casting:?} {text}: {taken:?}\n{contract:?}");
            }
        }
    }

    #[test]
    fn what_production_takes_as_parquet_the_candidate_takes(
        (before, after, _, _) in case(),
        chosen in vec(any::<Index>(), 4),
    ) {
        let (was, is) = (Schema::Columns(before.clone()), Schema::Columns(after));
        let contract = contract(&was, &is);
        let arrays = arrays();
        let table = before.iter().zip(chosen).map(|(column, index)| {
            (column.name.clone().unwrap(), Arc::clone(&arrays[index.index(arrays.len())]))
        });
        let table = RecordBatch::try_from_iter(table).unwrap();
        for casting in CASTINGS {
            let (was, is) = (enforcer(&was, casting), enforcer(&is, casting));
            if spares(&contract, Some(Form::Parquet)) && was.table(&table).is_ok() {
                let taken = is.table(&table);
                prop_assert!(taken.is_ok(), "{casting:?} {table:?}: {taken:?}\n{contract:?}");
            }
        }
    }

    #[test]
    fn tensors_that_production_takes_the_candidate_takes(
        dtypes in vec(select(vec![
            "int8", "int16", "int32", "int64", "uint8", "uint16", "uint64", "float16", "float32",
            "float64", "bool", "str", "object",
        ]), 2),
        shapes in vec(vec(select(vec![-1_i64, 1, 2]), 1..3), 2),
        numbers in vec(anything(), 1..5),
        width in 1_usize..3,
        named in any::<bool>(),
    ) {
        let tensor = |at: usize| {
            let name = named.then(|| "x".to_owned());
            Schema::Tensors(vec![TensorSpec { name, ..TensorSpec::unnamed(dtypes[at], shapes[at].clone()) }])
        };
        let (was, is) = (tensor(0), tensor(1));
        let contract = contract(&was, &is);
        if !contract.is_kept() {
            return Ok(());
        }
        let nested: Vec<&[Value]> = numbers.chunks(width).collect();
        for body in [
            json!({ "inputs": numbers }),
            json!({ "inputs": nested }),
            json!({ "inputs": { "x": nested } }),
            json!({ "dataframe_split": { "columns": ["x"], "data": nested } }),
        ] {
            let body = body.to_string();
            for casting in CASTINGS {
                let (was, is) = (enforcer(&was, casting), enforcer(&is, casting));
                if was.json(body.as_bytes(), Protocol::Invocations).is_ok() {
                    let taken = is.json(body.as_bytes(), Protocol::Invocations);
                    prop_assert!(taken.is_ok(), "{casting:?} {body}: {taken:?}\n{contract:?}");
                }
            }
        }
    }
}

#[test]
fn a_break_of_a_type_shows_in_a_request() {
    let values = [
        json!(true),
        json!(2),
        json!(0),
        json!(3_000_000_000_i64),
        json!(1.5),
        json!(1e300),
        json!("true"),
        json!("x"),
        json!("2024-01-02"),
        json!("aGk="),
        json!({ "a": 1 }),
    ];
    for before in &SCALARS {
        for after in &SCALARS {
            let schema = |kind: &DataType| Schema::Columns(vec![ColSpec::new("a", kind.clone())]);
            let (was, is) = (schema(before), schema(after));
            if contract(&was, &is).is_kept() {
                continue;
            }
            let (was, is) = (enforcer(&was, Casting::Lossless), enforcer(&is, Casting::Lossless));
            let json = |enforcer: &Enforcer, value: &Value| {
                let body = json!({ "dataframe_records": [{ "a": value }] }).to_string();
                enforcer.json(body.as_bytes(), Protocol::Invocations).is_ok()
            };
            let csv = |enforcer: &Enforcer| enforcer.csv(b"a\ntrue\n").is_ok();
            let shown = values.iter().any(|value| json(&was, value) && !json(&is, value))
                || (csv(&was) && !csv(&is));
            // Base64 is a text as well, but it means another thing there.
            let is_text = (before, after) == (&DataType::Binary, &DataType::String);
            assert!(shown || is_text, "{before} → {after}");
        }
    }
}

#[test]
fn a_new_required_input_is_named_and_params_are_compared() {
    let columns = |names: &[&str]| {
        let column = |name: &&str| ColSpec::new(*name, DataType::Double);
        Schema::Columns(names.iter().map(column).collect())
    };
    let found = contract(&columns(&["age"]), &columns(&["age", "tenure"]));
    let texts: Vec<String> = found.breaks().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["input \"tenure\" (new: double, required): requests without it are refused"]
    );
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["findings"][0]["effect"], "break");
    assert_eq!(json["findings"][0]["part"], "input");
}
