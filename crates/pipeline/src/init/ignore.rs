//! Files that other tools leave out: what a run makes must get into no repository and no image.

/// Lines of `.gitignore`.
pub(super) const GIT: &str = include_str!("../../templates/gitignore");

/// What is to be added to a list so that it has all of `wanted`; nothing if it has.
///
/// A line counts as there by the name that it is about, with slashes around it or without.
pub(super) fn lines_to_add(there: &str, wanted: &str) -> Option<String> {
    let about = |line: &str| line.trim().trim_matches('/').to_owned();
    let known: Vec<String> = there.lines().map(about).collect();
    let missing: Vec<&str> = wanted.lines().filter(|line| !known.contains(&about(line))).collect();
    if missing.is_empty() {
        return None;
    }
    let gap = match there {
        "" => "",
        there if there.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    Some(format!("{gap}# Trainyard\n{}\n", missing.join("\n")))
}

/// Whether a list leaves a file out, as far as its plain lines say it.
pub(super) fn leaves_out(list: &str, file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    list.lines().map(str::trim).any(|line| {
        let line = line.trim_start_matches('/');
        let is_folder =
            |folder: &str| !folder.is_empty() && file.starts_with(&format!("{folder}/"));
        is_folder(line.trim_end_matches("/*").trim_end_matches('/'))
            || line == file
            || line.strip_prefix('*').is_some_and(|end| end.starts_with('.') && name.ends_with(end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_added() {
        assert_eq!(lines_to_add("", "/a/\n/b\n").unwrap(), "# Trainyard\n/a/\n/b\n");
        assert_eq!(lines_to_add("a\n", "/a/\n/b\n").unwrap(), "\n# Trainyard\n/b\n");
        assert_eq!(lines_to_add("x", "/a/\n").unwrap(), "\n\n# Trainyard\n/a/\n");
        assert_eq!(lines_to_add("/a/\nb\n", "/a/\n/b\n"), None);
    }

    #[test]
    fn data_that_git_leaves_out_are_known() {
        for (list, is_out) in [
            ("data/\n", true),
            ("/data/*\n", true),
            ("*.csv\n", true),
            ("datasets/\n", false),
            ("", false),
        ] {
            assert_eq!(leaves_out(list, "data/train.csv"), is_out, "{list}");
        }
    }
}
