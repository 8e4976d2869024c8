// Reads /api/v1. An answer that is not a success becomes a `Refused` with the host's own words; a host that does
// not answer in time becomes one with code `unreachable`. Nothing is cached and nothing is retried here.
import type { AlarmOrder } from './alarm';
import type { Alarm, Alarms } from './alarm-shapes';
import type { CommandOrder } from './command';
import type { CertificateOrder } from './certificate';
import type { Certificates, Side } from './certificate-shapes';
import type { Command, CommandDetail, Commands, CommandState } from './command-shapes';
import type { PlanWish } from './plan';
import type { Order } from './rollout';
import type { Session, Ways } from './session';
import type { Rollout, RolloutPreview, Rollouts } from './rollout-shapes';
import type { History, JournalPage, Plugins, Site, TwinDetail, TwinPage, TwinState } from './shapes';
import type { Authority, Level, Role, Target, Targets, TwinAuthority } from './target-shapes';
import type { ThreadPage } from './thread-shapes';

/** How long an answer may take before the host counts as unreachable. */
const ANSWER_MS_MAX = 10_000;
/** Points that the host takes in one request for history. */
const HISTORY_POINTS_MAX = 64;

export class Refused extends Error {
  constructor(readonly code: string, message: string, readonly status: number | null) {
    super(message);
    this.name = 'Refused';
  }
}

const get = <T>(path: string): Promise<T> => ask<T>(path, { headers: { accept: 'application/json' } });

/** Asks the host to do something; what writes needs the token. Without one, only what does not write is answered. */
function post<T>(path: string, token: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (token !== '') headers['authorization'] = `Bearer ${token}`;
  if (body === undefined) return ask<T>(path, { method: 'POST', headers });
  headers['content-type'] = 'application/json';
  return ask<T>(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

function remove(path: string, token: string): Promise<void> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (token !== '') headers['authorization'] = `Bearer ${token}`;
  return ask(path, { method: 'DELETE', headers });
}

async function ask<T>(path: string, request: RequestInit): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(`/api/v1/${path}`, { ...request, cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  } catch {
    throw new Refused('unreachable', 'The host does not answer.', null);
  }
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T;
  throw await refusal(answer);
}

async function refusal(answer: Response): Promise<Refused> {
  try {
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    return new Refused(error.code, error.message, answer.status);
  } catch {
    return new Refused('no-reason', `The host answered ${answer.status} without a reason.`, answer.status);
  }
}

/** `a=1&b=2`, without the members that are empty. */
export function query(members: Record<string, string | number | null | undefined>): string {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) {
    if (value !== null && value !== undefined && value !== '') text.set(name, String(value));
  }
  const joined = text.toString();
  return joined === '' ? '' : `?${joined}`;
}

export interface FleetQuestion { search: string; state: TwinState | ''; after: string | null; limit: number }

export const readSession = (): Promise<Session> => get('session');
export const readWays = (): Promise<Ways> => get('session/ways');
export const logIn = (name: string, password: string): Promise<Session> => post('session', '', { name, password });
export const changePassword = (current: string, next: string): Promise<void> => post('session/password', '', { current, new: next });
export const logOut = (): Promise<void> => ask('session', { method: 'DELETE', headers: { accept: 'application/json' } });

export const readSite = (): Promise<Site> => get('site');
export const readTwins = (question: FleetQuestion): Promise<TwinPage> => get(`twins${query({ ...question })}`);
export const readTwin = (id: string): Promise<TwinDetail> => get(`twins/${encodeURIComponent(id)}`);
export const readPlugins = (): Promise<Plugins> => get('plugins');

export const readRollouts = (): Promise<Rollouts> => get('rollouts');
export const readRollout = (id: number): Promise<Rollout> => get(`rollouts/${id}`);

/** What a plan would do; begins nothing. */
export const previewRollout = (plan: PlanWish, token: string): Promise<RolloutPreview> => post('rollouts/plan', token, plan);
export const startRollout = (plan: PlanWish, by: string, token: string): Promise<Rollout> =>
  post('rollouts', token, by === '' ? plan : { ...plan, by });
export const orderRollout = (id: number, order: Order, by: string, token: string): Promise<Rollout> =>
  post(`rollouts/${id}/${order}`, token, by === '' ? undefined : { by });

export const readCertificates = (): Promise<Certificates> => get('certificates');

