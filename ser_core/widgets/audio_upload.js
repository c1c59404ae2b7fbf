// Audio from the browser: files, dropped or chosen, and the microphone. Everything stays between this page and its own
// kernel. Files go to Python in pieces below the smallest limit of a Jupyter server. Each file is kept here until Python
// releases it: formats that libsndfile cannot read (m4a, webm) are decoded here instead, at 16 kHz.
const RATE = 16000;
const PIECE = 4 << 20; // bytes
const kept = new Map(); // key -> File

const wait = () => new Promise((go) => setTimeout(go));
const fresh = () => `${Date.now()}-${Math.random()}`;

async function send(model, what, key, name, buffer) {
  let at = 0;
  do {
    const piece = buffer.slice(at, at + PIECE);
    model.send({ kind: "piece", what, key, name, at, size: buffer.byteLength }, undefined, [piece]);
    at += PIECE;
    await wait();
  } while (at < buffer.byteLength);
}

async function give(model, files) {
  const largest = model.get("largest");
  model.send({ kind: "batch", names: files.map((file) => file.name) });
  for (const file of files) {
    const key = fresh();
    if (file.size > largest) {
      const [size, most] = [file.size, largest].map((bytes) => (bytes / 1e6).toFixed(0));
      model.send({ kind: "failed", key, name: file.name, text: `${size} MB; at most ${most} MB can be used, shorten it` });
      continue;
    }
    try {
      kept.set(key, file);
      await send(model, "file", key, file.name, await file.arrayBuffer());
    } catch (error) {
      model.send({ kind: "failed", key, name: file.name, text: "cannot be opened by the browser (a folder?)" });
    }
  }
}

async function decoded(buffer) {
  const audio = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(buffer); // also resamples
  const mono = new Float32Array(audio.length);
  for (let channel = 0; channel < audio.numberOfChannels; channel++) {
    const samples = audio.getChannelData(channel);
    for (let i = 0; i < mono.length; i++) mono[i] += samples[i] / audio.numberOfChannels;
  }
  return mono.buffer;
}

async function decode(model, { key, name, text }) {
  try {
    await send(model, "samples", key, name, await decoded(await kept.get(key).arrayBuffer()));
  } catch (error) {
    model.send({ kind: "failed", key, name, text });
  }
  kept.delete(key);
}

async function microphone(model, say) {
  if (!navigator.mediaDevices) throw new Error("browsers give the microphone to localhost and https only");
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream);
  const parts = [];
  const start = Date.now();
  const clock = setInterval(() => {
    const seconds = (Date.now() - start) / 1000;
    say(`Recording, ${seconds.toFixed(0)} s. Press the button again to stop.`);
    if (seconds >= model.get("longest")) recorder.stop();
  }, 250);
  recorder.ondataavailable = (event) => parts.push(event.data);
  const over = new Promise((go) => (recorder.onstop = go));
  recorder.start();
  const finish = async () => {
    await over;
    clearInterval(clock);
    stream.getTracks().forEach((track) => track.stop());
    say("");
    const name = `recording ${new Date(start).toTimeString().slice(0, 8)}`;
    model.send({ kind: "batch", names: [name] });
    await send(model, "samples", fresh(), name, await decoded(await new Blob(parts).arrayBuffer()));
  };
  return { recorder, finished: finish() };
}

function initialize({ model }) {
  model.on("msg:custom", (message) => {
    if (message.kind === "decode") decode(model, message);
    if (message.kind === "done") kept.delete(message.key);
  });
  model.send({ kind: "ready" });
}

function make(tag, parent, properties) {
  return parent.appendChild(Object.assign(document.createElement(tag), properties));
}

function render({ model, el }) {
  const box = make("div", el, { className: "ser-intake" });
  const choose = make("button", box, { type: "button", className: "ser-button", textContent: "Upload audio" });
  const input = make("input", box, { type: "file", multiple: true, hidden: true, accept: model.get("accept") });
  const record = make("button", box, { type: "button", className: "ser-button", textContent: "Record" });
  const hint = "or drop files here";
  const status = make("span", box, { className: "ser-hint", textContent: hint });
  status.setAttribute("role", "status");
  const say = (text) => (status.textContent = text || hint);
  choose.onclick = () => input.click();
  input.onchange = () => {
    give(model, [...input.files]);
    input.value = ""; // so that the same file can be chosen again
  };
  box.ondragover = (event) => {
    event.preventDefault();
    box.classList.add("ser-over");
  };
  box.ondragleave = () => box.classList.remove("ser-over");
  box.ondrop = (event) => {
    event.preventDefault();
    box.classList.remove("ser-over");
    give(model, [...event.dataTransfer.files]);
  };
  let taking = null;
  record.onclick = async () => {
    if (taking) return taking.recorder.state === "recording" && taking.recorder.stop();
    try {
      record.disabled = true;
      taking = await microphone(model, say);
      record.disabled = false;
      record.textContent = "Stop";
      await taking.finished;
    } catch (error) {
      say(`No recording: ${error.message || error.name}`);
    }
    taking = null;
    record.disabled = false;
    record.textContent = "Record";
  };
  return () => taking && taking.recorder.state === "recording" && taking.recorder.stop();
}

export default { initialize, render };
