// Optional comforts; every page works without this file.
(() => {
  "use strict";
  const home = document.body.dataset.home || "/";

  // MLflow's clients print addresses like /#/experiments/1/runs/abc: lead them to the page.
  const listed = (text) => { try { return [].concat(JSON.parse(text || "[]")); } catch { return []; } };
  const several = () => {
    const asked = new URLSearchParams(location.hash.split("?")[1] || "");
    const pairs = listed(asked.get("runs")).map((run) => ["run", run]);
    if (location.hash.startsWith("#/compare-runs")) return "compare?" + new URLSearchParams(pairs);
    // The key is in the path in older addresses.
    const path = location.hash.match(/^#\/metric\/([^?]+)/);
    const chosen = listed(asked.get("plot_metric_keys"));
    const keys = chosen.length ? chosen : path ? [decodeURIComponent(path[1])] : listed(asked.get("metric"));
    for (const key of keys) pairs.push(["metric", key]);
    const experiment = listed(asked.get("experiments"))[0] || "0";
    return "experiments/" + encodeURIComponent(experiment) + "/curves?" + new URLSearchParams(pairs);
  };
  const routes = [
    [/^#\/(compare-runs|metric)\b/, several],
    [/^#\/experiments\/[^/]+\/runs\/([^/?]+)/, (m) => "runs/" + m[1]],
    [/^#\/experiments\/([^/?]+)\/models\/(m-[^/?]+)/, (m) => "logged-models/" + m[2]],
    [/^#\/experiments\/([^/?]+)/, (m) => "experiments/" + m[1]],
    [/^#\/models\/([^/?]+)\/versions\/([^/?]+)/, (m) => "models/" + m[1] + "/versions/" + m[2]],
    [/^#\/models\/([^/?]+)/, (m) => "models/" + m[1]],
    [/^#\/models/, () => "models"],
  ];
  const follow = () => {
    for (const [pattern, target] of routes) {
      const match = location.hash.match(pattern);
      if (match) { location.replace(home + target(match)); return; }
    }
  };
  addEventListener("hashchange", follow);
  follow();

  // "/" leads to the search of everything.
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.target.closest("input, textarea, select, [contenteditable]")) { return; }
    const field = document.querySelector("form.find input");
    if (field) { event.preventDefault(); field.focus(); field.select(); }
  });

  // What scrolls and has nothing in it to tab to is reached by the keyboard all the same.
  const reach = () => {
    for (const box of document.querySelectorAll("div.scroll, div.drawing, div.wide, pre")) {
      const isCut = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
      if (isCut && !box.querySelector("a, button, input, select, summary")) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);
  reach();

  // The compare button says how many runs are chosen; a table of one run has none.
  const comparing = "form[data-compare]";
  const update = () => {
    const form = document.querySelector(comparing);
    const button = form && form.querySelector("button:not([formaction])");
    if (!button) return;
    const count = form.querySelectorAll("input[name=run]:checked").length;
    button.disabled = count < 2;
    button.textContent = count < 2 ? "Compare: choose two or more" : "Compare " + count + " runs";
  };
  document.addEventListener("change", (event) => { if (event.target.closest(comparing)) update(); });
  // A browser that goes back restores the ticks after this ran.
  addEventListener("pageshow", update);
  update();
  // With the shift key, all between two ticks.
  let last = null;
  document.addEventListener("click", (event) => {
    const form = event.target.closest(comparing);
    if (!form || event.target.name !== "run") return;
    const boxes = [...form.querySelectorAll("input[name=run]")];
    const [at, from] = [event.target, last].map((box) => boxes.indexOf(box));
    if (event.shiftKey && from >= 0) {
      for (const box of boxes.slice(Math.min(at, from), Math.max(at, from))) box.checked = event.target.checked;
      update();
    }
    last = event.target;
  });

  // Parts of the page are others now.
  document.addEventListener("live", () => { update(); reach(); });
})();
