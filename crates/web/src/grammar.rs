//! Texts of people as filters have them. A value stands in one of two kinds of quotes and has no escapes, so one with both
//! kinds is asked for with a character that stands for any.

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
}
