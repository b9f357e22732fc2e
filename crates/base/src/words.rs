//! Words that one room writes and another reads: held once, for twins drift apart in silence.

/// The release of MLflow whose API, model folders and scoring protocol ours are. Clients ask for it, and
/// model folders carry it.
pub const MLFLOW_VERSION: &str = "3.17.2";

/// Where a model server says how it is. It is answered whatever the crowd, without a token.
pub const HEALTH_PATH: &str = "/health";

/// What `status` of a model server's health says while nothing serves and waiting is of no use: what it is to
/// serve can never be served by it.
pub const HEALTH_FAILED: &str = "failed";

/// Every path that asks a model server at its root how it is.
pub const PROBE_PATHS: [&str; 5] =
    [HEALTH_PATH, "/livez", "/ping", "/v2/health/live", "/v2/health/ready"];

/// The variable with the id of the request by which a deployer tries an instance: what it predicts is not
/// logged, as no client asked.
pub const PROBE_ID_VARIABLE: &str = "TRAINYARD_PROBE_ID";

/// The variable with the token that a model server asks its clients for.
pub const TOKEN_VARIABLE: &str = "TRAINYARD_TOKEN";

/// The variable with the file that holds it.
pub const TOKEN_FILE_VARIABLE: &str = "TRAINYARD_TOKEN_FILE";

/// Parts of pages that change by themselves: whoever draws a page marks them, and whoever streams it looks for them.
pub mod live_parts {
    /// What a part begins with. Behind it are its attributes: `data-part`, its name, which a page has once, and
    /// `data-digest`, which is another one once the part is.
    pub const OPEN: &str = "<live-part ";
    /// What it ends with. There is none within another.
    pub const CLOSE: &str = "</live-part>";
    /// The header of a request for a stream, with the parts that are there already: `name=digest`, with commas between.
    pub const HEADER: &str = "trainyard-parts";
    /// The header by which whoever serves a page says, before it is drawn, up to which change it will be; whoever draws it
    /// writes that into it. A stream says it again: where nothing was written since, there is nothing to be drawn anew.
    pub const DRAWN: &str = "trainyard-drawn";
}

/// Columns of the prediction log. Between them are the model's own.
pub mod log_columns {
    /// The id of the request, which feedback names.
    pub const REQUEST_ID: &str = "trainyard.request_id";
    /// When the request came.
    pub const TIME: &str = "trainyard.time";
    /// The registered model, or the name it is served under.
    pub const MODEL: &str = "trainyard.model";
    /// The version that answered.
    pub const MODEL_VERSION: &str = "trainyard.model_version";
    /// What the model said; with `trainyard.` before it where an input has the name.
    pub const PREDICTION: &str = "prediction";
    /// The probability of it, likewise.
    pub const PROBABILITY: &str = "probability";
}

/// Tags by which a pipeline says what became of a version and of production data, for whoever shows it.
pub mod tags {
    /// Of a version: `approved`, `refused`, `released`, `replaced` or `rolled_back`. Beside it are `.by`, `.with`, `.at`
    /// and `.reason`.
    pub const STATE: &str = "trainyard.state";
    /// Of a version: whether the gate `passed` or `failed`. Beside it is one for each rule, by its metric.
    pub const GATE: &str = "trainyard.gate";
    /// Of an experiment, with a metric behind it: which of its values the gate takes for better, `larger` or `smaller`.
    pub const BETTER: &str = "trainyard.better.";
    /// Of a look at production data, and of a release: what was found.
    pub const VERDICT: &str = "trainyard.verdict";
    /// Of a release's run: `released`, `rolled_back` or `failed`.
    pub const OUTCOME: &str = "trainyard.outcome";
    /// Of a look at production data: the registered model.
    pub const MODEL: &str = "trainyard.model";
    /// Of the run of production data over time: how long its windows are.
    pub const WINDOW: &str = "trainyard.window";
    /// Of the run of a service: how it is, as JSON ([`ServiceRecord`](crate::service::ServiceRecord)).
    pub const SERVICE: &str = "trainyard.service";
    /// Of the same: what whoever keeps it up said last, a line each.
    pub const SERVICE_LOG: &str = "trainyard.service.log";
}

/// What the name of a [`releases_experiment`] ends with.
const RELEASES_END: &str = "_releases";

/// The experiment of a model's releases and rollbacks.
pub fn releases_experiment(model: &str) -> String {
    format!("/{model}{RELEASES_END}")
}

/// What the name of a [`service_experiment`] ends with.
const SERVICE_END: &str = "_service";

/// The experiment of what hosts record of a model's services: a run for each.
pub fn service_experiment(model: &str) -> String {
    format!("/{model}{SERVICE_END}")
}

/// A pattern of LIKE for the names of all of them, and of a few more: `_` stands for any character.
pub const SERVICE_EXPERIMENTS: &str = "/%_service";

/// The model that a [`service_experiment`] is of; none where it is no such.
pub fn model_of_service_experiment(experiment: &str) -> Option<&str> {
    model_of(experiment, SERVICE_END)
}

fn model_of<'a>(experiment: &'a str, end: &str) -> Option<&'a str> {
    let model = experiment.strip_prefix('/')?.strip_suffix(end)?;
    (!model.is_empty()).then_some(model)
}

/// The model of which an experiment says what became of it, to whoever reads the model's pages: that of its services, and
/// that of its releases.
pub fn model_told_of_by(experiment: &str) -> Option<&str> {
    model_of_service_experiment(experiment).or_else(|| model_of(experiment, RELEASES_END))
}

/// What the name of a [`monitoring_experiment`] ends with.
const MONITORING_END: &str = "_monitoring";

/// The experiment of looks at production data, beside the one that models are trained in.
pub fn monitoring_experiment(training: &str) -> String {
    let stem = training.strip_suffix("_staging").unwrap_or(training);
    format!("{stem}{MONITORING_END}")
}

/// Whether an experiment is one that the program itself writes into: of releases, services, or looks at production data.
pub fn is_kept_experiment(name: &str) -> bool {
    name == LOOKS_EXPERIMENT
        || model_told_of_by(name).is_some()
        || name
            .strip_suffix(MONITORING_END)
            .is_some_and(|stem| stem.len() > 1 && stem.starts_with('/'))
}

/// The experiment of looks outside of projects.
pub const LOOKS_EXPERIMENT: &str = "/monitoring";

/// The file of a run of production data over time that has the newest windows.
pub const RECENT_WINDOWS: &str = "recent.json";

/// Bytes of it: whoever draws a page reads it whole.
pub const RECENT_WINDOWS_BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_experiment_of_a_service_says_whose_it_is() {
        for model in ["Churn", "a/b", "x_service", "it's \"one\""] {
            assert_eq!(model_of_service_experiment(&service_experiment(model)), Some(model));
            assert_eq!(model_told_of_by(&service_experiment(model)), Some(model));
            assert_eq!(model_told_of_by(&releases_experiment(model)), Some(model));
        }
        for other in ["/_service", "_service", "Churn_service", "/Churn_releases", "/aXservice"] {
            assert_eq!(model_of_service_experiment(other), None, "{other}");
            assert_eq!(model_told_of_by(other).is_some(), other == "/Churn_releases", "{other}");
        }
    }
}
