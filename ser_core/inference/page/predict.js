// The network: windows of a recording, their probabilities, and their average, as `ser predict` computes them.

const $ = (name) => document.getElementById(name);

function bytesOf(name) {
  const text = atob($(name).textContent), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  $(name).remove();
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function loadNetwork() {
  ort.env.wasm.wasmBinary = await bytesOf("binary");
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  return ort.InferenceSession.create(await bytesOf("network"), { executionProviders: ["wasm"] });
}

async function probabilitiesOf(session, piece) {
  const [input] = session.inputNames, [output] = session.outputNames;
  const outputs = await session.run({ [input]: new ort.Tensor("float32", piece, [1, piece.length]) }, [output]);
  const values = Array.from(outputs[output].data), sum = values.reduce((a, b) => a + b, 0);
  if (!(sum > 0) || values.some((value) => !(value >= 0))) throw new Error("the network gives no probabilities for it");
  return values.map((value) => value / sum);
}

function startsOf(count, size, facts) {
  // The first samples of the windows; the last one ends with the recording, on the grid of the steps.
  const hop = Math.round(facts.hop * facts.rate), step = Math.round(facts.step * facts.rate);
  const last = Math.ceil(Math.max(0, count - size) / step) * step, starts = [];
  for (let start = 0; start < last; start += hop) starts.push(start);
  return [...starts, last];
}

const labelled = (labels, values) => Object.fromEntries(labels.map((label, k) => [label, values[k]]));

async function predict(session, { samples, seconds }, name, facts, progress) {
  // Returns what `ser predict --json` prints.
  const size = Math.round(facts.window_seconds * facts.rate), starts = startsOf(samples.length, size, facts);
  const windows = [];
  for (const start of starts) {
    const piece = samples.slice(start, start + size), [low, high] = extremes(piece);
    const probabilities = await probabilitiesOf(session, piece);
    const silent = high - low < 2 * facts.silence;
    windows.push({ start: start / facts.rate, end: (start + piece.length) / facts.rate, probabilities, silent, piece });
    if (windows.length % 20 === 0) {
      progress(windows.length / starts.length);
      await pause();
    }
  }
  const heard = windows.filter((window) => !window.silent), counted = heard.length ? heard : windows;
  const mean = facts.labels.map((_, k) => counted.reduce((sum, window) => sum + window.probabilities[k], 0));
  const total = mean.reduce((a, b) => a + b, 0), average = mean.map((value) => value / total);
  const best = average.indexOf(Math.max(...average));
  const distance = facts.domain && heard.length ? meanOf(heard.map(({ piece }) => distanceOf(piece, facts.rate, facts.domain))) : null;
  const unlike = distance === null ? null : distance > 1;
  const record = {
    file: name, emotion: facts.labels[best], confidence: average[best], probabilities: labelled(facts.labels, average),
    seconds, sure: average[best] >= facts.confident && heard.length > 0 && !unlike, unlike_training: unlike, distance,
    notes: notesOf(samples, windows, size, unlike, facts).concat(isKnown(name, seconds, facts) ? [facts.known] : []),
  };
  if (windows.length > 1)
    record.windows = windows.map(({ start, end, probabilities }) => ({ start, end, probabilities: labelled(facts.labels, probabilities) }));
  return record;
}

function isKnown(name, seconds, facts) {
  // Whether the network was trained on this recording, by the name of its file and its duration.
  const stem = name.split(/[\\/]/).pop().replace(/\.[^.]*$/, "");
  return stem in facts.trained_on && Math.abs(facts.trained_on[stem] - seconds) <= facts.tolerance;
}

function notesOf(samples, windows, size, unlike, facts) {
  const notes = [], silent = windows.filter((window) => window.silent).length;
  if (facts.demo) notes.push("demo network, trained on synthetic speech: it says nothing about people");
  if (unlike) notes.push(facts.unlike);
  if (samples.length < size && facts.padded) notes.push(`padded to ${facts.window_seconds} s`);
  if (windows.length > 1) notes.push(`averaged over ${windows.length} windows of ${facts.window_seconds} s`);
  if (silent === windows.length) notes.push("silent");
  else if (silent) notes.push(`${silent} silent window${silent > 1 ? "s" : ""} left out`);
  return notes;
}
