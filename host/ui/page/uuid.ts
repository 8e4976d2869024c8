// Ids of commands: UUIDs of version 7, made where the wish is made, so that a wish that is sent twice is one command.

const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

/** `now` in ms since 1970, by the host's clock: the host refuses ids that are too old or ahead of it. */
export function uuid7(now: number, random: Uint8Array = crypto.getRandomValues(new Uint8Array(10))): string {
  const time = Math.max(0, Math.floor(now)).toString(16).padStart(12, '0').slice(-12);
  const [a = 0, b = 0, c = 0, ...rest] = random;
  const tail = rest.slice(0, 7).map(hex).join('').padEnd(14, '0');
  const version = hex((a & 0x0f) | 0x70) + hex(b);
  const variant = hex((c & 0x3f) | 0x80) + tail.slice(0, 2);
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}-${variant}-${tail.slice(2)}`;
}
