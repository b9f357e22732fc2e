//! A model folder of the `sklearn` flavor: an estimator and the method that answers.

use arrow_array::RecordBatch;

use super::category_encoders::frame_names;
use super::data::{Matrix, Output, Table, matrix_prediction};
use super::estimator::{Estimator, Fields};
use super::families::{load, reader};
use super::reader::{Boxed, Names};
use crate::fitted_names::FittedNames;
use crate::input::Input;
use crate::predictor::unexplained;
use crate::python::{self, Heap, Id, Value};
use crate::refusal::Refusal;
use crate::{Error, Explanation, Prediction, Predictor, Result};

/// A scikit-learn estimator with the method that answers.
#[derive(Debug)]
pub(crate) struct SklearnModel {
    estimator: Boxed,
    method: Method,
    /// Names of the columns that it was fitted to, if they had names.
    names: FittedNames,
    /// Names of the columns of what `transform` answers, where that is a data frame.
    frame: Option<Vec<String>>,
    /// What it is; of a search, what that found.
    class: String,
}

/// `predict_fn` of the flavor.
#[derive(Debug, Clone, Copy)]
enum Method {
    Predict,
    PredictProba,
    PredictLogProba,
    DecisionFunction,
    Transform,
}

/// Bytes of a model file to its root object.
pub(crate) fn read_object(bytes: &[u8], file: &str) -> Result<(Heap, Id)> {
    if let Some(compression) = python::packed::foreign_compression(bytes) {
        return Err(Error::Unsupported {
            what: format!("{file}, which is compressed with {compression},"),
            hint:
                "write it again: joblib.dump(model, FILE) without compress=, or with zlib or gzip"
                    .to_owned(),
        });
    }
    // A zip archive is skops; everything else is taken for a pickle.
    let read = |bytes: &[u8]| {
        if bytes.starts_with(b"PK\x03\x04") {
            return python::skops::read(bytes);
        }
        let content = python::packed::unpacked(bytes)?;
        python::pickle::read(&content)
    };
    read(bytes).map_err(|refusal| match refusal {
        Refusal::Foreign(what) => Error::Unsupported {
            what: format!("{file}: {what}, and"),
            hint: "Python workers run it, with what requirements.txt and code_paths of the model bring".to_owned(),
        },
        Refusal::Malformed(reason) => Error::Malformed { file: file.to_owned(), reason },
    })
}

impl SklearnModel {
    /// The estimator of a heap; `predict_fn` names its method.
    pub(crate) fn new(root: Value<'_>, predict_fn: &str) -> Result<Self> {
        let method = match predict_fn {
            "predict" => Method::Predict,
            "predict_proba" => Method::PredictProba,
            "predict_log_proba" => Method::PredictLogProba,
            "decision_function" => Method::DecisionFunction,
            "transform" => Method::Transform,
            other => {
                return Err(Error::Unsupported {
                    what: format!("predict_fn {other:?}"),
                    hint: "predict, predict_proba, predict_log_proba, decision_function and transform are evaluated here; Python workers call any method".to_owned(),
                });
            }
        };
        let estimator = load(root)?;
        let has_method = match method {
            Method::PredictProba | Method::PredictLogProba => estimator.has_proba(),
            Method::DecisionFunction => estimator.has_decision(),
            Method::Predict | Method::Transform => true,
        };
        if !has_method {
            return Err(Error::Unsupported {
                what: format!("predict_fn {predict_fn:?} of {}", root.describe()),
                hint: "log it with a method that it has, as pyfunc_predict_fn=\"predict\"; one that answers \
                       several tables is for Python workers"
                    .to_owned(),
            });
        }
        let class = Fields(found(root)).name().to_owned();
        check_method(&*estimator, method, &class)?;
        let frame = frame_names(root);
        let names = fitted_names(root).or_else(|| estimator.fitted_names());
        let names = FittedNames::new(names.unwrap_or_default());
        Ok(Self { estimator, method, names, frame, class })
    }
}

/// Refuses an estimator that does not have the method: what has it takes, or refuses, rows that are none.
fn check_method(estimator: &dyn Estimator, method: Method, class: &str) -> Result<()> {
    let nothing = || Matrix::zeros(0, 0).map(Table::Matrix);
    let asked = match method {
        Method::Predict => estimator.predict(&nothing()?).map(drop),
        Method::Transform => estimator.transform(nothing()?).map(drop),
        Method::PredictProba | Method::PredictLogProba | Method::DecisionFunction => Ok(()),
    };
    match asked {
        Err(Error::Unsupported { what, hint }) => {
            Err(Error::Unsupported { what: format!("{what}, {class},"), hint })
        }
        _ => Ok(()),
    }
}

