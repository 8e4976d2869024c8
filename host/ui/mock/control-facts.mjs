// What must be so on the pages of commands and targets, looked at in a real browser: the queue with reason, evidence and what the
// interlocks say now; approvals of what was shown and of nothing else; targets with rules, latches, bypasses; the switch of
// authority; and what stands on every screen.
const TOKEN = 'mock-token';
const LOAD = '01990000-0000-7000-8000-000000000062';
const FAN = '01990000-0000-7000-8000-000000000063';
const LOST = '01990000-0000-7000-8000-000000000061';

export async function controlFacts({ browser, url, fact: told, picture, happen }) {
  /** What was read last, for the reason of a fact that is not so. */
  let seen = '';
  const fact = (what, ask) => told(what, async () => (await ask()) === true || `read last: ${seen.slice(0, 600)}`);
  const text = async (testid) => {
    seen = ((await browser.text(testid)) ?? 'nothing').replaceAll('\u202f', ' ');
    return seen;
  };
  const says = async (testid, pattern) => pattern.test(await text(testid));
  const gone = async (testid) => (await browser.text(testid)) === null;
  const disabled = (testid) => browser.run('return document.querySelector(`[data-testid="${arguments[0]}"]`)?.disabled ?? null', testid);
  const open = async (path) => { await browser.go('about:blank'); await browser.go(`${url}#/${path}`); };
  const state = async (id) => (await (await fetch(`${url}api/v1/commands/${id}`)).json()).command.state;
  const post = (path, body) => fetch(`${url}api/v1/${path}`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body: JSON.stringify(body) });

  async function queue() {
    await open('commands');
    await fact('what waits for approval says what, for whom, why', async () => says(`held-${LOAD}`, /load_limit = 72\.5 %[\s\S]*motor-7[\s\S]*behavior throttle 0\.3\.1[\s\S]*winding reaches 155 °C in 14 min/));
    await fact('its evidence, with quality', async () => says(`held-${LOAD}`, /thermal\.winding_temperature\.in_600_s[\s\S]*149\.8[\s\S]*uncertain/));
    await fact('what the interlocks say of it now', async () => says(`interlocks-${LOAD}`, /They would let it through now/));
    await fact('and of one that they would refuse, the first rule', async () => says(`interlocks-${FAN}`, /“winding hot” would refuse it now/));
    await fact('what expires first stands first', async () => (await browser.run('return [...document.querySelectorAll(".held")].map((e) => e.dataset.testid).join(" ")')) === `held-${LOAD} held-${FAN}`);
    await fact('the header says how many wait, and how many are in doubt', async () => says('command-counts', /2 to approve, 1 in doubt/));
    await fact('the history has fifty, and more on demand', async () => (await says('commands', /63/)) && (await browser.run('return document.querySelectorAll("[data-testid=commands] tbody tr").length')) === 50);
    await browser.click('history-older');
    await fact('older ones come when asked for', async () => (await browser.run('return document.querySelectorAll("[data-testid=commands] tbody tr").length')) === 63 && (await disabled('history-older')) === true);
    await browser.fill('history-state', 'refused');
    await fact('the history is filtered by the host', async () => (await browser.run('return [...document.querySelectorAll("[data-testid=commands] tbody .badge")].every((b) => b.dataset.state === "refused") && document.querySelectorAll("[data-testid=commands] tbody tr").length')) === 9);
    await fact('with the rule that refused', async () => says('commands', /“step”: a step of 24/));
    await browser.fill('history-state', '');
    await picture('commands');
  }

  async function approve() {
    await open('commands');
    await fact('a command can be approved', async () => !(await gone(`approve-${FAN}`)));
    await browser.click(`approve-${FAN}`);
    const { command } = await (await fetch(`${url}api/v1/commands/${FAN}`)).json();
    await fact('the sheet shows the digest that is approved', async () => (await text('shown-digest')) === command.digest);
    await fact('and what the interlocks say', async () => says('sheet-interlocks', /“winding hot” would refuse it now/));
    await browser.fill('token', 'another');
    await fact('nothing is sent without a name', async () => (await disabled('command-send')) === true);
    await browser.fill('command-by', ' ann ');
    await fact('who proposed it cannot approve it, and is told so', async () => (await says('order-objection', /proposed it: somebody else must approve it/)) && (await disabled('command-send')) === true);
    await browser.fill('command-by', 'Bo');
    await fact('somebody else can', async () => (await gone('order-objection')) && (await disabled('command-send')) === false);
    await browser.click('command-send');
    await fact('a wrong token is refused in words', async () => says('command-problem', /not the token/));
    await browser.fill('token', TOKEN);
    await browser.click('command-send');
    await fact('an approval is shown by name, and one is missing', async () => says(`held-${FAN}`, /1 of 2 approvals missing[\s\S]*approved by Bo/));
    await browser.click(`approve-${FAN}`);
    await browser.fill('command-by', 'BO');
    await fact('one person counts once', async () => says('order-objection', /has approved it already/));
    await browser.keys('\uE00C');
    await fact('Escape leaves the sheet', async () => gone('command-confirm'));

    await browser.click(`approve-${LOAD}`);
    await browser.fill('command-by', 'Bo');
    await fact('what stands can be approved', async () => (await disabled('command-send')) === false);
    await happen('supersede');
    await fact('a command that changed meanwhile is said, and cannot be sent', async () => (await says('order-refusal', /Meanwhile it is superseded: command .* took its place/)) && (await disabled('command-send')) === true);
    await picture('command-changed');
    await browser.click('command-leave');
    await fact('and leaves the queue with its sheet', async () => gone(`held-${LOAD}`));
  }

  async function doubt() {
    await fact('one in doubt says what is not known', async () => says(`doubt-${LOST}`, /speed = 1300 rpm[\s\S]*connection broke before the broker answered/));
    await browser.click(`resolve-${LOST}`);
    await browser.fill('command-by', 'Cy');
    await fact('what was found has to be written', async () => (await disabled('command-send')) === true);
    await browser.fill('command-why', 'the pump runs at 1450');
    await browser.click('command-send');
    await fact('once somebody has looked it is in doubt no more', async () => gone(`doubt-${LOST}`));
    await open(`commands/${LOST}`);
    await fact('its page says who found what', async () => says('command-outcome', /Cy has looked: the pump runs at 1450/));
    await fact('and each step with its cause', async () => says('transitions', /proposed[\s\S]*about to leave the host[\s\S]*lost on the way: the connection broke/));
    await open('commands/0');
    await fact('an unknown command is said to be unknown', async () => says('no-command', /There is no command “0”/));
  }

  async function targets() {
    await open('targets');
    await fact('targets stand by twin, worst first, with what holds them up', async () => says('targets', /motor-7[\s\S]*tripped, latched: winding hot[\s\S]*pump-0003[\s\S]*Bo[\s\S]*its line is down/));
    await picture('targets');
    await open('targets/motor-7');
    await fact('a target says each rule and what it reads now', async () => says('rules-fan_speed', /refuses\s*trip\s*winding hot[\s\S]*latched since winding = 157\.2[\s\S]*range[\s\S]*0 … 1500\s*now 900/));
    await browser.click('reset-winding hot');
    await browser.fill('token', TOKEN);
    await browser.fill('target-by', 'Ines');
    await browser.click('target-send');
    await fact('the wrong role is refused in words', async () => says('target-problem', /it wants engineer/));
    await browser.fill('target-role', 'engineer');
    await browser.click('target-send');
    await fact('a reset takes the latch away', async () => (await gone('latch-winding hot')) && (await gone('tripped-fan_speed')));
    await browser.run('document.querySelector("[data-testid=target-fan_speed] [data-testid=\'bypass-pump runs\']").click()');
    await browser.fill('target-by', 'Ines');
    await browser.fill('target-role', 'engineer');
    await browser.fill('target-why', 'the flow meter is being replaced');
    await fact('a bypass has to be typed', async () => (await disabled('target-send')) === true);
    await browser.fill('confirm-word', 'bypass pump runs');
    await browser.click('target-send');
    await fact('the rule says who bypassed it', async () => says('rules-fan_speed', /bypassed\s*permissive\s*pump runs[\s\S]*bypassed by Ines \(the flow meter is being replaced\)/));
    await fact('and it stands on the screen with its end', async () => says('bypass-banner', /“pump runs” of fan_speed, motor-7, is bypassed by Ines for 14 min \d\d s more: the flow meter/));
    await picture('targets-twin');
    for (const page of ['', 'alarms', 'journal', 'twin/motor-7', 'commands', `commands/${FAN}`]) {
      await open(page);
      await fact(`as on #/${page}`, async () => says('bypass-banner', /“pump runs” of fan_speed/));
    }
    await open('targets/motor-7');
    await fact('the token is asked for after a reload', async () => !(await gone('end-bypass-pump runs')));
    await browser.click('end-bypass-pump runs');
    await browser.fill('target-by', 'Ines');
    await browser.fill('target-role', 'engineer');
    await browser.fill('target-why', 'it is replaced');
    await browser.fill('token', TOKEN);
    await browser.click('target-send');
    await fact('a bypass that is ended leaves the screen', async () => (await gone('bypass-banner')) && (await gone('end-bypass-pump runs')));
  }

  async function owners() {
    await browser.click('hold-load_limit');
    await browser.fill('target-by', 'Ann');
    await fact('to hold a target wants a reason', async () => (await disabled('target-send')) === true);
    await browser.fill('target-why', 'manual run');
    await browser.click('target-send');
    await fact('who holds a target is its owner', async () => (await text('owner-load_limit')) === 'Ann' && (await says('holdings-load_limit', /operator by Ann since .*, until it is released: manual run/)));
    await browser.click('lockout-load_limit');
    await browser.fill('target-by', 'Cy');
    await browser.fill('target-why', 'coupling is being replaced');
    await browser.click('target-send');
    await fact('a lockout leaves it to nobody', async () => (await text('owner-load_limit')) === 'nobody: locked out (Cy)' && (await gone('propose-load_limit')));
    await browser.click('release-load_limit');
    await browser.fill('target-by', 'Ann');
    await browser.click('target-send');
    await fact('another one’s lockout is not released', async () => says('target-problem', /only Cy may release it/));
    await browser.fill('target-by', 'Cy');
    await browser.click('target-send');
    await fact('its own is', async () => (await text('owner-load_limit')) === 'Ann');
    await browser.click('propose-load_limit');
    await browser.fill('target-by', 'Ann');
    await browser.fill('target-value', 'much');
    await fact('a wish is a number', async () => (await says('target-confirm', /“much” is not a number/)) && (await disabled('target-send')) === true);
    await browser.fill('target-value', '75');
    await browser.fill('target-why', 'quieter');
    await browser.click('target-send');
    await fact('what is proposed leads to its page, and waits', async () => says('command-state', /waits for approval/));
    const id = (await browser.run('return location.hash')).replace('#/commands/', '');
    await fact('by an id that says when', async () => /^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(id));
    await browser.click(`approve-${id}`);
    await browser.fill('command-by', 'Bo');
    await browser.click('command-send');
    await fact('an approved command goes its way, and is verified by what was read back', async () => (await says('command-state', /^verified$/)) && (await says('command-outcome', /read back 75\.0 %/)));
    await fact('with each of its steps', async () => says('transitions', /approved by Bo[\s\S]*may be sent[\s\S]*about to leave[\s\S]*the broker has it[\s\S]*shown by the feedback point: 75\.0 %/));
    await fact('as the host says, too', async () => (await state(id)) === 'verified');
    await picture('command');
  }

  async function authority() {
    await open('targets/motor-7');
    await fact('a twin says what it has, and why not more', async () => (await says('authority-words', /It has advise; the site gives it control/)) && (await says('authority-reasons', /not armed since the host started/)));
    await browser.click('authority-control');
    await browser.fill('authority-by', 'Ann');
    await browser.fill('token', TOKEN);
    await fact('arming says why it was held down', async () => says('authority-confirm', /It was held down: not armed since the host started/));
    await fact('and has to be typed', async () => (await disabled('authority-send')) === true);
    await browser.fill('confirm-word', 'control motor-7');
    await picture('authority');
    await happen('block');
    await fact('that nothing can be sent stands on the screen, with the reason', async () => says('dispatch-banner', /Nothing is sent to the field – the journal cannot be written: no space left/));
    await browser.click('authority-send');
    await fact('nobody is armed then', async () => says('authority-problem', /nobody is armed now: the journal cannot be written/));
    await happen('unblock');
    await fact('the banner goes when it is over', async () => gone('dispatch-banner'));
    await browser.click('authority-send');
    await fact('an armed twin says by whom', async () => says('authority-words', /It has control, all that the site gives it\. Armed by Ann/));
    await browser.click('authority-observe');
    await browser.fill('authority-by', 'Bo');
    await browser.fill('authority-why', 'works on the pump');
    await fact('lowering is quick', async () => (await gone('confirm-word')) && (await disabled('authority-send')) === false);
    await post('twins/motor-7/authority', { level: 'advise', by: 'Cy' });
    await fact('what changed meanwhile is said', async () => (await says('order-refusal', /Meanwhile it went from control to advise/)) && (await disabled('authority-send')) === true);
    await browser.click('authority-leave');
    await browser.click('authority-observe');
    await browser.fill('authority-by', 'Bo');
    await browser.fill('authority-why', 'works on the pump');
    await browser.click('authority-send');
    await fact('who lowered it stands there, with the reason', async () => (await says('authority-words', /It has observe/)) && (await says('authority-reasons', /set by Bo: works on the pump/)));
    await open('targets/pump-0003');
    await fact('the site’s own limit is said where it cannot be raised', async () => (await disabled('authority-control')) === true && (await browser.attribute('authority-control', 'title')).includes('no more than advise'));
    await open('targets/nobody');
    await fact('an unknown twin is said to be unknown', async () => says('no-targets', /There is no twin “nobody”/));
  }

  for (const part of [queue, approve, doubt, targets, owners, authority]) await part();
}
