// What a browser must show of the thread of an asset: lanes, bars that last, zoom by button, wheel and key, what explains an
// alert and a command, the line to copy, kinds switched off, and a gap in the samples of a point.
export async function threadFacts({ browser, url, fact, picture }) {
  const text = async (testid) => ((await browser.text(testid)) ?? '').replaceAll('\u202f', ' ');
  const ids = () => browser.run('return [...document.querySelectorAll("[data-testid=thread-list] tbody tr")].map((row) => row.dataset.testid)');
  const seen = () => text('thread-span');
  await browser.go('about:blank');
  await browser.go(`${url}#/twin/motor-7`);
  await fact('a twin leads to its thread', async () => (await browser.attribute('to-thread', 'href')) === '#/thread/motor-7');
  await browser.click('to-thread');
  await fact('the thread has a lane for each kind', async () => browser.run('return document.querySelectorAll(".thread-lane").length === 8'));
  await fact('work orders, calibrations, alerts and decisions stand on one line', async () => {
    const all = await ids();
    return ['thread-record-1', 'thread-record-2', 'thread-journal-900001', 'thread-border-thermal-2'].every((id) => all.includes(id)) && all.some((id) => id.startsWith('thread-command-'));
  });
  await fact('a work order lasts as long as it says', async () => browser.run('const bar = document.querySelector("[data-testid=bar-record-3]"); return bar.classList.contains("lasting")'));
  await fact('what the asset is stands below', async () => /Motor[\s\S]*dtmi:mock:Motor;1[\s\S]*cooling \/ north[\s\S]*r_winding/.test(await text('thread-asset')));
  await fact('and from when to when each point has samples', async () => browser.run('return document.querySelectorAll("[data-testid=thread-extents] tbody tr").length > 5'));
  await picture('thread');

  const before = await seen();
  await browser.click('thread-in');
  await fact('zooming in shows less of the time', async () => (await seen()) !== before);
  const near = await seen();
  await browser.run('document.querySelector("[data-testid=thread-line]").dispatchEvent(new WheelEvent("wheel", { ctrlKey: true, deltaY: -100, clientX: 900, bubbles: true, cancelable: true }))');
  await fact('so does the wheel with Ctrl', async () => (await seen()) !== near);
  await browser.click('thread-whole');
  await fact('and everything comes back', async () => (await ids()).includes('thread-record-1'));
  await browser.run('document.querySelector("[data-testid=thread-line]").focus()');
  await browser.keys('\uE011');
  await fact('a key leads to the first entry, and says which it is', async () => browser.run('const line = document.querySelector("[data-testid=thread-line]"); const at = document.getElementById(line.getAttribute("aria-activedescendant")); return at !== null && at.getAttribute("aria-selected") === "true" && /Design/.test(at.getAttribute("aria-label"))'));
  await browser.keys('\uE014');
  await fact('and on to the next one', async () => /version/.test(await text('thread-card')) || text('thread-card'));
  const wide = await seen();
  await browser.keys('+');
  await fact('plus zooms', async () => (await seen()) !== wide);
  await browser.click('thread-whole');

  await browser.click('explain-journal-900001');
  await fact('an alert leads to the version that raised it', async () => /motor-thermal@1\.4\.0/.test(await text('thread-version')));
  await fact('to its rows', async () => / to /.test(await text('thread-rows')));
  await fact('and to the line that computes them again', async () => /^geminus replay SITE\.toml --twin motor-7 --behavior thermal --from \S+Z --to \S+Z$/.test(await text('thread-replay')));
  await picture('thread-alert');
  await browser.run('document.querySelector("[data-testid^=explain-command-]").click()');
  await fact('a command says how it stands now', async () => (await text('thread-verdict')).length > 3);
  await fact('and leads to its own page', async () => browser.run('return document.querySelector(".thread-ways a").getAttribute("href").startsWith("#/commands/")'));
  await browser.click('explain-record-1');
  await fact('a work order says who brought it, that it was corrected, and leads there', async () => /sap-pm\s*WO-4711 · done[\s\S]*by erp of ada; corrected[\s\S]*\(2×\)[\s\S]*WO-4711 in sap-pm/.test(await text('thread-card')) || text('thread-card'));

  await browser.click('kind-decision');
  await fact('a kind that is switched off is gone from line and list', async () => (await ids()).every((id) => !id.startsWith('thread-command-')) && (await browser.text('lane-decision')) === null);
  await browser.click('kind-decision');
  await fact('and comes back', async () => (await ids()).some((id) => id.startsWith('thread-command-')));
  await browser.run('const s = document.querySelector("[data-testid=thread-point]"); s.value = "temperature"; s.selectedIndex = 1; s.dispatchEvent(new Event("change", { bubbles: true }))');
  await fact('samples of a point are shown when asked for', async () => browser.run('return document.querySelectorAll(".thread-sampled").length > 0'));
  await picture('thread-samples');
  await browser.go(`${url}#/thread/nobody`);
  await fact('the thread of an unknown twin says so', async () => browser.run('return /There is no twin “nobody”/.test(document.querySelector("main").textContent)'));
}
