//! What of a failed program's output its error quotes: the traceback, which says what went wrong, whatever was
//! printed around it, and the last lines.

use std::collections::VecDeque;

/// Lines that are remembered. A chain of tracebacks through several libraries fits.
const REMEMBERED_MAX: usize = 200;
/// Lines that are quoted at least, if there are so many.
const QUOTED_MIN: usize = 15;
/// Lines that are quoted at most; of more, the beginning and the end.
const QUOTED_MAX: usize = 60;
/// Lines of that beginning.
const BEGINNING: usize = 10;

/// How Python begins a traceback.
const TRACEBACK: &str = "Traceback (most recent call last)";
/// How Python says that another traceback came before.
const CHAINED: [&str; 2] = ["During handling of the above exception", "The above exception was"];

/// The last lines of a program's output.
#[derive(Debug, Default)]
pub(crate) struct LastWords(VecDeque<String>);

impl LastWords {
    /// Remembers a line.
    pub(crate) fn hear(&mut self, line: &str) {
        if self.0.len() == REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(line.to_owned());
    }

    /// What an error quotes.
    pub(crate) fn quoted(self) -> Vec<String> {
        let mut lines = Vec::from(self.0);
        let last = lines.len().saturating_sub(QUOTED_MIN);
        let start = traceback(&lines).map_or(last, |start| start.min(last));
        let mut quoted = lines.split_off(start);
        if quoted.len() > QUOTED_MAX {
            let end = quoted.split_off(quoted.len() - (QUOTED_MAX - BEGINNING));
            let left_out = quoted.len() - BEGINNING;
            quoted.truncate(BEGINNING);
            quoted.push(format!("… {left_out} lines …"));
            quoted.extend(end);
        }
        quoted
    }
}

/// Where the last traceback begins, with those that it followed from.
fn traceback(lines: &[String]) -> Option<usize> {
    let begins = |line: &String| line.trim_start().starts_with(TRACEBACK);
    let mut start = lines.iter().rposition(begins)?;
    loop {
        let (before, _) = lines.split_at(start);
        let Some(earlier) = before.iter().rposition(begins) else { return Some(start) };
        let is_cause = before
            .iter()
            .skip(earlier)
            .any(|line| CHAINED.iter().any(|chained| line.trim_start().starts_with(chained)));
        if !is_cause {
            return Some(start);
        }
        start = earlier;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(lines: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut last_words = LastWords::default();
        lines.into_iter().for_each(|line| last_words.hear(&line));
        last_words.quoted()
    }

    fn numbered(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("line {number}")).collect()
    }

    #[test]
    fn the_last_lines_where_nothing_says_more() {
        assert_eq!(quoted(numbered(3)), numbered(3));
        let last = quoted(numbered(1000));
        assert_eq!((last.len(), last.first().unwrap().as_str()), (15, "line 985"));
    }

    #[test]
    fn the_traceback_whatever_is_printed_behind_it() {
        let mut lines = numbered(100);
        lines.push("Traceback (most recent call last):".to_owned());
        lines.push("KeyError: 'plan'".to_owned());
        lines.extend(numbered(40));
        let quoted = quoted(lines);
        assert_eq!(quoted.len(), 42);
        assert_eq!(quoted[1], "KeyError: 'plan'");
    }

    #[test]
    fn causes_belong_to_it_and_earlier_mishaps_do_not() {
        let traceback = "Traceback (most recent call last):";
        let lines = |between: &str| {
            let mut lines = vec![traceback.to_owned(), "KeyError: 'a'".to_owned()];
            lines.extend(numbered(20));
            lines.push(between.to_owned());
            lines.extend([traceback.to_owned(), "ValueError: b".to_owned()]);
            lines.extend(numbered(20));
            lines
        };
        let chained = "During handling of the above exception, another exception occurred:";
        assert_eq!(quoted(lines(chained))[1], "KeyError: 'a'");
        assert_eq!(quoted(lines("going on"))[1], "ValueError: b");
    }

    #[test]
    fn a_long_one_has_beginning_and_end() {
        let mut lines = vec!["Traceback (most recent call last):".to_owned()];
        lines.extend(numbered(150));
        let quoted = quoted(lines);
        assert_eq!(quoted.len(), 61);
        assert_eq!((quoted[10].as_str(), quoted[60].as_str()), ("… 91 lines …", "line 149"));
    }
}
