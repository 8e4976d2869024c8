// The mock host's answers: keeps the motor's past in memory, steps it, and speaks to the open event streams.
import { declaration, dice, Motor, MOTOR_ESTIMATES, MOTOR_POINTS, QUALITY, QUALITY_NAMES, verdict } from './plant.mjs';
import { Alarms } from './alarms.mjs';
import { Certificates } from './certificates.mjs';
import { Commands } from './commands.mjs';
import { digestOf, Rollouts } from './rollouts.mjs';
import { Targets } from './targets.mjs';
import { Threads } from './thread.mjs';

const STEP_MS = 500;
const STALE_MS = 2_500;
const RING = 2_000;
const RECORDED_START_MS = Date.UTC(2020, 2, 9, 10, 14, 33);
const iso = (ms) => new Date(ms).toISOString();

export class House {
  constructor(twins, recorded, hours) {
    this.started = Date.now();
    this.feeding = true;
    this.streams = new Set();
    this.ring = [];
    this.id = 0;
    this.seq = 0;
    this.entries = [];
    this.marks = [];
    this.version = '1.4.0';
    this.swapped = this.started;
    this.rollouts = new Rollouts(this.started, (event) => this.send('rollout', event));
    this.alarms = new Alarms(this.started, (alarm) => this.send('alarm', alarm));
    const write = (...entry) => this.write(...entry);
    this.targets = new Targets(this.started, write);
    this.commands = new Commands(this.started, this.targets, write);
    this.certificates = new Certificates(this.started, write);
    this.person = null;
    this.threads = new Threads(this);
    this.motor = new Motor(7);
    this.columns = { time: [] };
    for (const point of [...MOTOR_POINTS, ...MOTOR_ESTIMATES]) this.columns[point.name] = [];
    this.shift = recorded ? RECORDED_START_MS + hours * 3_600_000 - this.started : 0;
    this.rows = 0;
    const first = this.started - hours * 3_600_000;
    for (let t = first; t < this.started; t += STEP_MS) {
      const hole = t > this.started - 380_000 && t < this.started - 345_000;
      if (!hole) this.take(t);
    }
    this.received = this.started;
    const roll = dice(3);
    this.fleet = Array.from({ length: twins }, (_, i) => this.neighbour(i, roll));
    this.write('started', 'info', null, null, 'Host started');
    this.write('plugin-refused', 'error', null, null, 'pump-health.wasm: truncated component, 1024 of 38112 bytes; copy it again and rename it into place');
    this.write('sample-refused', 'warning', 'motor-7', null, '3 samples refused: source time more than 600 s ahead');
  }

  /** A viewer is logged in, or nobody and the site has no users. */
  users() { this.person = { name: 'vic', password: 'correct horse battery' }; }
  nobody() { this.person = null; }

  neighbour(i, roll) {
    const state = roll() < 0.03 ? 'stale' : roll() < 0.015 ? 'waiting' : 'live';
    const index = state === 'waiting' || roll() < 0.05 ? null : Math.min(1, 0.35 + 0.65 * Math.sqrt(roll()));
    const [low, highest] = [index !== null && index < 0.5, state === 'live' && roll() < 0.02 ? 'high' : null];
    return {
      id: `pump-${String(i + 1).padStart(4, '0')}`, type: i % 3 === 0 ? 'motor' : 'pump', state,
      age_ms: state === 'waiting' ? null : Math.round(state === 'stale' ? 20_000 + roll() * 4e6 : roll() * 900), health: { index, verdict: verdict(index) },
      alerts: { active: (low ? 1 : 0) + (highest ? 1 : 0), highest: highest ?? (low ? 'medium' : null) }, authority: roll() < 0.2 ? 'advise' : 'observe',
    };
  }

  take(t) {
    const row = this.motor.row(t / 1000);
    this.columns.time.push(t + this.shift);
    for (const [name, value] of Object.entries(row)) this.columns[name].push(value);
    this.rows += 1;
    return row;
  }

