//! The types that queries may select from: MLflow's messages in camelCase.

/// Type of a field. Unset values have protobuf's defaults.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// An int64, as a string: JavaScript's numbers are too small.
    Long,
    Float,
    Bool,
    /// A name; the text is the default.
    Enum(&'static str),
    Object(&'static Object),
    /// Declared for clients that ask, never set.
    Never(&'static Object),
}

/// A type with fields.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
}

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) list: bool,
}

impl Object {
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

const fn one(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, list: false }
}

const fn list(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, list: true }
}

const fn text(name: &'static str) -> Field {
    one(name, Kind::Text)
}

const fn long(name: &'static str) -> Field {
    one(name, Kind::Long)
}

static API_ERROR: Object =
    Object { name: "ApiError", fields: &[text("code"), text("message"), text("helpUrl")] };
const NO_ERROR: Field = one("apiError", Kind::Never(&API_ERROR));

static EXPERIMENT_TAG: Object =
    Object { name: "MlflowExperimentTag", fields: &[text("key"), text("value")] };
static EXPERIMENT: Object = Object {
    name: "MlflowExperiment",
    fields: &[
        text("experimentId"),
        text("name"),
        text("artifactLocation"),
        text("lifecycleStage"),
        long("lastUpdateTime"),
        long("creationTime"),
        list("tags", Kind::Object(&EXPERIMENT_TAG)),
        text("effectiveTraceArchivalRetention"),
        text("workspace"),
    ],
};
static GET_EXPERIMENT: Object = Object {
    name: "MlflowGetExperimentResponse",
    fields: &[one("experiment", Kind::Object(&EXPERIMENT)), NO_ERROR],
};

static RUN_INFO: Object = Object {
    name: "MlflowRunInfo",
    fields: &[
        text("runId"),
        text("runUuid"),
        text("runName"),
        text("experimentId"),
        text("userId"),
        one("status", Kind::Enum("RUNNING")),
        long("startTime"),
        long("endTime"),
        text("artifactUri"),
        text("lifecycleStage"),
    ],
};
const METRIC_FIELDS: &[Field] = &[
    text("key"),
    one("value", Kind::Float),
    long("timestamp"),
    long("step"),
    text("datasetName"),
    text("datasetDigest"),
    text("modelId"),
    text("runId"),
];
static METRIC: Object = Object { name: "MlflowMetricExtension", fields: METRIC_FIELDS };
static PARAM: Object = Object { name: "MlflowParam", fields: &[text("key"), text("value")] };
static RUN_TAG: Object = Object { name: "MlflowRunTag", fields: &[text("key"), text("value")] };
static RUN_DATA: Object = Object {
    name: "MlflowRunData",
    fields: &[
        list("metrics", Kind::Object(&METRIC)),
        list("params", Kind::Object(&PARAM)),
        list("tags", Kind::Object(&RUN_TAG)),
    ],
};
static DATASET: Object = Object {
    name: "MlflowDataset",
    fields: &[
        text("name"),
        text("digest"),
        text("sourceType"),
        text("source"),
        text("schema"),
        text("profile"),
    ],
};
static INPUT_TAG: Object = Object { name: "MlflowInputTag", fields: &[text("key"), text("value")] };
static DATASET_INPUT: Object = Object {
    name: "MlflowDatasetInput",
    fields: &[list("tags", Kind::Object(&INPUT_TAG)), one("dataset", Kind::Object(&DATASET))],
};
static MODEL_INPUT: Object = Object { name: "MlflowModelInput", fields: &[text("modelId")] };
static MODEL_OUTPUT: Object =
    Object { name: "MlflowModelOutput", fields: &[text("modelId"), long("step")] };
static RUN_INPUTS: Object = Object {
    name: "MlflowRunInputs",
    fields: &[
        list("datasetInputs", Kind::Object(&DATASET_INPUT)),
        list("modelInputs", Kind::Object(&MODEL_INPUT)),
    ],
};
static RUN_OUTPUTS: Object = Object {
    name: "MlflowRunOutputs",
    fields: &[list("modelOutputs", Kind::Object(&MODEL_OUTPUT))],
};
static RUN: Object = Object {
    name: "MlflowRunExtension",
    fields: &[
        one("info", Kind::Object(&RUN_INFO)),
        one("data", Kind::Object(&RUN_DATA)),
        one("inputs", Kind::Object(&RUN_INPUTS)),
        one("outputs", Kind::Object(&RUN_OUTPUTS)),
        one("experiment", Kind::Object(&EXPERIMENT)),
        list("modelVersions", Kind::Object(&MODEL_VERSION)),
    ],
};
static GET_RUN: Object =
    Object { name: "MlflowGetRunResponse", fields: &[one("run", Kind::Object(&RUN)), NO_ERROR] };
