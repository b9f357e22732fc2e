//! `trainyard.toml` of a new project, by what was found; and a script to begin with, where one is asked for that is
//! not there.

use trainyard_train::{Metrics, Preview, Task};

use super::data::Learnable;
use super::python::Script;

/// The project file without what depends on the project.
const TEMPLATE: &str = include_str!("../../templates/trainyard.toml");
/// A training script without what depends on the project.
const SCRIPT: &str = include_str!("../../templates/train.py");

/// Where training data are, if nobody says and none are there yet.
pub(super) const USUAL_DATA: &str = "data/train.csv";

/// What is written of a project.
#[derive(Debug)]
pub(super) struct ProjectFile<'a> {
    /// Registered model.
    pub(super) name: &'a str,
    /// Table to train on, if there is one or somebody said which.
    pub(super) data: Option<&'a str>,
    /// Column to predict, if somebody said which.
    pub(super) target: Option<&'a str>,
    /// What the table says.
    pub(super) learnable: Option<&'a Learnable>,
    /// Command line that trains.
    pub(super) command: Option<&'a str>,
    /// The script that it runs, if it was there.
    pub(super) script: Option<&'a Script>,
}

impl ProjectFile<'_> {
    pub(super) fn text(&self) -> String {
        let reference = self.data.filter(|_| self.command.is_some());
        let reference = reference
            .map(|data| {
                with_comment(
                    &format!("reference = {}", quoted(data)),
                    "what production is compared with",
                )
            })
            .unwrap_or_default();
        TEMPLATE
            .replace("{{name}}", &quoted(self.name))
            .replace("{{slug}}", &slug(self.name))
            .replace("{{train}}\n", &self.train())
            .replace("{{gate}}\n", &self.gate())
            .replace("{{reference}}\n", &reference)
    }

    /// Whether the command is given its rows, so that others are left to judge it by.
    fn holds_out(&self) -> bool {
        self.command.is_none() || self.script.is_none_or(|script| script.reads_its_part)
    }

    fn target(&self) -> Option<&str> {
        self.target.or_else(|| self.learnable.and_then(|found| found.target.as_deref()))
    }

    fn train(&self) -> String {
        let mut lines = String::new();
        if let Some(command) = self.command {
            lines += &with_comment(
                &format!("command = {}", quoted(command)),
                "a program that speaks MLflow",
            );
        }
        if self.holds_out() {
            lines += &self.data_lines();
        } else {
            lines += "# With these, and a program that reads the file that TRAINYARD_TRAIN_DATA names, the gate judges it by\n\
                      # rows that it has not seen:\n";
            lines +=
                &self.data_lines().lines().map(|line| commented(line) + "\n").collect::<String>();
        }
        if self.command.is_none() {
            lines += &with_comment(
                "algorithm = \"random_forest\"",
                "or logistic_regression, linear_regression",
            );
            lines += "seed = 42\n# Any program that speaks MLflow instead of an algorithm; it is given all but the holdout:\n\
                      # command = \"python src/train.py\"\n";
        }
        lines += &with_comment(
            "# feedback = true",
            "learn from predictions that /feedback told the truth of",
        );
        lines
    }

    /// Data, target, and which columns and rows are learnt from.
    fn data_lines(&self) -> String {
        let data = self.data.unwrap_or(USUAL_DATA);
        let mut lines = with_comment(
            &format!("data = {}", quoted(data)),
            "CSV or Parquet: a file, a folder or a glob, also s3://…",
        );
        let said = match (self.target, self.target()) {
            (None, Some(_)) => "the column to predict (a guess)",
            _ => "the column to predict",
        };
        let target = self.target().unwrap_or("target");
        lines += &with_comment(&format!("target = {}", quoted(target)), said);
        let Some(found) = self.learnable else { return lines };
        for (name, reason) in &found.exclude {
            lines += &commented(&one_line(&format!("left out: {name} ({reason})")));
            lines.push('\n');
        }
        if !found.exclude.is_empty() {
            let names: Vec<String> = found.exclude.iter().map(|(name, _)| quoted(name)).collect();
            let line = format!("exclude = [{}]\n", names.join(", "));
            lines += &line;
        }
        if let Some(id) = &found.id {
            lines +=
                &with_comment(&format!("id = {}", quoted(id)), "rows of one are held out together");
        }
        if found.at_random {
            lines += &with_comment(
                "holdout = \"random\"",
                "some class has too few rows to be split by a hash",
            );
        } else if let Some(time) = &found.time {
            let setting = format!("# holdout = {{ column = {}, newest = 0.2 }}", quoted(time));
            lines += &with_comment(&setting, "judge by the newest rows");
        }
        lines
    }

    fn gate(&self) -> String {
        let preview = self.learnable.and_then(|found| found.preview.as_ref());
        if let Some(preview) = preview.filter(|_| self.holds_out()) {
            return bounds(preview, self.command.is_some());
        }
        let logged = self.script.map(|script| script.metrics.clone()).unwrap_or_default();
        let examples = if logged.is_empty() { vec!["accuracy".to_owned()] } else { logged };
        let mut lines = with_comment("# [gate.thresholds]", "all must hold");
        for metric in examples {
            let line = format!("# {} = {{ min = 0.9 }}\n", key(&metric));
            lines += &line;
        }
        lines
    }
}

