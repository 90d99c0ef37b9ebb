import { expect } from 'chai';
import fc from 'fast-check';
import { DEFAULT_SETTINGS } from '../../../src/config/defaults.js';
import { legacyFragments } from '../../../src/mapping/fragments.js';
import { hasTokenIn, repeatedTokens } from '../../../src/mapping/rules/repeated-tokens.js';
import { outcomeOfSingleRow, singleRowMoves } from '../../../src/mapping/rules/single-row.js';
import {
  staysByItself,
  verdictAlone,
  verdicts,
  type HoldsSource,
  type VerdictOptions,
} from '../../../src/mapping/rules/verdicts.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { DRAWN_WORLD, drawnKeys, type DrawnKeys } from '../../support/drawn-keys.js';
import { MOTLEY, MOTLEY_HOLDS } from '../../support/motley.js';
import { plant, tokenOf, type Seed } from '../../support/seed.js';

/*
 * Each faster reading of the rules against the reference, `verdicts` over all rows at once.
 */

const l = legacyFragments(DEFAULT_SETTINGS);
const RUNS = 60;

const nativeKeyHasToken = `EXISTS (SELECT FROM ${l.target} b WHERE b.token = ${l.token()} AND b.origin_api_id IS NULL)`;
const tokenIsUnique = `NOT EXISTS (SELECT FROM ${l.keys} other WHERE other.token = ${l.token()}
  AND other.id <> ${l.id()})`;

const array = (values: readonly string[]): string => `'{${values.join(',')}}'::bigint[]`;
const heldBy = ({ heldKeys, heldAccounts }: DrawnKeys): HoldsSource => ({
  from: 'parameters',
  keyIds: array(heldKeys),
  accountIds: array(heldAccounts),
});

describe('a faster reading of the rules', () => {
  let db: TestDatabase;
  beforeEach(async () => {
    db = await createTestDatabase();
    await db.query(
      'create table public.account_api_keys (id bigint, account_id bigint, token text, origin_api_id bigint)',
    );
  });
  afterEach(() => db.drop());

  async function fill(seed: Seed, nativeTokens: readonly string[]): Promise<void> {
    await db.query('truncate public.accounts, public.apis, public.api_keys, public.account_api_keys');
    await plant(db, seed);
    await db.query('insert into public.account_api_keys (token) select unnest($1::text[])', [nativeTokens]);
  }

  /** The last use of a group matters for the key that moves. */
  const columns =
    'key_id, outcome, reason, account_key_id, ' + `CASE WHEN outcome = 'move' THEN last_used_at END AS last_used_at`;

  const reference = (options: Omit<VerdictOptions, 'rows'>): string =>
    `SELECT ${columns} FROM (${verdicts(l, { ...options, rows: 'true' })}) v`;

  /** Rows that only one of the two queries has. */
  const differences = async (one: string, other: string): Promise<unknown[]> =>
    db.query(`
      SELECT 'one' AS only, a.* FROM ((${one}) EXCEPT ALL (${other})) a
      UNION ALL
      SELECT 'other', b.* FROM ((${other}) EXCEPT ALL (${one})) b`);

  /** Compares on drawn populations, and on the one that has every case. */
  async function holds(compare: (drawn: DrawnKeys) => Promise<void>): Promise<void> {
    const motley = {
      keys: [...MOTLEY.keys],
      heldKeys: [...MOTLEY_HOLDS.keyIds],
      heldAccounts: [...MOTLEY_HOLDS.accountIds],
      nativeTokens: [tokenOf(1), tokenOf('twins')],
    };
    await fill(MOTLEY, motley.nativeTokens);
    await compare(motley);
    await fc.assert(
      fc.asyncProperty(drawnKeys, async (drawn) => {
        await fill({ ...DRAWN_WORLD, keys: drawn.keys }, drawn.nativeTokens);
        await compare(drawn);
      }),
      { numRuns: RUNS },
    );
  }

  for (const [title, tokensSorted] of [
    ['found by an index', true],
    ['found by a scan', false],
  ] as const) {
    it(`splits the rows in two, repeated tokens ${title}`, async () => {
      await holds(async (drawn) => {
        const options = { holds: heldBy(drawn), takenElsewhere: nativeKeyHasToken };
        const rows = hasTokenIn(l, { tokens: repeatedTokens(l, l.target), tokensSorted });
        expect(
          await differences(
            `SELECT key_id, coalesce(reason, outcome) FROM (${reference(options)}) v`,
            `SELECT key_id, coalesce(reason, outcome) FROM (${verdicts(l, { ...options, rows })}) v
             UNION ALL
             SELECT ${l.id()}, ${outcomeOfSingleRow(l, { holds: options.holds })} FROM ${l.from}
               WHERE NOT coalesce(${rows}, false)`,
          ),
        ).to.deep.equal([]);
      });
    });
  }

  it('decides a row whose token no other row has, as an outcome and as a verdict', async () => {
    await holds(async (drawn) => {
      const options = { holds: heldBy(drawn), takenElsewhere: nativeKeyHasToken };
      const unique = `SELECT ${l.id()} FROM ${l.keys} k WHERE ${tokenIsUnique}`;
      const expected = `SELECT * FROM (${reference(options)}) v WHERE key_id IN (${unique})`;
      expect(
        await differences(
          expected,
          `SELECT ${columns} FROM (${verdictAlone(l, { ...options, rows: tokenIsUnique })}) v`,
        ),
      ).to.deep.equal([]);
      expect(
        await differences(
          `SELECT key_id, coalesce(reason, outcome) FROM (${expected}) v`,
          `SELECT ${l.id()}, ${outcomeOfSingleRow(l, options)} FROM ${l.from} WHERE ${tokenIsUnique}`,
        ),
      ).to.deep.equal([]);
    });
  });

  it('knows by conditions which rows of existing accounts move', async () => {
    await holds(async (drawn) => {
      const options = { holds: heldBy(drawn) };
      expect(
        await differences(
          `SELECT key_id FROM (${reference(options)}) v WHERE outcome = 'move' AND key_id IN (SELECT ${l.id()}
            FROM ${l.keys} k WHERE ${tokenIsUnique})`,
          `SELECT ${l.id()} FROM ${l.from}
            WHERE ${[l.accountId() + ' IS NOT NULL', tokenIsUnique, ...singleRowMoves(l, options.holds)].join(' AND ')}`,
        ),
      ).to.deep.equal([]);
    });
  });

  it('knows which rows stay', async () => {
    await holds(async () => {
      expect(
        await differences(
          `SELECT key_id FROM (${reference({ holds: { from: 'nowhere' } })}) v WHERE outcome = 'stay'`,
          `SELECT ${l.id()} FROM ${l.from} WHERE ${staysByItself(l)}`,
        ),
      ).to.deep.equal([]);
    });
  });
});
