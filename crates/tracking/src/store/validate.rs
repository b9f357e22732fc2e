//! Limits and rules on names and values, with upstream's messages.

use trainyard_mlflow::entities::{DatasetInput, KeyValue, Metric};
use trainyard_mlflow::{Error, LogBatch};

use super::python;
use crate::error::Result;

const EXPERIMENT_NAME_MAX: usize = 500;
const KEY_MAX: usize = 250;
const EXPERIMENT_TAG_VALUE_MAX: usize = 20_000;
const PARAM_VALUE_MAX: usize = 6_000;
const RUN_TAG_VALUE_MAX: usize = 8_000;
const REGISTRY_TAG_VALUE_MAX: usize = 100_000;
const ALIAS_MAX: usize = 255;
const ARTIFACT_LOCATION_MAX: usize = 2048;
/// The tag in which clients list the tables of a run, as JSON that they read before they add one: a part of it
/// is of no use.
const LOGGED_ARTIFACTS: &str = "mlflow.loggedArtifacts";
/// Size of the column that holds the name of a registered model.
const MODEL_NAME_MAX: usize = 256;
const LOGGED_MODEL_NAME_MAX: usize = 500;
const BATCH_METRICS_MAX: usize = 1000;
const BATCH_PARAMS_MAX: usize = 100;
const BATCH_TAGS_MAX: usize = 100;
const BATCH_TOTAL_MAX: usize = 1000;
const DATASETS_MAX: usize = 1000;
const DATASET_NAME_MAX: usize = 500;
const DATASET_DIGEST_MAX: usize = 36;
const DATASET_SCHEMA_MAX: usize = 1_048_575;
const DATASET_SOURCE_MAX: usize = 65_535;
const DATASET_PROFILE_MAX: usize = 16_777_215;
const INPUT_TAG_KEY_MAX: usize = 255;
const INPUT_TAG_VALUE_MAX: usize = 500;

/// What to do with params and tags that are too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LongValues {
    /// Cut them, as upstream does unless `MLFLOW_TRUNCATE_LONG_VALUES` is false.
    Truncate,
    Refuse,
}

/// `Invalid value "x" for parameter 'p' supplied: …`.
fn invalid_value(path: &str, value: &str, message: &str) -> crate::Error {
    let value = python::json(value);
    Error::invalid(format!("Invalid value {value} for parameter '{path}' supplied: {message}"))
        .into()
}

fn too_long(name: &str, limit: usize) -> crate::Error {
    Error::invalid(format!("'{name}' exceeds the maximum length of {limit} characters")).into()
}

/// Characters, not bytes, as Python counts.
fn longer_than(text: &str, limit: usize) -> bool {
    text.len() > limit && text.chars().nth(limit).is_some()
}

fn within(name: &str, text: &str, limit: usize) -> Result<()> {
    if longer_than(text, limit) { Err(too_long(name, limit)) } else { Ok(()) }
}

/// Cuts the text or refuses it.
fn fit(name: &str, text: &mut String, limit: usize, long_values: LongValues) -> Result<()> {
    if !longer_than(text, limit) {
        return Ok(());
    }
    if long_values == LongValues::Refuse {
        return Err(too_long(name, limit));
    }
    if let Some((end, _character)) = text.char_indices().nth(limit) {
        text.truncate(end);
    }
    Ok(())
}

/// `posixpath.normpath`.
fn normal_path(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    // POSIX keeps exactly two leading slashes.
    let lead = match path.bytes().take_while(|byte| *byte == b'/').count() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part != ".." || (lead.is_empty() && parts.last().is_none_or(|last| *last == "..")) {
            parts.push(part);
        } else {
            parts.pop();
        }
    }
    let joined = format!("{lead}{}", parts.join("/"));
    if joined.is_empty() { ".".to_owned() } else { joined }
}

fn check_path(name: &str, path: &str) -> Result<()> {
    let normal = normal_path(name);
    if normal != name || normal == "." || normal.starts_with("..") || normal.starts_with('/') {
        let quoted = python::repr(&normal);
        return Err(invalid_value(
            path,
            name,
            &format!(
                "Names may be treated as files in certain cases, and must not resolve to other \
                 names when treated as such. This name would resolve to {quoted}"
            ),
        ));
    }
    Ok(())
}

