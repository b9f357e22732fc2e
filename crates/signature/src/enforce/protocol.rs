//! In which words a JSON request is written.

/// How a JSON body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// MLflow's scoring protocol: an object with one of the four keys. Binary columns are base64
    /// in data frames only, as upstream reads them.
    Invocations,
    /// The same, and without a key around them: a list of records, a split, or an object of
    /// columns (a single record is one of those). Binary columns are always base64.
    Predict,
    /// The Open Inference Protocol, version 2: tensors with a shape and a datatype. Binary columns are
    /// always base64.
    OpenInference,
}
