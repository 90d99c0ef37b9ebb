import { expect } from 'chai';
import { Agent } from 'undici';
import { CLIENT, type OfficialClient } from '../support/official-client.js';
import { makeAuthority } from '../support/certificate.js';
import { startGateway, type Gateway, type Question } from '../support/gateway.js';
import { Scenario } from '../support/scenario.js';
import type { Seed } from '../support/seed.js';
import { until } from '../support/waiting.js';

const tokenOf = (key: string): string => `0f1e2d3c4b5a-${key}`;

/** The story's two keys, one of a custom API, and enough beside them that a migration takes a while. */
const STORY: Seed = {
  accounts: ['acme', 'others'],
  apis: { invoices: 'store', expense_receipts: 'store', wsnine: 'custom of acme' },
  keys: [
    { account: 'acme', api: 'invoices', token: tokenOf('invoice'), name: 'invoice-api-key' },
    { account: 'acme', api: 'expense_receipts', token: tokenOf('receipt'), name: 'receipt-api-key' },
    { account: 'acme', api: 'wsnine', token: tokenOf('custom'), name: 'custom' },
  ],
};

const OTHERS = 4_000;
const DOORS = ['invoices', 'expense_receipts', 'wsnine'] as const;
type Door = (typeof DOORS)[number];
const KEYS = { invoice: 'invoices', receipt: 'expense_receipts', custom: 'wsnine' } as const;
type Key = keyof typeof KEYS;

