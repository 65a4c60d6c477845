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

  if (job?.dataset.feed && window.EventSource) {
    let last = null;
    const source = new EventSource(job.dataset.feed);
    const story = () => document.getElementById("story");

    source.addEventListener("step", (event) => {
      const { step, html } = JSON.parse(event.data);
      const was = atBottom();
      const made = element(html);
      const there = document.getElementById(step);
      if (there) {
        for (const open of there.querySelectorAll("details[open] > pre, details[open] .code")) made.querySelector(`#${CSS.escape(open.id)}`)?.closest("details")?.setAttribute("open", "");
        there.replaceWith(made);
      } else story().append(made);
      for (const token of made.querySelectorAll('[name="csrfmiddlewaretoken"]')) token.value = document.body.dataset.csrf;
      htmx.process(made);
      last = made;
      carets(last);
      keepDown(was);
    });

    source.addEventListener("text", (event) => {
      const { step, text } = JSON.parse(event.data);
      const was = atBottom();
      document.getElementById(step)?.querySelector("[data-text]")?.append(text);
      keepDown(was);
    });

    source.addEventListener("end", async () => {
      source.close();
      await htmx.ajax("GET", job.dataset.self, { target: "#job", swap: "innerHTML" });
    });
    // The server was restarted or the line was cut: what is missing is in the page itself.
    source.addEventListener("error", () => {
      source.close();
      setTimeout(() => location.reload(), 2000);
    });
    addEventListener("pagehide", () => source.close());
  }
}
