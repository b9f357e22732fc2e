//! `trainyard help`: the manual, which is in the binary, so that whoever has that has the pages that hints name; and the
//! JSON Schema of `trainyard.toml`, for editors.

use std::process::ExitCode;

use clap::Args;
use trainyard_base::did_you_mean;

use crate::failure::Failure;
use crate::printer;

/// Read a page of the manual, or the help of a verb.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trainyard help\n  trainyard help pipeline | less\n  trainyard help run\n  trainyard help deploy rollback\n  trainyard help schema > trainyard.schema.json"
)]
pub(crate) struct Arguments {
    /// A page of the manual, a verb, or `schema` for the JSON Schema of trainyard.toml; a list of them if none
    #[arg(value_name = "TOPIC|VERB")]
    topic: Vec<String>,
}

/// A page of the manual.
struct Topic {
    name: &'static str,
    about: &'static str,
    text: &'static str,
}

const TOPICS: [Topic; 15] = [
    Topic {
        name: "install",
        about: "binaries, wheels, packages and images, and how they are checked",
        text: include_str!("../../../../docs/install.md"),
    },
    Topic {
        name: "pipeline",
        about: "trainyard.toml, its steps, training on drift, workflows",
        text: include_str!("../../../../docs/pipeline.md"),
    },
    Topic {
        name: "releasing",
        about: "what a version goes through, holdout and gate, and how it is taken back",
        text: include_str!("../../../../docs/releasing.md"),
    },
    Topic {
        name: "deploying",
        about: "processes, containers, the gateway, what instances are told",
        text: include_str!("../../../../docs/deploying.md"),
    },
    Topic {
        name: "operating",
        about: "for whoever is on call: status, logs, certificates, tokens, Kubernetes",
        text: include_str!("../../../../docs/operating.md"),
    },
    Topic {
        name: "serving",
        about: "the model server and its protocols",
        text: include_str!("../../../../docs/serving.md"),
    },
    Topic {
        name: "predicting",
        about: "whole tables scored, model files made model folders, logged requests asked again",
        text: include_str!("../../../../docs/predicting.md"),
    },
    Topic {
        name: "models",
        about: "which models run without Python",
        text: include_str!("../../../../docs/models.md"),
    },
    Topic {
        name: "monitoring",
        about: "drift: methods, rules, options, reports",
        text: include_str!("../../../../docs/monitoring.md"),
    },
    Topic {
        name: "metrics",
        about: "what Prometheus reads of each process, by name",
        text: include_str!("../../../../docs/metrics.md"),
    },
    Topic {
        name: "quality",
        about: "whether a model is still good: labels that come late, estimates before them",
        text: include_str!("../../../../docs/quality.md"),
    },
    Topic {
        name: "alerts",
        about: "from a deployed model to an alert that is right, step by step",
        text: include_str!("../../../../docs/alerts.md"),
    },
    Topic {
        name: "tracking",
        about: "the tracking server: databases, artifacts, users, backups",
        text: include_str!("../../../../docs/tracking.md"),
    },
    Topic {
        name: "team",
        about: "users, roles and tokens of the tracking server, approvals, who did what",
        text: include_str!("../../../../docs/team.md"),
    },
    Topic {
        name: "mlflow-compatibility",
        about: "what is as in MLflow, and what differs",
        text: include_str!("../../../../docs/mlflow-compatibility.md"),
    },
];

/// Words that people ask for, and the page that is about them.
const WORDS: [(&str, &str); 11] = [
    ("feedback", "serving"),
    ("gate", "releasing"),
    ("holdout", "releasing"),
    ("rollback", "releasing"),
    ("staging", "releasing"),
    ("canary", "releasing"),
    ("expose", "deploying"),
    ("drift", "monitoring"),
    ("windows", "monitoring"),
    ("labels", "quality"),
    ("trainyard.toml", "pipeline"),
];

/// The page about a word.
fn page_about(word: &str) -> Option<&'static Topic> {
    let (_, page) = WORDS.iter().find(|(known, _)| *known == word)?;
    let topics: &'static [Topic] = &TOPICS;
    topics.iter().find(|topic| topic.name == *page)
}

/// The topic that is no page.
const SCHEMA: &str = "schema";

/// The page that is written by the command line itself.
const REFERENCE: &str = "reference";

/// The JSON Schema of `trainyard.toml`, with what the manual says of its keys.
fn schema() -> String {
    let page = TOPICS.iter().find(|topic| topic.name == "pipeline").map_or("", |topic| topic.text);
    let about = |key: &str| meaning(page, key);
    let schema = trainyard_pipeline::schema(&about);
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}

/// What the table of keys says of one: `| `key` | default | meaning |`.
fn meaning(page: &str, key: &str) -> Option<String> {
    let name = format!("`{key}`");
    page.lines().find_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let is_it = cells.next()?.split(", ").any(|named| named == name);
        let text = cells.nth(1)?.trim_end_matches(" |");
        is_it.then(|| text.replace('`', ""))
    })
}

/// Prints the page. `verbs` has each verb with a way to its help; `reference` is the page of all of them.
pub(crate) fn run(
    arguments: &Arguments,
    verbs: &[String],
    help_of: impl Fn(&[String]) -> Option<String>,
    reference: impl Fn() -> String,
) -> Result<ExitCode, Failure> {
    if arguments.topic.is_empty() {
        printer::line("The manual (`trainyard help TOPIC`):");
        for topic in &TOPICS {
            printer::line(&format!("  {:<22}{}", topic.name, topic.about));
        }
        printer::line(&format!("  {REFERENCE:<22}all verbs with their flags, exit codes"));
        printer::line(&format!("  {SCHEMA:<22}the JSON Schema of trainyard.toml, for editors"));
        printer::line(&format!("\nVerbs (`trainyard help VERB`):\n  {}", verbs.join(", ")));
        return Ok(ExitCode::SUCCESS);
    }
    let name = arguments.topic.join(" ");
    if name == SCHEMA {
        printer::line(&schema());
        return Ok(ExitCode::SUCCESS);
    }
    if name == REFERENCE {
        printer::line(reference().trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let topic = TOPICS.iter().find(|topic| topic.name == name);
    let found = topic.is_none().then(|| page_about(&name)).flatten();
    if let Some(found) = found {
        printer::note(&format!("{name} is in the page {:?}:\n", found.name));
    }
    let topic = topic.or(found);
    let text = topic.map(|topic| topic.text.to_owned()).or_else(|| help_of(&arguments.topic));
    let Some(text) = text else {
        let names = TOPICS.iter().map(|topic| topic.name).chain(verbs.iter().map(String::as_str));
        let meant = did_you_mean(&name, names);
        return Err(Failure::input(format!("the manual has no page {name:?}{meant}"))
            .hint("`trainyard help` lists its pages"));
    };
    printer::line(text.trim_end());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_to_the_page_that_has_them() {
        for (word, page) in WORDS {
            let found = page_about(word).unwrap_or_else(|| panic!("{word}: no page {page}"));
            assert_eq!(found.name, page);
            let has_it = found.text.to_ascii_lowercase().contains(word);
            assert!(has_it && TOPICS.iter().all(|topic| topic.name != word), "{word}");
        }
    }

    #[test]
    fn the_manual_says_what_keys_mean() {
        let page = "| `a.b`, `a.c` | 1 | what `x` is |\n| `d` | – | more |\n";
        assert_eq!(meaning(page, "a.c").as_deref(), Some("what x is"));
        assert_eq!(meaning(page, "d").as_deref(), Some("more"));
        assert_eq!(meaning(page, "a"), None);
    }
}
