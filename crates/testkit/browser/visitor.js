// A person at a real browser: opens pages, clicks and types, or has only a keyboard. What was clicked is counted.
"use strict";

const fs = require("fs");
const os = require("os");
const path = require("path");
const puppeteer = require("puppeteer-core");

const PROGRAMS = { chrome: ["chromium"], firefox: ["firefox-esr", "firefox"] };
// Without them Chromium calls home, wants a display, a sandbox, or more shared memory than a container has.
const FLAGS = [
  "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
// Longer than the slowest machine takes for a page; nothing waits as long where all is well.
const PATIENCE_MS = 60_000;
// After which a program gives up, whatever it waits for.
const PROGRAM_MS = 900_000;
// After which a look at a page is given up, and another is taken.
const LOOK_MS = 2_000;
// After which somebody clicks once more.
const AGAIN_MS = 5_000;
// More stops of the Tab key than a page has.
const STOPS_MAX = 1_000;
const HEIGHT = 900;

function program(engine) {
  const folders = (process.env.PATH || "").split(path.delimiter);
  const all = PROGRAMS[engine].flatMap((name) => folders.map((folder) => path.join(folder, name)));
  const found = all.find((file) => fs.existsSync(file));
  if (!found) throw new Error(`${PROGRAMS[engine][0]} is not installed\nhint: \`cargo xtask test\` installs it`);
  return found;
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Tries again until there is something, or fails with what was waited for.
async function until(what, look) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    let trouble = "";
    try {
      // A page that is left takes what looks at it along, in Firefox without a word.
      const found = await Promise.race([look(), pause(LOOK_MS)]);
      if (found) return found;
    } catch (error) {
      trouble = `: ${error.message}`;
    }
    if (Date.now() > end) throw new Error(`waited in vain for ${what}${trouble}`);
    await pause(20);
  }
}

// Waits for what an act leads to; where it does not come, the act is done again each time that this long has passed.
async function repeated(what, isThere, again, after) {
  let next = Date.now() + after;
  await until(what, async () => {
    if (await isThere()) return true;
    if (again && Date.now() > next) {
      next = Date.now() + after;
      await again();
    }
    return false;
  });
}

// In the page: what somebody sees under this name, or hears of it.
function named({ name, within }) {
  const isShown = (one) => one.getClientRects().length > 0 && getComputedStyle(one).visibility !== "hidden";
  const nameOf = (one) => {
    const label = one.labels && one.labels[0] ? one.labels[0].innerText : "";
    const text = one.getAttribute("aria-label") || one.innerText || label || one.getAttribute("title") || "";
    return text.trim().replace(/\s+/g, " ");
  };
  const kinds = "a[href], button, summary, input:not([type=hidden]), select, textarea, label";
  const roots = within ? [...document.querySelectorAll(within)] : [document];
  const all = roots.flatMap((root) => [...root.querySelectorAll(kinds)]).filter(isShown);
  return all.find((one) => nameOf(one) === name) || all.find((one) => nameOf(one).startsWith(name)) || null;
}

// In the page: where to click on it, once it is in sight. What lies over it would get the click.
function place(one) {
  one.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
  const { left, top, width, height } = one.getClientRects()[0];
  const [x, y] = [left + width / 2, top + height / 2];
  const hit = document.elementFromPoint(x, y);
  const isIt = hit && (one.contains(hit) || hit.contains(one));
  return isIt ? { x, y } : { covering: hit ? hit.outerHTML.slice(0, 120) : "nothing" };
}

// A profile of Chromium that predicts nothing. By default it connects to where a frame is about to lead before the page's policy
// stops the frame, and says nothing on that connection; the preference is that of "preload pages" in its settings, which no
// switch has.
function unforeseeing() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "chromium-"));
  // One that a failure left running may write there still: what failed is what is to be told.
  process.on("exit", () => { try { fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 }); } catch {} });
  fs.mkdirSync(path.join(folder, "Default"));
  fs.writeFileSync(path.join(folder, "Default", "Preferences"), JSON.stringify({ net: { network_prediction_options: 2 } }));
  return folder;
}

