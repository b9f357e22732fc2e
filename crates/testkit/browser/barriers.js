// Looks for barriers in pages: axe in both colour schemes and at two widths, the order of the Tab key, and what is wider
// than a small screen. Input: `{ pages, crawl, signIn }`: addresses, whether what they lead to is looked at too (one page of
// each kind), and `{ address, name, password }` of somebody. Output: `{ looked, kinds, findings }`.
"use strict";

const fs = require("fs");
const { Browser, each, main } = require("visitor");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [1440, 390];
const SCHEMES = ["light", "dark"];
// Stops of the Tab key that are looked at on a page.
const STOPS = 60;
// Tabs of the browser at a time: one for each of two cores.
const AT_ONCE = 2;
// Pages of a site that has no end.
const PAGES_MAX = 150;

// The address of a page without what names one of many: pages of a kind look alike.
function kindOf(address) {
  const url = new URL(address);
  const parts = url.pathname.split("/");
  const isId = (part) => /^[0-9]+$|^[0-9a-f]{32}$|^m-[0-9a-f]{32}$/.test(part);
  const below = (name) => parts.indexOf(name) >= 0 ? parts.indexOf(name) + 1 : parts.length;
  const named = new Set(["models", "users", "metrics"].map(below));
  const files = Math.min(below("files"), below("raw"));
  const kind = parts.slice(0, files).map((part, at) => isId(part) || named.has(at) && part ? "*" : part);
  // A file of each type, and a folder.
  if (files < parts.length) kind.push(`*.${(parts.at(-1).match(/\.([a-z0-9]+)$/i) || ["", "folder"])[1]}`);
  const keys = [...new Set(url.searchParams.keys())].sort().map((key) => `${key}=*`);
  return (url.protocol === "file:" ? "file://" : url.origin) + kind.join("/") + (keys.length ? `?${keys.join("&")}` : "");
}

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
  const status = await visitor.open(address).catch((error) => {
    // A file to keep, not to look at.
    if (/ERR_ABORTED/.test(error.message)) return null;
    throw error;
  });
  if (status === null) return [];
  const kind = await page.evaluate(() => document.contentType);
  if (kind !== "text/html") return [];
  const links = await page.$$eval("a[href], iframe[src]", (all) => all.map((one) => one.href || one.src));
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
  return links.map((link) => link.split("#")[0]);
}

main(async ({ pages, crawl, signIn }) => {
  const browser = await Browser.start();
  const visitors = await Promise.all(Array.from({ length: AT_ONCE }, () => browser.visitor()));
  const findings = [];
  if (signIn) {
    for (const visitor of visitors) {
      await visitor.open(signIn.address);
      await visitor.fill("Name", signIn.name);
      await visitor.fill("Password", signIn.password);
      await visitor.enter();
    }
  }
  const kinds = new Map(pages.map((page) => [kindOf(page), page]));
  const origins = new Set(pages.map((page) => new URL(page).origin));
  const looked = [];
  let pending = [...pages];
  while (pending.length > 0 && looked.length < PAGES_MAX) {
    const free = [...visitors];
    const round = pending.slice(0, PAGES_MAX - looked.length);
    const links = await each(round, AT_ONCE, async (address) => {
      const visitor = free.pop();
      try {
        return await look(visitor, address, findings);
      } catch (error) {
        throw new Error(`${address}: ${error.stack}`);
      } finally {
        free.push(visitor);
      }
    });
    looked.push(...round);
    pending = [];
    for (const link of crawl ? links.flat() : []) {
      const isOwn = link.startsWith("http") && origins.has(new URL(link).origin);
      // What several choices together make looks as each of them alone.
      const isPlain = isOwn && new Set(new URL(link).searchParams.keys()).size < 2;
      if (!isPlain || kinds.has(kindOf(link))) continue;
      kinds.set(kindOf(link), link);
      pending.push(link);
    }
  }
  await browser.close();
  return { looked, kinds: [...kinds.keys()].sort(), findings };
});
