// Curves: values under the pointer, and a part of x to look at. The pictures are whole without this.
(() => {
  "use strict";
  const numbers = (text) => text.trim().split(/[\s,]+/).map(Number);
  const short = (value) => String(Number(value.toPrecision(5)));
  const form = document.querySelector("form[data-curves]");

  const follow = (svg) => {
    const [left, right, bottom, top] = numbers(svg.dataset.plot);
    const [logX, logY] = numbers(svg.dataset.log);
    const value = (at, start, end, ends, log) => {
      const [low, high] = numbers(ends);
      const found = low + (high - low) * (at - start) / (end - start);
      return log ? 10 ** found : found;
    };
    const xOf = (at) => value(at, left, right, svg.dataset.x, logX);
    const yOf = (at) => value(at, bottom, top, svg.dataset.y, logY);
    // Steps are whole; other places are as exact as the picture.
    const shownX = (at) => {
      const isStep = form && form.elements.x.value === "step";
      return isStep ? "step " + Math.round(xOf(at)) : short(xOf(at));
    };
    const place = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return { x: Math.min(Math.max(point.x, left), right), y: point.y };
    };

    // The points of each line, read when they are needed first.
    let lines = null;
    const read = () => [...svg.querySelectorAll("path.line")].map((path) => ({
      path,
      name: path.querySelector("title").textContent,
      points: path.getAttribute("d").replace(/h0$/, "").split(/[ML]/).filter(Boolean).map(numbers),
    }));
    // A picture that took the place of another one has its readout.
    const isThere = svg.nextElementSibling && svg.nextElementSibling.matches("p.readout");
    const readout = isThere ? svg.nextElementSibling : document.createElement("p");
    if (!isThere) {
      readout.className = "soft readout";
      readout.dataset.own = "";
      readout.textContent = form ? "Point at a line for its values; drag to look at a part." : "";
      svg.after(readout);
    }

    let near = null;
    const point = (at) => {
      lines = lines || read();
      let best = null;
      for (const line of lines) {
        for (const [x, y] of line.points) {
          // Who points at a curve follows its x.
          const distance = 4 * (x - at.x) ** 2 + (y - at.y) ** 2;
          if (!best || distance < best.distance) best = { line, x, y, distance };
        }
      }
      if (near) near.classList.remove("near");
      if (!best) return;
      near = best.line.path;
      near.classList.add("near");
      readout.textContent = best.line.name + ": " + short(yOf(best.y)) + " at " + shownX(best.x);
    };

    // Dragging chooses a part of x, which the server draws in full.
    let start = null;
    const part = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    part.setAttribute("class", "part");
    part.setAttribute("y", top);
    part.setAttribute("height", bottom - top);
    svg.addEventListener("pointerdown", (event) => {
      if (!form || event.button !== 0) return;
      start = place(event).x;
      svg.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    svg.addEventListener("pointermove", (event) => {
      const at = place(event);
      if (start === null) { point(at); return; }
      part.setAttribute("x", Math.min(start, at.x));
      part.setAttribute("width", Math.abs(at.x - start));
      svg.append(part);
    });
    svg.addEventListener("pointercancel", () => { start = null; part.remove(); });
    svg.addEventListener("pointerup", (event) => {
      if (start === null) return;
      const ends = [start, place(event).x].sort((one, other) => one - other).map(xOf);
      const isPart = Math.abs(place(event).x - start) > 6;
      start = null;
      part.remove();
      if (!isPart) return;
      form.elements.from.value = short(ends[0]);
      form.elements.to.value = short(ends[1]);
      form.submit();
    });
  };

  const followed = new WeakSet();
  const all = () => {
    for (const svg of document.querySelectorAll("svg.chart.lines[data-plot]")) {
      if (!followed.has(svg)) follow(svg);
      followed.add(svg);
    }
  };
  document.addEventListener("live", all);
  all();
})();
