//! Traces and what was said of them, for those who may.
//!
//! Clients choose the ids of traces, so whoever writes one is asked about the trace that is there already, wherever
//! it is, and nothing is remembered of which experiment one is in.

use std::collections::BTreeSet;

use async_trait::async_trait;
use trainyard_mlflow::entities::{Assessment, KeyValue, Span, Trace, TraceInfo};
use trainyard_mlflow::{
    DeleteTraces, EndTrace, FilterCounts, MetricPoint, MetricView, Page, QueryTraceMetrics, Result,
    SearchTraces, Traces, UpdateAssessment,
};

use super::guard::{Guarded, hidden};
use crate::access::permission::Action;
use crate::access::resource::{ANY, Kind};
use crate::access::rights::{Rights, denied, on, within};

/// Traces that are looked up at a time: what the store takes.
const LOOKED_UP_MAX: usize = 100;
/// What a trace says of other things, and which of them it is about.
const OTHERS: [(&str, Kind); 2] =
    [("mlflow.sourceRun", Kind::Run), ("mlflow.modelId", Kind::LoggedModel)];
/// Words of a filter or an order by which it asks about other things than traces: to be found by them, or before
/// another, tells what they are.
const WORDS: [(&str, Kind); 7] = [
    ("feedback", Kind::Assessment),
    ("expectation", Kind::Assessment),
    ("assessment", Kind::Assessment),
    ("issue", Kind::Assessment),
    ("sourcerun", Kind::Run),
    ("run_id", Kind::Run),
    ("modelid", Kind::LoggedModel),
];

/// The kinds of things, beside traces, that texts of a search ask about.
fn asked_about<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for text in texts {
        let text = text.to_lowercase();
        for (word, kind) in WORDS {
            if text.contains(word) && !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    kinds
}

impl Guarded {
    /// The experiment of a trace.
    async fn experiment_of_trace(&self, trace_id: &str) -> Result<String> {
        let info = self.inner_traces()?.get_info(trace_id).await.map_err(hidden)?;
        Ok(info.experiment_id)
    }

    /// Requires something of a trace.
    async fn trace(&self, trace_id: &str, action: Action) -> Result<()> {
        if self.sees_everything()? {
            return self.inside(ANY, Kind::Trace, action);
        }
        let experiment_id = self.experiment_of_trace(trace_id).await?;
        self.inside(&experiment_id, Kind::Trace, action)
    }

    /// Requires that traces are all there and theirs to read.
    async fn traces(&self, trace_ids: &[String]) -> Result<()> {
        if self.sees_everything()? {
            return Ok(());
        }
        let infos = self.inner_traces()?.get_infos(trace_ids, None).await?;
        let found: BTreeSet<&str> = infos.iter().map(|info| info.trace_id.as_str()).collect();
        if infos.is_empty() || !trace_ids.iter().all(|id| found.contains(id.as_str())) {
            return Err(denied());
        }
        let experiments: BTreeSet<&str> =
            infos.iter().map(|info| info.experiment_id.as_str()).collect();
        experiments.into_iter().try_for_each(|id| self.inside(id, Kind::Trace, Action::Read))
    }

    /// Requires that traces of these ids may be written to an experiment, and to those where they are already.
    async fn may_write_traces<'a>(
        &self,
        experiment_id: &str,
        trace_ids: impl Iterator<Item = &'a str> + Send,
    ) -> Result<()> {
        self.make_in(experiment_id, Kind::Trace)?;
        if self.sees_everything()? {
            return Ok(());
        }
        let distinct: BTreeSet<&str> = trace_ids.filter(|id| !id.is_empty()).collect();
        let ids: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
        for ids in ids.chunks(LOOKED_UP_MAX) {
            for info in self.inner_traces()?.get_infos(ids, None).await? {
                if info.experiment_id != experiment_id {
                    self.inside(&info.experiment_id, Kind::Trace, Action::Update)?;
                }
            }
        }
        Ok(())
    }

    /// Requires that traces of experiments may be searched by these texts. Who names no experiment is refused.
    fn may_search(&self, experiment_ids: &[String], kinds: &[Kind]) -> Result<()> {
        if self.sees_everything()? {
            return Ok(());
        }
        if experiment_ids.is_empty() {
            return Err(denied());
        }
        for id in experiment_ids {
            self.inside(id, Kind::Trace, Action::Read)?;
            for kind in kinds {
                self.inside(id, *kind, Action::Read)?;
            }
        }
        Ok(())
    }

    /// Leaves out what a trace tells of things that are not theirs to read.
    fn without_others(&self, mut info: TraceInfo) -> Result<TraceInfo> {
        if self.sees_everything()? {
            return Ok(info);
        }
        let experiment = (Kind::Experiment, info.experiment_id.as_str());
        let is_open = |kind| self.directory.permits(&[within(kind, Action::Read, experiment)]);
        let is_assessed = is_open(Kind::Assessment)?;
        let mut withheld = Vec::new();
        for (key, kind) in OTHERS {
            if !is_open(kind)? {
                withheld.push(key);
            }
        }
        if !is_assessed {
            info.assessments.clear();
        }
        info.trace_metadata.retain(|entry| !withheld.contains(&entry.key.as_str()));
        Ok(info)
    }

    fn all_without_others(&self, infos: Vec<TraceInfo>) -> Result<Vec<TraceInfo>> {
        infos.into_iter().map(|info| self.without_others(info)).collect()
    }

    fn trace_without_others(&self, trace: Trace) -> Result<Trace> {
        Ok(Trace { info: self.without_others(trace.info)?, spans: trace.spans })
    }

    /// Requires something of an assessment of a trace; `otherwise` is what it takes on the experiment where nothing
    /// was granted on assessments.
    async fn assessment(&self, trace_id: &str, action: Action, otherwise: Action) -> Result<()> {
        if self.sees_everything()? {
            return self.inside(ANY, Kind::Assessment, action);
        }
        let experiment_id = self.experiment_of_trace(trace_id).await?;
        self.inside(&experiment_id, Kind::Trace, Action::Read)?;
        self.assessments_in(&experiment_id, action, otherwise)
    }

    /// The same of all assessments in an experiment.
    fn assessments_in(&self, experiment_id: &str, action: Action, otherwise: Action) -> Result<()> {
        let look = |rights: &Rights<'_>| {
            let is_said = rights.index.granted(rights.user, Kind::Assessment, ANY).is_some();
            let needed = if is_said {
                on(Kind::Assessment, ANY, action)
            } else {
                on(Kind::Experiment, experiment_id, otherwise)
            };
            rights.permit(&[needed])
        };
        if self.directory.rights(look)? { Ok(()) } else { Err(denied()) }
    }
}

