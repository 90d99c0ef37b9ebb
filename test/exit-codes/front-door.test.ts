import net, { type AddressInfo } from 'node:net';
import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { useDirectories } from '../cases/case-directory.js';
import { useFixtureDatabase } from './fixture-database.js';
import { refused } from './unchanged.js';

const WRITING = ['migrate --yes', 'switch --all --yes', 'rollback --yes'];
const READING = ['plan', 'status', 'verify', 'migrate --dry-run'];

describe('bad input at the front door', () => {
  const { database, load } = useFixtureDatabase();
  const directory = useDirectories();
  beforeEach(() => load('story'));

  describe('command lines', () => {
    for (const [line, message] of [
      ['migrate --yess', 'unknown flag --yess, did you mean --yes?'],
      ['migrate --dryrun --yes', 'unknown flag --dryrun, did you mean --dry-run?'],
      ['migrat --yes', 'unknown command "migrat", did you mean migrate?'],
      ['migrate --yes now', 'unexpected argument "now"'],
      ['migrate --yes --until finalize', '--until: must be one of'],
      ['switch --cohort 5 --yes', 'the percent sign is missing'],
      ['switch --cohort 0% --yes', 'above 0%'],
      ['switch --all --cohort 5% --yes', 'exclude each other'],
    ] as const) {
      it(`keylift ${line}`, async () => {
        const { exitCode, stderr } = await refused(database(), line);
        expect(exitCode).to.equal(2);
        expect(stderr).to.include(message);
      });
    }

    it('no database named', async () => {
      for (const line of [...READING, ...WRITING]) {
        expect(await keylift(line), line).to.deep.include({ exitCode: 2, stdout: '' });
      }
    });
  });

  describe('configuration', () => {
    const withConfig = async (line: string, config: unknown) => {
      const folder = await directory({ 'keylift.config.json': config });
      return refused(database(), line, { cwd: folder });
    };

    it('names an unknown key, and what was meant', async () => {
      const { exitCode, stderr } = await withConfig('migrate --yes', { legacy: { keys: { tokn: 'token' } } });
      expect(exitCode).to.equal(2);
      expect(stderr).to.include('legacy.keys.tokn: unknown key, did you mean "token"?');
    });

    it('names all three faults of one file', async () => {
      const { exitCode, stderr } = await withConfig('migrate --yes', {
        legacy: { keys: { tokn: 'token', createdAt: 7 }, apis: { inStore: null } },
      });
      expect(exitCode).to.equal(2);
      expect(stderr)
        .to.include('3 faults')
        .and.include('legacy.keys.tokn')
        .and.include('legacy.keys.createdAt')
        .and.include('legacy.apis.inStore');
    });

    it('a file that is not JSON, is missing, or is a folder', async () => {
      expect((await withConfig('migrate --yes', '{"legacy": ')).exitCode).to.equal(2);
      expect((await refused(database(), 'migrate --yes --config /nowhere/k.json')).exitCode).to.equal(2);
      expect((await refused(database(), 'migrate --yes --config /')).exitCode).to.equal(2);
    });

    for (const [what, config, words] of [
      ['a table that is not there', { legacy: { keys: { table: 'public.apikeys' } } }, ['public.apikeys']],
      ['a schema that is not there', { legacy: { apis: { table: 'shop.apis' } } }, ['shop.apis']],
      ['a key column that is not there', { legacy: { keys: { token: 'tokn' } } }, ['tokn']],
      ['an id column that is not there', { legacy: { keys: { id: 'key_id' } } }, ['key_id']],
      ['an API column that is not there', { legacy: { apis: { slug: 'slugg' } } }, ['slugg']],
      ['an account column that is not there', { legacy: { accounts: { name: 'fullname' } } }, ['fullname']],
      ['a carried column that is not there', { legacy: { keys: { carry: ['scopes'] } } }, ['scopes']],
      [
        'a column inside an expression that is not there',
        { legacy: { keys: { name: { sql: 'upper(k.nam)' } } } },
        ['nam'],
      ],
      ['a function that is not there', { legacy: { keys: { token: { sql: 'unwrap(k.token)' } } } }, ['unwrap']],
      ['an expression that is no SQL', { legacy: { keys: { token: { sql: 'k.token ||' } } } }, ['syntax error']],
      ['a condition that is none', { legacy: { apis: { inStore: 'kind' } } }, ['boolean']],
      ['a date that is none', { legacy: { keys: { expiresAt: 'name' } } }, ['text']],
      ['a last use that is none', { legacy: { keys: { lastUsedAt: 'name' } } }, ['text']],
      ['an API reference of another type', { legacy: { keys: { api: 'name' } } }, ['bigint', 'text']],
      ['a target schema that is not there', { target: { table: 'shop.account_api_keys' } }, ['shop']],
    ] as const) {
      it(what, async () => {
        for (const line of ['migrate --yes', ...('target' in config ? [] : ['plan', 'status'])]) {
          const { exitCode, stderr } = await withConfig(line, config);
          expect([line, exitCode], stderr).to.deep.equal([line, 2]);
          for (const word of words) expect(stderr).to.include(word);
          expect(stderr.length, 'a message, no listing of SQL').to.be.lessThan(1500);
        }
      });
    }

    it('a target table that somebody uses is a gate', async () => {
      await database().query('create table public.invoices (id bigint)');
      const { exitCode, stderr } = await withConfig('migrate --yes', { target: { table: 'public.invoices' } });
      expect(exitCode).to.equal(3);
      expect(stderr).to.include('invoices').and.include('runbook.md#gate-target');
    });

    it('names all that is missing at once, with what was meant', async () => {
      const { exitCode, stderr } = await withConfig('migrate --yes', {
        legacy: {
          keys: { token: 'tokn', carry: ['nothing_like_it'] },
          apis: { table: 'public.api' },
          accounts: { name: 'nam' },
        },
      });
      expect(exitCode).to.equal(2);
      expect(stderr)
        .to.include('legacy.keys.token: no column "tokn", did you mean "token"?')
        .and.include('legacy.keys.carry[0]: no column "nothing_like_it", there are id, account_id')
        .and.include('legacy.apis.table: no table public.api, did you mean public.apis?')
        .and.include('legacy.accounts.name: no column "nam", did you mean "name"?')
        .and.include('runbook.md#mapping');
    });

    it('another configuration than the migration was begun with', async () => {
      const env = { DATABASE_URL: database().url };
      expect((await keylift('migrate --yes', { env })).exitCode).to.equal(0);
      for (const line of [
        'migrate --yes',
        'rollback --yes',
        'switch --back --yes',
        'verify',
        'finalize --yes',
        'status',
      ]) {
        const { exitCode, stderr } = await withConfig(line, { target: { table: 'public.other_keys' } });
        expect([line, exitCode], stderr).to.deep.equal([line, 3]);
        expect(stderr).to.include('runbook.md#settings-changed');
      }
    });
  });

  describe('databases', () => {
    const at = (change: (url: URL) => void): string => {
      const url = new URL(database().url);
      change(url);
      return url.href;
    };

    for (const [what, change, code, message] of [
      [
        'nobody listens',
        (url: URL) => {
          url.port = '1';
        },
        5,
        /cannot reach the database at 127\.0\.0\.1:1: no server listens there/,
      ],
      [
        'a host name nobody knows',
        (url: URL) => {
          url.hostname = 'db.invalid';
        },
        5,
        /cannot reach the database at db\.invalid/,
      ],
      [
        'a wrong password',
        (url: URL) => {
          url.password = 'wrong-word';
        },
        2,
        /refused the password of/,
      ],
      [
        'an unknown user',
        (url: URL) => {
          url.username = 'nobody';
        },
        2,
        /refused the password of nobody|does not admit nobody/,
      ],
      [
        'an unknown database',
        (url: URL) => {
          url.pathname = '/nowhere';
        },
        2,
        /there is no database "nowhere"/,
      ],
      [
        'a URL that is none',
        (url: URL) => {
          url.protocol = 'mysql:';
        },
        2,
        /the database URL is not usable/,
      ],
    ] as const) {
      it(`${what}: exit ${String(code)}`, async () => {
        for (const line of [...READING, ...WRITING]) {
          const { exitCode, stderr } = await refused(database(), line, { env: { DATABASE_URL: at(change) } });
          expect([line, exitCode], stderr).to.deep.equal([line, code]);
          expect(stderr).to.match(message).and.not.include('wrong-word');
        }
      });
    }

    it('a server that does not answer: exit 5', async function () {
      this.timeout(60_000);
      const sockets: net.Socket[] = [];
      const silent = net.createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
      await new Promise((resolve) => silent.once('listening', resolve));
      const { port } = silent.address() as AddressInfo;
      try {
        const { exitCode, stderr } = await refused(database(), 'migrate --yes', {
          env: {
            DATABASE_URL: at((url) => {
              url.port = String(port);
            }),
          },
        });
        expect(exitCode).to.equal(5);
        expect(stderr).to.include('no answer within 10 s');
      } finally {
        sockets.forEach((socket) => socket.destroy());
        silent.close();
      }
    });
  });

  describe('gates', () => {
    it('asks before it writes, and refuses where no person can answer', async () => {
      const first = await refused(database(), 'migrate');
      expect(first.exitCode).to.equal(3);
      expect(first.stderr).to.include('there is no terminal to answer from').and.include('--yes');
      expect(
        (await keylift('migrate --until verify --yes', { env: { DATABASE_URL: database().url } })).exitCode,
      ).to.equal(0);
      for (const line of [
        'migrate',
        'switch --all',
        'switch --cohort 5%',
        'switch --back',
        'rollback',
        'finalize',
        'finalize --purge',
      ]) {
        expect((await refused(database(), line)).exitCode, line).to.equal(3);
      }
    });

    for (const line of [
      'verify',
      'switch --all --yes',
      'switch --cohort 5% --yes',
      'switch --back --yes',
      'finalize --yes',
      'finalize --purge --yes',
    ]) {
      it(`${line} with nothing migrated`, async () => {
        const { exitCode, stderr } = await refused(database(), line);
        expect(exitCode).to.equal(3);
        expect(stderr).to.include('there is no migration to').and.include('runbook.md#nothing-migrated');
      });
    }

    it('switch before the proof', async () => {
      const env = { DATABASE_URL: database().url };
      for (const stage of ['expand', 'backfill', 'harden']) {
        expect((await keylift(`migrate --until ${stage} --yes`, { env })).exitCode).to.equal(0);
        const outcome = await keylift('switch --all --yes', { env });
        expect(outcome.exitCode).to.equal(3);
        expect(outcome.stderr).to.include('runbook.md#not-verified');
        expect(await database().query('select mode from keylift.switch_rule')).to.deep.equal([{ mode: 'none' }]);
      }
    });
  });
});
