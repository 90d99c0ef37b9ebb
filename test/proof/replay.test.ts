import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { catalogDigest, createReader } from '../support/reader.js';
import { answer, judge, NOBODY_HELD, oldRule, readWorld, type HeldIds, type World } from '../support/rules.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';
import { STATIONS } from '../support/stations.js';
import { byKind, replayed, verified, type Recorded } from './replays.js';
import { errorCodeOf } from '../support/error-document.js';

const EXPLAINED = ['widened', 'widened_before', 'closed_since', 'refused_otherwise'];

/** The kind of a decision about a token, read from the contract by the model of the rules. */
function kindOf(
  { world, held }: { world: World; held: HeldIds },
  token: string | null,
  api: string | undefined,
  allowed: boolean,
): string {
  const judged = judge(world, held);
  const ofToken = world.keys.filter((key) => token !== null && key.token === token);
  if (api === undefined) return allowed ? 'unknown_api' : 'same';
  if (token !== null && ofToken.length === 0) return allowed ? 'unknown_key' : 'same';
  const before =
    oldRule(world, token, api) !== undefined || (token === '' && ofToken.some((key) => key.api === api && key.alive));
  const after = before || answer({ world, judged, switched: 'all' }, token, api) !== undefined;
  if (after && !before) return allowed ? 'widened_before' : 'widened';
  if (allowed === before) return 'same';
  if (before) return 'refused_otherwise';
  const inStore = world.apis.get(api) === 'store';
  const eligible = ofToken.filter((key) => {
    const judgement = judged.get(key.id)!;
    return judgement.outcome !== 'stay' && !('reason' in judgement && judgement.reason.startsWith('missing_'));
  });
  const dead =
    ofToken.some((key) => key.api === api && !key.alive) ||
    (inStore && eligible.length > 0 && eligible.every((key) => !key.alive));
  return dead ? 'closed_since' : 'no_rule';
}

/**
 * Every token and every key id at every API, and at one there is not, let in and refused; with what is to come of it.
 */
async function everyDecision(
  scenario: Scenario,
  held: HeldIds,
): Promise<{ recorded: Recorded[]; expected: Record<string, number> }> {
  const world = await readWorld(scenario.db);
  const apis = await scenario.db.query<{ id: string; slug: string }>('select id::text, slug from public.apis');
  const expected: Record<string, number> = {};
  const recorded: Recorded[] = [];
  const add = (key: { token: string } | { key_id: string }, token: string | null): void => {
    for (const { slug, id } of [...apis, { slug: 'no-such-api', id: undefined }]) {
      for (const allowed of [true, false]) {
        recorded.push({ ...key, api: slug, allowed });
        const kind = kindOf({ world, held }, token, id, allowed);
        expected[kind] = (expected[kind] ?? 0) + 1;
      }
    }
  };
  for (const token of new Set(world.keys.flatMap((key) => key.token ?? []))) add({ token }, token);
  for (const key of world.keys) add({ key_id: key.id }, key.token);
  add({ token: 'nobody has this one' }, 'nobody has this one');
  return { recorded, expected };
}

const withoutSame = ({ same, ...kinds }: Record<string, number>): Record<string, number> => {
  expect(same).to.be.greaterThan(0);
  return kinds;
};

