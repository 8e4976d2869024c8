// What a plot panel needs of whoever fills it: curves by name, their newest values, and when to draw again.
import type { Curve } from './curve';
import type { Readings } from './readings';
import type { Mark } from './shapes';

export interface Drawn {
  /** Counts what the plots should draw. */
  readonly revision: number;
  readonly marks: readonly Mark[];
  /** Where the drawn window ends; null while there is nothing. */
  readonly newest: number | null;
  readonly window_ms: number;
  readonly readings: Readings;
  curve(point: string): Curve;
}
