//! What a project file is to say: as its user says, else as its folder tells.

use std::path::Path;

use super::data::{LOOK_BYTES_MAX, Learnable};
use super::folder::Folder;
use super::options::InitOptions;
use super::project_file::USUAL_DATA;
use super::python::Python;
use super::scaffold::{Guesses, Scaffold};
use crate::{Config, Error, FILE_NAME, Result};

/// What the project is to say.
pub(super) struct Settings {
    /// Whether there is a project file already, which says it.
    pub(super) is_there: bool,
    pub(super) name: String,
    pub(super) data: Option<String>,
    pub(super) target: Option<String>,
    pub(super) learnable: Option<Learnable>,
    pub(super) command: Option<String>,
}

impl Settings {
    pub(super) fn of(
        folder: &Folder,
        python: &Python,
        options: &InitOptions,
        plan: &mut Scaffold,
    ) -> Result<Self> {
        if folder.has(FILE_NAME) {
            let config = Config::read(&folder.path)?;
            plan.found.push(format!("{FILE_NAME} of the model {:?}", config.model.name));
            let said = [&options.name, &options.target, &options.data, &options.train_command];
            if said.into_iter().any(Option::is_some) {
                plan.missing.push(format!(
                    "{FILE_NAME} stays as it is: write there what --name, --target, --data and --train-command say"
                ));
            }
            return Ok(Self {
                is_there: true,
                name: config.model.name,
                data: config.train.data,
                target: config.train.target,
                learnable: None,
                command: config.train.command,
            });
        }
        let command = options.train_command.clone().or_else(|| {
            let script = python.script.as_ref()?;
            plan.found.push(format!("{} trains with MLflow", script.path));
            Some(python.command(script.path))
        });
        let registers = python.script.as_ref().and_then(|script| script.registers.clone());
        let name = options.name.clone().or(registers).unwrap_or_else(|| folder.name.clone());
        if name.trim().is_empty() || name.contains(['/', ':']) {
            let what = format!("the model cannot be called {name:?}: its name has no / and no :");
            return Err(Error::Missing { what, hint: "give it a name: --name churn".to_owned() });
        }
        let mut settings = Self {
            is_there: false,
            name,
            data: None,
            target: options.target.clone(),
            learnable: None,
            command,
        };
        settings.look_at_data(folder, options, plan)?;
        Ok(settings)
    }

    /// Finds the table, and what can be learnt of it.
    fn look_at_data(
        &mut self,
        folder: &Folder,
        options: &InitOptions,
        plan: &mut Scaffold,
    ) -> Result<()> {
        let tables = folder.tables();
        self.data = options.data.clone().or_else(|| usual(&tables));
        let Some(data) = self.data.clone() else {
            if self.command.is_none() {
                plan.data_folder = Some(folder.path.join("data"));
                plan.missing.push(match tables.as_slice() {
                    [] => {
                        format!("put training data into {}", folder.path.join(USUAL_DATA).display())
                    }
                    tables => {
                        format!("say which of these to train on (--data): {}", tables.join(", "))
                    }
                });
            }
            return Ok(());
        };
        if data.contains("://") {
            plan.found.push(format!("{data}, which is looked at when it is trained on"));
            return Ok(());
        }
        let source = folder.path.join(&data);
        let Some(found) = Learnable::look(&source.to_string_lossy(), options.target.as_deref())?
        else {
            let megabytes = LOOK_BYTES_MAX >> 20;
            plan.found.push(format!("{data}, larger than {megabytes} MiB and not looked at"));
            return Ok(());
        };
        plan.found.push(format!("{data}: {}", found.told()));
        for (column, reason) in &found.exclude {
            plan.found.push(format!("{column:?} is left out: {reason}"));
        }
        if found.target.is_none() {
            plan.missing.push(
                "say which column to predict: --target, or `target` in trainyard.toml".to_owned(),
            );
        }
        if self.command.is_none() {
            plan.missing.extend(found.trouble.clone());
        }
        self.learnable = Some(found);
        Ok(())
    }

    pub(super) fn guesses(&self, folder: &Folder) -> Guesses {
        let found = self.learnable.as_ref();
        let target = || found.and_then(|found| found.target.clone());
        Guesses {
            name: self.name.clone(),
            tables: folder.tables(),
            data: self.data.clone(),
            columns: found.map(|found| found.columns.clone()).unwrap_or_default(),
            target: self.target.clone().or_else(target),
            has_command: self.command.is_some(),
        }
    }

    /// Whether the command runs this script.
    pub(super) fn runs(&self, script: &str) -> bool {
        self.command
            .as_ref()
            .is_some_and(|command| command.split_whitespace().any(|word| word == script))
    }

    /// The script that the command runs, where it is not there yet.
    pub(super) fn script_to_begin_with(&self, folder: &Folder) -> Option<&str> {
        let command = self.command.as_deref().filter(|command| is_python(command))?;
        let path = command
            .split_whitespace()
            .find(|word| Path::new(word).extension().is_some_and(|end| end == "py"))?;
        let is_inside = Path::new(path)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        (is_inside && !folder.has(path)).then_some(path)
    }
}

/// Whether a command line is one of Python.
pub(super) fn is_python(command: &str) -> bool {
    let is_one = |word: &str| {
        let program = word.rsplit('/').next().unwrap_or(word);
        program.starts_with("python") || matches!(program, "uv" | "poetry")
    };
    command.split_whitespace().next().is_some_and(is_one)
}

/// The table that is meant to be trained on, if one stands out.
fn usual(tables: &[String]) -> Option<String> {
    let name = |table: &String| table.rsplit('/').next().unwrap_or_default().to_lowercase();
    // What production saw and what is held out are no training data.
    let is_other = |table: &&String| {
        ["production", "test", "valid", "holdout", "predict", "requests", "submission"]
            .iter()
            .any(|other| name(table).contains(other))
    };
    let others_out: Vec<&String> = tables.iter().filter(|table| !is_other(table)).collect();
    let named: Vec<&String> =
        others_out.iter().copied().filter(|table| name(table).contains("train")).collect();
    match (named.as_slice(), others_out.as_slice()) {
        ([first, ..], _) | ([], [first]) => Some((*first).clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_to_train_on_stands_out_or_is_asked_for() {
        let usual = |names: &[&str]| {
            usual(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        let found = usual(&["data/production_logs.csv", "data/train.csv", "data/x.csv"]);
        assert_eq!(found.as_deref(), Some("data/train.csv"));
        assert_eq!(
            usual(&["data/test.csv", "customers.parquet"]).as_deref(),
            Some("customers.parquet")
        );
        assert_eq!(usual(&["a.csv", "b.csv"]), None);
        assert_eq!(usual(&["data/test.csv"]), None);
    }
}
