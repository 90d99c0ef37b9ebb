import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';

/** Debian's; a browser is no package of ours. */
const CHROMIUM = '/usr/bin/chromium';

/** Nothing of these flags lets the page do more; they keep the browser itself from calling home. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Is there a browser? Where the gate asks for all extras, its absence is a failure of the tests that need it. */
export const hasBrowser = (): boolean => existsSync(CHROMIUM) || process.env.KEYLIFT_TEST_EXTRAS === 'required';

export const openBrowser = (): Promise<Browser> => chromium.launch({ executablePath: CHROMIUM, args: QUIET });

/** A page as a person opens it, and what it should not have done. */
export interface Opened {
  page: Page;
  complaints: string[];
}

/** Opens a file; script errors, console lines and requests beside the file itself are complaints. */
export async function openFile(browser: Browser, file: string): Promise<Opened> {
  const page = await browser.newPage({ viewport: { width: 1180, height: 900 }, colorScheme: 'light' });
  const complaints: string[] = [];
  const url = pathToFileURL(file).href;
  page.on('console', (message) => {
    complaints.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => {
    complaints.push(`error: ${error.message}`);
  });
  page.on('request', (request) => {
    if (request.url() !== url) complaints.push(`request: ${request.url()}`);
  });
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(url);
  return { page, complaints };
}
