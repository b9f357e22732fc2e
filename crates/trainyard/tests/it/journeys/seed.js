// Fills two tracking servers as their clients would, and says what is in them.
"use strict";

const { each } = require("visitor");

// Requests at a time.
const AT_ONCE = 8;
const RUNS = 240;
const STEPS = 30;
const OPTIMIZERS = ["adam", "sgd", "rmsprop"];

// Calls of a server's API; `who` is `name:password`.
function api(url, who) {
  const headers = { "Content-Type": "application/json" };
  if (who) headers.Authorization = `Basic ${Buffer.from(who).toString("base64")}`;
  return async (method, path, body) => {
    const query = method === "GET" && body ? `?${new URLSearchParams(body)}` : "";
    const sent = method === "GET" ? undefined : typeof body === "string" ? body : JSON.stringify(body);
    const answer = await fetch(`${url}/${path}${query}`, { method, headers, body: sent });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
    try { return JSON.parse(text); } catch { return text; }
  };
}

const MLFLOW = "api/2.0/mlflow";
const pairs = (object) => Object.entries(object).map(([key, value]) => ({ key, value: String(value) }));

async function run(call, experiment_id, { name, params = {}, metrics = [], tags = {}, status = "FINISHED" }) {
  const start = Date.now() - 60_000;
  const made = await call("POST", `${MLFLOW}/runs/create`, {
    experiment_id, run_name: name, start_time: start, tags: pairs(tags),
  });
  const run_id = made.run.info.run_id;
  const values = metrics.map(([key, value, step]) => ({ key, value, step: step || 0, timestamp: start }));
  await call("POST", `${MLFLOW}/runs/log-batch`, { run_id, params: pairs(params), metrics: values });
  if (status !== "RUNNING") {
    await call("POST", `${MLFLOW}/runs/update`, { run_id, status, end_time: start + 30_000 });
  }
  return { run_id, artifacts: made.run.info.artifact_uri };
}

// A sweep of many runs, of which one is the best by two conditions; runs with curves; two that differ in one param.
async function sweep(call) {
  const { experiment_id } = await call("POST", `${MLFLOW}/experiments/create`, { name: "sweep" });
  const accuracy = (at) => (at * 7919 % 1009) / 1009;
  const numbers = Array.from({ length: RUNS }, (_, at) => at);
  await each(numbers, AT_ONCE, (at) => run(call, experiment_id, {
    name: `sweep-${at}`,
    params: { optimizer: OPTIMIZERS[at % 3], depth: at % 7, rate: (at % 10) / 100 },
    metrics: [["accuracy", accuracy(at)], ["loss", 1 - accuracy(at)], ["system/cpu", at % 100]],
    tags: { team: at % 2 ? "risk" : "pricing" },
  }));
  const asked = numbers.filter((at) => OPTIMIZERS[at % 3] === "adam" && at % 2);
  const best = asked.reduce((one, other) => (accuracy(other) > accuracy(one) ? other : one));
  const curves = numbers.slice(0, 20).map((at) => String(at).padStart(2, "0"));
  await each(curves, AT_ONCE, (at) => run(call, experiment_id, {
    name: `curve-${at}`,
    metrics: Array.from({ length: STEPS }, (_, step) => ["loss", 1 / (1 + step) + Number(at) / 100, step]),
  }));
  for (const depth of [4, 5]) {
    await run(call, experiment_id, { name: `twin-${depth}`, params: { optimizer: "adam", depth, width: 64 } });
  }
  return { experiment: experiment_id, best: `sweep-${best}` };
}