#[async_trait]
impl Traces for Guarded {
    async fn start(&self, info: TraceInfo) -> Result<TraceInfo> {
        self.may_write_traces(&info.experiment_id, std::iter::once(info.trace_id.as_str())).await?;
        if !info.assessments.is_empty() {
            self.directory.require(&[on(Kind::Assessment, ANY, Action::NotDenied)])?;
        }
        self.inner_traces()?.start(info).await
    }

    async fn start_v2(&self, info: TraceInfo) -> Result<TraceInfo> {
        self.may_write_traces(&info.experiment_id, std::iter::once(info.trace_id.as_str())).await?;
        self.inner_traces()?.start_v2(info).await
    }

    async fn end_v2(&self, trace_id: &str, end: EndTrace) -> Result<TraceInfo> {
        self.trace(trace_id, Action::Update).await?;
        self.inner_traces()?.end_v2(trace_id, end).await
    }

    async fn may_log_spans(&self, experiment_id: &str) -> Result<()> {
        self.make_in(experiment_id, Kind::Trace)
    }

    async fn log_spans(&self, experiment_id: &str, spans: Vec<Span>) -> Result<()> {
        let ids = spans.iter().map(|span| span.trace_id.as_str());
        self.may_write_traces(experiment_id, ids).await?;
        self.inner_traces()?.log_spans(experiment_id, spans).await
    }

    async fn get_info(&self, trace_id: &str) -> Result<TraceInfo> {
        self.trace(trace_id, Action::Read).await?;
        self.without_others(self.inner_traces()?.get_info(trace_id).await?)
    }

    async fn get_infos(
        &self,
        trace_ids: &[String],
        experiment_ids: Option<Vec<String>>,
    ) -> Result<Vec<TraceInfo>> {
        self.traces(trace_ids).await?;
        self.all_without_others(self.inner_traces()?.get_infos(trace_ids, experiment_ids).await?)
    }

    async fn get_all(
        &self,
        trace_ids: &[String],
        experiment_ids: Option<Vec<String>>,
    ) -> Result<Vec<Trace>> {
        self.traces(trace_ids).await?;
        let traces = self.inner_traces()?.get_all(trace_ids, experiment_ids).await?;
        traces.into_iter().map(|trace| self.trace_without_others(trace)).collect()
    }

    async fn get(&self, trace_id: &str, allow_partial: bool) -> Result<Trace> {
        self.trace(trace_id, Action::Read).await?;
        self.trace_without_others(self.inner_traces()?.get(trace_id, allow_partial).await?)
    }

    async fn search(&self, search: SearchTraces) -> Result<Page<TraceInfo>> {
        let texts = search.order_by.iter().chain([&search.filter]).map(String::as_str);
        self.may_search(&search.experiment_ids, &asked_about(texts))?;
        let mut page = self.inner_traces()?.search(search).await?;
        page.items = self.all_without_others(page.items)?;
        Ok(page)
    }

