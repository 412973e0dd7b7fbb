// An expression at one moment. Series with a source and a destination are drawn as traffic between workloads, all
// others as bars.
const SOURCES = ["source_workload", "source_canonical_service", "source_app", "source"];
const TARGETS = ["destination_workload", "destination_canonical_service", "destination_service_name", "destination_app", "destination_service", "destination"];
const MOST_NODES = 40;
const BOX = { height: 36, gap: 14 };
const { el, svg, number, percent, isNumber, list, isObject, clean } = kmcp;

const value = (item) => (Array.isArray(item.values) ? item.values[item.values.length - 1]?.[1] : item.value);
const key = (metric, names) => names.find((name) => typeof metric?.[name] === "string" && metric[name] !== "");

// Edges of a mesh: what goes from one workload to another, and how much of it failed or was encrypted.
function traffic(items) {
  const found = new Map();
  for (const item of items) {
    const metric = isObject(item.metric) ? item.metric : {};
    const [from, to] = [key(metric, SOURCES), key(metric, TARGETS)];
    if (!from || !to) return null;
    const ends = [place(metric, from), place(metric, to)];
    const edge = found.get(ends.join("\n")) || { from: ends[0], to: ends[1], sum: 0, failed: 0, coded: false, safe: 0, secured: false };
    const amount = isNumber(value(item)) ? value(item) : 0;
    edge.sum += amount;
    const code = metric.response_code ?? metric.code;
    if (typeof code === "string") { edge.coded = true; if (/^5|^0$/.test(code)) edge.failed += amount; }
    if (typeof metric.connection_security_policy === "string") {
      edge.secured = true;
      if (metric.connection_security_policy === "mutual_tls") edge.safe += amount;
    }
    found.set(ends.join("\n"), edge);
  }
  return [...found.values()].sort((a, b) => b.sum - a.sum);
}
function place(metric, name) {
  const side = name.startsWith("source") ? "source" : "destination";
  const space = metric[`${side}_workload_namespace`] ?? metric[`${side}_service_namespace`] ?? metric[`${side}_namespace`];
  return `${clean(metric[name], 80)}${typeof space === "string" && space ? `\t${clean(space, 80)}` : ""}`;
}
const share = (part, whole) => (whole > 0 ? part / whole : 0);
const kind = (edge) => (!edge.coded ? "plain" : share(edge.failed, edge.sum) >= 0.05 ? "bad" : edge.failed > 0 ? "may" : "good");
function whole(name) {
  const [title, space] = name.split("\t");
  return el("span", {}, kmcp.words(title), space ? el("span", { class: "under quiet" }, kmcp.words(space)) : null);
}
const spoken = (name) => name.replace("\t", " in ");

// Layers from left to right: a workload stands right of those that call it; what closes a circle is not counted.
function layers(edges, names) {
  const out = new Map(names.map((name) => [name, []]));
  for (const edge of edges) if (edge.from !== edge.to) out.get(edge.from).push(edge.to);
  const level = new Map(names.map((name) => [name, 0]));
  const order = [];
  const seen = new Map();
  const into = new Set(edges.filter((edge) => edge.from !== edge.to).map((edge) => edge.to));
  for (const root of [...names.filter((name) => !into.has(name)), ...names]) visit(root);
  function visit(root) {
    const waiting = [[root, 0]];
    while (waiting.length) {
      const [name, next] = waiting.pop();
      if (next === 0) { if (seen.has(name)) continue; seen.set(name, "open"); }
      const target = out.get(name)[next];
      if (target === undefined) { seen.set(name, "done"); order.unshift(name); continue; }
      waiting.push([name, next + 1]);
      if (!seen.has(target)) waiting.push([target, 0]);
    }
  }
  const position = new Map(order.map((name, at) => [name, at]));
  for (const name of order) for (const target of out.get(name)) {
    if (position.get(target) > position.get(name)) level.set(target, Math.max(level.get(target), level.get(name) + 1));
  }
  return level;
}

