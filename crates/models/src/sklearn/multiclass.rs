//! Many classes or labels by estimators of two: one against the rest, one against one.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, both, confidences_and_votes, labels_of_scores};
use super::members::{members, parts};
use super::reader::{Boxed, Names, Nested, Reader};
use crate::Result;

pub(super) const READERS: &[Reader] = &[
    Reader::new("OneVsRestClassifier", OneVsRest::read)
        .note("also several labels")
        .names(Names::Inner(&["estimators_"])),
    Reader::new("OneVsOneClassifier", OneVsOne::read),
    Reader::new("_ConstantPredictor", |fields, _| Constant::read(fields)),
];

/// A class that was always or never there.
#[derive(Debug)]
struct Constant(f64);

impl Constant {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        Ok(Box::new(Self(fields.float("y_")?)))
    }
}

impl Estimator for Constant {
    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        Ok(Matrix::new(x.rows(), 1, vec![self.0; x.rows()]))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        Ok(both(std::iter::repeat_n(self.0, x.rows()), x.rows()))
    }

    fn has_proba(&self) -> bool {
        true
    }

    fn has_decision(&self) -> bool {
        true
    }
}

/// What a member of two classes says for its second one.
fn score(member: &dyn Estimator, x: &Table) -> Result<Matrix> {
    if member.has_decision() {
        member.decision_function(x)
    } else {
        member.predict_proba(x)?.select(&[1])
    }
}

#[derive(Debug)]
struct OneVsRest {
    members: Vec<Boxed>,
    classes: Arc<Classes>,
    /// Each class is a label of its own, and a row can have any number of them.
    multilabel: bool,
}

impl OneVsRest {
    fn read(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
        let binarizer = Fields(fields.value("label_binarizer_")?);
        let members = members(fields, "estimators_", nested)?;
        let classes = binarizer.classes("classes_")?;
        let multilabel = binarizer.text("y_type_", "multiclass").starts_with("multilabel");
        // Of two classes one member says both.
        let expected = if classes.len() == 2 && !multilabel { 1 } else { classes.len() };
        fields.check_length("estimators_", members.len(), expected)?;
        Ok(Box::new(Self { members, classes, multilabel }))
    }

    /// One column for each member.
    fn scores(&self, x: &Table) -> Result<Matrix> {
        let columns = self.members.iter().map(|member| score(&**member, x));
        Matrix::beside(&columns.collect::<Result<Vec<_>>>()?, x.rows())
    }
}

impl Estimator for OneVsRest {
    fn predict(&self, x: &Table) -> Result<Output> {
        let threshold = if self.members.first().is_some_and(|member| member.has_decision()) {
            0.0
        } else {
            0.5
        };
        if self.multilabel {
            return Ok(Output::present(&self.scores(x)?, threshold));
        }
        Ok(Output::Labels(labels_of_scores(&self.scores(x)?, threshold), Arc::clone(&self.classes)))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let columns = self.members.iter().map(|member| member.predict_proba(x)?.select(&[1]));
        let mut shares = Matrix::beside(&columns.collect::<Result<Vec<_>>>()?, x.rows())?;
        if self.multilabel {
            return Ok(shares);
        }
        if shares.columns == 1 {
            return Ok(both(shares.values.iter().copied(), shares.rows));
        }
        // Rows that no member wants stay zero.
        for row in shares.each_row_mut() {
            let sum: f64 = row.iter().sum();
            if sum != 0.0 {
                for share in row.iter_mut() {
                    *share /= sum;
                }
            }
        }
        Ok(shares)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        self.scores(x)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        Some(&self.classes)
    }

    fn has_proba(&self) -> bool {
        self.members.iter().all(|member| member.has_proba())
    }

    fn has_decision(&self) -> bool {
        self.members.iter().all(|member| member.has_decision())
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        parts(&self.members)
    }
}

/// `OneVsOneClassifier`
#[derive(Debug)]
struct OneVsOne {
    members: Vec<Boxed>,
    classes: Arc<Classes>,
}

impl OneVsOne {
    fn read(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
        if fields.optional("pairwise_indices_").is_some() {
            return Err(fields.unsupported("a precomputed kernel"));
        }
        let classes = fields.classes("classes_")?;
        let members = members(fields, "estimators_", nested)?;
        if members.len() != classes.len() * classes.len().saturating_sub(1) / 2 {
            return Err(fields.malformed(format!(
                "{} members for {} classes",
                members.len(),
                classes.len()
            )));
        }
        Ok(Box::new(Self { members, classes }))
    }
}

impl Estimator for OneVsOne {
    fn predict(&self, x: &Table) -> Result<Output> {
        let scores = self.decision_function(x)?;
        let threshold = if self.members.first().is_some_and(|member| member.has_decision()) {
            0.0
        } else {
            0.5
        };
        Ok(Output::Labels(labels_of_scores(&scores, threshold), Arc::clone(&self.classes)))
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        let rows = x.rows();
        let (mut chosen, mut confidences) = (Vec::new(), Vec::new());
        for member in &self.members {
            chosen.push(member.predict(x)?.numbers()?);
            confidences.push(score(&**member, x)?);
        }
        let (chosen, confidences) =
            (Matrix::beside(&chosen, rows)?, Matrix::beside(&confidences, rows)?);
        let mut scores = Matrix::zeros(rows, self.classes.len())?;
        let pairs = chosen.each_row().zip(confidences.each_row());
        for ((chosen, confidences), scores) in pairs.zip(scores.each_row_mut()) {
            confidences_and_votes(
                chosen.iter().map(|&second| second != 0.0),
                confidences.iter().copied(),
                scores,
            );
        }
        if self.classes.len() == 2 { scores.select(&[1]) } else { Ok(scores) }
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        Some(&self.classes)
    }

    fn has_decision(&self) -> bool {
        true
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        parts(&self.members)
    }
}
