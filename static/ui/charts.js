// Charts from the data beside them. Bars stand on each other; a dragged range becomes the page's address; the table stays true.
"use strict";

{
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (token) => {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  };
  const ramp = (number) => colour(number ? `--ramp-${number}` : "--ramp-rest");

  const compact = (value) => {
    for (const [size, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
      if (Math.abs(value) >= size) return `${+(value / size).toFixed(value / size >= 100 ? 0 : 1)}${letter}`;
    }
    return `${+value.toFixed(2)}`;
  };
  const money = (micro) => {
    const usd = micro / 1e6;
    if (!micro) return "$0";
    if (usd < 0.01) return `$${usd.toPrecision(2)}`;
    return `$${usd.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  };
  const seconds = (value) => (value < 1 ? `${Math.round(value * 1000)} ms` : value < 60 ? `${+value.toFixed(1)} s` : `${Math.round(value / 60)} min`);
  const WORDS = { usd: money, count: compact, seconds };
  const TICKS = { usd: (v) => (v >= 1e9 ? `$${compact(v / 1e6)}` : v && v < 1e4 ? money(v) : `$${+(v / 1e6).toFixed(2)}`), count: compact, seconds };

  const utc = (stamp) => new Date(stamp * 1000);
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const day = (stamp) => `${utc(stamp).getUTCDate()} ${MONTHS[utc(stamp).getUTCMonth()]}`;
  const clock = (stamp) => utc(stamp).toISOString().slice(11, 16);
  const iso = (stamp) => utc(stamp).toISOString().slice(0, 16);

  const draw = (figure) => {
    const holder = figure.querySelector("[data-plot]");
    const data = JSON.parse(document.getElementById(`chart-${figure.dataset.chart}`).textContent);
    const bars = data.kind === "bars";
    const steps = data.x.map((start, n) => [start, data.x[n + 1] ?? data.end]);
    const hourly = steps[0][1] - steps[0][0] < 7200;
    const middle = steps.map(([a, b]) => (a + b) / 2);
    const tops = [];
    let below = data.x.map(() => 0);
    for (const line of data.lines) {
      if (bars) below = below.map((sum, n) => sum + (line.values[n] ?? 0));
      tops.push(bars ? below : line.values);
    }
    const before = data.before.length ? data.x.map((_, n) => data.before[n] ?? null) : null;
    const most = Math.max(1e-9, ...tops.flat().filter((value) => value !== null), ...(before ?? []));
    const tones = () => ({ text: colour("--muted"), grid: colour("--grid"), surface: colour("--surface"), ink: colour("--text"), fills: data.lines.map((line) => ramp(line.colour)) });
    let tone = tones();

    const column = (u, n) => {
      const left = u.valToPos(steps[n][0], "x", true);
      const right = u.valToPos(steps[n][1], "x", true);
      const gap = Math.min((right - left) * 0.22, 6 * devicePixelRatio);
      return [left + gap / 2, Math.max(1, right - left - gap)];
    };
    const hatch = (u, x, y, width, height) => {
      const { ctx } = u;
      ctx.save();
      ctx.beginPath();
      ctx.rect(x, y, width, height);
      ctx.clip();
      ctx.strokeStyle = tone.surface;
      ctx.lineWidth = 1.5 * devicePixelRatio;
      for (let at = x - height; at < x + width; at += 5 * devicePixelRatio) {
        ctx.beginPath();
        ctx.moveTo(at, y + height);
        ctx.lineTo(at + height, y);
        ctx.stroke();
      }
      ctx.restore();
    };
    const paint = (u) => {
      const { ctx } = u;
      const zero = u.valToPos(0, "y", true);
      ctx.save();
      if (bars) {
        for (let n = 0; n < steps.length; n++) {
          const [x, width] = column(u, n);
          let bottom = zero;
          data.lines.forEach((line, index) => {
            const top = u.valToPos(tops[index][n], "y", true);
            if (line.values[n]) {
              ctx.fillStyle = tone.fills[index];
              ctx.fillRect(x, top, width, Math.max(devicePixelRatio, bottom - top));
            }
            bottom = top;
          });
          if (steps[n][0] <= data.now && data.now < steps[n][1]) hatch(u, x, bottom, width, zero - bottom);
        }
      } else {
        data.lines.forEach((line, index) => {
          ctx.strokeStyle = tone.fills[index];
          ctx.fillStyle = tone.fills[index];
          ctx.lineWidth = 1.75 * devicePixelRatio;
          ctx.lineJoin = "round";
          let down = false;
          ctx.beginPath();
          line.values.forEach((value, n) => {
            if (value === null) { down = false; return; }
            const [x, y] = [u.valToPos(middle[n], "x", true), u.valToPos(value, "y", true)];
            if (down) ctx.lineTo(x, y); else ctx.moveTo(x, y);
            down = true;
          });
          ctx.stroke();
          line.values.forEach((value, n) => {
            if (value === null || (line.values[n - 1] ?? null) !== null || (line.values[n + 1] ?? null) !== null) return;
            ctx.beginPath();
            ctx.arc(u.valToPos(middle[n], "x", true), u.valToPos(value, "y", true), 2 * devicePixelRatio, 0, 7);
            ctx.fill();
          });
        });
      }
      if (before) {
        ctx.strokeStyle = tone.text;
        ctx.lineWidth = 1.25 * devicePixelRatio;
        ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
        ctx.beginPath();
        let down = false;
        before.forEach((value, n) => {
          if (value === null) { down = false; return; }
          const [x, y] = [u.valToPos(middle[n], "x", true), u.valToPos(value, "y", true)];
          if (down) ctx.lineTo(x, y); else ctx.moveTo(x, y);
          down = true;
        });
        ctx.stroke();
      }
      ctx.restore();
    };

    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    const row = (swatch, name, value) => {
      const line = document.createElement("div");
      if (swatch !== null) {
        const dot = document.createElement("span");
        dot.className = `dot c${swatch}`;
        line.append(dot);
      }
      const said = document.createElement("span");
      said.textContent = name;
      const number = document.createElement("span");
      number.className = "num";
      number.textContent = value;
      line.append(said, number);
      return line;
    };
    const point = (u) => {
      const { left, top } = u.cursor;
      if (left === undefined || left < 0) { tip.hidden = true; return; }
      const at = u.posToVal(left, "x");
      const n = steps.findIndex(([a, b]) => a <= at && at < b);
      if (n < 0) { tip.hidden = true; return; }
      const word = WORDS[data.unit];
      const head = document.createElement("div");
      const title = document.createElement("strong");
      title.textContent = hourly ? `${day(steps[n][0])} ${clock(steps[n][0])}` : day(steps[n][0]);
      head.append(title);
      if (steps[n][0] <= data.now && data.now < steps[n][1]) head.append(" unfinished");
      const lines = data.lines.map((line) => [line, line.values[n]]).filter(([, value]) => value).map(([line, value]) => row(line.colour, line.name, word(value)));
      if (bars) lines.reverse();
      if (bars && lines.length !== 1) lines.push(row(null, "Sum", word(tops.at(-1)?.[n] ?? 0)));
      if (before && before[n] !== null) lines.push(row(null, "Period before", word(before[n])));
      tip.replaceChildren(head, ...lines);
      tip.hidden = false;
      const width = tip.offsetWidth;
      tip.style.left = `${left + 16 + width > u.over.clientWidth ? left - width - 12 : left + 16}px`;
      tip.style.top = `${Math.max(0, Math.min(top - 20, u.over.clientHeight - tip.offsetHeight))}px`;
    };

    const plot = new uPlot(
      {
        width: holder.clientWidth,
        height: holder.clientHeight,
        legend: { show: false },
        padding: [8, 4, 0, 0],
        cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
        select: { show: true },
        scales: {
          x: { time: false, range: [data.x[0], data.end] },
          y: { range: [0, most * 1.06] },
        },
        series: [{}, { show: true, paths: () => null, points: { show: false } }],
        axes: [
          {
            stroke: () => tone.text, grid: { show: false }, ticks: { show: false }, size: 26, gap: 6, font: "12px system-ui, sans-serif",
            splits: (u) => {
              const room = Math.max(2, Math.floor(u.bbox.width / devicePixelRatio / 90));
              const every = Math.max(1, Math.ceil(steps.length / room));
              return steps.filter((_, n) => n % every === 0).map(([a, b]) => (a + b) / 2);
            },
            values: (_, splits) => splits.map((stamp) => (hourly ? clock(stamp - (stamp % 3600)) : day(stamp))),
          },
          {
            stroke: () => tone.text, grid: { stroke: () => tone.grid, width: 1 }, ticks: { show: false }, size: 56, gap: 6, font: "12px system-ui, sans-serif", space: 40,
            values: (_, splits) => splits.map((value) => TICKS[data.unit](value)),
          },
        ],
        hooks: {
          draw: [paint],
          setCursor: [point],
          setSelect: [(u) => {
            if (u.select.width < 8) return;
            const first = steps.find(([, b]) => b > u.posToVal(u.select.left, "x"));
            const last = steps.findLast(([a]) => a < u.posToVal(u.select.left + u.select.width, "x"));
            if (!first || !last) return;
            const address = new URL(location.href);
            address.searchParams.delete("range");
            address.searchParams.set("from", iso(first[0]));
            address.searchParams.set("to", iso(last[1]));
            location.assign(address);
          }],
        },
      },
      [middle, tops.at(-1) ?? data.x.map(() => null)],
      holder,
    );
    plot.over.append(tip);
    new ResizeObserver(() => plot.setSize({ width: holder.clientWidth, height: holder.clientHeight })).observe(holder);
    const again = () => { tone = tones(); plot.redraw(); };
    new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  };

  for (const figure of document.querySelectorAll("[data-chart]")) if (figure.querySelector("[data-plot]")) draw(figure);
}
