// The mock host's threads: what the journal says of a twin, what the commands became, and records of a maintenance system.
import { digestOf } from './rollouts.mjs';

const iso = (ms) => new Date(ms).toISOString();
const NONE = { behavior: null, plugin: null, digest: null, rows: null, replay: null, rollout: null, command: null, verdict: null, journal: null };
const KINDS = ['design', 'version', 'calibration', 'samples', 'alert', 'decision', 'record', 'event'];
const DAY = 86_400_000;

const plain = (id, kind, what, ms, title, more = {}) => ({
  id, kind, what, time: iso(ms), until: null, severity: 'info', title, detail: '', facts: null, explain: NONE, record: null, ...more,
});

function record(number, kind, what, ms, hours, title, id, state, more = {}) {
  const kept = { source: 'sap-pm', id, state, link: `https://erp.example/${id}`, changed: null, received: iso(ms), corrected: null, revision: 0, by: 'erp of ada', ...more };
  return plain(`record-${number}`, kind, what, ms, title, { until: hours === null ? null : iso(ms + hours * 3_600_000), record: kept });
}

const rows = (ms, twin, behavior) => ({
  rows: { from: iso(ms - 60_000), to: iso(ms + 2) },
  replay: `geminus replay SITE.toml --twin ${twin}${behavior ? ` --behavior ${behavior}` : ''} --from ${iso(ms - 60_000)} --to ${iso(ms + 2)}`,
});

export class Threads {
  constructor(house) {
    this.house = house;
    const { started } = house;
    this.kept = [
      record(1, 'record', 'work-order', started - 6 * DAY, 5, 'Replace the bearing on the drive side', 'WO-4711', 'done', { corrected: iso(started - 5 * DAY), revision: 2 }),
      record(2, 'calibration', 'calibration', started - 5 * DAY, null, 'Winding sensor PT100-3 calibrated: -0.2 K', 'CAL-88', 'released'),
      record(3, 'record', 'batch', started - 3 * 3_600_000, 2, 'Batch 2026-0311, cooling water', 'B-0311', 'running'),
      record(4, 'record', 'inspection', started - 2 * DAY, null, 'Vibration round: nothing found', 'INS-12', 'done'),
    ];
    this.fixed = [
      plain('border-thermal-1', 'version', 'version', started - 7 * DAY, 'thermal: motor-thermal@1.3.0 → motor-thermal@1.4.0', { explain: { ...NONE, behavior: 'thermal', plugin: 'motor-thermal@1.4.0', digest: digestOf('1.4.0') } }),
      plain('border-thermal-2', 'calibration', 'parameters', started - 4 * DAY, 'thermal: r_winding 0.41 → 0.43', { facts: { behavior: 'thermal' }, explain: { ...NONE, behavior: 'thermal', plugin: 'motor-thermal@1.4.0', digest: digestOf('1.4.0') } }),
      plain('journal-900001', 'alert', 'alert-raised', started - 5_400_000, 'motor-7 winding-hot: the winding is too hot', {
        severity: 'warning', facts: { behavior: 'thermal', code: 'winding-hot', value: 131.5 },
        explain: { ...NONE, behavior: 'thermal', plugin: 'motor-thermal@1.4.0', digest: digestOf('1.4.0'), journal: 900001, ...rows(started - 5_400_000, 'motor-7', 'thermal') },
      }),
      plain('journal-900002', 'alert', 'alert-cleared', started - 3_600_000, 'motor-7 winding-hot: cleared', { facts: { behavior: 'thermal', code: 'winding-hot' }, explain: { ...NONE, journal: 900002 } }),
      plain('journal-900003', 'design', 'site-changed', started - 7.5 * DAY, 'the site file is not that of the last start: behavior.thermal', { explain: { ...NONE, journal: 900003 } }),
    ];
  }

  of(twin) {
    const told = this.house.entries.filter((entry) => entry.twin === twin && !entry.kind.startsWith('command-')).map((entry) => plain(
      `journal-${entry.seq}`, entry.kind.startsWith('twin-') ? 'samples' : 'event', entry.kind, Date.parse(entry.time), entry.message, { severity: entry.severity, facts: entry.facts, explain: { ...NONE, plugin: entry.plugin, journal: entry.seq } },
    ));
    const decided = this.house.commands.list.filter(({ command }) => command.twin === twin).map(({ command }) => plain(
      `command-${command.number}`, 'decision', 'command-proposed', Date.parse(command.proposed), `${command.proposer.name} proposes ${command.target} = ${command.value} ${command.unit} for ${twin}: ${command.reason}`,
      { explain: { ...NONE, command: command.id, verdict: command.detail ? `${command.state}: ${command.detail}` : command.state, ...rows(Date.parse(command.proposed), twin, null) } },
    ));
    return twin === 'motor-7' ? [...told, ...decided, ...this.kept, ...this.fixed] : [...told, ...decided];
  }

  asset(twin) {
    const detail = this.house.detail(twin);
    const times = this.house.columns.time;
    const points = [...detail.measured, ...detail.estimated].map(({ name, unit, description }) => ({ point: name, unit, description, first: iso(times[0]), last: iso(times.at(-1)) }));
    return {
      display_name: detail.display_name || twin.id, type: 'dtmi:mock:Motor;1', type_name: 'Motor', area: 'cooling', line: 'north', authority: twin.authority,
      behaviors: detail.behaviors.map(({ name, plugin }) => ({ name, plugin, versions: '^1', parameters: { r_winding: 0.43 } })), points, points_total: points.length, targets: ['load_limit', 'fan_speed'],
    };
  }

  view(twin, ask) {
    const [from, to] = [Number(ask.get('from') ?? 0), Number(ask.get('to') ?? Infinity)];
    const kinds = (ask.get('kind') ?? '').split(',').filter(Boolean);
    const wrong = kinds.find((kind) => !KINDS.includes(kind));
    if (wrong !== undefined) return { status: 400, code: 'bad-query', message: `kind must be some of ${KINDS.join(', ')}, not "${wrong}"` };
    const all = this.of(twin.id).filter((entry) => (kinds.length === 0 || kinds.includes(entry.kind)) && Date.parse(entry.time) < to && Date.parse(entry.until ?? entry.time) >= from);
    all.sort((a, b) => Date.parse(b.time) - Date.parse(a.time) || (a.id < b.id ? -1 : 1));
    const after = ask.get('after') ?? null;
    const place = (entry) => `${Date.parse(entry.time)}000000-0-${entry.id.replace(/\D/g, '') || 0}`;
    const rest = after === null ? all : all.slice(all.findIndex((entry) => place(entry) === after) + 1);
    const entries = rest.slice(0, Number(ask.get('limit') ?? 100));
    return { status: 200, body: { twin: twin.id, asset: after === null ? this.asset(twin) : null, entries, next: rest.length > entries.length ? place(entries.at(-1)) : null } };
  }
}
