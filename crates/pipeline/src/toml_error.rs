//! What is wrong with a TOML file, without the line it is on: the line may hold a password.

use toml::de::Error;
use trainyard_base::did_you_mean;

/// Line and key, and what is wrong there. Values of the file are left out.
pub(crate) fn describe(text: &str, error: &Error) -> String {
    let message = with_nearest(without_value(error.message()));
    let Some(place) = error.span().map(|span| span.start) else { return message };
    let before = text.get(..place).unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let key = line.split_once('=').map(|(key, _)| key.trim()).filter(|key| is_key(key));
    match key {
        Some(key) => format!("line {number}, {key}: {message}"),
        None => format!("line {number}: {message}"),
    }
}

/// Whether it is the name of a setting and nothing else.
fn is_key(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-. ".contains(c);
    !text.is_empty() && text.chars().all(is_plain)
}

/// The name that was meant, behind the one that is not known. serde lists those that are in backticks.
fn with_nearest(message: String) -> String {
    let found = ["unknown field `", "unknown variant `"].into_iter().find_map(|start| {
        let (given, known) = message.strip_prefix(start)?.split_once('`')?;
        let names = known.split('`').skip(1).step_by(2);
        Some(format!("{start}{given}`{}{known}", did_you_mean(given, names)))
    });
    found.unwrap_or(message)
}

/// serde repeats a text that stands where something else is wanted.
fn without_value(message: &str) -> String {
    let Some((before, after)) = message.split_once("string \"") else { return message.to_owned() };
    let wanted = after.rfind("\", expected ").and_then(|end| after.get(end + 1..));
    format!("{before}a text{}", wanted.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::Config;

    #[test]
    fn a_line_is_named_and_not_shown() {
        const SECRET: &str = "hunter2";
        let start = "[model]\nname = \"Iris\"\n[train]\ndata = \"a.csv\"\ntarget = \"y\"\n";
        for (extra, expected) in [
            ("password = \"hunter2\"\n", "line 6, password: unknown field `password`"),
            ("seed = \"hunter2\"\n", "line 6, seed: invalid type: a text, expected"),
            ("seed = \"hun\\\"hunter2\"\n", "line 6, seed: invalid type: a text, expected"),
            ("[tracking]\nuri = \"postgresql://u:hunter2@h\n", "line 7, uri: "),
            ("[tracking]\nuri = [\"hunter2\"]\n", "line 7, uri: "),
            ("hunter2 + hunter2 =\n", "line 6"),
        ] {
            let message = Config::parse(&format!("{start}{extra}")).unwrap_err();
            assert!(message.starts_with(expected), "{extra}: {message}");
            assert!(!message.contains(SECRET) || extra.starts_with(SECRET), "{message}");
        }
    }
}