  step(now) {
    this.rollouts.step(now);
    this.targets.step(now);
    this.commands.step(now);
    if (this.feeding) {
      const row = this.take(now);
      this.received = now;
      const points = Object.fromEntries(Object.entries(row).map(([name, value]) => [name, [now + this.shift, value, QUALITY.good]]));
      this.send('values', { twin: 'motor-7', state: this.state(), age_ms: 0, health: this.health(), points }, 'motor-7');
    }
    const state = this.state();
    const worst = this.alerts()[0]?.priority ?? null;
    if (state === this.lastState && worst === this.lastWorst) return;
    if (this.lastState !== undefined && state !== this.lastState) {
      this.write(`twin-${state}`, state === 'stale' ? 'warning' : 'info', 'motor-7', null, state === 'stale' ? 'No sample for 5 expected intervals: stale, alerts suppressed' : 'Samples arrive again: live');
    }
    [this.lastState, this.lastWorst] = [state, worst];
    this.send('twin', { id: 'motor-7', state, alerts: { active: this.alerts().length, highest: worst }, health: this.health() });
  }

  state() { return Date.now() - this.received > STALE_MS ? 'stale' : 'live'; }
  health() { const index = this.columns['health.index'].at(-1); return { index, verdict: verdict(index) }; }

  raised() {
    const index = this.health().index;
    const winding = this.columns['thermal.winding_temperature'].at(-1);
    const since = iso(this.started + this.shift);
    const list = [];
    if (index < 0.2) list.push({ code: 'health-critical', priority: 'critical', text: 'Health below 0.2', value: index, unit: '1', detail: 'vibration and current rise together', since, behavior: 'health' });
    if (winding > 82) list.push({ code: 'winding-hot', priority: 'high', text: 'Winding hotter than its class allows', value: winding, unit: 'Cel', detail: '', since, behavior: 'thermal' });
    if (index >= 0.2 && index < 0.5) list.push({ code: 'health-warning', priority: 'medium', text: 'Health below 0.5', value: index, unit: '1', detail: '', since, behavior: 'health' });
    return list;
  }

  alerts() { return this.state() === 'stale' ? [] : this.raised(); }

  summary() {
    const alerts = this.alerts();
    return { id: 'motor-7', type: 'motor', state: this.state(), age_ms: Date.now() - this.received, health: this.health(), alerts: { active: alerts.length, highest: alerts[0]?.priority ?? null }, authority: 'advise' };
  }

  all() { return [this.summary(), ...this.fleet]; }
  find(id) { return this.all().find((twin) => twin.id === id); }

  site() {
    const all = this.all();
    const by = (state) => all.filter((twin) => twin.state === state).length;
    const alerts = all.filter((twin) => twin.alerts.highest);
    return {
      name: 'Mock plant', version: '0.1.0', started: iso(this.started), now: iso(Date.now()),
      twins: { total: all.length, live: by('live'), stale: by('stale'), waiting: by('waiting') },
      alerts: { active: alerts.reduce((sum, twin) => sum + twin.alerts.active, 0), highest: ['critical', 'high', 'medium'].find((p) => alerts.some((twin) => twin.alerts.highest === p)) ?? null },
      inputs: { samples: 8 * this.rows, refused: 3, late: 12, duplicates: 0 }, store: { writable: true, reason: null },
    };
  }

  twins(search, state, after, limit) {
    const match = this.all().filter((twin) => `${twin.id} ${twin.type}`.toLowerCase().includes(search.toLowerCase()) && (state === '' || twin.state === state));
    const rest = match.sort((a, b) => (a.id < b.id ? -1 : 1)).filter((twin) => twin.id > after);
    const twins = rest.slice(0, limit);
    return { twins, total: match.length, next: rest.length > limit ? twins.at(-1).id : null };
  }

  points(list) {
    const age = Date.now() - this.received;
    return list.map((point) => ({
      ...point, value: this.columns[point.name].at(-1), quality: QUALITY_NAMES[age > STALE_MS ? QUALITY.stale : point.name === 'voltage' ? QUALITY.uncertain : QUALITY.good],
      time: iso(this.columns.time.at(-1)), received: iso(this.received), age_ms: age,
    }));
  }

