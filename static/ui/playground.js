// The playground: one socket opened with a ticket, chats and tasks on it. What the model says is text and stays text.
"use strict";

{
  const form = document.getElementById("play");
  const get = (id) => document.getElementById(id);
  const state = { socket: null, key: "", turns: [], job: "", answer: null, steps: new Map(), spent: 0 };

  const fault = (words) => {
    get("fault").textContent = words;
    get("fault").hidden = !words;
  };
  const make = (tag, cls, text) => {
    const made = document.createElement(tag);
    made.className = cls;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const down = () => {
    const talk = get("talk");
    talk.scrollTop = talk.scrollHeight;
  };
  const busy = (on) => {
    get("send").disabled = on;
    get("stop").hidden = !on;
  };
  const money = (usd) => (usd === 0 ? "$0" : usd < 0.01 ? `$${usd.toPrecision(2)}` : `$${usd.toFixed(2)}`);

  const turn = (who, cls, text) => {
    get("hint")?.remove();
    const made = make("div", `turn ${cls}`);
    const said = make("div", "said", text);
    const foot = make("div", "foot");
    made.append(make("div", "who", who), said, foot);
    get("talk").append(made);
    down();
    return { made, said, foot };
  };
  const fold = (title, text) => {
    const made = make("details", "fold");
    const pre = make("pre", "code wrap", text);
    pre.tabIndex = 0;
    made.append(make("summary", "", title), pre);
    state.answer.made.insertBefore(made, state.answer.foot);
    // What is said after a tool comes below it.
    state.answer.said.classList.remove("caret");
    state.answer.said = make("div", "said");
    state.answer.made.insertBefore(state.answer.said, state.answer.foot);
    return pre;
  };

  const chosen = (name) => [...form.querySelectorAll(`[name="${name}"]:checked`)].map((box) => box.value);
  const request = () => {
    const model = form.model.value;
    const system = form.system.value.trim();
    if (chosen("kind")[0] === "task") {
      const last = state.turns.findLast((each) => each.role === "user")?.content ?? form.say.value;
      return { path: "/v1/task", body: { description: last, model, ...(system && { system }), allow_tools: chosen("tool"), allow_agents: chosen("agent"), allow_skills: chosen("skill") } };
    }
    const messages = [...(system ? [{ role: "system", content: system }] : []), ...state.turns];
    return { path: "/v1/chat/completions", body: { model, messages } };
  };

  const connect = async () => {
    const key = form.key.value;
    if (state.socket?.readyState === WebSocket.OPEN && state.key === key) return state.socket;
    state.socket?.close();
    const answer = await fetch(form.dataset.ticket, {
      method: "POST",
      headers: { "X-CSRFToken": document.body.dataset.csrf },
      body: new URLSearchParams({ key }),
    });
    const told = await answer.json().catch(() => ({ error: "The session has ended; log in again." }));
    if (!answer.ok) throw new Error(told.error);
    const address = new URL("/v1/stream", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address, ["ccs.v1", `ticket.${told.ticket}`]);
    socket.addEventListener("message", (event) => hear(JSON.parse(event.data)));
    socket.addEventListener("close", () => {
      if (state.socket === socket) state.socket = null;
      if (state.answer && state.job) end("The connection was closed; the job's page has the rest.");
    });
    await new Promise((good, bad) => {
      socket.addEventListener("open", good, { once: true });
      socket.addEventListener("error", () => bad(new Error("The socket could not be opened.")), { once: true });
    });
    state.socket = socket;
    state.key = key;
    return socket;
  };

  const end = (words) => {
    if (words) fault(words);
    state.answer?.said.classList.remove("caret");
    state.answer = null;
    state.job = "";
    busy(false);
    get("say").focus();
  };
  const link = (job) => {
    const made = make("a", "", "job");
    made.href = `${form.dataset.jobs}/${job}`;
    return made;
  };

  const hear = (frame) => {
    if (frame.id !== undefined && frame.id !== state.turns.length) return;
    switch (frame.type) {
      case "queued":
        state.job = frame.job_id;
        break;
      case "token":
        state.answer?.said.append(frame.content);
        state.answer?.said.classList.add("caret");
        down();
        break;
      case "tool_use":
        if (state.answer) state.steps.set(frame.tool_use_id, fold(frame.name, frame.input ? JSON.stringify(frame.input, null, 2) : ""));
        break;
      case "tool_input":
        state.steps.get(frame.tool_use_id)?.append(frame.partial_json);
        break;
      case "tool_result": {
        const pre = state.steps.get(frame.tool_use_id);
        const content = typeof frame.content === "string" ? frame.content : JSON.stringify(frame.content, null, 2);
        pre?.append(`\n\n${frame.is_error ? "Error" : "Result"}:\n${content}`);
        break;
      }
      case "denied":
        if (state.answer) fold(`Refused: ${frame.name}`, frame.reason);
        break;
      case "approval": {
        if (!state.answer) break;
        fold(`Waits for approval: ${frame.name}`, JSON.stringify(frame.input, null, 2)).parentElement.open = true;
        const row = make("div", "actions");
        for (const [decision, words] of [["once", "Approve once"], ["deny", "Deny"]]) {
          const button = make("button", "button slight", words);
          button.type = "button";
          button.addEventListener("click", () => {
            state.socket?.send(JSON.stringify({ type: "approve", job_id: state.job, tool_use_id: frame.tool_use_id, decision }));
            row.remove();
          });
          row.append(button);
        }
        state.answer.made.insertBefore(row, state.answer.said);
        down();
        break;
      }
      case "done":
      case "error": {
        const answer = state.answer;
        if (frame.type === "error" && frame.code) fault(frame.message);
        if (answer && frame.job_id) {
          const tokens = frame.usage?.total_tokens ?? 0;
          state.spent += frame.cost_usd ?? 0;
          answer.foot.append(make("span", "num", money(frame.cost_usd ?? 0)), make("span", "num", `${tokens.toLocaleString("en")} tokens`), make("span", "", frame.model ?? ""), link(frame.job_id));
          get("spent").textContent = `${money(state.spent)} in this conversation`;
        }
        if (frame.type === "done") state.turns.push({ role: "assistant", content: frame.result ?? "" });
        else {
          const asked = state.turns.pop();
          if (answer && !answer.made.querySelector(".said:not(:empty), details")) {
            answer.made.remove(); // nothing was said: the message is there to be sent again
            form.say.value ||= asked?.content ?? "";
          }
        }
        end();
        break;
      }
    }
  };

  const send = async (event) => {
    event.preventDefault();
    const text = form.say.value.trim();
    if (!text || state.answer) return;
    fault("");
    busy(true);
    try {
      const socket = await connect();
      state.turns.push({ role: "user", content: text });
      form.say.value = "";
      turn("You", "user", text);
      state.answer = turn("Answer", "assistant", "");
      state.answer.said.classList.add("caret");
      state.steps.clear();
      const { body } = request();
      socket.send(JSON.stringify({ type: chosen("kind")[0], id: state.turns.length, ...body }));
    } catch (error) {
      busy(false);
      fault(error.message);
    }
  };

  const code = async () => {
    if (!state.turns.length && form.say.value.trim()) state.turns.push({ role: "user", content: form.say.value.trim() });
    const { path, body } = request();
    const quoted = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
    const words = `curl ${form.dataset.origin}${path} \\\n  -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\\n  -d '${quoted}'`;
    if (form.say.value.trim() && state.turns.length === 1 && state.turns[0].content === form.say.value.trim()) state.turns = [];
    get("as-code").textContent = words;
    try {
      await navigator.clipboard.writeText(words);
    } catch {
      getSelection().selectAllChildren(get("as-code"));
      document.execCommand("copy");
    }
    get("code").textContent = "Copied";
    setTimeout(() => { get("code").textContent = "Copy as code"; }, 1600);
  };

  if (form) {
    form.addEventListener("submit", send);
    form.say.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    form.addEventListener("change", () => { get("for-tasks").hidden = chosen("kind")[0] !== "task"; });
    get("stop").addEventListener("click", () => state.job && state.socket?.send(JSON.stringify({ type: "cancel", job_id: state.job })));
    get("anew").addEventListener("click", () => {
      state.turns = [];
      get("talk").replaceChildren();
      fault("");
      get("say").focus();
    });
    get("code").addEventListener("click", code);
  }
}