static SEARCH_RUNS: Object = Object {
    name: "MlflowSearchRunsResponse",
    fields: &[list("runs", Kind::Object(&RUN)), text("nextPageToken"), NO_ERROR],
};

static MODEL_VERSION_TAG: Object =
    Object { name: "MlflowModelVersionTag", fields: &[text("key"), text("value")] };
static MODEL_PARAM: Object =
    Object { name: "MlflowModelParam", fields: &[text("name"), text("value")] };
static MODEL_METRIC: Object = Object { name: "MlflowModelMetric", fields: METRIC_FIELDS };
static MODEL_VERSION: Object = Object {
    name: "MlflowModelVersion",
    fields: &[
        text("name"),
        text("version"),
        long("creationTimestamp"),
        long("lastUpdatedTimestamp"),
        text("userId"),
        text("currentStage"),
        text("description"),
        text("source"),
        text("runId"),
        one("status", Kind::Enum("PENDING_REGISTRATION")),
        text("statusMessage"),
        list("tags", Kind::Object(&MODEL_VERSION_TAG)),
        text("runLink"),
        list("aliases", Kind::Text),
        text("modelId"),
        list("modelParams", Kind::Object(&MODEL_PARAM)),
        list("modelMetrics", Kind::Object(&MODEL_METRIC)),
    ],
};
static SEARCH_MODEL_VERSIONS: Object = Object {
    name: "MlflowSearchModelVersionsResponse",
    fields: &[list("modelVersions", Kind::Object(&MODEL_VERSION)), text("nextPageToken"), NO_ERROR],
};

static METRIC_WITH_RUN_ID: Object = Object {
    name: "MlflowMetricWithRunId",
    fields: &[
        text("key"),
        one("value", Kind::Float),
        long("timestamp"),
        long("step"),
        text("runId"),
    ],
};
static HISTORY: Object = Object {
    name: "MlflowGetMetricHistoryBulkIntervalResponse",
    fields: &[list("metrics", Kind::Object(&METRIC_WITH_RUN_ID)), NO_ERROR],
};

static FILE_INFO: Object = Object {
    name: "MlflowFileInfo",
    fields: &[text("path"), one("isDir", Kind::Bool), long("fileSize")],
};
static LIST_ARTIFACTS: Object = Object {
    name: "MlflowListArtifactsResponse",
    fields: &[
        text("rootUri"),
        list("files", Kind::Object(&FILE_INFO)),
        text("nextPageToken"),
        NO_ERROR,
    ],
};

static DATASET_SUMMARY: Object = Object {
    name: "MlflowDatasetSummary",
    fields: &[text("experimentId"), text("name"), text("digest"), text("context")],
};
static SEARCH_DATASETS: Object = Object {
    name: "MlflowSearchDatasetsResponse",
    fields: &[list("datasetSummaries", Kind::Object(&DATASET_SUMMARY)), NO_ERROR],
};

static TEST: Object = Object { name: "Test", fields: &[text("output")] };
static TEST_MUTATION: Object = Object { name: "TestMutation", fields: &[text("output")] };

/// What `query` selects from.
pub(super) static QUERY: Object = Object {
    name: "Query",
    fields: &[
        one("mlflowGetExperiment", Kind::Object(&GET_EXPERIMENT)),
        one("mlflowGetMetricHistoryBulkInterval", Kind::Object(&HISTORY)),
        one("mlflowGetRun", Kind::Object(&GET_RUN)),
        one("mlflowListArtifacts", Kind::Object(&LIST_ARTIFACTS)),
        one("mlflowSearchModelVersions", Kind::Object(&SEARCH_MODEL_VERSIONS)),
        one("mlflowSearchRuns", Kind::Object(&SEARCH_RUNS)),
        one("test", Kind::Object(&TEST)),
    ],
};

/// What `mutation` selects from; searches are there because they are POSTed.
pub(super) static MUTATION: Object = Object {
    name: "Mutation",
    fields: &[
        one("mlflowSearchDatasets", Kind::Object(&SEARCH_DATASETS)),
        one("mlflowSearchRuns", Kind::Object(&SEARCH_RUNS)),
        one("testMutation", Kind::Object(&TEST_MUTATION)),
    ],
};
