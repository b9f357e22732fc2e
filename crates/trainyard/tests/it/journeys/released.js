// Somebody asks for a release, or for the way back, on the page of a model and waits until it is done. Input: `{ url, steps }`
// where each step is `{ engine, scripts, width, from, button, reason, sees }`: where they begin (a path), what they press, if
// anything, and what they see in the end. Output: the clicks of each step.
"use strict";

const { Browser, main, until } = require("visitor");

async function step(url, { engine, scripts, width, from, button, reason, sees }) {
  const browser = await Browser.start({ engine, scripts });
  const visitor = await browser.visitor({ width });
  await visitor.open(`${url}${from}`);
  if (button) {
    const form = `form:has(input[value=${button.startsWith("Roll") ? "rollback" : "release"}])`;
    if (reason) await visitor.fill({ name: "Why", within: form }, reason);
    await visitor.follow(button);
  }
  for (const text of sees) {
    // With scripts the page tells by itself; without, somebody loads it again.
    if (scripts) await visitor.sees(text);
    else {
      await until(JSON.stringify(text), async () => {
        if ((await visitor.text()).includes(text)) return true;
        // The place on the page alone would lead nowhere.
        await visitor.open(visitor.page.url().split("#")[0]);
        return false;
      });
    }
  }
  const wide = await visitor.page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  const said = [...visitor.dialogs, ...visitor.complaints];
  if (said.length > 0 || wide) throw new Error(`the page complained: ${said.join("; ")}, wider than the screen: ${wide}`);
  const { clicks } = visitor;
  await browser.close();
  return clicks;
}

main(async ({ url, steps }) => {
  const clicks = [];
  for (const one of steps) clicks.push(await step(url, one));
  return clicks;
});
