// Looks for barriers in pages: axe in both colour schemes and at two widths, the order of the Tab key, and what is wider
// than a small screen. Input: as of `walkPages`. Output: `{ looked, kinds, findings }`.
"use strict";

const fs = require("fs");
const { linksOf, opened, walkPages } = require("crawl");
const { Browser, main } = require("visitor");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [1440, 390];
const SCHEMES = ["light", "dark"];
// Stops of the Tab key that are looked at on a page.
const STOPS = 60;

// In the page: what axe says of it, a line a rule with the first place where it is broken.
async function violations() {
  const result = await window.axe.run(document, { iframes: false, resultTypes: ["violations"] });
  return result.violations.map(({ id, nodes }) =>
    `${id}, ${nodes.length} times: ${nodes[0].html.slice(0, 200)}: ${nodes[0].failureSummary.replace(/\s+/g, " ").slice(0, 300)}`);
}

// Where the Tab key leads: on, never back, and to what can be seen to have the focus.
async function stops(page) {
  const found = [];
  await page.evaluate(() => { document.activeElement.blur(); window.stop = window.firstStop = null; });
  for (let stop = 0; stop < STOPS; stop += 1) {
    await page.keyboard.press("Tab");
    const trouble = await page.evaluate(() => {
      const now = document.activeElement;
      const before = window.stop;
      const first = window.firstStop;
      window.stop = now;
      window.firstStop = first || now;
      // Around, or into a frame, whose stops are its own.
      if (!now || now === document.body || now === before || now === first || now.tagName === "IFRAME") return "end";
      const told = now.outerHTML.slice(0, 120);
      const style = getComputedStyle(now);
      if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) === 0) return `focus that is not seen: ${told}`;
      const isOn = !before || before.compareDocumentPosition(now) & Node.DOCUMENT_POSITION_FOLLOWING;
      return isOn ? "" : `the Tab key leads back to ${told}`;
    });
    if (trouble === "end") break;
    if (trouble) found.push(trouble);
  }
  return found;
}

async function look(visitor, address, found) {
  const { page } = visitor;
  const status = await opened(visitor, address);
  if (status === null || (await page.evaluate(() => document.contentType)) !== "text/html") return [];
  const links = await page.evaluate(linksOf);
  if (status >= 500 && status !== 503) found.push(`${address}: status ${status}`);
  await page.evaluate(AXE);
  for (const scheme of SCHEMES) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const width of WIDTHS) {
      await page.setViewport({ width, height: 900 });
      // What the page does when it gets another width is done.
      await page.evaluate((wanted) => new Promise((done) => {
        const look = () => (window.innerWidth === wanted ? requestAnimationFrame(() => done()) : requestAnimationFrame(look));
        requestAnimationFrame(look);
      }), width);
      const seen = await page.evaluate(violations);
      found.push(...seen.map((one) => `${address} (${scheme}, ${width}): ${one}`));
    }
  }
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (tooWide > 0) found.push(`${address}: ${tooWide} pixels wider than a screen of ${WIDTHS.at(-1)}`);
  found.push(...(await stops(page)).map((one) => `${address}: ${one}`));
  return links;
}

main(async (asked) => {
  const browser = await Browser.start();
  const findings = [];
  const walked = await walkPages(browser, asked, (visitor, address) => look(visitor, address, findings));
  await browser.close();
  return { ...walked, findings };
});
