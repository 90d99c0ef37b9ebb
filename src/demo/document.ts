import type { Plan } from '../plan/plan.js';
import type { Proof } from '../proof/document.js';
import type { MigrationReport } from '../stages/migrate.js';
import type { Answers, Check } from './checks.js';
import type { Door, ListedKey } from './questions.js';

/** One key's row of a matrix: by API slug, which table answers, or null for a shut door. */
export interface MatrixRow {
  key_id: string;
  key: string;
  opens: Record<string, string | null>;
}

/** What `demo --json` prints: schemas/demo.schema.json. */
export interface StoryDocument {
  ok: boolean;
  before: { pages: Record<string, ListedKey[]>; matrix: MatrixRow[] };
  plan: Plan;
  migrate: MigrationReport;
  stages: { stage: string; seconds: number }[];
  after: { settings: ListedKey[]; matrix: MatrixRow[] };
  proof: Proof;
  store_api_added: { api: string; matrix: MatrixRow[] };
  rollback: { pages: Record<string, ListedKey[]>; matrix: MatrixRow[] };
  checks: Check[];
}

export interface Told extends Pick<StoryDocument, 'migrate' | 'stages' | 'checks'> {
  answers: Answers;
}

/** The story as one JSON document. */
export function storyDocument({ answers, migrate, stages, checks }: Told): StoryDocument {
  const { before, plan, after, proof, grown, rolledBack } = answers;
  return {
    ok: checks.every(({ ok }) => ok),
    before: { pages: before.pages, matrix: rowsOf(before.doors) },
    plan,
    migrate,
    stages,
    after: { settings: after.settings, matrix: rowsOf(after.doors) },
    proof,
    store_api_added: { api: grown.api, matrix: rowsOf(grown.doors) },
    rollback: { pages: rolledBack.pages, matrix: rowsOf(rolledBack.doors) },
    checks,
  };
}

function rowsOf(doors: readonly Door[]): MatrixRow[] {
  const rows = new Map<string, MatrixRow>();
  for (const { key_id: id, key, api, answered_by: by } of doors) {
    const row = rows.get(id) ?? { key_id: id, key, opens: {} };
    rows.set(id, row);
    row.opens[api] = by?.source ?? null;
  }
  return [...rows.values()];
}
