import { expect } from 'chai';
import { RUNNABLE } from '../../src/commands/commands.js';
import { COMMANDS } from '../../src/commands/definitions/all.js';
import { GLOBAL_FLAGS } from '../../src/commands/flags.js';
import { EXIT } from '../../src/errors/exit-codes.js';
import { keylift } from './harness.js';

const SEE = '  see runbook.md#command-line-and-configuration (code usage)\n';

/** The contract's table of commands, flag by flag, and the two that make a configuration. */
const CONTRACT: Record<string, string[]> = {
  demo: [],
  init: ['dry-run', 'force'],
  check: [],
  plan: [
    'show-sql',
    'rehearse',
    'holds',
    'out',
    'keys',
    'dormant',
    'notice',
    'concurrency',
    'batch-size',
    'batch-time',
  ],
  migrate: [
    'dry-run',
    'until',
    'holds',
    'plan',
    'tolerance',
    'concurrency',
    'batch-size',
    'batch-time',
    'max-lag',
    'max-active',
    'throttle-query',
    'throttle-url',
    'max-latency',
    'metrics-file',
    'yes',
  ],
  verify: ['replay', 'probe'],
  repair: ['dry-run', 'metrics-file', 'yes'],
  switch: ['all', 'cohort', 'accounts', 'back', 'metrics-file', 'yes'],
  rollback: ['accounts', 'triggers', 'metrics-file', 'yes'],
  finalize: ['purge', 'triggers', 'metrics-file', 'yes'],
  uninstall: ['yes'],
  status: ['watch'],
  history: [],
  pause: [],
  resume: [],
  tune: [
    'concurrency',
    'batch-size',
    'batch-time',
    'max-lag',
    'max-active',
    'throttle-query',
    'throttle-url',
    'max-latency',
  ],
  report: [],
  explain: [],
  snapshot: ['junit', 'accounts'],
  completion: [],
};