describe('verify --replay', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
  });
  afterEach(() => scenario.close());

  const withHolds = async (command: string): Promise<string> =>
    `${command} --holds ${await scenario.file('holds.csv', MOTLEY_HOLDS.csv)}`;

  /** Replays everything there is and compares with the model; unexplained kinds are named with exit code 4. */
  async function agreeWithModel(held: HeldIds, judgedBy: string): Promise<void> {
    const { recorded, expected } = await everyDecision(scenario, held);
    const replay = await replayed(scenario, recorded, { codes: [4] });
    expect(byKind(replay)).to.deep.equal(withoutSame(expected));
    expect(replay.same).to.equal(expected.same);
    expect(replay.kinds.map(({ kind, explained }) => [kind, explained])).to.deep.equal(
      replay.kinds.map(({ kind }) => [kind, EXPLAINED.includes(kind)]),
    );
    expect([replay.judged_by, replay.lines, replay.decisions]).to.deep.equal([
      judgedBy,
      recorded.length,
      recorded.length,
    ]);
    expect(replay.same + replay.explained + replay.unexplained).to.equal(recorded.length);
  }

  it('before a migration goes by the rules alone, compares no keys, and leaves no trace', async () => {
    const before = await catalogDigest(scenario.db);
    await agreeWithModel(NOBODY_HELD, 'rules');
    const file = await scenario.file(
      'one.ndjson',
      `{"token":${JSON.stringify(tokenOf(1))},"api":"invoices","allowed":true}\n`,
    );
    expect(await verified(scenario, ['--replay', file])).to.include({ ok: true, unproven: 'nothing_migrated' });
    expect(await catalogDigest(scenario.db)).to.equal(before);
    expect((await scenario.run('verify')).exitCode).to.equal(3);
  });

  it('names every difference as the model does, at every station', async () => {
    for (const [command] of STATIONS) {
      await scenario.must(command.includes('--until expand') ? await withHolds(command) : command, 0, 6);
      const byRules = /expand$|backfill$|^rollback/.test(command);
      await agreeWithModel(MOTLEY_HOLDS, byRules ? 'rules' : 'account_keys');
    }
    await scenario.must('switch --cohort 40% --back --yes');
    await agreeWithModel(MOTLEY_HOLDS, 'account_keys');
  });

  it('says the same of archived rows, and of what is known after a purge nothing worse', async () => {
    await scenario.must('migrate --yes', 6);
    const { recorded, expected } = await everyDecision(scenario, NOBODY_HELD);
    await scenario.must('finalize --yes');
    expect(byKind(await replayed(scenario, recorded, { codes: [4] }))).to.deep.equal(withoutSame(expected));
    await scenario.must('finalize --purge --yes');
    const file = await scenario.file('all.ndjson', recorded.map((one) => JSON.stringify(one)).join('\n'));
    const { replay } = await verified(scenario, ['--replay', file], 4);
    const worse = replay.kinds.filter(({ kind }) =>
      ['lost', 'gained_custom', 'gained_foreign', 'revived', 'gained_store'].includes(kind),
    );
    expect(worse).to.deep.equal([]);
    expect(replay.kinds.find(({ kind }) => kind === 'widened')?.decisions).to.be.greaterThan(0);
  });

  it('exits 0 while the rules explain every difference, and lists each with key, API, before and after', async () => {
    await scenario.must('migrate --yes', 6);
    const replay = await replayed(scenario, [
      { token: tokenOf(1), api: 'invoices', allowed: true },
      { token: tokenOf(1), api: 'receipts', allowed: false },
      { key_id: 4, api: 'invoices', allowed: true },
      { key_id: '9007199254740993', api: 'invoices', allowed: false },
      { token: tokenOf(1), api: 'receipts', allowed: false },
    ]);
    const fingerprint = (token: string) => createHash('sha256').update(token).digest('hex').slice(0, 12);
    expect(replay.kinds.map(({ kind, differences }) => [kind, differences])).to.deep.equal([
      [
        'widened',
        [
          {
            line: 2,
            times: 2,
            key_id: '1',
            fingerprint: fingerprint(tokenOf(1)),
            api: 'receipts',
            recorded: false,
            before: false,
            after: true,
            now: true,
          },
        ],
      ],
      [
        'closed_since',
        [
          {
            line: 3,
            times: 1,
            key_id: '4',
            fingerprint: fingerprint(tokenOf(4)),
            api: 'invoices',
            recorded: true,
            before: false,
            after: false,
            now: false,
          },
        ],
      ],
      [
        'refused_otherwise',
        [
          {
            line: 4,
            times: 1,
            key_id: '9007199254740993',
            fingerprint: fingerprint(tokenOf('9007199254740993')),
            api: 'invoices',
            recorded: false,
            before: true,
            after: true,
            now: true,
          },
        ],
      ],
    ]);
    expect(replay).to.deep.include({ ok: true, same: 1, explained: 4, unexplained: 0 });
  });

  const FAULTS: [name: string, sql: string, recorded: Recorded, kind: string][] = [
    [
      'an account key lost that a merged row needs',
      'delete from public.account_api_keys where id = 21',
      { key_id: 20, api: 'invoices', allowed: true },
      'lost',
    ],
    [
      'an account key that is dead where its row lives',
      'update public.account_api_keys set revoked_at = now() where id = 1',
      { key_id: 1, api: 'invoices', allowed: true },
      'lost',
    ],
    [
      'a dead key that lives in Settings',
      'update public.account_api_keys set revoked_at = null where id = 4',
      { key_id: 4, api: 'receipts', allowed: false },
      'revived',
    ],
    [
      'a held key in Settings',
      `insert into public.account_api_keys (id, account_id, name, token, origin_api_id, created_at)
      select id, account_id, name, token, api_id, created_at from public.api_keys where id = 31`,
      { key_id: 31, api: 'passport', allowed: false },
      'gained_store',
    ],
    [
      'a key given to another account',
      'update public.account_api_keys set account_id = 2 where id = 1',
      { key_id: 1, api: 'receipts', allowed: false },
      'gained_foreign',
    ],
    [
      'authorize opening a custom API',
      opening('k.id = 1 and $2 = 4'),
      { key_id: 1, api: 'forms', allowed: false },
      'gained_custom',
    ],
    [
      'authorize opening for a dead key',
      opening('k.id = 4 and $2 = 1'),
      { key_id: 4, api: 'invoices', allowed: false },
      'revived',
    ],
    [
      'authorize shutting one out',
      wrapped('select * from keylift.authorize_before($1, $2) where key_id <> 7 or $2 <> 3'),
      { key_id: 7, api: 'passport', allowed: true },
      'lost',
    ],
    [
      'authorize naming another account',
      wrapped('select key_id, 1::bigint, source from keylift.authorize_before($1, $2)'),
      { key_id: 7, api: 'passport', allowed: true },
      'gained_foreign',
    ],
  ];

  it('finds what was done past the mirror, and behind the resolver', async () => {
    await scenario.must('migrate --yes', 6);
    for (const [name, sql, recorded, kind] of FAULTS) {
      const damaged = await scenario.copy();
      try {
        const client = await damaged.db.connect();
        await client.query(`set session_replication_role = replica; ${sql}`);
        const replay = await replayed(damaged, [recorded], { codes: [4] });
        expect(
          replay.kinds.map((found) => [found.kind, found.explained, found.decisions]),
          name,
        ).to.deep.equal([[kind, false, 1]]);
      } finally {
        await damaged.close();
      }
    }
  });

  it('judges a slug that several APIs have at each of them, and takes what agrees best', async () => {
    await scenario.db.query(`update public.apis set slug = 'letters' where slug = 'forms'`);
    await scenario.must('migrate --yes', 6);
    const replay = await replayed(scenario, [
      { key_id: 3, api: 'letters', allowed: true },
      { key_id: 3, api: 'letters', allowed: false },
    ]);
    expect([replay.same, replay.ambiguous_apis]).to.deep.equal([2, 2]);
  });

  it('tells keys born in Settings, which open the store from their first moment, also after a rollback', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.db.query(
      `insert into public.account_api_keys (account_id, name, token) values (4, 'born', '${tokenOf('born')}')`,
    );
    const recorded: Recorded[] = [
      { token: tokenOf('born'), api: 'passport', allowed: true },
      { token: tokenOf('born'), api: 'forms', allowed: false },
    ];
    for (const command of ['', 'rollback --yes']) {
      if (command !== '') await scenario.must(command);
      expect(byKind(await replayed(scenario, recorded))).to.deep.equal({ widened_before: 1 });
    }
  });

  it('answers a role that may read the legacy tables alone', async () => {
    const reader = await createReader(scenario.db);
    const file = await scenario.file('decisions.ndjson', `{"key_id":1,"api":"receipts","allowed":false}`);
    for (const command of ['', 'migrate --yes']) {
      if (command !== '') await scenario.must(command, 6);
      const { exitCode, stderr, json } = await scenario.run(['verify', '--replay', file, '--json'], {
        url: reader.url,
      });
      expect(exitCode, stderr).to.equal(0);
      expect(json<{ replay: { explained: number } }>().replay.explained).to.equal(1);
    }
    await reader.drop();
  });

  it('is refused where no temporary table can be made, before a decision is sent', async () => {
    const reader = await createReader(scenario.db);
    await scenario.db.query(`revoke temporary on database ${scenario.db.name} from public`);
    const file = await scenario.file('decisions.ndjson', `{"key_id":1,"api":"receipts","allowed":false}`);
    const { exitCode, stdout, stderr } = await scenario.run(['verify', '--replay', file, '--json'], {
      url: reader.url,
    });
    expect([exitCode, errorCodeOf(stdout)]).to.deep.equal([3, 'temporary_tables']);
    expect(stderr).to.include('GRANT TEMPORARY').and.include('runbook.md#temporary-tables');
    await reader.drop();
  });

  it('tells it to people, the worst first', async () => {
    await scenario.must('migrate --yes', 6);
    const file = await scenario.file(
      'decisions.ndjson',
      [
        { token: tokenOf(1), api: 'invoices', allowed: true },
        { token: tokenOf(1), api: 'receipts', allowed: false },
        { token: 'sécret+gone', api: 'receipts', allowed: true },
      ]
        .map((one) => JSON.stringify(one))
        .join('\n'),
    );
    const { stdout, exitCode } = await scenario.run(['verify', '--replay', file]);
    expect(exitCode).to.equal(4);
    expect(stdout).to.include('Replay: DIFFERENCES THAT THE RULES DO NOT EXPLAIN.');
    expect(stdout).to.match(
      /unknown_key \(NOT EXPLAINED\), 1 decision: .*\n.*\n? *line 3: no key, fingerprint [0-9a-f]{12} at receipts: recorded yes, before no, after no, now no\n/,
    );
    expect(stdout.indexOf('unknown_key')).to.be.lessThan(stdout.indexOf('widened (explained)'));
    expect(stdout).not.to.include('sécret+gone');
  });
});

/** The resolver under another name, and in its place one that passes its answers on as told. */
function wrapped(select: string): string {
  return `
  do $do$ begin
    execute replace(replace(pg_get_functiondef('keylift.authorize(text, bigint)'::regprocedure), 'authorize(',
      'authorize_before('), 'authorize.', 'authorize_before.');
  end $do$;
  create or replace function keylift.authorize(token text, api_id bigint) returns table (key_id bigint,
    account_id bigint, source text)
  language sql stable as $$ ${select} $$`;
}

/** authorize as it is, and open where it must not be. */
function opening(condition: string): string {
  return wrapped(`
  select * from keylift.authorize_before($1, $2)
  union all select k.id, k.account_id, 'account' from public.api_keys k
    where k.token = $1 and ${condition} and not exists (select from keylift.authorize_before($1, $2))`);
}
