import { describe, expect, it } from 'vitest';
import { labelOf, panelsOf, pointsOf, slug } from './panels';
import type { Point, Role } from './shapes';

function point(name: string, unit: string, role: Role | null = null, of: string | null = null): Point {
  const empty = { value: null, quality: 'missing' as const, time: null, received: null, age_ms: null };
  return { name, unit, role, of, behavior: role === null ? null : 'thermal', interval_ms: 1_000, description: '', ...empty };
}

const MOTOR = {
  measured: [point('temperature', 'Cel'), point('current', 'A'), point('ambient', 'Cel')],
  estimated: [
    point('thermal.winding', 'Cel', 'estimate'),
    point('thermal.winding_sd', 'Cel', 'deviation', 'thermal.winding'),
    point('thermal.surface', 'Cel', 'estimate', 'temperature'),
    point('thermal.innovation', 'Cel', 'innovation', 'temperature'),
    point('thermal.nis', '1', 'nis', 'temperature'),
    point('health.index', '1', 'health-index'),
    point('health.score', '1', 'diagnostic'),
    point('lost_sd', 'K', 'deviation', 'nothing'),
  ],
};

describe('panels', () => {
  const panels = panelsOf(MOTOR);
  const named = (name: string) => panels.find((panel) => panel.name === name);

  it('have stable names in a fixed order', () => {
    expect(panels.map((panel) => panel.name)).toEqual([
      'estimated-cel', 'measured-cel', 'measured-a', 'health', 'innovation', 'nis', 'diagnostic-1', 'diagnostic-k',
    ]);
  });

  it('group measurements by unit', () => {
    expect(named('measured-cel')?.lines.map((line) => line.point)).toEqual(['temperature', 'ambient']);
    expect(named('measured-cel')?.title).toBe('Measured, °C');
  });

  it('give an estimate its deviation, and the measurement that it estimates beside it', () => {
    expect(named('estimated-cel')?.lines.map((l) => [l.point, l.style, l.deviation])).toEqual([
      ['thermal.winding', 'estimated', 'thermal.winding_sd'], ['thermal.surface', 'estimated', null], ['temperature', 'reference', null],
    ]);
  });

  it('draw the levels of health at 0.5 and 0.2 on a fixed axis', () => {
    expect(named('health')?.levels.map((level) => level.value)).toEqual([0.5, 0.2]);
    expect(named('health')?.range).toEqual([0, 1]);
  });

  it('ask for the history of every line and deviation once', () => {
    const points = pointsOf(panels);
    expect(new Set(points).size).toBe(points.length);
    expect(points).toContain('thermal.winding_sd');
    expect(points.length).toBe(MOTOR.measured.length + MOTOR.estimated.length);
  });

  it('lose no point, whatever roles a plugin declares', () => {
    const drawn = new Set(pointsOf(panels));
    for (const { name } of [...MOTOR.measured, ...MOTOR.estimated]) expect(drawn).toContain(name);
  });

  it('name lines shortly unless two would be the same', () => {
    const twice = panelsOf({ measured: [], estimated: [point('a.x', 'K', 'estimate'), point('b.x', 'K', 'estimate'), point('b.y', 'K', 'estimate')] });
    expect(twice[0]?.lines.map((line) => labelOf(twice[0]!, { ...line }))).toEqual(['a.x', 'b.x', 'y']);
  });

  it('of nothing are none', () => {
    expect(panelsOf({ measured: [], estimated: [] })).toEqual([]);
  });

  it.each([['Cel', 'cel'], ['1', '1'], ['%', 'percent'], ['m/s2', 'm-per-s2'], ['[g]', 'g'], ['', 'other']])('unit %s is %s in a name', (unit, expected) => {
    expect(slug(unit)).toBe(expected);
  });
});
