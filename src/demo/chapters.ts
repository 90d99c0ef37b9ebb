import type { ReadSession } from '../database/session.js';
import { proofText } from '../console/proof-text.js';
import { counted, grouped } from '../format.js';
import type { Move } from '../cases/move.js';
import type { Answers, Cast } from './checks.js';
import type { StoryDocument } from './document.js';
import { apiPage, askDoors, settingsPage, stageSeconds, type Door, type ListedKey } from './questions.js';
import { chapter, keysPage, matrix, planNumbers } from './text.js';

/** Who plays which part in fixtures/demo. */
export const CAST: Cast = { storeKeys: ['11', '12'], deadKey: '10', customKey: '13', customApi: 'wsnine' };
const ACME = '1';
const PAGES = { invoices: 'Invoices', expense_receipts: 'Receipts' };

/** What each chapter works with: the move on the demo's database, and where its text goes. */
export interface Teller {
  move: Move;
  say: (text: string) => void;
}

/** The pages of two APIs and who opens what, by the old rule. */
export async function tellBefore({ move: { database }, say }: Teller): Promise<Answers['before']> {
  say(
    chapter('1. Before: a key opens the API it was made in', [
      'Acme Corp made a key inside Invoices and another one inside Receipts.',
    ]),
  );
  const before = await database.readOnly(async (s) => ({ pages: await askPages(s), doors: await askDoors(s, 'old') }));
  say(`${pagesText(before.pages)}\n${matrix(before.doors)}`);
  return before;
}

/** The plan's numbers, and the table's rows counted apart from it. */
export async function tellPlan({ move, say }: Teller): Promise<Pick<Answers, 'plan' | 'rows'>> {
  say(chapter('2. The plan: keylift plan', ['Read-only. Every per-API key gets exactly one outcome.']));
  const plan = await move.plan();
  const { rows } = await move.database.readOnly((s) =>
    s.one<{ rows: string }>('SELECT count(*) AS rows FROM public.api_keys'),
  );
  say(planNumbers(plan));
  return { plan, rows: Number(rows) };
}

/** The migration; each stage tells its own line as it begins. */
export async function tellMove({ move, say }: Teller): Promise<Pick<StoryDocument, 'migrate' | 'stages'>> {
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

/** The account's Settings and who opens what, as keylift.authorize answers now. */
export async function tellAfter(
  { move: { database }, say }: Teller,
  before: readonly Door[],
): Promise<Answers['after']> {
  say(
    chapter("4. After: the account's Settings", [
      'One list, each key with the name and the creation date and time it always had.',
    ]),
  );
  const after = await database.readOnly(async (s) => ({
    settings: await settingsPage(s, ACME),
    doors: await askDoors(s, 'new'),
  }));
  say(`${keysPage('Acme Corp > Settings > API Keys', after.settings)}\n${matrix(after.doors, before)}`);
  return after;
}

/** The proof's counters. */
export async function tellProof({ move, say }: Teller): Promise<Answers['proof']> {
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
export async function tellGrowth(
  { move: { database }, say }: Teller,
  before: readonly Door[],
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
  const doors = await database.readOnly((s) => askDoors(s, 'new'));
  say(matrix(doors, before));
  return { api: 'bank_check', doors };
}

/** The way back, with what happened since kept. */
export async function tellWayBack({ move, say }: Teller): Promise<Answers['rolledBack']> {
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
    pages: await askPages(s),
    doors: await askDoors(s, 'new'),
  }));
  say(`\n${pagesText(back.pages)}\n${matrix(back.doors)}`);
  return back;
}

async function askPages(session: ReadSession): Promise<Record<string, ListedKey[]>> {
  const found: Record<string, ListedKey[]> = {};
  for (const api of Object.keys(PAGES)) found[api] = await apiPage(session, { account: ACME, api });
  return found;
}

const pagesText = (found: Record<string, ListedKey[]>): string =>
  Object.entries(PAGES)
    .map(([api, name]) => keysPage(`${name} > API Keys of Acme Corp`, found[api] ?? []))
    .join('\n');
