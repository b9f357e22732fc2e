// Takes the pictures of the pages that README.md shows, from the project of Iris, in Chromium.
//
//     cargo xtask setup
//     NODE_PATH=target/test-env/browser/node_modules:crates/testkit/browser node docs/pictures/pages.js URL NAME=PATH…
//
// URL is of a `trainyard server` over a project, for each NAME.webp the page at PATH is taken. The two of README.md are
// `model=/models/IrisClassifier` and `monitoring=/models/IrisClassifier/monitoring`, of the project that
// `crates/trainyard/tests/it/journeys/site.rs` makes, without the tag that names the folder of its deployment.
"use strict";

const path = require("path");
const { Browser } = require("visitor");

// As wide as a README shows.
const WIDTH = 1200;

async function take(url, pictures) {
  const browser = await Browser.start();
  const visitor = await browser.visitor({ width: WIDTH });
  for (const picture of pictures) {
    const [name, ...address] = picture.split("=");
    await visitor.open(url + address.join("="));
    await visitor.page.screenshot({ path: path.join(__dirname, `${name}.webp`), type: "webp", quality: 80 });
  }
  await browser.close();
}

const [url, ...pictures] = process.argv.slice(2);
take(url, pictures).catch((error) => {
  console.error(error);
  process.exit(1);
});
