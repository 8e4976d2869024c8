// What waits for people: held commands with what the interlocks say of each now, and those of which nobody knows what became.
import { isInDoubt } from './command';
import type { Command, CommandDetail } from './command-shapes';
import { isUnknown, readCommand, readCommands } from './fetch';

/** Held commands that are shown whole. */
export const QUEUE_MAX = 20;
const LIST_MAX = 200;

export interface Queue { held: CommandDetail[]; more: number; doubtful: Command[] }

const end = (command: Command): number => Date.parse(command.until ?? command.not_after);

/** What expires first stands first. */
export const byUrgency = (commands: readonly Command[]): Command[] => [...commands].sort((a, b) => end(a) - end(b) || a.number - b.number);

/** `also`: one that is looked at and stays in view, whatever became of it. */
export async function readQueue(also: string | null): Promise<Queue> {
  const [held, doubtful] = await Promise.all([readCommands({ limit: LIST_MAX, state: 'held' }), readCommands({ limit: LIST_MAX, state: 'indeterminate' })]);
  const ids = byUrgency(held.commands).slice(0, QUEUE_MAX).map((command) => command.id);
  if (also !== null && !ids.includes(also)) ids.unshift(also);
  const details = await Promise.all(ids.map((id) => readCommand(id).catch((error: unknown) => {
    if (isUnknown(error)) return null;
    throw error;
  })));
  return {
    held: details.filter((detail) => detail !== null), more: Math.max(0, held.commands.length - QUEUE_MAX), doubtful: doubtful.commands.filter(isInDoubt),
  };
}