// One run with each kind of file, a failed one, and one that has others within it.
async function files(call) {
  const { experiment_id } = await call("POST", `${MLFLOW}/experiments/create`, { name: "files" });
  const parent = await run(call, experiment_id, { name: "parent" });
  for (const at of [1, 2]) {
    await run(call, experiment_id, {
      name: `child-${at}`, tags: { "mlflow.parentRunId": parent.run_id }, metrics: [["loss", at]],
    });
  }
  await run(call, experiment_id, { name: "broken", status: "FAILED" });
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`group/param_${at}`, `value ${at}`]));
  const made = await run(call, experiment_id, {
    name: "with files",
    params: many,
    metrics: Array.from({ length: 40 }, (_, at) => [`${at % 2 ? "train" : "val"}/m${at}`, at / 7, at]),
    tags: { "mlflow.note.content": "# What was tried\n\nA [link](https://example.org) and a table:\n\n|a|b|\n|-|-|\n|1|2|\n" },
  });
  const place = made.artifacts.replace(/^mlflow-artifacts:\//, "api/2.0/mlflow-artifacts/artifacts/");
  const svg = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 20'><rect width='40' height='20' fill='#0b62a8'/></svg>";
  const notebook = { cells: [{ cell_type: "code", source: ["print(1)"], outputs: [{ output_type: "stream", text: ["1"] }] }] };
  for (const [name, text] of Object.entries({
    "plots/plot.svg": svg,
    "report.html": "<!doctype html><html lang='en'><title>Report</title><main><h1>Report</h1></main>",
    "notes/card.md": "# Card\n\nText with `code`.\n\n```python\nprint(1)\n```\n",
    "notes/list.txt": "one\ntwo\n",
    "tables/rows.csv": "name,value\na,1\nb,2\n",
    "tables/tree.json": JSON.stringify({ a: [1, { b: null }], c: "text" }),
    "tables/trial.ipynb": JSON.stringify(notebook),
    "weights.bin": "\u0001\u0002",
  })) await call("PUT", `${place}/${name}`, text);
  return { files: made.run_id, parent: parent.run_id };
}

// People, what they may do, and what waits for them.
async function people(call) {
  for (const username of ["bob", "cyd"]) {
    await call("POST", `${MLFLOW}/users/create`, { username, password: "difference engine 2" });
  }
  const role = await call("POST", "api/3.0/mlflow/roles/create", { name: "scientists", workspace: "default" });
  const role_id = role.role.id;
  await call("POST", "api/3.0/mlflow/roles/assign", { username: "bob", role_id });
  await call("POST", "api/3.0/trainyard/tokens/create", { name: "ci-train", scope: "EDIT", expires_in_days: 90 });
  await call("POST", `${MLFLOW}/registered-models/create`, { name: "Iris" });
  await call("POST", `${MLFLOW}/model-versions/create`, { name: "Iris", source: "s3://bucket/model" });
}

// Somebody else asks for an approval, so that it waits for the administrator.
async function asked(call) {
  await call("POST", "api/trainyard/approvals", {
    model: "Iris", alias: "Production", version: "1", reason: "better on lilies",
  });
}

// The run that made the version in production.
async function trained(call) {
  const found = await call("GET", `${MLFLOW}/registered-models/alias`, { name: "IrisClassifier", alias: "Production" });
  const { run_id, source } = found.model_version;
  const { run: made } = await call("GET", `${MLFLOW}/runs/get`, { run_id });
  return { run_id, source, model_id: source.replace("models:/", ""), name: made.info.run_name };
}

async function seed({ url, team, password }) {
  const call = api(url);
  const made = { ...await sweep(call), ...await files(call) };
  await call("POST", `${MLFLOW}/webhooks`, {
    name: "deploy", url: `${url}/hook`, events: [{ entity: "MODEL_VERSION_ALIAS", action: "CREATED" }],
  });
  const admin = api(team, `admin:${password}`);
  await people(admin);
  await admin("POST", "api/3.0/mlflow/users/permissions/grant", {
    username: "cyd", resource_type: "registered_model", resource_id: "Iris", permission: "EDIT",
  });
  await asked(api(team, "cyd:difference engine 2"));
  return { ...made, trained: await trained(call) };
}

module.exports = { MLFLOW, api, run };

if (require.main === module) require("visitor").main(seed);