/** `digest` is the whole SHA-256; the address tells whose it is. */
export async function orderCertificate(side: Side, digest: string, order: CertificateOrder, by: string, token: string): Promise<void> {
  const at = side === 'client' ? `certificates/clients/${digest}` : `certificates/${digest}`;
  if (order === 'remove') return remove(at, token);
  await post(`${at}/${order}`, token, by === '' ? undefined : { by });
}

export const readAlarms = (limit: number): Promise<Alarms> => get(`alarms${query({ limit })}`);

/** Who orders something of an alarm, why, and for the shelf: how long. */
export interface AlarmWish { by: string; reason: string; minutes: number | null }

export function orderAlarm(alarm: Pick<Alarm, 'twin' | 'name'>, order: AlarmOrder, wish: AlarmWish, token: string): Promise<Alarm> {
  const body = { ...(wish.by === '' ? {} : { by: wish.by }), reason: wish.reason, ...(wish.minutes === null ? {} : { minutes: wish.minutes }) };
  return post(`alarms/${encodeURIComponent(alarm.twin)}/${encodeURIComponent(alarm.name)}/${order}`, token, body);
}

export interface CommandQuestion { limit: number; before?: number | null; twin?: string; target?: string; state?: CommandState | '' }

export const readCommands = (question: CommandQuestion): Promise<Commands> => get(`commands${query({ ...question })}`);
export const readCommand = (id: string): Promise<CommandDetail> => get(`commands/${encodeURIComponent(id)}`);

/** An approval names the bytes that were shown; everything else, why. */
export type CommandWish = { by: string; digest: string } | { by: string; reason: string };
export const orderCommand = (id: string, order: CommandOrder, wish: CommandWish, token: string): Promise<Command> =>
  post(`commands/${encodeURIComponent(id)}/${order}`, token, wish);

/** A wish; the same id is the same command, however often it is sent. */
export interface Proposal { id: string; twin: string; target: string; value: number; unit: string; reason: string; within_s: number; by: string }
export const proposeCommand = (wish: Proposal, token: string): Promise<Command> => post('commands', token, wish);

export const readTargets = (twin: string): Promise<Targets> => get(`targets${query({ twin })}`);

export type TargetWay = 'hold' | 'release' | 'lockout' | 'reset' | 'bypass';
export interface TargetWish { by: string; reason?: string; for_s?: number; level?: Level; rule?: string; role?: Role }
export const orderTarget = (target: Pick<Target, 'twin' | 'name'>, way: TargetWay, wish: TargetWish, token: string): Promise<Target> =>
  post(`targets/${encodeURIComponent(target.twin)}/${encodeURIComponent(target.name)}/${way}`, token, wish);
export const orderAuthority = (twin: string, wish: { level: Authority; by: string; reason: string }, token: string): Promise<TwinAuthority> =>
  post(`twins/${encodeURIComponent(twin)}/authority`, token, wish);

export interface ThreadQuestion { from?: number; to?: number; kind: string; limit: number; after: string | null }
export const readThread = (twin: string, question: ThreadQuestion): Promise<ThreadPage> =>
  get(`twins/${encodeURIComponent(twin)}/thread${query({ ...question })}`);

export function readJournal(before: number | null, limit: number, twin: string | null = null): Promise<JournalPage> {
  return get(`journal${query({ limit, before, twin })}`);
}

/** The past in [from, to], asked for in as many requests as the host's limit of points makes of it. */
export async function readHistory(
  id: string, points: string[], from_ms: number, to_ms: number, buckets: number,
): Promise<Pick<History, 'series' | 'marks'>> {
  const span = { from: Math.floor(from_ms), to: Math.floor(to_ms) + 1, buckets };
  const path = `twins/${encodeURIComponent(id)}/history`;
  const parts: Promise<History>[] = [];
  for (let i = 0; i < points.length; i += HISTORY_POINTS_MAX) {
    parts.push(get(`${path}${query({ points: points.slice(i, i + HISTORY_POINTS_MAX).join(','), ...span })}`));
  }
  const answers = await Promise.all(parts);
  return { series: answers.flatMap((a) => a.series), marks: answers[0]?.marks ?? [] };
}

/** Whether the host wants the token, or another one. */
export const wantsToken = (error: unknown): boolean => error instanceof Refused && error.status === 401;

/** Whether the host answered that there is no such thing. */
export const isUnknown = (error: unknown): boolean => error instanceof Refused && error.status === 404;

/** What to tell a person about a failed read. */
export function reason(error: unknown): string {
  return error instanceof Refused ? error.message : `The page could not read the answer (${String(error)}).`;
}
