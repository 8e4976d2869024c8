// Looks at the built page in a real browser against the mock host: curves move, the badge goes stale and comes
// back, a swap shows its mark and version, a lost connection freezes the values and mends, rollouts are compared and
// ordered, alarms are acknowledged and shelved, commands are approved, targets held and bypassed, certificates compared and trusted, the thread of an asset zoomed and explained, the keyboard reaches everything, nothing is loaded from elsewhere and the console stays empty. Prints one
// line a fact; exits with 1 at the first that is not so. Pictures go to the folder named by --pictures.
//
//   npm run build && npm run look -- --pictures FOLDER [--only PART], where `rest` looks at what the parts before it did
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { alarmFacts } from './alarm-facts.mjs';
import { Browser, freePort, until } from './browser.mjs';
import { certificateFacts } from './certificate-facts.mjs';
import { controlFacts } from './control-facts.mjs';
import { rolloutFacts } from './rollout-facts.mjs';
import { threadFacts } from './thread-facts.mjs';

const { values: options } = parseArgs({ options: { page: { type: 'string', default: 'dist' }, pictures: { type: 'string' }, only: { type: 'string' } } });
const port = await freePort();
const url = `http://127.0.0.1:${port}/`;
const host = spawn(process.execPath, [join(import.meta.dirname, 'server.mjs'), '--port', String(port), '--page', options.page], { stdio: 'ignore' });
const happen = (name) => fetch(`${url}mock/${name}`, { method: 'POST' });
let browser;

async function fact(what, ask, ms) {
  await until(what, ask, ms);
  console.log(`ok  ${what}`);
}

async function picture(name) {
  if (options.pictures === undefined) return;
  await mkdir(options.pictures, { recursive: true });
  await browser.picture(join(options.pictures, `${name}.png`));
}

async function fleet() {
  await browser.go(url);
  await fact('the fleet has a row for the twin', async () => (await browser.text('fleet-row-motor-7'))?.includes('motor-7') === true);
  await fact('the connection is shown as live', async () => (await browser.attribute('connection', 'data-phase')) === 'live');
  await fact('a page holds a hundred twins', async () => (await browser.run('return document.querySelectorAll("[data-testid^=fleet-row]").length')) === 100);
  await picture('fleet');
  await browser.run('document.querySelector(".col-alerts button").click()');
  await fact('sorting one of several pages says so', async () => (await browser.text('sort-scope'))?.includes('of this page only') === true);
  await browser.run('document.querySelector(".col-id button").click()');
  await fact('and not where the order is that of the pages', async () => (await browser.text('sort-scope')) === null);
  await browser.run('const s = document.querySelector("[data-testid=fleet-search]"); s.value = "pump-0012"; s.dispatchEvent(new Event("input"))');
  await fact('a search leaves what matches', async () => (await browser.run('return document.querySelectorAll("[data-testid^=fleet-row]").length')) === 1);
}

async function twin() {
  await browser.go(`${url}#/twin/motor-7`);
  await fact('the twin is live', async () => (await browser.text('state-badge')) === 'live');
  await fact('history is drawn', async () => Number(await browser.attribute('plot-estimated-cel', 'data-points')) > 1000);
  const before = Number(await browser.attribute('plot-measured-cel', 'data-last-ms'));
  await fact('the curve moves', async () => Number(await browser.attribute('plot-measured-cel', 'data-last-ms')) > before + 1000);
  await fact('every plot has a text alternative with values', async () => browser.run('return [...document.querySelectorAll(".canvas")].length > 8 && [...document.querySelectorAll(".canvas")].every((c) => /[0-9]/.test(c.ariaLabel ?? c.getAttribute("aria-label")))'));
  const version = await browser.text('behavior-version-thermal');
  await happen('swap');
  await fact('a swap changes the version', async () => (await browser.text('behavior-version-thermal')) !== version);
  await fact('a swap leaves its mark with the version', async () => (await browser.text('swap-mark'))?.includes(await browser.text('behavior-version-thermal')) === true);
  await picture('twin');
  await browser.run('document.querySelector("[data-testid=plot-health] .canvas").focus()');
  await browser.keys('\uE012', '\uE012');
  await fact('arrow keys move the crosshair', async () => (await browser.run('return document.querySelector("[data-testid=plot-health] .at").textContent')).length > 8);
  await browser.run('document.querySelector("[data-testid=\'curve-thermal.bearing_temperature\']").focus()');
  await browser.keys(' ');
  await fact('a curve is switched off by the keyboard', async () => (await browser.attribute('curve-thermal.bearing_temperature', 'aria-pressed')) === 'false');
}

