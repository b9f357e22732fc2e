//! `ClassifierChain`, `RegressorChain`: an estimator for each output, which sees the answers before it.

use super::data::{Matrix, Output, Table};
use super::estimator::{Estimator, Fields};
use super::members::{members, parts};
use super::reader::{Boxed, Nested, Reader};
use crate::Result;

pub(super) const READERS: &[Reader] = &[Reader::new("ClassifierChain RegressorChain", Chain::read)];

#[derive(Debug)]
struct Chain {
    members: Vec<Boxed>,
    /// Which link of the chain answers each output.
    links: Vec<usize>,
    /// What a member tells the next ones.
    told: Method,
}

#[derive(Debug, Clone, Copy)]
enum Method {
    Predict,
    Probability,
    Decision,
}

impl Chain {
    fn read(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
        let members = members(fields, "estimators_", nested)?;
        let order = fields.numbers("order_")?;
        fields.check_length("order_", order.len(), members.len())?;
        let mut links = vec![None; members.len()];
        for (link, output) in order.into_iter().enumerate() {
            match links.get_mut(output as usize) {
                Some(place) if output >= 0.0 && place.is_none() => *place = Some(link),
                _ => return Err(fields.malformed("order_ is no order of the outputs")),
            }
        }
        let told = match fields.text("chain_method_", "predict") {
            "predict" => Method::Predict,
            "predict_proba" => Method::Probability,
            "decision_function" => Method::Decision,
            other => return Err(fields.unsupported(format!("chain_method {other:?}"))),
        };
        let links = links.into_iter().flatten().collect();
        let chain = Self { members, links, told };
        if !matches!(told, Method::Predict) && !chain.members.iter().all(|it| is_of_two(&**it)) {
            return Err(fields.unsupported("several classes of one output"));
        }
        Ok(Box::new(chain))
    }

    fn answers(&self, x: &Table, method: Method) -> Result<Matrix> {
        let mut seen = x.finite()?.into_owned();
        let rows = seen.rows;
        let mut answers = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let table = Table::Matrix(seen);
            let told = answer(&**member, &table, self.told)?;
            answers.push(answer(&**member, &table, method)?);
            let Table::Matrix(before) = table else { break };
            seen = Matrix::beside(&[before, told], rows)?;
        }
        Matrix::beside(&answers, rows)?.select(&self.links)
    }
}

fn is_of_two(member: &dyn Estimator) -> bool {
    member.classes().is_some_and(|classes| classes.len() == 2)
}

/// One column of a member.
fn answer(member: &dyn Estimator, x: &Table, method: Method) -> Result<Matrix> {
    match method {
        Method::Predict => member.predict(x)?.numbers(),
        Method::Probability => member.predict_proba(x)?.select(&[1]),
        Method::Decision => member.decision_function(x),
    }
}

impl Estimator for Chain {
    fn predict(&self, x: &Table) -> Result<Output> {
        Ok(Output::Table(self.answers(x, Method::Predict)?))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        self.answers(x, Method::Probability)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        self.answers(x, Method::Decision)
    }

    fn has_proba(&self) -> bool {
        self.members.iter().all(|member| member.has_proba() && is_of_two(&**member))
    }

    fn has_decision(&self) -> bool {
        self.members.iter().all(|member| member.has_decision() && is_of_two(&**member))
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        parts(&self.members)
    }
}
