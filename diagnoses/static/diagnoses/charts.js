// Draws each <canvas data-chart="id"> from the JSON in the element with that id, and each that a part of the page brings
// later: {kind: "line" | "bar", stacked, labels, series: [{label, values, low, high}], unit: "" | "%" | "s", max}.
// Colours come from the style sheet (--chart-1 and so on) and follow the page's brightness; each series has a dash, a
// point or a pattern of its own, too. Nothing moves.
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const POINTS = ["circle", "rect", "triangle", "rectRot", "crossRot", "star"];
const PATTERNS = ["plain", "up", "down", "dots", "grid", "across"];
const COLOURS = 7;
const SIDE = 8;
const drawn = new Map();
const numbers = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function inWords(value, unit) {
  return unit ? `${numbers.format(value)} ${unit}` : numbers.format(value);
}

// A square of the series' colour with marks in that of the background.
function patterned(context, kind, ink) {
  if (kind === "plain") return ink;
  const tile = document.createElement("canvas");
  tile.width = tile.height = SIDE;
  const pen = tile.getContext("2d");
  pen.fillStyle = ink;
  pen.fillRect(0, 0, SIDE, SIDE);
  pen.strokeStyle = pen.fillStyle = colour("--chart-ground");
  pen.lineWidth = 1.5;
  const lines = {
    up: [[-2, 2, 2, -2], [0, SIDE, SIDE, 0], [SIDE - 2, SIDE + 2, SIDE + 2, SIDE - 2]],
    down: [[-2, SIDE - 2, 2, SIDE + 2], [0, 0, SIDE, SIDE], [SIDE - 2, -2, SIDE + 2, 2]],
    grid: [[0, 4, SIDE, 4], [4, 0, 4, SIDE]],
    across: [[0, 4, SIDE, 4]],
    dots: [],
  }[kind];
  for (const [x1, y1, x2, y2] of lines) {
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    pen.stroke();
  }
  if (kind === "dots") {
    pen.beginPath();
    pen.arc(SIDE / 2, SIDE / 2, 1.6, 0, 2 * Math.PI);
    pen.fill();
  }
  return context.createPattern(tile, "repeat");
}

function line(series, place, ink) {
  return {
    label: series.label,
    data: series.values,
    borderColor: ink,
    backgroundColor: ink,
    borderDash: DASHES[place % DASHES.length],
    borderWidth: 2,
    pointStyle: POINTS[place % POINTS.length],
    pointRadius: series.values.length > 40 ? 1.5 : 3,
    spanGaps: true,
  };
}

function limit(series, name, ink, fill) {
  return {
    label: series.label,
    data: series[name],
    borderColor: `${ink}66`,
    borderWidth: 1,
    backgroundColor: `${ink}26`,
    pointRadius: 0,
    fill,
    spanGaps: true,
    isLimit: true,
  };
}

function bar(context, series, place, ink) {
  return {
    label: series.label,
    data: series.values,
    backgroundColor: patterned(context, PATTERNS[place % PATTERNS.length], ink),
    borderColor: ink,
    borderWidth: 1,
    low: series.low,
    high: series.high,
  };
}

function datasets(context, chart) {
  return chart.series.flatMap((series, place) => {
    const ink = colour(`--chart-${(place % COLOURS) + 1}`);
    if (chart.kind === "bar") return [bar(context, series, place, ink)];
    const one = line(series, place, ink);
    return series.low ? [one, limit(series, "low", ink, false), limit(series, "high", ink, "-1")] : [one];
  });
}

// The interval of each bar that has one.
const whiskers = {
  id: "whiskers",
  afterDatasetsDraw(chart) {
    const pen = chart.ctx;
    pen.save();
    pen.strokeStyle = colour("--chart-text");
    pen.lineWidth = 1.5;
    chart.data.datasets.forEach((set, place) => {
      if (!set.low || !chart.isDatasetVisible(place)) return;
      chart.getDatasetMeta(place).data.forEach(({ x }, at) => {
        if (set.low[at] === null) return;
        const [low, high] = [set.low[at], set.high[at]].map((value) => chart.scales.y.getPixelForValue(value));
        pen.beginPath();
        for (const [x1, y1, x2, y2] of [[x, low, x, high], [x - 4, low, x + 4, low], [x - 4, high, x + 4, high]]) {
          pen.moveTo(x1, y1);
          pen.lineTo(x2, y2);
        }
        pen.stroke();
      });
    });
    pen.restore();
  },
};

function options(chart) {
  const text = colour("--chart-text");
  const grid = { color: colour("--chart-grid") };
  const plain = (item) => !item.dataset?.isLimit;
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    scales: {
      x: { stacked: chart.stacked, ticks: { color: text, maxRotation: 0, autoSkipPadding: 16 }, grid: { display: false } },
      y: {
        stacked: chart.stacked,
        beginAtZero: true,
        max: chart.max ?? undefined,
        ticks: { color: text, maxTicksLimit: 6, precision: chart.unit ? undefined : 0, callback: (value) => inWords(value, chart.unit) },
        grid,
      },
    },
    plugins: {
      legend: {
        display: chart.series.length > 1,
        position: "bottom",
        labels: {
          color: text,
          boxWidth: 18,
          usePointStyle: chart.kind === "line",
          filter: (item, data) => !data.datasets[item.datasetIndex].isLimit,
        },
      },
      tooltip: {
        filter: plain,
        callbacks: { label: (item) => `${item.dataset.label}: ${inWords(item.parsed.y, chart.unit)}` },
      },
    },
  };
}

function draw(canvas) {
  drawn.get(canvas)?.destroy();
  const chart = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
  const data = { labels: chart.labels, datasets: datasets(canvas.getContext("2d"), chart) };
  window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  drawn.set(canvas, new window.Chart(canvas, { type: chart.kind, data, options: options(chart), plugins: [whiskers] }));
  canvas.dataset.drawn = "";
}

function drawAll() {
  for (const canvas of drawn.keys()) {
    if (canvas.isConnected) continue;
    drawn.get(canvas).destroy();
    drawn.delete(canvas);
  }
  document.querySelectorAll("canvas[data-chart]:not([data-drawn])").forEach(draw);
}

drawAll();
document.addEventListener("htmx:afterSettle", drawAll);
new MutationObserver(() => [...drawn.keys()].forEach(draw)).observe(document.documentElement, {
  attributeFilter: ["data-bs-theme"],
});
