// The dashboard's shell: keyboard, copying, dialogs, tabs, and pages that follow what happens. Pages read without it.
"use strict";

{
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

  // -- keyboard: "/", "g" and a letter, j and k, Enter, "?"
  let going = 0;
  const rows = () => all("tbody tr[data-href]").filter((row) => row.offsetParent !== null);
  const move = (by) => {
    const list = rows();
    if (!list.length) return;
    const at = list.findIndex((row) => row.classList.contains("on"));
    const next = list[Math.min(Math.max(at + by, 0), list.length - 1)];
    choose(next);
    next.scrollIntoView({ block: "nearest" });
  };
  const choose = (chosen) => {
    for (const row of rows()) row.classList.toggle("on", row === chosen);
    one("a", chosen)?.focus({ preventScroll: true });
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") for (const menu of all("details.menu[open]")) menu.open = false;
    if (typing(event.target) || one("dialog[open]")) return;
    if (going && Date.now() - going < 1200) {
      going = 0;
      const link = one(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) return event.preventDefault(), link.click();
    }
    switch (event.key) {
      case "/": event.preventDefault(); one("[data-search]")?.focus(); break;
      case "g": going = Date.now(); break;
      case "j": move(1); break;
      case "k": move(-1); break;
      case "?": one("#help")?.showModal(); break;
    }
  });

  // -- clicks: copying, dialogs, menus, rows, tabs, toggles
  const told = (button, words) => {
    const before = button.getAttribute("aria-label") ?? "";
    button.setAttribute("aria-label", words);
    button.dataset.told = words;
    if (button.dataset.words !== undefined) button.textContent = words;
    setTimeout(() => {
      if (before) button.setAttribute("aria-label", before); else button.removeAttribute("aria-label");
      delete button.dataset.told;
      if (button.dataset.words !== undefined) button.textContent = button.dataset.words;
    }, 1600);
  };
  const copy = async (button) => {
    const source = one(button.dataset.copy);
    const text = source.value ?? source.textContent;
    try {
      await navigator.clipboard.writeText(text);
      told(button, "Copied");
    } catch {
      if (source.select) source.select(); else getSelection().selectAllChildren(source);
      told(button, document.execCommand("copy") ? "Copied" : "Press Ctrl C");
    }
  };
  addEventListener("click", (event) => {
    const target = event.target.closest("button, a, summary, tr[data-href]");
    for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    if (!target) return;
    if (target.dataset.copy) copy(target);
    else if (target.dataset.dialog) { event.preventDefault(); one(`#${target.dataset.dialog}`)?.showModal(); }
    else if (target.dataset.close !== undefined) target.closest("dialog")?.close();
    else if (target.dataset.tab) tab(target);
    else if (target.matches("tr[data-href]") && !getSelection().toString() && !event.target.closest("a, button, input, summary")) location.href = target.dataset.href;
  });
  const tab = (chosen) => {
    for (const button of all("[data-tab]", chosen.parentElement)) {
      const on = button === chosen;
      button.setAttribute("aria-selected", on);
      button.tabIndex = on ? 0 : -1;
      document.getElementById(button.dataset.tab).hidden = !on;
    }
    chosen.focus();
  };
  addEventListener("keydown", (event) => {
    const at = event.target.closest?.("[data-tab]");
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!at || !by) return;
    const list = all("[data-tab]", at.parentElement);
    tab(list[(list.indexOf(at) + by + list.length) % list.length]);
  });
  // A select or a checkbox that is a filter sends its form at once; without a script there is a button.
  addEventListener("change", (event) => {
    if (event.target.form?.dataset.auto === undefined) return;
    for (const field of event.target.form.elements) if (field.name && !field.value) field.disabled = true;
    event.target.form.requestSubmit();
  });
  for (const button of all("[data-scripted]")) button.hidden = false;
  for (const button of all("[data-unscripted]")) button.hidden = true;
  for (const dialog of all("dialog[data-open]")) dialog.showModal();

  // -- htmx sends our token with what it posts
  document.body.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRFToken"] = document.body.dataset.csrf;
  });

  // -- a list that is asked anew keeps the row that was chosen, and the link that has the focus
  let kept = {};
  document.body.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
    const focused = target.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    kept = { row: one("tr.on[data-href]", target)?.dataset.href, focused };
  });
  document.body.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
    all("tr[data-href]", target).find((row) => row.dataset.href === kept.row)?.classList.add("on");
    if (kept.focused) one(`a[href="${CSS.escape(kept.focused)}"]`, target)?.focus({ preventScroll: true });
  });

  // -- a line to the server that comes back by itself. It is let go while nobody looks.
  // `address` is asked anew each time, `heard` gets each frame; a line that was refused is not tried again.
  const listen = (address, heard) => {
    let socket = null;
    let pause = 0;
    let timer = 0;
    const open = () => {
      clearTimeout(timer);
      if (socket || document.hidden) return;
      const mine = socket = new WebSocket(new URL(address(), location.href.replace(/^http/, "ws")));
      mine.onmessage = (event) => { pause = 0; heard(JSON.parse(event.data), stop); };
      mine.onclose = (event) => {
        if (socket !== mine) return;
        socket = null;
        if (event.code === 4401 || event.code === 4404) return stop();
        pause = Math.min(15000, pause * 2 || 500);
        timer = setTimeout(open, pause * (0.5 + Math.random()));
      };
    };
    const rest = () => { clearTimeout(timer); const mine = socket; socket = null; mine?.close(); };
    const look = () => (document.hidden ? rest() : open());
    const stop = () => { rest(); removeEventListener("visibilitychange", look, true); };
    addEventListener("visibilitychange", look, true);
    addEventListener("pagehide", rest);
    addEventListener("pageshow", (event) => event.persisted && open());
    open();
  };
  window.dashboard = { listen };

  // -- what lives follows the project: a word that something changed, and the parts ask anew
  if (one("[data-follows]") && document.body.dataset.live) {
    listen(() => document.body.dataset.live, () => {
      for (const part of all("[data-follows]")) htmx.trigger(part, "changed");
    });
  }
}
