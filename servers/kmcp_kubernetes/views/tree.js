// An object and what descends from it, each with its health; parts fold, and a switch leaves what is not well.
const { el, badge, number, list, words, clean } = kmcp;
const KINDS = { healthy: "good", degraded: "bad", progressing: "may", suspended: "plain", unknown: "plain" };
const LEVELS = 30;

// Rows come parents first, each with its level below the root.
function nested(items) {
  const root = { children: [] };
  const open = [root];
  for (const item of items) {
    const level = Math.max(0, Math.min(LEVELS, open.length - 1, Math.floor(Number(item.level)) || 0));
    const node = { item, children: [] };
    open.length = level + 1;
    open[level].children.push(node);
    open.push(node);
  }
  return root.children;
}
const ill = ({ item, children }) => item.health === "degraded" || item.health === "progressing" || children.some(ill);

function line(item) {
  return [
    el("span", { class: "kind" }, words(item.kind, 80)), words(item.name, 260),
    item.health ? badge(item.health, KINDS[item.health] || "plain") : null,
    item.reason ? el("span", { class: "quiet" }, words(item.reason, 300)) : null,
  ];
}

function branch(nodes, only) {
  return nodes.filter((node) => !only || ill(node)).map(({ item, children }) => {
    if (!children.length) return el("li", { class: "leaf" }, ...line(item));
    return el("li", {}, el("details", { open: "" }, el("summary", {}, ...line(item)), el("ul", {}, ...branch(children, only))));
  });
}

function draw(data, body) {
  const items = kmcp.objects(data.items);
  const first = items[0] || {};
  kmcp.heading(words(first.kind ? `${clean(first.kind, 80)} ${clean(first.name)}` : "Resource tree"), el("span", { class: "quiet" }, " ", words(data.namespace || "")));
  if (!items.length) {
    body.append(el("p", {}, "Nothing to show."));
    return {};
  }
  const counted = Object.keys(KINDS).map((name) => [name, items.filter((item) => item.health === name).length]).filter(([, count]) => count);
  const only = el("input", { type: "checkbox" });
  const tree = el("ul", { class: "tree" });
  const fill = () => {
    const found = branch(nested(items), only.checked);
    tree.replaceChildren(...(found.length ? found : [el("li", { class: "leaf" }, "All is well.")]));
  };
  only.addEventListener("change", fill);
  body.append(el("p", { class: "facts" }, `${number(items.length)} objects`, ...counted.map(([name, count]) => badge(`${number(count)} ${name}`, KINDS[name]))), el("label", { class: "check" }, only, "Only what is not well"), tree);
  fill();
  return {};
}

kmcp.start({ draw });
