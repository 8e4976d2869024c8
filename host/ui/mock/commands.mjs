// The mock host's commands: some that wait for people, one in doubt, a past; approved ones go their way in a few seconds.
import { createHash } from 'node:crypto';
import { refused } from './targets.mjs';

const iso = (ms) => new Date(ms).toISOString();
const digestOf = (text) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const UNSENT = ['proposed', 'checked', 'held', 'armed'];
const WAY = { armed: ['sent', 'send', {}], sent: ['transport-acked', 'acknowledge', { receipt: 'the broker has it' }], 'transport-acked': ['verified', 'read-back', {}] };
const STEP_MS = 700;
const HELD_MS = 3_000_000;
const same = (one, other) => one.trim().toLowerCase() === other.trim().toLowerCase();
const idOf = (number) => `01990000-0000-7000-8000-${String(number).padStart(12, '0')}`;

export class Commands {
  constructor(now, targets, write) {
    Object.assign(this, { targets, write, list: [], number: 0 });
    const throttle = { kind: 'behavior', name: 'throttle', version: '0.3.1', digest: digestOf('throttle') };
    const ann = { kind: 'operator', name: 'Ann', version: null, digest: null };
    for (let i = 0; i < 60; i += 1) {
      const past = this.add('motor-7', 'load_limit', 100 - (i % 5), throttle, 'winding is warm', now - (90 - i) * 600_000);
      this.enter(past, i % 7 === 3 ? 'refused' : 'verified', i % 7 === 3 ? 'refuse' : 'read-back', i % 7 === 3 ? { rule: 'step', reason: 'a step of 24; allowed is at most 20' } : {}, now - (90 - i) * 600_000 + 4_000);
    }
    const lost = this.add('pump-0003', 'speed', 1_300, ann, 'less flow is wanted', now - 700_000);
    this.enter(lost, 'sent', 'send', {}, now - 699_000);
    this.enter(lost, 'indeterminate', 'lose', { reason: 'the connection broke before the broker answered' }, now - 695_000);
    const evidence = [
      { point: 'thermal.winding_temperature', value: 131.5, quality: 'good', time: iso(now - 21_000) },
      { point: 'thermal.winding_temperature.in_600_s', value: 149.8, quality: 'uncertain', time: iso(now - 21_000) },
    ];
    this.hold(this.add('motor-7', 'load_limit', 72.5, throttle, 'winding reaches 155 °C in 14 min', now - 20_000, evidence), now - 20_000);
    this.hold(this.add('motor-7', 'fan_speed', 1_200, ann, 'more cooling', now - 10_000), now - 10_000);
  }

  add(twin, name, value, proposer, reason, at, evidence = [], id = idOf(this.number + 1), within_s = 3_600) {
    const { unit, class: klass, approvers } = this.targets.find(twin, name);
    const words = { id, twin, target: name, value, unit, class: klass, proposer, reason, evidence, proposed: iso(at), not_after: iso(at + 1_000 * within_s) };
    const command = {
      ...words, number: ++this.number, digest: digestOf(JSON.stringify(words)), state: 'proposed', since: iso(at), detail: '', rule: null, until: null,
      approvers: proposer.kind === 'operator' ? approvers : Math.max(1, approvers), missing_approvals: 0, approvals: [], sent: null, receipt: null, read_back: null, resolved: null,
    };
    command.missing_approvals = command.approvers;
    const one = { command, transitions: [{ step: 0, state: 'proposed', time: iso(at), event: 'propose', cause: { event: 'propose' } }] };
    this.list.push(one);
    return one;
  }

  hold(one, at) {
    this.enter(one, 'checked', 'permit', {}, at);
    this.enter(one, 'held', 'hold', {}, at);
    one.command.until = iso(at + HELD_MS);
    one.command.detail = one.command.missing_approvals === 1 ? 'waits for one person' : `waits for ${one.command.missing_approvals} people`;
  }

  enter(one, state, event, cause, at = Date.now()) {
    const { command } = one;
    one.transitions.push({ step: one.transitions.length, state, time: iso(at), event, cause: { event, ...cause } });
    Object.assign(command, { state, since: iso(at), until: null, detail: cause.reason ?? '', rule: cause.rule ?? null });
    if (state === 'sent') command.sent = iso(at);
    if (cause.receipt) command.receipt = { text: cause.receipt, at: iso(at) };
    if (state !== 'verified') return;
    command.sent ??= iso(at);
    command.read_back = { value: command.value, time: iso(at), received: iso(at) };
    Object.assign(one.transitions.at(-1).cause, { value: command.value });
    const target = this.targets.find(command.twin, command.target);
    if (at > Date.now() - 60_000) Object.assign(target, { present: command.value, written: { value: command.value, at: iso(at), verified: true } });
  }

  step(now) {
    for (const one of this.list) {
      const { command } = one;
      const age = now - Date.parse(command.since);
      if (command.state === 'held' && Date.parse(command.until) <= now) this.go(one, 'expired', 'tick', { reason: 'the time for approval was over while it was held' });
      else if (WAY[command.state] && age > STEP_MS) this.go(one, ...WAY[command.state]);
    }
  }

