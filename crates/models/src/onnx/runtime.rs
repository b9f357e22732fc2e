//! Graphs beyond the classical operators, on ONNX Runtime, which is loaded when such a graph comes.
//!
//! The library is not a part of this program: it is taken from `ORT_DYLIB_PATH` or from where packages put
//! it, and a model that needs it is refused with a hint where there is none. Its telemetry stays off.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::{DynValue, Shape, Tensor as OrtTensor, TensorElementType, ValueType};

use super::graph::GraphInput;
use super::kernel::{MapKeys, Value};
use super::tensor::{Data, Outcome, Tensor};
use crate::{Error, Result};

/// What the library is called; the same version with a number at the end is looked for as well.
const LIBRARY: &str = "libonnxruntime.so";

/// Where packages and people put shared libraries.
const FOLDERS: [&str; 5] = [
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/opt/onnxruntime/lib",
];

/// A session of ONNX Runtime. It runs one request at a time: the model is held once.
pub(super) struct RuntimeSession {
    session: Mutex<Session>,
    outputs: Vec<String>,
    model_bytes: usize,
}

impl fmt::Debug for RuntimeSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeSession").field("outputs", &self.outputs).finish_non_exhaustive()
    }
}

impl RuntimeSession {
    /// Opens a model that `why` keeps from being evaluated here.
    pub(super) fn open(bytes: &[u8], why: &str, file: &str) -> Result<Self> {
        let environment = environment().map_err(|reason| Error::Unsupported {
            what: why.to_owned(),
            hint: format!(
                "ONNX Runtime evaluates it: set ORT_DYLIB_PATH to the path of {LIBRARY} ({reason})"
            ),
        })?;
        let open = || -> Outcome<Session> {
            let builder = Session::builder(environment).map_err(|error| error.to_string())?;
            // Requests are many and small: threads of their own would only wait for each other.
            let mut builder = builder.with_intra_threads(1).map_err(|error| error.to_string())?;
            builder.commit_from_memory(bytes).map_err(|error| error.to_string())
        };
        let session = open().map_err(|error| Error::Malformed {
            file: file.to_owned(),
            reason: format!("ONNX Runtime does not take it: {error}"),
        })?;
        let outputs = session.outputs().iter().map(|output| output.name().to_owned()).collect();
        Ok(Self { session: Mutex::new(session), outputs, model_bytes: bytes.len() })
    }

    /// One value for each output, with its name.
    pub(super) fn run(
        &self,
        inputs: &[GraphInput],
        tensors: Vec<Tensor>,
    ) -> Outcome<Vec<(String, Value)>> {
        let fed = inputs
            .iter()
            .zip(tensors)
            .map(|(input, tensor)| Ok((input.name.clone(), fed(input, tensor)?)))
            .collect::<Outcome<Vec<(String, SessionInputValue<'_>)>>>()?;
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let results: SessionOutputs<'_> = session.run(fed).map_err(|error| error.to_string())?;
        self.outputs
            .iter()
            .map(|name| {
                let value =
                    results.get(name).ok_or_else(|| format!("output {name:?} is missing"))?;
                Ok((
                    name.clone(),
                    taken(value).map_err(|error| format!("output {name:?}: {error}"))?,
                ))
            })
            .collect()
    }

    pub(super) fn size_bytes(&self) -> usize {
        // What the library holds of a model is not said; it is at least the model.
        self.model_bytes
    }
}

/// The one environment of the process, made when the first model needs it.
fn environment() -> Outcome<&'static Environment> {
    static ENVIRONMENT: OnceLock<Outcome<Environment>> = OnceLock::new();
    let made = ENVIRONMENT.get_or_init(|| {
        let library = library()?;
        let builder = ort::environment::init_from(&library)
            .map_err(|error| format!("{}: {error}", library.display()))?;
        builder
            .with_name("trainyard")
            .with_telemetry(false)
            .build()
            .map_err(|error| error.to_string())
    });
    made.as_ref().map_err(Clone::clone)
}

/// The library that the user named, or one from the usual places.
fn library() -> Outcome<PathBuf> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("ORT_DYLIB_PATH is {}, where no file is", path.display()))
        };
    }
    let beside = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_path_buf));
    let mut folders = beside.into_iter().chain(FOLDERS.iter().map(PathBuf::from));
    folders.find_map(|folder| in_folder(&folder)).ok_or_else(|| {
        format!("{LIBRARY} is neither beside the program nor in {}", FOLDERS.join(", "))
    })
}

fn in_folder(folder: &Path) -> Option<PathBuf> {
    let plain = folder.join(LIBRARY);
    if plain.is_file() {
        return Some(plain);
    }
    let mut versions: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(&format!("{LIBRARY}.")))
        })
        .collect();
    versions.sort();
    versions.pop()
}

