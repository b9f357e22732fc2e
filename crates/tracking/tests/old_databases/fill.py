"""Fills a database with an old version of MLflow, by its own client: some of everything that this version has.

What clients cannot write, such as values of assessments that nobody means, is written as rows.
"""

import json
import math
import sys

import mlflow
import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

VERSION = tuple(int(part) for part in mlflow.__version__.split(".")[:2])
# Text whose characters, bytes and quotes differ.
TEXT = "größe 'a' \"b\" \\ 数据\n;--"


def classic(client):
    experiment = client.create_experiment("iris; it's", artifact_location="s3://bucket/a b", tags={"k": TEXT})
    gone = client.create_experiment("gone")
    client.delete_experiment(gone)
    runs = []
    for number in range(3):
        run = client.create_run(experiment, start_time=1_600_000_000_000 + number, tags={"mlflow.user": "ada"})
        run_id = run.info.run_id
        metrics = [Metric("loss", 1 / (step + 1), 1_600_000_000_000 + step, step) for step in range(4)]
        metrics += [
            Metric("bad", math.nan, 1, 0),
            Metric("large", math.inf, 1, 0),
            Metric("small", -math.inf, 2, -5),
        ]
        client.log_batch(run_id, metrics, [Param("lr", "0.1"), Param("note", TEXT)], [RunTag("note", TEXT)])
        runs.append(run_id)
    client.set_terminated(runs[0], "FINISHED", 1_600_000_009_000)
    client.set_terminated(runs[1], "KILLED")
    client.delete_run(runs[2])
    client.create_registered_model("iris", tags={"a": TEXT}, description=TEXT)
    client.create_registered_model("empty")
    for number in range(2):
        client.create_model_version("iris", f"s3://bucket/{number}", runs[number], tags={"b": TEXT})
    client.transition_model_version_stage("iris", "1", "Production")
    return experiment, runs


def since_2_3(client):
    client.set_registered_model_alias("iris", "champion", "2")


def since_2_4(client, runs):
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name="d", digest="abc", source_type="local", source="{}", schema="{}", profile=None)
    client.log_inputs(runs[0], [DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])])


def since_3_0(client, experiment, runs):
    from mlflow.entities import LoggedModelInput, LoggedModelOutput

    model = client.create_logged_model(experiment, "m", runs[0], tags={"t": TEXT}, params={"p": TEXT})
    client.log_batch(
        runs[0], [Metric("auc", 0.5, 1, 0, model_id=model.model_id, run_id=runs[0])], synchronous=True
    )
    client.finalize_logged_model(model.model_id, "READY")
    client.log_inputs(runs[1], models=[LoggedModelInput(model.model_id)])
    client.log_outputs(runs[1], [LoggedModelOutput(model.model_id, 7)])


ASSESSMENTS = [
    "true", "false", "1", "-2.5", "1e400", "NaN", "Infinity", '"yes"', '" NO "', '"maybe"', "yes", " No\n", "null",
    "[1]", '{"a": 1}', "12345678901234567890123", "not json", "", "0x10", "1_000", '"\\u0059es"', "1.", "01", " 7 ",
]  # fmt: skip
TOKENS = [
    {"input_tokens": 3, "output_tokens": "4", "total_tokens": 7.0},
    {"input_tokens": 1.5, "output_tokens": True, "total_tokens": None},
    {"input_tokens": 1e30, "output_tokens": "x", "total_tokens": " 12 "},
    {"input_tokens": "1e3", "output_tokens": [1], "cache_read_input_tokens": -1},
]
COSTS = [
    {"input_cost": 0.5, "output_cost": "0.25", "total_cost": 1},
    {"input_cost": True, "output_cost": "nan", "total_cost": "1_0"},
    {"input_cost": 1e308, "output_cost": None, "total_cost": " 2e-3 "},
    {"input_cost": "inf", "output_cost": [], "total_cost": {}},
]


