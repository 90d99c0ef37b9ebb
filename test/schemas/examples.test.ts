import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import type { Settings } from '../../src/config/settings.js';
import { packageRoot } from '../../src/config/package-root.js';
import { readFixture } from '../../src/cases/fixture.js';
import { loadOwnTables } from '../../src/cases/load-own.js';
import { keylift } from '../cli/harness.js';
import { useTestDatabase } from '../support/database.js';

const EXAMPLES = path.join(packageRoot(), 'examples');

interface Expected {
  /** Derived by hand from the rows and the rules: moved, and what stays, merges or waits. */
  outcomes: Record<string, number>;
  gained: number;
}

/** What a person knows that no catalog says: the shipped configuration has it, the draft asks for it in its doubts. */
interface Known {
  keys?: Record<string, unknown>;
  target?: { table: string };
  /** What the draft has otherwise, without a doubt about it. */
  instead?: { keys?: Record<string, unknown>; apis?: Record<string, unknown> };
}

const SETTLED: Record<string, Known> = {
  'flags-and-types': {
    keys: { carry: ['is_active'], where: { sql: `k."type" = 'api_key'` } },
    target: { table: 'public.team_api_keys' },
  },
  'integer-ids-hashed-tokens': { keys: { timeZone: 'UTC' } },
  'mixed-case-owner-two-joins-away': {
    keys: { carry: ['environmentId'], timeZone: 'UTC' },
    target: { table: 'public."OrganizationApiKey"' },
  },
  'project-keys-to-organization': {
    keys: { api: 'project_id' },
    target: { table: 'public.organization_api_keys' },
    instead: {
      keys: { account: { sql: 'a.organization_id' } },
      apis: { table: 'public.projects', inStore: { sql: 'a.organization_id = o.id AND a.archived_at IS NULL' } },
    },
  },
};

const OUTCOMES: Record<string, Expected> = {
  'flags-and-types': { outcomes: { move: 3, stay: 1, merge: 0, hold: 0, exception: 1 }, gained: 2 },
  'integer-ids-hashed-tokens': { outcomes: { move: 4, stay: 1, merge: 0, hold: 0, exception: 2 }, gained: 2 },
  'mixed-case-owner-two-joins-away': { outcomes: { move: 4, stay: 1, merge: 1, hold: 0, exception: 3 }, gained: 2 },
  'partitioned-by-month': { outcomes: { move: 4, stay: 1, merge: 1, hold: 0, exception: 1 }, gained: 2 },
  'project-keys-to-organization': { outcomes: { move: 4, stay: 1, merge: 1, hold: 0, exception: 2 }, gained: 3 },
  'several-secrets': { outcomes: { move: 3, stay: 1, merge: 0, hold: 0, exception: 1 }, gained: 2 },
  'uuid-ids-byte-digests': { outcomes: { move: 4, stay: 1, merge: 1, hold: 0, exception: 2 }, gained: 2 },
};

describe('shipped examples', () => {
  const database = useTestDatabase({ schema: 'none', each: true });
  const names = readdirSync(EXAMPLES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

  it('have their outcomes written down, and are shipped', () => {
    expect(Object.keys(OUTCOMES).sort()).to.deep.equal(names);
    const { files } = JSON.parse(readFileSync(path.join(packageRoot(), 'package.json'), 'utf8')) as { files: string[] };
    expect(files).to.include('examples');
  });

  for (const name of names) {
    describe(name, () => {
      const folder = path.join(EXAMPLES, name);
      const config = path.join(folder, 'keylift.config.json');
      const env = () => ({ DATABASE_URL: database().url });
      const run = async (line: string, ...codes: number[]): Promise<Record<string, unknown>> => {
        const ended = await keylift(`${line} --json --config ${config}`, { env: env() });
        expect(codes, `${line}\n${ended.stdout}${ended.stderr}`).to.include(ended.exitCode);
        return JSON.parse(ended.stdout) as Record<string, unknown>;
      };
      const load = async () => {
        await loadOwnTables(database().url, (await readFixture(folder)).own!);
      };

      it('is checked, planned, moved, proven, taken back and finalized', async () => {
        await load();
        expect(await run('check', 0)).to.deep.include({ ok: true, faults: [] });
        const { outcomes, gained } = OUTCOMES[name]!;
        expect((await run('plan', 0, 6)).outcomes).to.deep.equal(outcomes);
        for (const round of ['first', 'again']) {
          expect(await run('migrate --yes', 0, 6), round).to.deep.include({
            moved: outcomes.move,
            merged: outcomes.merge,
            exceptions: outcomes.exception,
          });
          const proof = await run('verify', 0);
          expect((proof.authorization as Record<string, number>).gained_store, round).to.equal(gained);
          expect(await run('check', 0), round).to.deep.include({ ok: true });
          expect(await run('finalize --yes', 0), round).to.deep.equal({
            state: 'finalized',
            archived: outcomes.move! + outcomes.merge!,
          });
          expect(await run('rollback --yes', 0), round).to.deep.include({ rolled_back: true, born_in_settings: [] });
        }
      });

      it('is what keylift init would begin with', async () => {
        await load();
        const { exitCode, stdout, stderr } = await keylift('init --dry-run --json', { env: env() });
        expect(exitCode, stderr).to.equal(0);
        const { config: drafted, notes } = JSON.parse(stdout) as {
          config: Settings;
          notes: { at: string; kind: string }[];
        };
        const { keys, target, instead } = SETTLED[name] ?? {};
        expect({
          legacy: {
            ...drafted.legacy,
            keys: { ...drafted.legacy.keys, ...keys, ...instead?.keys },
            apis: { ...drafted.legacy.apis, ...instead?.apis },
          },
          target: target ?? drafted.target,
        }).to.deep.equal(JSON.parse(readFileSync(config, 'utf8')));
        const doubts = notes.filter(({ kind }) => kind === 'doubt').map(({ at }) => at);
        expect(doubts).to.include.members(Object.keys(keys ?? {}).map((key) => `legacy.keys.${key}`));
      });
    });
  }
});
