// Which plots a twin gets: measured points by unit, estimates by unit with their band and the measurement they
// estimate beside them, innovations, NIS, health, and what is left. The names become test ids and stay stable.
import { unitSign } from './format';
import type { Point, Role, TwinDetail } from './shapes';

/** `incumbent` and `candidate` are the same output of two versions, drawn over each other. */
export type Style = 'measured' | 'estimated' | 'reference' | 'incumbent' | 'candidate' | 'bound';

export interface Line {
  point: string;
  unit: string;
  interval: number | null;
  deviation: string | null;
  style: Style;
  /** Shown with significant digits, because its size has nothing to do with its unit: a difference. */
  fine?: boolean;
}
export interface Level { value: number; text: string; severity: 'none' | 'warning' | 'critical' }
export interface Panel {
  /** kebab-case: measured-cel, estimated-cel, innovation, nis, health, diagnostic-1. */
  name: string;
  title: string;
  unit: string;
  lines: Line[];
  levels: Level[];
  /** Fixed ends of the value axis, where the quantity has them. */
  range: [number, number] | null;
  /** The value axis begins at zero. */
  fromZero: boolean;
  /** Zero lies in the middle of the value axis. */
  centred?: boolean;
}

const HEALTH_LEVELS: Level[] = [
  { value: 0.5, text: 'warning below 0.5', severity: 'warning' },
  { value: 0.2, text: 'critical below 0.2', severity: 'critical' },
];
const ZERO: Level[] = [{ value: 0, text: 'zero', severity: 'none' }];

export function panelsOf(twin: Pick<TwinDetail, 'measured' | 'estimated'>): Panel[] {
  const having = (role: Role): Point[] => twin.estimated.filter((point) => roleOf(point, twin.estimated) === role);
  return [
    ...byUnit(having('estimate')).map(([unit, points]) => estimatedPanel(unit, points, twin)),
    ...byUnit(twin.measured).map(([unit, points]) =>
      panel(`measured-${slug(unit)}`, 'Measured', unit, points.map((p) => line(p, 'measured')))),
    ...having('health-index').slice(0, 1).map(() => healthPanel(having('health-index'))),
    ...byUnit(having('innovation')).map(([unit, points], i) => ({
      ...panel(i === 0 ? 'innovation' : `innovation-${slug(unit)}`, 'Innovation', unit, points.map(estimatedLine)),
      levels: ZERO,
    })),
    ...byUnit(having('nis')).slice(0, 1).map(() => ({
      ...panel('nis', 'NIS (normalised innovation squared)', '1', having('nis').map(estimatedLine)),
      fromZero: true,
    })),
    ...byUnit(having('diagnostic')).map(([unit, points]) =>
      panel(`diagnostic-${slug(unit)}`, 'Diagnostic', unit, points.map(estimatedLine))),
  ];
}

/** A deviation that belongs to no estimate is drawn like any other number, and so is whether a behavior converged. */
function roleOf(point: Point, all: readonly Point[]): Role | null {
  if (point.role === 'converged') return 'diagnostic';
  if (point.role !== 'deviation') return point.role ?? 'diagnostic';
  return all.some((other) => other.role === 'estimate' && deviates(point, other)) ? 'deviation' : 'diagnostic';
}

function deviates(deviation: Point, estimate: Point): boolean {
  return deviation.role === 'deviation' && deviation.of === estimate.name;
}

function estimatedPanel(unit: string, points: Point[], twin: Pick<TwinDetail, 'measured' | 'estimated'>): Panel {
  const estimates = points.map((point): Line => ({
    ...estimatedLine(point),
    deviation: twin.estimated.find((other) => deviates(other, point))?.name ?? null,
  }));
  const about = new Set(points.map((point) => point.of));
  const references = twin.measured
    .filter((point) => point.unit === unit && about.has(point.name))
    .map((point) => line(point, 'reference'));
  const title = estimates.some((l) => l.deviation !== null) ? 'Estimated ± 2 σ' : 'Estimated';
  return panel(`estimated-${slug(unit)}`, title, unit, [...estimates, ...references]);
}

function healthPanel(points: Point[]): Panel {
  const base = panel('health', 'Health index', '1', points.map(estimatedLine));
  return { ...base, levels: HEALTH_LEVELS, range: [0, 1] };
}

function panel(name: string, title: string, unit: string, lines: Line[]): Panel {
  const sign = unitSign(unit);
  const full = sign === '' ? title : `${title}, ${sign}`;
  return { name, title: full, unit, lines, levels: [], range: null, fromZero: false };
}

function line(point: Point, style: Style): Line {
  return { point: point.name, unit: point.unit, interval: point.interval_ms, deviation: null, style };
}

const estimatedLine = (point: Point): Line => line(point, 'estimated');

function byUnit(points: readonly Point[]): [string, Point[]][] {
  const groups = new Map<string, Point[]>();
  for (const point of points) groups.set(point.unit, [...(groups.get(point.unit) ?? []), point]);
  return [...groups];
}

/** What a legend calls a line: the point's name, without its behavior where no other line would share the rest. */
export function labelOf(panel: Panel, line: Line): string {
  if (line.style === 'reference') return `${line.point}, measured`;
  if (line.style !== 'estimated') return line.point;
  const short = rest(line.point);
  return panel.lines.some((other) => other.point !== line.point && rest(other.point) === short) ? line.point : short;
}

const rest = (point: string): string => point.slice(point.indexOf('.') + 1);

/** A unit code as part of a name. */
export function slug(unit: string): string {
  const text = unit.toLowerCase().replaceAll('%', 'percent').replaceAll('/', '-per-').replace(/[^a-z0-9]+/g, '-');
  return text.replace(/^-+|-+$/g, '') || 'other';
}

/** Names of all points whose history the panels need. */
export function pointsOf(panels: readonly Panel[]): string[] {
  return [...new Set(panels.flatMap((p) => p.lines.flatMap((l) => (l.deviation === null ? [l.point] : [l.point, l.deviation]))))];
}
