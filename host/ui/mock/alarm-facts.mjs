// What a browser must show of alarms: order, words, counts in the header, and orders that are taken or refused.
export async function alarmFacts({ browser, url, fact, picture }) {
  await browser.go(`${url}#/alarms`);
  const rows = () => browser.run('return [...document.querySelectorAll("[data-testid=alarms] tbody tr")].map((row) => row.dataset.testid)');
  await fact('alarms stand by priority, suppressed ones aside', async () => (await rows()).join(' ') === 'alarm-motor-7-winding-hot alarm-pump-0001-flow-low alarm-motor-7-health.health-warning');
  await fact('an alarm says what to do and that it was the first', async () => /first-out[\s\S]*The winding is too hot[\s\S]*Take load off/.test(await browser.text('alarm-motor-7-winding-hot')));
  await fact('its state is words, not a colour', async () => (await browser.text('alarm-pump-0001-flow-low')).includes('over, not acknowledged'));
  await fact('the header counts by priority', async () => /critical\s*1[\s\S]*high\s*1[\s\S]*medium\s*1[\s\S]*2 to acknowledge/.test(await browser.text('alarm-counts') ?? ''));
  await picture('alarms');
  await browser.click('alarm-suppressed');
  await fact('suppressed alarms are shown when asked for', async () => (await rows()).length === 5);

  await browser.click('acknowledge-motor-7-winding-hot');
  await fact('an order asks for the token and says what it is about', async () => (await browser.text('alarm-confirm'))?.includes('winding-hot of motor-7') === true);
  // Another page of this tab may have taken it.
  if (await browser.text('token-forget') !== null) await browser.click('token-forget');
  await fact('the token can be typed', async () => (await browser.text('token')) !== null);
  await browser.fill('token', 'another');
  await browser.fill('alarm-by', 'Ann');
  await browser.click('alarm-send');
  await fact('a wrong token is refused in words', async () => (await browser.text('alarm-problem'))?.includes('not the token') === true);
  await browser.fill('token', 'mock-token');
  await browser.click('alarm-send');
  await fact('who acknowledged stands in the list', async () => (await browser.text('alarm-motor-7-winding-hot')).includes('acknowledged by Ann'));
  await fact('and the order is not offered any more', async () => (await browser.text('acknowledge-motor-7-winding-hot')) === null);
  await browser.click('shelve-motor-7-winding-hot');
  await browser.fill('alarm-why', 'sensor is being replaced');
  await browser.click('alarm-send');
  await fact('a shelved alarm says by whom, until when and why', async () => /shelved by token until [\d-]+ [\d:]+: sensor is being replaced/.test((await browser.text('alarm-motor-7-winding-hot')).replaceAll('\u202f', ' ')));
  await browser.click('out-of-service-pump-0001-flow-low');
  await browser.keys('\uE00C');
  await fact('Escape leaves an order', async () => (await browser.text('alarm-confirm')) === null);
  await picture('alarms-ordered');
}
