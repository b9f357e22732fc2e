//! Jobs that are all on runners of the CI's own: what has to happen where the model serves is done there by SSH, through
//! `templates/trainyard-host.sh`. They are the templates with other lines, so that both do the same.

const PIPELINE: &str = include_str!("../../templates/pipeline.yaml");

/// What a job installs, behind what it has checked out; between them stands what it keeps from one time to the next.
const CHECKED_OUT: &str = "          persist-credentials: false\n";
const INSTALL: &str = "      - run: sh .github/install-trainyard.sh\n";

/// Each line of the templates that is another one over SSH.
const LINES: [(&str, &str); 10] = [
    (
        "#   Runners: the host that serves, with the label \"production\"\n",
        "#   The host that serves is spoken to by SSH (.github/trainyard-host.sh says how):\n\
         #   Variables: TRAINYARD_SSH_HOST, TRAINYARD_HOST_FOLDER, TRAINYARD_HOST_KEYS, and TRAINYARD_HOST_PASSES for what\n\
         #            verbs read there beside MLFLOW_TRACKING_*; a secret of these names is written into the steps of the\n\
         #            host as well: SERVE_TOKEN: ${{ secrets.SERVE_TOKEN }}\n\
         #   Secrets: TRAINYARD_SSH_KEY\n",
    ),
    ("    # The host that serves, registered as a self-hosted runner with this label.\n", ""),
    (
        "    runs-on: [self-hosted, production]\n",
        "    runs-on: ubuntu-24.04\n    env:\n      \
         TRAINYARD_SSH_HOST: ${{ vars.TRAINYARD_SSH_HOST }}\n      \
         TRAINYARD_HOST_FOLDER: ${{ vars.TRAINYARD_HOST_FOLDER }}\n      \
         TRAINYARD_HOST_KEYS: ${{ vars.TRAINYARD_HOST_KEYS }}\n      \
         TRAINYARD_HOST_PASSES: ${{ vars.TRAINYARD_HOST_PASSES }}\n",
    ),
    // What is built of sources is built on the host, too.
    ("    timeout-minutes: 30\n", "    timeout-minutes: 120\n"),
    (
        "          clean: false # .trainyard/ holds the running deployment's state and prediction log\n",
        "",
    ),
    ("          clean: false\n", ""),
    (
        "          # Without this the runner ends what the job started, the deployment with it.\n          \
         RUNNER_TRACKING_ID: \"\"\n",
        // What is installed and built before has no key.
        "          TRAINYARD_SSH_KEY: ${{ secrets.TRAINYARD_SSH_KEY }}\n",
    ),
    (
        "      # Right after a deployment there may be nothing to compare yet: that is no failure.\n      - env:\n",
        "      # Right after a deployment there may be nothing to compare yet: that is no failure.\n      - env:\n          \
         TRAINYARD_SSH_KEY: ${{ secrets.TRAINYARD_SSH_KEY }}\n",
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
const LOOK: [(&str, &str); 2] = [
    (
        "      - id: look\n        env:\n",
        "      - id: look\n        env:\n          \
         TRAINYARD_SSH_KEY: ${{ secrets.TRAINYARD_SSH_KEY }}\n",
    ),
    (
        "          trainyard retrain --check --json --summary drift.md > look.json || code=$?\n",
        "          sh .github/trainyard-host.sh run retrain --check --json --summary drift.md > look.json || code=$?\n          \
         sh .github/trainyard-host.sh get drift.md || true\n          \
         sh .github/trainyard-host.sh get reports/drift.html || true\n",
    ),
];

/// Each part of GitLab's jobs that is another one over SSH.
const PARTS: [(&str, &str); 5] = [
    (
        "#   Runners: the host that serves, a shell runner with the tag \"production\"\n",
        "#   The host that serves is spoken to by SSH (.gitlab/trainyard-host.sh says how):\n\
         #   CI/CD variables: TRAINYARD_SSH_HOST, TRAINYARD_HOST_FOLDER, TRAINYARD_HOST_KEYS, TRAINYARD_SSH_KEY (protected, of\n\
         #   type File, with the scope production*), and TRAINYARD_HOST_PASSES for what verbs read there beside MLFLOW_TRACKING_*\n",
    ),
    ("  tags: [production]\n", ""),
    (
        "  variables:\n    GIT_CLEAN_FLAGS: none # .trainyard/ holds the running deployment's state and prediction log\n",
        "",
    ),
    ("  variables:\n    GIT_CLEAN_FLAGS: none\n", ""),
    (
        "    - trainyard deploy --version \"$VERSION\" --summary deploy.md\n",
        "    - |\n      code=0\n      \
         host=\"$CI_PROJECT_DIR/.gitlab/trainyard-host.sh\"\n      \
         sh \"$host\" send\n      \
         sh \"$host\" install\n      \
         sh \"$host\" run deploy --version \"$VERSION\" --summary deploy.md || code=$?\n      \
         sh \"$host\" get deploy.md || true # it may have failed before that\n      \
         exit \"$code\"\n",
    ),
];

/// GitLab's look at what production saw.
const MONITOR: (&str, &str) = (
    "      trainyard monitor --output reports/drift.html --format markdown > drift.md 2> monitor.err || code=$?\n",
    "      host=\"$CI_PROJECT_DIR/.gitlab/trainyard-host.sh\"\n      \
     sh \"$host\" run monitor --output reports/drift.html --format markdown > drift.md 2> monitor.err || code=$?\n      \
     sh \"$host\" get reports/drift.html || true\n",
);

/// A workflow of GitHub at the root of its repository, over SSH.
pub(super) fn over_ssh(workflow: &str) -> String {
    with_cache(&replaced(workflow, LINES.iter().chain(&LOOK)))
}

/// Jobs that were on the host, where a program stays, keep it as the first one does.
fn with_cache(workflow: &str) -> String {
    let first = PIPELINE.split_once(CHECKED_OUT).and_then(|(_, rest)| rest.split_once(INSTALL));
    let step = first.map_or("", |(step, _)| step);
    workflow.replace(&format!("{CHECKED_OUT}{INSTALL}"), &format!("{CHECKED_OUT}{step}{INSTALL}"))
}

/// Jobs of GitLab at the root of their repository, over SSH.
pub(super) fn jobs_over_ssh(jobs: &str) -> String {
    replaced(jobs, PARTS.iter().chain([&MONITOR]))
}

fn replaced<'t>(text: &str, parts: impl Iterator<Item = &'t (&'t str, &'t str)>) -> String {
    parts.fold(text.to_owned(), |text, (part, other)| text.replace(part, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIFT: &str = include_str!("../../templates/drift.yaml");
    const JOBS: &str = include_str!("../../templates/gitlab.yml");

    #[test]
    fn no_job_needs_a_runner_on_the_host() {
        for (line, _) in LINES {
            assert!(PIPELINE.contains(line), "the template has no {line:?}");
        }
        for (part, _) in PARTS.into_iter().chain([MONITOR]) {
            assert!(JOBS.contains(part), "the template has no {part:?}");
        }
        let jobs = jobs_over_ssh(JOBS);
        for gone in ["tags:", "GIT_CLEAN_FLAGS", "- trainyard deploy", "      trainyard monitor"] {
            assert!(!jobs.contains(gone), "{gone} is in\n{jobs}");
        }
        for (part, _) in LOOK {
            assert!(DRIFT.contains(part), "the template has no {part:?}");
        }
        for (name, text) in [("pipeline", over_ssh(PIPELINE)), ("drift", over_ssh(DRIFT))] {
            for gone in ["self-hosted", "RUNNER_TRACKING_ID", "clean: false"] {
                assert!(!text.contains(gone), "{name} has {gone}:\n{text}");
            }
            for verb in ["deploy --version", "monitor --output", "retrain --check"] {
                let here = format!("\n          trainyard {verb}");
                assert!(!text.contains(&here), "{name} has {verb}:\n{text}");
            }
        }
        // Each job keeps what it has built, and has the time to build it.
        let steps = [over_ssh(PIPELINE), over_ssh(DRIFT)].map(|text| {
            (text.matches("uses: actions/cache@").count(), text.matches(INSTALL).count())
        });
        assert_eq!(steps, [(4, 4), (1, 1)]);
        // Only steps that speak to the host have its key.
        for (text, steps) in [(over_ssh(PIPELINE), 2), (over_ssh(DRIFT), 1)] {
            let of_step = "\n          TRAINYARD_SSH_KEY: ${{ secrets.TRAINYARD_SSH_KEY }}\n";
            assert_eq!(text.matches(of_step).count(), steps, "{text}");
            assert_eq!(text.matches("secrets.TRAINYARD_SSH_KEY").count(), steps, "{text}");
        }
    }
}
