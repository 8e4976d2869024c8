// A small WebDriver client: starts chromedriver with a fresh profile on a free loopback port, runs scripts in the
// page, presses keys, takes pictures, and ends what it started. Needs `chromedriver` and `chromium` on the path,
// or named by CHROMEDRIVER and CHROMIUM.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Asks until the answer is true; the reason when it never is. */
export async function until(what, ask, ms = 15_000) {
  const end = Date.now() + ms;
  let last;
  while (Date.now() < end) {
    last = await ask().catch((error) => error);
    if (last === true) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`${what} did not happen within ${ms / 1000} s: ${String(last)}`);
}

export class Browser {
  static async start({ width = 1600, height = 1000, dark = false, still = false } = {}) {
    const browser = new Browser();
    const port = await freePort();
    browser.base = `http://127.0.0.1:${port}`;
    browser.profile = await mkdtemp(join(tmpdir(), 'geminus-browser-'));
    browser.process = spawn(process.env.CHROMEDRIVER ?? 'chromedriver', [`--port=${port}`], { stdio: 'ignore' });
    await until('chromedriver', async () => (await browser.call('GET', '/status')).ready);
    const args = [...FLAGS, `--user-data-dir=${browser.profile}`, `--window-size=${width},${height}`];
    if (dark) args.push('--blink-settings=preferredColorScheme=0');
    if (still) args.push('--force-prefers-reduced-motion');
    const binary = process.env.CHROMIUM;
    const wanted = { 'goog:chromeOptions': { args, ...(binary ? { binary } : {}) }, 'goog:loggingPrefs': { browser: 'ALL' } };
    const { sessionId } = await browser.call('POST', '/session', { capabilities: { alwaysMatch: wanted } });
    browser.session = `/session/${sessionId}`;
    return browser;
  }

  async call(method, path, body) {
    const answer = await fetch(this.base + path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${value.message}`);
    return value;
  }

  go(url) { return this.call('POST', `${this.session}/url`, { url }); }
  run(script, ...args) { return this.call('POST', `${this.session}/execute/sync`, { script, args }); }
  text(testid) { return this.run('return document.querySelector(`[data-testid="${arguments[0]}"]`)?.textContent.trim() ?? null', testid); }
  attribute(testid, name) { return this.run('return document.querySelector(`[data-testid="${arguments[0]}"]`)?.getAttribute(arguments[1]) ?? null', testid, name); }
  click(testid) { return this.run('document.querySelector(`[data-testid="${arguments[0]}"]`).click()', testid); }
  /** Puts text into a field, or chooses in a list, as a person would. */
  fill(testid, text) {
    const script = 'const f = document.querySelector(`[data-testid="${arguments[0]}"]`); f.value = arguments[1]; f.dispatchEvent(new Event(f.tagName === "SELECT" ? "change" : "input", { bubbles: true }))';
    return this.run(script, testid, text);
  }

  log() { return this.call('POST', `${this.session}/se/log`, { type: 'browser' }); }
  size(width, height) { return this.call('POST', `${this.session}/window/rect`, { width, height }); }

  /** Presses keys where the focus is. */
  keys(...values) {
    const actions = values.flatMap((value) => [{ type: 'keyDown', value }, { type: 'keyUp', value }]);
    return this.call('POST', `${this.session}/actions`, { actions: [{ type: 'key', id: 'keys', actions }] });
  }

  async picture(path) {
    await writeFile(path, Buffer.from(await this.call('GET', `${this.session}/screenshot`), 'base64'));
  }

  async stop() {
    await this.call('DELETE', this.session).catch(() => undefined);
    this.process.kill();
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
