// A range query over time: lines with a readable moment, and every series as a row of a table.
const HEIGHT = 240;
const MARGIN = { top: 8, right: 12, bottom: 24, left: 52 };
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 7776000, 31536000];
const STYLES = (at) => `s${at % 8} d${Math.floor(at / 8) % 3}`;
const { el, svg, number, isNumber, list, isObject, clean } = kmcp;

// What all series have in common is said once, above them.
function named(items) {
  const first = isObject(items[0]?.metric) ? items[0].metric : {};
  const common = Object.keys(first).filter((key) => items.length > 1 && items.every((item) => item.metric?.[key] === first[key]));
  const name = (metric, without) => {
    const labels = Object.entries(isObject(metric) ? metric : {}).filter(([key]) => !without.includes(key));
    const own = labels.filter(([key]) => key !== "__name__").map(([key, value]) => `${clean(key, 60)}="${clean(value, 120)}"`);
    const text = `${clean(metric?.__name__ && !without.includes("__name__") ? metric.__name__ : "")}${own.length ? `{${own.join(", ")}}` : ""}`;
    return text || "value";
  };
  return {
    names: items.map((item) => name(item.metric, common)),
    shared: common.length ? name(Object.fromEntries(common.map((key) => [key, first[key]])), []) : "",
  };
}

// Notes name moments in seconds since 1970.
const dated = (note) => clean(note, 300).replace(/\b\d{9,11}(\.\d+)?\b/g, (at) => kmcp.time(Number(at), { timeStyle: "medium" }));

const isMoment = (value) => isNumber(value) && Math.abs(value) < 1e12;

function figures(points) {
  const values = points.map(([, value]) => value).filter(isNumber);
  if (!values.length) return {};
  let [least, most, sum] = [Infinity, -Infinity, 0];
  for (const value of values) { least = Math.min(least, value); most = Math.max(most, value); sum += value; }
  return { last: values[values.length - 1], min: least, max: most, avg: sum / values.length };
}

function ticks(least, most, count) {
  const rough = most / count - least / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough) || rough;
  const found = [];
  for (let at = Math.ceil(least / step); at * step <= most + step * 1e-6 && found.length < 20; at += 1) found.push(at * step);
  return found;
}

function moments(from, to, width) {
  const wanted = (to - from) / Math.max(2, Math.floor(width / 90));
  const step = STEPS.find((each) => each >= wanted) || wanted;
  const found = [];
  for (let at = Math.ceil(from / step); at * step <= to && found.length < 50; at += 1) found.push(at * step);
  const parts = step >= 86400 ? { month: "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit", ...(step < 60 ? { second: "2-digit" } : {}) };
  return found.map((at) => [at, kmcp.time(at, parts)]);
}

// Zero belongs to what is not negative, unless that would flatten the course.
function bounds(series) {
  const shown = series.filter((each) => each.on && isNumber(each.figures.min));
  if (!shown.length) return [0, 1];
  let least = Math.min(...shown.map((each) => each.figures.min));
  let most = Math.max(...shown.map((each) => each.figures.max));
  if (least >= 0 && least < most * 0.6) least = 0;
  if (least === most) { least -= Math.abs(least) * 0.1 || 1; most += Math.abs(most) * 0.1 || 1; }
  const room = Math.min((most - least) * 0.05, 1e300);
  return [least === 0 ? 0 : least - room, most + room];
}

// A line ends where a sample is missing or not a number; a sample alone is a dot.
function path(points, x, y, gap) {
  const parts = [];
  const dots = [];
  let run = [];
  const end = () => {
    if (run.length === 1) dots.push(run[0]);
    else if (run.length) parts.push(`M${run.map(([left, top]) => `${left.toFixed(1)},${top.toFixed(1)}`).join("L")}`);
    run = [];
  };
  let before = null;
  for (const [at, value] of points) {
    if (before !== null && at - before > gap) end();
    if (isNumber(value)) run.push([x(at), y(value)]);
    else end();
    before = at;
  }
  end();
  return [parts.join(""), dots];
}

