//! Texts of people as filters have them: words that are parts of a name, or conditions of MLflow's grammar, in one box. A
//! value stands in one of two kinds of quotes and has no escapes, so one with both kinds is asked for with a character that
//! stands for any.

/// Hexadecimal digits from which on a word may be the start of a run's id.
const ID_DIGITS_MIN: usize = 6;

/// A value within quotes, and whether it is the text itself.
fn quoted(text: &str, around: &str) -> (String, bool) {
    match (text.contains('\''), text.contains('"')) {
        (false, _) => (format!("'{around}{text}{around}'"), true),
        (true, false) => (format!("\"{around}{text}{around}\""), true),
        (true, true) => (format!("'{around}{}{around}'", text.replace('\'', "_")), false),
    }
}

/// `field = 'text'`. What is found may be other things for texts with both kinds of quotes.
pub(crate) fn equals(field: &str, text: &str) -> String {
    let (value, is_exact) = quoted(text, "");
    format!("{field} {} {value}", if is_exact { "=" } else { "LIKE" })
}

/// `field ILIKE '%text%'`.
pub(crate) fn contains(field: &str, text: &str) -> String {
    format!("{field} ILIKE {}", quoted(text, "%").0)
}

/// A tag as a field; none where no filter can name it.
pub(crate) fn tag(key: &str) -> Option<String> {
    (!key.is_empty() && !key.contains('`')).then(|| format!("tags.`{key}`"))
}

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
    fn quotes_of_people_end_no_value() {
        assert_eq!(equals("name", "a"), "name = 'a'");
        assert_eq!(equals("name", "it's"), "name = \"it's\"");
        assert_eq!(equals("name", "it's \"x\""), "name LIKE 'it_s \"x\"'");
        assert_eq!(contains("name", "it's"), "name ILIKE \"%it's%\"");
        assert_eq!(tag("team").as_deref(), Some("tags.`team`"));
        assert_eq!((tag("a`b"), tag("")), (None, None));
    }

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