describe('the command line', () => {
  it("has the contract's commands and flags, and no others", () => {
    expect(Object.fromEntries(COMMANDS.map(({ name, flags }) => [name, Object.keys(flags)]))).to.deep.equal(CONTRACT);
    expect(Object.keys(GLOBAL_FLAGS)).to.deep.equal([
      'config',
      'database-url',
      'json',
      'no-color',
      'log-file',
      'log-level',
    ]);
  });

  it('can run every command of the overview', () => {
    expect(RUNNABLE.map(({ definition }) => definition)).to.deep.equal(COMMANDS);
  });

  for (const { name, flags, examples, exits } of COMMANDS) {
    it(`${name} --help shows flags, examples and exit codes`, async () => {
      const { exitCode, stdout, stderr } = await keylift(`${name} --help`);
      expect([exitCode, stderr]).to.deep.equal([0, '']);
      for (const flag of [...Object.keys(flags), ...Object.keys(GLOBAL_FLAGS)]) expect(stdout).to.include(`--${flag} `);
      for (const [line] of examples) expect(stdout).to.include(`keylift ${line}`);
      expect(stdout).to.include('Exit codes:');
      for (const code of exits) expect(stdout).to.match(new RegExp(`^ +${String(code)}  `, 'm'));
    });

    it(`${name}: every example is a line that it takes`, async () => {
      for (const [line] of examples) {
        const run = () => Promise.resolve(0 as const);
        expect(await keylift(line, { run, env: { DATABASE_URL: 'postgres://ann@h/d' } }), line).to.include({
          exitCode: 0,
          stderr: '',
        });
      }
    });
  }

  it('shows all commands and exit codes with --help, and the version with --version', async () => {
    const help = await keylift('--help');
    expect(help).to.include({ exitCode: 0, stderr: '' });
    for (const { name } of COMMANDS) expect(help.stdout).to.match(new RegExp(` ${name} {2,}\\w`));
    for (const code of Object.values(EXIT))
      expect(help.stdout).to.match(new RegExp(`[:;] ${String(code)} |^ +${String(code)} `, 'm'));
    const lines = help.stdout.trimEnd().split('\n');
    expect(lines.length, 'on one screen').to.be.lessThan(29);
    expect(lines.filter((line) => line.length > 79)).to.deep.equal([]);
    expect(
      lines.map((line) => /^[A-Z][\w ]+?(?= {2})/.exec(line)?.[0]).filter((title) => title !== undefined),
    ).to.deep.equal(['Prepare', 'Migrate', 'Control', 'After', 'Your CI', 'Shell']);
    expect((await keylift('help')).stdout).to.equal(help.stdout);
    const version = await keylift('--version');
    expect(version.exitCode).to.equal(0);
    expect(version.stdout).to.match(/^\d+\.\d+\.\d+\n$/);
    expect((await keylift('help plan')).stdout).to.equal((await keylift('plan --help')).stdout);
  });

  for (const [line, message] of [
    ['', 'keylift: name a command\n  See keylift --help.\n'],
    ['mirgate', 'keylift: unknown command "mirgate", did you mean migrate?\n  See keylift --help.\n'],
    ['mirgate --help', 'keylift: unknown command "mirgate", did you mean migrate?\n  See keylift --help.\n'],
    ['xyzzy', 'keylift: unknown command "xyzzy"\n  See keylift --help.\n'],
    ['migrate --dryrun', 'keylift: unknown flag --dryrun, did you mean --dry-run?\n  See keylift migrate --help.\n'],
    ['migrate --dryRun', 'keylift: unknown flag --dryRun, did you mean --dry-run?\n  See keylift migrate --help.\n'],
    ['plan -x', 'keylift: unknown flag -x\n  See keylift plan --help.\n'],
    ['plan --no-json', 'keylift: unknown flag --no-json\n  See keylift plan --help.\n'],
    ['plan --json=false', 'keylift: --json takes no value\n  See keylift plan --help.\n'],
    ['plan --json false', 'keylift: unexpected argument "false"\n  See keylift plan --help.\n'],
    ['plan now', 'keylift: unexpected argument "now"\n  See keylift plan --help.\n'],
    ['plan -- now', 'keylift: unexpected argument "now"\n  See keylift plan --help.\n'],
    ['plan --config --json', 'keylift: --config needs a value\n  See keylift plan --help.\n'],
    ['plan --config=', 'keylift: --config: must not be empty\n  See keylift plan --help.\n'],
    ['plan --config a --config b', 'keylift: --config: given more than once\n  See keylift plan --help.\n'],
    [
      'explain',
      "keylift: <key> is missing: a key's id, or the fingerprint that keylift shows\n  See keylift explain --help.\n",
    ],
    ['explain 1 2', 'keylift: unexpected argument "2"\n  See keylift explain --help.\n'],
    [
      'snapshot chek x',
      'keylift: <action>: must be one of check, update, export (not "chek")\n  See keylift snapshot --help.\n',
    ],
    [
      'switch',
      'keylift: name the accounts: --all, --cohort P%, --accounts FILE or --back\n  See keylift switch --help.\n',
    ],
    ['switch --all --cohort 5%', 'keylift: --all and --cohort exclude each other\n  See keylift switch --help.\n'],
    [
      'tune',
      'keylift: name the change: --concurrency, --batch-size, --batch-time, --max-lag, --max-active, ' +
        '--throttle-query, --throttle-url or --max-latency\n  See keylift tune --help.\n',
    ],
    [
      'status --watch --json',
      'keylift: --watch and --json exclude each other: stdout is one document\n  See keylift status --help.\n',
    ],
    ['rollback --all', 'keylift: unknown flag --all\n  See keylift rollback --help.\n'],
  ] as const) {
    it(`refuses keylift ${line}`, async () => {
      const { stdout, ...ended } = await keylift(line);
      expect(ended).to.deep.equal({ exitCode: 2, stderr: `${message}${SEE}` });
      if (line.split(' ').includes('--json')) expect(JSON.parse(stdout)).to.have.nested.property('error.code', 'usage');
      else expect(stdout).to.equal('');
    });
  }

  it('names all faults at once', async () => {
    expect((await keylift('migrate --concurency 2 --until now extra')).stderr).to.equal(
      'keylift: unknown flag --concurency, did you mean --concurrency?\n' +
        'unexpected argument "2"\nunexpected argument "extra"\n  See keylift migrate --help.\n' +
        SEE,
    );
    expect(
      (await keylift('migrate --concurrency 0 --until now --batch-time fast')).stderr.split('\n').slice(0, 3),
    ).to.deep.equal([
      'keylift: --until: must be one of expand, backfill, harden, verify, switch (not "now")',
      '--concurrency: must be a whole number from 1 to 64 (not "0")',
      '--batch-time: must be a time above zero and up ' +
        'to a day: seconds, or with a unit, such as 0.5, 500ms or 2m (not "fast")',
    ]);
  });

  it('does not repeat a password that stands under a mistyped flag', async () => {
    const { stderr } = await keylift('plan --databse-url postgres://ann:hunter2@h/d');
    expect(stderr).to.include('did you mean --database-url?').and.not.include('hunter2');
  });
});
