// How far a window is from the training recordings, as ser_core/inference/domain.py computes it; 1 is the limit.

function transform(real, imaginary) {
  // Fourier transform in place, of a length that is a power of 2.
  const n = real.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let size = 2; size <= n; size *= 2)
    for (let k = 0; k < size / 2; k++) {
      const angle = (-2 * Math.PI * k) / size, c = Math.cos(angle), s = Math.sin(angle);
      for (let at = k; at < n; at += size) {
        const far = at + size / 2;
        const re = c * real[far] - s * imaginary[far], im = c * imaginary[far] + s * real[far];
        real[far] = real[at] - re;
        imaginary[far] = imaginary[at] - im;
        real[at] += re;
        imaginary[at] += im;
      }
    }
}

const meanOf = (values) => values.reduce((a, b) => a + b, 0) / values.length;

function deviationOf(values) {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
}

function percentileOf(values, share) {
  const sorted = [...values].sort((a, b) => a - b), place = share * (sorted.length - 1), low = Math.floor(place);
  return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

function framesOf(samples, { frame, filters, floor }) {
  // Returns [level, bands] of each frame, in dB.
  const peak = samples.reduce((top, x) => Math.max(top, Math.abs(x)), 0) || 1, frames = [];
  for (let start = 0; start + frame <= samples.length; start += frame) {
    const real = new Float64Array(frame), imaginary = new Float64Array(frame);
    for (let i = 0; i < frame; i++) real[i] = (samples[start + i] / peak) * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / frame));
    transform(real, imaginary);
    const power = Array.from({ length: frame / 2 + 1 }, (_, k) => real[k] ** 2 + imaginary[k] ** 2);
    const decibel = (value) => 10 * Math.log10(value + floor);
    const bands = filters.map(([first, weights]) => decibel(weights.reduce((sum, w, k) => sum + w * power[first + k], 0)));
    frames.push([decibel(power.reduce((a, b) => a + b, 0) / frame ** 2), bands]);
  }
  return frames;
}

function describe(samples, rate, domain) {
  if (samples.length < domain.frame) {
    const padded = new Float32Array(domain.frame);
    padded.set(samples);
    samples = padded;
  }
  const frames = framesOf(samples, domain), levels = frames.map(([level]) => level), top = Math.max(...levels);
  const heard = frames.filter(([level]) => level > top - domain.pause), bands = heard.map(([, values]) => values);
  const columns = domain.filters.map((_, k) => bands.map((values) => values[k])), means = columns.map(meanOf);
  const steps = columns.flatMap((column) => column.slice(1).map((value, k) => Math.abs(value - column[k])));
  return [
    ...means.map((mean) => mean - meanOf(means)),
    ...columns.map(deviationOf),
    deviationOf(heard.map(([level]) => level)),
    steps.length ? meanOf(steps) : 0,
    meanOf(means),
    top - percentileOf(levels, 0.1),
    heard.length / frames.length,
    Math.log(samples.length / rate),
  ];
}

function distanceOf(samples, rate, domain) {
  const values = describe(samples, rate, domain), n = domain.mean.length;
  const z = domain.mean.map((mean, k) => (values[k] - mean) / domain.scale[k]);
  let sum = 0;
  for (let i = 0, at = 0; i < n; i++) for (let j = 0; j <= i; j++, at++) sum += (i === j ? 1 : 2) * domain.precision[at] * z[i] * z[j];
  return Math.sqrt(Math.max(0, sum) / n) / domain.limit;
}
