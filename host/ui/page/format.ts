// Numbers, units, ages and times as people read them. Decimals depend on the unit and not on the number, so that
// a changing value does not dance; UCUM codes become the signs that stand on instruments.
import type { TwinState } from './shapes';

/** What is shown where there is no number. */
export const NONE = '–';

const SIGNS: Record<string, string> = {
  Cel: '°C', '[degF]': '°F', K: 'K', '1': '', '%': '%', deg: '°', Ohm: 'Ω', '[g]': 'g₀', '{rpm}': 'rpm',
  '/min': '1/min', 'm3/h': 'm³/h', 'm/s2': 'm/s²', 'kg/m3': 'kg/m³', 'L/min': 'l/min', 'l/min': 'l/min', m3: 'm³',
  m2: 'm²', 'K2': 'K²', 'Cel2': '°C²', um: 'µm', us: 'µs',
};

const DECIMALS: Record<string, number> = {
  Cel: 2, '[degF]': 2, K: 2, '1': 3, '%': 1, bar: 3, mbar: 1, Pa: 0, kPa: 2, MPa: 4, V: 1, mV: 1, A: 3, mA: 2, W: 0,
  kW: 2, Hz: 2, '{rpm}': 0, '/min': 0, 'L/min': 2, 'l/min': 2, 'm3/h': 2, 'm/s2': 3, 'mm/s': 2, '[g]': 4, g: 4, um: 1,
  s: 2, ms: 0,
};

export function unitSign(unit: string): string {
  const known = SIGNS[unit];
  if (known !== undefined) return known;
  return unit.replace(/([A-Za-z])2\b/g, '$1²').replace(/([A-Za-z])3\b/g, '$1³').replaceAll('.', '·');
}

/**
 * The number alone, with the decimals of its unit; four significant digits for a unit that is not listed. A plain
 * number has no scale of its own, so a small one is shown with its exponent and not as zero.
 */
export function number(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const decimals = DECIMALS[unit];
  const size = Math.abs(value);
  if (size >= 1e7) return minus(value.toExponential(3));
  if (decimals === undefined) return minus(significant(value, 4));
  if (unit === '1' && size > 0 && size < 0.5 * 10 ** -decimals) return minus(value.toExponential(2));
  return minus(value.toFixed(decimals));
}

/** Number and unit sign, a narrow space between them. */
export function quantity(value: number | null | undefined, unit: string): string {
  const text = number(value, unit);
  const sign = unitSign(unit);
  return sign === '' || text === NONE ? text : `${text}\u202f${sign}`;
}

/** A difference, with its unit: three significant digits, because what matters is how small it is. */
export function delta(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const sign = unitSign(unit);
  const text = minus(Math.abs(value) >= 1e6 ? value.toExponential(2) : significant(value, 3));
  return sign === '' ? text : `${text}\u202f${sign}`;
}

/** As many decimals as tell two neighbouring ticks apart: 2.5 needs one, 0.25 two. */
export function decimalsOf(step: number): number {
  for (let decimals = 0; decimals < 8; decimals += 1) {
    const scaled = step * 10 ** decimals;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6 * scaled) return decimals;
  }
  return 8;
}

/** A tick of an axis with ticks so far apart. Where versions differ in the last bits only, decimals would tell none apart. */
export function tickText(value: number, step: number, unit: string): string {
  if (Math.abs(value) >= 1e7) return number(value, unit);
  if (step < 1e-8) return value === 0 ? '0' : minus(value.toExponential(1));
  return minus(value.toFixed(decimalsOf(step)));
}

/** Bytes in binary units. */
export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return NONE;
  if (n < 1024) return `${n}\u202fB`;
  return n < 1_048_576 ? `${(n / 1024).toFixed(0)}\u202fKiB` : `${(n / 1_048_576).toFixed(1)}\u202fMiB`;
}

function significant(value: number, digits: number): string {
  if (value === 0) return '0';
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent < -3) return value.toExponential(digits - 1);
  return value.toFixed(Math.max(0, digits - 1 - exponent));
}

function minus(text: string): string {
  const zero = /^-0(\.0*)?$/.test(text);
  return zero ? text.slice(1) : text.replaceAll('-', '\u2212');
}

/** 0.4 s, 12 s, 4 min 05 s, 3 h 12 min, 5 d 3 h. */
export function age(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE;
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)}\u202fs`;
  const whole = Math.floor(seconds + 0.05);
  if (whole < 60) return `${whole}\u202fs`;
  if (whole < 3600) return `${Math.floor(whole / 60)}\u202fmin ${two(whole % 60)}\u202fs`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}\u202fh ${two(Math.floor((whole % 3600) / 60))}\u202fmin`;
  return `${Math.floor(whole / 86_400)}\u202fd ${Math.floor((whole % 86_400) / 3600)}\u202fh`;
}

/** What the badge of a twin says. */
export function stateText(state: TwinState, age_ms: number | null): string {
  if (state === 'stale') return age_ms === null ? 'stale' : `stale – no sample for ${age(Math.floor(age_ms / 1000) * 1000 || age_ms)}`;
  return state === 'waiting' ? 'waiting – never a sample' : 'live';
}

const two = (n: number): string => String(n).padStart(2, '0');

/** Local 10:14:03. */
export function clock(ms: number): string {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** Local 2020-03-09. */
export function day(ms: number): string {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** Local date and time of an RFC 3339 string or of milliseconds. */
export function moment(time: string | number | null | undefined): string {
  if (time === null || time === undefined) return NONE;
  const ms = typeof time === 'number' ? time : Date.parse(time);
  return Number.isFinite(ms) ? `${day(ms)} ${clock(ms)}` : NONE;
}

/** The offset that local times are shown in, such as UTC+02:00. */
export function zone(ms: number): string {
  const minutes = -new Date(ms).getTimezoneOffset();
  if (minutes === 0) return 'UTC';
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? '\u2212' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** 12\u202f345\u202f678: groups of three with narrow spaces. */
export function count(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
}

/** A name in the parts between which a narrow column may break it: `thermal.` `winding_` `temperature`. */
export const partsOf = (name: string): string[] => name.split(/(?<=[._-])/);

/** The first digits of a digest, enough to tell two apart. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 8);
}
