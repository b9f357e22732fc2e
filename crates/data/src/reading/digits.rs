//! Digits of other scripts as ASCII, with the signs that stand between them.

/// Where the ten digits of scripts that tables are written in begin (Unicode's general category Nd): Arabic, Persian,
/// Devanagari, Bengali, Thai, full width.
const ZEROS: [char; 6] = ['\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{e50}', '\u{ff10}'];

/// How far the full-width form of an ASCII character is from it.
const FULL_WIDTH: u32 = 0xfee0;

/// The text with its digits in ASCII; `None` where they are already, or there are none.
pub(super) fn in_ascii(text: &str) -> Option<String> {
    let has_others = !text.is_ascii() && text.chars().any(|one| digit(one).is_some());
    has_others.then(|| text.chars().map(character).collect())
}

/// The digit that a character of another script is.
fn digit(character: char) -> Option<char> {
    let code = u32::from(character);
    ZEROS.iter().find_map(|zero| char::from_digit(code.checked_sub(u32::from(*zero))?, 10))
}

fn character(character: char) -> char {
    match character {
        '\u{66b}' => '.',
        '\u{66c}' => ',',
        '\u{66a}' => '%',
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(character) - FULL_WIDTH).unwrap_or(character)
        }
        _ => digit(character).unwrap_or(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_other_scripts() {
        for (text, expected) in [
            ("５，０００．５", "5,000.5"),
            ("٣٤٫٥", "34.5"),
            ("۱۲۳", "123"),
            ("१२३", "123"),
            ("１２％", "12%"),
        ] {
            assert_eq!(in_ascii(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "12", "né", "5 €"] {
            assert_eq!(in_ascii(text), None, "{text}");
        }
    }
}
