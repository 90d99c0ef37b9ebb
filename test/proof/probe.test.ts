import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { expect } from 'chai';
import { makeAuthority } from '../support/certificate.js';
import { startGateway, type Gateway } from '../support/gateway.js';
import { Scenario } from '../support/scenario.js';
import type { Seed } from '../support/seed.js';
import { keylift, type Outcome } from '../cli/harness.js';
import { checkVerification, type Evidence } from './replays.js';
import { errorCodeOf } from '../support/error-document.js';

const INVOICE = '0f1e2d3c4b5a-invoice';
const HELD = '0f1e2d3c4b5a-held';
const CUSTOM = '0f1e2d3c4b5a-custom';
const SEED: Seed = {
  accounts: ['acme', 'hugo'],
  apis: { invoices: 'store', expense_receipts: 'store', wsnine: 'custom of acme' },
  keys: [
    { account: 'acme', api: 'invoices', token: INVOICE },
    { account: 'hugo', api: 'invoices', token: HELD },
    { account: 'acme', api: 'wsnine', token: CUSTOM },
    { account: 'acme', api: 'expense_receipts', token: INVOICE, created: '2023-01-01+00' },
  ],
};
const TOKENS = { INVOICE_KEY: INVOICE, HELD_KEY: HELD, CUSTOM_KEY: CUSTOM, NOBODYS_KEY: 'no key has this' };

const predict = (api: string, version = 1): { method: string; path: string } => ({
  method: 'POST',
  path: `/v1/products/${api}/v${String(version)}/predict`,
});

/** A server that does as told, and what it saw. */
interface Oddity {
  url: string;
  seen: http.IncomingMessage[];
  stop(): Promise<void>;
}

