//! scikit-learn's estimators, evaluated from their fitted attributes.
//!
//! One file for each family. Answers are computed in the order and type that scikit-learn computes them,
//! so that they agree to the last digits and exactly where values sit on thresholds.

mod adaboost;
mod bagging;
mod bayes;
mod bisecting;
mod boosters;
mod calibration;
mod compose;
mod data;
mod dummy;
mod encoders;
mod estimator;
mod functions;
mod importance;
mod impute;
mod knn_imputer;
mod linear;
mod matrix;
mod members;
mod multiclass;
mod multioutput;
mod nearest;
mod neighbours;
mod network;
mod output;
mod power;
mod preprocessing;
mod projection;
mod quantiles;
mod select;
mod sparse;
mod svm;
mod target;
mod text;
mod tokens;
mod trees;
mod voting;

use std::borrow::Cow;

use arrow_array::RecordBatch;

use crate::input::Input;
use crate::python::{self, Heap, Id, Value};
use crate::{Error, Prediction, Predictor, Result};
use data::{Classes, Output, Table, matrix_prediction};
use estimator::{Estimator, Fields};

/// A scikit-learn estimator with the method that answers.
#[derive(Debug)]
pub(crate) struct SklearnModel {
    estimator: Box<dyn Estimator>,
    method: Method,
    /// Whether the model looks at names or text of columns.
    needs_frame: bool,
    /// Names of the columns that it was fitted to, if they had names.
    names: Option<Vec<String>>,
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
    // A zip archive is skops; everything else is taken for a pickle.
    let read =
        if bytes.starts_with(b"PK\x03\x04") { python::skops::read } else { python::pickle::read };
    read(bytes).map_err(|reason| {
        if reason.contains("models are made of here") {
            return Error::Unsupported {
                what: format!("{file}: {reason}, and"),
                hint: "models of your own classes and functions run in Python workers".to_owned(),
            };
        }
        Error::Malformed { file: file.to_owned(), reason }
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
                    hint: "predict, predict_proba, predict_log_proba, decision_function and transform are".to_owned(),
                });
            }
        };
        let estimator = load(root, 0)?;
        let has_method = match method {
            Method::PredictProba | Method::PredictLogProba => estimator.has_proba(),
            Method::DecisionFunction => estimator.has_decision(),
            Method::Predict | Method::Transform => true,
        };
        if !has_method {
            return Err(Error::Unsupported {
                what: format!("predict_fn {predict_fn:?} of {}", root.describe()),
                hint: "the model has no such method, or one that answers no single table"
                    .to_owned(),
            });
        }
        let (needs_frame, names) = (needs_frame(root, 0), fitted_names(root, 0));
        Ok(Self { estimator, method, needs_frame, names })
    }
}

impl Predictor for SklearnModel {
    fn predict(&self, input: &RecordBatch) -> Result<Prediction> {
        let input = match &self.names {
            Some(names) => Input::arranged(input, names)?,
            None => Cow::Borrowed(input),
        };
        let x = Table::from_batch(&input, self.needs_frame)?;
        match self.method {
            Method::Predict => self.estimator.predict(&x)?.prediction(),
            Method::PredictProba => Ok(matrix_prediction(self.estimator.predict_proba(&x)?)),
            Method::PredictLogProba => {
                let mut answers = self.estimator.predict_proba(&x)?;
                answers.values.iter_mut().for_each(|x| *x = x.ln());
                Ok(matrix_prediction(answers))
            }
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
                match answers.all_text() {
                    Some(text) => Ok(text),
                    None => Ok(matrix_prediction(answers.matrix()?.into_owned())),
                }
            }
        }
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.estimator.size_bytes()
    }
}

/// Names of the columns that the first estimator to look at them was fitted to. Column transformers pick
/// theirs from whatever there is.
fn fitted_names(value: Value<'_>, depth: usize) -> Option<Vec<String>> {
    let fields = Fields(value);
    if depth > MAX_DEPTH {
        return None;
    }
    match fields.name() {
        "ColumnTransformer" => None,
        "Pipeline" => {
            let steps = fields.items("steps").ok()?.into_iter();
            let steps = steps.filter_map(|step| step.items()?.get(1).copied());
            let looks = |step: &Value<'_>| {
                step.class().is_some() && Fields(*step).name() != "FunctionTransformer"
            };
            fitted_names(steps.into_iter().find(looks)?, depth + 1)
        }
        "GridSearchCV" | "RandomizedSearchCV" | "HalvingGridSearchCV" | "HalvingRandomSearchCV" => {
            fitted_names(fields.optional("best_estimator_")?, depth + 1)
        }
        _ => match &*fields
            .optional("feature_names_in_")
            .and(fields.classes("feature_names_in_").ok())?
        {
            Classes::Text(names) => Some(names.clone()),
            _ => None,
        },
    }
}