// From left to right where that fits, else from top to bottom.
function graph(edges, width) {
  const names = [];
  for (const edge of edges) for (const name of [edge.from, edge.to]) if (!names.includes(name) && names.length < MOST_NODES) names.push(name);
  const shown = edges.filter((edge) => names.includes(edge.from) && names.includes(edge.to));
  const level = layers(shown, names);
  const rows = [];
  for (const name of names) (rows[level.get(name)] ||= []).push(name);
  const tallest = Math.max(...rows.map((row) => row.length));
  const down = rows.length * 112 + (rows.length - 1) * 68 > width && tallest < rows.length + 3;
  const at = down ? stacked(rows, width, tallest) : beside(rows, width, tallest);
  const drawn = svg("svg", { width: at.width, height: at.height, viewBox: `0 0 ${at.width} ${at.height}`, "aria-hidden": "true" });
  const most = Math.max(...shown.map((edge) => edge.sum), 0);
  const labels = shown.filter((edge) => edge.from !== edge.to).map((edge) => arrow(drawn, edge, at, down, share(edge.sum, most)));
  for (const name of names) node(drawn, name, at.places.get(name), at.box);
  if (labels.length <= 30) drawn.append(...labels);
  drawn.style.maxWidth = "none";
  return { drawn, left: edges.length - shown.length };
}

function beside(columns, width, tallest) {
  const box = Math.max(96, Math.min(180, Math.floor((width - 8 - (columns.length - 1) * 68) / columns.length)));
  const space = columns.length > 1 ? Math.max(68, Math.min(220, (width - 8 - columns.length * box) / (columns.length - 1))) : 0;
  const height = tallest * (BOX.height + BOX.gap) + BOX.gap;
  const places = new Map();
  columns.forEach((column, index) => {
    const free = (height - column.length * BOX.height) / (column.length + 1);
    column.forEach((name, row) => places.set(name, { x: 4 + index * (box + space), y: free + row * (BOX.height + free) }));
  });
  return { places, box, height, width: Math.ceil(8 + columns.length * box + (columns.length - 1) * space) };
}

function stacked(rows, width, widest) {
  const box = Math.max(72, Math.min(180, Math.floor((width - 8) / widest) - 8));
  const whole = Math.max(width, widest * (box + 8) + 8);
  const places = new Map();
  rows.forEach((row, index) => {
    const free = (whole - row.length * box) / (row.length + 1);
    row.forEach((name, place) => places.set(name, { x: free + place * (box + free), y: 4 + index * (BOX.height + 48) }));
  });
  return { places, box, height: rows.length * (BOX.height + 48) - 40, width: whole };
}

function arrow(drawn, edge, { places, box }, down, part) {
  const [a, b] = [places.get(edge.from), places.get(edge.to)];
  const from = down ? [a.x + box / 2, a.y + BOX.height] : [a.x + box, a.y + BOX.height / 2];
  const to = down ? [b.x + box / 2, b.y - 6] : [b.x - 6, b.y + BOX.height / 2];
  const along = down ? 1 : 0;
  const length = to[along] - from[along];
  const bend = length < 0 ? 40 : Math.max(16, length / 2);
  const turn = ([x, y], by) => (down ? `${x},${y + by}` : `${x + by},${y}`);
  const color = kind(edge);
  const curve = svg("path", { class: `edge ${color}`, d: `M${from}C${turn(from, bend)} ${turn(to, -bend)} ${to}` });
  curve.setAttribute("stroke-width", (1.5 + 4.5 * Math.sqrt(part)).toFixed(1));
  const tip = down ? `M${to[0] - 5},${to[1] - 2}l5,8l5,-8z` : `M${to[0] - 2},${to[1] - 5}l8,5l-8,5z`;
  drawn.append(curve, svg("path", { class: `head ${color}`, d: tip }));
  const text = number(edge.sum, 3);
  const [x, y] = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
  return svg("text", { class: "label", x, y: y + 4, "text-anchor": "middle" }, text);
}