    async fn count_both(
        &self,
        experiment_ids: Vec<String>,
        filters: [String; 2],
        base: String,
    ) -> Result<FilterCounts> {
        let texts = filters.iter().chain([&base]).map(String::as_str);
        self.may_search(&experiment_ids, &asked_about(texts))?;
        self.inner_traces()?.count_both(experiment_ids, filters, base).await
    }

    async fn metrics(&self, query: QueryTraceMetrics) -> Result<Vec<MetricPoint>> {
        let texts = query.filters.iter().chain(&query.dimensions).map(String::as_str);
        let mut kinds = asked_about(texts);
        if query.view == MetricView::Assessments {
            kinds.push(Kind::Assessment);
        }
        self.may_search(&query.experiment_ids, &kinds)?;
        self.inner_traces()?.metrics(query).await
    }

    async fn delete(&self, delete: DeleteTraces) -> Result<i64> {
        self.inside(&delete.experiment_id, Kind::Trace, Action::Delete)?;
        // Their assessments go with them.
        self.assessments_in(&delete.experiment_id, Action::Delete, Action::Update)?;
        self.inner_traces()?.delete(delete).await
    }

    async fn set_tag(&self, trace_id: &str, tag: KeyValue) -> Result<()> {
        self.trace(trace_id, Action::Update).await?;
        self.inner_traces()?.set_tag(trace_id, tag).await
    }

    async fn delete_tag(&self, trace_id: &str, key: &str) -> Result<()> {
        self.trace(trace_id, Action::Update).await?;
        self.inner_traces()?.delete_tag(trace_id, key).await
    }

    async fn link_to_run(&self, trace_ids: &[String], run_id: &str) -> Result<()> {
        self.run(run_id, Action::Update).await?;
        self.traces(trace_ids).await?;
        self.inner_traces()?.link_to_run(trace_ids, run_id).await
    }

    async fn link_prompts(&self, trace_id: &str, prompts: &[String]) -> Result<()> {
        self.trace(trace_id, Action::Update).await?;
        self.inner_traces()?.link_prompts(trace_id, prompts).await
    }

    async fn create_assessment(&self, assessment: Assessment) -> Result<Assessment> {
        if self.sees_everything()? {
            self.inside(ANY, Kind::Trace, Action::Update)?;
        } else {
            let experiment_id = self.experiment_of_trace(&assessment.trace_id).await?;
            self.inside(&experiment_id, Kind::Trace, Action::Read)?;
            // Either lets somebody assess: to write to the experiment, or to its traces.
            let by_experiment = [on(Kind::Experiment, &experiment_id, Action::Update)];
            let by_trace = on(Kind::Trace, ANY, Action::Update);
            let look = |rights: &Rights<'_>| {
                let is_said = rights.index.granted(rights.user, Kind::Trace, ANY).is_some();
                rights.permit(&by_experiment) || (is_said && rights.permit(&[by_trace]))
            };
            if !self.directory.rights(look)? {
                return Err(denied());
            }
        }
        self.directory.require(&[on(Kind::Assessment, ANY, Action::NotDenied)])?;
        self.inner_traces()?.create_assessment(assessment).await
    }

    async fn get_assessment(&self, trace_id: &str, assessment_id: &str) -> Result<Assessment> {
        self.assessment(trace_id, Action::Read, Action::Read).await?;
        self.inner_traces()?.get_assessment(trace_id, assessment_id).await
    }

    async fn update_assessment(
        &self,
        trace_id: &str,
        assessment_id: &str,
        update: UpdateAssessment,
    ) -> Result<Assessment> {
        self.assessment(trace_id, Action::Update, Action::Update).await?;
        self.inner_traces()?.update_assessment(trace_id, assessment_id, update).await
    }

    async fn delete_assessment(&self, trace_id: &str, assessment_id: &str) -> Result<()> {
        self.assessment(trace_id, Action::Delete, Action::Update).await?;
        self.inner_traces()?.delete_assessment(trace_id, assessment_id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_are_of_what_their_words_say() {
        let kinds = |text: &'static str| asked_about(std::iter::once(text));
        assert_eq!(kinds("feedback.quality = 'good'"), [Kind::Assessment]);
        assert_eq!(kinds("EXPECTATION.x = '1' AND run_id = 'a'"), [Kind::Assessment, Kind::Run]);
        assert_eq!(kinds("metadata.`mlflow.sourceRun` DESC"), [Kind::Run]);
        assert_eq!(kinds("request_metadata.mlflow.modelId = 'm'"), [Kind::LoggedModel]);
        assert!(kinds("tags.color = 'red'").is_empty());
    }
}
