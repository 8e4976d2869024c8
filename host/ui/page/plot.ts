// One uPlot chart: its options from a panel, its bands, its level lines and its swap marks. Colours are read from
// the style sheet when drawing, so a change of theme needs a redraw only. Marks are elements over the canvas, so
// that they can be found, read and tested.
import uPlot from 'uplot';
import type { Aligned } from './align';
import { markLabel } from './entries';
import { clock, day, tickText } from './format';
import type { Line, Panel } from './panels';
import type { Mark } from './shapes';
import { colour } from './theme.svelte';

export const HEIGHT = 168;
const PENS = 6;
/** About the width of a mark's label; labels nearer than this stand below each other. */
const LABEL_PX = 210;
const LABEL_ROWS = 4;
const [SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS] = [1_000, 60_000, 3_600_000, 86_400_000];
/** Distances of time ticks, in round clock units. */
const TICKS_MS = [
  ...[1, 2, 5, 10, 15, 20, 30].map((n) => n * SECOND_MS),
  ...[1, 2, 5, 10, 15, 20, 30].map((n) => n * MINUTE_MS),
  ...[1, 2, 3, 4, 6, 12].map((n) => n * HOUR_MS),
  ...[1, 2, 7, 14, 30].map((n) => n * DAY_MS),
];

/** Which custom property colours a line, and how it is dashed: pens differ by more than their hue. */
export function pen(lines: readonly Line[], index: number): { variable: string; dash: number[]; width: number } {
  const line = lines[index];
  if (line?.style === 'reference' || line?.style === 'bound') return { variable: 'pen-reference', dash: [], width: 1 };
  // Where two versions agree the thin dark line lies in the middle of the broad pale one, and both are seen.
  if (line?.style === 'incumbent') return { variable: 'pen-old', dash: [], width: 4 };
  if (line?.style === 'candidate') return { variable: 'pen-new', dash: [], width: 1.5 };
  const place = lines.slice(0, index).filter((l) => l.style === 'measured' || l.style === 'estimated').length;
  const dash = [[], [6, 3], [2, 2], [8, 3, 2, 3]][Math.floor(place / PENS) % 4] ?? [];
  return { variable: `pen-${place % PENS}`, dash, width: line?.style === 'estimated' ? 1.75 : 1.25 };
}

export interface Chart {
  show(aligned: Aligned, from: number, to: number, marks: readonly Mark[]): void;
  visible(index: number, shown: boolean): void;
  width(px: number): void;
  move(step: number): void;
  redraw(): void;
  destroy(): void;
}

/** `pointed` hears the time under the crosshair, null when there is none. */
export function chart(target: HTMLElement, panel: Panel, width: number, pointed: (time: number | null) => void): Chart {
  let marks: readonly Mark[] = [];
  const plot = new uPlot(
    {
      width,
      height: HEIGHT,
      ms: 1,
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { size: 6 },
        sync: { key: 'twin', setSeries: false },
      },
      scales: { x: { time: true, auto: false }, y: { range: (_, low, high) => valueRange(panel, low, high) } },
      axes: [timeAxis(), valueAxis(panel)],
      series: [{}, ...panel.lines.flatMap((_, i) => seriesOf(panel, i))],
      bands: panel.lines.map((_, i) => ({
        series: [3 * i + 3, 3 * i + 2],
        fill: () => tint(colour(pen(panel.lines, i).variable)),
      })),
      hooks: {
        setCursor: [(u) => pointed(u.cursor.idx == null ? null : u.data[0][u.cursor.idx] ?? null)],
        drawAxes: [(u) => drawLevels(u, panel)],
        draw: [(u) => placeMarks(u, marks)],
      },
    },
    [[], ...panel.lines.flatMap(() => [[], [], []])],
    target,
  );
  return {
    show(aligned, from, to, newMarks) {
      marks = newMarks;
      const columns = aligned.columns.flatMap((c) => [c.values, c.banded ? c.low : [], c.banded ? c.high : []]);
      plot.batch(() => {
        plot.setData([aligned.times, ...columns] as uPlot.AlignedData, false);
        plot.setScale('x', { min: from, max: to });
      });
    },
    visible(index, shown) {
      for (const offset of [1, 2, 3]) plot.setSeries(3 * index + offset, { show: shown });
    },
    width: (px) => plot.setSize({ width: px, height: HEIGHT }),
    move(step) {
      const times = plot.data[0];
      const at = Math.min(times.length - 1, Math.max(0, (plot.cursor.idx ?? times.length - 1) + step));
      const time = times[at];
      if (time !== undefined) plot.setCursor({ left: plot.valToPos(time, 'x'), top: 10 });
    },
    redraw: () => plot.redraw(false, true),
    destroy: () => plot.destroy(),
  };
}

