// What the page knows of alarms: words for their states, their order, which orders fit, and how a live event changes
// the list.
import type { Alarm, AlarmCounts, AlarmMark, AlarmState } from './alarm-shapes';
import { moment } from './format';
import type { Priority } from './shapes';

export type AlarmOrder = 'acknowledge' | 'shelve' | 'unshelve' | 'out-of-service' | 'in-service' | 'reset';

/** Minutes that the page offers for the shelf. */
export const SHELF_MINUTES = [15, 30, 60, 120, 480] as const;

const WORDS: Record<AlarmState, string> = {
  normal: 'normal', unacknowledged: 'active, not acknowledged', acknowledged: 'active, acknowledged', returned: 'over, not acknowledged',
  'latched-unacknowledged': 'over, latched, not acknowledged', 'latched-acknowledged': 'over, latched', shelved: 'shelved',
  'suppressed-by-design': 'suppressed by design', 'suppressed-by-staleness': 'suppressed: twin is stale', 'out-of-service': 'out of service',
};
const PRIORITIES: readonly Priority[] = ['journal', 'low', 'medium', 'high', 'critical'];
const UNACKNOWLEDGED: readonly AlarmState[] = ['unacknowledged', 'returned', 'latched-unacknowledged'];
const SUPPRESSED: readonly AlarmState[] = ['shelved', 'suppressed-by-design', 'suppressed-by-staleness', 'out-of-service'];

export const stateWords = (state: AlarmState): string => WORDS[state] ?? state;
export const wantsAcknowledgement = (state: AlarmState): boolean => UNACKNOWLEDGED.includes(state);
export const isSuppressed = (state: AlarmState): boolean => SUPPRESSED.includes(state);
export const alarmKey = (alarm: Pick<Alarm, 'twin' | 'name'>): string => `${alarm.twin}/${alarm.name}`;

const when = (alarm: Alarm): number => Date.parse(alarm.raised ?? alarm.since);

/** The highest priority first, of one priority the newest first; equals stand by name. */
export function sortedAlarms(alarms: readonly Alarm[]): Alarm[] {
  const rank = (alarm: Alarm) => PRIORITIES.indexOf(alarm.priority);
  return [...alarms].sort((a, b) => rank(b) - rank(a) || when(b) - when(a) || alarmKey(a).localeCompare(alarmKey(b), 'en', { numeric: true }));
}

/** The list after a live event: an alarm that has become normal leaves it. */
export function withAlarm(alarms: readonly Alarm[], changed: Alarm): Alarm[] {
  const others = alarms.filter((alarm) => alarmKey(alarm) !== alarmKey(changed));
  return sortedAlarms(changed.state === 'normal' ? others : [...others, changed]);
}

/** The orders that fit an alarm as it stands. */
export function ordersFor(alarm: Alarm): AlarmOrder[] {
  if (alarm.out_of_service !== null) return ['in-service'];
  if (alarm.shelved !== null) return ['unshelve', 'out-of-service'];
  const rest: AlarmOrder[] = ['shelve', 'out-of-service'];
  if (wantsAcknowledgement(alarm.state)) return ['acknowledge', ...rest];
  return alarm.state === 'latched-acknowledged' ? ['reset', ...rest] : rest;
}

/** Who did the last thing to it, and until when it holds. */
export function markWords(alarm: Alarm): string {
  const told = (what: string, mark: AlarmMark) =>
    `${what} by ${mark.by}${mark.until === null ? '' : ` until ${moment(mark.until)}`}${mark.reason === '' ? '' : `: ${mark.reason}`}`;
  if (alarm.out_of_service !== null) return told('out of service', alarm.out_of_service);
  if (alarm.shelved !== null) return told('shelved', alarm.shelved);
  return alarm.acknowledged === null ? '' : told('acknowledged', alarm.acknowledged);
}

/** Alarms that a person should see, by priority, worst first; those with none are left out. */
export function countsByPriority(counts: AlarmCounts): [Priority, number][] {
  const all: [Priority, number][] = [['critical', counts.critical], ['high', counts.high], ['medium', counts.medium], ['low', counts.low]];
  return all.filter(([, n]) => n > 0);
}
