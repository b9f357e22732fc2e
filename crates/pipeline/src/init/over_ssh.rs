//! Workflows whose every job is on a runner of the CI's own: what has to happen where the model serves is done there by SSH,
//! through `templates/trainyard-host.sh`. They are the templates with other lines, so that both do the same.

/// Each line of the templates that is another one over SSH.
const LINES: [(&str, &str); 8] = [
    (
        "#   Runners: the host that serves, with the label \"production\"\n",
        "#   The host that serves is spoken to by SSH (.github/trainyard-host.sh says how):\n\
         #   Variables: TRAINYARD_HOST, TRAINYARD_HOST_FOLDER, TRAINYARD_HOST_KEYS\n\
         #   Secrets: TRAINYARD_SSH_KEY\n",
    ),
    ("    # The host that serves, registered as a self-hosted runner with this label.\n", ""),
    (
        "    runs-on: [self-hosted, production]\n",
        "    runs-on: ubuntu-24.04\n    env:\n      \
         TRAINYARD_HOST: ${{ vars.TRAINYARD_HOST }}\n      \
         TRAINYARD_HOST_FOLDER: ${{ vars.TRAINYARD_HOST_FOLDER }}\n      \
         TRAINYARD_HOST_KEYS: ${{ vars.TRAINYARD_HOST_KEYS }}\n      \
         TRAINYARD_SSH_KEY: ${{ secrets.TRAINYARD_SSH_KEY }}\n",
    ),
    (
        "          clean: false # .trainyard/ holds the running deployment's state and prediction log\n",
        "",
    ),
    ("          clean: false\n", ""),
    (
        "          # Without this the runner ends what the job started, the deployment with it.\n          \
         RUNNER_TRACKING_ID: \"\"\n",
        "",
    ),
    (
        "          trainyard deploy --version \"$VERSION\" --summary deploy.md || code=$?\n",
        "          sh .github/trainyard-host.sh send\n          \
         sh .github/trainyard-host.sh install\n          \
         sh .github/trainyard-host.sh run deploy --version \"$VERSION\" --summary deploy.md || code=$?\n          \
         sh .github/trainyard-host.sh get deploy.md || true # it may have failed before that\n",
    ),
    (
        "          trainyard monitor --output reports/drift.html --format markdown > drift.md 2> monitor.err || code=$?\n",
        "          sh .github/trainyard-host.sh run monitor --output reports/drift.html --format markdown \\\n            \
         > drift.md 2> monitor.err || code=$?\n          \
         sh .github/trainyard-host.sh get reports/drift.html || true\n",
    ),
];

/// The look at night, which is of one template alone.
const LOOK: (&str, &str) = (
    "          trainyard retrain --check --json --summary drift.md > look.json || code=$?\n",
    "          sh .github/trainyard-host.sh run retrain --check --json --summary drift.md > look.json || code=$?\n          \
     sh .github/trainyard-host.sh get drift.md || true\n          \
     sh .github/trainyard-host.sh get reports/drift.html || true\n",
);

/// A workflow at the root of its repository, over SSH.
pub(super) fn over_ssh(workflow: &str) -> String {
    let lines = LINES.iter().chain([&LOOK]);
    lines.fold(workflow.to_owned(), |text, (line, other)| text.replace(line, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPELINE: &str = include_str!("../../templates/pipeline.yaml");
    const DRIFT: &str = include_str!("../../templates/drift.yaml");

    #[test]
    fn no_job_needs_a_runner_on_the_host() {
        for (line, _) in LINES {
            assert!(PIPELINE.contains(line), "the template has no {line:?}");
        }
        assert!(DRIFT.contains(LOOK.0));
        for (name, text) in [("pipeline", over_ssh(PIPELINE)), ("drift", over_ssh(DRIFT))] {
            for gone in ["self-hosted", "RUNNER_TRACKING_ID", "clean: false"] {
                assert!(!text.contains(gone), "{name} has {gone}:\n{text}");
            }
            for verb in ["deploy --version", "monitor --output", "retrain --check"] {
                let here = format!("\n          trainyard {verb}");
                assert!(!text.contains(&here), "{name} has {verb}:\n{text}");
            }
        }
        // Only jobs that speak to the host have its key.
        assert_eq!(over_ssh(PIPELINE).matches("secrets.TRAINYARD_SSH_KEY").count(), 2);
        assert_eq!(over_ssh(DRIFT).matches("secrets.TRAINYARD_SSH_KEY").count(), 1);
    }
}
