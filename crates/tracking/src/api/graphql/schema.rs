//! The types that queries may select from: MLflow's messages in camelCase.

#![expect(non_upper_case_globals, reason = "types have the names that clients know")]

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

macro_rules! schema {
    ($($(#[$doc:meta])* type $name:ident {
        $($field:ident: $kind:tt $(($argument:tt))?),+ $(,)?
    })+) => {$(
        $(#[$doc])*
        pub(super) static $name: Object = Object {
            name: stringify!($name),
            fields: &[$(schema!(@field $field $kind $(($argument))?)),+],
        };
    )+};
    (@field $field:ident [$kind:ident]) => {
        Field { name: stringify!($field), kind: schema!(@kind $kind), list: true }
    };
    (@field $field:ident $kind:ident $(($argument:tt))?) => {
        Field {
            name: stringify!($field),
            kind: schema!(@kind $kind $(($argument))?),
            list: false,
        }
    };
    (@kind Text) => { Kind::Text };
    (@kind Long) => { Kind::Long };
    (@kind Float) => { Kind::Float };
    (@kind Bool) => { Kind::Bool };
    (@kind Enum($default:tt)) => { Kind::Enum($default) };
    (@kind Never($object:tt)) => { Kind::Never(&$object) };
    (@kind $object:ident) => { Kind::Object(&$object) };
}

schema! {
    type ApiError { code: Text, message: Text, helpUrl: Text }

    type MlflowExperimentTag { key: Text, value: Text }
    type MlflowExperiment {
        experimentId: Text, name: Text, artifactLocation: Text, lifecycleStage: Text,
        lastUpdateTime: Long, creationTime: Long, tags: [MlflowExperimentTag],
        effectiveTraceArchivalRetention: Text, workspace: Text,
    }
    type MlflowGetExperimentResponse { experiment: MlflowExperiment, apiError: Never(ApiError) }

    type MlflowRunInfo {
        runId: Text, runUuid: Text, runName: Text, experimentId: Text, userId: Text,
        status: Enum("RUNNING"), startTime: Long, endTime: Long, artifactUri: Text,
        lifecycleStage: Text,
    }
    type MlflowMetricExtension {
        key: Text, value: Float, timestamp: Long, step: Long, datasetName: Text,
        datasetDigest: Text, modelId: Text, runId: Text,
    }
    type MlflowParam { key: Text, value: Text }
    type MlflowRunTag { key: Text, value: Text }
    type MlflowRunData {
        metrics: [MlflowMetricExtension], params: [MlflowParam], tags: [MlflowRunTag],
    }
    type MlflowDataset {
        name: Text, digest: Text, sourceType: Text, source: Text, schema: Text, profile: Text,
    }
    type MlflowInputTag { key: Text, value: Text }
    type MlflowDatasetInput { tags: [MlflowInputTag], dataset: MlflowDataset }
    type MlflowModelInput { modelId: Text }
    type MlflowModelOutput { modelId: Text, step: Long }
    type MlflowRunInputs { datasetInputs: [MlflowDatasetInput], modelInputs: [MlflowModelInput] }
    type MlflowRunOutputs { modelOutputs: [MlflowModelOutput] }
    type MlflowRunExtension {
        info: MlflowRunInfo, data: MlflowRunData, inputs: MlflowRunInputs,
        outputs: MlflowRunOutputs, experiment: MlflowExperiment,
        modelVersions: [MlflowModelVersion],
    }
    type MlflowGetRunResponse { run: MlflowRunExtension, apiError: Never(ApiError) }
    type MlflowSearchRunsResponse {
        runs: [MlflowRunExtension], nextPageToken: Text, apiError: Never(ApiError),
    }

    type MlflowModelVersionTag { key: Text, value: Text }
    type MlflowModelParam { name: Text, value: Text }
    type MlflowModelMetric {
        key: Text, value: Float, timestamp: Long, step: Long, datasetName: Text,
        datasetDigest: Text, modelId: Text, runId: Text,
    }
    type MlflowModelVersion {
        name: Text, version: Text, creationTimestamp: Long, lastUpdatedTimestamp: Long,
        userId: Text, currentStage: Text, description: Text, source: Text, runId: Text,
        status: Enum("PENDING_REGISTRATION"), statusMessage: Text, tags: [MlflowModelVersionTag],
        runLink: Text, aliases: [Text], modelId: Text, modelParams: [MlflowModelParam],
        modelMetrics: [MlflowModelMetric],
    }
    type MlflowSearchModelVersionsResponse {
        modelVersions: [MlflowModelVersion], nextPageToken: Text, apiError: Never(ApiError),
    }

    type MlflowMetricWithRunId { key: Text, value: Float, timestamp: Long, step: Long, runId: Text }
    type MlflowGetMetricHistoryBulkIntervalResponse {
        metrics: [MlflowMetricWithRunId], apiError: Never(ApiError),
    }

    type MlflowFileInfo { path: Text, isDir: Bool, fileSize: Long }
    type MlflowListArtifactsResponse {
        rootUri: Text, files: [MlflowFileInfo], nextPageToken: Text, apiError: Never(ApiError),
    }

    type MlflowDatasetSummary { experimentId: Text, name: Text, digest: Text, context: Text }
    type MlflowSearchDatasetsResponse {
        datasetSummaries: [MlflowDatasetSummary], apiError: Never(ApiError),
    }

    type Test { output: Text }
    type TestMutation { output: Text }

    /// What `query` selects from.
    type Query {
        mlflowGetExperiment: MlflowGetExperimentResponse,
        mlflowGetMetricHistoryBulkInterval: MlflowGetMetricHistoryBulkIntervalResponse,
        mlflowGetRun: MlflowGetRunResponse,
        mlflowListArtifacts: MlflowListArtifactsResponse,
        mlflowSearchModelVersions: MlflowSearchModelVersionsResponse,
        mlflowSearchRuns: MlflowSearchRunsResponse,
        test: Test,
    }

    /// What `mutation` selects from; searches are there because they are POSTed.
    type Mutation {
        mlflowSearchDatasets: MlflowSearchDatasetsResponse,
        mlflowSearchRuns: MlflowSearchRunsResponse,
        testMutation: TestMutation,
    }
}
