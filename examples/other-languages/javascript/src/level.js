// Smooths the level of a tank, tells how fast it moves, and calls when it stands above a limit. What each function is for
// stands in wit/next/behavior.wit.

const SCHEMA = 1;
const OUTPUTS = 2;
const STATE_BYTES = 16;
// Of the contract's qualities.
const [GOOD, UNCERTAIN, MISSING] = [0, 1, 4];

/** By slot. */
const twins = new Map();

class Twin {
  constructor({ time_constant, limit }) {
    this.timeConstant = time_constant;
    this.limit = limit;
    this.smooth = NaN; // before the first measurement
    this.measuredAt = 0;
  }

  /** One row: a measurement that may be none. Gives the rate, NaN where there is none. */
  advance(time, level, quality) {
    if (quality > UNCERTAIN) return NaN;
    const elapsed = (time - this.measuredAt) * 1e-9;
    const moved = (elapsed / (this.timeConstant + elapsed)) * (level - this.smooth);
    this.measuredAt = time;
    if (!Number.isFinite(moved)) {
      // the first one, or too far for a number
      this.smooth = level;
      return NaN;
    }
    this.smooth += moved;
    return moved / elapsed;
  }
}

function twinIn(slot) {
  const twin = twins.get(slot);
  if (twin === undefined) throw { tag: "other", val: `slot ${slot} is not open` };
  return twin;
}

/** QuickJS brings no TextDecoder; parameters are JSON in UTF-8. */
function textOf(bytes) {
  const escaped = Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`);
  return decodeURIComponent(escaped.join(""));
}

function open(openings) {
  const made = openings.map(({ slot, parameters }) => [slot, new Twin(JSON.parse(textOf(parameters)))]);
  for (const [slot, twin] of made) twins.set(slot, twin);
}

function step({ slots, times, values, quality }) {
  const named = slots.map(twinIn);
  const given = new Array(slots.length * OUTPUTS);
  const alerts = [];
  named.forEach((twin, row) => {
    const rate = twin.advance(times[row], values[row], quality[row]);
    given[row * OUTPUTS] = twin.smooth;
    given[row * OUTPUTS + 1] = rate;
    if (twin.smooth > twin.limit) {
      alerts.push({ row, alert: 0, value: twin.smooth, detail: "the level stands above its limit" });
    }
  });
  const qualities = given.map((value) => (Number.isNaN(value) ? MISSING : GOOD));
  return { values: given, quality: qualities, alerts, proposals: [] };
}

function forecast() {
  throw { tag: "not-declared", val: "it looks at the past only" };
}

/** State: the smoothed level and the time of its measurement, little-endian. */
function snapshot(slots, schema) {
  if (schema !== undefined && schema !== null && schema !== SCHEMA) {
    throw { tag: "state", val: "only schema 1 is known" };
  }
  const bytes = new Uint8Array(slots.length * STATE_BYTES);
  const view = new DataView(bytes.buffer);
  slots.map(twinIn).forEach(({ smooth, measuredAt }, index) => {
    view.setFloat64(index * STATE_BYTES, smooth, true);
    view.setFloat64(index * STATE_BYTES + 8, measuredAt, true);
  });
  const ends = slots.map((_, index) => (index + 1) * STATE_BYTES);
  return { schema: SCHEMA, slots, bytes, ends };
}

function restore({ schema, slots, bytes }) {
  if (schema !== SCHEMA) throw { tag: "state", val: "only schema 1 is known" };
  if (bytes.length !== slots.length * STATE_BYTES) throw { tag: "state", val: "it has another length" };
  const view = new DataView(Uint8Array.from(bytes).buffer);
  slots.map(twinIn).forEach((twin, index) => {
    twin.smooth = view.getFloat64(index * STATE_BYTES, true);
    twin.measuredAt = view.getFloat64(index * STATE_BYTES + 8, true);
  });
}

function close(slots) {
  for (const slot of slots) twins.delete(slot);
}

export const behavior = { open, step, forecast, snapshot, restore, close };
