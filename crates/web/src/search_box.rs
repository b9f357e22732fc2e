//! One box for words and for filters.

use crate::grammar::contains;

/// Hexadecimal digits from which on a word may be the start of a run's id.
const ID_DIGITS_MIN: usize = 6;

/// Words are parts of a name, in any order and case; anything with an operator is a filter in MLflow's grammar.
pub(crate) fn names(text: &str, name: &str) -> String {
    filter(text, |word| contains(name, word))
}

/// The same for runs, of which a word may also be the start of the id.
pub(crate) fn runs(text: &str) -> String {
    filter(text, |word| {
        let name = contains("attributes.run_name", word);
        let is_id =
            word.len() >= ID_DIGITS_MIN && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id { format!("({name} OR attributes.run_id ILIKE '{word}%')") } else { name }
    })
}

fn filter(text: &str, condition: impl Fn(&str) -> String) -> String {
    let text = text.trim();
    if is_filter(text) {
        return text.to_owned();
    }
    text.split_whitespace().map(condition).collect::<Vec<_>>().join(" AND ")
}

fn is_filter(text: &str) -> bool {
    if text.contains(['=', '<', '>']) {
        return true;
    }
    let lowered = text.to_lowercase();
    let words: Vec<&str> = lowered.split_whitespace().collect();
    // The first word is what is compared: "like" alone is a name.
    words.iter().skip(1).enumerate().any(|(before, word)| match *word {
        "like" | "ilike" | "between" => true,
        "in" => words.get(before + 2).is_some_and(|next| next.starts_with('(')),
        "is" => words.get(before + 2).is_some_and(|next| matches!(*next, "null" | "not")),
        _ => word.starts_with("in("),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parts_of_a_name_and_operators_make_a_filter() {
        for (text, expected) in [
            ("", ""),
            (" base ", "n ILIKE '%base%'"),
            ("O'Brien \"x", "n ILIKE \"%O'Brien%\" AND n ILIKE '%\"x%'"),
            ("like", "n ILIKE '%like%'"),
            ("trained in berlin", "n ILIKE '%trained%' AND n ILIKE '%in%' AND n ILIKE '%berlin%'"),
            ("a.b>1", "a.b>1"),
            ("tags.x LIKE 'a%'", "tags.x LIKE 'a%'"),
            ("tags.x is not null", "tags.x is not null"),
            ("run_id in ('a')", "run_id in ('a')"),
            ("run_id IN('a')", "run_id IN('a')"),
        ] {
            assert_eq!(names(text, "n"), expected, "{text}");
        }
        assert_eq!(runs("face"), "attributes.run_name ILIKE '%face%'");
        assert!(runs("0badcafe").ends_with(" OR attributes.run_id ILIKE '0badcafe%')"));
    }
}
