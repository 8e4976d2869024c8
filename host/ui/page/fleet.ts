// Order of the fleet table's rows. Worst last in ascending order; what is not known sorts below everything known.
import type { Priority, Summary, TwinState } from './shapes';

export type Column = 'id' | 'type' | 'state' | 'age' | 'health' | 'alerts' | 'authority';

const PRIORITIES: readonly (Priority | null)[] = [null, 'journal', 'low', 'medium', 'high', 'critical'];
const STATES: readonly TwinState[] = ['live', 'waiting', 'stale'];
const AUTHORITIES = ['observe', 'advise', 'control'];
const NAMES = new Intl.Collator('en', { numeric: true });

function compare(a: Summary, b: Summary, column: Column): number {
  switch (column) {
    case 'id': return NAMES.compare(a.id, b.id);
    case 'type': return NAMES.compare(a.type, b.type);
    case 'state': return STATES.indexOf(a.state) - STATES.indexOf(b.state);
    case 'age': return (a.age_ms ?? -1) - (b.age_ms ?? -1);
    case 'health': return (a.health.index ?? -1) - (b.health.index ?? -1);
    case 'alerts': return rank(a) - rank(b) || a.alerts.active - b.alerts.active;
    case 'authority': return AUTHORITIES.indexOf(a.authority) - AUTHORITIES.indexOf(b.authority);
  }
}

const rank = (twin: Summary): number => PRIORITIES.indexOf(twin.alerts.highest);

/** A sorted copy; equals stand in order of id whichever way it goes. */
export function sorted(twins: readonly Summary[], column: Column, down: boolean): Summary[] {
  const sign = down ? -1 : 1;
  return [...twins].sort((a, b) => sign * compare(a, b, column) || NAMES.compare(a.id, b.id));
}