  go(one, state, event, cause) {
    this.enter(one, state, event, cause);
    const { twin, target, value } = one.command;
    this.write(`command-${state}`, 'info', twin, null, `${target} = ${value} for ${twin} is ${state}`);
  }

  dispatch() {
    const reason = this.targets.blocked;
    const count = (of) => this.list.filter(({ command }) => of(command)).length;
    return { possible: reason === null, reason, held: count((one) => one.state === 'held'), in_doubt: count((one) => one.state === 'indeterminate' && one.resolved === null) };
  }

  openOf = (target) => this.list.filter(({ command }) => command.twin === target.twin && command.target === target.name && [...UNSENT, 'sent', 'transport-acked'].includes(command.state)).map(({ command }) => command.id);

  view(ask) {
    const is = (name, value) => (ask.get(name) ?? '') === '' || ask.get(name) === value;
    const [limit, before] = [Number(ask.get('limit') ?? 100), Number(ask.get('before') ?? Infinity)];
    const match = this.list.map((one) => one.command).filter((one) => one.number < before && is('twin', one.twin) && is('target', one.target) && is('state', one.state)).sort((a, b) => b.number - a.number);
    const commands = match.slice(0, limit);
    return { commands, next: match.length > limit ? commands.at(-1).number : null, dispatch: this.dispatch() };
  }

  find(id) { return this.list.find((one) => one.command.id === id); }

  detail(one) {
    const { command, transitions } = one;
    if (!UNSENT.includes(command.state)) return { command, transitions, interlocks: null };
    const target = this.targets.find(command.twin, command.target);
    const refusal = this.targets.refusal(target, command.value);
    return { command, transitions, interlocks: { permits: refusal === null, refusal, rules: this.targets.rules(target) } };
  }

  propose({ id = idOf(this.number + 1), twin, target, value, reason = '', within_s = 600, by = '' }) {
    const known = this.find(id);
    if (known) return { status: 200, body: known.command };
    const of = this.targets.find(twin, target);
    if (of === undefined) return refused(404, `${twin} has no target ${target}`);
    const proposer = { kind: by === '' ? 'program' : 'operator', name: by === '' ? 'token' : by, version: null, digest: null };
    const one = this.add(twin, target, value, proposer, reason, Date.now(), [], id, within_s);
    const refusal = this.targets.refusal(of, value);
    if (refusal) this.enter(one, 'refused', 'refuse', { rule: refusal.rule, reason: `${refusal.seen}; allowed is ${refusal.allowed}` });
    else if (one.command.missing_approvals > 0) this.hold(one, Date.now());
    else this.arm(one);
    this.write(`command-${one.command.state}`, 'info', twin, null, `${target} = ${value} for ${twin} is ${one.command.state}`);
    return { status: 201, body: one.command };
  }

  arm(one) {
    const { command } = one;
    const refusal = this.targets.refusal(this.targets.find(command.twin, command.target), command.value);
    if (refusal) this.enter(one, 'refused', 'refuse', { rule: refusal.rule, reason: `${refusal.seen}; allowed is ${refusal.allowed}` });
    else this.enter(one, 'armed', 'arm', {});
  }

  order(id, order, { by = '', digest, reason = '' }) {
    const one = this.find(id);
    if (one === undefined) return refused(404, `there is no command ${id}`);
    const { command } = one;
    const no = (message) => refused(409, message);
    if (by.trim() === '') return refused(400, 'by must name the person who does it');
    if (order === 'approve') {
      if (command.state !== 'held') return no(`approve is not possible for a command that is ${command.state}`);
      if (digest !== command.digest) return no(`what was approved (${digest}) is not this command (${command.digest}): look at it again`);
      if (command.proposer.kind === 'operator' && same(command.proposer.name, by)) return no(`${by} proposed it: somebody else must approve it`);
      if (command.approvals.some((given) => same(given.by, by))) return no(`${by} has approved it already: somebody else must approve it, too`);
      command.approvals.push({ by, at: iso(Date.now()), holds: true });
      command.missing_approvals -= 1;
      const until = command.until;
      this.enter(one, 'held', 'approve', { by, digest });
      Object.assign(command, { until, detail: 'waits for one person' });
      if (command.missing_approvals === 0) this.arm(one);
    } else if (order === 'resolve') {
      if (command.state !== 'indeterminate' || command.resolved) return no('resolve is not possible for it');
      command.resolved = { by, note: reason, at: iso(Date.now()) };
    } else {
      if (!UNSENT.includes(command.state)) return no(`${order} is not possible for a command that is ${command.state}`);
      this.enter(one, 'refused', order === 'refuse' ? 'reject' : 'withdraw', { by, reason });
    }
    this.write(`command-${command.state}`, 'info', command.twin, null, `${by}: ${order} ${command.target} for ${command.twin}`);
    return { status: 200, body: command };
  }

  /** A newer command takes the place of the first one that waits. */
  supersede() {
    const one = this.list.find(({ command }) => command.state === 'held');
    if (one) this.go(one, 'superseded', 'supersede', { by: idOf(this.number), reason: `command ${idOf(this.number)} took its place` });
  }
}
