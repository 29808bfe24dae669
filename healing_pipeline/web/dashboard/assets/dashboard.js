"use strict";
// Keeps a page up to date. Whatever comes from the server is text, and is put in as text.
function begin() {
  const at = "/health-dashboard";
  const find = (id) => document.getElementById(id);
  const setText = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const setOrDrop = (element, name, value) => {
    if (value) element.setAttribute(name, value); else element.removeAttribute(name);
  };

  // Dark and light.
  const root = document.documentElement;
  const button = find("theme");
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const nameTheme = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    document.cookie = `healing_theme=${root.dataset.theme}; path=/; max-age=31536000; SameSite=Lax`;
    nameTheme();
  });
  nameTheme();
  button.hidden = false;

  // The banner, on every page.
  const banner = find("banner");
  function showBanner(lines) {
    banner.replaceChildren(...lines.map(([level, mark, word, text, href]) => {
      const line = document.createElement("p");
      line.className = `notice ${level}`;
      const shape = document.createElement("span");
      shape.className = "mark";
      shape.setAttribute("aria-hidden", "true");
      shape.textContent = mark;
      const strong = document.createElement("strong");
      strong.textContent = word;
      const rest = document.createElement(href ? "a" : "span");
      rest.textContent = text;
      if (href && href.startsWith("/")) rest.setAttribute("href", href);
      line.append(shape, " ", strong, " ", rest);
      return line;
    }));
  }

  if (!("live" in document.body.dataset)) {
    setInterval(async () => {
      if (document.hidden) return;
      try {
        const answer = await fetch(`${at}/banner.json`, { signal: AbortSignal.timeout(8000) });
        if (answer.ok) showBanner((await answer.json()).banner);
      } catch { /* the next one may come */ }
    }, 10000);
    return;
  }

  // Rows. Each field of a change is one small change of the page.
  const rows = new Map();
  for (const row of document.querySelectorAll("tr[data-id]")) rows.set(row.dataset.id, row);
  const chips = new Map();
  for (const chip of document.querySelectorAll("[data-source]")) {
    chips.set(chip.dataset.source, chip.querySelector(".state"));
  }
  const svg = "http://www.w3.org/2000/svg";
  const shapes = { n: [9, 1], l: [4, 6], h: [2, 8], f: [0, 10] };
  function drawBar(element, runs) {
    const paths = new Map();
    let from = 0;
    for (const [, width, letter] of runs.matchAll(/(\d+)([a-z])/g)) {
      const [top, height] = shapes[letter];
      paths.set(letter, `${paths.get(letter) || ""}M${from} ${top}h${width}v${height}h-${width}z`);
      from += Number(width);
    }
    element.replaceChildren(...[...paths].map(([letter, data]) => {
      const path = document.createElementNS(svg, "path");
      path.setAttribute("class", letter);
      path.setAttribute("d", data);
      return path;
    }));
  }
  const changes = {
    s(row, value) {
      row.dataset.s = value;
      row.cells[1].querySelector(".state").className = `state ${value}`;
    },
    w(row, value) { setText(row.cells[1].querySelector(".state"), value); },
    a(row, value) { setText(row.cells[1].querySelector(".quiet"), value); },
    n(row, value) {
      const note = row.cells[1].querySelector(".note");
      setText(note, value);
      setOrDrop(note, "title", value);
    },
    i(row, value) {
      const note = row.cells[1].querySelector(".note");
      setOrDrop(note, "href", /^\d+$/.test(value) ? `${at}/incidents/${value}` : "");
    },
    b(row, value) { drawBar(row.querySelector(".bar"), value); },
    bl(row, value) { row.querySelector(".bar").setAttribute("aria-label", value); },
    f(row, value) { setText(row.cells[3], value); },
    e(row, value) { setText(row.cells[4], value); },
    et(row, value) { row.cells[4].title = value; },
    h(row, value) { setText(row.cells[5], value); },
    ht(row, value) { row.cells[5].title = value; },
    u(row, value) { setText(row.cells[6], value); },
    ut(row, value) { row.cells[6].title = value; },
    p(row, value) { row.cells[7].querySelector("path").setAttribute("d", value); },
    m(row, value) { setText(row.cells[7].querySelector("span"), value); },
    r(row, value) { setText(row.cells[8].querySelectorAll("span")[0], value || "—"); },
    ra(row, value) { setText(row.cells[8].querySelectorAll("span")[1], value); },
  };
  const marked = new WeakMap();
  function change(name, fields, isNew) {
    const row = rows.get(name);
    if (!row) return;
    for (const [field, value] of Object.entries(fields)) changes[field]?.(row, value);
    const chip = chips.get(name);
    if (chip && "s" in fields) chip.className = `state ${fields.s}`;
    if (chip && "w" in fields) setText(chip, fields.w);
    if (isNew && ("s" in fields || "w" in fields)) {
      row.classList.add("changed");
      clearTimeout(marked.get(row));
      marked.set(row, setTimeout(() => row.classList.remove("changed"), 1500));
    }
    if ("s" in fields || "n" in fields || "r" in fields) filterRow(row);
  }

  // What a screen reader is told: rarely, and only what matters.
  let spokenAt = 0;
  let speaking = 0;
  function speak() {
    if (speaking) return;
    speaking = setTimeout(() => {
      speaking = 0;
      spokenAt = Date.now();
      const worst = banner.querySelector(".critical, .error");
      setText(find("spoken"), find("summary").textContent + (worst ? `. ${worst.textContent}` : ""));
    }, Math.max(500, spokenAt + 10000 - Date.now()));
  }
  function showTop(top) {
    if ("at" in top) setText(find("at"), top.at);
    if ("banner" in top) { showBanner(top.banner); speak(); }
    if ("summary" in top) { setText(find("summary"), top.summary); speak(); }
  }

  // What is shown.
  const filter = find("filter");
  const text = find("text");
  const states = new Set();
  function filterRow(row) {
    if (row.classList.contains("whole")) return;
    const words = text.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const said = `${row.dataset.id} ${row.textContent}`.toLowerCase();
    const isState = states.size === 0 || states.has(row.dataset.s);
    row.hidden = !(isState && words.every((word) => said.includes(word)));
  }
  function filterAll() {
    const isAll = states.size === 0 && !text.value.trim();
    let count = 0;
    for (const section of document.querySelectorAll(".source")) {
      let here = 0;
      for (const row of section.querySelectorAll("tr[data-id]")) {
        filterRow(row);
        if (row.classList.contains("whole")) row.hidden = !isAll;
        else if (!row.hidden) here += 1;
      }
      section.hidden = here === 0;
      count += here;
    }
    find("nothing").hidden = count > 0;
  }
  function showAll() {
    text.value = "";
    states.clear();
    for (const each of filter.querySelectorAll("button")) each.setAttribute("aria-pressed", "false");
    filterAll();
  }
  let typing = 0;
  text.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(filterAll, 80); });
  filter.addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("click", (event) => {
    const state = event.target.dataset.state;
    if (!state) return;
    if (!states.delete(state)) states.add(state);
    event.target.setAttribute("aria-pressed", String(states.has(state)));
    filterAll();
  });
  find("nothing").querySelector("button").addEventListener("click", () => { showAll(); text.focus(); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      text.focus();
    } else if (event.key === "Escape") showAll();
  });
  filter.hidden = false;
  text.value = new URLSearchParams(location.search).get("q") || "";
  if (text.value) filterAll();

  // The numbered changes. A number that is missing asks for everything.
  let { epoch, seq } = document.body.dataset;
  seq = Number(seq);
  function take(message) {
    if (message.ping) return true;
    if (message.whole) {
      for (const [name, fields] of Object.entries(message.rows)) change(name, fields, false);
      showTop(message.top);
      ({ epoch, seq } = message);
      return true;
    }
    if (message.epoch === epoch && message.seq <= seq) return true;
    if (message.epoch !== epoch || message.seq !== seq + 1) return false;
    for (const [name, fields] of Object.entries(message.rows || {})) change(name, fields, true);
    showTop(message.top || {});
    seq = message.seq;
    return true;
  }
  const link = find("link");
  const say = (word) => { setText(link, word); link.dataset.how = word; link.hidden = false; };
  const silentAfter = 45000;
  let failures = 0;
  let heardAt = 0;
  function connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${at}/live?epoch=${epoch}&after=${seq}`);
    heardAt = Date.now();
    const silence = setInterval(() => {
      if (Date.now() - heardAt > silentAfter) socket.close();
    }, 5000);
    socket.onopen = () => { failures = 0; say("live"); };
    socket.onmessage = (event) => {
      heardAt = Date.now();
      if (!take(JSON.parse(event.data))) { epoch = ""; socket.close(); }
    };
    socket.onclose = () => {
      clearInterval(silence);
      failures += 1;
      if (failures === 1) say("reconnecting");
      if (failures < 3) setTimeout(connect, 200 * failures + 200 * Math.random());
      else poll(failures);
    };
  }
  // Where sockets fail, the same by asking; now and then the socket is tried again, and at once when
  // the gateway is back.
  let isGone = false;
  async function poll(rounds) {
    let isBack = false;
    try {
      const address = `${at}/state.json?epoch=${epoch}&after=${seq}`;
      const answer = await fetch(address, { signal: AbortSignal.timeout(8000) });
      if (!answer.ok) throw new Error(answer.status);
      for (const message of await answer.json()) if (!take(message)) epoch = "";
      isBack = isGone;
      isGone = false;
      say("asking every 2 s");
    } catch {
      isGone = true;
      say("not connected");
    }
    if (isBack || rounds % 5 === 4) setTimeout(connect, isBack ? 0 : 2000);
    else setTimeout(() => poll(rounds + 1), isGone ? 1000 : 2000);
  }
  connect();
}
// After the first paint: what was rendered is there to be read at once.
if (document.hidden) begin(); else requestAnimationFrame(() => setTimeout(begin));
