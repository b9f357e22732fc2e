//! What an engine is asked, in SQL that all of them know.
//!
//! A statement reads `s`, the table or query, through `q`, in which the columns are called `c0`, `c1`, …: names that
//! somebody else chose stand once, in quotes, and nothing that is in a row ever becomes a part of a statement.

use arrow_schema::DataType;

use crate::dialect::Engine;
use crate::limits::{FIRST_ROWS, POINTS, WINDOWS_MAX};
use crate::shape::{Form, Shape};

/// Numbers of a column in the answer to [`counts`].
pub(crate) const NUMBERS_A_COLUMN: usize = 5;

/// Names and types.
pub(crate) fn schema(engine: Engine, relation: &str) -> String {
    if engine != Engine::BigQuery {
        return format!("select * from {relation} as s limit 0");
    }
    // Its driver gives no types where there are no rows: here is one without values.
    format!(
        "select s.* except (trainyard_joined) from (select 1 as one) as o left join (select *, 1 as trainyard_joined from \
         {relation} as r where false) as s on o.one = s.trainyard_joined"
    )
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

/// The rows, and of each column: its values, how many are no number and infinite on either side, and the characters of the
/// longest text; 0 for what its type does not have.
pub(crate) fn counts(engine: Engine, relation: &str, shapes: &[&Shape]) -> String {
    let zero = || "0".to_owned();
    let mut parts = vec!["count(*)".to_owned()];
    for (index, shape) in shapes.iter().enumerate() {
        let column = format!("c{index}");
        let count = |condition: String| format!("count(case when {condition} then 1 end)");
        let is_float = shape.form == Form::Float;
        let [low, high] =
            engine.infinities().map(|value| is_float.then(|| count(format!("{column} = {value}"))));
        let nan = engine.is_nan(&column).filter(|_| is_float).map(count);
        parts.extend([
            format!("count({column})"),
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

/// How many values of each column are different. Groups are found by hashing, where `count(distinct …)` sorts.
pub(crate) fn distinct(engine: Engine, relation: &str, shapes: &[&Shape]) -> String {
    if shapes.len() == 1 || !engine.has_grouping_sets() {
        return count_distinct(&columns(relation, shapes), shapes.len());
    }
    let counts: Vec<String> = (0..shapes.len())
        .map(|index| format!("count(case when g{index} = 0 then c{index} end) as n{index}"))
        .collect();
    let grouped = grouped(relation, shapes, "");
    format!("select {} from ({grouped}) as grouped", counts.join(", "))
}

/// The same of the first rows, whichever they are.
pub(crate) fn distinct_of_first(relation: &str, shapes: &[&Shape]) -> String {
    let first =
        format!("(select * from {} limit {FIRST_ROWS}) as first_rows", columns(relation, shapes));
    count_distinct(&first, shapes.len())
}

fn count_distinct(from: &str, columns: usize) -> String {
    let counts: Vec<String> =
        (0..columns).map(|index| format!("count(distinct c{index}) as n{index}")).collect();
    format!("select {} from {from}", counts.join(", "))
}

/// How often each value of each column stands: a row for each, with 0 in `g0`, `g1`, … for the column that it is of.
pub(crate) fn values(relation: &str, shapes: &[&Shape]) -> String {
    let names: Vec<String> = (0..shapes.len()).map(|index| format!("c{index}")).collect();
    if let [name] = names.as_slice() {
        let from = columns(relation, shapes);
        return format!("select 0 as g0, {name}, count(*) as n from {from} group by {name}");
    }
    grouped(relation, shapes, ", count(*) as n")
}

/// A row for each value of each column, with 0 in `g0`, `g1`, … for the column that it is of, and `further` columns.
fn grouped(relation: &str, shapes: &[&Shape], further: &str) -> String {
    let names: Vec<String> = (0..shapes.len()).map(|index| format!("c{index}")).collect();
    let groupings: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(index, name)| format!("grouping({name}) as g{index}"))
        .collect();
    let sets: Vec<String> = names.iter().map(|name| format!("({name})")).collect();
    format!(
        "select {}, {}{further} from {} group by grouping sets ({})",
        groupings.join(", "),
        names.join(", "),
        columns(relation, shapes),
        sets.join(", ")
    )
}

/// [`POINTS`] of each column's finite values, so many of which there are, in order: those in the middle of as many equal shares,
/// the smallest and the largest as they are. They stand where [`trainyard_drift::Column::quantised`] takes them.
pub(crate) fn quantiles(engine: Engine, relation: &str, shapes: &[(&Shape, u64)]) -> String {
    match shapes {
        [(shape, count)] if !engine.has_many_quantiles() => ranked(engine, relation, shape, *count),
        _ => sorted(engine, relation, shapes),
    }
}

/// Those of one column, by numbering its rows in order.
fn ranked(engine: Engine, relation: &str, shape: &Shape, count: u64) -> String {
    let points = POINTS as u64;
    let share = engine.divided(&format!("(r + 1) * {points} - 1"), count);
    let rank = rank(|number, by| engine.divided(number, by), count);
    let whole = if engine == Engine::BigQuery { "int64" } else { "bigint" };
    let order = order(engine, shape, "c0");
    format!(
        "select c0 from (select c0, r, {share} as b from (select c0, cast(row_number() over (order by {order}) as {whole}) - 1 as r from {} \
         where {}) as ranked) as shared where r = {rank} order by b",
        columns(relation, &[shape]),
        finite(engine, shape, "c0"),
    )
}

/// Those of several columns, each sorted by itself. The discrete percentile at `p` of `n` values is the value of rank
/// `ceil(p * n)`, the first being 1, so that half a rank less leaves no doubt.
fn sorted(engine: Engine, relation: &str, shapes: &[(&Shape, u64)]) -> String {
    let all: Vec<&Shape> = shapes.iter().map(|(shape, _)| *shape).collect();
    let double = engine.double();
    let quantiles: Vec<String> = shapes
        .iter()
        .enumerate()
        .map(|(index, (shape, count))| {
            let rank = rank(|number, by| engine.divided(number, by), *count);
            let finite = finite(engine, shape, &format!("c{index}"));
            format!(
                "unnest(percentile_disc((select array_agg(({rank} + cast(0.5 as {double})) / {count} order by b) from \
                 generate_series(cast(0 as bigint), {}) as b)) within group (order by c{index}) filter (where {finite})) as c{index}",
                POINTS - 1
            )
        })
        .collect();
    format!("select {} from {}", quantiles.join(", "), columns(relation, &all))
}

/// The rank, from 0 on, of the point `b` among so many values.
fn rank(divided: impl Fn(&str, u64) -> String, count: u64) -> String {
    let points = POINTS as u64;
    let begin = divided(&format!("b * {count}"), points);
    let end = divided(&format!("(b + 1) * {count}"), points);
    let middle = divided(&format!("{begin} + {end} - 1"), 2);
    let last = count.saturating_sub(1);
    format!("case b when 0 then 0 when {} then {last} else {middle} end", points - 1)
}

/// Whether a value is one of those that quantiles are of.
fn finite(engine: Engine, shape: &Shape, column: &str) -> String {
    let mut finite = format!("{column} is not null");
    if shape.form == Form::Float {
        let [low, high] = engine.infinities();
        finite = format!("{finite} and {column} not in ({low}, {high})");
        if let Some(nan) = engine.is_nan(column) {
            finite = format!("{finite} and not {nan}");
        }
    }
    finite
}

/// The windows of a length (in milliseconds) in which rows lie by their time: the number of the window from `base` on, its rows,
/// and how far they are from its beginning, together. One row more for those without a time.
pub(crate) fn windows(
    engine: Engine,
    relation: &str,
    milliseconds: &str,
    base: i64,
    length: u64,
) -> String {
    let number = engine.floor_of("m", length);
    let whole = if engine == Engine::BigQuery { "int64" } else { "bigint" };
    format!(
        "select w, count(*) as n, cast(sum(m - w * {length}) as {whole}) as t from (select m, {number} as w from \
         (select {milliseconds} - ({base}) as m from {relation} as s) as q) as placed group by w limit {}",
        WINDOWS_MAX + 2
    )
}

/// The smallest and the largest finite value of each column, of all rows; those with values that are not finite are said to be so.
pub(crate) fn ends(engine: Engine, relation: &str, shapes: &[(&Shape, bool)]) -> String {
    let all: Vec<&Shape> = shapes.iter().map(|(shape, _)| *shape).collect();
    let ends: Vec<String> = shapes
        .iter()
        .enumerate()
        .map(|(index, (shape, is_finite))| {
            let column = format!("c{index}");
            // What engines know of a column as it is, they need not look for.
            let value = if *is_finite {
                column
            } else {
                format!("case when {} then {column} end", finite(engine, shape, &column))
            };
            format!("min({value}) as a{index}, max({value}) as b{index}")
        })
        .collect();
    format!("select {} from {}", ends.join(", "), columns(relation, &all))
}

/// Quantiles of some rows that are drawn once for all these columns, which are of one type: a row for each, with the number of its
/// column in `k` and how many finite values of it were drawn in `m`. There are [`POINTS`], or as many as values where these are
/// fewer, each from the middle of a share as in [`shares`].
pub(crate) fn sampled(engine: Engine, relation: &str, shapes: &[&Shape], share: f64) -> String {
    let named: Vec<String> = shapes
        .iter()
        .enumerate()
        .map(|(index, shape)| format!("{} as c{index}", shape.expression))
        .collect();
    let drawn =
        format!("(select {} from {}) as q", named.join(", "), engine.some_of(relation, share));
    let whole = if engine == Engine::BigQuery { "int64" } else { "bigint" };
    // A value is one of them if the middle of a share lies between the values before it and those up to it.
    let middle = |rank: &str| engine.divided(&format!("2 * {rank} * {POINTS} + m"), "(2 * m)");
    let is_chosen = format!("{} > {}", middle("r"), middle("(r - 1)"));
    if engine.has_sorted_lists() {
        let lists = |(index, shape): (usize, &&Shape)| {
            let column = format!("c{index}");
            let finite = finite(engine, shape, &column);
            format!("array_agg({column} order by {column}) filter (where {finite}) as l{index}")
        };
        let lists: Vec<String> = shapes.iter().enumerate().map(lists).collect();
        let rows = |index: usize| {
            format!(
                "select {index} as k, unnest(l{index}) as c, generate_subscripts(l{index}, 1) as r, \
                 array_length(l{index}, 1) as m from lists"
            )
        };
        let rows: Vec<String> = (0..shapes.len()).map(rows).collect();
        return format!(
            "with lists as materialized (select {} from {drawn}) select k, c, m from (select k, c, cast(r as {whole}) as r, \
             cast(m as {whole}) as m from ({}) as listed) as numbered where {is_chosen}",
            lists.join(", "),
            rows.join(" union all ")
        );
    }
    let (which, value, numbers) = if let [_] = shapes {
        ("0".to_owned(), "c0".to_owned(), String::new())
    } else {
        let cases: Vec<String> =
            (0..shapes.len()).map(|index| format!("when {index} then c{index}")).collect();
        let numbers: Vec<String> =
            (0..shapes.len()).map(|index| format!("select {index} as number")).collect();
        let numbers = format!(" cross join ({}) as o", numbers.join(" union all "));
        ("o.number".to_owned(), format!("case o.number {} end", cases.join(" ")), numbers)
    };
    let Some(shape) = shapes.first() else { return String::new() };
    format!(
        "select k, c, m from (select k, c, cast(row_number() over (partition by k order by {}) as {whole}) as r, \
         cast(count(*) over (partition by k) as {whole}) as m from (select {which} as k, {value} as c from {drawn}{numbers}) \
         as one_column where {}) as numbered where {is_chosen}",
        order(engine, shape, "c"),
        finite(engine, shape, "c")
    )
}

/// What a column is ordered by. DataFusion, behind Flight SQL, numbers no times of day; their texts have the same order.
fn order(engine: Engine, shape: &Shape, column: &str) -> String {
    let is_time_of_day = matches!(shape.data_type, DataType::Time32(_) | DataType::Time64(_));
    if engine == Engine::FlightSql && is_time_of_day {
        return format!("cast({column} as varchar)");
    }
    column.to_owned()
}

/// How many values each point of [`quantiles`] stands for.
pub(crate) fn shares(count: u64) -> Vec<u64> {
    shares_of(count, POINTS)
}

/// How many values each of so many points stands for.
pub(crate) fn shares_of(count: u64, points: usize) -> Vec<u64> {
    let points = points.max(1) as u128;
    let begin = |index: u128| (index * u128::from(count) / points) as u64;
    (0..points).map(|index| begin(index + 1) - begin(index)).collect()
}

#[cfg(test)]
mod tests {
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
            "select count(*) as n0, count(c0) as n1, 0 as n2, \
             count(case when c0 = -9e999 then 1 end) as n3, count(case when c0 = 9e999 then 1 end) as n4, 0 as n5, \
             count(c1) as n6, 0 as n7, 0 as n8, 0 as n9, 0 as n10 \
             from (select s.\"x\" as c0, s.\"x\" as c1 from \"t\" as s) as q"
        );
        let sql = values("\"t\"", &[&float, &other]);
        assert!(sql.ends_with("group by grouping sets ((c0), (c1))"), "{sql}");
        let sql = distinct(Engine::DuckDb, "\"t\"", &[&float, &float]);
        assert!(
            sql.contains("count(case when g1 = 0 then c1 end) as n1 from (select grouping(c0)")
        );
        assert!(!distinct(Engine::Sqlite, "\"t\"", &[&float, &float]).contains("grouping"));
    }

    #[test]
    fn shares_are_all_values() {
        for count in [10_001, 10_007, 123_456_789, u64::from(u32::MAX)] {
            let shares = shares(count);
            assert_eq!((shares.len(), shares.iter().sum::<u64>()), (POINTS, count));
        }
    }
}
