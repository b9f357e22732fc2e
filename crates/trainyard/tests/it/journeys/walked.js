// Walks the journeys of `JOURNEYS`, each as one question of somebody at the first page. Input: `{ url, seeded, walks }`
// where each walk is `{ engine, scripts, width, keyboard }`. Output: a line for each journey of each walk, with its clicks, or
// why it ended.
"use strict";

const { Browser, each, main } = require("visitor");
const { MLFLOW, api, run } = require("./seed.js");

const MODEL = "IrisClassifier";

// Every journey gets a visitor at the first page, and `site`: what there is, and a name that no other walk has.
const JOURNEYS = {
  // Sorted by the heading, after a filter by two conditions.
  "the best run by two conditions": async (visitor, site) => {
    await visitor.follow("sweep");
    await visitor.fill("Filter runs", "params.optimizer = 'adam' AND tags.team = 'risk'");
    await visitor.enter();
    await visitor.follow({ name: "accuracy", within: "table.runs thead" });
    const [first] = await visitor.texts("table.runs tbody td.name a");
    same(first, site.seeded.best, "the best run");
  },
  "losses of twenty runs": async (visitor) => {
    await visitor.follow("sweep");
    await visitor.fill("Filter runs", "curve-");
    await visitor.enter();
    await visitor.follow("Curves");
    await visitor.sees("Curves 20 runs");
    same((await visitor.texts("section.curve svg.chart path.line")).length, 20, "lines");
  },
  // With the step where it was.
  "the smallest loss of each run": async (visitor) => {
    await visitor.follow("sweep");
    await visitor.fill("Filter runs", "curve-");
    await visitor.enter();
    await visitor.tick("Columns (");
    await visitor.choose("Metric", "loss");
    await visitor.follow({ name: "Show", within: "form.choice" });
    await visitor.sees("min loss");
    const cells = await visitor.texts('table.runs td[title^="at step 29"]');
    same(cells.length, 20, "runs with their smallest loss");
  },
  "which params differ": async (visitor) => {
    await visitor.follow("sweep");
    await visitor.fill("Filter runs", "twin");
    await visitor.enter();
    await visitor.tick("choose twin-4");
    await visitor.tick("choose twin-5");
    await visitor.follow({ name: "Compare", within: "form[data-compare]" });
    const differing = await visitor.texts("table.compare tr:has(td.differs) > th");
    same(differing.join(), "depth", "params that differ");
  },
  "what production serves and since when": async (visitor) => {
    await visitor.follow(MODEL);
    await visitor.sees("Production is version 2 since ");
    await visitor.sees("moved by ada");
  },
  "why a version was refused": async (visitor) => {
    await visitor.follow(MODEL);
    await visitor.follow({ name: "3", within: "main table" });
    await visitor.sees("The gate refused this version.");
    await visitor.sees("at least 1.1");
  },
  "whether data are all right and which column is not": async (visitor) => {
    await visitor.follow({ name: "data: ", within: "main" });
    const odd = await visitor.texts("table.strip tr:has(td.d, td.b) > th");
    if (!odd.some((one) => one.includes("petal width (cm)"))) throw new Error(`columns that drifted: ${odd}`);
  },
  "back to the version before": async (visitor, site) => {
    const model = `back ${site.name}`;
    await site.call("POST", `${MLFLOW}/registered-models/create`, { name: model });
    for (let version = 1; version <= 2; version += 1) {
      const { source, run_id, model_id } = site.seeded.trained;
      await site.call("POST", `${MLFLOW}/model-versions/create`, { name: model, source, run_id, model_id });
    }
    const alias = { name: model, alias: "Production" };
    await site.call("POST", `${MLFLOW}/registered-models/alias`, { ...alias, version: "2" });
    await visitor.open(site.url);
    await visitor.follow(model);
    await visitor.follow({ name: "1", within: "main table" });
    await visitor.fill({ name: "Alias", within: "form:has(input[value=alias])" }, "Production");
    await visitor.follow("Point it at version 1");
    await visitor.sees("version 1 Production");
    const moved = await site.call("GET", `${MLFLOW}/registered-models/alias`, alias);
    same(moved.model_version.version, "1", "what production serves");
    await site.call("DELETE", `${MLFLOW}/registered-models/delete`, { name: model });
  },
  "a run registered and promoted": async (visitor, site) => {
    const model = `made ${site.name}`;
    await visitor.follow("/iris_staging");
    await visitor.follow({ name: site.seeded.trained.name, within: "table.runs" });
    await visitor.tick("Register a model of this run");
    await visitor.fill("Registered model", model);
    await visitor.follow("Register");
    await visitor.fill({ name: "Alias", within: "form:has(input[value=alias])" }, "Production");
    await visitor.follow("Point it at version 1");
    await visitor.sees("version 1 Production");
    const found = await site.call("GET", `${MLFLOW}/registered-models/alias`, { name: model, alias: "Production" });
    same(found.model_version.run_id, site.seeded.trained.run_id, "the run in production");
    await site.call("DELETE", `${MLFLOW}/registered-models/delete`, { name: model });
  },
  "a running run moves": async (visitor, site) => {
    const name = `long ${site.name}`;
    const metrics = [["loss", 0.75, 1]];
    const { run_id } = await run(site.call, site.seeded.experiment, { name, metrics, status: "RUNNING" });
    await visitor.open(site.url);
    await visitor.follow(name);
    await visitor.sees("0.75");
    await site.call("POST", `${MLFLOW}/runs/log-metric`, { run_id, key: "loss", value: 0.125, step: 2, timestamp: Date.now() });
    await visitor.open(visitor.page.url());
    await visitor.sees("0.125");
    await site.call("POST", `${MLFLOW}/runs/update`, { run_id, status: "FINISHED" });
  },
  "who moved the alias": async (visitor) => {
    await visitor.follow(MODEL);
    const moves = await visitor.texts("h2:has(+ form input[name=at]) ~ div.scroll tr");
    if (!moves.some((move) => /Production ?1 ?2 ?ada/.test(move))) throw new Error(`moves: ${moves}`);
  },
};

function same(found, wanted, what) {
  if (found !== wanted) throw new Error(`${what}: ${found}, not ${wanted}`);
}

async function walk(browser, walk, site, place) {
  const results = [];
  const visitor = await browser.visitor(walk);
  for (const [at, [journey, go]] of Object.entries(JOURNEYS).entries()) {
    visitor.begin();
    const own = { ...site, name: `${place}-${at}` };
    let trouble = null;
    try {
      await visitor.open(site.url);
      await go(visitor, own);
      const said = [...visitor.dialogs, ...visitor.complaints];
      if (said.length > 0) throw new Error(`the page complained: ${said.join("; ")}`);
    } catch (error) {
      trouble = error.stack;
    }
    results.push({ ...walk, journey, clicks: visitor.clicks, trouble });
  }
  await visitor.close();
  return results;
}

// Browsers are started with and without scripts, as Firefox cannot change that later.
async function walkAll({ url, seeded, walks }) {
  const site = { url, seeded, call: api(url) };
  const of = (engine) => walks.map((one, place) => ({ ...one, place })).filter((one) => one.engine === engine);
  const results = await Promise.all(["chrome", "firefox"].map((engine) => each(of(engine), 1, async (one) => {
    const browser = await Browser.start(one);
    const { place, ...rest } = one;
    const found = await walk(browser, rest, site, place);
    await browser.close();
    return found;
  })));
  return results.flat(2);
}

module.exports = { JOURNEYS };

if (require.main === module) main(walkAll);
