/** What one page came to. */
export interface Page {
  keys: number;
  /** The highest id of the page; null: there was none left further on. */
  last: string | null;
}

/**
 * Takes page by page until there is nothing left. A page begins where the last one ended, since the way there leads over
 * all that is gone; the last look begins anew.
 *
 * @returns how many keys all pages had
 */
export async function inPages(
  take: (after: string | null) => Promise<Page>,
  told: (keys: number) => void,
): Promise<number> {
  let keys = 0;
  for (let after: string | null = null; ;) {
    const page: Page = await take(after);
    keys += page.keys;
    if (page.keys > 0) told(keys);
    if (page.last === null && after === null) return keys;
    after = page.last;
  }
}
