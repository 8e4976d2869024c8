// Looks at the built page in a real browser against the mock host: curves move, the badge goes stale and comes
// back, a swap shows its mark and version, a lost connection freezes the values and mends, the keyboard reaches
// everything, nothing is loaded from elsewhere and the console stays empty. Prints one line a fact; exits with 1
// at the first that is not so. Pictures go to the folder named by --pictures.
//
//   npm run build && npm run look -- --pictures FOLDER
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Browser, freePort, until } from './browser.mjs';

const { values: options } = parseArgs({ options: { page: { type: 'string', default: 'dist' }, pictures: { type: 'string' } } });
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

async function rest() {
  for (const [name, testid] of [['plugins', 'plugins'], ['journal', 'entry-swap-done']]) {
    await browser.go(`${url}#/${name}`);
    await fact(`the page of ${name} shows what there is`, async () => ((await browser.text(testid)) ?? '').includes('motor-thermal'));
    await picture(name);
  }
  await browser.size(800, 1100);
  for (const page of ['', 'twin/motor-7', 'plugins', 'journal']) {
    await browser.go(`${url}#/${page}`);
    await fact(`nothing hangs out at 800 px on #/${page}`, async () => browser.run('return document.querySelectorAll("main .grid").length > 0 && document.documentElement.scrollWidth <= document.documentElement.clientWidth'));
  }
  const elsewhere = await browser.run('return performance.getEntriesByType("resource").map((r) => r.name).filter((name) => !name.startsWith(location.origin))');
  await fact('nothing was asked of another host', async () => elsewhere.length === 0);
  const log = (await browser.log()).filter((line) => !line.message.includes('503') && !line.message.includes('ERR_INCOMPLETE_CHUNKED_ENCODING'));
  await fact('the console is empty', async () => log.length === 0 || log.map((line) => line.message).join('; '), 1);
}

try {
  await until('the mock host', async () => (await fetch(`${url}api/v1/site`)).ok);
  browser = await Browser.start();
  for (const part of [fleet, twin, trouble, rest]) await part();
} catch (error) {
  console.error(`not so: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser?.stop();
  host.kill();
}
