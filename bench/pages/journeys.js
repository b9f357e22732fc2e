// Walks the journeys of one of the two servers and measures them: clicks, seconds from the first click to the answer, and
// bytes that came meanwhile. Input: `{ ui, url, made, rounds, filter }`. Both begin at the same places: the page of the
// experiment, or the list of models, as if it were bookmarked.
"use strict";

const { Browser, main, until } = require("visitor");

// Where each journey begins, and what is done there until the answer is seen; null where a server has no page for it.
const JOURNEYS = {
  "the best run by two conditions": {
    trainyard: ["experiment", async (visitor, { filter, made }) => {
      await visitor.fill("Filter runs", filter);
      await visitor.enter();
      await visitor.follow({ name: "accuracy", within: "table.runs thead" });
      await first(visitor, "table.runs tbody td.name a", made.best);
    }],
    mlflow: ["experiment", async (visitor, { filter, made }) => {
      await search(visitor, filter);
      await press(visitor, "[data-testid=sort-select-dropdown]");
      await visitor.page.keyboard.type("accuracy");
      await press(visitor, "[data-testid='sort-select-accuracy-desc'], [role=menuitemcheckbox]");
      await first(visitor, "[row-index='0'] a[href*='/runs/']", made.best);
    }],
  },
  "losses of twenty runs": {
    trainyard: ["experiment", async (visitor) => {
      await visitor.fill("Filter runs", "curve-");
      await visitor.enter();
      await visitor.follow("Curves");
      await visitor.sees("Curves 20 runs");
    }],
    mlflow: ["experiment", async (visitor) => {
      await search(visitor, "attributes.run_name LIKE 'curve-%'");
      await press(visitor, "[data-testid=experiment-runs-mode-switch-chart], [aria-label='chart view'], input[value=CHART]");
      await until("a chart", () => visitor.page.evaluate(() => document.querySelector(".plotly, .js-plotly-plot, canvas") !== null));
    }],
  },
  "which params differ": {
    trainyard: ["experiment", async (visitor) => {
      await visitor.fill("Filter runs", "curve-");
      await visitor.enter();
      for (const name of TWO) await visitor.tick(`choose ${name}`);
      await visitor.follow({ name: "Compare", within: "form[data-compare]" });
      await until("what differs", () => visitor.page.evaluate(() => document.querySelector("td.differs") !== null));
    }],
    mlflow: ["experiment", async (visitor) => {
      await search(visitor, "attributes.run_name LIKE 'curve-%'");
      await first(visitor, "[row-index='0'] a[href*='/runs/']", "curve-019");
      for (const row of [0, 1]) await press(visitor, `[row-index='${row}'] input[type=checkbox]`);
      await press(visitor, "[data-testid=runs-compare-button]");
      await visitor.sees("Parameters");
    }],
  },
  "a run registered and promoted": {
    trainyard: ["experiment", async (visitor) => {
      const model = `made ${Date.now()}`;
      await visitor.fill("Filter runs", TWO[0]);
      await visitor.enter();
      await visitor.follow({ name: TWO[0], within: "table.runs" });
      await visitor.tick("Register a model of this run");
      await visitor.fill("Registered model", model);
      await visitor.follow("Register");
      await visitor.fill({ name: "Alias", within: "form:has(input[value=alias])" }, "Production");
      await visitor.follow("Point it at version 1");
      await visitor.sees("version 1 Production");
    }],
    // Its button to register is on the page of a logged model, or among files that are one; these runs have neither.
    mlflow: null,
  },
  "back to the version before": {
    trainyard: ["models", async (visitor, { made }) => {
      await visitor.follow(made.model);
      await visitor.follow({ name: String(made.versions - 1), within: "main table" });
      await visitor.fill({ name: "Alias", within: "form:has(input[value=alias])" }, "Production");
      await visitor.follow(`Point it at version ${made.versions - 1}`);
      await visitor.sees(`version ${made.versions - 1} Production`);
    }, async (api, { made }) => {
      await api("registered-models/alias", { name: made.model, alias: "Production", version: String(made.versions) });
    }],
    mlflow: null,
  },
  "what production serves": {
    trainyard: ["models", async (visitor, { made }) => {
      await visitor.follow(made.model);
      await visitor.sees(`Production is version ${made.versions}`);
    }],
    mlflow: ["models", async (visitor, { made }) => {
      // News lie over the list, once; they are not counted.
      await visitor.page.keyboard.press("Escape");
      await until("the list", () => visitor.page.evaluate(() => !document.querySelector("[role=dialog]")?.getClientRects().length));
      await visitor.tick(made.model);
      await visitor.sees("Production");
    }],
  },
  "since when it does, and who moved it": { trainyard: ["models", told("What happened")], mlflow: null },
  "what the gate said of a version": {
    trainyard: ["models", async (visitor, { made }) => {
      await visitor.follow(made.model);
      await visitor.follow({ name: "1", within: "main table" });
      await visitor.sees("The gate let this version pass.");
    }],
    mlflow: null,
  },
  "what two versions differ in": {
    trainyard: ["models", async (visitor, { made }) => {
      await visitor.follow(made.model);
      await visitor.follow("Compare the two");
      await visitor.sees("Signature");
    }],
    mlflow: null,
  },
};

