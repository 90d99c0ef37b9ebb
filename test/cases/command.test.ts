import { cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Ajv } from 'ajv';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.js';
import { EXIT } from '../../src/errors/exit-codes.js';
import { keylift } from '../cli/harness.js';
import { onServer, serverUrl } from '../support/database.js';
import { legacyWith, SHIPPED, useDirectories } from './case-directory.js';
import { useScratchRole } from './scratch-role.js';

const documentSchema = async (): Promise<object> =>
  JSON.parse(await readFile(path.join(packageRoot(), 'schemas/snapshot-check.schema.json'), 'utf8')) as object;

describe('keylift snapshot', () => {
  const write = useDirectories();
  const role = useScratchRole();
  const env = () => ({ DATABASE_URL: role.url() });

  /** A shipped case of one's own to change. */
  async function copyOfStory(): Promise<string> {
    const directory = path.join(await write({ 'unused.txt': '' }), 'story');
    await cp(path.join(SHIPPED, 'story'), directory, { recursive: true });
    return directory;
  }

  it('check: a line for each case, exit 0, on the server given, whose databases are as before', async () => {
    const { exitCode, stdout, stderr } = await keylift(['snapshot', 'check', path.join(SHIPPED, 'story')], {
      env: env(),
    });
    expect({ exitCode, stderr }).to.deep.equal({ exitCode: EXIT.done, stderr: '' });
    expect(stdout).to.equal('ok      story\n1 case: 1 the same, 0 differ\n');
    expect(await role.databases()).to.deep.equal([]);
  });

  it('check: exit 4 and the place where a snapshot differs, as text and as one JSON document', async () => {
    const directory = await copyOfStory();
    const file = path.join(directory, 'snapshots/settings.json');
    await writeFile(file, (await readFile(file, 'utf8')).replace('"invoice-api-key"', '"renamed"'));
    const text = await keylift(['snapshot', 'check', directory], { env: env() });
    expect(text.exitCode).to.equal(EXIT.differences);
    expect(text.stdout).to.equal(
      [
        'DIFFERS story',
        '          settings[id=1].keys[id=11].name: expected "renamed", got "invoice-api-key"',
        '1 case: 0 the same, 1 differs',
        '',
      ].join('\n'),
    );
    const json = await keylift(['snapshot', 'check', directory, '--json'], { env: env() });
    expect(json.exitCode).to.equal(EXIT.differences);
    const document: unknown = JSON.parse(json.stdout);
    expect(document).to.deep.equal({
      ok: false,
      cases: [
        {
          case: 'story',
          ok: false,
          differences: [{ path: 'settings[id=1].keys[id=11].name', expected: 'renamed', actual: 'invoice-api-key' }],
        },
      ],
    });
    const ajv = new Ajv({ strict: true });
    expect(ajv.validate(await documentSchema(), document), ajv.errorsText()).to.equal(true);
  });

  it('update: writes, exit 0, and a second one finds nothing to write', async () => {
    const directory = await copyOfStory();
    await writeFile(path.join(directory, 'snapshots/plan.json'), '{}\n');
    const first = await keylift(['snapshot', 'update', directory], { env: env() });
    expect([first.exitCode, first.stdout.split('\n')[0], first.stdout.split('\n').at(-2)]).to.deep.equal([
      EXIT.done,
      'written story',
      '1 case: 0 the same, 1 written',
    ]);
    const second = await keylift(['snapshot', 'update', directory], { env: env() });
    expect(second.stdout).to.equal('same    story\n1 case: 1 the same, 0 written\n');
  });

  it('exit 2 for fixtures with faults, before any database is touched', async () => {
    const directory = await write({
      'a/legacy.json': legacyWith({ created_at: 'soon' }),
      'b/legacy.json': legacyWith(),
    });
    const { exitCode, stdout, stderr } = await keylift(['snapshot', 'check', directory], {
      env: { DATABASE_URL: 'postgres://x@127.0.0.1:1/none' },
    });
    expect({ exitCode, stdout }).to.deep.equal({ exitCode: EXIT.usage, stdout: '' });
    expect(stderr).to.include('a/legacy.json: keys[0].created_at');
  });

  it('exit 2 for a holds file that names nobody; the other cases run on', async () => {
    const directory = await write({
      'a/legacy.json': legacyWith(),
      'a/holds.csv': 'key_id\n77\n',
      'b/legacy.json': legacyWith(),
    });
    const { exitCode, stdout } = await keylift(['snapshot', 'update', directory], { env: env() });
    expect(exitCode).to.equal(EXIT.usage);
    expect(stdout).to.match(/^FAILED {2}a\n {10}keylift: .*\n(.*\n)*written b\n/);
    expect(stdout.split('\n').at(-2)).to.equal('2 cases: 0 the same, 1 written, 1 failed');
  });

  it('exit 5 where nobody listens, 130 when interrupted; no scratch database stays', async () => {
    const story = path.join(SHIPPED, 'story');
    const gone = await keylift(['snapshot', 'check', story], {
      env: { DATABASE_URL: 'postgres://x:y@127.0.0.1:1/none' },
    });
    expect(gone.exitCode).to.equal(EXIT.unreachable);
    const stopped = await keylift(['snapshot', 'check', SHIPPED], {
      env: env(),
      run: (context, { run, send }) => {
        setTimeout(() => {
          send('SIGINT');
        }, 300);
        return run(context);
      },
    });
    expect([stopped.exitCode, stopped.stdout]).to.deep.equal([EXIT.interrupted, '']);
    expect(await role.databases()).to.deep.equal([]);
  });

  it('exit 3, once for all cases, for a role that may not make a scratch database', async () => {
    const poor = `no_createdb_${String(process.pid)}`;
    await onServer((client) => client.query(`CREATE ROLE ${poor} LOGIN PASSWORD 'only-looks-1234'`));
    const url = new URL(serverUrl());
    url.username = poor;
    url.password = 'only-looks-1234';
    const { exitCode, stdout, stderr } = await keylift(['snapshot', 'check', SHIPPED], {
      env: { DATABASE_URL: url.href },
    });
    await onServer((client) => client.query(`DROP ROLE ${poor}`));
    expect([exitCode, stdout], stderr).to.deep.equal([EXIT.refused, '']);
    expect(stderr.match(/may not create a scratch database/g)).to.have.length(1);
    expect(stderr).to.include('runbook.md#snapshots').and.not.include('only-looks-1234');
  });

  it('without a database it starts a server of its own for the time it takes', async () => {
    const { exitCode, stdout } = await keylift(['snapshot', 'check', path.join(SHIPPED, 'story')]);
    expect([exitCode, stdout.split('\n')[0]]).to.deep.equal([EXIT.done, 'ok      story']);
  });
});
