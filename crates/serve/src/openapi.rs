//! OpenAPI 3.1 of the server, drawn from the model's signature and input example.

use serde_json::{Map, Value, json};
use trainyard_signature::model::{ColSpec, DataType, Schema, Signature, TensorSpec};

use crate::endpoint::Endpoint;
use crate::served_model::{Engine, ServedModel};

/// The document for the endpoint's model; `prefix` is where it answers (`` or `/models/<name>`).
pub(crate) fn document(endpoint: &Endpoint, served: &ServedModel, prefix: &str) -> Value {
    let signature = served.mlmodel.signature.as_ref();
    let inputs = signature.and_then(|signature| signature.inputs.as_ref());
    let record = inputs.and_then(Schema::columns).and_then(record_schema);
    let mut paths = Map::new();
    if let Some(record) = &record {
        paths.insert(format!("{prefix}/predict"), predict_path(record, served));
        if matches!(served.engine, Engine::Native(_)) {
            paths.insert(format!("{prefix}/explain"), explain_path(record, served));
        }
    }
    paths.insert(
        format!("{prefix}/invocations"),
        invocations_path(signature, record.as_ref(), served),
    );
    for (path, summary) in [
        ("health", "Whether the model serves, which version, and what is wrong"),
        ("ping", "Whether the model serves"),
        ("version", "MLflow whose scoring protocol is spoken"),
    ] {
        paths.insert(format!("{prefix}/{path}"), get_path(summary));
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": endpoint.name, "version": &*served.version },
        "paths": paths,
        "components": { "schemas": { "Error": error_schema() } },
    })
}

fn get_path(summary: &str) -> Value {
    json!({ "get": { "summary": summary, "responses": {
        "200": { "description": "It serves" },
        "503": { "description": "It does not serve yet, or is about to stop" },
    } } })
}

fn responses(predictions: &Value) -> Value {
    let error = |description: &str| {
        json!({ "description": description, "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/Error" } } } })
    };
    json!({
        "200": { "description": "One prediction a row", "content": { "application/json": {
            "schema": predictions } } },
        "400": error("The request does not fit the signature"),
        "413": error("The body is too large"),
        "429": error("Too many requests at once"),
        "503": error("No model serves"),
    })
}

/// Records as a body, with the example.
fn records(record: &Value, served: &ServedModel) -> Value {
    let mut media = json!({ "schema": { "type": "array", "items": record, "minItems": 1 } });
    if let (Some(example), Some(media)) = (example_records(served), media.as_object_mut()) {
        media.insert("example".to_owned(), example);
    }
    json!({ "required": true, "content": { "application/json": media } })
}

fn predict_path(record: &Value, served: &ServedModel) -> Value {
    let answer = json!({ "type": "object", "required": ["predictions"], "properties": {
        "predictions": { "type": "array" }, "probabilities": { "type": "array" } } });
    json!({ "post": {
        "summary": "Predict records; values must be of the signature's types",
        "requestBody": records(record, served),
        "responses": responses(&answer),
    } })
}

fn explain_path(record: &Value, served: &ServedModel) -> Value {
    let numbers = json!({ "type": "array", "items": { "type": ["number", "null"] } });
    let lists = |items: &Value| json!({ "type": "array", "items": items });
    let names = json!({ "type": "array", "items": { "type": "string" } });
    let answer = json!({ "type": "object",
        "required": ["explains", "columns", "outputs", "base", "values", "contributions"],
        "properties": {
            "explains": { "type": "string", "enum": ["prediction", "probability", "margin"] },
            "columns": names, "outputs": names, "base": numbers,
            "values": lists(&numbers), "contributions": lists(&lists(&numbers)) } });
    json!({ "post": {
        "summary": "What each column of a record gave to its prediction",
        "requestBody": records(record, served),
        "responses": responses(&answer),
    } })
}

fn invocations_path(
    signature: Option<&Signature>,
    record: Option<&Value>,
    served: &ServedModel,
) -> Value {
    let mut properties = Map::new();
    let tensors = signature.and_then(|s| s.inputs.as_ref()).and_then(Schema::tensors);
    match (record, tensors) {
        (Some(record), _) => {
            properties.insert(
                "dataframe_records".to_owned(),
                json!({ "type": "array", "items": record }),
            );
            properties.insert(
                "dataframe_split".to_owned(),
                json!({ "type": "object",
                "required": ["columns", "data"], "properties": {
                    "columns": { "type": "array", "items": { "type": "string" } },
                    "data": { "type": "array", "items": { "type": "array" } } } }),
            );
        }
        (None, Some([tensor])) if tensor.name.is_none() => {
            properties.insert("inputs".to_owned(), tensor_schema(tensor));
        }
        (None, Some(tensors)) => {
            let named = tensors
                .iter()
                .map(|tensor| (tensor.name.clone().unwrap_or_default(), tensor_schema(tensor)));
            let named: Map<String, Value> = named.collect();
            properties
                .insert("inputs".to_owned(), json!({ "type": "object", "properties": named }));
        }
        (None, None) => {
            properties.insert("inputs".to_owned(), json!({}));
        }
    }
    if let Some(params) = signature.and_then(|signature| signature.params.as_ref()) {
        let param = |spec: &trainyard_signature::model::ParamSpec| {
            let mut schema = type_schema(&spec.data_type);
            if spec.shape.is_some() {
                schema = json!({ "type": "array", "items": schema });
            }
            if let Some(schema) = schema.as_object_mut() {
                schema.insert("default".to_owned(), spec.default.clone());
            }
            (spec.name.clone(), schema)
        };
        let params: Map<String, Value> = params.iter().map(param).collect();
        properties.insert("params".to_owned(), json!({ "type": "object", "properties": params }));
    }
    let mut media = json!({ "schema": { "type": "object", "properties": properties } });
    let example = served.example.as_deref().and_then(|example| serde_json::from_str(example).ok());
    if let (Some(example), Some(media)) = (example, media.as_object_mut()) {
        let example: Value = example;
        media.insert("example".to_owned(), example);
    }
    let answer = json!({ "type": "object", "required": ["predictions"], "properties": {
        "predictions": {} } });
    json!({ "post": {
        "summary": "MLflow's scoring protocol",
        "requestBody": { "required": true, "content": {
            "application/json": media,
            "text/csv": { "schema": { "type": "string" } } } },
        "responses": responses(&answer),
    } })
}