(CLIENT === null ? describe.skip : describe)('the official client of the platform, unmodified', () => {
  const { BytesInput, v1 } = CLIENT ?? ({} as OfficialClient); // a skipped suite is read all the same
  const authority = makeAuthority();
  let scenario: Scenario;
  let gateway: Gateway;
  let dispatcher: Agent;
  let host: string | undefined;

  before(async () => {
    scenario = await Scenario.of(STORY);
    await scenario.db.query(
      `insert into public.api_keys (account_id, api_id, token) select 2, 1, 'token of others ' || n
        from generate_series(1, ${String(OTHERS)}) n`,
    );
    gateway = await startGateway({
      url: scenario.db.url,
      asks: 'legacy',
      tls: authority.certificateFor({ name: 'localhost', ip: '127.0.0.1' }),
    });
    dispatcher = new Agent({ connect: { ca: authority.ca } });
    host = process.env.MINDEE_API_HOST;
    process.env.MINDEE_API_HOST = gateway.host;
  });
  after(async () => {
    if (host === undefined) Reflect.deleteProperty(process.env, 'MINDEE_API_HOST');
    else process.env.MINDEE_API_HOST = host;
    await dispatcher.close();
    await gateway.stop();
    await scenario.close();
  });

  /** What the platform's customers run: a client with their key, a document, and the API they want. */
  async function open(key: Key, door: Door): Promise<number> {
    const client = new v1.Client({ apiKey: tokenOf(key), dispatcher });
    const document = new BytesInput({ inputBytes: Buffer.from('%PDF-1.4'), filename: 'document.pdf' });
    try {
      const answer =
        door === 'invoices'
          ? await client.parse(v1.product.InvoiceV4, document)
          : door === 'expense_receipts'
            ? await client.parse(v1.product.ReceiptV5, document)
            : await client.parse(v1.product.GeneratedV1, document, {
                endpoint: client.createEndpoint('wsnine', 'acme', '1'),
              });
      return answer.apiRequest.statusCode;
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (typeof code === 'number') return code;
      throw error;
    }
  }

  /** Every key at every door. */
  async function doors(): Promise<Record<Key, string[]>> {
    const found: Record<Key, string[]> = { invoice: [], receipt: [], custom: [] };
    for (const key of Object.keys(KEYS) as Key[]) {
      for (const door of DOORS) {
        const status = await open(key, door);
        expect([201, 401], `${key} at ${door}`).to.include(status);
        if (status === 201) found[key].push(door);
      }
    }
    return found;
  }

  const BEFORE = { invoice: ['invoices'], receipt: ['expense_receipts'], custom: ['wsnine'] };
  const AFTER = {
    invoice: ['invoices', 'expense_receipts'],
    receipt: ['invoices', 'expense_receipts'],
    custom: ['wsnine'],
  };

  /** Customers who go on all the time, with the doors that have always been theirs, and try all others, too. */
  function customers(count: number): { rounds: () => number; leave: () => Promise<string[]> } {
    const faults: string[] = [];
    let done = 0;
    let open_ = true;
    const one = async (): Promise<void> => {
      while (open_) {
        for (const key of Object.keys(KEYS) as Key[]) {
          for (const door of DOORS) {
            const status = await open(key, door).catch((error: unknown) => String(error));
            const theirs = KEYS[key] === door;
            const never = (key === 'custom') !== (door === 'wsnine');
            if (theirs ? status !== 201 : never ? status !== 401 : status !== 201 && status !== 401)
              faults.push(`${key} at ${door}: ${String(status)}`);
          }
        }
        done += 1;
      }
    };
    const all = Array.from({ length: count }, one);
    return {
      rounds: () => done,
      leave: async () => {
        open_ = false;
        await Promise.all(all);
        return [...new Set(faults)];
      },
    };
  }

  /** Runs a command while customers come and go: some before it, some during it, some after. */
  async function underTraffic(command: string, asks: Question): Promise<void> {
    gateway.asks = asks;
    const crowd = customers(2);
    await until('the first customers', () => crowd.rounds() > 0);
    await scenario.must(command);
    const now = crowd.rounds();
    // The rounds under way may have begun before it ended; one more of each has not.
    await until('customers after the command', () => crowd.rounds() > now + 2);
    expect(await crowd.leave(), command).to.deep.equal([]);
  }

  it('opens its own API before, and no other', async () => {
    expect(await doors()).to.deep.equal(BEFORE);
    expect(await open('invoice', 'invoices')).to.equal(201);
  });

  it('notices nothing of a migration, of the switch, and of the way back: a gateway that asks keylift.authorize', async () => {
    await underTraffic('migrate --yes --until expand', 'legacy');
    await underTraffic('migrate --yes --until verify --batch-size 500', 'authorize');
    expect(await doors()).to.deep.equal(BEFORE);
    await underTraffic('switch --all --yes', 'authorize');
    expect(await doors()).to.deep.equal(AFTER);
    await underTraffic('switch --back --yes', 'authorize');
    expect(await doors()).to.deep.equal(BEFORE);
    await underTraffic('rollback --yes', 'authorize');
    expect(await doors()).to.deep.equal(BEFORE);
  });

  it('notices nothing where the gateway sends its old query to the view', async () => {
    await underTraffic('migrate --yes --batch-size 500', 'view');
    expect(await doors()).to.deep.equal(AFTER);
    await underTraffic('rollback --yes', 'view');
    expect(await doors()).to.deep.equal(BEFORE);
  });

  it('keeps both doors when the rows are archived, and gets an API that joins the store later', async () => {
    await scenario.must('migrate --yes');
    await underTraffic('finalize --yes', 'authorize');
    expect(await doors()).to.deep.equal(AFTER);
    await scenario.db.query(`insert into public.apis (slug, name, kind) values ('bank_check', 'Bank checks', 'store')`);
    const client = new v1.Client({ apiKey: tokenOf('invoice'), dispatcher });
    const document = new BytesInput({ inputBytes: Buffer.from('%PDF-1.4'), filename: 'document.pdf' });
    const { apiRequest } = await client.parse(v1.product.GeneratedV1, document, {
      endpoint: client.createEndpoint('bank_check', 'mindee', '1'),
    });
    expect(apiRequest.statusCode).to.equal(201);
  });
});
