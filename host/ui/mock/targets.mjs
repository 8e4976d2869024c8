// The mock host's targets and authority: rules that read something, latches, bypasses, owners, and what people order of them.
const iso = (ms) => new Date(ms).toISOString();
const LEVELS = ['behavior', 'operator', 'local', 'lockout'];
/** What a refused order is answered with; also used for commands. */
export const refused = (status, message, code = status === 404 ? 'not-found' : status === 400 ? 'invalid' : 'conflict') => ({ status, code, message });

const target = (twin, name, unit, klass, approvers, more = {}) => ({
  twin, name, unit, class: klass, approvers, commands: [], present: 80, written: null, holdings: [], latches: [], bypasses: [], hot: false, max: 100, step: 20, runs: true, up: true, ...more,
});

export class Targets {
  constructor(now, write) {
    this.write = write;
    this.blocked = null;
    this.list = [
      target('motor-7', 'load_limit', '%', 'load', 1, { commands: ['throttle.limit_load'], written: { value: 80, at: iso(now - 3_600_000), verified: true } }),
      target('motor-7', 'fan_speed', '{rpm}', 'critical', 2, { present: 900, max: 1_500, step: 500, runs: false, latches: [{ rule: 'winding hot', at: iso(now - 240_000), seen: 'winding = 157.2' }] }),
      target('pump-0003', 'speed', '{rpm}', 'routine', 0, { present: 1_450, max: 1_800, step: 300, up: false, holdings: [{ level: 'operator', by: 'Bo', reason: 'manual run', since: iso(now - 900_000), until: null }] }),
    ];
    this.authorities = new Map([
      ['motor-7', { configured: 'control', armed: null, reasons: ['not armed since the host started'], limit: null }],
      ['pump-0003', { configured: 'advise', armed: null, reasons: [], limit: null }],
    ]);
  }

  find(twin, name) { return this.list.find((one) => one.twin === twin && one.name === name); }

  rules(one) {
    const rule = (kind, name, allowed, reads, refuses, by = null) => ({ kind, rule: name, allowed, reads, refuses, bypassed_by: by });
    const latch = one.latches.find((known) => known.rule === 'winding hot');
    const bypass = one.bypasses.find((known) => known.rule === 'pump runs');
    return [
      rule('trip', 'winding hot', 'not points.winding > 155.0', `winding = ${one.hot ? 156.4 : 131.5}${latch ? `; latched since ${latch.seen}` : ''}`, one.hot || latch !== undefined),
      rule('input', 'inputs', 'winding, load at most 5 s old', '', false),
      rule('range', 'range', `0 … ${one.max}`, `now ${one.present}`, null),
      rule('step', 'step', `at most ${one.step}`, `now ${one.present}`, null),
      rule('permissive', 'pump runs', 'points.flow > 2.0', `flow = ${one.runs ? 14.2 : 0}`, !one.runs && bypass === undefined, bypass ? `${bypass.by} (${bypass.reason})` : null),
    ];
  }

  /** What the rules say of a value now; null when they let it through. */
  refusal(one, value) {
    const first = this.rules(one).find((rule) => rule.refuses === true);
    if (first) return { rule: first.rule, seen: first.reads, allowed: first.allowed };
    if (value < 0 || value > one.max) return { rule: 'range', seen: String(value), allowed: `0 … ${one.max}` };
    return Math.abs(value - one.present) > one.step ? { rule: 'step', seen: `a step of ${Math.abs(value - one.present)}`, allowed: `at most ${one.step}` } : null;
  }

  step(now) {
    for (const one of this.list) {
      one.holdings = one.holdings.filter((holding) => holding.until === null || Date.parse(holding.until) > now);
      one.bypasses = one.bypasses.filter((bypass) => bypass.until > now);
    }
  }

  authority(twin) {
    const standing = this.authorities.get(twin);
    if (standing === undefined) return null;
    const effective = standing.limit ?? (standing.configured === 'control' && standing.armed === null ? 'advise' : standing.configured);
    return { twin, configured: standing.configured, effective, armed: standing.armed, reasons: effective === standing.configured ? [] : standing.reasons };
  }

  view(twin, dispatch, openOf) {
    const targets = this.list.filter((one) => twin === null || one.twin === twin).map((one) => this.show(one, openOf));
    return { targets, authorities: [...new Set(targets.map((one) => one.twin))].map((id) => this.authority(id)), dispatch };
  }

