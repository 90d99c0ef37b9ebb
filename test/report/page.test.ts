import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { hasBrowser, openBrowser, openFile, type Opened } from './browser.js';

const NASTY = `</script><script>alert('run')</script><img src=x onerror="alert(1)"> \u202eevil\u202c & "quoted"`;

describe('the page in a browser', () => {
  let scenario: Scenario;
  let browser: Browser;
  let opened: Opened;

  before(async function () {
    if (!hasBrowser()) this.skip(); // Debian's chromium is not installed
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    await scenario.db.query(`update public.api_keys set name = $1 where id in (20, 27)`, [NASTY]);
    await scenario.must('migrate --yes', 6);
    const file = await scenario.file('page.html', '');
    await scenario.must(`report ${file}`);
    browser = await openBrowser();
    opened = await openFile(browser, file);
  });
  after(async () => {
    await (browser as Browser | undefined)?.close();
    await (scenario as Scenario | undefined)?.close();
  });
  afterEach(() => {
    expect(opened.complaints).to.deep.equal([]);
  });

  const background = (): Promise<string> => opened.page.evaluate('getComputedStyle(document.body).backgroundColor');
  const rows = (): Promise<string[]> => opened.page.locator('#listed tbody tr').allInnerTexts();

  it('has all its parts, and asks nobody for anything', async () => {
    for (const part of ['history', 'outcomes', 'pace', 'access', 'proof', 'keys', 'runs']) {
      expect(await opened.page.locator(`section#${part} h2`).count(), part).to.equal(1);
      expect(await opened.page.locator(`nav a[href="#${part}"]`).count(), part).to.equal(1);
    }
    expect(await opened.page.locator('#outcomes svg.stack rect').count()).to.be.greaterThan(4);
    expect(await opened.page.locator('svg.timeline rect.pace').count()).to.be.greaterThan(0);
    expect(await opened.page.locator('#access table.matrix').count()).to.equal(2);
    expect(await opened.page.locator('#proof tr.wrong').count()).to.equal(0);
    expect(await opened.page.locator('#proof tr.ok').count()).to.equal(9);
  });

  it('shows names as text, whatever they hold', async () => {
    const texts = (await rows()).filter((text) => text.includes('</script>'));
    expect(texts).to.have.length(2);
    expect(texts[0]).to.include('\\u202eevil\\u202c & "quoted"').and.not.include('\u202e');
    expect(await opened.page.locator('img').count()).to.equal(0);
  });

  it('finds rows as words are typed', async () => {
    const all = (await rows()).length;
    await opened.page.fill('#search', 'shared_token');
    const found = await rows();
    expect(found.length).to.be.greaterThan(0).and.lessThan(all);
    expect(found.filter((text) => !text.includes('shared_token'))).to.deep.equal([]);
    expect(await opened.page.locator('#matches').innerText()).to.equal(
      `${String(found.length)} rows, of ${String(all)}`,
    );
    await opened.page.fill('#search', 'no such word');
    expect(await rows()).to.deep.equal([]);
    await opened.page.fill('#search', '');
    expect((await rows()).length).to.equal(all);
  });

  it('goes dark where the reader wants it dark, and is light on paper', async () => {
    const light = await background();
    await opened.page.emulateMedia({ colorScheme: 'dark' });
    expect(await background()).not.to.equal(light);
    await opened.page.emulateMedia({ colorScheme: 'dark', media: 'print' });
    expect(await background()).to.equal(light);
    for (const part of ['history', 'outcomes', 'pace', 'access', 'proof', 'keys', 'runs']) {
      expect(await opened.page.locator(`section#${part} h2`).isVisible(), part).to.equal(true);
    }
    expect(await opened.page.locator('nav').isVisible()).to.equal(false);
    await opened.page.emulateMedia({ colorScheme: 'light', media: 'screen' });
  });

  it('is no wider than a telephone', async () => {
    await opened.page.setViewportSize({ width: 390, height: 800 });
    expect(
      await opened.page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth'),
    ).to.equal(true);
  });
});
