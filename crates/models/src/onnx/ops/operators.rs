//! The operators: from a node of the graph to the [`Kernel`] that runs it.

use super::elementwise::{Binary, Cast, Clip, Unary, Where};
use super::features::{
    ArrayFeatureExtractor, Binarizer, CategoryMapper, Dictionary, FeatureVectorizer, Imputer,
    Normalizer, OneHotEncoder, Scaler, ZipMap,
};
use super::linear_algebra::{Gemm, MatMul};
use super::normalization::{BatchNormalization, LpNormalization};
use super::reduce::{ArgExtreme, CumSum, Fold, Reduce, Softmax, TopK};
use super::shaping::{
    Concat, Constant, ConstantOfShape, Expand, Flatten, Gather, GatherElements, Reshape, Shape,
    Size, Slice, Split, Squeeze, Tile, Transpose, Unsqueeze,
};
use super::{linear, trees};

use super::super::attributes::Attributes;
use super::super::kernel::Kernel;
use super::super::proto::NodeProto;
use super::super::tensor::{Data, Outcome, Tensor, Type};

/// What an operator needs to know of the graph around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// Version of the standard operator set.
    pub(crate) opset: i64,
    /// Whether doubles flow anywhere in the graph.
    pub(crate) doubles: bool,
}

/// The kernel of a node; `None` when the operator is not known here.
pub(crate) fn kernel(node: &NodeProto, context: Context) -> Outcome<Option<Box<dyn Kernel>>> {
    let attributes = Attributes(node);
    match node.domain.as_str() {
        "" | "ai.onnx" => {
            if let Some(kernel) = plain(&node.op_type, attributes)? {
                return Ok(Some(kernel));
            }
            if let Some(kernel) = shaping_op(node, attributes)? {
                return Ok(Some(kernel));
            }
            ordering(&node.op_type, attributes, context)
        }
        "ai.onnx.ml" => classical(&node.op_type, attributes, context),
        _ => Ok(None),
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it shortens the tables below, whose entries are options"
)]
fn boxed(kernel: impl Kernel + 'static) -> Option<Box<dyn Kernel>> {
    Some(Box::new(kernel))
}

fn plain(op_type: &str, attributes: Attributes<'_>) -> Outcome<Option<Box<dyn Kernel>>> {
    Ok(match op_type {
        "Add" | "Sum" => boxed(Binary::Add),
        "Sub" => boxed(Binary::Sub),
        "Mul" => boxed(Binary::Mul),
        "Div" => boxed(Binary::Div),
        "Pow" => boxed(Binary::Pow),
        "Mod" => boxed(Binary::Mod),
        "Max" => boxed(Binary::Max),
        "Min" => boxed(Binary::Min),
        "Equal" => boxed(Binary::Equal),
        "Less" => boxed(Binary::Less),
        "LessOrEqual" => boxed(Binary::LessOrEqual),
        "Greater" => boxed(Binary::Greater),
        "GreaterOrEqual" => boxed(Binary::GreaterOrEqual),
        "And" => boxed(Binary::And),
        "Or" => boxed(Binary::Or),
        "Xor" => boxed(Binary::Xor),
        "Where" => boxed(Where),
        "Neg" => boxed(Unary::Neg),
        "Abs" => boxed(Unary::Abs),
        "Sqrt" => boxed(Unary::Sqrt),
        "Reciprocal" => boxed(Unary::Reciprocal),
        "Exp" => boxed(Unary::Exp),
        "Log" => boxed(Unary::Log),
        "Sigmoid" => boxed(Unary::Sigmoid),
        "Tanh" => boxed(Unary::Tanh),
        "Relu" => boxed(Unary::Relu),
        "LeakyRelu" => boxed(Unary::LeakyRelu(attributes.float("alpha", 0.01))),
        "PRelu" => boxed(Binary::PRelu),
        "Elu" => boxed(Unary::Elu(attributes.float("alpha", 1.0), 1.0)),
        "Selu" => boxed(Unary::Elu(
            attributes.float("alpha", 1.673_263_2),
            attributes.float("gamma", 1.050_701),
        )),
        "Softplus" => boxed(Unary::Softplus),
        "Erf" => boxed(Unary::Erf),
        "Floor" => boxed(Unary::Floor),
        "Ceil" => boxed(Unary::Ceil),
        "Round" => boxed(Unary::Round),
        "Sign" => boxed(Unary::Sign),
        "Not" => boxed(Unary::Not),
        "IsNaN" => boxed(Unary::IsNaN),
        "Sin" => boxed(Unary::Sin),
        "Cos" => boxed(Unary::Cos),
        "Identity" => boxed(Unary::Identity),
        "MatMul" => boxed(MatMul),
        "Gemm" => boxed(Gemm {
            alpha: attributes.float("alpha", 1.0),
            beta: attributes.float("beta", 1.0),
            transpose_a: attributes.int("transA", 0) != 0,
            transpose_b: attributes.int("transB", 0) != 0,
        }),
        "Clip" => {
            let bound = |name| attributes.has(name).then(|| f64::from(attributes.float(name, 0.0)));
            boxed(Clip { min: bound("min"), max: bound("max") })
        }
        "Cast" => {
            let to = attributes.int("to", 0);
            let to = i32::try_from(to)
                .ok()
                .and_then(Type::from_onnx)
                .ok_or_else(|| format!("cast to element type {to}"))?;
            boxed(Cast { to })
        }
        _ => None,
    })
}

