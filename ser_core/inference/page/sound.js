// Recordings as mono samples at the network's rate, checked as `ser predict` checks them.
// A WAV file is read here, sample by sample. Other formats are decoded by the browser, at the rate that the file names,
// so that its own resampling is not between.

function textAt(view, at) {
  return String.fromCharCode(...[0, 1, 2, 3].map((k) => (at + k < view.byteLength ? view.getUint8(at + k) : 0)));
}

const READERS = {
  "1/8": (view, at) => (view.getUint8(at) - 128) / 128,
  "1/16": (view, at) => view.getInt16(at, true) / 32768,
  "1/24": (view, at) => ((view.getUint8(at) | (view.getUint8(at + 1) << 8) | (view.getInt8(at + 2) << 16)) / 8388608),
  "1/32": (view, at) => view.getInt32(at, true) / 2147483648,
  "3/32": (view, at) => view.getFloat32(at, true),
  "3/64": (view, at) => view.getFloat64(at, true),
}; // by kind (1 integers, 3 floats) and bits

function readWav(buffer) {
  // Returns { rate, channels: [Float32Array] }, or null for other files.
  const view = new DataView(buffer);
  if (buffer.byteLength < 12 || textAt(view, 0) !== "RIFF" || textAt(view, 8) !== "WAVE") return null;
  let format = null;
  for (let at = 12; at + 8 <= buffer.byteLength; ) {
    const kind = textAt(view, at), start = at + 8;
    const size = view.getUint32(at + 4, true);
    if (kind === "fmt " && start + 16 <= buffer.byteLength) {
      const tag = view.getUint16(start, true);
      const extended = tag === 0xfffe && start + 26 <= buffer.byteLength;
      format = {
        kind: extended ? view.getUint16(start + 24, true) : tag,
        channels: view.getUint16(start + 2, true),
        rate: view.getUint32(start + 4, true),
        width: view.getUint16(start + 12, true),
        bits: view.getUint16(start + 14, true),
      };
    }
    if (kind === "data") return format && wavSamples(view, start, size, format);
    at = start + size + (size % 2);
  }
  return null;
}

function wavSamples(view, start, size, format) {
  const read = READERS[`${format.kind}/${format.bits}`];
  const step = format.bits / 8, width = step * format.channels;
  if (!read || !format.channels || format.width !== width) return null;
  const present = view.byteLength - start;
  const length = Math.floor((size === 0 || size > present ? present : size) / width); // a pipe names no length
  const channels = Array.from({ length: format.channels }, () => new Float32Array(length));
  for (let i = 0, at = start; i < length; i++)
    for (const channel of channels) {
      channel[i] = read(view, at);
      at += step;
    }
  return { rate: format.rate, channels };
}

function namedRate(buffer) {
  // The sampling rate that a FLAC, Ogg or MP3 file names; 48 kHz for others, which loses nothing.
  const view = new DataView(buffer), start = textAt(view, 0);
  const inside = (text) => {
    for (let at = 0; at < Math.min(200, buffer.byteLength - 16); at++)
      if (textAt(view, at) === text.slice(0, 4) && textAt(view, at + 3) === text.slice(3, 7)) return at;
    return -1;
  };
  if (start === "fLaC" && buffer.byteLength > 21) return view.getUint32(18) >>> 12;
  if (start === "OggS" && inside("\x01vorbis") >= 0) return view.getUint32(inside("\x01vorbis") + 12, true);
  let at = 0;
  if (start.startsWith("ID3") && buffer.byteLength > 10)
    at = 10 + [6, 7, 8, 9].reduce((sum, k) => sum * 128 + (view.getUint8(k) & 127), 0);
  if (at + 4 <= buffer.byteLength && view.getUint8(at) === 255 && view.getUint8(at + 1) >= 224) {
    const version = (view.getUint8(at + 1) >> 3) & 3, which = (view.getUint8(at + 2) >> 2) & 3;
    if (which < 3) return [44100, 48000, 32000][which] >> [2, 0, 1, 0][version];
  }
  return 48000;
}

async function decode(buffer, name) {
  const wav = readWav(buffer);
  if (wav) return wav;
  const named = namedRate(buffer);
  const rate = named >= 8000 && named <= 96000 ? named : 48000; // what every browser takes
  try {
    const audio = await new OfflineAudioContext(1, 1, rate).decodeAudioData(buffer.slice(0));
    return { rate, channels: Array.from({ length: audio.numberOfChannels }, (_, k) => audio.getChannelData(k)) };
  } catch (error) {
    throw new Error(`${name}: no recording that this browser can decode; try wav, flac, ogg or mp3`);
  }
}

