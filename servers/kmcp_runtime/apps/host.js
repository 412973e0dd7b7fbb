// What every view shares: the conversation with the host (MCP Apps, 2026-01-26), and safe pieces of a document.
// Texts of others enter the document as text alone (textContent, text nodes): nothing here or in a view makes markup.
const kmcp = (() => {
  const VERSION = "2026-01-26";
  const LONGEST = 200;
  const NOT_FOUND = -32601;
  const SVG = "http://www.w3.org/2000/svg";
  // Controls, and marks that turn or hide text: a name must not change how its neighbours read.
  const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
  const VARIABLE = /^--(color|font|border|shadow)-[a-z0-9-]+$/;
  const pending = new Map();
  const state = { context: {}, capabilities: {}, input: {}, view: null, shown: null, drawn: {}, width: 0 };
  let last = 0;

  const byId = (id) => document.getElementById(id);
  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const list = (value) => (Array.isArray(value) ? value : []);
  const objects = (value) => list(value).filter(isObject);
  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

  const shorten = (text, longest) => (text.length > longest ? `${text.slice(0, longest - 1)}…` : text);
  function clean(value, longest = LONGEST) {
    const whole = typeof value === "string" ? value : value === undefined || value === null ? "" : String(value);
    return shorten(whole.slice(0, 4 * longest).replace(/[\t\n\r]+/g, " ").replace(HIDDEN, "\ufffd"), longest);
  }
  const lines = (value, longest) => shorten(String(value ?? ""), longest).split(/\r?\n/).map((each) => clean(each, longest)).join("\n");

  function fill(made, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }
  const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
  const words = (value, longest) => el("bdi", {}, clean(value, longest));

  function table(heads, rows, label) {
    const head = heads.map(([text, kind = ""]) => el("th", { scope: "col", class: kind }, text));
    const body = rows.map((cells) =>
      el("tr", {}, ...cells.map((cell, at) =>
        el(at ? "td" : "th", at ? { class: heads[at][1] || "" } : { scope: "row", class: heads[at][1] || "" }, cell))));
    const made = el("table", {}, el("caption", { class: "hidden" }, label), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body));
    return el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label }, made);
  }

  const KINDS = { good: "✓", bad: "✕", may: "!", plain: "○" };
  const badge = (text, kind) => el("span", { class: `badge ${kind}`, "data-sign": KINDS[kind] }, words(text, 60));

  function bar(share) {
    const inner = el("span");
    inner.style.width = `${Math.max(0, Math.min(1, isNumber(share) ? share : 0)) * 100}%`;
    return el("span", { class: "bar", "aria-hidden": "true" }, inner);
  }

  function formatted(make) {
    try {
      return make(state.context.locale, state.context.timeZone);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return make(undefined, undefined);  // the host names a language or a zone that this browser does not know
    }
  }
  function number(value, digits = 5) {
    if (!isNumber(value)) return "–";
    const size = Math.abs(value);
    const notation = size >= 1e6 ? "compact" : size !== 0 && size < 1e-4 ? "scientific" : "standard";
    return formatted((locale) => new Intl.NumberFormat(locale, { maximumSignificantDigits: digits, notation }).format(value));
  }
  const percent = (share) => formatted((locale) => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(share));
  function time(seconds, parts) {
    if (!isNumber(seconds) || Math.abs(seconds) > 8e12) return "–";
    return formatted((locale, timeZone) => new Intl.DateTimeFormat(locale, { ...parts, timeZone }).format(seconds * 1000));
  }

  const post = (message) => window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const notify = (method, params = {}) => post({ method, params });
  function ask(method, params) {
    const id = ++last;
    post({ id, method, params });
    return new Promise((resolve, reject) => pending.set(id, { resolve, reject }));
  }

  function say(text, kind = "") {
    byId("state").className = kind;
    byId("state").textContent = text;
  }

  function adapt(context) {
    Object.assign(state.context, context);
    const root = document.documentElement;
    const { theme, styles } = state.context;
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    for (const [name, value] of Object.entries(isObject(styles?.variables) ? styles.variables : {})) {
      if (VARIABLE.test(name) && typeof value === "string") root.style.setProperty(name, value);
    }
    offer();
  }

  function offer() {
    const actions = [];
    if (state.capabilities.serverTools && state.context.toolInfo?.tool?.name && state.shown) actions.push(button("Refresh", refresh));
    const mode = state.context.displayMode === "fullscreen" ? "inline" : "fullscreen";
    if (list(state.context.availableDisplayModes).includes(mode)) {
      actions.push(button(mode === "fullscreen" ? "Enlarge" : "Reduce", async () => {
        const { mode: now } = await ask("ui/request-display-mode", { mode });
        adapt({ displayMode: now });
      }));
    }
    const old = [...byId("actions").children].map((each) => each.textContent).join();
    if (old !== actions.map((each) => each.textContent).join()) byId("actions").replaceChildren(...actions);
  }

  function button(text, act) {
    const made = el("button", { type: "button" }, text);
    made.addEventListener("click", async () => {
      made.disabled = true;
      try {
        await act();
      } catch (error) {
        say(`The host did not do it: ${clean(error.message)}`, "bad");
      } finally {
        made.disabled = false;
      }
    });
    return made;
  }

  async function refresh() {
    say("Asking again.");
    show(await ask("tools/call", { name: state.context.toolInfo.tool.name, arguments: state.input }));
  }

  // The failure of a call: from the result's _meta, or from its text, where a host hands on no more than that.
  function failure(result) {
    const found = result._meta?.["kmcp-suite/error"];
    if (isObject(found)) return found;
    try {
      const read = JSON.parse(plain(result));
      return isObject(read) ? read : { message: plain(result) };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return { message: plain(result) };
    }
  }
  const plain = (result) => list(result.content).filter((each) => each?.type === "text").map((each) => String(each.text)).join("\n");

  function show(result) {
    state.shown = result;
    state.drawn = {};
    say("");
    byId("body").replaceChildren();
    byId("notes").replaceChildren();
    if (result.isError) {
      const { code, message, hint } = failure(result);
      say(`${clean(code || "error", 40)}: ${lines(message, 1000)}`, "bad");
      note(hint);
    } else if (isObject(result.structuredContent)) {
      draw(result.structuredContent);
    } else {
      byId("body").append(el("pre", {}, lines(plain(result), 20000)));
    }
    offer();
    measure();
  }

  function draw(data) {
    state.drawn = state.view.draw(data, byId("body"), state.input) || {};
    if (data.truncated) note(isNumber(data.total) ? `Not all is here: ${number(list(data.items).length)} of ${number(data.total)}.` : "Not all is here.");
    for (const each of [...list(data.warnings), ...list(data.infos)].slice(0, 10)) note(each);
    note(data.hint);
  }

  function note(text) {
    if (text) byId("notes").append(el("p", {}, words(text, 1000)));
  }

  function measure() {
    const width = Math.round(document.documentElement.clientWidth);
    if (width !== state.width) {
      state.width = width;
      state.drawn.resize?.();
    }
    const height = Math.ceil(document.body.getBoundingClientRect().height);
    if (height !== state.height || width !== state.told) {
      state.height = height;
      state.told = width;
      if (state.ready) notify("ui/notifications/size-changed", { width, height });
    }
  }

  const HEARD = {
    "ui/notifications/tool-input": (params) => { state.input = isObject(params.arguments) ? params.arguments : {}; },
    "ui/notifications/tool-result": show,
    "ui/notifications/tool-cancelled": (params) => say(`The call was cancelled. ${clean(params.reason)}`, "bad"),
    "ui/notifications/host-context-changed": (params) => { adapt(params); state.drawn.resize?.(); measure(); },
  };

  function hear(event) {
    const message = event.data;
    if (event.source !== window.parent || !isObject(message) || message.jsonrpc !== "2.0") return;
    const params = isObject(message.params) ? message.params : {};
    if (message.method === undefined) answered(message);
    else if (message.id === undefined) HEARD[message.method]?.(params);
    else if (message.method === "ping" || message.method === "ui/resource-teardown") post({ id: message.id, result: {} });
    else post({ id: message.id, error: { code: NOT_FOUND, message: "this view does not have it" } });
  }

  function answered({ id, result, error }) {
    const waiting = pending.get(id);
    pending.delete(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(isObject(result) ? result : {});
  }

  async function start(view) {
    state.view = view;
    window.addEventListener("message", hear);
    const result = await ask("ui/initialize", {
      appInfo: { name: "kmcp-suite", version: "1" },
      appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
      protocolVersion: VERSION,
    });
    state.capabilities = isObject(result.hostCapabilities) ? result.hostCapabilities : {};
    adapt(isObject(result.hostContext) ? result.hostContext : {});
    state.ready = true;
    notify("ui/notifications/initialized");
    new ResizeObserver(measure).observe(document.body);
  }

  const heading = (...children) => document.querySelector("h1").replaceChildren(...children);
  return { badge, bar, clean, el, heading, isNumber, isObject, lines, list, note, number, objects, percent, start, svg, table, time, words };
})();