/// Keys of metrics, params and tags.
fn check_key(name: &str, path: &str) -> Result<()> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | ' ' | ':');
    if !name.chars().all(allowed) {
        return Err(invalid_value(
            path,
            name,
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), \
             spaces ( ), colon(:) and slashes (/).",
        ));
    }
    check_path(name, path)
}

fn at(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// A metric; `path` is where it is within a request (`metrics[3]`), empty if alone.
pub(crate) fn metric(metric: &Metric, path: &str) -> Result<()> {
    if metric.dataset_name.is_some() != metric.dataset_digest.is_some() {
        return Err(Error::invalid(
            "Both dataset_name and dataset_digest must be provided if one is provided",
        )
        .into());
    }
    check_key(&metric.key, &at(path, "name"))?;
    if metric.timestamp < 0 {
        let Metric { key, value, timestamp, .. } = metric;
        let value = python::float(*value);
        // The space at the end is upstream's.
        return Err(Error::invalid(format!(
            "Invalid value {timestamp} for parameter '{}' supplied: metric '{key}' \
             (value={value}). Timestamp must be a nonnegative long (64-bit integer) ",
            at(path, "timestamp")
        ))
        .into());
    }
    within("Metric name", &metric.key, KEY_MAX)
}

/// A param; may cut its value.
pub(crate) fn param(param: &mut KeyValue, path: &str, long_values: LongValues) -> Result<()> {
    check_key(&param.key, &at(path, "key"))?;
    within("Param key", &param.key, KEY_MAX)?;
    fit("Param value", &mut param.value, PARAM_VALUE_MAX, long_values)
}

/// A run's tag; may cut its value.
pub(crate) fn run_tag(tag: &mut KeyValue, path: &str, long_values: LongValues) -> Result<()> {
    check_key(&tag.key, &at(path, "key"))?;
    within(&at(path, "key"), &tag.key, KEY_MAX)?;
    if tag.key == LOGGED_ARTIFACTS && longer_than(&tag.value, RUN_TAG_VALUE_MAX) {
        return Err(Error::invalid(format!(
            "the run has as many tables as it can list: with this one, the tag '{LOGGED_ARTIFACTS}' would have \
             more than {RUN_TAG_VALUE_MAX} characters. Log further tables to another run, or under shorter names."
        ))
        .into());
    }
    fit(&at(path, "value"), &mut tag.value, RUN_TAG_VALUE_MAX, long_values)
}

/// A tag of an experiment.
pub(crate) fn experiment_tag(tag: &KeyValue) -> Result<()> {
    check_key(&tag.key, "key")?;
    within("key", &tag.key, KEY_MAX)?;
    within("value", &tag.value, EXPERIMENT_TAG_VALUE_MAX)
}

/// A tag of a registered model or version.
pub(crate) fn registry_tag(tag: &KeyValue) -> Result<()> {
    check_key(&tag.key, "key")?;
    within("key", &tag.key, KEY_MAX)?;
    within("value", &tag.value, REGISTRY_TAG_VALUE_MAX)
}

/// The key of a tag that is to be removed.
pub(crate) fn tag_key(key: &str) -> Result<()> {
    check_key(key, "key")
}

/// The parts of a batch: numbers of entries, keys, values.
pub(crate) fn batch(batch: &mut LogBatch, long_values: LongValues) -> Result<()> {
    for (index, entry) in batch.metrics.iter().enumerate() {
        metric(entry, &format!("metrics[{index}]"))?;
    }
    for (index, entry) in batch.params.iter_mut().enumerate() {
        param(entry, &format!("params[{index}]"), long_values)?;
    }
    for (index, entry) in batch.tags.iter_mut().enumerate() {
        run_tag(entry, &format!("tags[{index}]"), long_values)?;
    }
    let LogBatch { metrics, params, tags } = &*batch;
    batch_limit("metrics", BATCH_METRICS_MAX, metrics.len())?;
    batch_limit("params", BATCH_PARAMS_MAX, params.len())?;
    batch_limit("tags", BATCH_TAGS_MAX, tags.len())?;
    let total = metrics.len() + params.len() + tags.len();
    batch_limit("metrics, params, and tags", BATCH_TOTAL_MAX, total)?;
    unique_params(params)
}

fn batch_limit(what: &str, limit: usize, count: usize) -> Result<()> {
    if count <= limit {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "A batch logging request can contain at most {limit} {what}. Got {count} {what}. Please \
         split up {what} across multiple requests and try again."
    ))
    .into())
}

