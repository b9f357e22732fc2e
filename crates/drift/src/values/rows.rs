//! The order of rows, for tests that regroup them.

use std::collections::HashMap;

use arrow_array::Array;

use super::arrow::{Values, read};
use super::primitive::Infinities;

/// Which of the distinct values each usable row holds.
pub(crate) fn rows_in_order(chunks: &[&dyn Array], values: &Values) -> Vec<u32> {
    let mut distinct = Vec::new();
    if let Values::Numbers(numbers) = values {
        numbers.for_each_run(|value, _| distinct.push(value));
    }
    let texts: HashMap<&str, u32> = match values {
        Values::Strings(strings) => {
            strings.iter().zip(0..).map(|((text, _), code)| (text, code)).collect()
        }
        _ => HashMap::new(),
    };
    let mut codes = Vec::new();
    for chunk in chunks {
        for row in 0..chunk.len() {
            let cell = chunk.slice(row, 1);
            match read(cell.data_type(), &[&*cell], &mut Infinities::default()) {
                Values::Numbers(one) => {
                    if let Some(value) = one.min() {
                        codes.push(distinct.partition_point(|other| *other < value) as u32);
                    }
                }
                Values::Strings(one) => {
                    codes.extend(one.get(0).and_then(|(text, _)| texts.get(text)));
                }
                Values::Other => {}
            }
        }
    }
    codes
}
