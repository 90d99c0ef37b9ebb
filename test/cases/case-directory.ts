import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach } from 'mocha';

/** The repository's own fixtures. */
export const SHIPPED = path.join(import.meta.dirname, '../../fixtures');

/** Writes files below a new directory and returns its path. Values that are not text or bytes are written as JSON. */
export type WriteDirectory = (files: Record<string, unknown>) => Promise<string>;

/** Registers the clean-up and returns the writer. */
export function useDirectories(): WriteDirectory {
  const made: string[] = [];
  afterEach(async () => {
    await Promise.all(made.splice(0).map((directory) => rm(directory, { recursive: true })));
  });
  return async (files) => {
    const directory = await mkdtemp(path.join(tmpdir(), 'keylift-fixture-'));
    made.push(directory);
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(directory, name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, isRaw(content) ? content : JSON.stringify(content));
    }
    return directory;
  };
}

/** A valid `legacy.json` with one key, to be changed in one place by a test. */
export function legacyWith(key: Record<string, unknown> = {}): Record<string, unknown[]> {
  return {
    accounts: [{ id: 1, kind: 'user', name: 'Ada' }],
    apis: [{ id: 1, slug: 'invoices', name: 'Invoices', kind: 'store' }],
    keys: [
      { id: 1, account_id: 1, api_id: 1, name: 'one', token: 'token-1', created_at: '2020-01-01T00:00:00Z', ...key },
    ],
  };
}

function isRaw(content: unknown): content is string | Uint8Array {
  return typeof content === 'string' || content instanceof Uint8Array;
}
