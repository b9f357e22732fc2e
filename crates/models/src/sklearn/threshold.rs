//! Classifiers of two classes with a threshold of their own: `FixedThresholdClassifier`,
//! `TunedThresholdClassifierCV`.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields};
use super::reader::{Boxed, Names, Nested, Reader};
use crate::Result;
use crate::python::Value;

pub(super) const READERS: &[Reader] =
    &[Reader::new("FixedThresholdClassifier TunedThresholdClassifierCV", Thresholded::read)
        .names(Names::Inner(&["estimator_"]))];

#[derive(Debug)]
struct Thresholded {
    member: Boxed,
    classes: Arc<Classes>,
    /// Which of the two classes scores count for.
    positive: usize,
    by_probability: bool,
    threshold: f64,
}

impl Thresholded {
    fn read(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
        // One that was fitted before is taken as it is.
        let member = fields.value("estimator_").or_else(|_| fields.value("estimator"))?;
        let member = nested.load(member)?;
        let classes = member.classes().cloned();
        let classes = classes.filter(|classes| classes.len() == 2);
        let classes = classes.ok_or_else(|| fields.malformed("there are not two classes"))?;
        let by_probability = match fields.text("response_method", "auto") {
            "auto" => member.has_proba(),
            "predict_proba" => true,
            "decision_function" => false,
            other => return Err(fields.unsupported(format!("response_method {other:?}"))),
        };
        let has_method = if by_probability { member.has_proba() } else { member.has_decision() };
        if !has_method {
            return Err(fields.unsupported("the score"));
        }
        let is_tuned = fields.optional("best_threshold_").is_some();
        let threshold = if is_tuned {
            fields.float("best_threshold_")?
        } else if fields.text("threshold", "") == "auto" {
            if by_probability { 0.5 } else { 0.0 }
        } else {
            fields.float("threshold")?
        };
        let positive = if is_tuned {
            tuned_for(fields, &classes)?
        } else {
            match fields.optional("pos_label") {
                Some(label) => place(fields, &classes, label)?,
                None => 1,
            }
        };
        Ok(Box::new(Self { member, classes, positive, by_probability, threshold }))
    }
}

/// The class that a search for the threshold took for the positive one: the scorer was told it, or takes 1 or
/// the second class.
fn tuned_for(fields: Fields<'_>, classes: &Classes) -> Result<usize> {
    let scorer = fields.value("_curve_scorer")?;
    let told = scorer.get("_kwargs").and_then(|arguments| arguments.get("pos_label"));
    if let Some(label) = told.filter(|label| !label.is_none()) {
        return place(fields, classes, label);
    }
    // Some measures look for the class 1 without being told, and files do not say which.
    if classes.number(0) == Some(1.0) {
        return Err(fields.unsupported("a scorer that does not say its positive class"));
    }
    Ok(1)
}

fn place(fields: Fields<'_>, classes: &Classes, label: Value<'_>) -> Result<usize> {
    let is_it = |at: &usize| match classes {
        Classes::Text(texts) => texts.get(*at).map(String::as_str) == label.text(),
        _ => classes.number(*at).is_some() && classes.number(*at) == label.float(),
    };
    let found = (0..classes.len()).find(is_it);
    found.ok_or_else(|| fields.malformed(format!("no class is {}", label.describe())))
}

impl Estimator for Thresholded {
    fn predict(&self, x: &Table) -> Result<Output> {
        let scores = if self.by_probability {
            self.member.predict_proba(x)?.column(self.positive)
        } else {
            let mut scores = self.member.decision_function(x)?.values;
            if self.positive == 0 {
                for score in &mut scores {
                    *score = -*score;
                }
            }
            scores
        };
        let label = |score: f64| {
            if score >= self.threshold { self.positive } else { 1 - self.positive }
        };
        Ok(Output::Labels(scores.into_iter().map(label).collect(), Arc::clone(&self.classes)))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        self.member.predict_proba(x)
    }

    fn predict_log_proba(&self, x: &Table) -> Result<Matrix> {
        self.member.predict_log_proba(x)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        self.member.decision_function(x)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        Some(&self.classes)
    }

    fn has_proba(&self) -> bool {
        self.member.has_proba()
    }

    fn has_decision(&self) -> bool {
        self.member.has_decision()
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        vec![&*self.member]
    }
}
