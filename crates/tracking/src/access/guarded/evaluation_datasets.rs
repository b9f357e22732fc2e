//! Datasets of examples, for those who may: whoever may do something with all experiments that one belongs to.

use async_trait::async_trait;
use serde_json::Value;
use trainyard_mlflow::entities::KeyValue;
use trainyard_mlflow::{
    EvaluationDataset, EvaluationDatasets, Page, Result, SearchEvaluationDatasets,
};

use super::guard::{Guarded, hidden};
use super::listing::{Asked, visible};
use crate::access::index::Requirement;
use crate::access::permission::Action;
use crate::access::resource::{ANY, Kind};
use crate::access::rights::{denied, on};

/// Page of a search that does not say, and the largest.
const PAGE: (i64, i64) = (1000, 50_000);

/// What an action on a dataset needs of its experiments.
fn needed(experiment_ids: &[String], action: Action) -> Vec<Requirement<'_>> {
    experiment_ids.iter().map(|id| on(Kind::Experiment, id, action)).collect()
}

impl Guarded {
    /// Requires something of experiments, of which there is one at least.
    fn experiments(&self, experiment_ids: &[String], action: Action) -> Result<()> {
        if experiment_ids.is_empty() && !self.sees_everything()? {
            return Err(denied());
        }
        self.directory.require(&needed(experiment_ids, action))
    }

    /// Requires something of a dataset.
    async fn dataset(&self, dataset_id: &str, action: Action) -> Result<()> {
        if self.sees_everything()? {
            return self.experiment(ANY, action);
        }
        let ids = self.inner_datasets()?.experiment_ids(dataset_id).await.map_err(hidden)?;
        self.experiments(&ids, action)
    }
}

#[async_trait]
impl EvaluationDatasets for Guarded {
    async fn create(
        &self,
        name: &str,
        experiment_ids: Vec<String>,
        tags: Vec<KeyValue>,
    ) -> Result<EvaluationDataset> {
        if self.sees_everything()? {
            self.experiment(ANY, Action::Update)?;
        }
        self.experiments(&experiment_ids, Action::Update)?;
        self.inner_datasets()?.create(name, experiment_ids, tags).await
    }

    async fn get(&self, dataset_id: &str) -> Result<EvaluationDataset> {
        self.dataset(dataset_id, Action::Read).await?;
        self.inner_datasets()?.get(dataset_id).await
    }

    async fn search(&self, search: SearchEvaluationDatasets) -> Result<Page<EvaluationDataset>> {
        if self.sees_everything()? {
            return self.inner_datasets()?.search(search).await;
        }
        self.experiments(&search.experiment_ids, Action::Read)?;
        let (default, largest) = PAGE;
        let asked = Asked {
            page_token: search.page_token.as_deref(),
            // The store takes 0 for a request that does not say.
            max_results: (search.max_results != 0).then_some(search.max_results),
            default,
            largest,
        };
        let datasets = self.inner_datasets()?;
        let next = |max_results: Option<i64>, page_token| {
            let max_results = max_results.unwrap_or_default();
            datasets.search(SearchEvaluationDatasets { max_results, page_token, ..search.clone() })
        };
        visible(&asked, next, |dataset: &EvaluationDataset| {
            self.directory.permits(&needed(&dataset.experiment_ids, Action::Read))
        })
        .await
    }

    async fn delete(&self, dataset_id: &str) -> Result<()> {
        self.dataset(dataset_id, Action::Delete).await?;
        self.inner_datasets()?.delete(dataset_id).await
    }

    async fn set_tags(&self, dataset_id: &str, tags: Vec<KeyValue>) -> Result<()> {
        self.dataset(dataset_id, Action::Update).await?;
        self.inner_datasets()?.set_tags(dataset_id, tags).await
    }

    async fn delete_tag(&self, dataset_id: &str, key: &str) -> Result<()> {
        self.dataset(dataset_id, Action::Update).await?;
        self.inner_datasets()?.delete_tag(dataset_id, key).await
    }

    async fn experiment_ids(&self, dataset_id: &str) -> Result<Vec<String>> {
        self.dataset(dataset_id, Action::Read).await?;
        self.inner_datasets()?.experiment_ids(dataset_id).await
    }

    async fn add_to_experiments(
        &self,
        dataset_id: &str,
        experiment_ids: Vec<String>,
    ) -> Result<EvaluationDataset> {
        self.dataset(dataset_id, Action::Update).await?;
        self.experiments(&experiment_ids, Action::Update)?;
        self.inner_datasets()?.add_to_experiments(dataset_id, experiment_ids).await
    }

    async fn remove_from_experiments(
        &self,
        dataset_id: &str,
        experiment_ids: Vec<String>,
    ) -> Result<EvaluationDataset> {
        self.dataset(dataset_id, Action::Update).await?;
        self.inner_datasets()?.remove_from_experiments(dataset_id, experiment_ids).await
    }

    async fn upsert_records(&self, dataset_id: &str, records: Vec<Value>) -> Result<(i64, i64)> {
        self.dataset(dataset_id, Action::Update).await?;
        self.inner_datasets()?.upsert_records(dataset_id, records).await
    }

    async fn records(
        &self,
        dataset_id: &str,
        max_results: i64,
        page_token: Option<String>,
    ) -> Result<Page<Value>> {
        self.dataset(dataset_id, Action::Read).await?;
        self.inner_datasets()?.records(dataset_id, max_results, page_token).await
    }

    async fn delete_records(&self, dataset_id: &str, record_ids: Vec<String>) -> Result<i64> {
        self.dataset(dataset_id, Action::Update).await?;
        self.inner_datasets()?.delete_records(dataset_id, record_ids).await
    }
}
