//! Any text as the filter and order of each search: an answer or a refusal, never a failure.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;
use trainyard_mlflow::{
    SearchExperiments, SearchLoggedModels, SearchModelVersions, SearchRegisteredModels, SearchRuns,
    Tracking,
};
use trainyard_tracking::{OpenOptions, open};

static STORE: LazyLock<Tracking> =
    LazyLock::new(|| open("sqlite://", OpenOptions::default()).expect("a store in memory"));
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

fn check<T>(answer: trainyard_mlflow::Result<T>) {
    if let Err(error) = answer {
        assert!(error.code().http_status() < 500, "{error}");
    }
}

fuzz_target!(|text: &str| {
    let (filter, order) = text.split_once('\n').unwrap_or((text, ""));
    let filter = || filter.to_owned();
    let order_by: Vec<String> = order.lines().map(str::to_owned).collect();
    RUNTIME.block_on(async {
        let experiment_ids = vec!["0".to_owned()];
        check(
            STORE
                .runs
                .search(SearchRuns {
                    experiment_ids: experiment_ids.clone(),
                    filter: filter(),
                    order_by: order_by.clone(),
                    ..SearchRuns::default()
                })
                .await,
        );
        check(
            STORE
                .experiments
                .search(SearchExperiments {
                    filter: filter(),
                    order_by: order_by.clone(),
                    ..SearchExperiments::default()
                })
                .await,
        );
        check(
            STORE
                .registered_models
                .search(SearchRegisteredModels {
                    filter: filter(),
                    order_by: order_by.clone(),
                    ..SearchRegisteredModels::default()
                })
                .await,
        );
        check(
            STORE
                .model_versions
                .search(SearchModelVersions {
                    filter: filter(),
                    order_by,
                    ..SearchModelVersions::default()
                })
                .await,
        );
        check(
            STORE
                .logged_models
                .search(SearchLoggedModels {
                    experiment_ids,
                    filter: filter(),
                    ..SearchLoggedModels::default()
                })
                .await,
        );
    });
});
