// A job's story while it is told: text grows in place, steps come at the end or are replaced, the end reloads the page's body.
"use strict";

{
  const job = document.getElementById("job");

  const atBottom = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
  const keepDown = (was) => was && scrollTo({ top: document.documentElement.scrollHeight });
  const carets = (step) => {
    for (const old of job.querySelectorAll(".caret")) old.classList.remove("caret");
    step?.querySelector("[data-text]")?.classList.add("caret");
  };
  // The fragments are our own templates; what the model said is escaped in them and inert.
  const element = (html) => {
    const holder = document.createElement("template");
    holder.innerHTML = html.trim();
    return holder.content.firstElementChild;
  };

  if (job?.dataset.feed) {
    let last = Number(job.dataset.after);
    const story = () => document.getElementById("story");

    const step = (anchor, html) => {
      const was = atBottom();
      const made = element(html);
      const there = document.getElementById(anchor);
      if (there) {
        for (const open of there.querySelectorAll("details[open] > pre, details[open] .code")) made.querySelector(`#${CSS.escape(open.id)}`)?.closest("details")?.setAttribute("open", "");
        there.replaceWith(made);
      } else story().append(made);
      for (const token of made.querySelectorAll('[name="csrfmiddlewaretoken"]')) token.value = document.body.dataset.csrf;
      htmx.process(made);
      carets(made);
      keepDown(was);
    };

    const text = (anchor, words) => {
      const was = atBottom();
      document.getElementById(anchor)?.querySelector("[data-text]")?.append(words);
      keepDown(was);
    };

    // A line that was cut is taken up again after the last event that is on the page: nothing is missed or told twice.
    dashboard.listen(() => `${job.dataset.feed}?after=${last}`, (frame, stop) => {
      if (frame.n <= last) return;
      last = frame.n;
      if (frame.type === "text") text(frame.step, frame.text);
      else if (frame.type === "step") step(frame.step, frame.html);
      else if (frame.type === "end") {
        stop();
        htmx.ajax("GET", job.dataset.self, { target: "#job", swap: "innerHTML" });
      }
    });
  }
}