/// A gate that refuses what is no better than always the same answer.
fn bounds(preview: &Preview, is_command: bool) -> String {
    let dummy = &preview.dummy;
    let mut lines = with_comment(
        "[gate.thresholds]",
        "all must hold; these are what always the same answer gets",
    );
    let margin = if preview.task == Task::Regression {
        lines += &bound(dummy, "rmse", "max");
        lines += "r2 = { min = 0.0 }\n";
        let margin = dummy.get("rmse").copied().unwrap_or_default() * 0.02;
        format!("rmse = {:?}\n", rounded(margin, f64::ceil))
    } else {
        // Of a program's model only its answers are sure to be known, not how sure it is of them.
        if !is_command {
            lines += &bound(dummy, "roc_auc", "min");
        }
        lines += &bound(dummy, "f1_macro", "min");
        "f1_macro = 0.02\n".to_owned()
    };
    lines += "\n";
    lines += &with_comment(
        "[gate.not_worse_than_production]",
        "by more than this and beyond chance, on the same rows",
    );
    lines + &margin
}

fn bound(dummy: &Metrics, metric: &str, side: &str) -> String {
    let Some(&value) = dummy.get(metric) else { return String::new() };
    let value = rounded(value, if side == "min" { f64::floor } else { f64::ceil });
    format!("{metric} = {{ {side} = {value:?} }}\n")
}

/// Four figures, as far as the number has so many before or behind its point.
fn rounded(value: f64, to_whole: fn(f64) -> f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10_f64.powf(3.0 - value.abs().log10().floor());
    let rounded = to_whole(value * scale) / scale;
    if rounded.is_finite() { rounded } else { value }
}

/// The script that a command line names, to begin with.
pub(super) fn script(file: &ProjectFile<'_>) -> String {
    let is_regression = file.learnable.and_then(Learnable::task) == Some(Task::Regression);
    let estimator = if is_regression { "RandomForestRegressor" } else { "RandomForestClassifier" };
    let exclude = file.learnable.map(|found| found.exclude.as_slice()).unwrap_or_default();
    let exclude = exclude
        .iter()
        .map(|(name, _)| name)
        .chain(file.learnable.and_then(|found| found.id.as_ref()));
    let exclude: Vec<String> = exclude.map(|name| quoted(name)).collect();
    filled(
        SCRIPT,
        &[
            ("estimator", estimator),
            ("target", quoted(file.target().unwrap_or("target")).as_str()),
            ("exclude", format!("[{}]", exclude.join(", ")).as_str()),
            ("data", quoted(file.data.unwrap_or(USUAL_DATA)).as_str()),
            ("name", quoted(file.name).as_str()),
        ],
    )
}

/// A template with its places filled, in one go: a column that is called like a place must not be filled in turn, or what
/// stands in quotes would get out of them and run.
fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (number, part) in template.split("{{").enumerate() {
        let place = part.split_once("}}").filter(|_| number > 0);
        let value =
            |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        if let Some((value, rest)) = place.and_then(|(name, rest)| Some((value(name)?, rest))) {
            text.push_str(value);
            text.push_str(rest);
        } else {
            text.push_str(if number > 0 { "{{" } else { "" });
            text.push_str(part);
        }
    }
    text
}

