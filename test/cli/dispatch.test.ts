import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { type ExitCode } from '../../src/errors/exit-codes.js';
import { keyliftError } from '../../src/errors/keylift-error.js';
import { keylift } from './harness.js';

const URL_WITH_PASSWORD = 'postgres://ann:hunter2@127.0.0.1:1/shop';
const env = { DATABASE_URL: URL_WITH_PASSWORD };
const WAY_OUT = { hint: 'Do something.' };
const HELP = '  Do something.\n  see runbook.md#database (code database_silent)\n';
const BUG = '  this is a bug in keylift or an event that it did not foresee, not a mistake of yours\n';
const REPORT =
  '  Please report it, with the command line, the lines above and the stack.\n' +
  '  see runbook.md#a-bug-of-keylift (code unexpected)\n';
const throwing = (error: unknown) => () => Promise.reject(error as Error);

describe('dispatch', () => {
  it('hands the command its arguments in camelCase, read and complete', async () => {
    let seen: unknown;
    const line = 'migrate --until verify --concurrency 4 --batch-time 0.5 --holds h.csv --yes';
    await keylift(line, {
      env,
      cwd: '/somewhere',
      run: (_, { args }) => {
        seen = args;
        return Promise.resolve(0);
      },
    });
    expect(seen).to.deep.equal({
      dryRun: false,
      until: 'verify',
      holds: '/somewhere/h.csv',
      concurrency: 4,
      batchSize: undefined,
      batchTime: 500,
      maxLag: undefined,
      maxActive: undefined,
      maxLatency: undefined,
      throttleQuery: undefined,
      throttleUrl: undefined,
      plan: undefined,
      tolerance: undefined,
      metricsFile: undefined,
      yes: true,
    });
  });

  it("keeps a key's id the text it is", async () => {
    let seen: unknown;
    await keylift('explain 009223372036854775807', {
      env,
      run: (_, { args }) => {
        seen = args;
        return Promise.resolve(0);
      },
    });
    expect(seen).to.deep.equal({ key: '009223372036854775807' });
  });

  it('passes the exit code on', async () => {
    for (const code of [0, 4, 6] as ExitCode[]) {
      expect((await keylift('verify', { env, run: () => Promise.resolve(code) })).exitCode).to.equal(code);
    }
  });

  it('keeps stdout for one JSON document under --json', async () => {
    const outcome = await keylift('plan --json', {
      env,
      run: (context) => {
        context.write('the story\n');
        context.printAnswer({ total: 3 });
        return Promise.resolve(0);
      },
    });
    expect(JSON.parse(outcome.stdout)).to.deep.equal({ total: 3 });
    expect(outcome.stderr).to.equal('the story\n');
  });

  it('writes text to stdout without --json', async () => {
    expect(
      (
        await keylift('plan', {
          env,
          run: (context) => {
            context.write('3 keys\n');
            return Promise.resolve(0);
          },
        })
      ).stdout,
    ).to.equal('3 keys\n');
  });

  it('exits 2 with a hint when no database is named', async () => {
    expect(await keylift('plan')).to.deep.equal({
      exitCode: 2,
      stdout: '',
      stderr:
        'keylift: no database is named\n  Set DATABASE_URL ' +
        'to postgres://user:password@host:5432/database, or pass --database-url.\n' +
        '  see runbook.md#database (code database_url_missing)\n',
    });
  });

  it('lets commands run that need no database', async () => {
    expect((await keylift('snapshot check x', { run: () => Promise.resolve(0) })).exitCode).to.equal(0);
  });

  it('exits 5 when nobody listens, without the password', async () => {
    const outcome = await keylift('status --json', {
      env,
      run: async (context) => {
        await context.openDatabase();
        return 0;
      },
    });
    expect(outcome.exitCode).to.equal(5);
    expect(outcome.stdout).to.include('"code": "database_unreachable"').and.not.include('hunter2');
    expect(outcome.stderr).to.include('no server listens there').and.not.include('hunter2');
  });

  for (const [error, exitCode, text] of [
    [
      keyliftError('another_run', {
        message: 'another run owns this',
        facts: { owner: 'host-1', rows: ['a', 'b'] },
        hint: 'Wait for it.',
      }),
      3,
      'keylift: another run owns this\n  owner: host-1\n  rows:\n    a\n    b\n  Wait for it.\n' +
        '  see runbook.md#another-run (code another_run)\n',
    ],
    [keyliftError('database_silent', { message: 'gone', ...WAY_OUT }), 5, `keylift: gone\n${HELP}`],
    [
      keyliftError('interrupted', { message: 'stopped', hint: 'Go on.' }),
      130,
      'keylift: stopped\n  Go on.\n  see runbook.md#stop-resume-take-back (code interrupted)\n',
    ],
    [
      new DOMException('aborted', 'AbortError'),
      130,
      'keylift: the command was stopped on request\n  ' +
        'Run the same command again: it continues where it stopped.\n' +
        '  see runbook.md#stop-resume-take-back (code interrupted)\n',
    ],
    [
      new Error(`cannot use ${URL_WITH_PASSWORD}`),
      1,
      `keylift: unexpected error: cannot use ***\n${BUG} ` +
        ` stack: shown by --log-level debug, kept by --log-file FILE\n${REPORT}`,
    ],
    ['a string', 1, `keylift: unexpected error: a string\n${BUG}${REPORT}`],
    [
      Object.assign(new pg.DatabaseError('relation "x" does not exist', 1, 'error'), {
        code: '42P01',
        detail: 'secret row',
      }),
      2,
      'keylift: the database lacks an object: relation "x" does not exist\n  sqlstate: 42P01\n' +
        '  Compare the tables and columns in keylift.config.json ' +
        'with the database: keylift check names all that ' +
        'are missing. If an object in the schema keylift was dropped, restore it.\n' +
        '  see runbook.md#mapping (code object_missing)\n',
    ],
    [
      keyliftError('database_silent', { message: 'a key named \u001b[2J\u202ex', ...WAY_OUT }),
      5,
      `keylift: a key named \\u001b[2J\\u202ex\n${HELP}`,
    ],
  ] as const) {
    it(`tells ${String(error).slice(0, 50).replaceAll('\u001b', '')} and exits ${String(exitCode)}`, async () => {
      expect(await keylift('plan', { env, run: throwing(error) })).to.deep.equal({
        exitCode,
        stdout: '',
        stderr: text,
      });
    });
  }

  it("shows a bug's stack at debug level alone", async () => {
    const { stderr } = await keylift('plan --log-level debug', {
      env,
      run: throwing(new TypeError('x is not a function')),
    });
    expect(stderr).to.match(/TypeError: x is not a function\n +at /);
  });

  it('answers the first signal with stop and the second with stopNow', async () => {
    const seen: boolean[] = [];
    const { exitCode, stderr } = await keylift('migrate', {
      env,
      run: (context, { send }) => {
        send('SIGINT');
        seen.push(context.stop.aborted, context.stopNow.aborted);
        send('SIGTERM');
        seen.push(context.stop.aborted, context.stopNow.aborted);
        throw keyliftError('interrupted', { message: 'stopped between two batches', hint: 'Go on.' });
      },
    });
    expect(seen).to.deep.equal([true, false, true, true]);
    expect([exitCode, stderr]).to.deep.equal([
      130,
      'SIGINT: finishing what is begun; once more leaves at once. Both can be resumed\n' +
        'SIGTERM again: leaving at once; what is not committed is rolled back\n' +
        'keylift: stopped between two batches\n  Go on.\n  see runbook.md#stop-resume-take-back (code interrupted)\n',
    ]);
  });
});

