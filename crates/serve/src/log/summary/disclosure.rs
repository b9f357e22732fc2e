//! What of people may outlive the rows: nothing that is known of few of them, and no ids.
//!
//! Summaries stay when rows are removed, so whoever promised to keep rows for a month must be able to say what is kept
//! longer. Three rules say it: a label is kept where it stands in [`ROWS_MIN`] rows at least, a number is the mean of so
//! many rows or stands in so many itself, and a column of ids is not kept at all. Rows are counted, not people: nobody here
//! knows whose a row is. What is said of rows without their values has no such limit: how many there were, the sum of
//! their times, and how many values were missing.

use trainyard_drift::Column;

/// Rows that share whatever is kept. The European Medicines Agency (policy 0070: a risk of 0.09) and the Centers for
/// Medicare & Medicaid Services (no cell of 1 to 10) ask for it where tables on patients are published.
pub(super) const ROWS_MIN: u64 = 11;

/// Last words of names of columns that tell who it is.
const ID_WORDS: [&str; 14] = [
    "email",
    "guid",
    "iban",
    "id",
    "ids",
    "imei",
    "ip",
    "mail",
    "msisdn",
    "phone",
    "ssn",
    "telephone",
    "username",
    "uuid",
];

/// Digits one after the other that dates, years and postal codes do not have, but account and telephone numbers.
const ID_DIGITS: usize = 9;

/// Hexadecimal digits of a hash or UUID.
const HASH_DIGITS: usize = 16;

/// Whether a column holds ids, by its name: `user_id`, `userId`, `User ID`, `email`.
pub(super) fn is_id_name(name: &str) -> bool {
    let mut last = String::new();
    let mut before = ' ';
    for character in name.chars() {
        let begins = character.is_uppercase() && !before.is_uppercase();
        if begins || (!before.is_alphanumeric() && character.is_alphanumeric()) {
            last.clear();
        }
        if character.is_alphanumeric() {
            last.extend(character.to_lowercase());
        }
        before = character;
    }
    // One may be numbered: `id2`.
    let word = last.trim_end_matches(|character: char| character.is_ascii_digit());
    ID_WORDS.contains(&word)
}

/// Whether some label of a column looks like one that tells who it is: an address, the number of an account, a hash.
pub(super) fn holds_ids(column: &Column) -> bool {
    column.texts().any(is_id)
}

fn is_id(label: &str) -> bool {
    let is_address = label.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !label.contains(char::is_whitespace)
    });
    let most = |is_one: fn(&char) -> bool| {
        let mut runs = (0, 0);
        for character in label.chars().filter(|character| *character != '-') {
            runs.0 = if is_one(&character) { runs.0 + 1 } else { 0 };
            runs.1 = runs.1.max(runs.0);
        }
        runs.1
    };
    is_address
        || most(char::is_ascii_digit) >= ID_DIGITS
        || most(char::is_ascii_hexdigit) >= HASH_DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_ids_are_told_by_their_names() {
        for name in [
            "id",
            "user_id",
            "userId",
            "User ID",
            "customerUUID",
            "e-mail",
            "email",
            "id2",
            "client.ip",
        ] {
            assert!(is_id_name(name), "{name}");
        }
        for name in
            ["", "width", "paid", "grid", "ideal", "id_type", "chip", "trip", "hybrid", "user_age"]
        {
            assert!(!is_id_name(name), "{name}");
        }
    }

    #[test]
    fn labels_that_tell_who_it_is_are_known_by_their_looks() {
        for label in [
            "ann@example.org",
            "123456789",
            "0123-4567-89",
            "DE02-1203-0000-0000-2020-51",
            "9f86d081884c7d65",
            "123e4567-e89b-12d3-a456-426614174000",
        ] {
            assert!(is_id(label), "{label}");
        }
        for label in [
            "",
            "left",
            "2026-11-30",
            "20261130",
            "10115",
            "me @ home",
            "a@b",
            "deadbeef",
            "v1.2.3",
        ] {
            assert!(!is_id(label), "{label}");
        }
    }
}
