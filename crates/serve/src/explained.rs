//! Explanations as JSON, in the plain form and as tensors of the Open Inference Protocol.

use std::io::{self, Write};

use serde::Serialize;
use trainyard_models::Explanation;

use crate::answer::{About, TooLarge};

/// The plain form. Lists are by row, then by output, then by column.
#[derive(Debug, Serialize)]
struct Plain<'a> {
    /// What base and contributions add up to.
    explains: &'static str,
    columns: &'a [String],
    outputs: &'a [String],
    base: &'a [f64],
    values: Vec<&'a [f64]>,
    contributions: Vec<&'a [&'a [f64]]>,
}

/// A tensor of the Open Inference Protocol.
#[derive(Debug, Serialize)]
struct Tensor<'a, T> {
    name: &'static str,
    datatype: &'static str,
    shape: &'a [usize],
    data: &'a [T],
}

/// The answer of the Open Inference Protocol.
#[derive(Debug, Serialize)]
struct Inference<'a> {
    model_name: &'a str,
    model_version: &'a str,
    id: &'a str,
    parameters: Parameters,
    outputs: Outputs<'a>,
}

type Outputs<'a> =
    (Tensor<'a, f64>, Tensor<'a, f64>, Tensor<'a, f64>, Tensor<'a, String>, Tensor<'a, String>);

#[derive(Debug, Serialize)]
struct Parameters {
    explains: &'static str,
}

/// The plain form of an explanation.
pub(crate) fn plain(explanation: &Explanation, bytes_max: usize) -> Result<Vec<u8>, TooLarge> {
    let outputs = explanation.outputs.len().max(1);
    let columns = explanation.columns.len().max(1);
    let values = explanation.values();
    let cells: Vec<&[f64]> = explanation.contributions.chunks_exact(columns).collect();
    let plain = Plain {
        explains: explanation.explained.name(),
        columns: &explanation.columns,
        outputs: &explanation.outputs,
        base: &explanation.base,
        values: values.chunks_exact(outputs).collect(),
        contributions: cells.chunks_exact(outputs).collect(),
    };
    written(&plain, bytes_max)
}

/// An explanation as tensors: `contributions` of rows x outputs x columns, `values` of rows x outputs, `base` of
/// outputs, and the names of columns and outputs.
pub(crate) fn open_inference(
    about: &About<'_>,
    explanation: &Explanation,
    bytes_max: usize,
) -> Result<Vec<u8>, TooLarge> {
    let (rows, outputs) = (explanation.rows, explanation.outputs.len());
    let columns = explanation.columns.len();
    let values = explanation.values();
    let answer = Inference {
        model_name: about.model,
        model_version: about.version,
        id: about.id,
        parameters: Parameters { explains: explanation.explained.name() },
        outputs: (
            Tensor {
                name: "contributions",
                datatype: "FP64",
                shape: &[rows, outputs, columns],
                data: &explanation.contributions,
            },
            Tensor { name: "values", datatype: "FP64", shape: &[rows, outputs], data: &values },
            Tensor { name: "base", datatype: "FP64", shape: &[outputs], data: &explanation.base },
            Tensor {
                name: "columns",
                datatype: "BYTES",
                shape: &[columns],
                data: &explanation.columns,
            },
            Tensor {
                name: "outputs",
                datatype: "BYTES",
                shape: &[outputs],
                data: &explanation.outputs,
            },
        ),
    };
    written(&answer, bytes_max)
}

/// Bytes in memory, up to a limit.
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(answer: &impl Serialize, bytes_max: usize) -> Result<Vec<u8>, TooLarge> {
    let mut bounded = Bounded { bytes: Vec::new(), bytes_max };
    // Numbers and text always serialize, so only the limit can end it.
    match serde_json::to_writer(&mut bounded, answer) {
        Ok(()) => Ok(bounded.bytes),
        Err(_too_large) => Err(TooLarge::new(bytes_max)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use trainyard_models::Explained;

    fn explanation() -> Explanation {
        Explanation {
            explained: Explained::Margin,
            columns: vec!["a".to_owned(), "b".to_owned()],
            outputs: vec!["yes".to_owned()],
            rows: 2,
            base: vec![0.5],
            contributions: vec![1.0, -0.25, 0.0, f64::NAN],
        }
    }

    #[test]
    fn both_forms_say_the_same() {
        let plain = plain(&explanation(), 1000).unwrap();
        let expected = r#"{"explains":"margin","columns":["a","b"],"outputs":["yes"],"base":[0.5],"values":[[1.25],[null]],"contributions":[[[1.0,-0.25]],[[0.0,null]]]}"#;
        assert_eq!(String::from_utf8(plain).unwrap(), expected);
        let about = About { model: "m", version: "1", id: "x" };
        let tensors = open_inference(&about, &explanation(), 1000).unwrap();
        let tensors: Value = serde_json::from_slice(&tensors).unwrap();
        assert_eq!(tensors["outputs"][0]["shape"], json!([2, 1, 2]));
        assert_eq!(tensors["outputs"][0]["data"], json!([1.0, -0.25, 0.0, null]));
        assert_eq!(tensors["outputs"][3]["data"], json!(["a", "b"]));
        assert_eq!(tensors["parameters"]["explains"], "margin");
    }

    #[test]
    fn what_is_too_large_is_given_up() {
        assert!(plain(&explanation(), 20).is_err());
    }
}
