// Opens pages that hostile people filled, and says what of it got out. Input: as of `walkPages`. Output: `{ looked, kinds,
// escaped, ran, held }`: what must not be, line by line; how many scripts of theirs ran where they may, alone in a document of
// no origin; and how often the policy of such a document held one back. What they wrote calls `hit`. Whether somebody was
// asked, only that somebody knows.
"use strict";

const { linksOf, opened, walkPages } = require("crawl");
const { Browser, main } = require("visitor");

// In every document, before anything of it: who calls, and what a policy refuses.
function watch() {
  window.noted = [];
  window.hit = (where) => window.noted.push(`ran: ${where}`);
  document.addEventListener("securitypolicyviolation", (event) => {
    window.noted.push(`refused: ${event.effectiveDirective} of ${event.blockedURI}, ${event.sample}`);
  });
}

// In a page of the server: what has no place in it.
function foreign() {
  const found = [];
  for (const one of document.querySelectorAll("*")) {
    for (const { name } of one.attributes) {
      if (name.startsWith("on") || name === "style" || name === "srcdoc") found.push(`${name} on ${one.outerHTML.slice(0, 160)}`);
    }
    const address = one.getAttribute("href") || one.getAttribute("action") || one.getAttribute("formaction");
    if (address && !/^(https?|mailto):/.test(new URL(address, location.href).protocol + "")) {
      found.push(`an address of ${one.outerHTML.slice(0, 160)}`);
    }
  }
  const scripts = [...document.querySelectorAll("script")].filter((one) => !one.src.startsWith(location.origin + "/assets/"));
  const parts = [...scripts, ...document.querySelectorAll("style, base, object, embed, meta[http-equiv]")];
  found.push(...parts.map((one) => one.outerHTML.slice(0, 160)));
  if (document.title.includes("taken")) found.push("the title");
  return found;
}

async function look(visitor, address, found) {
  const { page } = visitor;
  if (!visitor.isWatched) {
    visitor.isWatched = true;
    await page.evaluateOnNewDocument(watch);
    page.on("popup", () => found.escaped.push(`${page.url()}: a window`));
  }
  visitor.begin();
  if ((await opened(visitor, address)) === null) return [];
  // What a page of theirs tries meanwhile is over.
  await page.waitForNetworkIdle({ idleTime: 100, concurrency: 0 });
  const { pathname } = new URL(address);
  const isTheirs = pathname.includes("/raw/");
  const escaped = [];
  for (const frame of page.frames()) {
    const isOwn = frame === page.mainFrame() && !isTheirs;
    // A frame that was held back has nothing in it to ask.
    const told = frame.evaluate(() => [window.noted || [], self.origin, document.contentType]);
    const [noted, from, kind] = await told.catch(() => [[], "null", ""]);
    for (const one of noted) {
      // A frame of theirs that wants to be elsewhere is stopped by the page around it.
      if (isOwn && !one.startsWith("refused: frame-src")) escaped.push(one);
      else found[one.startsWith("ran") ? "ran" : "held"] += 1;
    }
    if (!isOwn && kind === "text/html" && from !== "null") escaped.push(`a page of theirs is of ${from}`);
  }
  if (!isTheirs) escaped.push(...await page.evaluate(foreign));
  escaped.push(...visitor.dialogs.map((one) => `said ${one}`));
  if (new URL(page.url()).pathname !== pathname) escaped.push(`went to ${page.url()}`);
  found.escaped.push(...escaped.map((one) => `${address}: ${one}`));
  return isTheirs ? [] : page.evaluate(linksOf);
}

main(async (asked) => {
  const browser = await Browser.start();
  const found = { escaped: [], ran: 0, held: 0 };
  const walked = await walkPages(browser, asked, (visitor, address) => look(visitor, address, found));
  await browser.close();
  return { ...walked, ...found };
});