/// A text in quotes, on one line, as TOML, Python and Dockerfiles read it: they all know JSON's.
pub(super) fn quoted(text: &str) -> String {
    // TOML has this one escaped as well.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A key as TOML reads it.
fn key(text: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if text.chars().all(is_bare) { text.to_owned() } else { quoted(text) }
}

/// A line with what it means, where comments of the file stand.
fn with_comment(line: &str, comment: &str) -> String {
    format!("{line:<38} # {comment}\n")
}

fn commented(line: &str) -> String {
    if line.starts_with('#') { line.to_owned() } else { format!("# {line}") }
}

/// A text for a comment, which ends with its line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A name as images and tags have them: small letters, digits and dashes.
pub(super) fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let slug: String = name.chars().map(plain).collect();
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "model".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn file<'a>(data: Option<&'a str>, learnable: Option<&'a Learnable>) -> ProjectFile<'a> {
        ProjectFile { name: "churn", data, target: None, learnable, command: None, script: None }
    }

    #[test]
    fn it_is_read_whatever_was_found() {
        let config = Config::parse(&file(None, None).text()).unwrap();
        assert_eq!(
            (config.model.name.as_str(), config.train.data.as_deref()),
            ("churn", Some(USUAL_DATA))
        );
        assert!(config.gate.thresholds.is_empty());
        let odd = "a \"b\"\nc\u{7f}d";
        let config =
            Config::parse(&ProjectFile { name: odd, ..file(Some(odd), None) }.text()).unwrap();
        assert_eq!((config.model.name.as_str(), config.train.data.as_deref()), (odd, Some(odd)));
    }

    #[test]
    fn the_gate_is_what_always_the_same_answer_gets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let row = |row: u32| {
            format!("{row},{},2026-01-{:02},{}\n", row % 50, row % 28 + 1, row.is_multiple_of(3))
        };
        let rows: String = (0..300).map(row).collect();
        std::fs::write(&path, format!("id,x,day,y\n{rows}")).unwrap();
        let found = Learnable::look(&path.to_string_lossy(), None).unwrap().unwrap();
        let text = file(Some("t.csv"), Some(&found)).text();
        let config = Config::parse(&text).unwrap();
        assert_eq!((config.train.target.as_deref(), config.train.exclude.len()), (Some("y"), 2));
        let min = |metric: &str| config.gate.thresholds[metric].min.unwrap();
        assert_eq!(min("roc_auc"), 0.5);
        assert!((0.3..0.5).contains(&min("f1_macro")), "{text}");
        assert!(text.contains("# holdout = { column = \"day\", newest = 0.2 }"), "{text}");

        // A program that reads the file by itself has seen all rows.
        let command = Some("python train.py");
        let script = Script {
            path: "train.py",
            registers: None,
            metrics: vec!["auc".to_owned()],
            reads_its_part: false,
        };
        let own =
            ProjectFile { command, script: Some(&script), ..file(Some("t.csv"), Some(&found)) };
        let config = Config::parse(&own.text()).unwrap();
        assert_eq!((config.train.data, config.gate.thresholds.len()), (None, 0));
        assert!(
            own.text().contains("# auc = { min = 0.9 }")
                && own.text().contains("reference = \"t.csv\"")
        );
        let given = Script { reads_its_part: true, ..script.clone() };
        let own = ProjectFile { script: Some(&given), ..own };
        let config = Config::parse(&own.text()).unwrap();
        assert!(config.train.data.is_some() && config.gate.thresholds.contains_key("f1_macro"));
    }

    #[test]
    fn what_a_table_calls_its_columns_stays_in_quotes() {
        let values = [("target", "\"{{exclude}}\""), ("exclude", "[\"+evil()+\"]")];
        assert_eq!(
            filled("T = {{target}}\nE = {{exclude}}\nD = {{}}{{other}}\n", &values),
            "T = \"{{exclude}}\"\nE = [\"+evil()+\"]\nD = {{}}{{other}}\n"
        );
        let text = script(&ProjectFile { target: Some("{{name}}"), ..file(None, None) });
        assert!(text.contains("TARGET = \"{{name}}\"\n"), "{text}");
        assert!(text.contains("registered_model_name=\"churn\""), "{text}");
    }

    #[test]
    fn numbers_are_rounded_to_the_safe_side() {
        assert_eq!(rounded(0.333_333, f64::floor), 0.3333);
        assert_eq!(rounded(12_345.6, f64::ceil), 12_350.0);
        assert_eq!((rounded(0.0, f64::floor), rounded(0.5, f64::floor)), (0.0, 0.5));
        assert_eq!((slug("My Churn/2"), slug("ü")), ("my-churn-2".to_owned(), "model".to_owned()));
    }
}