fn shaping_op(node: &NodeProto, attributes: Attributes<'_>) -> Outcome<Option<Box<dyn Kernel>>> {
    let ints = |name: &str| attributes.ints(name).to_vec();
    Ok(match node.op_type.as_str() {
        "Reshape" => {
            boxed(Reshape { allow_zero: attributes.int("allowzero", 0) != 0, shape: ints("shape") })
        }
        "Flatten" => boxed(Flatten { axis: attributes.int("axis", 1) }),
        "Squeeze" => boxed(Squeeze { axes: ints("axes") }),
        "Unsqueeze" => boxed(Unsqueeze { axes: ints("axes") }),
        "Transpose" => boxed(Transpose { permutation: ints("perm") }),
        "Concat" => boxed(Concat { axis: attributes.int("axis", 1) }),
        "Gather" => boxed(Gather { axis: attributes.int("axis", 0) }),
        "GatherElements" => boxed(GatherElements { axis: attributes.int("axis", 0) }),
        "Slice" => boxed(Slice { starts: ints("starts"), ends: ints("ends"), axes: ints("axes") }),
        "Shape" => {
            let end = attributes.has("end").then(|| attributes.int("end", 0));
            boxed(Shape { start: attributes.int("start", 0), end })
        }
        "Size" => boxed(Size),
        "Expand" => boxed(Expand),
        "Tile" => boxed(Tile),
        "Split" => boxed(Split {
            axis: attributes.int("axis", 0),
            sizes: ints("split"),
            parts: node.output.len(),
        }),
        "Constant" => boxed(Constant(constant(attributes)?)),
        "ConstantOfShape" => {
            let value =
                attributes.tensor("value")?.unwrap_or_else(|| Tensor::vector(Data::F32(vec![0.0])));
            if value.data.len() != 1 {
                return Err("the value is not a single one".into());
            }
            boxed(ConstantOfShape(value))
        }
        _ => None,
    })
}

