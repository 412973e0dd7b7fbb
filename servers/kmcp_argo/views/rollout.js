// One rollout: how much of the traffic the new version has, which step it is at, its pods, and what analysis measured.
const { el, badge, number, isNumber, list, isObject, words } = kmcp;
const STATES = { Healthy: "good", Successful: "good", Degraded: "bad", Failed: "bad", Error: "bad", Paused: "may", Inconclusive: "may", Pending: "plain" };
const MOST_PODS = 30;

const state = (text) => badge(text || "unknown", STATES[text] || "plain");
const section = (title, ...children) => [el("h2", {}, title), ...children];

// Without a ReplicaSet in the role of the canary all traffic goes to the one version that there is.
function weights(row, sets) {
  const canary = sets.some((each) => each.role === "canary") ? Math.max(0, Math.min(100, row.set_weight)) : 0;
  const part = (kind, share) => {
    const made = el("span", { class: kind });
    made.style.width = `${share}%`;
    return made;
  };
  return section(
    "Traffic",
    el("div", { class: "weights", role: "img", "aria-label": `stable ${100 - canary} percent, canary ${canary} percent` }, part("stable", 100 - canary), part("canary", canary)),
    el("div", { class: "key" }, el("span", { class: "stable" }, `stable ${number(100 - canary)} %`), el("span", { class: "canary" }, `canary ${number(canary)} %`)),
  );
}

function steps(found, row) {
  // done/all: past the last one there is no current step.
  const done = Number.parseInt(String(row.step ?? ""), 10);
  const at = found.findIndex((each) => each.current);
  const reached = at >= 0 ? at : Number.isInteger(done) ? done : 0;
  const made = found.map((each, index) => {
    const kind = index < reached ? "done" : index === at ? "now" : "";
    const said = index < reached ? "✓ " : index === at ? "▶ " : "";
    const hidden = index < reached ? "done: " : index === at ? "now: " : "to come: ";
    return el("li", { class: kind, ...(index === at ? { "aria-current": "step" } : {}) }, el("span", { "aria-hidden": "true" }, said), el("span", { class: "hidden" }, hidden), words(each.step));
  });
  return section(`Steps, ${number(reached)} of ${number(found.length)} done`, el("ol", { class: "steps" }, ...made));
}

function pods(one) {
  const [wanted, ready] = [one.replicas, one.ready].map((each) => (isNumber(each) && each > 0 ? Math.floor(each) : 0));
  const squares = Array.from({ length: Math.min(wanted, MOST_PODS) }, (_, at) => el("i", { class: at < ready ? "" : "not" }));
  return el("span", {}, el("span", { class: "pods", "aria-hidden": "true" }, ...squares), `${number(ready)} of ${number(wanted)} ready`);
}

function revisions(found) {
  const heads = [["Revision"], ["Role"], ["Pods"], ["Images", "more"]];
  const lines = found.map((each) => [number(each.revision), words(each.role || "–"), pods(each), words(list(each.images).join(", "), 400)]);
  return section("Revisions", kmcp.table(heads, lines, "Revisions"));
}

function analyses(found) {
  const lines = found.flatMap((run) => {
    const metrics = kmcp.objects(run.metrics);
    const own = [words(run.name), state(run.phase), words(run.message || ""), ""];
    return [...(metrics.length && !run.message ? [] : [own]), ...metrics.map((metric) => [words(`${run.name}: ${metric.name}`), state(metric.phase), words(metric.message || (metric.last_value ? `last ${metric.last_value}` : "")), counts(metric)])];
  });
  return section("Analysis", kmcp.table([["Metric"], ["Phase"], ["Says", "more"], ["Measured"]], lines, "Analysis"));
}
function counts(metric) {
  const named = ["successful", "failed", "inconclusive", "error"].filter((name) => metric[name] > 0);
  return named.map((name) => `${number(metric[name])} ${name}`).join(", ") || "nothing yet";
}

function draw(data, body) {
  const row = isObject(data.rollout) ? data.rollout : {};
  kmcp.heading(words(row.name || "Rollout"), el("span", { class: "quiet" }, " ", words(row.namespace || "")));
  body.append(el("p", { class: "facts" }, state(row.status), el("span", {}, words(row.strategy || "")), el("span", {}, `${number(row.ready)} of ${number(row.desired)} pods ready, ${number(row.up_to_date)} up to date`)));
  if (row.message) body.append(el("p", {}, words(row.message, 600)));
  for (const each of list(data.pause_conditions)) body.append(el("p", { class: "quiet" }, words(each)));
  if (isNumber(row.set_weight)) body.append(...weights(row, kmcp.objects(data.replica_sets)));
  if (kmcp.objects(data.steps).length) body.append(...steps(kmcp.objects(data.steps), row));
  if (kmcp.objects(data.replica_sets).length) body.append(...revisions(kmcp.objects(data.replica_sets)));
  const experiments = kmcp.objects(data.experiments).flatMap((each) => [{ name: each.name, phase: each.phase, message: each.message || "experiment" }, ...kmcp.objects(each.analysis_runs)]);
  const runs = [...kmcp.objects(data.analysis_runs), ...experiments];
  if (runs.length) body.append(...analyses(runs));
  const failing = kmcp.objects(data.conditions).filter((each) => each.status === "False" && each.message);
  if (failing.length) body.append(...section("Conditions that are not met", ...failing.map((each) => el("p", {}, words(`${each.type}: ${each.message}`, 400)))));
  return {};
}

kmcp.start({ draw });
