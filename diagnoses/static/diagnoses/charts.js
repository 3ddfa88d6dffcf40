// Draws each <canvas data-chart="id"> from the JSON in the script element of that id, in the page's own colours:
// {"kind": "line" | "bar", "labels": [...], "series": [{"label", "values"}], "unit": "" | "%", "max": null | number}
/* global Chart */
const COLOURS = ["--tblr-primary", "--tblr-orange", "--tblr-green", "--tblr-purple"];
const DASHES = [[], [6, 4], [2, 3], [8, 3, 2, 3]];
const MARKS = ["circle", "rect", "triangle", "rectRot"];
const still = window.matchMedia("(prefers-reduced-motion: reduce)");

// What a variable means in the page's brightness: its own value is a formula that a canvas does not know.
function colour(name) {
  const probe = document.body.appendChild(document.createElement("span"));
  probe.style.color = `var(${name})`;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function dataset({ label, values }, index) {
  const own = colour(COLOURS[index % COLOURS.length]);
  const look = { borderColor: own, backgroundColor: own, borderDash: DASHES[index % DASHES.length] };
  return { label, data: values, ...look, pointStyle: MARKS[index % MARKS.length], pointRadius: 4, spanGaps: true };
}

function draw(canvas) {
  const said = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
  const [words, lines] = [colour("--tblr-body-color"), colour("--tblr-border-color")];
  const ticks = { color: words };
  Chart.getChart(canvas)?.destroy();
  return new Chart(canvas, {
    type: said.kind,
    data: { labels: said.labels, datasets: said.series.map(dataset) },
    options: {
      animation: still.matches ? false : { duration: 300 },
      maintainAspectRatio: false,
      scales: {
        x: { ticks, grid: { color: lines } },
        y: {
          min: 0,
          max: said.max ?? undefined,
          ticks: { ...ticks, callback: (value) => `${value.toLocaleString(document.documentElement.lang)} ${said.unit}` },
          grid: { color: lines },
        },
      },
      plugins: { legend: { labels: { color: words, usePointStyle: true } } },
    },
  });
}

function drawAll() {
  document.querySelectorAll("canvas[data-chart]").forEach(draw);
}

drawAll();
new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
