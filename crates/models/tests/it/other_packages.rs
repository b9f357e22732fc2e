//! Models of packages around scikit-learn: results of statsmodels, encoders of category_encoders.

use trainyard_models::{Error, load};

use crate::estimators::made;
use crate::support::{check, inputs, json};

/// Compares all models of a generator with what Python answered. Those that are named so are refused instead: when they
/// are loaded, by the words that stand for the answer, or row by row.
fn compare(script: &str, name: &str, at_least: usize) {
    let models = made(script, name);
    let (mut answered, mut refused, mut failures) = (0, 0, Vec::new());
    for path in &models {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let outcome = if name.starts_with("refused_") {
            refused += 1;
            let expected = json(&path.join("expected.json"));
            let words = expected["pyfunc_predict"].as_str().unwrap();
            match load(path) {
                Err(Error::Unsupported { what, hint }) if what.contains(words) => {
                    let says_how = hint.contains("Python workers");
                    says_how.then_some(()).ok_or_else(|| format!("no way on: {hint}"))
                }
                other => Err(format!("{words:?} is not what is refused: {other:?}")),
            }
        } else if name.starts_with("strict_") {
            refused += 1;
            let model = load(path).unwrap_or_else(|error| panic!("{name}: {error}"));
            let input = inputs(&json(&path.join("expected.json")));
            let answered = |row: &usize| model.predictor.predict(&input.slice(*row, 1)).is_ok();
            let first = (0..input.num_rows()).find(answered);
            first.map_or(Ok(()), |row| Err(format!("row {row} is answered")))
        } else {
            answered += 1;
            check(path)
        };
        if let Err(reason) = outcome {
            failures.push(format!("{name}: {reason}"));
        }
    }
    assert!(answered >= at_least, "only {answered} models were made");
    assert!(refused >= 5, "only {refused} models that are refused were made");
    assert!(failures.is_empty(), "{} models differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn results_of_statsmodels_answer_as_in_python_or_are_refused_at_load() {
    compare(include_str!("../python/results.py"), "results", 140);
}

#[test]
fn encoders_of_category_encoders_answer_as_in_python_or_are_refused_at_load() {
    let is_long = std::env::var_os("TRAINYARD_TEST_LONG").is_some();
    let (long, at_least) = if is_long { ("True", 450) } else { ("False", 150) };
    let script = format!("LONG = {long}\n{}", include_str!("../python/encoders.py"));
    compare(&script, "encoders", at_least);
}
