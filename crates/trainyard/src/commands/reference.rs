//! `trainyard help reference`: the command line as one page, written by the same code that reads it. `docs/reference.md` is
//! what this prints.

use crate::exit::EXIT_CODES;

/// Columns of the page, whatever terminal it is printed on.
const COLUMNS: usize = 100;

const HEAD: &str = "\
# Reference

The command line, verb by verb. `trainyard help reference` prints this page; the keys of a project are in
[the pipeline](pipeline.md#trainyardtoml).
";

/// The page of a command and all that is below it, in Markdown.
pub(crate) fn reference(command: clap::Command) -> String {
    let mut command = command.term_width(COLUMNS);
    command.build();
    let codes = EXIT_CODES.split_once('\n').map_or("", |(_title, codes)| codes);
    let mut lines = vec![HEAD.to_owned(), "## Exit codes\n".to_owned(), fenced(codes)];
    let verbs = command.get_subcommands_mut().filter(|verb| !verb.is_hide_set());
    for verb in verbs {
        add(verb, "trainyard", &mut lines);
    }
    lines.join("\n")
}

/// Adds a verb and the verbs of it; `before` are the words before its name.
fn add(verb: &mut clap::Command, before: &str, lines: &mut Vec<String>) {
    let words = format!("{before} {}", verb.get_name());
    lines.push(format!("## {words}\n"));
    lines.push(fenced(&verb.render_long_help().to_string()));
    for below in verb.get_subcommands_mut().filter(|below| !below.is_hide_set()) {
        add(below, &words, lines);
    }
}

/// A text as it is, without blanks at the ends of lines.
fn fenced(text: &str) -> String {
    let text: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    format!("```text\n{}\n```\n", text.join("\n"))
}