def traces(engine, experiment):
    """Rows of traces, in the columns that the tables have."""
    meta = sqlalchemy.MetaData()
    meta.reflect(engine)
    tables = meta.tables
    if "trace_info" not in tables:
        return

    def add(table, **values):
        if table in tables:
            known = {key: value for key, value in values.items() if key in tables[table].columns}
            connection.execute(tables[table].insert().values(**known))

    with engine.begin() as connection:
        for number in range(8):
            trace = f"tr-{number:032d}"
            add(
                "trace_info", request_id=trace, experiment_id=int(experiment), timestamp_ms=1_700_000_000_000 + number,
                execution_time_ms=number, status="OK", request_preview=TEXT,
            )  # fmt: skip
            name = ["predict", TEXT, "x" * 4100, None][number % 4]
            add("trace_tags", request_id=trace, key="mlflow.traceName", value=name)
            add("trace_tags", request_id=trace, key="mine", value="kept")
            if number == 7:
                texts = ["[1]", "{", "s" * 300]
            else:
                texts = [json.dumps(TOKENS[number % 4]), json.dumps(COSTS[number % 4]), f"session {number}"]
            add("trace_request_metadata", request_id=trace, key="mlflow.trace.tokenUsage", value=texts[0])
            if number != 4:
                add("trace_request_metadata", request_id=trace, key="mlflow.trace.cost", value=texts[1])
            add("trace_request_metadata", request_id=trace, key="mlflow.trace.session", value=texts[2])
            if number >= 4:
                add("trace_request_metadata", request_id=trace, key="mlflow.gateway.endpointId", value="e")
                add("trace_metrics", request_id=trace, key="input_tokens", value=float(number) + (number == 5) / 2)
                add("trace_metrics", request_id=trace, key="other", value=1.0)
            for part in range(2):
                span = f"{number}-{part}"
                dimensions = [
                    {"mlflow.llm.model": "gpt", "mlflow.llm.provider": TEXT}, None,
                    {"mlflow.llm.model": "m" * 600, "mlflow.llm.provider": None}, {},
                ][(number + part) % 4]  # fmt: skip
                add(
                    "spans", trace_id=trace, experiment_id=int(experiment), span_id=span, name="s", type="LLM",
                    status="OK", start_time_unix_nano=1_700_000_000_000_000_000 + part,
                    end_time_unix_nano=1_700_000_000_000_000_009, content="{}", dimension_attributes=dimensions,
                )  # fmt: skip
                for key, value in [("input_cost", 0.1), ("total_cost", 0.1 * (number + 1)), ("other", 2.0)]:
                    add("span_metrics", trace_id=trace, span_id=span, key=key, value=value)
        for number, value in enumerate(ASSESSMENTS):
            add(
                "assessments", assessment_id=f"a-{number:03d}", trace_id=f"tr-{number % 8:032d}", name="correct",
                assessment_type="feedback", value=value, created_timestamp=number, last_updated_timestamp=number,
                source_type="HUMAN", source_id="ada", valid=True,
            )  # fmt: skip
        for number in range(5):
            add(
                "jobs", id=f"job-{number}", creation_time=number, job_name="j", function_fullname="j", params="{}",
                status=number, retry_count=0, last_update_time=number,
            )  # fmt: skip
        add(
            "secrets", secret_id="s", secret_name="n", encrypted_value=b"\x00\x01", wrapped_dek=b"\x02", kek_version=1,
            masked_value="*", created_at=1, last_updated_at=1,
        )  # fmt: skip
        add("webhooks", webhook_id="w", name="hook", url="https://example.com", status="ACTIVE", creation_timestamp=1,
            last_updated_timestamp=1)  # fmt: skip
        add("webhook_events", webhook_id="w", entity="registered_model", action="created")


def main():
    mlflow.set_tracking_uri(sys.argv[1])
    client = MlflowClient()
    experiment, runs = classic(client)
    if VERSION >= (2, 3):
        since_2_3(client)
    if VERSION >= (2, 4):
        since_2_4(client, runs)
    if VERSION >= (3, 0):
        since_3_0(client, experiment, runs)
    traces(sqlalchemy.create_engine(sys.argv[1]), experiment)


main()
