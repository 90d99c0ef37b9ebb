import { expect } from 'chai';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { MAX_LINE_BYTES, readPages, type Page } from '../../src/proof/replay/lines.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { useDirectories } from '../cases/case-directory.js';
import { replayed, verified } from './replays.js';
import { errorCodeOf } from '../support/error-document.js';

const TYPES = { id: 'bigint', token: 'text', tokenIsBytes: false };
const good = '{"token":"t","api":"invoices","allowed":true}';

describe('a file of decisions', () => {
  const write = useDirectories();

  async function pagesOf(content: string | Uint8Array, types = TYPES): Promise<Page[]> {
    const file = path.join(await write({ 'decisions.ndjson': content }), 'decisions.ndjson');
    const pages: Page[] = [];
    for await (const page of readPages(file, { types })) pages.push(page);
    return pages;
  }

  /** All pages as one. */
  async function read(content: string | Uint8Array, types = TYPES): Promise<Page> {
    const pages = await pagesOf(content, types);
    return {
      decisions: pages.flatMap((page) => page.decisions),
      faults: pages.flatMap((page) => page.faults),
      lines: pages.reduce((sum, { lines }) => sum + lines, 0),
    };
  }

  const faultsOf = async (content: string | Uint8Array, types = TYPES): Promise<[number, string][]> =>
    (await read(content, types)).faults.map(({ line, reason }): [number, string] => [line, reason]);

  it('may have a byte order mark, CRLF, blank lines, further fields, and no newline at its end', async () => {
    const page = await read(
      `\uFEFF${good}\r\n\r\n  \n${good.replace('}', ',"at":"2026-01-01","token_kind":"x"}')}\r\n` +
        '{"key_id":7,"api":"","allowed":false}',
    );
    expect(page.faults).to.deep.equal([]);
    expect(page.decisions).to.deep.equal([
      { line: 1, token: 't', keyId: null, api: 'invoices', allowed: true },
      { line: 4, token: 't', keyId: null, api: 'invoices', allowed: true },
      { line: 5, token: null, keyId: '7', api: '', allowed: false },
    ]);
    expect(await pagesOf('')).to.deep.equal([]);
    expect(await pagesOf('\n\n')).to.deep.equal([]);
  });

  it('has bad lines named by number, each with all that is wrong, and nothing of them repeated', async () => {
    const lines = [
      good,
      'sécret+1',
      '{"token":"sécret+2"',
      '[]',
      'null',
      '"sécret+3"',
      '{}',
      '{"token":"sécret+4","key_id":"5","api":"invoices","allowed":true}',
      '{"token":5,"api":6,"allowed":"yes"}',
      '{"key_id":true,"api":"a","allowed":true}',
      '{"key_id":9007199254740993,"api":"a","allowed":true}',
      '{"key_id":"9223372036854775808","api":"a","allowed":true}',
      '{"key_id":"sécret+6","api":"a","allowed":true}',
      '{"token":"\\u0000","api":"a","allowed":true}',
      '{"token":"\\ud800","api":"a\\u0000","allowed":true}',
      `{"token":"${'x'.repeat(MAX_LINE_BYTES)}"}`,
      good,
    ];
    const faults = await faultsOf(lines.join('\n'));
    expect(faults).to.deep.equal([
      [2, 'not JSON'],
      [3, 'not JSON'],
      [4, 'not a JSON object'],
      [5, 'not a JSON object'],
      [6, 'not a JSON object'],
      [7, 'neither token nor key_id, no api, no allowed'],
      [8, 'token and key_id exclude each other'],
      [9, 'token is not text, api is not text, allowed is neither true nor false'],
      [10, 'key_id is not text'],
      [11, 'key_id is a number that JSON does not keep whole: write it as text'],
      [12, 'key_id is no bigint'],
      [13, 'key_id is no bigint'],
      [14, 'token holds a character PostgreSQL cannot store'],
      [15, 'token holds a character PostgreSQL cannot store, api holds a character PostgreSQL cannot store'],
      [16, `longer than ${String(MAX_LINE_BYTES)} bytes`],
    ]);
    expect(JSON.stringify(faults)).not.to.include('sécret');
    const page = await read(Buffer.concat([Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from(good)]));
    expect([page.faults, page.decisions.length]).to.deep.equal([[{ line: 1, reason: 'not valid UTF-8' }], 1]);
  });

  it('takes ids and tokens of the types this database has', async () => {
    const uuid = { ...TYPES, id: 'uuid' };
    expect(
      await faultsOf(
        '{"key_id":"00000000-0000-4000-8000-000000000001","api":"a","allowed":true}\n' +
          '{"key_id":"7","api":"a","allowed":true}',
        uuid,
      ),
    ).to.deep.equal([[2, 'key_id is no uuid']]);
    const bytes = { ...TYPES, token: 'bytea', tokenIsBytes: true };
    const page = await read(
      '{"token":"\\\\x00fF","api":"a","allowed":true}\n{"token":"abc=","api":"a","allowed":true}\n' +
        '{"token":"\\\\x0","api":"a","allowed":true}',
      bytes,
    );
    expect([page.decisions.map(({ token }) => token), page.faults.map(({ line }) => line)]).to.deep.equal([
      ['\\x00fF'],
      [2, 3],
    ]);
  });

  it('is read in pages that do not grow with it, lines across chunks whole', async () => {
    const pages = await pagesOf(`${`{"token":"${'é'.repeat(500)}","api":"invoices","allowed":true}\n`.repeat(9_000)}`);
    const decisions = pages.flatMap((page) => page.decisions);
    expect(pages.length).to.be.greaterThan(1);
    expect(Math.max(...pages.map((page) => page.lines))).to.be.lessThan(9_000);
    expect(new Set(decisions.map(({ token }) => token))).to.deep.equal(new Set(['é'.repeat(500)]));
    expect(decisions.map(({ line }) => line)).to.deep.equal(Array.from({ length: 9_000 }, (_, at) => at + 1));
  });
});

