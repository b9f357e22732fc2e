"""Tracing, feedback, evaluation and its datasets, with the unmodified client. argv: tracking URI."""

import json
import os
import sys

os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"

import mlflow
from mlflow.entities import AssessmentSource, SpanType
from mlflow.exceptions import MlflowException
from mlflow.genai import datasets

mlflow.set_tracking_uri(sys.argv[1])
experiment = mlflow.set_experiment(f"traced {os.getpid()}").experiment_id
client = mlflow.MlflowClient()


@mlflow.trace(span_type=SpanType.RETRIEVER, attributes={"k": 3})
def look_up(question):
    return [f"about {question}"]


@mlflow.trace(span_type=SpanType.LLM)
def ask(question):
    span = mlflow.get_current_active_span()
    span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12})
    return "é: " + question


@mlflow.trace(name="answer", span_type=SpanType.CHAIN)
def answer(question):
    mlflow.update_current_trace(tags={"team": "field"}, metadata={"mlflow.trace.session": "s-1", "own": "x"})
    if not question:
        raise ValueError("nothing was asked")
    return {"z": ask(look_up(question)[0]), "a": 1}


with mlflow.start_run() as run:
    answer("bees")
first = mlflow.get_last_active_trace_id()
try:
    answer("")
except ValueError:
    pass
failed = mlflow.get_last_active_trace_id()

trace = mlflow.get_trace(first)
assert [span.name for span in trace.data.spans] == ["answer", "look_up", "ask"], trace.data.spans
root, found, asked = trace.data.spans
assert root.inputs == {"question": "bees"} and root.outputs == {"z": "é: about bees", "a": 1}, root
assert found.get_attribute("k") == 3 and found.parent_id == root.span_id, found
assert asked.span_type == "LLM" and asked.outputs == "é: about bees", asked
info = trace.info
assert (info.state.value, info.experiment_id) == ("OK", experiment), info
assert info.tags["team"] == "field" and info.tags["mlflow.traceName"] == "answer", info.tags
assert info.token_usage == {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}, info.token_usage
assert info.trace_metadata["own"] == "x" and info.trace_metadata["mlflow.sourceRun"] == run.info.run_id
assert json.loads(info.request_preview) == {"question": "bees"}, info.request_preview
assert mlflow.get_trace(failed).data.spans[0].events[0].name == "exception"


def found_by(filter_string, **more):
    traces = mlflow.search_traces(
        locations=[experiment], filter_string=filter_string, return_type="list", **more
    )
    return {trace.info.trace_id for trace in traces}


both = {first, failed}
feedback = mlflow.log_feedback(
    trace_id=first, name="good", value=True, rationale="it is",
    source=AssessmentSource(source_type="HUMAN", source_id="ada"), metadata={"m": "1"},
)
mlflow.log_expectation(trace_id=first, name="expected", value={"words": ["a", "b"]})
mlflow.log_feedback(trace_id=failed, name="score", value=0.25)
for filter_string, expected in {
    None: both,
    "trace.status = 'OK'": {first},
    "status IN ('OK', 'ERROR')": both,
    "trace.name LIKE 'ans%'": both,
    "tags.team = 'field'": both,
    "tags.other IS NULL": both,
    "metadata.own = 'y'": set(),
    f"attributes.run_id = '{run.info.run_id}'": {first},
    "timestamp_ms > 0 AND execution_time_ms >= 0": both,
    "span.name = 'ask' AND span.type = 'LLM'": {first},
    "span.name = 'ask' AND span.type = 'CHAIN'": set(),
    "span.attributes.k LIKE '%3%'": {first},
    "span.name RLIKE '^(ask|nothing)$'": {first},
    "trace.text ILIKE '%ABOUT BEES%'": {first},
    "feedback.good = 'true'": both,
    "feedback.score < 0.5": both,
    "feedback.nothing IS NULL": both,
    "metadata.`mlflow.trace.session` = 's-1'": both,
}.items():
    # Feedback that is not about a session is about its trace alone.
    if filter_string in ("feedback.good = 'true'", "feedback.score < 0.5"):
        expected = {first} if "good" in filter_string else {failed}
    assert found_by(filter_string) == expected, (filter_string, found_by(filter_string))
