//! PostgreSQL under Patroni whose primary is killed again and again under writers. It takes many minutes, so only
//! the long form of the tests (`cargo xtask test --long`) does it.

use trainyard_testkit::patroni::PatroniCluster;
use trainyard_tracking::open;

use crate::failover::{Progress, several, under_writers};

const KILLS: usize = 20;

#[test]
fn twenty_primaries_are_killed_and_nothing_acknowledged_is_lost() {
    if std::env::var_os("TRAINYARD_TEST_LONG").is_none() {
        return;
    }
    let cluster = PatroniCluster::start();
    cluster.database("mlflow");
    let folder = tempfile::tempdir().unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(&several(&cluster.ports()), crate::store::options(&folder)).unwrap();
        under_writers(&store, async |progress: &Progress| {
            for _kill in 0..KILLS {
                cluster.kill_primary();
                // Each writer gets on with whoever is the primary now.
                progress.wait(1).await;
                cluster.wait_until_whole();
            }
        })
        .await;
    });
}
