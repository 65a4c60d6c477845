// Light, dark or as the system has it: what the reader chose is kept in this browser. Loaded in the head, before anything is drawn.
"use strict";

{
  const ORDER = ["auto", "light", "dark"];
  const WORDS = { auto: "as the system", light: "light", dark: "dark" };
  const root = document.documentElement;

  const remembered = () => {
    try {
      const kept = localStorage.getItem("theme");
      return ORDER.includes(kept) ? kept : "auto";
    } catch {
      return "auto"; // a browser that keeps nothing
    }
  };

  const show = (theme) => {
    root.dataset.theme = theme;
    for (const button of document.querySelectorAll(".theme-toggle")) {
      button.setAttribute("aria-label", `Colours: ${WORDS[theme]}. Change`);
      button.title = `Colours: ${WORDS[theme]}`;
    }
  };

  const choose = (theme) => {
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // then until the next page
    }
    show(theme);
  };

  show(remembered());
  addEventListener("storage", (event) => event.key === "theme" && show(remembered())); // another window of ours
  addEventListener("DOMContentLoaded", () => {
    show(root.dataset.theme);
    for (const button of document.querySelectorAll(".theme-toggle")) {
      button.addEventListener("click", () => choose(ORDER[(ORDER.indexOf(root.dataset.theme) + 1) % ORDER.length]));
    }
  });
}
