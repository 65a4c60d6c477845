// A button with data-copy="#id" copies that field, or selects it where the browser lets nobody copy.
"use strict";

addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const field = document.querySelector(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(field.value ?? field.innerText);
        button.textContent = "Copied";
      } catch {
        field.focus();
        field.select?.(); // not over plain http
      }
    });
  }
});