async function trouble() {
  await happen('stop');
  await fact('the badge goes stale when the feed stops', async () => /^stale – no sample for \d/.test((await browser.text('state-badge')).replaceAll('\u202f', ' ')), 20_000);
  await fact('a stale twin says that alerts are suppressed', async () => (await browser.text('suppressed'))?.includes('suppressed') === true);
  await picture('twin-stale');
  await happen('start');
  await fact('and is live again when it goes on', async () => (await browser.text('state-badge')) === 'live');
  await happen('down');
  await fact('a lost connection is said, with the time of the values', async () => /values frozen at \d\d:\d\d:\d\d/.test(await browser.text('connection-banner') ?? ''));
  const age = await browser.text('data-age');
  await new Promise((done) => setTimeout(done, 1500));
  await fact('ages stand still meanwhile', async () => (await browser.text('data-age')) === age);
  await picture('connection-lost');
  await happen('up');
  await fact('it mends by itself', async () => (await browser.attribute('connection', 'data-phase')) === 'live' && (await browser.text('connection-banner')) === null, 30_000);
}

async function stranger() {
  await browser.go(`${url}#/twin/nobody`);
  await fact('an unknown twin is said to be unknown', async () => (await browser.text('no-twin'))?.includes('There is no twin “nobody”') === true);
  await new Promise((done) => setTimeout(done, 1500));
  await fact('and the connection is not called lost', async () => (await browser.attribute('connection', 'data-phase')) === 'live' && (await browser.text('connection-banner')) === null);
  await browser.run('document.querySelector("[data-testid=no-twin] a").click()');
  await fact('and leads back to the fleet', async () => (await browser.text('fleet-row-motor-7')) !== null);
}

async function contained() {
  await browser.size(1300, 1000);
  await browser.go(`${url}#/twin/motor-7`);
  await fact('a twin shows what its behaviors cost, side by side', async () => /thermal[\s\S]*health[\s\S]*Fuel a row[\s\S]*11\s840[\s\S]*1\s204[\s\S]*Time a row[\s\S]*Memory[\s\S]*Faults[\s\S]*Strikes/.test(await browser.text('costs') ?? ''));
  await fact('and the version on trial', async () => /rollout \d+, shadow · the old version counts here/.test(await browser.text('trial-thermal') ?? ''));
  await fact('points hide no column at 1300 px', async () => browser.run('const all = [...document.querySelectorAll(".points")]; return all.length === 2 && all.every((t) => t.parentElement.scrollWidth <= t.parentElement.clientWidth && getComputedStyle(t.querySelector("td .quality")).display !== "none")'));
  await happen('fault');
  await fact('a behavior held apart says so, and what stands in for it', async () => (await browser.text('behavior-health'))?.includes('quarantined') === true && (await browser.text('substitute-health'))?.includes('hold') === true);
  await picture('twin-quarantined');
  await browser.size(1600, 1000);
}

async function rest() {
  for (const [name, testid] of [['plugins', 'plugins'], ['journal', 'entry-swap-done']]) {
    await browser.go(`${url}#/${name}`);
    await fact(`the page of ${name} shows what there is`, async () => ((await browser.text(testid)) ?? '').includes('motor-thermal'));
    await picture(name);
  }
  const { plugins } = await (await fetch(`${url}api/v1/plugins`)).json();
  const pages = ['', 'twin/motor-7', 'thread/motor-7', 'plugins', 'journal', 'alarms', 'commands', 'commands/01990000-0000-7000-8000-000000000061', 'targets', 'targets/motor-7', 'certificates', 'rollouts', 'rollouts/3', 'rollouts/5', `rollouts/start/${plugins[0].name}/${plugins[0].digest}`];
  for (const [width, page] of [1300, 800, 390].flatMap((width) => pages.map((page) => [width, page]))) {
    await browser.size(width, 1100);
    await browser.go(`${url}#/${page}`);
    await fact(`nothing hangs out at ${width} px on #/${page.slice(0, 24)}`, async () => browser.run('return document.querySelectorAll("main .grid").length > 0 && document.documentElement.scrollWidth <= document.documentElement.clientWidth'));
  }
  const elsewhere = await browser.run('return performance.getEntriesByType("resource").map((r) => r.name).filter((name) => !name.startsWith(location.origin))');
  await fact('nothing was asked of another host', async () => elsewhere.length === 0);
  const log = (await browser.log()).filter((line) => !/status of (401|403|404|409|503)/.test(line.message) && !line.message.includes('ERR_INCOMPLETE_CHUNKED_ENCODING'));
  await fact('the console is empty', async () => log.length === 0 || log.map((line) => line.message).join('; '), 1);
}

try {
  await until('the mock host', async () => (await fetch(`${url}api/v1/site`)).ok);
  browser = await Browser.start();
  const around = { browser, url, fact, picture, happen };
  const parts = { fleet, stranger, contained, twin, trouble, rollouts: () => rolloutFacts(around), alarms: () => alarmFacts(around), control: () => controlFacts(around), certificates: () => certificateFacts(around), thread: () => threadFacts(around), rest };
  for (const [name, part] of Object.entries(parts)) if (options.only === undefined || options.only === name) await part();
} catch (error) {
  console.error(`not so: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser?.stop();
  host.kill();
}
