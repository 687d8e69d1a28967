"use strict";
// Inflates Plotly and the figures, and draws them in the colours of the style sheet.
async function inflate(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

// Colours in the figures are names of the style sheet's, so that they follow light and dark.
const names = new Set();
function painted(value, style) {
  return replaced(value, (text) => {
    if (!text.startsWith("--")) return text;
    names.add(text);
    return style.getPropertyValue(text).trim();
  });
}

function replaced(value, change) {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((v) => replaced(v, change));
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, replaced(v, change)]));
}

// What is shown, zoomed and turned as it is, as a file for a paper: in light colours, whatever the screen has.
function save(figure) {
  const root = document.documentElement, style = getComputedStyle(root);
  const colours = () => Array.from(names, (name) => style.getPropertyValue(name).trim());
  const shown = colours();
  root.classList.add("light");
  const light = new Map(colours().map((colour, i) => [shown[i], colour]));
  root.classList.remove("light");
  const [data, layout] = replaced([figure.data, figure.layout], (text) => light.get(text) ?? text);
  layout.updatemenus = []; // nobody can press a button on paper
  const { id, clientWidth: width, clientHeight: height } = figure;
  return Plotly.downloadImage({ data, layout }, { format: "svg", filename: id, width, height });
}

const options = { responsive: true, displaylogo: false };

// A scene is as high as its figure, whatever the width: where that is narrow, the camera stands farther away.
function stepBack(eye, figure) {
  const far = Math.min(1.8, Math.max(1, (1.25 * figure.clientHeight) / figure.clientWidth));
  for (const axis of ["x", "y", "z"]) eye[axis] *= far;
}

function draw(figures) {
  const style = getComputedStyle(document.documentElement);
  const camera = { name: "save", title: "Save as SVG, in light colours", icon: Plotly.Icons.camera, click: save };
  const modeBarButtons = [[camera]]; // zoom by dragging, back by a double click
  const narrow = window.matchMedia("(max-width: 40rem)").matches;
  return Promise.all(Object.entries(figures).map(([name, figure]) => {
    const { data, layout } = painted(figure, style);
    if (narrow) layout.font.size = 11;
    if (layout.scene) stepBack(layout.scene.camera.eye, document.getElementById(name));
    return Plotly.react(name, data, layout, { ...options, modeBarButtons, displayModeBar: !narrow });
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
