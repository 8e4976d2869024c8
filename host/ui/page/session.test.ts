// What the page offers to whom.
import { describe, expect, it } from 'vitest';
import { heldOf, isKnown, offers, pagesFor, passwordObjection, seesSite, title, type Role, type Session } from './session';

function session(roles: Role[], more: Partial<Session> = {}): Session {
  return { name: 'ada', kind: 'person', owner: null, roles, twins: ['*'], users: true, ...more };
}

describe('what the page offers', () => {
  it.each([
    ['viewer', false, false], ['operator', true, false], ['engineer', true, true], ['approver', false, false], ['admin', true, true],
  ] as const)('to a %s: alarms %s, plugins %s', (role, alarms, plugins) => {
    expect([offers(session([role]), 'alarms'), offers(session([role]), 'plugins')]).toEqual([alarms, plugins]);
  });

  it('to several roles is what each of them may', () => {
    expect(offers(session(['approver', 'operator']), 'alarms')).toBe(true);
  });

  it('to whoever sees some twins is nothing about the whole site', () => {
    const engineer = session(['engineer'], { twins: ['pump-*'] });
    expect([offers(engineer, 'alarms'), offers(engineer, 'plugins'), seesSite(engineer)]).toEqual([true, false, false]);
    expect(offers(engineer, 'certificates')).toBe(false);
    const pages = [{ page: 'fleet' }, { page: 'plugins' }, { page: 'rollouts' }, { page: 'certificates' }, { page: 'journal' }];
    expect(pagesFor(pages, engineer).map((item) => item.page)).toEqual(['fleet', 'journal']);
    expect(pagesFor(pages, session(['viewer']))).toEqual(pages);
  });

  it('at a site without users is everything, against the token', () => {
    const visitor = session(['viewer'], { kind: 'visitor', users: false });
    expect([offers(visitor, 'plugins'), isKnown(visitor)]).toEqual([true, false]);
    expect([offers(null, 'alarms'), isKnown(null), seesSite(null)]).toEqual([true, false, true]);
    expect(isKnown(session(['viewer']))).toBe(true);
  });

  it('of commands, approvals and interlocks is by role', () => {
    const may = (role: Role) => (['command', 'approve', 'interlocks'] as const).filter((act) => offers(session([role]), act));
    expect(may('viewer')).toEqual([]);
    expect(may('operator')).toEqual(['command', 'interlocks']);
    expect(may('engineer')).toEqual(['interlocks']);
    expect(may('approver')).toEqual(['approve', 'interlocks']);
    expect(may('admin')).toEqual(['command', 'approve', 'interlocks']);
  });

  it('of certificates is by role, as for plugins', () => {
    const may = (['viewer', 'operator', 'engineer', 'approver', 'admin'] as const).filter((role) => offers(session([role]), 'certificates'));
    expect(may).toEqual(['engineer', 'admin']);
  });

  it('to act in a role is to those who have it', () => {
    const roles = ['operator', 'engineer'] as const;
    expect(heldOf(session(['engineer']), roles)).toEqual(['engineer']);
    expect(heldOf(session(['admin']), roles)).toEqual(roles);
    expect(heldOf(session(['viewer'], { kind: 'visitor', users: false }), roles)).toEqual(roles);
  });

  it('names who it is', () => {
    expect(title(session(['operator', 'approver']))).toBe('ada (operator, approver)');
  });
});

describe('a new password', () => {
  const [now, next] = ['correct horse battery', 'another horse entirely'];
  it.each([
    [next, next, null], ['', '', null], [next, '', null], [next, 'another', 'The new password is not the same twice.'],
    ['eleven char', 'eleven char', 'A password has at least 12 characters.'], ['éééééééééééé', 'éééééééééééé', null],
    ['ADA.LOVELACE.1', 'ADA.LOVELACE.1', 'The password is the name.'], [now, now, 'The new password is the present one.'],
  ])('%s and %s', (one, again, expected) => {
    expect(passwordObjection('ada.lovelace.1', now, one, again)).toBe(expected);
  });
});
