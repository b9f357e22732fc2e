//! `conda.yaml`, where a folder has no other file: those that MLflow wrote before 1.26.

use serde::Deserialize;

use super::requirements;

pub(super) const FILE: &str = "conda.yaml";

/// What comes with every environment, and is no package of the model.
const BUILD: [&str; 3] = ["pip", "setuptools", "wheel"];

/// Names of packages that a refusal repeats.
const NAMED_MAX: usize = 5;

/// What is taken from the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Conda {
    pub(super) python: Option<String>,
    pub(super) build: Vec<String>,
    pub(super) packages: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct CondaFile {
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Dependency {
    /// `python=3.8.10`
    Package(String),
    Pip {
        pip: Vec<String>,
    },
}

impl Conda {
    /// Reads it. Packages of conda's own channels cannot be installed by uv or pip, as MLflow says too.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: CondaFile = serde_saphyr::from_str(text).map_err(|error| {
            // Not what the file says: it may be a link to another one.
            let line = error.location().map_or(0, |place| place.line());
            format!("{FILE} has no list of dependencies (line {line})")
        })?;
        let (mut conda, mut others) = (Self::default(), Vec::new());
        let (mut build, mut packages) = (String::new(), String::new());
        for dependency in file.dependencies {
            let package = match dependency {
                Dependency::Package(package) => package,
                Dependency::Pip { pip } => {
                    packages.extend(pip.iter().flat_map(|line| [line.as_str(), "\n"]));
                    continue;
                }
            };
            let end = package.find(['=', '<', '>', '!', ' ']).unwrap_or(package.len());
            let (name, version) = package.split_at(end);
            let is_exact = version.starts_with('=');
            let number = version.trim_start_matches('=').split('=').next().unwrap_or_default();
            match name {
                "python" if is_exact => conda.python = Some(number.trim().to_owned()),
                "python" => {}
                _ if BUILD.contains(&name) && is_exact => {
                    build.extend([name, "==", number.trim(), "\n"]);
                }
                _ if BUILD.contains(&name) => build.extend([package.as_str(), "\n"]),
                _ => others.push(name.to_owned()),
            }
        }
        if !others.is_empty() {
            let plain = |name: &String| {
                name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            };
            others.retain(plain);
            others.truncate(NAMED_MAX);
            return Err(format!(
                "{FILE} wants packages of conda ({}), which are not installed here\n\
                 hint: make the environment with conda, and give its interpreter with --python",
                others.join(", ")
            ));
        }
        conda.build = requirements::parse(&build, FILE)?;
        conda.packages = requirements::parse(&packages, FILE)?;
        Ok(conda)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_of_pip_is_taken_and_conda_s_own_packages_are_refused() {
        let text = "channels:\n- defaults\ndependencies:\n- python=3.8.10\n- pip<=22.0\n- wheel=0.37=py_0\n- pip:\n  \
                    - mlflow\n  - scikit-learn==0.24.2\nname: mlflow-env\n";
        let conda = Conda::parse(text).unwrap();
        assert_eq!(conda.python.as_deref(), Some("3.8.10"));
        assert_eq!(conda.build, ["pip<=22.0", "wheel==0.37"]);
        assert_eq!(conda.packages, ["mlflow", "scikit-learn==0.24.2"]);
        for (text, said) in [
            ("dependencies:\n- python=3.8\n- numpy=1.20\n", "(numpy)"),
            ("dependencies:\n- pip:\n  - -r /etc/passwd\n", "line 1 of conda.yaml"),
            ("channels: []\n", "no list"),
        ] {
            let error = Conda::parse(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