function plot(data, body) {
  const items = kmcp.objects(data.items);
  const { names, shared } = named(items);
  const series = items.map((item, at) => {
    const points = list(item.values).filter((each) => Array.isArray(each) && isMoment(each[0]));
    return { name: names[at], style: STYLES(at), on: true, points, figures: figures(points), byTime: new Map(points), histograms: list(item.histograms).length, note: item.note };
  });
  const step = isNumber(data.step_seconds) && data.step_seconds > 0 ? data.step_seconds : 1;
  const from = isMoment(data.start) ? data.start : 0;
  const to = isMoment(data.end) && data.end > from ? data.end : from + step;
  const steps = Math.max(1, Math.floor((to - from) / step + 1e-9));
  let at = steps;
  let focused = null;

  const picture = el("div", { class: "plot", tabindex: "0", role: "slider", "aria-label": "Moment of the plot", "aria-valuemin": "0", "aria-valuemax": String(steps) });
  const when = el("span", {});
  const rows = series.map(legend);
  const heads = [["Series"], ["", "number"], ["Last", "number"], ["Min", "number more"], ["Avg", "number more"], ["Max", "number more"]];
  const lines = rows.map((row) => [row.button, row.here, number(row.one.figures.last), number(row.one.figures.min), number(row.one.figures.avg), number(row.one.figures.max)]);
  const table = kmcp.table(heads, lines, "Series");
  table.querySelectorAll("thead th")[1].replaceChildren(when);
  if (shared) body.append(el("p", { class: "quiet" }, "All: ", el("code", {}, kmcp.words(shared, 600))));
  body.append(picture, table);
  for (const one of series.filter((each) => each.note).slice(0, 5)) kmcp.note(`${one.name}: ${dated(one.note)}`);
  if (series.some((each) => each.histograms)) kmcp.note("Native histograms are not drawn; the text of the answer has them.");

  function legend(one) {
    const line = svg("svg", { class: `swatch ${one.style}`, viewBox: "0 0 22 10", "aria-hidden": "true" }, svg("line", { class: one.style, x1: 0, y1: 5, x2: 22, y2: 5 }));
    const button = el("button", { type: "button", class: "name", "aria-pressed": "true" }, line, kmcp.words(one.name, 400));
    const row = { one, button, here: el("span", {}) };
    button.addEventListener("click", () => { one.on = !one.on; button.setAttribute("aria-pressed", String(one.on)); render(); });
    const look = (which) => () => { focused = which; accent(); };
    for (const [kind, which] of [["pointerenter", one], ["focus", one], ["pointerleave", null], ["blur", null]]) button.addEventListener(kind, look(which));
    return row;
  }

  function accent() {
    for (const one of series) {
      one.drawn?.classList.toggle("faint", focused !== null && focused !== one);
      one.drawn?.classList.toggle("strong", focused === one);
    }
  }

  let scale = null;
  function render() {
    const width = Math.max(240, Math.floor(body.clientWidth));
    const [least, most] = bounds(series);
    const x = (moment) => MARGIN.left + ((moment - from) / (to - from)) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => HEIGHT - MARGIN.bottom - ((value / 2 - least / 2) / (most / 2 - least / 2)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    const drawn = svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" });
    for (const value of ticks(least, most, 5)) {
      drawn.append(svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }));
      drawn.append(svg("text", { class: "quiet y", x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, number(value, 3)));
    }
    let free = -Infinity;
    for (const [moment, text] of moments(from, to, width)) {
      const half = text.length * 3.5;
      const place = Math.min(x(moment), width - half);
      if (place - half < free) continue;
      free = place + half + 6;
      drawn.append(svg("text", { class: "quiet x", x: place, y: HEIGHT - 6, "text-anchor": "middle" }, text));
    }
    for (const one of series) {
      one.drawn = svg("g", {});
      const [line, dots] = one.on ? path(one.points, x, y, step * 1.5) : ["", []];
      if (line) one.drawn.append(svg("path", { class: `series ${one.style}`, d: line }));
      for (const [left, top] of dots) one.drawn.append(svg("circle", { class: `dot ${one.style}`, cx: left, cy: top, r: 2.5 }));
      drawn.append(one.drawn);
    }
    const cross = svg("line", { class: "cross", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom });
    drawn.append(cross);
    picture.replaceChildren(drawn);
    scale = { x, cross, width };
    accent();
    move(at);
  }

  function move(to_) {
    at = Math.max(0, Math.min(steps, to_));
    const moment = from + at * step;
    const place = scale.x(moment);
    scale.cross.setAttribute("x1", place);
    scale.cross.setAttribute("x2", place);
    const text = kmcp.time(moment, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    when.textContent = text;
    const read = [];
    for (const { one, here } of rows) {
      // A moment of the API may differ from the sum in the last digits.
      const value = one.byTime.get(moment) ?? nearby(one, moment);
      here.textContent = one.on ? number(value) : "";
      if (one.on && read.length < 3) read.push(`${one.name} ${number(value)}`);
    }
    picture.setAttribute("aria-valuenow", String(at));
    picture.setAttribute("aria-valuetext", `${text}: ${read.join("; ")}`);
  }
  function nearby(one, moment) {
    const { points } = one;
    let [low, high] = [0, points.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle][0] < moment - step / 2) low = middle + 1;
      else high = middle;
    }
    return points[low] && Math.abs(points[low][0] - moment) < step / 2 ? points[low][1] : undefined;
  }

  picture.addEventListener("pointermove", (event) => {
    const share = (event.clientX - picture.getBoundingClientRect().left - MARGIN.left) / (scale.width - MARGIN.left - MARGIN.right);
    move(Math.round((share * (to - from)) / step));
  });
  const KEYS = { ArrowLeft: () => at - 1, ArrowRight: () => at + 1, PageUp: () => at - 10, PageDown: () => at + 10, Home: () => 0, End: () => steps };
  picture.addEventListener("keydown", (event) => {
    if (!KEYS[event.key]) return;
    event.preventDefault();
    move(KEYS[event.key]());
  });
  render();
  return { resize: render };
}

