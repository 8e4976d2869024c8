// Holds the mock host to the API's own document: what it answers has the shapes of docs/generated/openapi.json, so
// that a page which works against the mock works against the host.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { House } from './house.mjs';

const api = JSON.parse(readFileSync(join(import.meta.dirname, '../../../docs/generated/openapi.json'), 'utf8'));
const TYPES = { object: (v) => v !== null && typeof v === 'object' && !Array.isArray(v), array: Array.isArray, string: (v) => typeof v === 'string', integer: Number.isInteger, number: (v) => typeof v === 'number', boolean: (v) => typeof v === 'boolean', null: (v) => v === null };

/** What does not fit, each with its place; the part of JSON Schema that the document uses. */
function misfits(schema, value, at) {
  if (schema.$ref) return misfits(schema.$ref.split('/').slice(1).reduce((part, name) => part[name], api), value, at);
  const any = schema.oneOf ?? schema.anyOf;
  if (any) return any.some((one) => misfits(one, value, at).length === 0) ? [] : [`${at}: none of the shapes that it may have`];
  const own = (schema.allOf ?? []).flatMap((part) => misfits(part, value, at));
  const types = [schema.type ?? []].flat();
  if (types.length > 0 && !types.some((type) => TYPES[type](value))) return [...own, `${at}: ${JSON.stringify(value)?.slice(0, 40)} is not ${types.join(' or ')}`];
  if (schema.enum && !schema.enum.includes(value)) own.push(`${at}: ${value} is none of ${schema.enum.join(', ')}`);
  if (TYPES.array(value) && schema.items) own.push(...value.slice(0, 20).flatMap((one, i) => misfits(schema.items, one, `${at}[${i}]`)));
  if (!TYPES.object(value)) return own;
  own.push(...(schema.required ?? []).filter((name) => !(name in value)).map((name) => `${at}.${name} is missing`));
  for (const [name, member] of Object.entries(value)) {
    const part = schema.properties?.[name];
    if (part) own.push(...misfits(part, member, `${at}.${name}`));
    else if (schema.additionalProperties === false) own.push(`${at}.${name} is not known`);
  }
  return own;
}

describe('the mock host', () => {
  const house = new House(3, false, 0.01);
  house.step(house.started + 500);
  const fits = (name, value) => expect(misfits(api.components.schemas[name], value, name)).toEqual([]);
  // As it goes over the wire: members that are undefined are not there.
  const sent = (value) => JSON.parse(JSON.stringify(value));

  it('answers as the API document says', () => {
    fits('SiteView', sent(house.site()));
    fits('TwinsView', sent(house.twins('', '', '', 10)));
    fits('TwinView', sent(house.detail(house.find('motor-7'))));
    fits('PluginsView', sent(house.plugins()));
    fits('AlarmsView', sent(house.alarms.view(10)));
    fits('JournalView', sent(house.journal(10, Infinity, null)));
  });

  it('has rollouts as the API document says, in every phase that it shows', () => {
    for (const rollout of house.rollouts.list) fits('RolloutView', sent(rollout));
    expect(new Set(house.rollouts.list.map((rollout) => rollout.phase)).size).toBe(6);
    fits('RolloutPreview', sent(house.rollouts.preview({ plugin: 'motor-thermal', version: '1.6.0' })));
  });

  // The document knows these once it is made from an api that has them.
  it.skipIf(api.components.schemas.CommandsView === undefined)('has commands, targets and authority as the API document says', () => {
    const { commands, targets } = house;
    fits('CommandsView', sent(commands.view(new Map([['limit', '100']]))));
    for (const one of commands.list) fits('CommandDetail', sent(commands.detail(one)));
    fits('TargetsView', sent(targets.view(null, commands.dispatch(), commands.openOf)));
    fits('AuthorityView', sent(targets.authority('motor-7')));
  });

  // As soon as the document is made from an api that has them.
  it.skipIf(api.components.schemas.CertificatesView === undefined)('has certificates as the API document says', () => {
    fits('CertificatesView', sent(house.certificates.view()));
    expect(new Set(house.certificates.servers.map((one) => one.rejection)).size).toBe(4);
    expect(new Set(house.certificates.clients.map((one) => one.rejection)).size).toBe(3);
  });

  // As soon as the document is made from an api that has it.
  it.skipIf(api.components.schemas.ThreadView === undefined)('has the thread of an asset as the API document says', () => {
    const { body } = house.threads.view(house.find('motor-7'), new Map([['limit', '200']]));
    fits('ThreadView', sent(body));
    expect(new Set(body.entries.map((entry) => entry.kind)).size).toBeGreaterThanOrEqual(6);
  });

  it('would be caught with another shape', () => {
    const [rollout] = sent(house.rollouts.list);
    expect(misfits(api.components.schemas.RolloutView, { ...rollout, phase: 'resting' }, 'r').join()).toContain('r.phase');
    expect(misfits(api.components.schemas.RolloutView, { ...rollout, to: { version: '1' } }, 'r')).toEqual(['r.to.digest is missing']);
    expect(misfits(api.components.schemas.RolloutView, { ...rollout, evidence: { ...rollout.evidence, rows: 'many' } }, 'r')).not.toEqual([]);
  });
});
