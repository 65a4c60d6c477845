// Keeps "What this allows" in step with the form: the server judges what is typed, nothing is saved.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("profile_form");
  const panel = document.getElementById("profile-allows");
  if (!form || !panel || !form.elements.tool_allow) return; // a shipped tier is not typed into
  const body = document.getElementById("profile-allows-body");
  const state = document.getElementById("profile-allows-state");
  let timer, pending;

  const refresh = async () => {
    pending?.abort();
    const asked = (pending = new AbortController());
    body.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(panel.dataset.preview, { method: "POST", body: new FormData(form), signal: asked.signal });
      if (!answer.ok || answer.redirected) throw new Error(answer.status); // redirected: signed out
      body.innerHTML = await answer.text();
      state.textContent = "As typed, not saved yet.";
    } catch (fault) {
      if (fault.name === "AbortError") return; // a newer question is under way
      state.textContent = "No answer from the server: this may be out of date.";
    }
    if (asked === pending) body.removeAttribute("aria-busy");
  };

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, 250);
  });
  if (form.querySelector(".errornote")) refresh(); // what is shown is the row, what was typed has come back with faults
});