fn unique_params(params: &[KeyValue]) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    let twice: Vec<&str> =
        params.iter().map(|param| param.key.as_str()).filter(|key| !seen.insert(*key)).collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Duplicate parameter keys have been submitted: {}. Please ensure the request contains \
         only one param value per param key.",
        python::repr_list(&twice)
    ))
    .into())
}

/// The id of a run to which a batch or inputs are logged.
pub(crate) fn run_id(run_id: &str) -> Result<()> {
    let mut characters = run_id.chars();
    let first = characters.next().is_some_and(|c| c.is_ascii_alphanumeric());
    let rest = characters.clone().count() <= 255
        && characters.all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if first && rest {
        return Ok(());
    }
    let value = python::json(run_id);
    Err(Error::invalid(format!("Invalid value {value} for parameter 'run_id' supplied.")).into())
}

/// An experiment's id as it is stored.
pub(crate) fn experiment_id(text: &str) -> Result<i64> {
    text.trim().parse().map_err(|_error| {
        Error::invalid(format!(
            "Invalid experiment ID '{text}'. Experiment ID must be a valid integer."
        ))
        .into()
    })
}

/// The name of an experiment.
pub(crate) fn experiment_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("Invalid experiment name: ''").into());
    }
    within("name", name, EXPERIMENT_NAME_MAX)
}

/// Where the files of an experiment go.
pub(crate) fn artifact_location(location: &str) -> Result<()> {
    if location.starts_with("runs:") {
        return Err(Error::invalid(format!(
            "Artifact location cannot be a runs:/ URI. Given: '{location}'"
        ))
        .into());
    }
    if location.len() > ARTIFACT_LOCATION_MAX {
        return Err(Error::invalid(format!(
            "Invalid artifact path length. The length of the artifact path cannot be greater than \
             {ARTIFACT_LOCATION_MAX} characters. To configure this limit, please set the \
             MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH environment variable."
        ))
        .into());
    }
    Ok(())
}

/// Datasets that are logged as inputs.
pub(crate) fn dataset_inputs(inputs: &[DatasetInput]) -> Result<()> {
    if inputs.len() > DATASETS_MAX {
        return Err(Error::invalid(format!(
            "at most {DATASETS_MAX} datasets can be logged at once, got {}",
            inputs.len()
        ))
        .into());
    }
    for input in inputs {
        for tag in &input.tags {
            within("key", &tag.key, INPUT_TAG_KEY_MAX)?;
            within("value", &tag.value, INPUT_TAG_VALUE_MAX)?;
        }
        let dataset = &input.dataset;
        within("name", &dataset.name, DATASET_NAME_MAX)?;
        within("digest", &dataset.digest, DATASET_DIGEST_MAX)?;
        within("source", &dataset.source, DATASET_SOURCE_MAX)?;
        within("schema", dataset.schema.as_deref().unwrap_or_default(), DATASET_SCHEMA_MAX)?;
        within("profile", dataset.profile.as_deref().unwrap_or_default(), DATASET_PROFILE_MAX)?;
    }
    Ok(())
}

/// The name of a logged model, if one was given.
pub(crate) fn logged_model_name(name: Option<&str>) -> Result<()> {
    let Some(name) = name else { return Ok(()) };
    if name.is_empty() || name.contains(['/', ':', '.', '%', '"', '\'']) {
        return Err(Error::invalid(format!(
            "Invalid model name ({}) provided. Model name must be a non-empty string and cannot \
             contain the following characters: ('/', ':', '.', '%', '\"', \"'\")",
            python::repr(name)
        ))
        .into());
    }
    within("name", name, LOGGED_MODEL_NAME_MAX)
}

/// The name of a registered model.
pub(crate) fn model_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Error::invalid("Missing value for required parameter 'name'.").into());
    }
    if name.contains(['/', ':']) {
        return Err(Error::invalid(format!(
            "Invalid model name '{name}'. Names cannot contain '/' or ':'."
        ))
        .into());
    }
    check_path(name, "name")?;
    within("name", name, MODEL_NAME_MAX)
}

/// The name that a registered model is to get.
pub(crate) fn new_model_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Error::invalid("Missing value for required parameter 'new_name'.").into());
    }
    model_name(name)
}

