// The page: record or choose, then show the answer. Every text is set as text, never as HTML.

const facts = JSON.parse($("facts").textContent);
const LARGEST = 600e6; // bytes of a file

function make(tag, parent, properties = {}) {
  return parent.appendChild(Object.assign(document.createElement(tag), properties));
}

function say(text, error = "") {
  $("status").textContent = text;
  $("error").textContent = error;
  $("error").hidden = !error;
}

const percent = (value, digits = 0) => `${(100 * value).toFixed(digits)} %`;
const clock = (s) => (s < 60 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`);

function showBars(record) {
  const rows = Object.entries(record.probabilities).sort((a, b) => b[1] - a[1]);
  $("bars").replaceChildren();
  rows.forEach(([label, value], place) => {
    const row = make("tr", $("bars"), { className: place ? "" : "first" });
    make("th", row, { scope: "row", textContent: label });
    make("span", make("td", row), { className: "bar" }).style.width = percent(value, 1).replace(" ", "");
    make("td", row, { textContent: percent(value, 1) });
  });
}

function shape(tag, parent, attributes) {
  const made = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function showWindows(record) {
  const windows = record.windows || [], { seconds } = record;
  $("over-time").hidden = windows.length < 2;
  for (const name of ["strips", "axis", "windows"]) $(name).replaceChildren();
  if (windows.length < 2) return;
  $("windows-text").textContent = `${windows.length} windows of ${facts.window_seconds} s. The stronger the colour, the more probable.`;
  for (const label of facts.labels) {
    const strip = make("div", $("strips"), { className: "strip" });
    make("span", strip, { textContent: label });
    const about = `${label}: ${percent(record.probabilities[label])} on average`;
    const picture = shape("svg", strip, { viewBox: "0 0 1000 20", preserveAspectRatio: "none", role: "img", "aria-label": about });
    windows.forEach((window, k) => {
      const end = k + 1 < windows.length ? windows[k + 1].start : seconds, x = (1000 * window.start) / seconds;
      const width = Math.max(0, (1000 * end) / seconds - x) + 0.5;
      shape("rect", picture, { x, width, y: 0, height: 20, "fill-opacity": window.probabilities[label].toFixed(3) });
    });
  }
  for (let k = 0; k < 5; k++) make("span", $("axis"), { textContent: clock((seconds * k) / 4) });
  const head = make("tr", $("windows"));
  for (const text of ["time", "emotion", "probability"]) make("th", head, { scope: "col", textContent: text });
  for (const { start, end, probabilities } of windows) {
    const [label, value] = Object.entries(probabilities).reduce((a, b) => (b[1] > a[1] ? b : a));
    const row = make("tr", $("windows"));
    for (const text of [`${clock(start)} – ${clock(end)}`, label, percent(value)]) make("td", row, { textContent: text });
  }
}

function show(record, recording) {
  $("result").hidden = false;
  $("answer").classList.toggle("unsure", !record.sure);
  $("name").textContent = `${record.file}, ${clock(record.seconds)}`;
  $("emotion").textContent = record.sure ? record.emotion : `uncertain; most likely ${record.emotion}`;
  $("confidence").textContent = `confidence ${percent(record.confidence)}`;
  $("notes").replaceChildren();
  for (const note of record.notes) make("li", $("notes"), { textContent: note, className: note === facts.unlike ? "unlike" : "" });
  showBars(record);
  showWindows(record);
  for (const [name, key, blob] of [
    ["player", "src", recording],
    ["download", "href", new Blob([JSON.stringify(record)], { type: "application/json" })],
  ]) {
    URL.revokeObjectURL($(name)[key]);
    $(name)[key] = URL.createObjectURL(blob);
  }
}

let session = null, busy = false, taking = null;

function enable(on) {
  $("record").disabled = $("choose").disabled = !on;
}

async function answer(blob, name) {
  if (!session || busy) return;
  busy = true;
  enable(false);
  say(`Listening to ${name} …`);
  try {
    if (blob.size > LARGEST) throw new Error(`${name}: ${(blob.size / 1e6).toFixed(0)} MB; at most ${LARGEST / 1e6} MB can be used`);
    await pause();
    const sound = await prepare(await blob.arrayBuffer(), name, facts);
    show(await predict(session, sound, name, facts, (part) => say(`Listening to ${name}, ${percent(part)} …`)), blob);
    say("");
  } catch (error) {
    say("", error.message || String(error));
  }
  busy = false;
  enable(true);
}

async function startRecording() {
  if (!navigator.mediaDevices) throw new Error("this browser gives the microphone to no page from a disk; record a file elsewhere");
  const exact = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: exact });
  const recorder = new MediaRecorder(stream), parts = [], start = Date.now();
  const timer = setInterval(() => {
    const seconds = (Date.now() - start) / 1000;
    say(`Recording, ${seconds.toFixed(0)} s`);
    if (seconds >= facts.longest - 1) recorder.stop();
  }, 250);
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => {
    clearInterval(timer);
    stream.getTracks().forEach((track) => track.stop());
    taking = null;
    $("record").textContent = "Record";
    const time = new Date(start).toTimeString().slice(0, 8);
    answer(new Blob(parts, { type: recorder.mimeType }), `recording ${time}`);
  };
  recorder.start();
  return recorder;
}

$("record").onclick = async () => {
  if (taking) return taking.state === "recording" && taking.stop();
  try {
    enable(false);
    taking = await startRecording();
    $("record").textContent = "Stop";
    $("record").disabled = false;
    say("Recording, 0 s");
  } catch (error) {
    say("", `No recording: ${error.message || error.name}`);
    enable(true);
  }
};
$("choose").onclick = () => $("file").click();
$("file").onchange = () => {
  const [file] = $("file").files;
  if (file) answer(file, file.name);
  $("file").value = ""; // so that the same file can be chosen again
};
$("intake").ondragover = (event) => {
  event.preventDefault();
  $("intake").classList.add("over");
};
$("intake").ondragleave = () => $("intake").classList.remove("over");
document.ondragover = document.ondrop = (event) => event.preventDefault(); // a file beside the place opens no other page
$("intake").ondrop = (event) => {
  event.preventDefault();
  $("intake").classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file && !taking) answer(file, file.name);
};

$("about").textContent = facts.about;
for (const text of facts.limits) make("p", $("limits"), { textContent: text });
try {
  session = await loadNetwork();
  enable(true);
  say("");
} catch (error) {
  say("", `This browser cannot run the network (${error.message || error}); try a recent Chrome, Edge, Firefox or Safari.`);
}
