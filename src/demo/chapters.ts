import { concerns } from '../surroundings/findings.js';
import type { ReadSession } from '../database/session.js';
import { proofText } from '../console/proof-text.js';
import { counted, grouped } from '../format.js';
import type { Move } from '../cases/move.js';
import type { Answers, Cast } from './checks.js';
import type { DemoDocument } from './document.js';
import { apiPage, readAccess, settingsPage, stageSeconds, type Access, type ListedKey } from './reading.js';
import { chapter, keysPage, matrix, planNumbers } from './text.js';

/** The keys of fixtures/demo that the checks are about. */
export const CAST: Cast = { storeKeys: ['11', '12'], deadKey: '10', customKey: '13', customApi: 'wsnine' };
const ACME = '1';
const PAGES = { invoices: 'Invoices', expense_receipts: 'Receipts' };

/** What each chapter works with: keylift's commands on the demo's database, and a function that prints its text. */
export interface DemoContext {
  move: Move;
  say: (text: string) => void;
}

/** The pages of two APIs, and what each key opens by the old rule. */
export async function showBefore({ move: { database }, say }: DemoContext): Promise<Answers['before']> {
  say(
    chapter('1. Before: a key opens the API it was made in', [
      'Acme Corp made a key inside Invoices and another one inside Receipts.',
    ]),
  );
  const before = await database.readOnly(async (s) => ({
    pages: await readPages(s),
    access: await readAccess(s, 'old'),
  }));
  say(`${pagesText(before.pages)}\n${matrix(before.access)}`);
  return before;
}

/** The plan's numbers, and a count of the rows without the plan. */
export async function showPlan({ move, say }: DemoContext): Promise<Pick<Answers, 'plan' | 'rows'>> {
  say(chapter('2. The plan: keylift plan', ['Read-only. Every per-API key gets exactly one outcome.']));
  const plan = { ...(await move.plan()), surroundings: await move.database.readOnly((s) => concerns(s, move.schema)) };
  const { rows } = await move.database.readOnly((s) =>
    s.one<{ rows: string }>('SELECT count(*) AS rows FROM public.api_keys'),
  );
  say(planNumbers(plan));
  return { plan, rows: Number(rows) };
}

/** The migration. Each stage prints a line when it begins. */
export async function showMove({ move, say }: DemoContext): Promise<Pick<DemoDocument, 'migrate' | 'stages'>> {
  say(
    chapter('3. The move: keylift migrate', [
      'In batches, inside PostgreSQL, safe to stop and to resume at any point.',
    ]),
  );
  const report = await move.migrate();
  say(
    `\n  ${counted(report.moved, 'key')} moved, ${counted(report.exceptions, 'exception')}, in ${grouped(report.seconds)} s\n`,
  );
  return { migrate: report, stages: await move.database.readOnly(stageSeconds) };
}

/** The account's Settings, and what each key opens by keylift.authorize. */
export async function showAfter(
  { move: { database }, say }: DemoContext,
  before: readonly Access[],
): Promise<Answers['after']> {
  say(
    chapter("4. After: the account's Settings", [
      'One list, each key with the name and the creation date and time it always had.',
    ]),
  );
  const after = await database.readOnly(async (s) => ({
    settings: await settingsPage(s, ACME),
    access: await readAccess(s, 'new'),
  }));
  say(`${keysPage('Acme Corp > Settings > API Keys', after.settings)}\n${matrix(after.access, before)}`);
  return after;
}

/** The proof's counters. */
export async function showProof({ move, say }: DemoContext): Promise<Answers['proof']> {
  say(
    chapter('5. The proof: keylift verify', [
      'Every row, and every key at every API, by the old rule and by the new one.',
    ]),
  );
  const proof = await move.verify();
  say(proofText(proof));
  return proof;
}

/** An API joins the store after the move. */
export async function showGrowth(
  { move: { database }, say }: DemoContext,
  before: readonly Access[],
): Promise<Answers['grown']> {
  say(
    chapter('6. Later, an API joins the store', [
      'One row in the table of APIs. No key is touched: no list of APIs is stored.',
    ]),
  );
  await database.transaction(
    (s) => s.query(`INSERT INTO public.apis (slug, name, kind) VALUES ('bank_check', 'Bank checks', 'store')`),
    { name: 'demo: add an API' },
  );
  const access = await database.readOnly((s) => readAccess(s, 'new'));
  say(matrix(access, before));
  return { api: 'bank_check', access };
}

/** The way back, with what happened since kept. */
export async function showWayBack({ move, say }: DemoContext): Promise<Answers['rolledBack']> {
  say(
    chapter('7. And back: keylift rollback', [
      'What happened since is kept: the receipt key was used once more, a moment ago.',
    ]),
  );
  // What a gateway notes after a call; this one is answered from Settings.
  await move.database.transaction(
    (s) => s.query('UPDATE public.account_api_keys SET last_used_at = now() WHERE id = 12'),
    { name: 'demo: use a key' },
  );
  await move.rollBack();
  const back = await move.database.readOnly(async (s) => ({
    pages: await readPages(s),
    access: await readAccess(s, 'new'),
  }));
  say(`\n${pagesText(back.pages)}\n${matrix(back.access)}`);
  return back;
}

async function readPages(session: ReadSession): Promise<Record<string, ListedKey[]>> {
  const found: Record<string, ListedKey[]> = {};
  for (const api of Object.keys(PAGES)) found[api] = await apiPage(session, { account: ACME, api });
  return found;
}

const pagesText = (found: Record<string, ListedKey[]>): string =>
  Object.entries(PAGES)
    .map(([api, name]) => keysPage(`${name} > API Keys of Acme Corp`, found[api] ?? []))
    .join('\n');
