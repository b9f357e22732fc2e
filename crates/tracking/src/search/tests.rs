//! Properties of the grammar: it never panics, and what it reads it can write.

use proptest::prelude::*;

use super::syntax::{Comparison, Expression, Literal, LiteralKind, Operand, Operator};
use super::{Sql, Style, parse};
use crate::store::database::Dialect;

fn identifier() -> impl Strategy<Value = String> {
    prop_oneof![
        "(metrics|params|tags|attributes|datasets)\\.[a-z][a-z0-9_]{0,8}",
        "(metric|param|tag)\\.`[a-zA-Z0-9 ./:é-]{1,10}`",
        "params\\.\"[a-z ]{1,8}\"",
        Just("start_time".to_owned()),
        Just("run_name".to_owned()),
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        "'[a-zA-Z0-9 %_().,;=<>é-]{0,12}'"
            .prop_map(|text| Literal { kind: LiteralKind::Quoted, text }),
        "\"[a-zA-Z0-9 %_().,;=<>é'-]{0,12}\""
            .prop_map(|text| Literal { kind: LiteralKind::Quoted, text }),
        any::<i64>()
            .prop_map(|value| Literal { kind: LiteralKind::Integer, text: value.to_string() }),
        any::<f64>()
            .prop_filter("finite", |value| value.is_finite())
            .prop_map(|value| Literal { kind: LiteralKind::Float, text: format!("{value:e}") }),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    let tail = prop_oneof![
        (
            prop_oneof![
                "[<>]=?|!?=".prop_map(Operator::Symbol),
                Just(Operator::Like),
                Just(Operator::Ilike)
            ],
            literal().prop_map(Operand::One)
        ),
        (
            prop_oneof![Just(Operator::In), Just(Operator::NotIn)],
            prop::collection::vec(literal(), 0..4).prop_map(|items| {
                let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
                Operand::List { text: format!("({})", texts.join(", ")), items }
            })
        ),
        (
            prop_oneof![Just(Operator::Between), Just(Operator::NotBetween)],
            (literal(), literal()).prop_map(|(low, high)| Operand::Range(low, high))
        ),
        (prop_oneof![Just(Operator::IsNull), Just(Operator::IsNotNull)], Just(Operand::None)),
    ];
    (identifier(), tail).prop_map(|(identifier, (operator, value))| Comparison {
        identifier,
        operator,
        value,
    })
}

fn expression() -> impl Strategy<Value = Expression> {
    let leaf = comparison().prop_map(Expression::Comparison);
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Or),
            inner.prop_map(|inner| Expression::Not(Box::new(inner))),
        ]
    })
}

/// Understands a filter in every search; only that nothing panics is of interest.
fn compile_everywhere(expression: &Expression) {
    let _runs = super::runs_sql::filter(Some(expression.clone()));
    let mut sql = Sql::new(Dialect::Sqlite);
    let _experiments = sql.push_expression(expression, &mut |comparison, sql| {
        super::experiments::push_condition(sql, comparison)
    });
    let _registered = sql.push_expression(expression, &mut |comparison, sql| {
        super::registered_models::push_condition(sql, comparison)
    });
    let _versions = sql.push_expression(expression, &mut |comparison, sql| {
        super::model_versions::push_condition(sql, comparison)
    });
    let mut met_metric = false;
    let _logged = sql.push_expression(expression, &mut |comparison, sql| {
        super::logged_models::push_condition(sql, comparison, &[], &mut met_metric)
    });
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(expression in expression()) {
        let text = expression.to_string();
        let read = parse(&text, Style::Runs);
        prop_assert_eq!(read.unwrap().unwrap(), expression);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        for style in [Style::Runs, Style::Plain, Style::LoggedModels] {
            if let Ok(Some(expression)) = parse(&text, style) {
                compile_everywhere(&expression);
            }
        }
    }

    #[test]
    fn no_jumble_of_pieces_panics(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "metrics.a", "params.`b c`", "tags.'d'", "run_id", "'x'", "\"y\"", "'", "\"", "`",
                "1", "-2.5e3", "1.", ".5", "=", "!=", "<=", ">", "LIKE", "ilike", "IN", "NOT", "is",
                "NULL", "BETWEEN", "AND", "or", "(", ")", ",", ";", ".", "é", "\\", "\u{0}", "--",
            ]),
            0..20,
        )
    ) {
        for separator in [" ", ""] {
            let text = pieces.join(separator);
            for style in [Style::Runs, Style::Plain, Style::LoggedModels] {
                if let Ok(Some(expression)) = parse(&text, style) {
                    compile_everywhere(&expression);
                }
            }
        }
    }

    #[test]
    fn no_order_panics(clause in "\\PC{0,30}") {
        let clauses = [clause];
        let _runs = super::runs::order(&clauses);
        let _experiments = super::experiments::order(&clauses);
        let _registered = super::registered_models::order(&clauses);
        let _versions = super::model_versions::order(&clauses);
    }

    /// Texts reach the database only as bound values.
    #[test]
    fn no_text_gets_into_the_statement(text in "[a-z';() -]{1,80}") {
        let filter = format!("tags.`k` = \"{text}\"");
        if let Ok(Some(Expression::Comparison(comparison))) = parse(&filter, Style::Runs) {
            let condition = super::runs::resolve(&comparison).unwrap();
            let mut sql = Sql::new(Dialect::Sqlite);
            super::runs_sql::push_condition(&mut sql, &condition);
            let quoted = format!("\"{text}\"");
            let in_statement = sql.text.replace("\"key\"", "").contains(&quoted);
            prop_assert!(!in_statement);
            // The key, the start of the text, and the text if it is longer.
            let values = if text.len() < super::runs::PREFIX { 2 } else { 3 };
            prop_assert_eq!(sql.values.len(), values);
        }
    }
}
