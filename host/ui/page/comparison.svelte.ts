// Both versions' curves of one output of one twin as two panels: old and new over each other, and below them the
// difference between its limits. Filled anew whenever evidence comes in; a gap in one version is a gap in the
// difference.
import { Curve } from './curve';
import type { Drawn } from './drawn';
import type { Line, Panel, Style } from './panels';
import type { Readings } from './readings';
import type { Difference, EvidenceCurve } from './rollout-shapes';
import { unitSign } from './format';

export const OVER = '+ limit';
export const UNDER = '− limit';
export const APART = 'new − old';

/** How far a value may lie from `old`; null without a limit. The wider of the two holds. */
export function allowed(limit: Difference | null, old: number | null): number | null {
  if (limit === null || old === null) return null;
  return Math.max(limit.absolute ?? 0, (limit.relative ?? 0) * Math.abs(old));
}

/** Values by the name of the line that shows them. */
export function columnsOf(curve: EvidenceCurve, limit: Difference | null, names: Names): Record<string, (number | null)[]> {
  const { times_ms, old, new: now } = curve;
  const apart = times_ms.map((_, i) => (old[i] == null || now[i] == null ? null : (now[i] as number) - (old[i] as number)));
  const far = times_ms.map((_, i) => allowed(limit, old[i] ?? null));
  return { [names.old]: old, [names.new]: now, [APART]: apart, [OVER]: far, [UNDER]: far.map((value) => (value === null ? null : -value)) };
}

export interface Names { old: string; new: string }

export function panelsOf(curve: EvidenceCurve, limit: Difference | null, names: Names): [Panel, Panel] {
  const line = (point: string, style: Style, fine = false): Line => ({ point, unit: curve.unit, interval: null, deviation: null, style, fine });
  const base = { unit: curve.unit, levels: [], range: null, fromZero: false };
  const sign = unitSign(curve.unit);
  const title = sign === '' ? curve.output : `${curve.output}, ${sign}`;
  const bounds = limit === null ? [] : [line(OVER, 'bound', true), line(UNDER, 'bound', true)];
  return [
    { ...base, name: 'compare', title, lines: [line(names.old, 'incumbent'), line(names.new, 'candidate')] },
    { ...base, name: 'difference', title: `Difference${sign === '' ? '' : `, ${sign}`}`, lines: [line(APART, 'candidate', true), ...bounds], centred: true, levels: [{ value: 0, text: 'zero', severity: 'none' }] },
  ];
}

export class Comparison implements Drawn {
  revision = $state(0);
  readonly marks = [];
  newest: number | null = null;
  window_ms = 1;
  readings = $state.raw<Readings>(new Map());
  private curves = new Map<string, Curve>();

  show(curve: EvidenceCurve, limit: Difference | null, names: Names): void {
    const columns = Object.entries(columnsOf(curve, limit, names));
    this.curves = new Map(columns.map(([name, values]) => [name, filled(curve, name, values)]));
    this.newest = curve.times_ms.at(-1) ?? null;
    this.window_ms = Math.max(1, (this.newest ?? 0) - (curve.times_ms[0] ?? 0));
    const at = performance.now();
    this.readings = new Map(columns.map(([name, values]) => [name, { value: values.at(-1) ?? null, quality: 'good' as const, time: this.newest, age_ms: null, at }]));
    this.revision += 1;
  }

  curve(name: string): Curve {
    return this.curves.get(name) ?? new Curve();
  }
}

function filled(of: EvidenceCurve, point: string, values: (number | null)[]): Curve {
  const curve = new Curve();
  curve.load({ point, unit: of.unit, decimated: false, times_ms: of.times_ms, values, min: [], max: [], quality: [] });
  return curve;
}
