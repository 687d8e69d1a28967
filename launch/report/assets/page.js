"use strict";
// Inflates Plotly and the figures, and draws them in the colours of the style sheet.
async function inflate(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

// Colours in the figures are names of the style sheet's, so that they follow light and dark.
function painted(value, style) {
  if (typeof value === "string") return value.startsWith("--") ? style.getPropertyValue(value).trim() : value;
  if (Array.isArray(value)) return value.map((v) => painted(v, style));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, painted(v, style)]));
}

const options = {
  responsive: true,
  displaylogo: false,
  modeBarButtons: [["toImage"]], // zoom by dragging, back by a double click
  toImageButtonOptions: { format: "svg" },
};

// A scene is as high as its figure, whatever the width: where that is narrow, the camera stands farther away.
function stepBack(eye, figure) {
  const far = Math.min(1.8, Math.max(1, (1.25 * figure.clientHeight) / figure.clientWidth));
  for (const axis of ["x", "y", "z"]) eye[axis] *= far;
}

function draw(figures) {
  const style = getComputedStyle(document.documentElement);
  const narrow = window.matchMedia("(max-width: 40rem)").matches;
  return Promise.all(Object.entries(figures).map(([name, figure]) => {
    const { data, layout } = painted(figure, style);
    if (narrow) layout.font.size = 11;
    if (layout.scene) stepBack(layout.scene.camera.eye, document.getElementById(name));
    return Plotly.react(name, data, layout, { ...options, displayModeBar: !narrow });
  }));
}

async function main() {
  const script = document.createElement("script");
  script.textContent = await inflate("plotly");
  document.head.append(script);
  const figures = JSON.parse(await inflate("figures"));
  await draw(figures);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(figures));
  document.documentElement.dataset.drawn = "yes";
}

main().catch((error) => {
  const trouble = document.getElementById("trouble");
  trouble.textContent = `The figures could not be drawn (${error}). They need a browser of 2023 or later.`;
  trouble.hidden = false;
  throw error;
});