function node(drawn, name, { x, y }, box) {
  const [title, space] = name.split("\t");
  const fits = Math.floor((box - 10) / 6.6);
  const line = (text, top, quiet) => svg("text", { x: x + box / 2, y: y + top, "text-anchor": "middle", class: quiet }, clean(text, fits));
  drawn.append(svg("g", { class: "node" }, svg("title", {}, spoken(name)), svg("rect", { x, y, width: box, height: BOX.height, rx: 4 }), line(title, space ? 15 : 22, ""), space ? line(space, 29, "quiet") : null));
}

function mesh(edges, unit, body) {
  const holder = el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Traffic between workloads; the table below says the same" });
  holder.style.maxHeight = "none";
  const rest = el("p", { class: "quiet" });
  body.append(holder, rest);
  const most = edges[0]?.sum;
  const coded = edges.some((edge) => edge.coded);
  const secured = edges.some((edge) => edge.secured);
  const heads = [["From"], ["To", "name-of"], [unit, "number"], ...(coded ? [["Failed", "number"]] : []), ...(secured ? [["mTLS", "number"]] : [])];
  const lines = edges.map((edge) => [
    whole(edge.from), whole(edge.to), el("span", {}, number(edge.sum), kmcp.bar(share(edge.sum, most))),
    ...(coded ? [edge.coded ? kmcp.badge(percent(share(edge.failed, edge.sum)), kind(edge)) : "–"] : []),
    ...(secured ? [edge.secured ? percent(share(edge.safe, edge.sum)) : "–"] : []),
  ]);
  body.append(kmcp.table(heads, lines, "Traffic"));
  const resize = () => {
    const { drawn, left } = graph(edges, Math.max(240, body.clientWidth));
    holder.replaceChildren(drawn);
    rest.textContent = left ? `The picture has the ${MOST_NODES} busiest workloads; ${number(left)} more connections are in the table.` : "";
  };
  resize();
  return { resize };
}

function label(metric) {
  const labels = Object.entries(isObject(metric) ? metric : {});
  const own = labels.filter(([name]) => name !== "__name__").map(([name, text]) => `${clean(name, 60)}="${clean(text, 120)}"`);
  return `${clean(metric?.__name__ ?? "")}${own.length ? `{${own.join(", ")}}` : ""}` || "value";
}

function bars(items, body) {
  const values = items.map(value);
  const most = values.filter(isNumber).reduce((largest, each) => Math.max(largest, Math.abs(each)), 0);
  const said = (item, at) => (isNumber(values[at]) ? number(values[at]) : clean(item.note || (item.histogram ? `histogram of ${number(item.histogram.count)}` : "–"), 60));
  const lines = items.map((item, at) => [kmcp.words(label(item.metric), 400), said(item, at), kmcp.bar(share(Math.abs(values[at] ?? 0), most))]);
  body.append(kmcp.table([["Series"], ["Value", "number"], [""]].map(([text, style]) => [text || "Share of the largest", style]), lines, "Series"));
  return {};
}

function draw(data, body, input) {
  const items = kmcp.objects(data.items);
  const query = typeof input.query === "string" ? input.query : "";
  kmcp.heading(el("code", {}, kmcp.words(query || "Query", 600)));
  if (typeof data.text === "string") {
    body.append(el("pre", {}, kmcp.lines(data.text, 5000)));
    return {};
  }
  if (!items.length) {
    body.append(el("p", {}, "No series at this moment."));
    return {};
  }
  const moment = items.map((item) => item.timestamp).find(isNumber);
  if (moment) body.append(el("p", { class: "quiet" }, kmcp.time(moment, { dateStyle: "medium", timeStyle: "medium" })));
  if (data.result_type === "scalar" || (items.length === 1 && !Object.keys(items[0].metric || {}).length)) {
    body.append(el("p", { class: "figure" }, isNumber(value(items[0])) ? number(value(items[0])) : clean(items[0].note || "–", 20)));
    return {};
  }
  const edges = traffic(items);
  return edges ? mesh(edges, /\bi?rate\s*\(/.test(query) ? "Per second" : "Value", body) : bars(items, body);
}

kmcp.start({ draw });