async function startOddity(
  answer: (request: http.IncomingMessage, response: http.ServerResponse, nth: number) => void,
): Promise<Oddity> {
  const seen: http.IncomingMessage[] = [];
  const server = http.createServer((request, response) => {
    answer(request, response, seen.push(request));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    seen,
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('verify --probe', () => {
  let scenario: Scenario;
  let gateway: Gateway;
  before(async () => {
    scenario = await Scenario.of(SEED);
    gateway = await startGateway({ url: scenario.db.url, asks: 'legacy' });
  });
  after(async () => {
    await gateway.stop();
    await scenario.close();
  });

  async function probe(
    settings: unknown,
    { env = TOKENS, url = scenario.db.url }: { env?: Record<string, string>; url?: string } = {},
  ): Promise<Outcome> {
    const file = await scenario.file('probe.json', typeof settings === 'string' ? settings : JSON.stringify(settings));
    const ended = await keylift(['verify', '--probe', file, '--json'], { env: { ...env, DATABASE_URL: url } });
    for (const token of Object.values(TOKENS))
      expect(ended.stdout + ended.stderr, 'a token was printed').not.to.include(token);
    return ended;
  }

  async function probed(settings: unknown, ...codes: number[]): Promise<Evidence['probe']> {
    const ended = await probe(settings);
    expect(codes.length === 0 ? [0] : codes, ended.stdout + ended.stderr).to.include(ended.exitCode);
    return checkVerification(JSON.parse(ended.stdout) as Evidence).probe;
  }

  const FORMS = [
    'X-Inferuser-Token: ${INVOICE_KEY}',
    'Authorization: Token ${INVOICE_KEY}',
    'Authorization: ${INVOICE_KEY}',
  ];
  const canaries = () => ({
    baseUrl: gateway.url,
    perSecond: 500,
    requests: [
      ...FORMS.flatMap((header) => [
        { ...predict('mindee/invoices', 4), header, before: 201, after: 201 },
        { ...predict('mindee/expense_receipts', 5), header, before: 201, after: 201 },
        { ...predict('acme/wsnine'), header, before: 401, after: 401 },
      ]),
      {
        name: 'held',
        ...predict('mindee/invoices', 4),
        header: 'Authorization: Token ${HELD_KEY}',
        before: 201,
        after: 201,
      },
      {
        name: 'held, elsewhere',
        ...predict('mindee/expense_receipts', 5),
        header: 'Authorization: Token ${HELD_KEY}',
        before: 401,
        after: 201,
      },
      {
        name: 'custom',
        ...predict('acme/wsnine'),
        header: 'Authorization: Token ${CUSTOM_KEY}',
        before: 201,
        after: 201,
      },
      {
        name: 'nobody',
        ...predict('mindee/invoices', 4),
        header: 'Authorization: Token ${NOBODYS_KEY}',
        before: 401,
        after: 401,
      },
      {
        name: 'no API',
        ...predict('mindee/passport'),
        header: 'Authorization: Token ${INVOICE_KEY}',
        before: 404,
        after: 404,
      },
    ],
  });

  it('sends the three header forms and expects what the database says of each key, before, during and after the switch', async () => {
    const first = await probed(canaries());
    expect(first).to.include({ ok: true, requests: 14, same: 14, different: 0, unanswered: 0 });
    await scenario.must(`migrate --yes --until verify --holds ${await scenario.file('holds.csv', 'account_id\n2\n')}`);
    gateway.asks = 'authorize';
    expect(await probed(canaries())).to.include({ ok: true, same: 14 });
    await scenario.must('switch --all --yes');
    const later = await probed(canaries());
    expect(later).to.include({ ok: true, same: 14 });
    expect(later.results.map(({ key_id: id, switched }) => [id, switched])).to.deep.equal([
      ...Array.from({ length: 9 }, () => ['1', true]),
      ['2', false],
      ['2', false],
      ['3', false],
      [null, null],
      ['1', true],
    ]);
    await scenario.must('migrate --yes --holds ' + (await scenario.file('none.csv', 'account_id\n')));
    expect((await probed(canaries())).results[10]).to.include({ switched: true, expected: 201, status: 201 });
    await scenario.must('switch --back --yes');
    expect((await probed(canaries())).results[10]).to.include({ switched: false, expected: 401, status: 401 });
    await scenario.must('rollback --yes');
    expect(await probed(canaries())).to.include({ ok: true, same: 14 });
  });

  it('exits 4 for another status than expected, and tells each', async () => {
    const requests = [
      { ...predict('mindee/invoices', 4), header: FORMS[0], before: 201, after: 201 },
      { name: 'wrong', ...predict('acme/wsnine'), header: FORMS[1], before: 201, after: 201 },
    ];
    const found = await probed({ baseUrl: gateway.url, requests }, 4);
    expect(found).to.include({ ok: false, same: 1, different: 1, unanswered: 0 });
    expect(found.results[1]).to.include({
      request: 2,
      name: 'wrong',
      key_id: '1',
      expected: 201,
      status: 401,
      ok: false,
      attempts: 1,
    });
    const file = await scenario.file('probe.json', JSON.stringify({ baseUrl: gateway.url, requests }));
    const { stdout, exitCode } = await keylift(['verify', '--probe', file], {
      env: { ...TOKENS, DATABASE_URL: scenario.db.url },
    });
    expect(exitCode).to.equal(4);
    expect(stdout)
      .to.include('Probe: THE GATEWAY ANSWERS DIFFERENTLY.')
      .and.include(
        'DIFFERS 2. wrong: POST /v1/products/acme/wsnine/v1/predict, key 1, before the switch: 401, expected 201',
      );
  });

  it('trusts a private authority that is named, and no other', async () => {
    const authority = makeAuthority();
    await scenario.file('ca.pem', authority.ca);
    await scenario.file('other.pem', makeAuthority().ca);
    const secure = await startGateway({
      url: scenario.db.url,
      asks: 'legacy',
      tls: authority.certificateFor({ name: 'localhost' }),
    });
    try {
      const settings = (more: object) => ({
        baseUrl: secure.url,
        requests: [{ ...predict('mindee/invoices', 4), header: FORMS[1], before: 201, after: 201 }],
        ...more,
      });
      expect(await probed(settings({ ca: 'ca.pem' }))).to.include({ ok: true });
      for (const more of [
        {},
        { ca: 'other.pem' },
        { ca: 'ca.pem', baseUrl: secure.url.replace('localhost', '127.0.0.1') },
      ]) {
        const { exitCode, stderr, stdout } = await probe(settings(more));
        expect([exitCode, errorCodeOf(stdout)], stderr).to.deep.equal([2, 'gateway_tls_refused']);
        expect(stderr).to.include('is not accepted').and.include('runbook.md#probe');
      }
      expect(secure.answered).to.have.length(1);
    } finally {
      await secure.stop();
    }
  });

  const one = { ...predict('mindee/invoices'), header: FORMS[1], before: 201, after: 201 };

  it('exits 5 where nobody answers: sends again what cannot have been heard, and nothing else', async () => {
    const gone = await probed({ baseUrl: 'http://127.0.0.1:1', retries: 1, requests: [one] }, 5);
    expect(gone).to.include({ ok: false, unanswered: 1, different: 0 });
    expect(gone.results[0]).to.include({ status: null, attempts: 2, reason: 'no server listens there' });
    const silent = await startOddity(() => undefined);
    const deaf = await probed({ baseUrl: silent.url, timeout: 0.2, retries: 3, requests: [one] }, 5);
    expect(deaf.results[0]).to.include({ status: null, attempts: 1, reason: 'no answer within 0.2 s' });
    expect(silent.seen).to.have.length(1);
    await silent.stop();
    const shaky = await startOddity((request, response, nth) => {
      if (nth < 3) request.socket.destroy();
      else response.writeHead(201).end();
    });
    expect((await probed({ baseUrl: shaky.url, requests: [one] })).results[0]).to.include({
      status: 201,
      attempts: 3,
      ok: true,
    });
    await shaky.stop();
    const rude = await startOddity((request) => {
      request.socket.end('hello\r\n\r\n');
    });
    expect((await probed({ baseUrl: rude.url, requests: [one] }, 5)).results[0]).to.include({
      attempts: 1,
      reason: 'what answers there speaks no HTTP',
    });
    await rude.stop();
  });

  it('a difference says more than a request that nobody answered', async () => {
    const odd = await startOddity((request, response) => {
      if (request.url?.includes('wsnine') === true) response.writeHead(500).end();
    });
    const found = await probed(
      { baseUrl: odd.url, timeout: 0.2, requests: [one, { ...one, ...predict('acme/wsnine') }] },
      4,
    );
    expect(found).to.include({ different: 1, unanswered: 1 });
    await odd.stop();
  });

  it('follows no redirect and reads no endless answer; bodies go out as told', async () => {
    const bodies: string[] = [];
    const odd = await startOddity((request, response, nth) => {
      let body = '';
      request
        .on('data', (chunk: Buffer) => {
          body += chunk.toString('latin1');
        })
        .on('end', () => bodies.push(body));
      if (nth === 1) response.writeHead(302, { location: '/elsewhere' }).end();
      else {
        response.writeHead(201);
        const pour = (): void => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        };
        response.on('drain', pour);
        pour();
      }
    });
    await scenario.file('document.pdf', '%PDF-1.4 the document');
    const found = await probed({
      baseUrl: `${odd.url}/api/`,
      concurrency: 1,
      perSecond: 1000,
      requests: [
        { ...one, before: 302, after: 302 },
        { ...one, body: { field: 'document', file: 'document.pdf', contentType: 'application/pdf' } },
        { ...one, body: { text: '{"a":1}', contentType: 'application/json' } },
      ],
    });
    expect(found).to.include({ ok: true });
    expect(odd.seen.map(({ url }) => url)).to.deep.equal(
      [1, 2, 3].map(() => '/api/v1/products/mindee/invoices/v1/predict'),
    );
    expect(odd.seen.map(({ headers }) => headers['content-type']?.split(';')[0])).to.deep.equal([
      undefined,
      'multipart/form-data',
      'application/json',
    ]);
    expect(bodies[1]).to.match(
      /^--(keylift-[0-9a-f]+)\r\nContent-Disposition: form-data; name="document"; filename="document.pdf"\r\nContent-Type: application\/pdf\r\n\r\n%PDF-1.4 the document\r\n--\1--\r\n$/,
    );
    expect(bodies[2]).to.equal('{"a":1}');
    await odd.stop();
  });

  it('has as many requests under way as it may, and no more', async () => {
    let underWay = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    const odd = await startOddity((_request, response) => {
      underWay += 1;
      most = Math.max(most, underWay);
      waiting.push(() => {
        underWay -= 1;
        response.writeHead(201).end();
      });
      // Nobody is answered before as many wait as may, or no more can come.
      if (waiting.length === 3 || odd.seen.length > 9) for (const go of waiting.splice(0)) go();
    });
    const found = await probed({
      baseUrl: odd.url,
      concurrency: 3,
      perSecond: 1000,
      requests: Array.from({ length: 10 }, () => one),
    });
    expect([found.same, most]).to.deep.equal([10, 3]);
    await odd.stop();
  });

  it('ends at once when asked to, in the middle of a request', async () => {
    const stopped: { now: () => void } = { now: () => undefined };
    const odd = await startOddity(() => {
      stopped.now();
    });
    const file = await scenario.file(
      'probe.json',
      JSON.stringify({ baseUrl: odd.url, timeout: 600, requests: [one, one, one] }),
    );
    const { exitCode, stdout } = await keylift(['verify', '--probe', file], {
      env: { ...TOKENS, DATABASE_URL: scenario.db.url },
      run: (context, { run, send }) => {
        stopped.now = () => {
          send('SIGINT');
        };
        return run(context);
      },
    });
    expect([exitCode, stdout]).to.deep.equal([130, '']);
    await odd.stop();
  });

  it('expects the other status once an account is switched under it', async () => {
    await scenario.must('migrate --yes --until verify', 0, 6);
    const odd = await startOddity((_request, response) => {
      void scenario.db.query(`update keylift.switch_rule set mode = 'all', cohorts = '{[0,1000000)}'`).then(() => {
        response.writeHead(299).end();
      });
    });
    const found = await probed({ baseUrl: odd.url, requests: [{ ...one, before: 201, after: 299 }] });
    expect(found.results[0]).to.include({ switched: true, expected: 299, status: 299, ok: true });
    await odd.stop();
    await scenario.must('rollback --yes');
  });

  describe('its file', () => {
    const AWAY = 'postgres://nobody:secretword@127.0.0.1:1/none';

    it('has all its faults told at once, before anything is asked or sent, and no value repeated', async () => {
      const { exitCode, stdout, stderr } = await probe(
        {
          baseUrl: 'https://user:0f1e2d3c4b5a-invoice@example.com/',
          timeout: 10,
          requests: [
            { ...predict('a/b'), header: `Authorization: Token ${INVOICE}`, before: 201, after: 201 },
            { ...predict('a/b'), header: `X-Inferuser-Token: ${INVOICE} \${INVOICE_KEY}`, before: 201, after: 201 },
            { ...predict('a/b'), header: 'Authorization: ${NOT_SET}', before: 201, after: 201 },
            {
              ...predict('a/b'),
              header: 'Authorization: ${BROKEN}',
              before: 201,
              after: 201,
              body: { text: 'a', file: 'b' },
            },
            {
              method: 'POST',
              path: '/a b',
              header: 'Host: ${INVOICE_KEY}',
              before: 201,
              after: 201,
              body: { file: 'missing.pdf' },
            },
          ],
          ca: 'missing.pem',
        },
        { env: { ...TOKENS, BROKEN: 'two\nlines' }, url: AWAY },
      );
      expect([exitCode, errorCodeOf(stdout)]).to.deep.equal([2, 'probe_invalid']);
      const told = stderr
        .split('\n')
        .filter((line) => line.startsWith('  ') && line.includes(': '))
        .map((line) => line.trim().split(': ')[0]);
      expect(told).to.have.members([
        'baseUrl',
        'ca',
        'requests[0].header',
        'requests[1].header',
        'requests[2].header',
        'requests[3].header',
        'requests[3].body',
        'requests[4].header',
        'requests[4].path',
        'requests[4].body.file',
      ]);
    });

    it('is held against its schema first', async () => {
      const { exitCode, stderr } = await probe(
        { baseURL: 'http://x', retries: 'many', requests: [{ method: 'BREW', path: 'x', header: '', before: 99 }] },
        { url: AWAY },
      );
      expect(exitCode).to.equal(2);
      for (const place of [
        'baseURL: unknown key, did you mean "baseUrl"?',
        'baseUrl: missing',
        'retries: ',
        'requests[0].method',
        'requests[0].path',
        'requests[0].header',
        'requests[0].before',
        'requests[0].after: missing',
      ]) {
        expect(stderr).to.include(place);
      }
    });

    for (const [what, text] of [
      ['no JSON', `{"baseUrl": ${INVOICE}`],
      ['empty', ''],
      ['a list', '[]'],
    ] as const) {
      it(`exits 2 when it is ${what}`, async () => {
        const { exitCode, stderr } = await probe(text, { url: AWAY });
        expect(exitCode, stderr).to.equal(2);
      });
    }

    it('exits 2 when it is not there, a folder, or not UTF-8', async () => {
      const folder = path.dirname(await scenario.file('x', ''));
      await writeFile(path.join(folder, 'latin1.json'), Buffer.from('{"baseUrl":"http://caf\xe9"}', 'latin1'));
      for (const name of ['missing.json', '.', 'latin1.json']) {
        const { exitCode, stderr } = await keylift(['verify', '--probe', path.join(folder, name)], {
          env: { DATABASE_URL: AWAY },
        });
        expect([exitCode, stderr.includes('runbook.md#probe')], name).to.deep.equal([2, true]);
      }
    });

    it('may name a key by its id, and must where nothing else tells which side of the switch it is on', async () => {
      const odd = await startOddity((_request, response) => {
        response.writeHead(201).end();
      });
      const request = { ...one, header: 'Authorization: Token ${NOBODYS_KEY}', before: 201, after: 401 };
      const { exitCode, stderr } = await probe({
        baseUrl: odd.url,
        requests: [one, request, { ...request, keyId: 'x' }],
      });
      expect(exitCode).to.equal(2);
      expect(stderr).to.include('requests[1]').and.include('requests[2]').and.not.include('requests[0]');
      expect(odd.seen).to.have.length(0);
      expect((await probed({ baseUrl: odd.url, requests: [{ ...request, keyId: 4 }] })).results[0]).to.include({
        key_id: '4',
        switched: false,
      });
      await odd.stop();
    });
  });
});
