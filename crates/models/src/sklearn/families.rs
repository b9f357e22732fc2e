//! All families of estimators, by the kinds under which docs/models.md lists them.

use super::compose::IMBALANCED_PIPELINE;
use super::estimator::Fields;
use super::reader::{Boxed, Nested, Reader};
use super::{
    adaboost, bagging, bayes, bisecting, boosters, calibration, catboost, category_encoders, chain,
    compose, dict_vectorizer, discriminant, dummy, encoders, functions, impute, isotonic,
    kernel_features, kernel_ridge, knn_imputer, least_squares, linear, mixture, multiclass,
    multioutput, neighbours, network, power, preprocessing, projection, quantiles, search, select,
    spline, svm, target_encoder, text, threshold, transformed_target, trees, voting,
};
use crate::python::Value;
use crate::{Error, Result};

/// A kind of estimators.
struct Kind {
    name: &'static str,
    /// The only package that it is of, where others have classes of the same names.
    package: Option<&'static str>,
    families: &'static [&'static [Reader]],
}

const KINDS: &[Kind] = &[
    Kind {
        name: "linear",
        package: None,
        families: &[
            linear::READERS,
            discriminant::READERS,
            least_squares::READERS,
            isotonic::READERS,
        ],
    },
    Kind {
        name: "support vectors, kernels",
        package: None,
        families: &[svm::READERS, kernel_ridge::READERS, kernel_features::READERS],
    },
    Kind {
        name: "Bayes, neighbours, networks",
        package: None,
        families: &[bayes::READERS, neighbours::READERS, network::READERS, mixture::READERS],
    },
    Kind {
        name: "trees",
        package: None,
        families: &[
            trees::averaged::READERS,
            trees::gradient::READERS,
            trees::hist::READERS,
            trees::isolation::READERS,
        ],
    },
    Kind {
        name: "made of others",
        package: None,
        families: &[
            adaboost::READERS,
            bagging::READERS,
            voting::READERS,
            calibration::READERS,
            threshold::READERS,
            chain::READERS,
            multioutput::READERS,
            multiclass::READERS,
            transformed_target::READERS,
            search::READERS,
        ],
    },
    Kind { name: "steps", package: None, families: &[compose::READERS, functions::READERS] },
    Kind {
        name: "numbers",
        package: None,
        families: &[
            preprocessing::READERS,
            spline::READERS,
            quantiles::READERS,
            power::READERS,
            impute::READERS,
            knn_imputer::READERS,
            projection::READERS,
            bisecting::READERS,
        ],
    },
    Kind {
        name: "categories",
        package: None,
        families: &[encoders::READERS, target_encoder::READERS, dict_vectorizer::READERS],
    },
    Kind {
        name: "categories, of category_encoders",
        package: Some("category_encoders"),
        families: &[category_encoders::READERS],
    },
    Kind { name: "selection", package: None, families: &[select::READERS] },
    Kind { name: "text", package: None, families: &[text::READERS] },
    Kind {
        name: "others",
        package: None,
        families: &[dummy::READERS, boosters::READERS, catboost::READERS],
    },
];

/// The reader of a class, which has its module before its name.
pub(super) fn reader(class: &str) -> Option<&'static Reader> {
    let package = class.split('.').next().unwrap_or_default();
    // Of imbalanced-learn its pipeline, which predicts as scikit-learn's does.
    let is_usual = matches!(package, "sklearn" | "xgboost" | "lightgbm" | "catboost")
        || class == IMBALANCED_PIPELINE;
    let name = class.rsplit('.').next().unwrap_or_default();
    let kinds = KINDS.iter().filter(|kind| kind.package.map_or(is_usual, |of| of == package));
    let mut readers = kinds.flat_map(|kind| kind.families).copied().flatten();
    readers.find(|reader| reader.classes.split(' ').any(|class| class == name))
}

/// Reads a fitted estimator of any class.
pub(super) fn load(value: Value<'_>) -> Result<Boxed> {
    Nested::new(read).load(value)
}

fn read(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
    let class = fields.0.class().unwrap_or_default();
    let reader = reader(class).ok_or_else(|| Error::Unsupported {
        what: format!("estimator {class}"),
        hint: "serve the model with Python workers".to_owned(),
    })?;
    (reader.read)(fields, nested)
}

/// The estimators that are evaluated here as the table of docs/models.md, in Markdown. `*` stands for
/// Classifier and Regressor where there are both.
pub fn estimators_table() -> String {
    let rows = KINDS.iter().map(|kind| format!("| {} | {} |\n", kind.name, kind.entries()));
    format!("| kind | estimators |\n|---|---|\n{}", rows.collect::<String>())
}

impl Kind {
    fn entries(&self) -> String {
        let readers = || self.families.iter().copied().flatten();
        let classes = || readers().flat_map(|reader| reader.classes.split(' '));
        let is_there = |name: String| classes().any(|class| class == name);
        let shown = |name: &str| -> Option<String> {
            if let Some(stem) = name.strip_suffix("Classifier")
                && is_there(format!("{stem}Regressor"))
            {
                return Some(format!("{stem}*"));
            }
            let stem = name.strip_suffix("Regressor");
            let is_second = stem.is_some_and(|stem| is_there(format!("{stem}Classifier")));
            (!is_second && !name.starts_with('_')).then(|| name.to_owned())
        };
        let entries = readers().filter_map(|reader| {
            let names: Vec<String> = reader.classes.split(' ').filter_map(shown).collect();
            let note =
                if reader.note.is_empty() { String::new() } else { format!(" ({})", reader.note) };
            (!names.is_empty()).then(|| names.join(", ") + &note)
        });
        entries.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::reader;

    #[test]
    fn classes_are_those_of_their_packages() {
        for class in [
            "sklearn.pipeline.Pipeline",
            "xgboost.sklearn.XGBClassifier",
            "lightgbm.sklearn.LGBMRegressor",
            "catboost.core.CatBoostClassifier",
            "category_encoders.ordinal.OrdinalEncoder",
        ] {
            assert!(reader(class).is_some(), "{class}");
        }
        for class in ["mine.Pipeline", "category_encoders.Pipeline", "catboost.core.Pool"] {
            assert!(reader(class).is_none(), "{class}");
        }
    }
}
