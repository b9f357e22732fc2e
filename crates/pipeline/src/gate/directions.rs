//! Which values of its metrics a gate takes for better, told to whoever looks at the runs that it judges.

use trainyard_base::Better;
use trainyard_base::words::tags::BETTER;
use trainyard_mlflow::entities::Tag;
use trainyard_mlflow::{Result, Tracking};

use super::judge::lower_is_better;
use super::rules::Gate;
use crate::Project;
use crate::candidate::Candidate;

/// Tags the experiment of the candidate's run. What pages say of runs is no reason to stop a release: where it cannot be
/// written it is not.
pub(super) async fn record(project: &Project, tracking: &Tracking, candidate: &Candidate) {
    if let Err(error) = tag(&project.config.gate, tracking, candidate).await {
        tracing::debug!(%error, "the experiment is not told which metrics are better large");
    }
}

async fn tag(gate: &Gate, tracking: &Tracking, candidate: &Candidate) -> Result<()> {
    let known = directions(gate);
    let run_id = candidate.version.run_id.as_deref().filter(|id| !id.is_empty());
    let Some(run_id) = run_id.filter(|_| !known.is_empty()) else { return Ok(()) };
    let experiment_id = tracking.runs.get(run_id).await?.info.experiment_id;
    let experiment = tracking.experiments.get(&experiment_id).await?;
    for tag in known {
        if Tag::find(&experiment.tags, &tag.key) != Some(&tag.value) {
            tracking.experiments.set_tag(&experiment_id, tag).await?;
        }
    }
    Ok(())
}

/// Of the metrics that the rules name. One that is kept between two bounds has none.
fn directions(gate: &Gate) -> Vec<Tag> {
    let of_bounds =
        gate.thresholds.iter().filter_map(|(metric, bounds)| match (bounds.min, bounds.max) {
            (Some(_), None) => Some((metric, Better::Larger)),
            (None, Some(_)) => Some((metric, Better::Smaller)),
            _ => None,
        });
    let compared = gate.not_worse_than_production.keys().map(|metric| {
        // As the comparison does.
        let better = if lower_is_better(metric) { Better::Smaller } else { Better::Larger };
        (metric, better)
    });
    let mut tags: Vec<Tag> = Vec::new();
    for (metric, better) in of_bounds.chain(compared) {
        let key = format!("{BETTER}{metric}");
        if tags.iter().all(|tag| tag.key != key) {
            tags.push(Tag::new(key, better.name()));
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_tell_what_is_better() {
        let gate: Gate = toml::from_str(
            "thresholds.accuracy.min = 0.9\n\
             thresholds.delay.max = 3\n\
             thresholds.share = { min = 0.1, max = 0.9 }\n\
             not_worse_than_production = { accuracy = 0.0, rmse = 0.1, gain = 0.0 }",
        )
        .unwrap();
        let told: Vec<String> =
            directions(&gate).into_iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect();
        assert_eq!(
            told,
            [
                "trainyard.better.accuracy=larger",
                "trainyard.better.delay=smaller",
                "trainyard.better.gain=larger",
                "trainyard.better.rmse=smaller",
            ]
        );
        assert!(directions(&Gate::default()).is_empty());
    }
}