// Two runs with other values of a param.
const TWO = ["curve-000", "curve-001"];

const PLACES = {
  trainyard: { experiment: ({ experiment }) => `/experiments/${experiment}`, models: () => "/models" },
  mlflow: { experiment: ({ experiment }) => `/#/experiments/${experiment}/runs`, models: () => "/#/models" },
};

// The page of a model says so.
function told(heading) {
  return async (visitor, { made }) => {
    await visitor.follow(made.model);
    await visitor.sees(heading);
  };
}

async function press(visitor, selector) {
  const element = await until(selector, () => visitor.page.$(selector));
  await visitor.activate(element);
}

async function search(visitor, filter) {
  await press(visitor, "[data-testid=search-box]");
  await visitor.page.keyboard.type(filter);
  await visitor.page.keyboard.press("Enter");
}

async function first(visitor, selector, wanted) {
  await until(`${wanted} first`, async () => (await visitor.texts(selector))[0] === wanted);
}

async function post(address, body) {
  const answer = await fetch(address, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${address}: ${answer.status} ${await answer.text()}`);
}

// Bytes on the wire since it was asked to count.
async function counter(page) {
  const session = await page.createCDPSession();
  let bytes = 0;
  session.on("Network.loadingFinished", (event) => { bytes += event.encodedDataLength; });
  await session.send("Network.enable");
  return () => { const seen = bytes; bytes = 0; return seen; };
}

const middle = (numbers) => numbers.sort((one, other) => one - other)[Math.floor(numbers.length / 2)];

main(async ({ ui, url, made, rounds, filter, only }) => {
  const found = {};
  for (const [journey, { [ui]: walk }] of Object.entries(JOURNEYS)) {
    if (only && !journey.includes(only)) continue;
    if (!walk) { found[journey] = { none: true }; continue; }
    const [place, go, undo] = walk;
    const seconds = [];
    let clicks = 0;
    let bytes = 0;
    for (let round = 0; round < rounds; round += 1) {
      // A browser that has seen nothing.
      const browser = await Browser.start();
      const visitor = await browser.visitor();
      await visitor.open(url + PLACES[ui][place](made));
      // Both are asked when they are at rest; a page that never is, after ten seconds.
      await visitor.page.waitForNetworkIdle({ idleTime: 500, timeout: 10_000 }).catch(() => {});
      const counted = await counter(visitor.page);
      const start = performance.now();
      await go(visitor, { filter, made });
      seconds.push((performance.now() - start) / 1000);
      ({ clicks } = visitor);
      bytes = counted();
      await browser.close();
      // The next round finds what this one found.
      if (undo) await undo((path, body) => post(`${url}/api/2.0/mlflow/${path}`, body), { made });
    }
    found[journey] = { clicks, seconds: middle(seconds), bytes };
  }
  return found;
});
