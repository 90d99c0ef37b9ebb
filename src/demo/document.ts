import type { Proof } from '../proof/document.js';
import type { MigrationReport } from '../stages/migrate.js';
import type { Answers, Check } from './checks.js';
import type { Access, ListedKey } from './reading.js';

/** One key's row of a matrix: by API slug, which table answers, or null where the key opens nothing. */
export interface MatrixRow {
  key_id: string;
  key: string;
  opens: Record<string, string | null>;
}

/** What `demo --json` prints: schemas/demo.schema.json. */
export interface DemoDocument {
  ok: boolean;
  before: { pages: Record<string, ListedKey[]>; matrix: MatrixRow[] };
  plan: Answers['plan'];
  migrate: MigrationReport;
  stages: { stage: string; seconds: number }[];
  after: { settings: ListedKey[]; matrix: MatrixRow[] };
  proof: Proof;
  store_api_added: { api: string; matrix: MatrixRow[] };
  rollback: { pages: Record<string, ListedKey[]>; matrix: MatrixRow[] };
  checks: Check[];
}

export interface DemoResult extends Pick<DemoDocument, 'migrate' | 'stages' | 'checks'> {
  answers: Answers;
}

/** The demo as one JSON document. */
export function demoDocument({ answers, migrate, stages, checks }: DemoResult): DemoDocument {
  const { before, plan, after, proof, grown, rolledBack } = answers;
  return {
    ok: checks.every(({ ok }) => ok),
    before: { pages: before.pages, matrix: rowsOf(before.access) },
    plan,
    migrate,
    stages,
    after: { settings: after.settings, matrix: rowsOf(after.access) },
    proof,
    store_api_added: { api: grown.api, matrix: rowsOf(grown.access) },
    rollback: { pages: rolledBack.pages, matrix: rowsOf(rolledBack.access) },
    checks,
  };
}

function rowsOf(access: readonly Access[]): MatrixRow[] {
  const rows = new Map<string, MatrixRow>();
  for (const { key_id: id, key, api, answered_by: by } of access) {
    const row = rows.get(id) ?? { key_id: id, key, opens: {} };
    rows.set(id, row);
    row.opens[api] = by?.source ?? null;
  }
  return [...rows.values()];
}
