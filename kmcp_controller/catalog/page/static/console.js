// Calls a tool from its page. What a server says is shown as text alone: nothing here makes markup of it.
"use strict";
(() => {
  const MOST_ROWS = 200, MOST_COLUMNS = 24, MOST_CELL = 300, MOST_TEXT = 200000;
  const main = document.getElementById("main");
  const part = (id) => document.getElementById(id);
  let running = null;

  // A token is for the server whose page asked for it, and for no other.
  const token = {
    key: () => `token ${part("console").dataset.address}`,
    get: () => sessionStorage.getItem(token.key()) || "",
    set: (value) => { if (value) sessionStorage.setItem(token.key(), value); else sessionStorage.removeItem(token.key()); },
  };

  const ready = () => {
    const console_ = part("console");
    if (!console_) return;
    console_.hidden = false;
    part("no-console").hidden = true;
    if (token.get()) part("token-field").hidden = false;
  };

  const say = (text, bad) => {
    const status = part("console-status");
    if (!status) return;
    status.textContent = text;
    status.classList.toggle("bad", Boolean(bad));
  };

  const readJson = (text, name) => {
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(`${name}: this is not JSON`);
    }
  };

  const valueOf = (input) => {
    const { kind, name } = input.dataset, text = input.value;
    if (kind === "choice") return JSON.parse(text);
    if (kind === "number") return Number(text);
    if (kind === "json") return readJson(text, name);
    if (kind !== "any") return text;
    try { return JSON.parse(text); } catch { return text; }
  };

  const argumentsOf = (form) => {
    const found = Object.create(null);
    for (const input of form.querySelectorAll("[data-kind]")) {
      if (input.value === "") continue;
      if (input.dataset.kind !== "more") {
        found[input.dataset.name] = valueOf(input);
        continue;
      }
      const more = readJson(input.value, "further arguments");
      if (more === null || typeof more !== "object" || Array.isArray(more)) throw new Error("further arguments: give one JSON object");
      Object.assign(found, more);
    }
    if (form.dataset.rehearsal) found.dry_run = true;
    return found;
  };

  // Events of a stream: `data: …` and an empty line.
  const events = async function* (body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let kept = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const whole = (kept + value).split("\n\n");
      kept = whole.pop();
      for (const each of whole) if (each.startsWith("data: ")) yield JSON.parse(each.slice(6));
    }
  };

  const showProgress = ({ progress, total, message }) => {
    const bar = part("console-progress");
    if (!bar) return;
    bar.hidden = false;
    if (total > 0) { bar.max = total; bar.value = progress; }
    const done = total > 0 ? `${progress} of ${total}` : progress === undefined ? "" : `${progress}`;
    say([message, done].filter(Boolean).join(" · "));
  };

  const cut = (text, most) => (text.length > most ? `${text.slice(0, most)}\n… ${text.length - most} more characters` : text);
  const isRow = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

  // The first list of objects, or one of texts: what a person would call the table of an answer.
  const rowsOf = (content) => {
    if (isRow(content) && Array.isArray(content.columns) && Array.isArray(content.items) && content.items.every(Array.isArray)) {
      return content.items.map((row) => Object.fromEntries(content.columns.map((name, at) => [String(name), row[at] ?? ""])));
    }
    const lists = Array.isArray(content) ? [content] : isRow(content) ? Object.values(content).filter(Array.isArray) : [];
    const found = lists.find((each) => each.length && each.every(isRow));
    if (found) return found;
    const plain = lists.find((each) => each.length && !each.some((value) => typeof value === "object"));
    return plain ? plain.map((value) => ({ value })) : [];
  };

  const cell = (kind, text) => {
    const made = document.createElement(kind);
    made.textContent = text;
    return made;
  };

  const tableOf = (rows) => {
    const columns = [...new Set(rows.slice(0, MOST_ROWS).flatMap(Object.keys))].slice(0, MOST_COLUMNS);
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const each of columns) {
      const made = cell("th", cut(each, 80));
      made.scope = "col";
      head.append(made);
    }
    const body = table.createTBody();
    for (const row of rows.slice(0, MOST_ROWS)) {
      const line = body.insertRow();
      for (const each of columns) {
        const value = Object.hasOwn(row, each) ? row[each] : "";
        line.append(cell("td", cut(typeof value === "string" ? value : JSON.stringify(value) ?? "", MOST_CELL)));
      }
    }
    if (rows.length > MOST_ROWS) table.createCaption().textContent = `the first ${MOST_ROWS} of ${rows.length} rows`;
    return table;
  };

  const textOf = (result) => (Array.isArray(result.content) ? result.content : []).map((block) => {
    if (isRow(block) && typeof block.text === "string") return block.text;
    return isRow(block) ? `[${block.type}${block.mimeType ? ` ${block.mimeType}` : ""}]` : "";
  }).join("\n");

  const choose = (shown) => {
    for (const each of ["table", "json", "model"]) part(`outcome-${each}`).hidden = each !== shown;
    for (const each of part("outcome").querySelectorAll("input[name=shown-as]")) each.checked = each.value === shown;
  };

  const show = ({ result, seconds, tokens }) => {
    const content = result.structuredContent ?? null, rows = result.isError ? [] : rowsOf(content);
    const size = rows.length ? `${rows.length} row${rows.length === 1 ? "" : "s"}, ` : "";
    const about = `${size}${tokens.toLocaleString("en")} token${tokens === 1 ? "" : "s"} for a model, ${seconds.toFixed(2)} s`;
    part("outcome-table").replaceChildren(...(rows.length ? [tableOf(rows)] : []));
    part("outcome-json").textContent = cut(JSON.stringify(content ?? result.content ?? null, null, 2), MOST_TEXT);
    part("outcome-model").textContent = cut(textOf(result), MOST_TEXT);
    part("outcome").querySelector("input[value=table]").disabled = !rows.length;
    part("outcome").hidden = false;
    choose(rows.length ? "table" : "model");
    say(result.isError ? `The tool answered with an error: ${about}` : `Answered: ${about}`, result.isError);
  };

  const fail = ({ error, status }) => {
    part("outcome").hidden = true;
    if (status === 401) {
      part("token-field").hidden = false;
      token.set("");
      part("token").focus();
      say(`The server wants to know who calls (401): enter a token and call again. ${error}`, true);
    } else say(`${status === 403 ? "Refused (403)" : "No answer of the tool"}: ${error}`, true);
  };

  const busy = (form, now) => {
    form.querySelector(".call").disabled = now;
    form.querySelector(".cancel").hidden = !now;
    form.querySelector(".cancel").disabled = false;
    if (!now) part("console-progress").hidden = true;
    part("console").setAttribute("aria-busy", String(now));
  };

  const post = async (form, given, signal) => {
    const { address, tool } = part("console").dataset;
    if (part("token").value) token.set(part("token").value);
    const headers = { "Content-Type": "application/json", ...(token.get() && { Authorization: `Bearer ${token.get()}` }) };
    const body = JSON.stringify({ tool, arguments: given });
    // No cookies, whatever a proxy before the catalog may have set: the token is all that says who calls.
    const answer = await fetch(`${address}/call`, { method: "POST", headers, body, signal, credentials: "omit", cache: "no-store" });
    if ((answer.headers.get("content-type") || "").startsWith("text/event-stream")) return events(answer.body);
    const text = await answer.text();
    let error = text.trim();
    try { error = JSON.parse(text).error; } catch { /* a text then, as 401 of the catalog itself */ }
    return (async function* () { yield { error: cut(String(error), 1000), status: answer.status }; })();
  };

  const call = async (form) => {
    let given;
    try {
      given = argumentsOf(form);
    } catch (error) {
      say(error.message, true);
      return;
    }
    const controller = new AbortController();
    running = { form, controller };
    busy(form, true);
    part("console-progress").removeAttribute("value");
    say("Calling …");
    try {
      let ended = false;
      for await (const event of await post(form, given, controller.signal)) {
        if (!form.isConnected) return;
        if (event.progress) showProgress(event.progress);
        else {
          ended = true;
          if (event.result) show(event); else fail(event);
        }
      }
      if (!ended && form.isConnected) fail({ error: "the catalog ended before the answer", status: 0 });
    } catch (error) {
      if (!form.isConnected) return;
      if (error.name === "AbortError") say("Cancelled; the server was told.");
      else fail({ error: `the catalog cannot be reached (${error.message})`, status: 0 });
    } finally {
      running = null;
      if (form.isConnected) busy(form, false);
    }
  };

  main.addEventListener("submit", (event) => {
    if (!event.target.closest("#console")) return;
    event.preventDefault();
    if (!running) call(event.target);
  });
  main.addEventListener("click", (event) => {
    if (event.target.closest("#console .cancel") && running) running.controller.abort();
  });
  main.addEventListener("change", (event) => {
    if (event.target.name === "shown-as") choose(event.target.value);
  });
  main.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest("#console textarea")) event.target.form.requestSubmit();
  });
  // The page was made anew, by news or by "back": an answer to a form that has gone has no place any more.
  new MutationObserver(() => {
    if (running && !running.form.isConnected) running.controller.abort();
    ready();
  }).observe(main, { childList: true });
  ready();
})();