/// A tensor as the library takes it, in the shape that the graph declares.
fn fed(input: &GraphInput, tensor: Tensor) -> Outcome<SessionInputValue<'static>> {
    let shape: Vec<i64> = input.shape_for(&tensor).into_iter().map(|dim| dim as i64).collect();
    let made = match tensor.data {
        Data::F32(v) => OrtTensor::from_array((shape, v)).map(Into::into),
        Data::F64(v) => OrtTensor::from_array((shape, v)).map(Into::into),
        Data::I64(v) => OrtTensor::from_array((shape, v)).map(Into::into),
        Data::I32(v) => OrtTensor::from_array((shape, v)).map(Into::into),
        Data::Bool(v) => OrtTensor::from_array((shape, v)).map(Into::into),
        Data::Text(v) => OrtTensor::from_string_array((shape, v.as_slice())).map(Into::into),
    };
    made.map_err(|error: ort::Error| format!("input {:?}: {error}", input.name))
}

/// What the library answered, as our own value.
fn taken(value: &DynValue) -> Outcome<Value> {
    match value.dtype() {
        ValueType::Tensor { ty, .. } => tensor_of(value, *ty).map(Value::Tensor),
        ValueType::Sequence(inner) => match &**inner {
            ValueType::Map { key: TensorElementType::Int64, .. } => {
                let rows = maps::<i64>(value)?;
                table(rows, MapKeys::Integers)
            }
            ValueType::Map { key: TensorElementType::String, .. } => {
                let rows = maps::<String>(value)?;
                table(rows, MapKeys::Text)
            }
            other => Err(format!("a sequence of {other:?}")),
        },
        other => Err(format!("a value of {other:?}")),
    }
}

fn maps<K>(value: &DynValue) -> Outcome<Vec<Vec<(K, f32)>>>
where
    K: ort::value::IntoTensorElementType + Clone + std::hash::Hash + Ord + 'static,
{
    let rows = value
        .try_extract_sequence::<ort::value::DynMapValueType>()
        .map_err(|error| error.to_string())?;
    rows.iter()
        .map(|row| {
            let map = row.try_extract_map::<K, f32>().map_err(|error| error.to_string())?;
            let mut entries: Vec<(K, f32)> = map.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Ok(entries)
        })
        .collect()
}

/// Rows of maps with the same keys.
fn table<K: PartialEq>(rows: Vec<Vec<(K, f32)>>, keys: fn(Vec<K>) -> MapKeys) -> Outcome<Value> {
    let count = rows.len();
    let mut names: Option<Vec<K>> = None;
    let mut values = Vec::new();
    for row in rows {
        let (row_names, row_values): (Vec<K>, Vec<f32>) = row.into_iter().unzip();
        if names.as_ref().is_some_and(|names| *names != row_names) {
            return Err("rows with different keys".into());
        }
        names.get_or_insert(row_names);
        values.extend(row_values);
    }
    let names = names.unwrap_or_default();
    let tensor = Tensor::new(vec![count, names.len()], Data::F32(values))?;
    Ok(Value::Maps(keys(names), tensor))
}

fn tensor_of(value: &DynValue, element: TensorElementType) -> Outcome<Tensor> {
    macro_rules! extract {
        ($type:ty, $convert:expr) => {{
            let (shape, data) =
                value.try_extract_tensor::<$type>().map_err(|error| error.to_string())?;
            Tensor::new(dimensions(shape), $convert(data))
        }};
    }
    match element {
        TensorElementType::Float32 => extract!(f32, |v: &[f32]| Data::F32(v.to_vec())),
        TensorElementType::Float64 => extract!(f64, |v: &[f64]| Data::F64(v.to_vec())),
        TensorElementType::Int64 => extract!(i64, |v: &[i64]| Data::I64(v.to_vec())),
        TensorElementType::Int32 => extract!(i32, |v: &[i32]| Data::I32(v.to_vec())),
        TensorElementType::Bool => extract!(bool, |v: &[bool]| Data::Bool(v.to_vec())),
        TensorElementType::Uint8 => {
            extract!(u8, |v: &[u8]| Data::I32(v.iter().map(|&x| i32::from(x)).collect()))
        }
        TensorElementType::Int8 => {
            extract!(i8, |v: &[i8]| Data::I32(v.iter().map(|&x| i32::from(x)).collect()))
        }
        TensorElementType::String => {
            let (shape, text) = value.try_extract_strings().map_err(|error| error.to_string())?;
            Tensor::new(dimensions(shape), Data::Text(text))
        }
        other => Err(format!("elements of {other:?}")),
    }
}

fn dimensions(shape: &Shape) -> Vec<usize> {
    shape.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect()
}
