// A made-up plant for the mock host: a motor that is heated by its load and watched by an estimator, a pump with
// a health rule, and a fleet around them. It is deterministic from its seed and is stepped by the caller, who
// owns the time. Nothing here is used by the product; it exists so that the page can be built and looked at.

export const QUALITY = { good: 0, uncertain: 1, bad: 2, stale: 3, missing: 4 };
export const QUALITY_NAMES = ['good', 'uncertain', 'bad', 'stale', 'missing'];

/** mulberry32: a small generator, so that two runs show the same plant. */
export function dice(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const noise = (roll) => (roll() + roll() + roll() + roll() - 2) * 1.2;
const measured = (name, unit, description) => ({ name, unit, interval_ms: 500, description, role: null, of: null, behavior: null });
const output = (behavior) => (name, unit, role, of, description) => ({
  name: `${behavior}.${name}`, unit, interval_ms: 500, description, role, of, behavior,
});
const thermal = output('thermal');
const health = output('health');

export const MOTOR_POINTS = [
  measured('temperature', 'Cel', 'Housing surface'),
  measured('ambient', 'Cel', 'Air at the fan inlet'),
  measured('current', 'A', 'Stator current, RMS'),
  measured('voltage', 'V', 'Line to line'),
  measured('pressure', 'bar', 'Discharge'),
  measured('flow', 'L/min', 'Discharge'),
  measured('vibration_1', '[g]', 'Drive end, RMS'),
  measured('vibration_2', '[g]', 'Other end, RMS'),
];
export const MOTOR_ESTIMATES = [
  thermal('winding_temperature', 'Cel', 'estimate', null, 'Hottest winding'),
  thermal('winding_deviation', 'Cel', 'deviation', 'thermal.winding_temperature', 'Standard deviation'),
  thermal('bearing_temperature', 'Cel', 'estimate', null, 'Drive-end bearing'),
  thermal('bearing_deviation', 'Cel', 'deviation', 'thermal.bearing_temperature', 'Standard deviation'),
  thermal('surface_temperature', 'Cel', 'estimate', 'temperature', 'Filtered surface'),
  thermal('surface_deviation', 'Cel', 'deviation', 'thermal.surface_temperature', 'Standard deviation'),
  thermal('innovation', 'Cel', 'innovation', 'temperature', 'Measured minus predicted'),
  thermal('nis', '1', 'nis', 'temperature', 'Normalised innovation squared'),
  health('index', '1', 'health-index', null, '1 is healthy, 0 has failed'),
  health('anomaly', '1', 'diagnostic', null, 'Anomaly score'),
];

/** The motor: `row(t)` gives the value of each point at a time in seconds; times must increase. */
export class Motor {
  constructor(seed) {
    this.roll = dice(seed);
    [this.winding, this.bearing, this.surface] = [60, 45, 41];
    this.estimate = { winding: 52, bearing: 42, surface: 41 };
    this.sigma = { winding: 6, bearing: 4, surface: 1 };
    this.last = null;
  }

  row(t) {
    const dt = this.last === null ? 0.5 : Math.min(5, t - this.last);
    this.last = t;
    const load = 0.72 + 0.2 * Math.sin(t / 97) + (Math.sin(t / 31) > 0.6 ? 0.12 : 0);
    const ambient = 22 + 1.5 * Math.sin(t / 700);
    this.winding += dt * ((load * load * 62 + this.surface - this.winding) / 60);
    this.bearing += dt * ((load * 18 + this.surface - this.bearing) / 180);
    this.surface += dt * ((0.55 * this.winding + 0.15 * this.bearing + 0.3 * ambient - this.surface) / 120);
    const sensed = this.surface + 0.35 * noise(this.roll);
    const innovation = sensed - this.estimate.surface;
    for (const part of ['winding', 'bearing', 'surface']) {
      this.estimate[part] += 0.06 * (this[part] - this.estimate[part]) + 0.03 * innovation;
      const floor = { winding: 0.9, bearing: 0.6, surface: 0.15 }[part];
      this.sigma[part] += 0.02 * (floor - this.sigma[part]);
    }
    const anomaly = 0.55 + 0.5 * Math.sin(t / 60) + Math.max(0, 2.2 * Math.sin(t / 233 + 1) - 1);
    return {
      temperature: sensed, ambient: ambient + 0.1 * noise(this.roll), current: 2.1 * load + 0.02 * noise(this.roll),
      voltage: 231 + 1.5 * noise(this.roll), pressure: 2.4 * load + 0.05 * noise(this.roll),
      flow: 125 * load + 0.8 * noise(this.roll), vibration_1: 0.027 + 0.002 * noise(this.roll), vibration_2: 0.041 + 0.003 * noise(this.roll),
      'thermal.winding_temperature': this.estimate.winding, 'thermal.winding_deviation': this.sigma.winding,
      'thermal.bearing_temperature': this.estimate.bearing, 'thermal.bearing_deviation': this.sigma.bearing,
      'thermal.surface_temperature': this.estimate.surface, 'thermal.surface_deviation': this.sigma.surface,
      'thermal.innovation': innovation, 'thermal.nis': (innovation / 0.4) ** 2,
      'health.index': 1 / (1 + Math.exp(2 * anomaly - 3)), 'health.anomaly': anomaly,
    };
  }
}

export function verdict(index) {
  if (index === null) return 'unknown';
  return index < 0.2 ? 'critical' : index < 0.5 ? 'warning' : 'ok';
}

export function declaration(name, version, kind, points) {
  return {
    declaration: 1, name, version, kind, description: 'Made up for the mock host',
    inputs: MOTOR_POINTS.slice(0, 3).map((p) => ({ name: p.name, unit: p.unit, arrival: p.name === 'temperature' ? 'event' : 'hold', required: true, description: p.description })),
    outputs: points.map((p) => ({ name: p.name.split('.')[1], unit: p.unit, role: p.role, of: p.of?.split('.').pop() ?? undefined, description: p.description })),
    parameters: { type: 'object', properties: {
      surface_time_constant_s: { type: 'number', default: 120, minimum: 1, maximum: 3600, description: 'Time constant of the housing' },
      measurement_noise_k: { type: 'number', default: 0.5, minimum: 0, description: 'Standard deviation of the sensor' },
    } },
    alerts: [
      { code: 'winding-hot', priority: 'high', text: 'Winding hotter than its class allows', unit: 'Cel' },
      { code: 'health-warning', priority: 'medium', text: 'Health below 0.5', unit: '1' },
      { code: 'health-critical', priority: 'critical', text: 'Health below 0.2', unit: '1' },
    ],
    state: { schema: 2, reads: [1, 2], writes: [1, 2] }, warm_up_rows: 40, forecast: false,
    budget: { fuel_per_row: 1000000, memory_bytes: 67108864 },
  };
}