  detail(twin) {
    const bare = { ...twin, display_name: '', measured: [], estimated: [], behaviors: [], alerts: [], suppressed_alerts: 0 };
    if (twin.id !== 'motor-7') return bare;
    const behavior = { rows: this.rows, since: iso(this.swapped), fault: null, trial: null };
    const cost = {
      rows: this.rows, fuel: Math.round(this.rows * 11_840.4), fuel_per_row: 11_840.4, step_ms: this.rows * 3.61e-3, step_us_per_row: 3.61,
      memory_bytes: 16_181, instance_bytes: 1_310_720, instance_twins: 81, rebuilds: 0, deadline_misses: 0, faults: 0, strikes: 0, substitute: null,
    };
    const open = this.rollouts.list.findLast((one) => one.binding === 'thermal' && one.ended === null);
    return {
      ...bare, display_name: 'Cooling water pump 7, motor', measured: this.points(MOTOR_POINTS), estimated: this.points(MOTOR_ESTIMATES),
      behaviors: [
        { ...behavior, name: 'thermal', plugin: 'motor-thermal', version: this.version, digest: digestOf(this.version), kind: 'estimator', state: 'running', cost: { ...cost, version: this.version }, trial: open ? { rollout: open.id, phase: open.phase, authoritative: open.twins.authoritative === 81, warm: false } : null },
        { ...behavior, name: 'health', plugin: 'pump-health', version: '0.9.2', digest: digestOf('0.9.2'), kind: 'health-rule', state: this.faulty ? 'quarantined' : 'running', fault: this.faulty ? 'step trapped: out of bounds memory access in row 3' : null, since: iso(this.started), cost: { ...cost, version: '0.9.2', fuel: this.rows * 1_204, fuel_per_row: 1_204, step_ms: this.rows * 0.42e-3, step_us_per_row: 0.42, rebuilds: this.faulty ? 4 : 0, deadline_misses: this.faulty ? 2 : 0, faults: this.faulty ? 3 : 0, strikes: this.faulty ? 3 : 0, substitute: this.faulty ? 'hold' : null } },
      ],
      alerts: this.alerts(), suppressed_alerts: this.state() === 'stale' ? this.raised().length : 0,
    };
  }

  history(twin, points, from, to, buckets) {
    const { time } = this.columns;
    const inside = twin.id === 'motor-7' ? time.map((t, i) => [t, i]).filter(([t]) => t >= from && t < to) : [];
    const series = points.map((point) => {
      const unit = [...MOTOR_POINTS, ...MOTOR_ESTIMATES].find((p) => p.name === point)?.unit ?? '1';
      const raw = inside.map(([t, i]) => [t, this.columns[point]?.[i] ?? null]);
      return { point, unit, ...(raw.length > buckets ? thinned(raw, from, to, buckets) : plain(raw)) };
    });
    return { twin: twin.id, from: iso(from), to: iso(to), series, marks: this.marks.filter((m) => m.time_ms >= from && m.time_ms < to) };
  }

  plugins() {
    const plugin = (name, version, kind, points, twins, state) => ({ name, version, digest: digestOf(version), kind, description: 'Made up for the mock host', twins, running_for: twins > 0 ? [{ binding: name === 'motor-thermal' ? 'thermal' : 'health', twins }] : [], pinned: 0, failed_for: version.includes('rc') ? ['health'] : [], state, since: iso(this.started), declaration: declaration(name, version, kind, points) });
    return {
      plugins: [
        plugin('motor-thermal', this.version, 'estimator', MOTOR_ESTIMATES.slice(0, 8), 81, 'active'),
        plugin('motor-thermal', '1.6.0', 'estimator', MOTOR_ESTIMATES.slice(0, 8), 0, 'available'),
        plugin('pump-health', '0.9.2', 'health-rule', MOTOR_ESTIMATES.slice(8), 160, 'active'),
        plugin('pump-health', '0.10.0-rc.1', 'health-rule', MOTOR_ESTIMATES.slice(8), 0, 'available'),
      ],
      refused: [{ file: 'pump-health.wasm', reason: 'truncated component: 1,024 of 38,112 bytes; copy it again and rename it into place', time: iso(this.started) }],
    };
  }