/// The estimator that a search found, or the estimator itself.
fn found(root: Value<'_>) -> Value<'_> {
    root.get("best_estimator_").map_or(root, found)
}

impl Predictor for SklearnModel {
    fn predict(&self, input: &RecordBatch) -> Result<Prediction> {
        let input = self.names.arrange(input)?;
        let x = Table::from_batch(&input, self.estimator.takes_frame())?;
        match self.method {
            Method::Predict => self.estimator.predict(&x)?.prediction(),
            Method::PredictProba => Ok(matrix_prediction(self.estimator.predict_proba(&x)?)),
            Method::PredictLogProba => Ok(matrix_prediction(self.estimator.predict_log_proba(&x)?)),
            Method::DecisionFunction => {
                let answers = self.estimator.decision_function(&x)?;
                if answers.columns == 1 {
                    Output::Values(answers.values).prediction()
                } else {
                    Ok(matrix_prediction(answers))
                }
            }
            Method::Transform => {
                let answers = self.estimator.transform(x)?;
                if let Some(names) = &self.frame {
                    return answers.named(names);
                }
                match answers.all_text() {
                    Some(text) => Ok(text),
                    None => Ok(matrix_prediction(answers.matrix()?.into_owned())),
                }
            }
        }
    }

    fn explain(
        &self,
        input: &RecordBatch,
        background: Option<&RecordBatch>,
    ) -> Result<Explanation> {
        let input = self.names.arrange(input)?;
        let as_frame = self.estimator.takes_frame();
        let x = Table::from_batch(&input, as_frame)?;
        let background = match background {
            Some(rows) => Some(Table::from_batch(self.names.arrange(rows)?.as_ref(), as_frame)?),
            None => None,
        };
        let contributions = match self.method {
            Method::Transform => None,
            _ => self.estimator.explain(&x, background.as_ref()),
        };
        let contributions = contributions.unwrap_or_else(|| Err(unexplained(&self.class)))?;
        let names = self.estimator.classes().map(|classes| classes.names()).unwrap_or_default();
        Ok(contributions.named(x.rows(), Input::new(&input).names(), &names))
    }

    fn takes_text(&self) -> bool {
        self.estimator.takes_frame()
    }

    fn classes(&self) -> Option<Vec<String>> {
        matches!(self.method, Method::PredictProba | Method::PredictLogProba)
            .then(|| self.estimator.classes().map(|classes| classes.names()))
            .flatten()
    }

    fn knows_names(&self) -> bool {
        self.names.are_known() || self.estimator.takes_frame()
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.estimator.size_bytes()
    }
}

/// Names of the columns that the estimator was fitted to which looks at them: the model itself, or one that it
/// hands its input on to.
fn fitted_names(value: Value<'_>) -> Option<Vec<String>> {
    let own = || Fields(value).column_names();
    match reader(value.class()?)?.names {
        Names::Own => own(),
        Names::Picked | Names::Unseen => None,
        Names::Steps => fitted_names(first_to_look(value)?),
        Names::Inner(path) => match inner(value, path).as_slice() {
            [] => own(),
            several => several.iter().copied().find_map(fitted_names),
        },
    }
}

/// The first step of a pipeline that looks at names.
fn first_to_look(pipeline: Value<'_>) -> Option<Value<'_>> {
    let steps = pipeline.get("steps")?.items()?.into_iter();
    let mut steps = steps.filter_map(|step| step.items()?.get(1).copied());
    steps.find(|step| {
        let names = step.class().and_then(reader).map(|reader| reader.names);
        names.is_some_and(|names| !matches!(names, Names::Unseen))
    })
}

/// What the attributes of this path lead to, through lists to each of their items.
fn inner<'a>(value: Value<'a>, path: &[&str]) -> Vec<Value<'a>> {
    path.iter().fold(vec![value], |found, name| {
        let next = found.into_iter().filter_map(|value| value.get(name));
        next.flat_map(|value| value.items().unwrap_or_else(|| vec![value])).collect()
    })
}