/// Whether any part of the model takes columns by name or as text.
fn needs_frame(value: Value<'_>, depth: usize) -> bool {
    const PARTS: [&str; 9] = [
        "steps",
        "transformer_list",
        "estimators_",
        "estimator",
        "_preprocessor",
        "best_estimator_",
        "estimator_",
        "estimators",
        "calibrated_classifiers_",
    ];
    const TAKES_FRAMES: [&str; 12] = [
        "ColumnTransformer",
        "OneHotEncoder",
        "OrdinalEncoder",
        "TargetEncoder",
        "SimpleImputer",
        "CountVectorizer",
        "TfidfVectorizer",
        "HashingVectorizer",
        "LabelEncoder",
        "FunctionTransformer",
        "DummyClassifier",
        "DummyRegressor",
    ];
    let Some(class) = value.class() else {
        return depth < 8
            && value.items().is_some_and(|items| {
                items.into_iter().take(64).any(|item| needs_frame(item, depth + 1))
            });
    };
    if TAKES_FRAMES.iter().any(|name| class.ends_with(&format!(".{name}"))) {
        return true;
    }
    depth < 8
        && PARTS.iter().filter_map(|part| value.get(part)).any(|part| needs_frame(part, depth + 1))
}

/// Depth to which estimators hold each other: pipelines in ensembles in pipelines.
const MAX_DEPTH: usize = 30;

/// Makes an estimator; `depth` counts how deep estimators hold each other.
fn load(value: Value<'_>, depth: usize) -> Result<Box<dyn Estimator>> {
    let fields = Fields(value);
    let Some(class) = value.class() else {
        return Err(Error::Unsupported {
            what: format!("a model that is {}", value.describe()),
            hint: "a fitted scikit-learn estimator is expected".to_owned(),
        });
    };
    if depth > MAX_DEPTH {
        return Err(fields.malformed(format!("estimators hold each other deeper than {MAX_DEPTH}")));
    }
    if class.starts_with("xgboost.") || class.starts_with("lightgbm.") {
        return boosters::load(fields);
    }
    if !class.starts_with("sklearn.") {
        return Err(unknown(class));
    }
    match fields.name() {
        "LinearRegression"
        | "Ridge"
        | "RidgeCV"
        | "Lasso"
        | "LassoCV"
        | "ElasticNet"
        | "ElasticNetCV"
        | "SGDRegressor"
        | "LinearSVR"
        | "HuberRegressor"
        | "BayesianRidge"
        | "ARDRegression"
        | "Lars"
        | "LarsCV"
        | "LassoLars"
        | "LassoLarsCV"
        | "LassoLarsIC"
        | "OrthogonalMatchingPursuit"
        | "TheilSenRegressor"
        | "QuantileRegressor"
        | "PassiveAggressiveRegressor"
        | "MultiTaskLasso"
        | "MultiTaskElasticNet"
        | "PoissonRegressor"
        | "GammaRegressor"
        | "TweedieRegressor" => linear::regressor(fields),
        "LogisticRegression"
        | "LogisticRegressionCV"
        | "RidgeClassifier"
        | "RidgeClassifierCV"
        | "Perceptron"
        | "PassiveAggressiveClassifier"
        | "LinearSVC"
        | "SGDClassifier"
        | "LinearDiscriminantAnalysis" => linear::classifier(fields),
        "DecisionTreeClassifier"
        | "DecisionTreeRegressor"
        | "ExtraTreeClassifier"
        | "ExtraTreeRegressor"
        | "RandomForestClassifier"
        | "RandomForestRegressor"
        | "ExtraTreesClassifier"
        | "ExtraTreesRegressor" => trees::averaged(fields),
        "GradientBoostingClassifier" | "GradientBoostingRegressor" => trees::boosted(fields, depth),
        "HistGradientBoostingClassifier" | "HistGradientBoostingRegressor" => {
            trees::hist_boosted(fields, depth)
        }
        "SGDOneClassSVM" => linear::one_class(fields),
        "IsolationForest" => trees::isolation(fields),
        "SVC" | "NuSVC" | "SVR" | "NuSVR" | "OneClassSVM" => svm::load(fields),
        "GaussianNB" | "BernoulliNB" | "MultinomialNB" | "ComplementNB" => {
            bayes::naive_bayes(fields)
        }
        "KNeighborsClassifier" | "KNeighborsRegressor" => neighbours::load(fields),
        "MLPClassifier" | "MLPRegressor" => network::network(fields),
        "DummyClassifier" | "DummyRegressor" => dummy::dummy(fields),
        "KMeans" | "MiniBatchKMeans" => projection::centres(fields),
        "BisectingKMeans" => bisecting::bisecting(fields),
        "PCA" | "IncrementalPCA" | "TruncatedSVD" => projection::projection(fields),
        _ => load_compound(fields, class, depth),
    }
}

