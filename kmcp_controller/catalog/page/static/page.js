// Makes the pages quicker to use: results as one types, news without a reload, copy buttons. All of it works without.
"use strict";
(() => {
  const main = document.getElementById("main");
  const form = document.getElementById("search");
  const live = document.getElementById("live");
  let running = null;
  let lost = false;

  const opened = () => new Set([...main.querySelectorAll("details[open]")].map((each) => each.id));

  // The server renders and escapes; no text of a tool is put together here.
  const show = async (address, news) => {
    if (running) running.abort();
    running = new AbortController();
    const part = new URL(address, location.href);
    part.hash = "";
    part.searchParams.set("part", "main");
    try {
      const answer = await fetch(part, { signal: running.signal, cache: "no-store" });
      if (!answer.ok && answer.status !== 404) throw new Error(`the catalog answered ${answer.status}`);
      const text = await answer.text();
      if (news && text === main.dataset.shown) return;
      const open = opened();
      const focus = main.contains(document.activeElement) ? document.activeElement.id : "";
      const kept = document.getElementById("console");
      main.innerHTML = text;
      main.dataset.shown = text;
      // What was filled in and answered stays, as long as it is the same tool with the same form.
      const made = document.getElementById("console");
      if (kept && made && ["form", "address", "tool"].every((each) => kept.dataset[each] === made.dataset[each])) made.replaceWith(kept);
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
      const heading = main.querySelector("h1");
      if (news) main.classList.add("changed");
      else if (heading) live.textContent = heading.textContent.trim();
      ready();
    } catch (error) {
      if (error.name !== "AbortError") live.textContent = `Not up to date: ${error.message}`;
    }
  };

  const ready = () => {
    for (const each of main.querySelectorAll("button.copy")) each.hidden = !navigator.clipboard;
    for (const each of main.querySelectorAll("time[datetime]")) {
      const when = new Date(each.dateTime);
      if (!Number.isNaN(when.valueOf())) each.title = when.toLocaleString();
    }
  };

  const address = () => {
    const given = [...new FormData(form)].filter(([, value]) => value !== "");
    return given.length ? `/?${new URLSearchParams(given)}` : "/";
  };

  let waiting = 0;
  const search = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      // On another page the first letter is a step that "back" undoes; further ones only change it.
      history[location.pathname === "/" ? "replaceState" : "pushState"](null, "", address());
      show(location.href, false);
    }, 40);
  };

  form.addEventListener("input", search);
  form.addEventListener("submit", (event) => { event.preventDefault(); search(); });
  addEventListener("popstate", () => {
    const given = new URLSearchParams(location.search);
    for (const each of form.elements) if (each.name) each.value = given.get(each.name) || "";
    show(location.href, false);
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    event.preventDefault();
    form.elements.q.select();
  });
  main.addEventListener("animationend", () => main.classList.remove("changed"));
  main.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });

  // News: the browser reconnects by itself, except after an answer that is not a stream.
  const follow = () => {
    const events = new EventSource("/events");
    events.onopen = () => {
      document.documentElement.dataset.live = "on";
      if (lost) { live.textContent = ""; show(location.href, true); }
      lost = false;
    };
    events.onmessage = () => show(location.href, true);
    events.onerror = () => {
      lost = true;
      document.documentElement.dataset.live = "off";
      live.textContent = "No connection to the catalog; what is shown may be old. Trying again.";
      if (events.readyState === EventSource.CLOSED) setTimeout(follow, 5000);
    };
  };

  ready();
  follow();
})();
