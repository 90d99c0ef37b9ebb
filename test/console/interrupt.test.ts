import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { gateAt, until, waitingSessions } from '../support/waiting.js';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const CTRL_C = '\u0003';

/** A test that fails leaves its terminal open, and the program in it at work. */
const open = new Set<() => void>();

/** The program on a terminal of its own, as `script` of util-linux makes one: Ctrl-C is a key there. */
function onTerminal(line: string, { url, env = {} }: { url: string; env?: Record<string, string> }) {
  const command =
    `stty columns 80 rows 24; exec ${process.execPath} ` + `--import ${import.meta.resolve('tsx')} ${CLI} ${line}`;
  const child = spawn('script', ['--quiet', '--flush', '--return', '--command', command, '/dev/null'], {
    env: {
      ...process.env,
      NO_COLOR: undefined,
      DATABASE_URL: url,
      LC_ALL: 'C.UTF-8',
      TERM: 'xterm',
      SHELL: '/bin/sh',
      ...env,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const close = (): void => {
    child.kill('SIGKILL');
  };
  open.add(close);
  child.once('close', () => open.delete(close));
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  return {
    said: () => stripVTControlCharacters(said).replaceAll('\r', ''),
    raw: () => said,
    press: (keys: string) => {
      child.stdin.write(keys);
    },
    exited: new Promise<number | null>((resolve) =>
      child.once('close', (code) => {
        resolve(code);
      }),
    ),
  };
}

describe('migrate on a terminal', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => {
    open.forEach((close) => {
      close();
    });
    return scenario.close();
  });

  it('asks once, with place, numbers and what cannot be taken back, then shows its stages to the end', async () => {
    const terminal = onTerminal('migrate', { url: scenario.db.url });
    await until('the question', () => terminal.said().includes('[y/N]'), 50);
    expect(terminal.said())
      .to.include(`Migrate ${scenario.db.name} on 127.0.0.1:`)
      .and.include('become account keys')
      .and.include('A rollback is possible until finalize --purge');
    expect(await scenario.batchesDone(), 'nothing is written before the answer').to.equal(0);
    terminal.press('y\n');
    expect(await terminal.exited).to.equal(6);
    for (const stage of ['expand', 'backfill', 'harden', 'verify', 'switch'])
      expect(terminal.said()).to.match(new RegExp(` {2}✔ ${stage} +[\\d.]+ s\n`));
    expect(terminal.raw()).to.include('\u001b[32m✔');
    expect(terminal.said())
      .to.include('Migrated up to switch')
      .and.not.match(/\d\d:\d\d:\d\d stage/);
  });

  /** A run that stands in the middle of a batch. */
  async function halfway(flags: string) {
    await scenario.must('migrate --yes --until expand');
    const gate = await gateAt(scenario.db, 7, { kept: true });
    const terminal = onTerminal(`migrate --yes --batch-size 3 --concurrency 1 ${flags}`, { url: scenario.db.url });
    await until('a batch to be done', async () => (await scenario.batchesDone()) > 0, 50);
    await until('the next one to stand in the gate', async () => (await waitingSessions(scenario.db)) > 0, 50);
    await until('the picture to show it', () => /▶ backfill|‖ backfill/.test(terminal.said()));
    return { gate, terminal };
  }

  it('finishes the batch under way at the first Ctrl-C', async () => {
    const { gate, terminal } = await halfway('--no-color');
    const before = await scenario.batchesDone();
    terminal.press(CTRL_C);
    await until('it to answer', () =>
      terminal.said().includes('SIGINT: finishing what is begun; once more leaves at once. Both can be resumed'),
    );
    await gate.remove();
    expect(await terminal.exited).to.equal(130);
    expect(await scenario.batchesDone()).to.be.greaterThan(before);
    expect(terminal.said()).to.match(
      /■ backfill[^]*keylift: the command was stopped on request\n {2}Run the same command again: it continues where it stopped\.\n/,
    );
    expect(terminal.raw()).not.to.match(/\u001b\[\d+m/);
    await scenario.must('migrate --yes', 6);
  });

  it('leaves at once at the second, whatever the server is waiting for', async () => {
    const writer = await scenario.db.connect();
    await writer.query('begin; lock public.api_keys in access exclusive mode');
    const terminal = onTerminal('plan', { url: scenario.db.url });
    await until('it to wait for the lock', async () => (await waitingSessions(scenario.db)) > 0, 50);
    terminal.press(CTRL_C);
    await until('it to answer', () => terminal.said().includes('SIGINT: finishing'));
    expect(await waitingSessions(scenario.db), 'the first one lets it finish').to.be.greaterThan(0);
    terminal.press(CTRL_C);
    expect(await terminal.exited).to.equal(130);
    expect(terminal.said())
      .to.include('SIGINT again: leaving at once')
      .and.include(
        'keylift: the command was stopped at once; uncommitted work is rolled back\n' +
          '  Run the same command again: it continues where it stopped.\n',
      );
    expect(await waitingSessions(scenario.db), 'nothing goes on behind its back').to.equal(0);
    await writer.query('rollback');
  });
});
