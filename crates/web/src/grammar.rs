//! Texts of people as filters have them: words that are parts of a name, or conditions of MLflow's grammar, in one box. A
//! value stands in one of two kinds of quotes and has no escapes, so one with both kinds is asked for with a character that
//! stands for any.

/// Hexadecimal digits from which on a word may be the start of a run's id.
const ID_DIGITS_MIN: usize = 6;
/// What may stand before a version's number.
const WORD: &str = "version";

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
    filter(text, run)
}

/// A text that is a part of a run's name, or the start of its id.
pub(crate) fn run(text: &str) -> String {
    let name = contains("attributes.run_name", text);
    let is_id = text.len() >= ID_DIGITS_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { format!("({name} OR attributes.run_id ILIKE '{text}%')") } else { name }
}

/// A version as people write it, as a filter: `churn 7`, `churn v7`, `churn/7`, `churn version 7`, and without a part of the
/// model's name; none where it is no such. A number alone is none: experiments have those.
pub(crate) fn version(text: &str) -> Option<String> {
    let (model, number) = match text.rsplit_once([' ', '/']) {
        Some((model, number)) => (model.trim(), number),
        None => ("", text),
    };
    let digits = number.strip_prefix(['v', 'V']).unwrap_or(number);
    let has_letter = digits.len() < number.len();
    let number: i64 =
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    let before = model.len().checked_sub(WORD.len());
    let word = before.and_then(|before| model.split_at_checked(before));
    let (model, has_word) = match word {
        Some((model, word)) if word.eq_ignore_ascii_case(WORD) => (model.trim(), true),
        _ => (model, false),
    };
    let numbered = format!("version_number = {number}");
    match model {
        "" if has_letter || has_word => Some(numbered),
        "" => None,
        model => Some(format!("{} AND {numbered}", contains("name", model))),
    }
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
    fn a_version_is_found_as_people_write_it() {
        let of_churn = Some("name ILIKE '%churn%' AND version_number = 7");
        for (text, filter) in [
            ("churn 7", of_churn),
            ("churn v7", of_churn),
            ("churn/7", of_churn),
            ("churn version 7", of_churn),
            ("churn Version V7", of_churn),
            ("v7", Some("version_number = 7")),
            ("version 7", Some("version_number = 7")),
            ("7", None),
            ("churn", None),
            ("churn v", None),
            ("churn -7", None),
            ("é 7", Some("name ILIKE '%é%' AND version_number = 7")),
            ("v99999999999999999999", None),
            ("", None),
        ] {
            assert_eq!(version(text).as_deref(), filter, "{text}");
        }
    }

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