describe('dispatch with files', () => {
  let cwd = '';
  beforeEach(async () => {
    cwd = await mkdtemp(path.join(os.tmpdir(), 'keylift-cli-'));
  });
  afterEach(() => rm(cwd, { recursive: true }));

  it('names three faults of a config file at once, exit 2', async () => {
    await writeFile(path.join(cwd, 'c.json'), '{"legacy": {"keys": {"tokn": "t", "id": 1}}, "traget": {}}');
    const { exitCode, stderr } = await keylift('plan --config c.json', { env, cwd });
    expect(exitCode).to.equal(2);
    expect(stderr).to.equal(`keylift: the config file ${path.join(cwd, 'c.json')} has 3 faults:
  traget: unknown key, did you mean "target"?
  legacy.keys.tokn: unknown key, did you mean "token"?
  legacy.keys.id: must be text, not the number 1
  Correct the file; schemas/config.schema.json describes it. Nothing was changed.
  see runbook.md#command-line-and-configuration (code config_invalid)
`);
  });

  it('logs JSON lines for one reader, errors included and passwords left out', async () => {
    await keylift('plan --log-file log.ndjson', {
      env,
      cwd,
      run: (context) => {
        context.logger.info('step', '  trying', { reason: URL_WITH_PASSWORD, facts: { list: ['hunter2'] } });
        context.logger.debug('step', 'hidden');
        throw keyliftError('another_run', { message: 'hunter2 is the password', facts: { a: 1 } });
      },
    });
    const text = await readFile(path.join(cwd, 'log.ndjson'), 'utf8');
    const entries = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(
      entries.map(({ time, ms, ...entry }) => {
        void [time, ms];
        return entry;
      }),
    ).to.deep.equal([
      { level: 'info', event: 'command', message: 'keylift plan', command: 'plan' },
      { level: 'info', event: 'step', message: 'trying', reason: '***', facts: { list: ['***'] } },
      {
        level: 'error',
        event: 'failed',
        message: '*** is the password',
        code: 'another_run',
        exit_code: 3,
        facts: { a: 1 },
      },
    ]);
    expect((await stat(path.join(cwd, 'log.ndjson'))).mode & 0o777).to.equal(0o600);
  });

  it('refuses a log file that cannot be written', async () => {
    const { exitCode, stderr } = await keylift('plan --log-file no/such/folder/x', { env, cwd });
    expect([exitCode, stderr]).to.deep.equal([
      2,
      `keylift: the log file ${cwd}/no/such/folder/x cannot be written: its folder does not exist (ENOENT)\n` +
        `  file: ${cwd}/no/such/folder/x\n  Name a file in a folder that exists and that you may write.\n` +
        '  see runbook.md#command-line-and-configuration (code log_file_unwritable)\n',
    ]);
  });
});