class Browser {
  // Firefox is told of scripts and colours when it starts, Chromium page by page.
  static async start({ engine = "chrome", scripts = true, dark = false } = {}) {
    const browser = await puppeteer.launch({
      browser: engine,
      executablePath: program(engine),
      headless: true,
      args: engine === "chrome" ? FLAGS : [],
      userDataDir: engine === "chrome" ? unforeseeing() : undefined,
      extraPrefsFirefox: {
        "javascript.enabled": scripts,
        "layout.css.prefers-color-scheme.content-override": dark ? 0 : 1,
      },
    });
    return Object.assign(new Browser(), { browser, engine, scripts, dark });
  }

  // Somebody with cookies of their own.
  async visitor({ width = 1440, keyboard = false, scripts = this.scripts } = {}) {
    const context = await this.browser.createBrowserContext();
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.setViewport({ width, height: HEIGHT });
    if (this.engine === "chrome") {
      await page.setJavaScriptEnabled(scripts);
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: this.dark ? "dark" : "light" }]);
    }
    return new Visitor(context, page, keyboard);
  }

  close() {
    return this.browser.close();
  }
}

class Visitor {
  constructor(context, page, keyboard) {
    Object.assign(this, { context, page, keyboard });
    this.begin();
    page.on("dialog", (dialog) => {
      this.dialogs.push(dialog.message());
      dialog.dismiss().catch(() => {});
    });
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("console", (message) => {
      if (/Content.Security.Policy/i.test(message.text())) this.complaints.push(message.text());
    });
  }

  // Counts from nothing.
  begin() {
    Object.assign(this, { clicks: 0, dialogs: [], complaints: [] });
  }

  // As somebody who typed the address.
  async open(address) {
    const response = await this.page.goto(address, { waitUntil: "load", timeout: PATIENCE_MS });
    return response ? response.status() : 0;
  }

  // What is called so: a text, or `{ name, within }` where `within` is a selector. Nothing here waits within the page for
  // what comes later: without scripts nothing does.
  async find(what) {
    const wanted = typeof what === "string" ? { name: what } : what;
    return until(`${JSON.stringify(wanted)} on ${this.page.url()}`, async () => {
      return (await this.page.evaluateHandle(named, wanted)).asElement();
    });
  }

  // A click that leads to another page, or to this one again.
  async follow(what) {
    const element = await this.find(what);
    const changesNothing = await element.evaluate((one) => !one.form || one.form.method === "get");
    const again = this.keyboard ? null : () => this.clickAgain(what);
    const after = changesNothing ? AGAIN_MS : 6 * AGAIN_MS;
    await this.leave(`the page behind ${JSON.stringify(what)}`, () => this.activate(element), again, after);
  }

  // As somebody does under whose finger the page moved: it is the same click.
  async clickAgain(what) {
    const { x, y, covering } = await (await this.find(what)).evaluate(place);
    if (!covering) await this.page.mouse.click(x, y);
  }

  // A click that stays. What is ticked by it is looked at.
  async tick(what) {
    const element = await this.find(what);
    const state = (one) => {
      const control = one.control || one;
      return control.type === "checkbox" ? control.checked : null;
    };
    const before = await element.evaluate(state);
    await this.activate(element);
    const isDone = async () => before === null || (await element.evaluate(state)) !== before;
    await repeated(`${JSON.stringify(what)} to be ticked`, isDone, this.keyboard ? null : () => this.clickAgain(what), AGAIN_MS);
  }

  // Writes into a field, in place of what is there.
  async fill(what, text) {
    const field = await this.find(what);
    if (this.keyboard) await this.reach(field);
    else {
      await this.activate(field);
      const hasFocus = () => field.evaluate((one) => (one.control || one) === document.activeElement);
      await repeated(`the focus on ${JSON.stringify(what)}`, hasFocus, () => this.clickAgain(what), AGAIN_MS);
    }
    await this.page.keyboard.down("Control");
    await this.page.keyboard.press("a");
    await this.page.keyboard.up("Control");
    await this.page.keyboard.type(text);
  }

