import { describe, expect, it } from 'vitest';
import { age, count, number, quantity, shortDigest, stateText, unitSign } from './format';

/** Narrow spaces as plain ones, so that the tables can be read. */
const plain = (text: string): string => text.replaceAll('\u202f', ' ').replaceAll('\u2212', '-');

describe('numbers', () => {
  it.each<[number | null | undefined, string, string]>([
    [71.3456, 'Cel', '71.35 °C'], [-0.001, 'Cel', '0.00 °C'], [-0.0123, 'Cel', '-0.01 °C'], [0.0000412, '1', '4.12e-5'], [-3.2, 'Cel', '-3.20 °C'], [0, 'Cel', '0.00 °C'],
    [2.10449, 'bar', '2.104 bar'], [0.02731, '[g]', '0.0273 g₀'], [125.678, 'L/min', '125.68 l/min'], [1480.4, '{rpm}', '1480 rpm'],
    [0.7213, '1', '0.721'], [3.1, 'm/s2', '3.100 m/s²'], [12345678, 'Cel', '1.235e+7 °C'], [null, 'Cel', '–'], [undefined, '1', '–'], [NaN, 'bar', '–'],
    [1234.567, 'N.m', '1235 N·m'], [0.012345, 'N.m', '0.01235 N·m'], [0.00001234, 'N.m', '1.234e-5 N·m'], [5, 'J/m3', '5.000 J/m³'],
  ])('%s %s reads %s', (value, unit, expected) => {
    expect(plain(quantity(value, unit))).toBe(expected);
  });

  it('have as many decimals when they pass a round number', () => {
    expect([9.995, 10.004, 99.99, 100].map((v) => number(v, 'Cel').split('.')[1]?.length)).toEqual([2, 2, 2, 2]);
  });

  it('count in groups of three', () => {
    expect([0, 999, 1_000, 1_234_567].map((n) => plain(count(n)))).toEqual(['0', '999', '1 000', '1 234 567']);
  });

  it.each([['Cel', '°C'], ['1', ''], ['m3/h', 'm³/h'], ['W/m2', 'W/m²'], ['bar', 'bar']])('unit %s reads %s', (unit, expected) => {
    expect(unitSign(unit)).toBe(expected);
  });
});

describe('ages', () => {
  it.each<[number | null, string]>([
    [null, '–'], [0, '0.0 s'], [-50, '0.0 s'], [432, '0.4 s'], [9_940, '9.9 s'], [9_960, '10 s'], [12_400, '12 s'], [59_900, '59 s'], [59_990, '1 min 00 s'],
    [245_000, '4 min 05 s'], [11_520_000, '3 h 12 min'], [442_800_000, '5 d 3 h'],
  ])('%s ms reads %s', (ms, expected) => {
    expect(plain(age(ms))).toBe(expected);
  });

  it('stand in the badge of a stale twin only', () => {
    expect(plain(stateText('stale', 12_700))).toBe('stale – no sample for 12 s');
    expect(plain(stateText('stale', 700))).toBe('stale – no sample for 0.7 s');
    expect(stateText('stale', null)).toBe('stale');
    expect(stateText('live', 300)).toBe('live');
    expect(stateText('waiting', null)).toBe('waiting – never a sample');
  });
});

it('a digest is told by its first eight digits', () => {
  expect(shortDigest('sha256:80a3810e99ff')).toBe('80a3810e');
  expect(shortDigest('80a3810e99ff')).toBe('80a3810e');
});