fn constant(attributes: Attributes<'_>) -> Outcome<Tensor> {
    let scalar = |data| Tensor::new(vec![], data);
    if let Some(tensor) = attributes.tensor("value")? {
        Ok(tensor)
    } else if attributes.has("value_float") {
        scalar(Data::F32(vec![attributes.float("value_float", 0.0)]))
    } else if attributes.has("value_int") {
        scalar(Data::I64(vec![attributes.int("value_int", 0)]))
    } else if attributes.has("value_string") {
        scalar(Data::Text(vec![attributes.string("value_string", "")?]))
    } else if attributes.has("value_floats") {
        Ok(Tensor::vector(Data::F32(attributes.floats("value_floats").to_vec())))
    } else if attributes.has("value_ints") {
        Ok(Tensor::vector(Data::I64(attributes.ints("value_ints").to_vec())))
    } else if attributes.has("value_strings") {
        Ok(Tensor::vector(Data::Text(attributes.strings("value_strings")?)))
    } else {
        Err("a constant without a dense value".into())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the same form as the other tables")]
fn ordering(
    op_type: &str,
    attributes: Attributes<'_>,
    context: Context,
) -> Outcome<Option<Box<dyn Kernel>>> {
    let fold = match op_type {
        "ReduceSum" => Some(Fold::Sum),
        "ReduceMean" => Some(Fold::Mean),
        "ReduceMax" => Some(Fold::Max),
        "ReduceMin" => Some(Fold::Min),
        "ReduceProd" => Some(Fold::Prod),
        "ReduceL1" => Some(Fold::L1),
        "ReduceL2" => Some(Fold::L2),
        "ReduceSumSquare" => Some(Fold::SumSquare),
        "ReduceLogSumExp" => Some(Fold::LogSumExp),
        _ => None,
    };
    if let Some(fold) = fold {
        return Ok(boxed(Reduce {
            fold,
            axes: attributes.ints("axes").to_vec(),
            keep: attributes.int("keepdims", 1) != 0,
            noop_with_empty_axes: attributes.int("noop_with_empty_axes", 0) != 0,
        }));
    }
    Ok(match op_type {
        "ArgMax" | "ArgMin" => boxed(ArgExtreme {
            axis: attributes.int("axis", 0),
            keep: attributes.int("keepdims", 1) != 0,
            max: op_type == "ArgMax",
            last: attributes.int("select_last_index", 0) != 0,
        }),
        "TopK" => boxed(TopK {
            axis: attributes.int("axis", -1),
            largest: attributes.int("largest", 1) != 0,
            k: attributes.int("k", 0),
        }),
        "Softmax" | "LogSoftmax" => {
            let as_matrix = context.opset < 13;
            boxed(Softmax {
                axis: attributes.int("axis", if as_matrix { 1 } else { -1 }),
                as_matrix,
                log: op_type == "LogSoftmax",
            })
        }
        "BatchNormalization" if attributes.int("training_mode", 0) == 0 => {
            boxed(BatchNormalization { epsilon: attributes.float("epsilon", 1e-5) })
        }
        // Other axes, of tensors that are no tables, are left to ONNX Runtime.
        "LpNormalization" if matches!(attributes.int("axis", -1), -1 | 1) => {
            boxed(LpNormalization { by_sum: attributes.int("p", 2) == 1 })
        }
        "CumSum" => boxed(CumSum {
            exclusive: attributes.int("exclusive", 0) != 0,
            reverse: attributes.int("reverse", 0) != 0,
        }),
        _ => None,
    })
}

fn classical(
    op_type: &str,
    attributes: Attributes<'_>,
    context: Context,
) -> Outcome<Option<Box<dyn Kernel>>> {
    Ok(Some(match op_type {
        "TreeEnsembleClassifier" => trees::classifier(attributes, context.doubles)?,
        "TreeEnsembleRegressor" => trees::regressor(attributes, context.doubles)?,
        "TreeEnsemble" => trees::ensemble(attributes, context.doubles)?,
        "LinearClassifier" => linear::linear_classifier(attributes)?,
        "LinearRegressor" => linear::linear_regressor(attributes)?,
        "SVMClassifier" => linear::svm_classifier(attributes)?,
        "SVMRegressor" => linear::svm_regressor(attributes)?,
        "Scaler" => Scaler::read(attributes)?,
        "Imputer" => Imputer::read(attributes)?,
        "OneHotEncoder" => OneHotEncoder::read(attributes)?,
        "LabelEncoder" => Dictionary::label_encoder(attributes)?,
        "CategoryMapper" => CategoryMapper::read(attributes)?,
        "Normalizer" => Normalizer::read(attributes)?,
        "Binarizer" => Box::new(Binarizer { threshold: attributes.float("threshold", 0.0) }),
        "ArrayFeatureExtractor" => Box::new(ArrayFeatureExtractor),
        "FeatureVectorizer" => Box::new(FeatureVectorizer),
        "ZipMap" => ZipMap::read(attributes)?,
        _ => return Ok(None),
    }))
}