function toMono(channels) {
  if (channels.length === 1) return channels[0];
  const mono = new Float32Array(channels[0].length);
  for (const channel of channels) for (let i = 0; i < mono.length; i++) mono[i] += channel[i];
  for (let i = 0; i < mono.length; i++) mono[i] /= channels.length;
  return mono;
}

function extremes(samples) {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < samples.length; i++) {
    const x = samples[i];
    if (!(x >= low)) low = x; // what is not a number stays so
    if (!(x <= high)) high = x;
    if (!Number.isFinite(x)) return [NaN, NaN];
  }
  return [low, high];
}

function checkSound({ rate, channels }, name, facts) {
  const seconds = channels[0].length / rate, limits = channels.map(extremes);
  if (!(rate >= 1000 && rate <= 768000)) throw new Error(`${name}: sampling rate of ${rate} Hz; 1000 to 768000 Hz can be used`);
  if (seconds > facts.longest) throw new Error(`${name}: ${seconds.toFixed(0)} s long; at most ${facts.longest} s can be used, cut it`);
  if (!(seconds >= facts.shortest)) throw new Error(`${name}: ${seconds.toFixed(3)} s long; at least ${facts.shortest} s is needed`);
  if (limits.some(([low]) => Number.isNaN(low))) throw new Error(`${name}: holds samples that are not numbers (NaN or infinite); export it again`);
  if (limits.every(([low, high]) => high - low < 2 * facts.silence)) throw new Error(`${name}: silent (nothing above -80 dBFS); check the recording`);
}

// Resampling by a windowed sinc. Its band ends where that of soxr HQ does, which `ser predict` uses: flat up to 0.913
// of the lower Nyquist frequency, nothing above it.

const FLAT = 0.913, ATTENUATION = 125, SHAPE = 0.1102 * (ATTENUATION - 8.7);

function bessel(x) {
  let sum = 1, term = 1;
  for (let k = 1; term > 1e-12 * sum; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

function filterFor(from, to) {
  const lower = Math.min(from, to) / 2, cut = ((1 + FLAT) / 2) * (lower / from); // cycles per sample of the source
  const half = Math.ceil((ATTENUATION - 7.95) / (2.285 * 2 * Math.PI * (1 - FLAT) * (lower / from)) / 2);
  const top = bessel(SHAPE);
  return (phase) => {
    const taps = new Float64Array(2 * half);
    for (let k = 0; k < taps.length; k++) {
      const t = k - half + 1 - phase, place = t / half;
      const sinc = t === 0 ? 2 * cut : Math.sin(2 * Math.PI * cut * t) / (Math.PI * t);
      taps[k] = Math.abs(place) >= 1 ? 0 : (sinc * bessel(SHAPE * Math.sqrt(1 - place * place))) / top;
    }
    return taps;
  };
}

function divisor(a, b) {
  return b ? divisor(b, a % b) : a;
}

async function resample(samples, from, to) {
  if (from === to) return samples;
  const common = divisor(from, to), up = to / common, down = from / common;
  const make = filterFor(from, to), kept = new Array(up);
  const half = make(0).length / 2;
  const result = new Float32Array(Math.round((samples.length * to) / from));
  for (let i = 0; i < result.length; i++) {
    const whole = Math.floor((i * down) / up), part = (i * down) % up;
    const taps = (kept[part] ??= make(part / up));
    const first = whole - half + 1, begin = Math.max(0, -first), end = Math.min(taps.length, samples.length - first);
    let sum = 0;
    for (let k = begin; k < end; k++) sum += taps[k] * samples[first + k];
    result[i] = sum;
    if (i % 200000 === 199999) await pause();
  }
  return result;
}

const pause = () => new Promise((go) => setTimeout(go));

function scaleToPeak(samples) {
  const [low, high] = extremes(samples), peak = Math.max(high, -low, 0);
  return peak > 0 ? samples.map((x) => x / peak) : samples;
}

async function prepare(buffer, name, facts) {
  // Returns { samples, seconds } for the bytes of a recording.
  const sound = await decode(buffer, name);
  checkSound(sound, name, facts);
  const seconds = sound.channels[0].length / sound.rate;
  const mono = toMono(sound.channels), [low, high] = extremes(mono);
  if (high - low < 2 * facts.silence) throw new Error(`${name}: silent as mono, its channels cancel each other; export one of them`);
  return { samples: scaleToPeak(await resample(mono, sound.rate, facts.rate)), seconds };
}