  journal(limit, before, twin) {
    const match = this.entries.filter((e) => e.seq < before && (twin === null || e.twin === twin)).reverse();
    const entries = match.slice(0, limit);
    return { entries, next: match.length > limit ? entries.at(-1).seq : null };
  }

  write(kind, severity, twin, plugin, message, facts = null) {
    const entry = { seq: ++this.seq, time: iso(Date.now()), kind, severity, twin, plugin, message, facts };
    this.entries.push(entry);
    this.send('journal', entry);
  }

  send(event, data, twin = null) {
    const message = { id: ++this.id, event, data, twin };
    this.ring.push(message);
    if (this.ring.length > RING) this.ring.shift();
    for (const stream of this.streams) stream(message);
  }

  stream(request, response, ask) {
    const wanted = new Set((ask.get('twins') ?? '').split(','));
    const last = Number(request.headers['last-event-id'] ?? ask.get('last_event_id') ?? NaN);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const put = ({ id, event, data, twin }) => { if (twin === null || wanted.has(twin)) response.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`); };
    const resumed = Number.isFinite(last) && last >= (this.ring[0]?.id ?? 0) - 1;
    put({ id: this.id, event: 'hello', data: { version: '0.1.0', now: iso(Date.now()), resumed }, twin: null });
    if (resumed) this.ring.filter((m) => m.id > last).forEach(put);
    else if (Number.isFinite(last)) put({ id: this.id, event: 'resync', data: { reason: 'missed more than the ring holds' }, twin: null });
    put.end = () => response.destroy();
    this.streams.add(put);
    request.on('close', () => this.streams.delete(put));
  }

  block() { this.targets.blocked = 'the journal cannot be written: no space left on device'; }
  unblock() { this.targets.blocked = null; }
  supersede() { this.commands.supersede(); }
  stop() { this.feeding = false; }
  start() { this.feeding = true; }
  fault() { this.faulty = true; this.write('behavior-quarantined', 'error', 'motor-7', 'pump-health@0.9.2', 'pump-health failed on a row of motor-7 and is held apart for it'); }
  drop() { for (const stream of this.streams) stream.end(); }
  swap() {
    const [major, minor] = this.version.split('.').map(Number);
    const before = this.version;
    this.version = `${major}.${minor + 1}.0`;
    this.swapped = Date.now();
    const time_ms = this.columns.time.at(-1);
    this.marks.push({ time_ms, kind: 'swap', text: `motor-thermal@${before} → motor-thermal@${this.version}` });
    this.write('swap-done', 'info', null, `motor-thermal@${this.version}`, `motor-thermal ${this.version} in service for 81 twins, state carried`, { time_ms });
  }
}

function plain(raw) {
  return { decimated: false, times_ms: raw.map((r) => r[0]), values: raw.map((r) => r[1]), min: [], max: [], quality: raw.map(() => 0) };
}

/** Each bucket that has samples: the time and value of its last, and its extremes. */
function thinned(raw, from, to, buckets) {
  const width = (to - from) / buckets;
  const out = { decimated: true, times_ms: [], values: [], min: [], max: [], quality: [] };
  let bucket = -1;
  for (const [t, value] of raw) {
    const own = Math.floor((t - from) / width);
    if (own !== bucket) for (const column of ['times_ms', 'values', 'min', 'max', 'quality']) out[column].push(column === 'quality' ? 0 : value);
    bucket = own;
    const at = out.values.length - 1;
    [out.times_ms[at], out.values[at]] = [t, value];
    [out.min[at], out.max[at]] = [Math.min(out.min[at], value), Math.max(out.max[at], value)];
  }
  return out;
}
