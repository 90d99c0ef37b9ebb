import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { COMMANDS } from '../../src/commands/definitions/all.js';
import { GLOBAL_FLAGS } from '../../src/commands/flags.js';
import { schemaOf } from '../schemas/answers.js';
import { keylift } from './harness.js';

/** What bash holds when Tab is pressed: `=` is a word of its own there. */
const PRESS_TAB = `
  source "$1"; shift
  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
  "$(complete -p keylift | sed 's/.*-F \\([^ ]*\\) .*/\\1/')" 2>&1
  printf '%s\\n' "\${COMPREPLY[@]}"`;

describe('completion', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'keylift-completion-'));
    await writeFile(path.join(folder, 'my holds.csv'), '');
    await writeFile(path.join(folder, 'bash'), (await keylift('completion bash')).stdout);
  });
  after(() => rm(folder, { recursive: true }));

  /** What Tab offers behind this line, whose last word may be empty. */
  async function tab(...words: string[]): Promise<string[]> {
    const { stdout } = await promisify(execFile)(
      'bash',
      ['--norc', '-c', PRESS_TAB, 'bash', path.join(folder, 'bash'), 'keylift', ...words],
      { cwd: folder },
    );
    return stdout.split('\n').filter((word) => word !== '');
  }

  it('offers commands, and what is left of one', async () => {
    expect(await tab('')).to.deep.equal(COMMANDS.map(({ name }) => name));
    expect(await tab('re')).to.deep.equal(['repair', 'resume', 'report']);
    expect(await tab('--json', 'mi')).to.deep.equal(['migrate']);
    expect(await tab('mirgate', '')).to.deep.equal(['--help', '--version']);
    expect(await tab('--v')).to.deep.equal(['--version']);
  });

  for (const { name, flags } of COMMANDS) {
    it(`offers the flags of ${name}`, async () => {
      const all = [...Object.keys(flags), ...Object.keys(GLOBAL_FLAGS), 'help'].map((flag) => `--${flag}`);
      expect(await tab(name, '--')).to.deep.equal(all);
    });
  }

  it('offers the words that a flag takes, with a blank or = before them', async () => {
    const stages = ['expand', 'backfill', 'harden', 'verify', 'switch'];
    expect(await tab('migrate', '--until', '')).to.deep.equal(stages);
    expect(await tab('migrate', '--until', '=')).to.deep.equal(stages);
    expect(await tab('migrate', '--until', '=', 'ver')).to.deep.equal(['verify']);
    expect(await tab('--log-level', 'w')).to.deep.equal(['warn']);
    expect(await tab('migrate', '--concurrency', ''), 'nobody knows').to.deep.equal([]);
    expect(await tab('migrate', '--until', 'verify', '--ye')).to.deep.equal(['--yes']);
  });

  it('offers the words that a command takes, in their places', async () => {
    expect(await tab('snapshot', '')).to.deep.equal(['check', 'update', 'export']);
    expect(await tab('snapshot', '--accounts', '3', 'e')).to.deep.equal(['export']);
    expect(await tab('completion', '')).to.deep.equal(['bash', 'zsh']);
    expect(await tab('explain', '')).to.deep.equal([]);
    expect(await tab('switch', '')).to.include('--cohort');
  });

  it('leaves files to the shell', async () => {
    // Outside of a press of Tab bash has no compopt, as bash 3.2 and zsh never have.
    for (const line of [
      ['plan', '--holds', 'm'],
      ['switch', '--accounts', 'm'],
      ['report', 'm'],
      ['snapshot', 'check', 'm'],
    ]) {
      expect((await tab(...line)).at(-1), line.join(' ')).to.equal('my holds.csv');
    }
    expect(await tab('snapshot', '--accounts', 'm')).to.deep.equal([]);
  });

  it('speaks to the shell of whoever asks, and to bash where that is another one', async () => {
    const said = async (shell?: string) =>
      (await keylift('completion', { env: shell === undefined ? {} : { SHELL: shell } })).stdout;
    expect(await said('/bin/zsh'))
      .to.equal((await keylift('completion zsh')).stdout)
      .and.include('bashcompinit');
    expect(await said())
      .to.equal(await said('/usr/bin/fish'))
      .and.equal((await keylift('completion bash')).stdout)
      .and.not.include('bashcompinit');
  });

  it('needs neither a database nor a configuration that can be read', async () => {
    await writeFile(path.join(folder, 'keylift.config.json'), '{');
    expect(await keylift('completion', { cwd: folder })).to.include({ exitCode: 0, stderr: '' });
  });

  it('answers under --json', async () => {
    const document = JSON.parse((await keylift('completion zsh --json')).stdout) as unknown;
    expect(schemaOf('completion')(document)).to.equal(true);
    expect(document).to.deep.equal({ shell: 'zsh', script: (await keylift('completion zsh')).stdout });
  });
});