fn load_compound(fields: Fields<'_>, class: &str, depth: usize) -> Result<Box<dyn Estimator>> {
    match fields.name() {
        "Pipeline" => compose::pipeline(fields, depth),
        "ColumnTransformer" => compose::column_transformer(fields, depth),
        "FeatureUnion" => compose::feature_union(fields, depth),
        "FunctionTransformer" => functions::transformer(fields),
        "StandardScaler" | "MinMaxScaler" | "MaxAbsScaler" | "RobustScaler" => {
            preprocessing::scaler(fields)
        }
        "Normalizer" => preprocessing::normalizer(fields),
        "Binarizer" => preprocessing::binarizer(fields),
        "PolynomialFeatures" => preprocessing::polynomial(fields),
        "PowerTransformer" => power::power(fields),
        "VarianceThreshold"
        | "SelectKBest"
        | "SelectPercentile"
        | "SelectFpr"
        | "SelectFwe"
        | "RFE"
        | "RFECV"
        | "SelectFromModel"
        | "SequentialFeatureSelector" => select::selector(fields, depth),
        "QuantileTransformer" => quantiles::transformer(fields),
        "KBinsDiscretizer" => quantiles::discretizer(fields),
        "KNNImputer" => knn_imputer::load(fields),
        "MissingIndicator" => impute::indicator(fields),
        "CountVectorizer" | "TfidfVectorizer" | "HashingVectorizer" => text::vectorizer(fields),
        "TfidfTransformer" => text::weights(fields),
        "LabelEncoder" => encoders::label(fields),
        "OneHotEncoder" => encoders::one_hot(fields),
        "OrdinalEncoder" => encoders::ordinal(fields),
        "TargetEncoder" => target::target(fields),
        "SimpleImputer" => impute::imputer(fields),
        "GridSearchCV" | "RandomizedSearchCV" | "HalvingGridSearchCV" | "HalvingRandomSearchCV" => {
            load(fields.value("best_estimator_")?, depth + 1)
        }
        _ => load_ensemble(fields, class, depth),
    }
}

fn load_ensemble(fields: Fields<'_>, class: &str, depth: usize) -> Result<Box<dyn Estimator>> {
    Ok(match fields.name() {
        "VotingClassifier" | "VotingRegressor" => Box::new(voting::Voting::read(fields, depth)?),
        "StackingClassifier" | "StackingRegressor" => {
            Box::new(voting::Stacking::read(fields, depth)?)
        }
        "BaggingClassifier" | "BaggingRegressor" => {
            Box::new(bagging::Bagging::read(fields, depth)?)
        }
        "AdaBoostClassifier" => Box::new(adaboost::AdaBoost::read(fields, depth)?),
        "AdaBoostRegressor" => Box::new(adaboost::AdaBoostRegressor::read(fields, depth)?),
        "OneVsRestClassifier" => Box::new(multiclass::OneVsRest::read(fields, depth)?),
        "OneVsOneClassifier" => Box::new(multiclass::OneVsOne::read(fields, depth)?),
        "_ConstantPredictor" => multiclass::Constant::read(fields)?,
        "MultiOutputClassifier" | "MultiOutputRegressor" => {
            Box::new(multioutput::MultiOutput(members::members(fields, "estimators_", depth)?))
        }
        "CalibratedClassifierCV" => Box::new(calibration::Calibrated::read(fields, depth)?),
        "TransformedTargetRegressor" => functions::transformed_target(fields, depth)?,
        "FrozenEstimator" => load(fields.value("estimator")?, depth + 1)?,
        _ => return Err(unknown(class)),
    })
}

fn unknown(class: &str) -> Error {
    Error::Unsupported {
        what: format!("estimator {class}"),
        hint: "serve the model with Python workers, or log it as ONNX".to_owned(),
    }
}
