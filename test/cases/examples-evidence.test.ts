import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.js';
import { openDatabase, type Database } from '../../src/database/connect.js';
import { inspectLegacy, type MappedSchema } from '../../src/mapping/inspect.js';
import type { Plan } from '../../src/plan/plan.js';
import { exportCase } from '../../src/cases/export/export.js';
import { readFixture } from '../../src/cases/fixture.js';
import { loadOwnTables } from '../../src/cases/load-own.js';
import { byKind, replayed, type Recorded } from '../proof/replays.js';
import { Scenario } from '../support/scenario.js';
import { useDirectories } from './case-directory.js';

const EXAMPLES = path.join(packageRoot(), 'examples');

/** What a gateway would record: each key at each API, let in where a living row of its token is of that API. */
async function recordedBy(database: Database, { legacy: l }: MappedSchema): Promise<Recorded[]> {
  const { rows } = await database.readOnly((session) =>
    session.query<{ key_id: string; api: string; allowed: boolean }>(`
    SELECT keys.id::text AS key_id, door.slug AS api, EXISTS (
      SELECT FROM ${l.keys} k WHERE ${l.isPerApiKey()} AND ${l.alive()} AND ${l.token()} = keys.token
        AND ${l.api()} = door.id) AS allowed
    FROM (SELECT ${l.id()} AS id, ${l.token()} AS token FROM ${l.keys} k WHERE ${l.isPerApiKey()}) keys
      CROSS JOIN (SELECT ${l.apiId()} AS id, ${l.slug()}::text AS slug FROM ${l.apis} a) door`),
  );
  return rows;
}

describe('every shipped example', () => {
  const write = useDirectories();

  for (const name of readdirSync(EXAMPLES)
    .filter((entry) => !entry.includes('.'))
    .sort()) {
    it(`${name}: decisions replay, before and after, and a sample comes to what the plan says`, async () => {
      const { own, settings } = await readFixture(path.join(EXAMPLES, name));
      const scenario = await Scenario.open({ schema: 'none' });
      let database: Database | undefined;
      try {
        await loadOwnTables(scenario.db.url, own!);
        const flags = ['--config', path.join(EXAMPLES, name, 'keylift.config.json')];
        const opened = (database = await openDatabase(scenario.db.url));
        const mapped = await opened.readOnly((session) => inspectLegacy(session, settings!));
        const recorded = await recordedBy(opened, mapped);
        const before = await replayed(scenario, recorded, { flags });
        expect([before.judged_by, before.unexplained, Object.keys(byKind(before))]).to.deep.equal([
          'rules',
          0,
          ['widened'],
        ]);

        const plan = (await scenario.run(['plan', '--json', ...flags])).json<Plan>();
        const directory = path.join(await write({ 'beside.txt': '' }), 'sample');
        const exported = await exportCase(opened, mapped, { directory, accounts: 1000 });
        expect([exported.outcomes, exported.exceptions_by_reason]).to.deep.equal([
          plan.outcomes,
          plan.exceptions_by_reason,
        ]);
        expect((await readFixture(directory)).rows.keys).to.have.length(plan.total);

        expect([0, 6]).to.include((await scenario.run(['migrate', '--yes', ...flags])).exitCode);
        const after = await replayed(scenario, recorded, { flags });
        expect([after.judged_by, byKind(after)]).to.deep.equal(['account_keys', byKind(before)]);
      } finally {
        await database?.close();
        await scenario.close();
      }
    });
  }
});