  show(one, openOf) {
    const now = Date.now();
    const rules = this.rules(one);
    const holdings = [...one.holdings].sort((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level));
    return {
      twin: one.twin, name: one.name, unit: one.unit, class: one.class, approvers: one.approvers, commands: one.commands,
      feedback: { point: `${one.name}_feedback`, value: one.present, quality: 'good', time: iso(now), tolerance: 0.5, within_s: 5 },
      written: one.written, owner: holdings[0]?.level ?? 'behavior', holdings, open: openOf(one), latches: one.latches,
      bypasses: one.bypasses.map(({ rule, by, reason, until }) => ({ rule, by, reason, left_s: Math.max(0, Math.round((until - now) / 1_000)) })),
      tripped: rules[0].refuses, rules, fail_action: 'writes the safe value 40',
      heartbeat: { address: `plant/${one.twin}/${one.name}/beat`, every_ms: 1_000, beats: 42, last: iso(now), silent: null },
      egress: { source: 'plant', address: `plant/${one.twin}/${one.name}/set`, up: one.up },
    };
  }

  orderAuthority(twin, { level, by, reason = '' }) {
    const standing = this.authorities.get(twin);
    if (standing === undefined) return refused(404, `there is no twin ${twin}`);
    if (level === 'control' && this.blocked) return refused(503, `nobody is armed now: ${this.blocked}`, 'unavailable');
    if (level === 'control' && standing.configured !== 'control') return refused(409, `the site gives ${twin} no more than ${standing.configured}`);
    const armed = level === 'control' ? { by, at: iso(Date.now()) } : null;
    const why = reason === '' ? '' : `: ${reason}`;
    Object.assign(standing, { armed, limit: level === 'observe' ? 'observe' : null, reasons: level === 'control' ? [] : [`set by ${by}${why}`] });
    this.write('authority-set', 'info', twin, null, `${twin} is set to ${level} by ${by}${why}`);
    return { status: 200, body: this.authority(twin) };
  }

  order(twin, name, way, body, openOf) {
    const one = this.find(twin, name);
    if (one === undefined) return refused(404, `${twin} has no target ${name}`);
    const done = this.change(one, way, body);
    if (done.status !== undefined) return done;
    this.write(done.kind, 'info', twin, null, `${name}: ${done.said} by ${body.by}`);
    return { status: 200, body: this.show(one, openOf) };
  }

  change(one, way, { by = '', reason = '', level = 'operator', for_s, rule, role = 'operator' }) {
    if (by.trim() === '') return refused(400, 'by must name the person who does it');
    const now = Date.now();
    const hold = (as) => {
      one.holdings = [...one.holdings.filter((holding) => holding.level !== as), { level: as, by, reason, since: iso(now), until: for_s === undefined ? null : iso(now + 1_000 * for_s) }];
    };
    if (way === 'hold') { hold(level); return { kind: 'target-held', said: `held as ${level}` }; }
    if (way === 'lockout') { hold('lockout'); return { kind: 'target-locked-out', said: `locked out for ${for_s} s` }; }
    if (way === 'release') {
      const held = one.holdings.find((holding) => holding.level === level);
      if (held === undefined) return refused(409, `nobody holds it as ${level}`);
      if (level === 'lockout' && held.by !== by) return refused(409, `${held.by} locked it out: only ${held.by} may release it`);
      one.holdings = one.holdings.filter((holding) => holding !== held);
      return { kind: 'target-released', said: `released as ${level}` };
    }
    if (role !== 'engineer') return refused(409, `"${rule}" may not be changed by this role; it wants engineer`);
    if (way === 'reset') {
      if (one.hot) return refused(409, `the cause of "${rule}" is there: winding = 156.4`);
      one.latches = one.latches.filter((latch) => latch.rule !== rule);
      return { kind: 'interlock-reset', said: `trip "${rule}" is reset` };
    }
    one.bypasses = one.bypasses.filter((bypass) => bypass.rule !== rule);
    if (for_s === 0) return { kind: 'interlock-bypass-over', said: `"${rule}" is not bypassed any more` };
    if (for_s > 3_600) return refused(409, `"${rule}" may be bypassed for 3600 s at most`);
    one.bypasses.push({ rule, by, reason, until: now + 1_000 * for_s });
    return { kind: 'interlock-bypassed', said: `"${rule}" is bypassed for ${for_s} s` };
  }
}
