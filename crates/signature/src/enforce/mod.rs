//! A request checked against a model's signature, straight into Arrow columns.
//!
//! [`Enforcer`] is made once for a model and reads any number of requests: JSON in MLflow's five
//! forms (`dataframe_split`, `dataframe_records`, `instances`, `inputs`, and for
//! [`Protocol::Predict`] the bare forms) or in the Open Inference Protocol's, CSV, or a table that has
//! types already. It walks the text and writes each value into the buffer of its column; there is no
//! tree in between. Everything that does not fit is reported, with column, row, value and expected type,
//! not only the first.
//!
//! What becomes of a value that is not quite of its type is decided by [`Casting`]. Missing
//! numbers are NaN under a null, so a model sees a missing value whichever of the two it looks at.
//!
//! Pure: no I/O, no clock, no global state.

mod buffer;
mod cast;
mod column;
mod context;
mod convert;
mod datetime;
mod enforcer;
mod forms;
mod inferred_schema;
mod names;
mod params;
mod plan;
mod protocol;
mod rejection;
mod request;
mod scalars;
mod table;
mod tensor;
mod tensor_table;
#[cfg(test)]
mod tests;
mod text_table;

pub use cast::Casting;
pub use context::Limits;
pub use enforcer::{Enforced, Enforcer};
pub use names::schema_text;
pub(crate) use names::shape_text;
pub use protocol::Protocol;
pub use rejection::{Rejection, Step, Violation};