// mode=summary: where the values lie between the least and the most of all.
function summary(data, body) {
  const items = kmcp.objects(data.items);
  const { names, shared } = named(items);
  const numbers = items.flatMap((item) => [item.min, item.max]).filter(isNumber);
  const [least, most] = [numbers.reduce((a, b) => Math.min(a, b), Infinity), numbers.reduce((a, b) => Math.max(a, b), -Infinity)];
  const x = (value) => 2 + ((value - least) / (most - least || 1)) * 96;
  const spread = (item) => {
    const drawn = svg("svg", { class: "spread", viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" });
    if (isNumber(item.min) && isNumber(item.max)) drawn.append(svg("line", { x1: x(item.min), x2: x(item.max), y1: 6, y2: 6 }), svg("circle", { cx: x(item.avg ?? item.min), cy: 6, r: 2.5 }));
    return drawn;
  };
  const heads = [["Series"], ["Min – avg – max"], ["Last", "number"], ["Avg", "number"], ["Min", "number more"], ["p95", "number more"], ["Max", "number more"]];
  const lines = items.map((item, at) => [kmcp.words(names[at], 400), spread(item), ...["last", "avg", "min", "p95", "max"].map((key) => number(item[key]))]);
  if (shared) body.append(el("p", { class: "quiet" }, "All: ", el("code", {}, kmcp.words(shared, 600))));
  body.append(kmcp.table(heads, lines, "Series"));
}

function draw(data, body, input) {
  const long = { dateStyle: "medium", timeStyle: "short" };
  kmcp.heading(el("code", {}, kmcp.words(input.query || "Range query", 600)));
  body.append(el("p", { class: "quiet" }, `${kmcp.time(data.start, long)} – ${kmcp.time(data.end, long)}, every ${number(data.step_seconds)} s`));
  if (!kmcp.objects(data.items).length) {
    body.append(el("p", {}, "No series in this range."));
    return {};
  }
  return kmcp.objects(data.items).some((item) => "samples" in item) ? summary(data, body) : plot(data, body);
}

kmcp.start({ draw });