  // Chooses in a list what is called so, by typing it, which is the same for hands and for keys.
  async choose(what, text) {
    const list = await this.find(what);
    if (this.keyboard) await this.reach(list);
    else {
      await list.focus();
      this.clicks += 1;
    }
    await this.page.keyboard.type(text);
    const chosen = () => list.evaluate((one) => one.selectedOptions[0].text);
    await until(`${JSON.stringify(text)} to be chosen`, async () => (await chosen()).startsWith(text));
  }

  // Sends the form of the field that was filled.
  async enter() {
    await this.leave("the answer to a form", () => this.page.keyboard.press("Enter"));
  }

  async activate(element) {
    this.clicks += 1;
    if (!this.keyboard) {
      // By hand: the driver's own click waits for an observer, which a page without scripts never hears of.
      const { x, y, covering } = await element.evaluate(place);
      if (covering) throw new Error(`${covering} lies over it on ${this.page.url()}`);
      await this.page.mouse.click(x, y);
      return;
    }
    await this.reach(element);
    const isTick = await element.evaluate((one) => {
      const control = one.control || one;
      return control.type === "checkbox" || control.type === "radio";
    });
    await this.page.keyboard.press(isTick ? "Space" : "Enter");
  }

  // Presses Tab until there, where somebody must see that they are.
  async reach(element) {
    const isThere = (one) => (one.control || one) === document.activeElement;
    for (let stops = 0; !(await element.evaluate(isThere)); stops += 1) {
      if (stops > STOPS_MAX) throw new Error(`the Tab key does not lead there on ${this.page.url()}`);
      await this.page.keyboard.press("Tab");
    }
    const isSeen = await element.evaluate((one) => {
      const style = getComputedStyle(one.control || one);
      return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    });
    if (!isSeen) throw new Error(`it cannot be seen what has the focus on ${this.page.url()}`);
  }

  // Does something that leads to another page, and waits until that is there; `again` is done where it does not come.
  async leave(what, act, again, after) {
    await this.page.evaluate(() => { window.isLeft = true; });
    await act();
    const isThere = () => this.page.evaluate(() => !window.isLeft && location.href !== "about:blank" && document.readyState === "complete");
    await repeated(what, isThere, again, after);
  }

  // All that can be read on the page.
  text() {
    return this.page.evaluate(() => document.body.innerText.replace(/\s+/g, " "));
  }

  // Waits until the page says so; nothing is clicked.
  async sees(text) {
    await until(`${JSON.stringify(text)} on ${this.page.url()}`, async () => (await this.text()).includes(text));
  }

  // Texts of what a selector finds, in order, as soon as it finds something on a whole page.
  async texts(selector) {
    const read = (wanted) => {
      const found = [...document.querySelectorAll(wanted)];
      return document.readyState === "complete" && found.length > 0
        ? found.map((one) => one.textContent.trim().replace(/\s+/g, " ")) : null;
    };
    return until(`${selector} on ${this.page.url()}`, () => this.page.evaluate(read, selector));
  }

  close() {
    return this.context.close();
  }
}

// Does the same with each, so many at a time.
async function each(items, most, act) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const at = next;
      next += 1;
      results[at] = await act(items[at], at);
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  return results;
}

// What a program was given to do, as JSON; what it says is the return value of `act`, as JSON.
function main(act) {
  const run = async () => {
    const answer = await act(JSON.parse(fs.readFileSync(0, "utf8") || "null"));
    process.stdout.write(JSON.stringify(answer, null, 1));
  };
  const fail = (error) => {
    console.error(error);
    process.exit(1);
  };
  setTimeout(() => fail(new Error("a browser does not answer")), PROGRAM_MS).unref();
  run().then(() => process.exit(0), fail);
}

module.exports = { Browser, each, main, until };