function seriesOf(panel: Panel, index: number): uPlot.Series[] {
  const { variable, dash, width } = pen(panel.lines, index);
  const edge: uPlot.Series = { stroke: 'transparent', width: 0, points: { show: false }, spanGaps: false };
  return [
    { stroke: () => colour(variable), width, dash, points: { show: alone, size: 4 }, spanGaps: false },
    edge,
    edge,
  ];
}

/** Points are drawn only where a line could not be seen: few of them. */
function alone(plot: uPlot, series: number, from: number, to: number): boolean {
  return to - from < 12 && (plot.data[series]?.length ?? 0) > 0;
}

/** A band is its pen, thinned; colours of the style sheet are `#rrggbb`. */
function tint(hex: string): string {
  return `${hex}2e`;
}

function valueRange(panel: Panel, low: number | null, high: number | null): [number, number] {
  if (panel.range !== null) return [panel.range[0] - 0.04, panel.range[1] + 0.04];
  if (low === null || high === null) return [0, 1];
  if (panel.centred) {
    const far = 1.12 * Math.max(Math.abs(low), Math.abs(high)) || 1;
    return [-far, far];
  }
  const span = Math.max(high - low, Math.abs(high) * 1e-4, 1e-6);
  const bottom = panel.fromZero && low >= 0 ? 0 : low - 0.12 * span;
  return [bottom, high + 0.12 * span];
}

function timeAxis(): uPlot.Axis {
  return {
    stroke: () => colour('muted'),
    grid: { stroke: () => colour('grid'), width: 1 },
    ticks: { show: false },
    size: 24,
    gap: 4,
    space: 72,
    incrs: TICKS_MS,
    font: '11px system-ui, sans-serif',
    values: (_, splits) => splits.map((time, i) => {
      const before = splits[i - 1];
      const newDay = before !== undefined && day(before) !== day(time);
      const short = (splits.at(-1) ?? 0) - (splits[0] ?? 0) < DAY_MS / 2 ? clock(time) : clock(time).slice(0, 5);
      return newDay ? day(time) : short;
    }),
  };
}

function valueAxis(panel: Panel): uPlot.Axis {
  return {
    stroke: () => colour('muted'),
    grid: { stroke: () => colour('grid'), width: 1 },
    ticks: { show: false },
    size: 62,
    gap: 6,
    space: 30,
    font: '11px system-ui, sans-serif',
    values: (_, splits, _axis, _space, step) => splits.map((value) => tickText(value, step, panel.unit)),
  };
}

function drawLevels(plot: uPlot, panel: Panel): void {
  const { ctx, bbox } = plot;
  for (const level of panel.levels) {
    const y = Math.round(plot.valToPos(level.value, 'y', true)) + 0.5;
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.save();
    ctx.strokeStyle = colour(level.severity === 'none' ? 'line-strong' : `level-${level.severity}`);
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash(level.severity === 'none' ? [] : [5 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }
}

function placeMarks(plot: uPlot, marks: readonly Mark[]): void {
  const { min, max } = plot.scales.x ?? {};
  const wanted = marks.filter((mark) => min != null && max != null && mark.time_ms >= min && mark.time_ms <= max);
  const have = [...plot.over.querySelectorAll<HTMLElement>('.swap-mark')];
  have.slice(wanted.length).forEach((extra) => extra.remove());
  let [row, before] = [0, Number.NEGATIVE_INFINITY];
  wanted.forEach((mark, i) => {
    const element = have[i] ?? plot.over.appendChild(newMark());
    const left = plot.valToPos(mark.time_ms, 'x');
    element.style.transform = `translateX(${left.toFixed(1)}px)`;
    element.classList.toggle('left', left > plot.over.clientWidth - LABEL_PX);
    row = left - before < LABEL_PX ? (row + 1) % LABEL_ROWS : 0;
    before = left;
    element.style.setProperty('--row', String(row));
    element.dataset.timeMs = String(mark.time_ms);
    const label = element.firstElementChild;
    if (label !== null && element.title !== mark.text) {
      label.textContent = markLabel(mark.text);
      element.title = mark.text;
    }
  });
}

function newMark(): HTMLElement {
  const element = document.createElement('div');
  element.className = 'swap-mark';
  element.dataset.testid = 'swap-mark';
  element.append(document.createElement('span'));
  return element;
}
