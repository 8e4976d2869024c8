// What must be so on the page of certificates and in the dialog of one's own password, looked at in a real browser: what is
// trusted is shown whole and compared first, a viewer has no orders, and a password is changed by whoever knows the present one.
import { createHash } from 'node:crypto';

const TOKEN = 'mock-token';
const print = (name, kind) => createHash(kind).update(`O=Maker,CN=${name}`).digest('hex');
const grouped = (digits) => digits.replace(/(.{4})(?=.)/g, '$1 ');

export async function certificateFacts({ browser, url, fact, picture, happen }) {
  const text = async (testid) => ((await browser.text(testid)) ?? '').replaceAll('\u202f', ' ');
  const says = async (testid, pattern) => pattern.test(await text(testid)) || text(testid);
  const gone = async (testid) => (await browser.text(testid)) === null;
  const disabled = (testid) => browser.run('return document.querySelector(`[data-testid="${arguments[0]}"]`)?.disabled ?? null', testid);
  const open = async (path) => { await browser.go('about:blank'); await browser.go(`${url}#/${path}`); };
  const [north, south, east, historian, scada] = ['plc-north', 'plc-south', 'plc-east', 'historian', 'scada'].map((name) => print(name, 'sha1'));

  async function list() {
    await open('certificates');
    await fact('certificates that wait for a person are counted', async () => says('certificates-summary', /^2 of OPC UA servers, 1 of OPC UA clients to look at$/));
    await fact('an unknown one says which server shows it, and where', async () => says(`certificate-${north}`, /rejected[\s\S]*nobody has said yet[\s\S]*plc-north[\s\S]*opc\.tcp:\/\/plc-north\.example:4840/));
    await fact('one of a server that has changed shows the one before', async () => says(`certificate-${south}`, /another one before: (f0f0 ){9}f0f0/));
    await fact('an end that is near is told at the top', async () => says('certificates-ending', /^plc-east: ends soon, 12 days left$/));
    await fact('a client that nobody knows says so, and which application it is', async () => says(`certificate-client-${historian}`, /rejected[\s\S]*nobody has said yet[\s\S]*urn:maker:historian/));
    await fact('clients stand apart from servers', async () => (await says('certificates-clients', /historian[\s\S]*taken that back[\s\S]*scada/)) === true && !(await text('certificates')).includes('historian'));
    await fact('our own is shown, and offered as a file', async () => (await says('certificates-own', /urn:geminus:host[\s\S]*The key stays/)) === true && (await browser.attribute('own-pem', 'href')) === '/api/v1/certificates/own?format=pem');
    await fact('files of TLS stand with what is wrong with them', async () => says('certificates-tls', /http\.tls\.certificate[\s\S]*valid, 61 days left[\s\S]*ca\.pem cannot be read/));
    await picture('certificates');
  }

  async function trust() {
    await browser.click(`trust-${north}`);
    await fact('the sheet shows both thumbprints whole', async () => {
      const shown = await text('certificate-shown');
      return (shown.includes(grouped(north)) && shown.includes(grouped(print('plc-north', 'sha256')))) || shown;
    });
    await browser.fill('token', TOKEN);
    await fact('nothing is trusted before it was compared', async () => (await disabled('certificate-send')) === true);
    await browser.click('certificate-compared');
    await fact('and can be then', async () => (await disabled('certificate-send')) === false);
    await picture('certificate-trust');
    for (const width of [1300, 800, 390]) {
      await browser.size(width, 1100);
      await fact(`the sheet fits at ${width} px`, async () => browser.run('const f = document.querySelector("[data-testid=certificate-confirm]"); return f.scrollWidth <= f.clientWidth + 1 && document.documentElement.scrollWidth <= document.documentElement.clientWidth'));
    }
    await browser.size(1600, 1000);
    await browser.fill('certificate-by', 'Ines');
    await browser.click('certificate-send');
    await fact('a trusted one says so', async () => (await gone('certificate-confirm')) && (await says(`certificate-${north}`, /trusted/)));
    await fact('and waits no more', async () => says('certificates-summary', /^1 of OPC UA servers, 1 of OPC UA clients to look at$/));
    await browser.click(`trust-${south}`);
    await fact('of a server that has changed the sheet warns', async () => says('certificate-confirm', /trust this one only if you know who has renewed it/));
    await browser.keys('\uE00C');
    await fact('Escape leaves it', async () => gone('certificate-confirm'));
    await browser.click(`reject-${east}`);
    await fact('a rejection says what it does', async () => says('certificate-confirm', /hung up on within seconds/));
    await browser.click('certificate-send');
    await fact('what is rejected says that it was taken back', async () => says(`certificate-${east}`, /rejected[\s\S]*taken that back/));
    await browser.click(`remove-${east}`);
    await browser.click('certificate-send');
    await fact('what is forgotten is gone', async () => gone(`certificate-${east}`));
  }

  async function clients() {
    await browser.click(`trust-client-${historian}`);
    await fact('the sheet of a client says that it is one, and shows its thumbprint whole', async () => (await says('certificate-confirm', /certificate of the client historian[\s\S]*As a server it is not trusted by that/)) === true && (await text('certificate-shown')).includes(grouped(historian)));
    await fact('nothing of a client is trusted before it was compared', async () => (await disabled('certificate-send')) === true);
    await browser.click('certificate-compared');
    await picture('certificate-client');
    await browser.click('certificate-send');
    await fact('a client that is trusted says so, and waits no more', async () => (await gone('certificate-confirm')) && (await says(`certificate-client-${historian}`, /trusted/)) === true && (await says('certificates-summary', /^1 of OPC UA servers to look at$/)));
    await browser.click(`reject-client-${scada}`);
    await fact('rejecting a client says what it does not do', async () => says('certificate-confirm', /A session that stands goes on until it ends/));
    await browser.click('certificate-send');
    await fact('a rejected client says that it was taken back', async () => says(`certificate-client-${scada}`, /rejected[\s\S]*taken that back/));
    await browser.click(`remove-client-${scada}`);
    await browser.click('certificate-send');
    await fact('a forgotten client is gone', async () => gone(`certificate-client-${scada}`));
  }

  async function person() {
    await happen('users');
    await open('certificates');
    await fact('a viewer sees certificates', async () => (await says('who', /vic/)) === true && !(await gone(`certificate-${south}`)));
    await fact('and has no orders', async () => gone(`trust-${south}`));
    await browser.click('password');
    await browser.fill('password-current', 'not the password');
    await browser.fill('password-new', 'another horse entirely');
    await browser.fill('password-again', 'another horse');
    await fact('a slip of the fingers is told before it is sent', async () => (await says('password-objection', /not the same twice/)) === true && (await disabled('password-send')) === true);
    await browser.fill('password-again', 'another horse entirely');
    await browser.click('password-send');
    await fact('a wrong present password is refused in words', async () => says('password-problem', /Not done: this is not your present password/));
    await fact('and nothing that was typed stays', async () => browser.run('return [...document.querySelectorAll("[data-testid=own-password] input[type=password]")].every((f) => f.value === "")'));
    await picture('own-password');
    for (const width of [800, 390]) {
      await browser.size(width, 1100);
      await fact(`the dialog fits at ${width} px`, async () => browser.run('return document.documentElement.scrollWidth <= document.documentElement.clientWidth'));
    }
    await browser.size(1600, 1000);
    await browser.fill('password-current', 'correct horse battery');
    await browser.fill('password-new', 'another horse entirely');
    await browser.fill('password-again', 'another horse entirely');
    await browser.click('password-send');
    await fact('the right one changes it, and the page stays', async () => (await gone('own-password')) && (await says('who', /vic/)) === true);
    await happen('nobody');
  }

  for (const part of [list, trust, clients, person]) await part();
}
