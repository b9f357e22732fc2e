//! Text in the width of a terminal: names cut in the middle, sentences broken between words.

/// Columns of a terminal that every terminal has.
pub(super) const WIDTH: usize = 80;

/// Columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// Columns that a character takes: two for the wide ones of East Asia and for pictures.
fn width_of(character: char) -> usize {
    let wide = matches!(u32::from(character),
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f
        | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1_f300..=0x1_faff | 0x2_0000..=0x3_fffd);
    if wide { 2 } else { 1 }
}

/// Text without control characters, which could steer the terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect()
}

/// A name in at most so many columns, cut in the middle: long names differ in how they begin or in how they
/// end.
pub(super) fn fit(name: &str, columns: usize) -> String {
    let name = plain(name);
    if width(&name) <= columns {
        return name;
    }
    let room = columns.saturating_sub(1);
    let tail: Vec<char> = taken(name.chars().rev(), room / 2);
    let head: Vec<char> = taken(name.chars(), room - room / 2);
    head.into_iter().chain(['…']).chain(tail.into_iter().rev()).collect()
}

/// A text in at most so many columns, cut at its end.
pub(super) fn cut(text: &str, columns: usize) -> String {
    let text = plain(text);
    if width(&text) <= columns {
        return text;
    }
    taken(text.chars(), columns.saturating_sub(1)).into_iter().chain(['…']).collect()
}

/// The first characters that fit in so many columns.
fn taken(characters: impl Iterator<Item = char>, columns: usize) -> Vec<char> {
    let mut used = 0;
    characters
        .take_while(|character| {
            used += width_of(*character);
            used <= columns
        })
        .collect()
}

/// Appends a text in lines of at most [`WIDTH`] columns: `first` is before the first, blanks of `indent` before
/// the others. A word that is longer than a line is cut in the middle.
pub(super) fn wrap(out: &mut String, first: &str, indent: usize, text: &str) {
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in plain(text).split(' ').filter(|word| !word.is_empty()) {
        let start = if is_empty { width(&line) } else { indent };
        let word = fit(word, WIDTH.saturating_sub(start));
        if !is_empty && width(&line) + 1 + width(&word) > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = " ".repeat(indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(&word);
        is_empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
    }

    #[test]
    fn names_are_cut_in_the_middle() {
        assert_eq!(fit("short", 10), "short");
        assert_eq!(fit("temperature_of_pump_0017", 11), "tempe…_0017");
        assert_eq!(width(&fit("温度温度温度温度温度", 9)), 9);
        assert_eq!(cut("median 0.5 → 0.9", 9), "median 0…");
    }

    #[test]
    fn lines_fit_and_words_stay_whole() {
        let mut out = String::new();
        wrap(&mut out, "  note ", 4, &format!("{} {}", "word ".repeat(40), "x".repeat(200)));
        assert!(out.lines().all(|line| width(line) <= WIDTH), "{out}");
        assert!(out.starts_with("  note word word"), "{out}");
        assert!(out.lines().nth(1).is_some_and(|line| line.starts_with("    word")), "{out}");
        assert_eq!(out.matches("word").count(), 40);
    }
}