/// A version number.
pub(crate) fn model_version(version: &str) -> Result<i64> {
    version.trim().parse().map_err(|_error| {
        Error::invalid(format!("Parameter 'version' must be an integer, got '{version}'.")).into()
    })
}

/// An alias that is looked up, set or removed.
pub(crate) fn alias(alias: &str) -> Result<()> {
    if alias.is_empty() {
        return Err(Error::invalid("Registered model alias name cannot be empty.").into());
    }
    if !alias.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        return Err(Error::invalid(format!(
            "Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores \
             (_), and dashes (-)."
        ))
        .into());
    }
    within("Registered model alias name", alias, ALIAS_MAX)
}

/// An alias that is set: some names have a meaning of their own.
pub(crate) fn new_alias(name: &str) -> Result<()> {
    alias(name)?;
    if name.to_lowercase() == "latest" {
        return Err(Error::invalid("'latest' alias name (case insensitive) is reserved.").into());
    }
    let digits = name.strip_prefix(['v', 'V']).unwrap_or_default();
    if !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) {
        return Err(Error::invalid(format!("Version alias name '{name}' is reserved.")).into());
    }
    Ok(())
}

/// The canonical spelling of a stage.
pub(crate) fn stage(stage: &str) -> Result<&'static str> {
    ["None", "Staging", "Production", "Archived"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(stage))
        .ok_or_else(|| {
            Error::invalid(format!(
                "Invalid Model Version stage: {stage}. Value must be one of None, Staging, \
                 Production, Archived."
            ))
            .into()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_as_python_does() {
        for (path, normal) in [
            ("", "."),
            ("a", "a"),
            ("a//b", "a/b"),
            ("a/./b", "a/b"),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("a/../../b", "../b"),
            ("/a/../..", "/"),
            ("//a", "//a"),
            ("///a", "/a"),
            ("a/", "a"),
        ] {
            assert_eq!(normal_path(path), normal, "{path}");
        }
    }

    #[test]
    fn a_list_that_clients_read_back_is_never_cut() {
        let mut tag = KeyValue::new(LOGGED_ARTIFACTS, "x".repeat(RUN_TAG_VALUE_MAX + 1));
        let error = run_tag(&mut tag, "", LongValues::Truncate).unwrap_err().to_string();
        assert!(error.contains("another run"), "{error}");
        tag.value.truncate(RUN_TAG_VALUE_MAX);
        run_tag(&mut tag, "", LongValues::Truncate).unwrap();
        let mut note = KeyValue::new("note", "x".repeat(RUN_TAG_VALUE_MAX + 1));
        run_tag(&mut note, "", LongValues::Truncate).unwrap();
        assert_eq!(note.value.len(), RUN_TAG_VALUE_MAX);
    }

    #[test]
    fn keys_are_checked_as_upstream_does() {
        for good in ["m", "a:b c/d.e-f_g", "ключ", ".hidden"] {
            check_key(good, "name").unwrap();
        }
        let message = |key: &str| check_key(key, "name").unwrap_err().to_string();
        assert_eq!(
            message("a$b"),
            "Invalid value \"a$b\" for parameter 'name' supplied: Names may only contain \
             alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and \
             slashes (/)."
        );
        assert_eq!(
            message("../a"),
            "Invalid value \"../a\" for parameter 'name' supplied: Names may be treated as files \
             in certain cases, and must not resolve to other names when treated as such. This \
             name would resolve to '../a'"
        );
    }

    #[test]
    fn long_values_are_cut_by_characters() {
        let mut tag = KeyValue::new("k", "é".repeat(8001));
        run_tag(&mut tag, "", LongValues::Truncate).unwrap();
        assert_eq!(tag.value.chars().count(), 8000);
        let mut tag = KeyValue::new("k", "é".repeat(8001));
        let error = run_tag(&mut tag, "", LongValues::Refuse).unwrap_err();
        assert_eq!(error.to_string(), "'value' exceeds the maximum length of 8000 characters");
    }

    #[test]
    fn aliases() {
        for good in ["champion", "a-b_C9", "é", "v1x"] {
            new_alias(good).unwrap();
        }
        for bad in ["Latest", "v1", "V12", "a b", "a/b", ""] {
            new_alias(bad).unwrap_err();
        }
    }
}
