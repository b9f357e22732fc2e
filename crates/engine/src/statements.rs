//! What an engine is asked, in SQL that all of them know.
//!
//! A statement reads `s`, the table or query, through `q`, in which the columns are called `c0`, `c1`, …: names that
//! somebody else chose stand once, in quotes, and nothing that is in a row ever becomes a part of a statement.

use crate::dialect::Engine;
use crate::limits::POINTS;
use crate::shape::{Form, Shape};

/// Numbers of a column in the answer to [`counts`].
pub(crate) const NUMBERS_A_COLUMN: usize = 6;

/// Names and types.
pub(crate) fn schema(relation: &str) -> String {
    format!("select * from {relation} as s limit 0")
}

/// How many rows there are.
pub(crate) fn rows(relation: &str) -> String {
    format!("select count(*) as n from {relation} as s")
}

/// Of each column how many of its values are whole, fractions, text, bytes.
pub(crate) fn sqlite_types(relation: &str, columns: &[String]) -> String {
    let counts: Vec<String> = columns
        .iter()
        .flat_map(|column| {
            ["integer", "real", "text", "blob"]
                .map(|found| format!("count(case when typeof({column}) = '{found}' then 1 end)"))
        })
        .collect();
    format!("select {} from {relation} as s", counts.join(", "))
}

/// The columns as `c0`, `c1`, … of `q`.
fn columns(relation: &str, shapes: &[&Shape]) -> String {
    let columns: Vec<String> = shapes
        .iter()
        .enumerate()
        .map(|(index, shape)| format!("{} as c{index}", shape.expression))
        .collect();
    format!("(select {} from {relation} as s) as q", columns.join(", "))
}

/// The rows, and of each column: its values, how many are different, how many are no number and infinite on either
/// side, and the characters of the longest text; 0 for what its type does not have.
pub(crate) fn counts(engine: Engine, relation: &str, shapes: &[&Shape]) -> String {
    let zero = || "0".to_owned();
    let mut parts = vec!["count(*)".to_owned()];
    for (index, shape) in shapes.iter().enumerate() {
        let column = format!("c{index}");
        let equal = |value: &str| format!("count(case when {column} = {value} then 1 end)");
        let is_float = shape.form == Form::Float;
        let is_compared = shape.form != Form::Other;
        let [low, high] = engine.infinities().map(|value| is_float.then(|| equal(value)));
        let nan = engine.nan().filter(|_| is_float).map(equal);
        parts.extend([
            format!("count({column})"),
            if is_compared { format!("count(distinct {column})") } else { zero() },
            nan.unwrap_or_else(zero),
            low.unwrap_or_else(zero),
            high.unwrap_or_else(zero),
            if shape.form == Form::Text { format!("max(length({column}))") } else { zero() },
        ]);
    }
    let named: Vec<String> =
        parts.iter().enumerate().map(|(index, part)| format!("{part} as n{index}")).collect();
    format!("select {} from {}", named.join(", "), columns(relation, shapes))
}

/// How often each value of each column stands: a row for each, with 0 in `g0`, `g1`, … for the column that it is of.
pub(crate) fn values(relation: &str, shapes: &[&Shape]) -> String {
    let names: Vec<String> = (0..shapes.len()).map(|index| format!("c{index}")).collect();
    let from = columns(relation, shapes);
    if let [name] = names.as_slice() {
        return format!("select 0 as g0, {name}, count(*) as n from {from} group by {name}");
    }
    let groupings: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(index, name)| format!("grouping({name}) as g{index}"))
        .collect();
    let sets: Vec<String> = names.iter().map(|name| format!("({name})")).collect();
    format!(
        "select {}, {}, count(*) as n from {from} group by grouping sets ({})",
        groupings.join(", "),
        names.join(", "),
        sets.join(", ")
    )
}

/// [`POINTS`] of a column's `count` finite values, in order: those in the middle of as many equal shares, the smallest and
/// the largest as they are. They stand where [`trainyard_drift::Column::quantised`] takes them.
pub(crate) fn quantiles(engine: Engine, relation: &str, shape: &Shape, count: u64) -> String {
    let points = POINTS as u64;
    let last = points - 1;
    let mut finite = "c0 is not null".to_owned();
    if shape.form == Form::Float {
        let [low, high] = engine.infinities();
        let not = [engine.nan(), Some(low), Some(high)].into_iter().flatten();
        finite = format!("{finite} and c0 not in ({})", not.collect::<Vec<_>>().join(", "));
    }
    let share = engine.divided(&format!("(r + 1) * {points} - 1"), count);
    let begin = engine.divided(&format!("b * {count}"), points);
    let end = engine.divided(&format!("(b + 1) * {count}"), points);
    let middle = engine.divided(&format!("{begin} + {end} - 1"), 2);
    format!(
        "select c0 from (select c0, r, {share} as b from (select c0, cast(row_number() over (order by c0) as bigint) - 1 as r from {} \
         where {finite}) as ranked) as shared where r = case b when 0 then 0 when {last} then {} else {middle} end \
         order by b",
        columns(relation, &[shape]),
        count.saturating_sub(1),
    )
}

/// How many values each point of [`quantiles`] stands for.
pub(crate) fn shares(count: u64) -> Vec<u64> {
    let points = POINTS as u128;
    let begin = |index: u128| (index * u128::from(count) / points) as u64;
    (0..points).map(|index| begin(index + 1) - begin(index)).collect()
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;

    use super::*;

    fn shape(form: Form) -> Shape {
        let name = "x".to_owned();
        Shape { name, expression: "s.\"x\"".to_owned(), data_type: DataType::Float64, form }
    }

    #[test]
    fn a_statement_asks_about_several_columns() {
        let (float, other) = (shape(Form::Float), shape(Form::Other));
        let sql = counts(Engine::Sqlite, "\"t\"", &[&float, &other]);
        assert_eq!(
            sql,
            "select count(*) as n0, count(c0) as n1, count(distinct c0) as n2, 0 as n3, \
             count(case when c0 = -9e999 then 1 end) as n4, count(case when c0 = 9e999 then 1 end) as n5, 0 as n6, \
             count(c1) as n7, 0 as n8, 0 as n9, 0 as n10, 0 as n11, 0 as n12 \
             from (select s.\"x\" as c0, s.\"x\" as c1 from \"t\" as s) as q"
        );
        let sql = values("\"t\"", &[&float, &other]);
        assert!(sql.ends_with("group by grouping sets ((c0), (c1))"), "{sql}");
    }

    #[test]
    fn shares_are_all_values() {
        for count in [10_001, 10_007, 123_456_789, u64::from(u32::MAX)] {
            let shares = shares(count);
            assert_eq!((shares.len(), shares.iter().sum::<u64>()), (POINTS, count));
        }
    }
}