/// The schema of one record; none when the columns have no names.
fn record_schema(columns: &[ColSpec]) -> Option<Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for column in columns {
        let name = column.name.clone()?;
        let mut schema = type_schema(&column.data_type);
        let missing = matches!(
            column.data_type,
            DataType::Float | DataType::Double | DataType::String | DataType::Datetime
        );
        if missing || !column.required {
            schema = json!({ "anyOf": [schema, { "type": "null" }] });
        }
        if column.required {
            required.push(name.clone());
        }
        properties.insert(name, schema);
    }
    Some(json!({ "type": "object", "properties": properties, "required": required }))
}

fn type_schema(data_type: &DataType) -> Value {
    match data_type {
        DataType::Boolean => json!({ "type": "boolean" }),
        DataType::Integer => json!({ "type": "integer", "format": "int32" }),
        DataType::Long => json!({ "type": "integer", "format": "int64" }),
        DataType::Float => json!({ "type": "number", "format": "float" }),
        DataType::Double => json!({ "type": "number", "format": "double" }),
        DataType::String => json!({ "type": "string" }),
        DataType::Binary => json!({ "type": "string", "contentEncoding": "base64" }),
        DataType::Datetime => {
            json!({ "type": "string", "description": "ISO 8601 without time zone" })
        }
        DataType::Array(items) => json!({ "type": "array", "items": type_schema(items) }),
        DataType::Map(values) => {
            json!({ "type": "object", "additionalProperties": type_schema(values) })
        }
        DataType::Object(properties) => {
            let required: Vec<&String> = properties
                .iter()
                .filter(|(_, _, required)| *required)
                .map(|(name, _, _)| name)
                .collect();
            let schemas: Map<String, Value> = properties
                .iter()
                .map(|(name, kind, _)| (name.clone(), type_schema(kind)))
                .collect();
            json!({ "type": "object", "properties": schemas, "required": required,
                "additionalProperties": false })
        }
        DataType::Any => json!({}),
    }
}

fn tensor_schema(tensor: &TensorSpec) -> Value {
    let mut schema = match tensor.dtype.as_str() {
        "bool" => json!({ "type": "boolean" }),
        "str" | "bytes" => json!({ "type": "string" }),
        "object" => json!({}),
        dtype if dtype.contains("int") => json!({ "type": "integer" }),
        _ => json!({ "type": "number" }),
    };
    for dimension in tensor.shape.iter().rev() {
        schema = json!({ "type": "array", "items": schema });
        if let (Ok(size), Some(schema)) = (u64::try_from(*dimension), schema.as_object_mut()) {
            schema.insert("minItems".to_owned(), size.into());
            schema.insert("maxItems".to_owned(), size.into());
        }
    }
    schema
}

fn error_schema() -> Value {
    json!({ "type": "object", "required": ["error_code", "message"], "properties": {
        "error_code": { "type": "string" },
        "message": { "type": "string" },
        "violations_total": { "type": "integer" },
        "violations": { "type": "array", "items": { "type": "object", "properties": {
            "column": { "type": "string" }, "row": { "type": "integer" },
            "value": { "type": "string" }, "expected": { "type": "string" },
            "problem": { "type": "string" } } } } } })
}

/// The input example as records, when it is a data frame.
pub(crate) fn example_records(served: &ServedModel) -> Option<Value> {
    let example: Value = serde_json::from_str(served.example.as_deref()?).ok()?;
    if let Some(records) = example.get("dataframe_records") {
        return Some(records.clone());
    }
    let split = example.get("dataframe_split")?;
    let columns = split.get("columns")?.as_array()?;
    let rows = split.get("data")?.as_array()?;
    let record = |row: &Value| {
        let values = row.as_array()?;
        // pandas names columns without names by whole numbers.
        let name = |name: &Value| name.as_str().map_or_else(|| name.to_string(), str::to_owned);
        let entries =
            columns.iter().zip(values).map(|(column, value)| (name(column), value.clone()));
        Some(Value::Object(entries.collect()))
    };
    rows.iter().map(record).collect::<Option<Vec<Value>>>().map(Value::Array)
}