newest = mlflow.search_traces(
    locations=[experiment], order_by=["timestamp_ms DESC"], max_results=1, return_type="list"
)
assert [trace.info.trace_id for trace in newest] == [failed]
for bad in ["status > 'OK'", "foo = 'x'", "span.foo = 'x'", "tags.t > 'v'"]:
    try:
        found_by(bad)
        raise AssertionError(bad)
    except MlflowException as error:
        assert error.error_code == "INVALID_PARAMETER_VALUE", (bad, error)

stored = mlflow.get_assessment(first, feedback.assessment_id)
assert (stored.value, stored.rationale, stored.source.source_id) == (True, "it is", "ada"), stored
assert stored.metadata == {"m": "1"}, stored
replaced = mlflow.override_feedback(
    trace_id=first, assessment_id=feedback.assessment_id, value=False, rationale="it is not"
)
assessments = {a.assessment_id: a for a in mlflow.get_trace(first).info.assessments}
assert assessments[feedback.assessment_id].valid is False
assert assessments[replaced.assessment_id].overrides == feedback.assessment_id
expected = [a for a in assessments.values() if a.name == "expected"]
assert expected[0].value == {"words": ["a", "b"]}, expected
mlflow.delete_assessment(trace_id=first, assessment_id=replaced.assessment_id)
assert mlflow.get_assessment(first, feedback.assessment_id).valid is True

client.set_trace_tag(first, "seen", "yes")
assert client.get_trace(first).info.tags["seen"] == "yes"
client.delete_trace_tag(first, "seen")
assert "seen" not in client.get_trace(first).info.tags
client.link_traces_to_run([failed], run.info.run_id)
assert found_by(f"attributes.run_id = '{run.info.run_id}'") == both

dataset = datasets.create_dataset(name="examples", experiment_id=experiment, tags={"kind": "small"})
dataset.merge_records([
    {"inputs": {"question": "é"}, "expectations": {"answer": "1"}, "tags": {"t": "v"}},
    {"inputs": {"question": "b"}, "outputs": "plain"},
])
dataset.merge_records([{"inputs": {"question": "é"}, "expectations": {"more": 2}}])
again = datasets.get_dataset(dataset_id=dataset.dataset_id)
records = {row["inputs"]["question"]: row for row in again.to_df().to_dict("records")}
assert records["é"]["expectations"] == {"answer": "1", "more": 2}, records
assert records["é"]["tags"]["t"] == "v" and records["b"]["outputs"] == "plain", records
assert len(records) == 2, records
assert json.loads(again.profile) == {"num_records": 2}, again.profile
assert json.loads(again.schema)["inputs"] == {"question": "string"}, again.schema
assert again.experiment_ids == [experiment] and again.tags["kind"] == "small"
assert [d.name for d in datasets.search_datasets(experiment_ids=[experiment], filter_string="tags.kind = 'small'")] == ["examples"]
datasets.set_dataset_tags(dataset_id=dataset.dataset_id, tags={"kind": "large"})
assert datasets.search_datasets(experiment_ids=[experiment], filter_string="tags.kind = 'small'") == []

result = mlflow.genai.evaluate(
    data=[{"inputs": {"question": "a"}, "outputs": "b"}],
    scorers=[mlflow.genai.scorer(lambda outputs: outputs == "b", name="exact")],
)
assert result.metrics == {"exact/mean": 1.0}, result.metrics
datasets.delete_dataset(dataset_id=dataset.dataset_id)
assert datasets.search_datasets(experiment_ids=[experiment]) == []
assert client.delete_traces(experiment, trace_ids=[failed]) == 1
assert failed not in found_by(None)
print("ok")