describe('verify --replay FILE', () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 100 });
    await scenario.must('migrate --yes');
  });
  after(() => scenario.close());

  it('goes on behind bad lines, lists a hundred of them and counts all; they alone are no difference', async () => {
    const [{ token }] = (await scenario.db.query<{ token: string }>(
      'select token from public.api_keys where id = 6',
    )) as [{ token: string }];
    const decision = JSON.stringify({ token, api: 'api-3', allowed: true });
    const replay = await replayed(scenario, `${decision}\n${`${decision.slice(0, -3)}\n`.repeat(150)}${decision}\n`);
    expect(replay).to.deep.include({ ok: true, lines: 152, decisions: 2, same: 2, unexplained: 0 });
    expect([replay.bad_lines.count, replay.bad_lines.first.length]).to.deep.equal([150, 100]);
    expect(replay.bad_lines.first[0]).to.deep.equal({ line: 2, reason: 'not JSON' });
  });

  it('exits 2 for a file without a single decision, once it has told why', async () => {
    const replay = await replayed(scenario, 'id,token\n1,2\n', { codes: [2] });
    expect([replay.ok, replay.decisions, replay.bad_lines.count]).to.deep.equal([false, 0, 2]);
    expect(await replayed(scenario, '')).to.deep.include({ ok: true, lines: 0, decisions: 0 });
  });

  it('exits 2 for a file that is not there or cannot be one, before anything is proven', async () => {
    const folder = path.dirname(await scenario.file('x', ''));
    await mkdir(path.join(folder, 'folder'), { recursive: true });
    const proofs = () => scenario.db.query('select from keylift.proofs');
    const before = (await proofs()).length;
    for (const name of ['missing.ndjson', 'folder', 'x/y']) {
      const { exitCode, stdout, stderr } = await scenario.run([
        'verify',
        '--json',
        '--replay',
        path.join(folder, name),
      ]);
      expect([exitCode, errorCodeOf(stdout)], name).to.deep.equal([2, 'replay_unreadable']);
      expect(stderr).to.include('runbook.md#replay');
    }
    expect(await proofs()).to.have.length(before);
  });

  it('counts what pages have in common together', async () => {
    const [{ token }] = (await scenario.db.query<{ token: string }>(
      'select token from public.api_keys where id = 6',
    )) as [{ token: string }];
    const line = `${JSON.stringify({ token, api: 'api-2', allowed: false })}\n`;
    const { replay } = await verified(scenario, ['--replay', await scenario.file('long.ndjson', line.repeat(45_000))]);
    expect(replay.kinds).to.have.length(1);
    expect(replay.kinds[0]!.decisions).to.equal(45_000);
    expect(replay.kinds[0]!.differences).to.have.length(1);
    expect(replay.kinds[0]!.differences[0]).to.include({ line: 1, times: 45_000, key_id: '6' });
  });

  it('stops when asked to', async () => {
    const line = `${JSON.stringify({ key_id: '6', api: 'api-2', allowed: false })}\n`;
    const running = scenario.start(['verify', '--replay', await scenario.file('long.ndjson', line.repeat(60_000))]);
    running.signal();
    expect((await running.ended).exitCode).to.equal(130);
  });
});
