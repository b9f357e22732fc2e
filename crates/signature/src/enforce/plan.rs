//! A signature prepared for reading requests: what goes where, looked up once.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema as ArrowSchema, SchemaRef};

use super::names::{schema_text, shape_text};
use super::rejection::Rejection;
use crate::model::{ColSpec, DataType, JSON_TEXT, Schema, TensorSpec};

/// Columns beyond those of the model that a request may have. They are read past, so they are
/// nobody's data; but their names must be held to find the others.
pub(crate) const UNKNOWN_COLUMNS_MAX: usize = 10_000;

/// Up to this many columns a walk over the names is faster than a hash.
const WALK_MAX: usize = 8;

#[derive(Debug)]
pub(crate) enum Content {
    Column { data_type: DataType, required: bool },
    Tensor { dtype: String, shape: Vec<i64> },
}

/// One input of the signature.
#[derive(Debug)]
pub(crate) struct Input {
    /// Its name; its position in an unnamed signature.
    pub(crate) name: String,
    pub(crate) content: Content,
}

impl Input {
    fn width(&self) -> usize {
        match &self.content {
            Content::Column { .. } => 1,
            Content::Tensor { shape, .. } => {
                let fixed = shape.iter().skip(1).filter_map(|size| usize::try_from(*size).ok());
                fixed.fold(1, usize::saturating_mul)
            }
        }
    }

    /// Whether its values are JSON text in Arrow.
    fn is_json_text(&self) -> bool {
        match &self.content {
            Content::Column { data_type, .. } => data_type.is_json_text(),
            Content::Tensor { dtype, .. } => dtype == "object",
        }
    }

    pub(crate) fn is_required(&self) -> bool {
        match self.content {
            Content::Column { required, .. } => required,
            Content::Tensor { .. } => true,
        }
    }
}

/// All inputs of a signature.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) inputs: Vec<Input>,
    pub(crate) named: bool,
    /// Columns that are known by their position: they have no names, or those that pandas gives to
    /// columns without, 0, 1, 2, ….
    pub(crate) by_position: bool,
    pub(crate) tensors: bool,
    /// Columns that the model takes; of a tensor, the values of a row as far as the signature fixes them.
    pub(crate) width: usize,
    by_name: HashMap<String, usize>,
    /// The schema as MLflow prints it.
    pub(crate) text: String,
    /// Fields of every batch. A tensor's free dimensions are as long as the request says.
    pub(crate) arrow: SchemaRef,
}

impl Plan {
    pub(crate) fn new(schema: &Schema) -> Self {
        let (inputs, named): (Vec<Input>, bool) = match schema {
            Schema::Columns(columns) => {
                let input = |(position, column): (usize, &ColSpec)| Input {
                    name: column.name.clone().unwrap_or_else(|| position.to_string()),
                    content: Content::Column {
                        data_type: column.data_type.clone(),
                        required: column.required,
                    },
                };
                let named = columns.iter().any(|column| column.name.is_some());
                (columns.iter().enumerate().map(input).collect(), named)
            }
            Schema::Tensors(tensors) => {
                let input = |(position, tensor): (usize, &TensorSpec)| Input {
                    name: tensor.name.clone().unwrap_or_else(|| position.to_string()),
                    content: Content::Tensor {
                        dtype: tensor.dtype.clone(),
                        shape: tensor.shape.clone(),
                    },
                };
                let named = tensors.iter().any(|tensor| tensor.name.is_some());
                (tensors.iter().enumerate().map(input).collect(), named)
            }
        };
        let by_name =
            inputs.iter().enumerate().map(|(index, input)| (input.name.clone(), index)).collect();
        let are_positions =
            inputs.iter().enumerate().all(|(position, input)| input.name == position.to_string());
        let tensors = matches!(schema, Schema::Tensors(_));
        let width = inputs.iter().map(Input::width).fold(0, usize::saturating_add);
        // Every column is nullable here: a missing number is a null over a NaN even where the
        // signature requires the column.
        let field = |(field, input): (&Arc<Field>, &Input)| {
            let field = Field::clone(field).with_nullable(true);
            if !input.is_json_text() {
                return field;
            }
            field.with_metadata(HashMap::from([(JSON_TEXT.to_owned(), "true".to_owned())]))
        };
        let arrow = schema.arrow_schema();
        let fields: Vec<Field> = arrow.fields().iter().zip(&inputs).map(field).collect();
        Self {
            by_position: !tensors && are_positions,
            tensors,
            width,
            named,
            by_name,
            text: schema_text(schema),
            arrow: SchemaRef::new(ArrowSchema::new(fields)),
            inputs,
        }
    }

    /// The batch of these arrays, one an input.
    pub(crate) fn batch(
        &self,
        arrays: Vec<ArrayRef>,
        rows: usize,
    ) -> Result<RecordBatch, Rejection> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.arrow.clone(), arrays, &options)
            .map_err(|error| Rejection::invalid(&error))
    }

    /// Most columns of a request, known and unknown.
    pub(crate) fn width_max(&self) -> usize {
        self.width.saturating_add(UNKNOWN_COLUMNS_MAX)
    }

    /// Index of the input of this name. `hint` is the one that probably comes next: records
    /// mostly have their keys in the order of the signature.
    #[inline]
    pub(crate) fn lookup(&self, name: &str, hint: usize) -> Option<usize> {
        if self.inputs.get(hint).is_some_and(|input| input.name == name) {
            return Some(hint);
        }
        if self.inputs.len() <= WALK_MAX {
            return self.inputs.iter().position(|input| input.name == name);
        }
        self.by_name.get(name).copied()
    }

    /// MLflow's name of an input's type.
    pub(crate) fn type_of(&self, name: &str) -> Option<String> {
        let input = self.inputs.get(self.lookup(name, 0)?)?;
        Some(match &input.content {
            Content::Column { data_type, .. } => data_type.to_string(),
            Content::Tensor { dtype, shape } => {
                format!("Tensor('{dtype}', {})", shape_text(shape))
            }
        })
    }
}
