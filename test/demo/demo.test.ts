import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Ajv } from 'ajv';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.js';
import type { DemoDocument } from '../../src/demo/document.js';
import { DEMO_CASE } from '../../src/demo/demo.js';
import { EXIT } from '../../src/errors/exit-codes.js';
import { keylift } from '../cli/harness.js';

async function expectValid(name: string, document: unknown): Promise<void> {
  const schema = JSON.parse(
    await readFile(path.join(packageRoot(), 'schemas', `${name}.schema.json`), 'utf8'),
  ) as object;
  const ajv = new Ajv({ strict: true });
  expect(ajv.validate(schema, document), `${name}: ${ajv.errorsText()}`).to.equal(true);
}

async function demoTokens(): Promise<string[]> {
  const { keys } = JSON.parse(await readFile(path.join(DEMO_CASE, 'legacy.json'), 'utf8')) as {
    keys: { token: string }[];
  };
  return keys.map(({ token }) => token);
}

describe('keylift demo', () => {
  it('tells the story within 80 columns, every check passes, and no token is shown', async () => {
    const { exitCode, stdout, stderr } = await keylift('demo');
    expect({ exitCode, stderr }).to.deep.equal({ exitCode: EXIT.done, stderr: '' });
    expect(stdout.split('\n').filter((line) => [...line].length > 80)).to.deep.equal([]);
    for (const title of [
      '1. Before',
      '2. The plan',
      '3. The move',
      '4. After',
      '5. The proof',
      '6. Later',
      '7. And back',
    ]) {
      expect(stdout).to.include(`\n${title}`);
    }
    expect(stdout).to.match(
      /\[ Acme Corp > Settings > API Keys \][\s\S]*invoice-api-key {3}2020-03-02 08:15:42\.123456/,
    );
    expect(stdout.match(/^ {2}ok {6}/gm)).to.have.length(11);
    expect(stdout).not.to.include('FAILED');
    for (const token of await demoTokens()) expect(stdout).not.to.include(token);
  });

  it('--json: one document, valid, with the access as the rules of the move want them', async () => {
    const { exitCode, stdout, stderr } = await keylift('demo --json');
    expect(exitCode).to.equal(EXIT.done);
    const story = JSON.parse(stdout) as DemoDocument;
    await expectValid('demo', story);
    await expectValid('plan', story.plan);
    await expectValid('migrate', story.migrate);
    await expectValid('verify', story.proof);
    expect(stderr).to.include('7. And back');
    const opened = (matrix: DemoDocument['after']['matrix']) =>
      Object.fromEntries(
        matrix.map(({ key, opens }) => [
          key,
          Object.entries(opens)
            .filter(([, by]) => by !== null)
            .map(([api, by]) => `${api} ${by!}`),
        ]),
      );
    const before = {
      'invoice-key-2019': [],
      'invoice-api-key': ['invoices per_api'],
      'receipt-api-key': ['expense_receipts per_api'],
      'w9-forms-key': ['wsnine per_api'],
      'passport-dev': ['passport per_api'],
      'partner-key': ['passport per_api'],
    };
    const store = ['invoices account', 'expense_receipts account', 'passport account'];
    const after = { ...before, 'invoice-api-key': store, 'receipt-api-key': store, 'passport-dev': store };
    const grown = [...store, 'bank_check account'];
    expect(opened(story.before.matrix)).to.deep.equal(before);
    expect(opened(story.after.matrix)).to.deep.equal(after);
    expect(opened(story.store_api_added.matrix)).to.deep.equal({
      ...after,
      'invoice-api-key': grown,
      'receipt-api-key': grown,
      'passport-dev': grown,
    });
    expect(opened(story.rollback.matrix)).to.deep.equal(before);
  });

  it('Ctrl-C in the middle: exit 130, and no server, no directory stays', async () => {
    const cwd = await mkdtemp(path.join(tmpdir(), 'keylift-demo-'));
    await chmod(cwd, 0o755); // where the tests run as root, PostgreSQL's own user must get in
    const cli = path.join(packageRoot(), 'src/cli.ts');
    const child = spawn(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), cli, 'demo', '--log-level', 'debug'],
      { cwd, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        const seen = output.includes('3. The move');
        output += chunk.toString();
        if (!seen && output.includes('3. The move')) child.kill('SIGINT');
      });
    }
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(code, output).to.equal(EXIT.interrupted);
    expect(output).to.include('stopped on request; the demo removed what it created').and.not.include('5. The proof');
    expect(await readdir(path.join(cwd, '.keylift'))).to.deep.equal([]);
    const pid = Number(/PostgreSQL (\d+) is ready/.exec(output)?.[1]);
    expect(() => process.kill(pid, 0)).to.throw(/ESRCH/);
    await rm(cwd, { recursive: true });
  });
});
