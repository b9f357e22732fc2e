// Live parts: what is new of them comes as a stream, and is put in place beside what people did on the page. Ticks,
// focus, what was typed, unfolded or scrolled to stay. Without this the page is as it was when it was asked for.
(() => {
  "use strict";
  const PAUSE_MIN = 1000;
  const PAUSE_MAX = 60000;
  const parts = () => [...document.querySelectorAll("live-part")];
  if (!parts().length || !window.TextDecoderStream) return;

  // What tells a node from others of its kind: of runs their id, of other rows what they lead to, of the rest its class.
  const own = (node) => {
    if (node.nodeType !== Node.ELEMENT_NODE) return "";
    const first = (selector, name) => (node.querySelector(selector) || document.body).getAttribute(name) || "";
    const plain = (node.getAttribute("id") || "") + "." + (node.getAttribute("class") || "");
    switch (node.nodeName) {
      case "TBODY": return first("input[name=run]", "value");
      case "TR": return first("input[name=run]", "value") || first("a[href]", "href");
      // What is counted in it may change.
      case "DETAILS": return (node.querySelector("summary") || node).textContent.replace(/\d+/g, "");
      default: return plain;
    }
  };
  // Children that are alike are told apart by their order.
  const named = (parent) => {
    const counts = new Map();
    return [...parent.childNodes].map((node) => {
      const name = node.nodeName + " " + own(node);
      const count = (counts.get(name) || 0) + 1;
      counts.set(name, count);
      return [name + " " + count, node];
    });
  };
  // Set by people, or by scripts for them.
  const isTheirs = (node, name) => name === "tabindex" || (name === "open" && node.nodeName === "DETAILS");
  const isOurs = (node) => node.nodeType === Node.ELEMENT_NODE && node.hasAttribute("data-own");

  // Makes a node what another one is, with as few changes as there are.
  const become = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE) { old.data = fresh.data; return; }
    // Pictures have no state, and those who point at them read them anew.
    if (old.nodeName === "svg") { old.replaceWith(fresh); return; }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !isTheirs(old, name)) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !isTheirs(old, name)) old.removeAttribute(name);
    }
    replace(old, fresh);
  };

  // Gives a node the children of another one; those that it has already stay the same nodes.
  const replace = (old, fresh) => {
    const wanted = named(fresh);
    const names = new Set(wanted.map(([name]) => name));
    const known = new Map();
    for (const [name, node] of named(old)) {
      if (isOurs(node)) continue;
      if (names.has(name)) known.set(name, node); else node.remove();
    }
    let at = old.firstChild;
    for (const [name, next] of wanted) {
      while (at && isOurs(at)) at = at.nextSibling;
      const found = known.get(name);
      if (!found) { old.insertBefore(next, at); continue; }
      if (found === at) at = at.nextSibling; else old.insertBefore(found, at);
      become(found, next);
    }
  };

  const boxes = (part) => [...part.querySelectorAll("input[type=checkbox][name], input[type=radio][name]")];
  const tick = (box) => box.name + "=" + box.value;
  const put = ({ part, digest, html }) => {
    const old = parts().find((one) => one.dataset.part === part);
    if (!old) return;
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const focused = document.activeElement;
    const ticks = new Map(boxes(old).map((box) => [tick(box), box.checked]));
    replace(old, fresh.content);
    for (const box of boxes(old)) {
      const was = ticks.get(tick(box));
      // Of radio buttons the one that was chosen is enough.
      if (was === undefined || was === box.checked || (box.type === "radio" && !was)) continue;
      box.checked = was;
    }
    if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    old.dataset.digest = digest;
  };

  // Nothing moves below a pointer that is held down: it drags, or is about to click.
  let isHeld = false;
  const waiting = new Map();
  const settle = () => {
    if (isHeld || !waiting.size) return;
    const events = [...waiting.values()];
    waiting.clear();
    events.forEach(put);
    document.dispatchEvent(new Event("live"));
  };
  const release = () => { isHeld = false; setTimeout(settle); };
  addEventListener("pointerdown", () => { isHeld = true; }, true);
  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, release, true);
  addEventListener("blur", release);
  // It was let go outside of the window.
  addEventListener("pointermove", (event) => { if (isHeld && !event.buttons) release(); }, true);

  const word = document.createElement("p");
  word.className = "soft live";
  document.querySelector("main").append(word);
  const say = (text) => { word.textContent = text; };

  let pause = PAUSE_MIN;
  const read = async (body) => {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      pause = PAUSE_MIN;
      const events = (text + value).split("\n\n");
      text = events.pop();
      for (const event of events) {
        if (!event.startsWith("data: ")) continue;
        const changed = JSON.parse(event.slice(6));
        waiting.set(changed.part, changed);
      }
      settle();
    }
  };

  // One stream at a time, and none of a page that nobody sees.
  let current = null;
  let timer = 0;
  const open = async () => {
    clearTimeout(timer);
    if (current || document.hidden) return;
    const own = current = new AbortController();
    let isOver = false;
    let why = "The server does not answer.";
    try {
      const known = parts().map((part) => part.dataset.part + "=" + part.dataset.digest).join(",");
      const headers = { accept: "text/event-stream", "trainyard-parts": known, "trainyard-drawn": document.body.dataset.drawn || "" };
      const answer = await fetch(location.href, { headers, signal: own.signal, cache: "no-store", redirect: "manual" });
      const kind = answer.headers.get("content-type") || "";
      if (kind.startsWith("text/event-stream")) {
        say("This page changes by itself.");
        await read(answer.body);
      } else if (answer.status >= 500) {
        // A sentence of ours. A page of errors, ours or a proxy's, is none.
        if (kind.startsWith("text/plain")) why = (await answer.text()).slice(0, 200);
      } else {
        // Not for whoever looks any more, or of a server whose pages stay as they are.
        isOver = true;
        why = answer.ok ? "" : "Reload it.";
      }
    } catch (error) {
      if (error.name !== "AbortError") console.debug(error);
    }
    // Closed, and perhaps opened anew.
    if (current !== own) return;
    current = null;
    say(why && "This page does not change by itself now. " + why);
    if (isOver) return;
    timer = setTimeout(open, pause * (0.5 + Math.random()));
    pause = Math.min(2 * pause, PAUSE_MAX);
  };
  const close = () => {
    clearTimeout(timer);
    if (current) current.abort();
    current = null;
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { close(); return; }
    pause = PAUSE_MIN;
    open();
  });
  addEventListener("pagehide", close);
  // Once the page is whole, also one that a browser went back to.
  addEventListener("pageshow", open);
})();
