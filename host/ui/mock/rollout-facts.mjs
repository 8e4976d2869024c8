// What must be so on the pages of rollouts, looked at in a real browser: the list, both versions' curves as pixels,
// the verdict, orders with token and typed confirmation, and the start of a rollout from the page of plugins.

const TOKEN = 'mock-token';

/** Counts pixels of a plot that have about this colour of the style sheet. */
const PIXELS = `
  const drawn = document.querySelector('[data-testid="plot-' + arguments[0] + '"] canvas');
  const canvas = Object.assign(document.createElement('canvas'), { width: drawn.width, height: drawn.height });
  const copy = canvas.getContext('2d', { willReadFrequently: true });
  copy.drawImage(drawn, 0, 0);
  const hex = getComputedStyle(document.documentElement).getPropertyValue('--' + arguments[1]).trim();
  const want = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200 && want.every((w, k) => Math.abs(data[i + k] - w) < 12)) found += 1;
  return found;`;

export async function rolloutFacts({ browser, url, fact, picture }) {
  const has = async (testid, part) => ((await browser.text(testid)) ?? '').replaceAll('\u202f', ' ').includes(part);
  const count = (selector) => browser.run('return document.querySelectorAll(arguments[0]).length', selector);
  const disabled = (testid) => browser.run('return document.querySelector(`[data-testid="${arguments[0]}"]`)?.disabled ?? null', testid);
  const open = async (path) => { await browser.go('about:blank'); await browser.go(`${url}#/${path}`); };

  async function order(name, id, token) {
    await browser.click(`order-${name}`);
    await fact(`${name} of rollout ${id} cannot be sent before it is typed`, async () => (await disabled('confirm-send')) === true);
    await browser.fill('confirm-word', `${name} ${id}`);
    if (token !== null) await browser.fill('token', token);
    await fact('and can then', async () => (await disabled('confirm-send')) === false);
    await browser.click('confirm-send');
  }

  async function list() {
    await open('rollouts');
    await fact('the list has every rollout, newest first', async () => (await browser.run('return [...document.querySelectorAll("[data-testid=rollouts] tbody [data-testid^=rollout-]")].map((r) => r.dataset.testid).join(" ")')) === 'rollout-6 rollout-5 rollout-4 rollout-3 rollout-2 rollout-1');
    await fact('with phase, versions and verdict', async () => (await has('rollout-3', 'rolled back')) && (await has('rollout-3', '0.10.0-rc.1')) && (await has('rollout-3', 'fail')));
    await fact('and why one failed', async () => has('rollouts', 'does not read state schema 2'));
    await picture('rollouts');
  }

  async function shadow() {
    await open('rollouts/6');
    await fact('a rollout in shadow says so', async () => (await browser.attribute('phase', 'data-phase')) === 'shadow');
    await fact('both versions are drawn', async () => (await browser.run(PIXELS, 'compare', 'pen-old')) > 300 && (await browser.run(PIXELS, 'compare', 'pen-new')) > 150);
    await fact('and their difference between its limits', async () => (await browser.run(PIXELS, 'difference', 'pen-new')) > 150 && (await count('[data-testid="plot-difference"] .legend li')) === 3);
    const before = Number(await browser.attribute('plot-compare', 'data-last-ms'));
    await fact('the curves move', async () => Number(await browser.attribute('plot-compare', 'data-last-ms')) > before + 500);
    await fact('every check has a row', async () => (await count('[data-testid="checks"] tbody tr')) === 10);
    await fact('what comes next, what it waits for and what else becomes of it is said', async () => (await has('next', 'Next: canary, when every check passes')) && (await has('next', '600 compared rows')) && (await has('next', '1.6.0 is dropped and 1.4.0 goes on')));
    await fact('each phase to come has its limit', async () => (await has('phase', 'now, at most 30 min')) && (await has('phase', 'to come, at most 1 h')));
    const left = await browser.text('countdown');
    await fact('the time left counts down', async () => (await browser.text('countdown')) !== left && /min/.test(left));
    await browser.fill('choose-twin', 'motor-7');
    await browser.fill('choose-output', 'bearing_temperature');
    await fact('another curve is shown when it is chosen', async () => has('plot-compare', 'bearing_temperature'));
    await fact('roll back is not offered before the new version counts', async () => (await disabled('order-rollback')) === true);
    await picture('rollout-shadow');
  }

  async function orders() {
    await browser.click('order-promote');
    await browser.fill('confirm-word', 'promote 6');
    await browser.fill('token', TOKEN);
    await fetch(`${url}api/v1/rollouts/6/promote`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } });
    await fact('an order asked for in one phase is not sent in the next', async () => (await has('order-refusal', 'from shadow to canary')) && (await disabled('confirm-send')) === true);
    await browser.click('confirm-leave');
    await order('cancel', 6, 'wrong');
    await fact('a wrong token is told in words', async () => has('order-problem', 'not the token of this host'));
    await fact('and nothing happened', async () => (await (await fetch(`${url}api/v1/rollouts/6`)).json()).phase === 'canary');
    await browser.fill('token', TOKEN);
    await browser.click('confirm-send');
    await fact('a cancelled rollout shows as cancelled', async () => (await browser.attribute('phase', 'data-phase')) === 'cancelled');
    await fact('with what runs now', async () => (await has('standing', 'Cancelled by token')) && (await has('standing', 'As before, version 1.4.0 runs')));
    await fact('and takes no order any more', async () => (await Promise.all(['promote', 'cancel', 'rollback'].map((name) => disabled(`order-${name}`)))).every(Boolean));
    await picture('rollout-cancelled');
    await browser.run('location.hash = "#/rollouts/5"');
    await fact('one that waits for a person says so', async () => has('standing', 'wants a person'));
    await order('promote', 5, null);
    await fact('promote calls the host', async () => ['promoting', 'probation'].includes((await (await fetch(`${url}api/v1/rollouts/5`)).json()).phase));
    await fact('and the page follows', async () => (await browser.attribute('phase', 'data-phase')) === 'probation' && (await browser.text('authoritative')) === '81');
    await order('rollback', 5, null);
    await fact('roll back brings the old version back', async () => (await browser.attribute('phase', 'data-phase')) === 'rolled-back' && (await has('standing', 'Rolled back by token')));
  }

  async function past() {
    await open('rollouts/3');
    await fact('what failed stands first', async () => (await browser.run('return document.querySelector("[data-testid=checks] tbody tr").dataset.testid')) === 'check-fail');
    await fact('with its worst rows and faults', async () => (await has('worst', 'pump-0012')) && (await has('faults', 'out of bounds')));
    await fact('both versions’ costs stand side by side', async () => (await has('sides', '11 840')) && (await has('sides', '51 300')));
    await fact('and what it declares otherwise', async () => (await has('changes', 'widening')));
    await fact('each phase has its own verdict', async () => (await has('judged-promoting', 'pass')) && (await has('judged-probation', 'fail')));
    await fact('in the bar of phases too', async () => (await count('[data-testid="phase"] .step-done .judged-pass')) === 1 && (await count('[data-testid="phase"] .step-stopped .judged-fail')) === 1);
    await browser.run('document.querySelector("[data-testid=judged-promoting] summary").focus()');
    await browser.keys(' ');
    await fact('and opens by the keyboard with checks, curves and numbers', async () => (await count('[data-testid="checks-promoting"] tbody tr')) > 4 && (await count('[data-testid="judged-promoting"] canvas')) === 2 && (await count('[data-testid="outputs-promoting"] tbody tr')) > 2);
    await fact('with every id only once', async () => browser.run('const all = [...document.querySelectorAll("[id]")].map((e) => e.id); return new Set(all).size === all.length'));
    await browser.run('document.querySelector("[data-testid=judged-phases]").scrollIntoView()');
    await picture('rollout-phases');
    await picture('rollout-rolled-back');
    await open('rollouts/1');
    await fact('a permanent one went the whole way', async () => (await count('[data-testid="phase"] .step-done')) === 8);
    await open('rollouts/99');
    await fact('an unknown one is said to be unknown', async () => has('no-rollout', 'There is no rollout 99'));
  }

  async function begin() {
    await open('plugins');
    await fact('a version can be rolled out from the plugins', async () => (await browser.text('start-motor-thermal-1.6.0')) !== null);
    await browser.click('start-motor-thermal-1.6.0');
    await fact('its form knows the outputs', async () => (await browser.attribute('limit-winding_temperature', 'placeholder')) === 'no limit');
    await browser.fill('shadow-rows', 'many');
    await fact('what is no number is told', async () => has('plan-form', '“many” is not a number'));
    await browser.fill('shadow-rows', '300');
    await browser.fill('limit-winding_temperature', '0.5');
    await browser.fill('canary-kind', 'count');
    await browser.fill('canary-whom', '3');
    await browser.fill('token', TOKEN);
    await browser.click('plan-preview');
    await fact('the preview tells every phase', async () => (await has('preview', 'shadow')) && (await has('preview', 'answers for 3 twins')) && (await disabled('plan-start')) === false);
    await picture('rollout-preview');
    await browser.fill('shadow-rows', '400');
    await fact('a changed plan is looked at again first', async () => (await disabled('plan-start')) === true);
    await browser.click('plan-preview');
    await fact('and can then start', async () => (await disabled('plan-start')) === false);
    await browser.click('plan-start');
    await fact('the page of the new rollout opens', async () => (await browser.run('return location.hash')) === '#/rollouts/7');
    await fact('and goes from phase to phase by itself', async () => (await browser.attribute('phase', 'data-phase')) === 'shadow');
    await fact('with the plan as it was typed', async () => { const { plan } = await (await fetch(`${url}api/v1/rollouts/7`)).json(); return plan.stages.shadow.rows === 400 && plan.stages.canary.count === 3 && plan.stages.acceptance.difference.winding_temperature.absolute === 0.5; });
  }

  for (const part of [list, shadow, orders, past, begin]) {
    await part();
    const elsewhere = await browser.run('return performance.getEntriesByType("resource").map((r) => r.name).filter((name) => !name.startsWith(location.origin))');
    await fact(`nothing was asked of another host while looking at rollouts: ${part.name}`, async () => elsewhere.length === 0);
  }
}
