// The mock host's alarms: what its motor's alerts make of them, and what people order.
const iso = (ms) => new Date(ms).toISOString();
const SUPPRESSED = ['shelved', 'suppressed-by-design', 'suppressed-by-staleness', 'out-of-service'];
const WAITING = ['unacknowledged', 'returned', 'latched-unacknowledged'];

const alarm = (twin, name, priority, state, at, more = {}) => ({
  twin, name, priority, state, message: 'Made up for the mock host', consequence: '', response: '', value: 0.4, unit: '1', detail: '', since: iso(at), raised: iso(at),
  latch: false, group: null, first_out: false, chattering: false, standing: false, told: 1, acknowledged: null, shelved: null, out_of_service: null, ...more,
});

export class Alarms {
  constructor(now, tell) {
    this.tell = tell;
    const by = { by: 'Ann', at: iso(now - 60_000), reason: 'sensor is being replaced', until: null };
    this.list = [
      alarm('motor-7', 'winding-hot', 'critical', 'unacknowledged', now - 90_000, { message: 'The winding is too hot', consequence: 'The insulation ages ten times faster', response: 'Take load off', value: 131.5, unit: 'Cel', latch: true, group: 'trip', first_out: true }),
      alarm('motor-7', 'health.health-warning', 'medium', 'acknowledged', now - 100_000_000, { acknowledged: by, standing: true }),
      alarm('pump-0001', 'flow-low', 'high', 'returned', now - 600_000, { chattering: true, told: 5 }),
      alarm('pump-0002', 'flow-low', 'high', 'shelved', now - 700_000, { shelved: { ...by, until: iso(now + 3_600_000) } }),
      alarm('pump-0003', 'flow-low', 'low', 'out-of-service', now - 800_000, { out_of_service: by }),
    ];
  }

  view(limit) {
    const up = this.list.filter((one) => one.state !== 'normal' && !SUPPRESSED.includes(one.state));
    const of = (priority) => up.filter((one) => one.priority === priority).length;
    const state = (name) => this.list.filter((one) => one.state === name).length;
    const ranks = ['low', 'medium', 'high', 'critical'];
    const alarms = this.list.filter((one) => one.state !== 'normal').sort((a, b) => ranks.indexOf(b.priority) - ranks.indexOf(a.priority) || (a.raised < b.raised ? 1 : -1));
    return {
      alarms: alarms.slice(0, limit), total: alarms.length,
      counts: {
        critical: of('critical'), high: of('high'), medium: of('medium'), low: of('low'), unacknowledged: up.filter((one) => WAITING.includes(one.state)).length,
        shelved: state('shelved'), suppressed_by_design: 0, suppressed_by_staleness: 0, out_of_service: state('out-of-service'),
        chattering: this.list.filter((one) => one.chattering).length, standing: this.list.filter((one) => one.standing).length,
      },
      figures: { last_10_min: 3, last_day: 17, peak_10_min: 6, told: 17, flood_since: null, floods: 0 },
    };
  }

  order(twin, name, order, { by = 'token', reason = '', minutes }) {
    const one = this.list.find((known) => known.twin === twin && known.name === name);
    if (one === undefined) return { status: 404, code: 'not-found', message: `${twin} has no alarm ${name}` };
    const mark = { by, at: iso(Date.now()), reason, until: null };
    const wants = WAITING.includes(one.state);
    if (order === 'acknowledge' && !wants) return { status: 409, code: 'conflict', message: 'the alarm is acknowledged already' };
    if (order === 'acknowledge') Object.assign(one, { acknowledged: mark, state: one.state === 'returned' ? 'normal' : one.state === 'unacknowledged' ? 'acknowledged' : 'latched-acknowledged' });
    if (order === 'shelve') Object.assign(one, { shelved: { ...mark, until: iso(Date.now() + minutes * 60_000) }, state: 'shelved' });
    if (order === 'out-of-service') Object.assign(one, { out_of_service: mark, state: 'out-of-service' });
    if (order === 'unshelve' || order === 'in-service') Object.assign(one, { shelved: null, out_of_service: null, state: 'unacknowledged' });
    if (order === 'reset') one.state = 'normal';
    this.tell(one);
    return { status: 200, body: one };
  }
}
