import { expect } from 'chai';
import fc from 'fast-check';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { legacyFragments } from '../../src/mapping/fragments.js';
import { verdicts } from '../../src/mapping/rules/verdicts.js';
import type { Plan } from '../../src/plan/plan.js';
import { DRAWN_WORLD, drawnKeys, type DrawnKeys } from '../support/drawn-keys.js';
import { Scenario } from '../support/scenario.js';
import { plant } from '../support/seed.js';

const l = legacyFragments(DEFAULT_SETTINGS);

/** The counts of a plan, by the verdict of every key. */
const counted = (heldKeys: readonly string[], heldAccounts: readonly string[]): string => `
  WITH v AS (
    SELECT *, outcome = 'move' AND alive AS widened FROM (${verdicts(l, {
      rows: 'true',
      holds: {
        from: 'parameters',
        keyIds: `'{${heldKeys.join(',')}}'::bigint[]`,
        accountIds: `'{${heldAccounts.join(',')}}'::bigint[]`,
      },
    })}) v)
  SELECT (SELECT coalesce(jsonb_object_agg(outcome, n), '{}') FROM (SELECT outcome, count(*) AS n FROM v
    GROUP BY 1) o) AS outcomes,
    (SELECT coalesce(jsonb_object_agg(reason, n), '{}') FROM (SELECT reason, count(*) AS n FROM v
      WHERE reason IS NOT NULL GROUP BY 1) r) AS exceptions_by_reason,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('key_id', key_id::text, 'reason', reason) ORDER BY key_id), '[]')
      FROM v WHERE reason IS NOT NULL) AS exceptions,
    (SELECT jsonb_build_object('keys', count(*), 'accounts', count(DISTINCT account_id), 'store_apis', 2,
      'dormant_keys', count(*) FILTER (WHERE coalesce(last_used_at < now() - interval '90 days', true))) FROM v
        WHERE widened) AS widening,
    (SELECT count(*)::int FROM v) AS total`;

describe('plan on drawn keys', () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await Scenario.open();
  });
  after(() => scenario.close());

  async function agree(drawn: DrawnKeys): Promise<void> {
    const ids = new Set(drawn.keys.map((_, at) => String(at + 1)));
    const heldKeys = drawn.heldKeys.filter((id) => ids.has(id));
    await scenario.db.query('truncate public.accounts, public.apis, public.api_keys');
    await plant(scenario.db, { ...DRAWN_WORLD, keys: drawn.keys });
    const lines = [...heldKeys.map((id) => `${id},`), ...drawn.heldAccounts.map((id) => `,${id}`)];
    const holds = await scenario.file('holds.csv', `key_id,account_id\n${lines.map((line) => `${line}\n`).join('')}`);
    const plan = (await scenario.must(`plan --json --holds ${holds}`, 0, 6)).json<Plan>();
    const [expected] = await scenario.db.query<Omit<Plan, 'outcomes'> & { outcomes: Partial<Plan['outcomes']> }>(
      counted(heldKeys, drawn.heldAccounts),
    );
    const { outcomes, exceptions_by_reason, exceptions, widening, total } = plan;
    expect({ exceptions_by_reason, exceptions, widening, total, outcomes }).to.deep.equal({
      ...expected,
      outcomes: { move: 0, stay: 0, merge: 0, hold: 0, exception: 0, ...expected!.outcomes },
    });
  }

  it('counts what the verdict of every key says', async () => {
    await fc.assert(fc.asyncProperty(drawnKeys, agree), { numRuns: 40 });
  });
});
