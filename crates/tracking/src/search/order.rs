//! `order_by` clauses: `identifier [ASC|DESC]`.

use trainyard_mlflow::Error;

use crate::error::{Result, invalid};

/// One clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    /// As written, with its quotes.
    pub(super) identifier: String,
    pub(super) ascending: bool,
}

/// Most clauses of a search: each is a join.
const CLAUSES_MAX: usize = 20;

/// Reads clauses.
pub(super) fn parse_all(clauses: &[String]) -> Result<Vec<Order>> {
    if clauses.len() > CLAUSES_MAX {
        return invalid!(
            "order_by has {} clauses, at most {CLAUSES_MAX} are allowed",
            clauses.len()
        );
    }
    clauses.iter().map(|clause| parse(clause)).collect()
}

fn parse(clause: &str) -> Result<Order> {
    let unreadable =
        || Error::invalid(format!("Invalid order_by clause '{clause}'. Could not be parsed."));
    let Some(words) = split(clause) else { return Err(unreadable().into()) };
    match words.as_slice() {
        [identifier] => Ok(Order { identifier: identifier.clone(), ascending: true }),
        [identifier, direction] => {
            let ascending = match direction.to_ascii_lowercase().as_str() {
                "asc" => true,
                "desc" => false,
                _ => {
                    return invalid!("Invalid ordering key in order_by clause '{clause}'.");
                }
            };
            Ok(Order { identifier: identifier.clone(), ascending })
        }
        _ => Err(unreadable().into()),
    }
}

/// Words of a clause, with quotes kept; none if there is a comma or an open quote.
fn split(clause: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for character in clause.chars() {
        match quote {
            Some(open) => {
                word.push(character);
                if character == open {
                    quote = None;
                }
            }
            None if character.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            None if character == ',' => return None,
            None => {
                if matches!(character, '`' | '"' | '\'') {
                    quote = Some(character);
                }
                word.push(character);
            }
        }
    }
    if quote.is_some() {
        return None;
    }
    if !word.is_empty() {
        words.push(word);
    }
    Some(words)
}

/// The ORDER BY of `column`s that clauses name, and after them the `last` ones that no clause names.
pub(super) fn order_by(
    clauses: &[String],
    column: impl Fn(&str) -> Result<&'static str>,
    last: &[(&'static str, &str)],
) -> Result<String> {
    let mut terms = Vec::new();
    let mut columns = Vec::new();
    for clause in parse_all(clauses)? {
        let column = column(&clause.identifier)?;
        columns.push(column);
        terms.push(format!("{column} {}", if clause.ascending { "ASC" } else { "DESC" }));
    }
    check_unique(&columns, clauses)?;
    for (column, direction) in last {
        if !columns.contains(column) {
            terms.push(format!("{column} {direction}"));
        }
    }
    Ok(terms.join(", "))
}

/// Refuses a field that is ordered by twice.
pub(super) fn check_unique<T: PartialEq>(fields: &[T], clauses: &[String]) -> Result<()> {
    let twice = fields
        .iter()
        .enumerate()
        .any(|(index, field)| fields.iter().take(index).any(|earlier| earlier == field));
    if !twice {
        return Ok(());
    }
    // Upstream answers 500, which clients would repeat for minutes.
    invalid!("`order_by` contains duplicate fields: {}", crate::store::python::repr_list(clauses))
}
