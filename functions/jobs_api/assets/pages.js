// What pages do beyond links and forms, which work without this: renew themselves, draw, go on, and listen to keys.
"use strict";

(() => {
  const main = document.getElementById("main");

  // --- charts: uPlot, in the page's own colours ---------------------------------------------------------------

  const COLOURS = { accepted: "--dim", completed: "--good", failed: "--bad" };
  let drawn = [];

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function axis(extra) {
    return { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui", ...extra };
  }

  // In UTC and of 24 hours, as all of the page: days where there are several, else the time of day.
  function times(chart, moments) {
    const days = chart.scales.x.max - chart.scales.x.min > 36 * 3600;
    const shown = days ? { day: "numeric", month: "short", timeZone: "UTC" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "UTC" };
    const format = new Intl.DateTimeFormat("en-GB", shown);
    let before = "";
    return moments.map((moment) => {
      const text = format.format(new Date(moment * 1000));
      const repeated = text === before;
      before = text;
      return repeated ? "" : text;
    });
  }

  function options(names, width) {
    const series = names.map((name) => ({ label: name, stroke: colour(COLOURS[name]), width: 2, points: { show: false }, fill: name === "completed" ? colour(COLOURS[name]) + "22" : undefined }));
    return {
      width, height: 220, legend: { show: false }, cursor: { y: false, points: { size: 6 } },
      scales: { y: { range: (_chart, _low, high) => [0, Math.max(high, 4) * 1.08] } },
      tzDate: (moment) => uPlot.tzDate(new Date(moment * 1000), "UTC"),
      axes: [axis({ values: times, size: 26 }), axis({ size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6] })],
      series: [{}, ...series],
      hooks: { setCursor: [tell] },
    };
  }

  // The figures under the pointer, in the element's title.
  function tell(chart) {
    const at = chart.cursor.idx;
    if (at == null) { return; }
    const when = new Date(chart.data[0][at] * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC";
    const figures = chart.series.slice(1).map((each, n) => `${chart.data[n + 1][at]} ${each.label}`);
    chart.root.title = `${when}: ${figures.join(", ")}`;
  }

  function draw() {
    drawn.forEach((chart) => chart.destroy());
    drawn = [...document.querySelectorAll("[data-chart]")].map((place) => {
      const given = JSON.parse(place.dataset.chart);
      const names = Object.keys(given.series);
      return new uPlot(options(names, place.clientWidth), [given.at, ...names.map((name) => given.series[name])], place);
    });
  }

  if (document.querySelector("[data-chart]") && window.uPlot) {
    draw();
    addEventListener("resize", () => drawn.forEach((chart) => chart.setSize({ width: chart.root.parentElement.clientWidth, height: 220 })));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }

  // --- live: fetch the page again, and swap the parts that have changed ------------------------------------------

  const source = new WeakMap();

  async function renew() {
    const answer = await fetch(location.href, { headers: { "X-Live": "1" }, credentials: "same-origin" });
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok) { return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    let charts = false;
    for (const part of document.querySelectorAll("[data-part]")) {
      const fresh = page.getElementById(part.id);
      if (!fresh || fresh.outerHTML === source.get(part) || part.contains(document.activeElement)) { continue; }
      const open = [...part.querySelectorAll("details")].map((each) => each.open);
      const put = document.importNode(fresh, true);
      [...put.querySelectorAll("details")].forEach((each, n) => { each.open = open[n] ?? each.open; });
      source.set(put, fresh.outerHTML);
      charts = charts || put.querySelector("[data-chart]") !== null;
      part.replaceWith(put);
    }
    if (charts) { draw(); }
    const live = page.getElementById("main")?.dataset.live;
    if (live) { main.dataset.live = live; } else { delete main.dataset.live; }
  }

  async function keepRenewing() {
    while (main.dataset.live) {
      await new Promise((wake) => setTimeout(wake, Number(main.dataset.live) * 1000));
      if (document.visibilityState === "visible") { await renew().catch(() => {}); }
    }
  }

  if (main.dataset.live) {
    document.querySelectorAll("[data-part]").forEach((part) => source.set(part, part.outerHTML));
    keepRenewing();
  }

  // --- bulk actions go on by themselves ------------------------------------------------------------------------

  const going = document.querySelector("form[data-continue]");
  if (going) { setTimeout(() => going.requestSubmit(), 150); }

  // --- filters: leave what is empty out of the address -----------------------------------------------------------

  document.querySelector("form[data-filters]")?.addEventListener("submit", (event) => {
    for (const field of event.target.elements) { if (field.name && !field.value) { field.disabled = true; } }
  });
  // Whoever goes back finds the form as it was left.
  addEventListener("pageshow", () => document.querySelectorAll("form[data-filters] :disabled").forEach((field) => { field.disabled = false; }));

  // --- keys ----------------------------------------------------------------------------------------------------

  let leader = 0;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) { return; }
    if (event.key === "/") {
      const field = document.querySelector("form[data-filters] input[name=error]");
      if (field) { event.preventDefault(); field.focus(); field.select(); }
    } else if (event.key === "g") {
      leader = Date.now();
    } else if (Date.now() - leader < 1500) {
      document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`)?.click();
    }
  });
})();
