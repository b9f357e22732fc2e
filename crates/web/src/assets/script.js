// Optional comforts; every page works without this file.
(() => {
  "use strict";
  const home = document.body.dataset.home || "/";

  // MLflow's clients print addresses like /#/experiments/1/runs/abc: lead them to the page.
  const routes = [
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

  // The compare button says how many runs are chosen.
  const form = document.querySelector("form[data-compare]");
  if (form) {
    const button = form.querySelector("button");
    const update = () => {
      const count = form.querySelectorAll("input[name=run]:checked").length;
      button.disabled = count < 2;
      button.textContent = count < 2 ? "Compare: choose two or more" : "Compare " + count + " runs";
    };
    form.addEventListener("change", update);
    update();
  }
})();
