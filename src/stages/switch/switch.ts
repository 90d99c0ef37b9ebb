import type { Database } from '../../database/connect.js';
import { recordEvent } from '../../ledger/events.js';
import { requireAllowed } from '../../ledger/allowed.js';
import { moveTo, readState } from '../../ledger/migration.js';
import type { Run } from '../../ledger/runs.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { scopeGate } from '../../preflight/surroundings.js';
import { catchUpAll } from '../last-use.js';
import { requireMirror, requirePassedProof } from '../trust.js';
import { applySwitch, type SwitchMode, type SwitchOrder } from './rule.js';
import { countSwitchedAccounts } from './statements.js';

export interface SwitchReport {
  mode: SwitchMode;
  /** Accounts that exist now and are answered from Settings, and all there are. */
  accounts: { switched: number; total: number };
}

export interface SwitchOptions {
  database: Database;
  schema: MappedSchema;
  run: Run;
  order: SwitchOrder;
}

/**
 * Switches accounts to their account keys, or back. Last use is caught up on the way.
 *
 * @throws `not_verified`, `mirror_off`, `proof_needed`, `preflight`, `finalized_no_way_back`.
 */
export async function switchAccounts({ database, schema, run, order }: SwitchOptions): Promise<SwitchReport> {
  const state = requireAllowed(order.back ? 'switch --back' : 'switch', await database.readOnly(readState));
  if (!order.back) {
    await requireMirror({ database, schema, run });
    await requirePassedProof({ database });
    await database.readOnly((session) => scopeGate(session, schema));
    await catchUpAll(database, schema);
  }
  const mode = await database.transaction(
    async (session) => {
      const now = await applySwitch(session, schema, order);
      await recordEvent(session, {
        kind: order.back ? 'switched_back' : 'switched',
        runId: run.runId,
        facts: { scope: scopeFacts(order), mode: now },
      });
      if (now === 'all' && state.stage === 'verify') await moveTo(session, { stage: 'switch' });
      if (now !== 'all' && state.stage === 'switch') await moveTo(session, { stage: 'verify' });
      return now;
    },
    { name: 'switch: change the rule' },
  );
  if (order.back) await catchUpAll(database, schema);
  return { mode, accounts: await countSwitched(database, schema) };
}

async function countSwitched(database: Database, schema: MappedSchema): Promise<SwitchReport['accounts']> {
  const row = await database.readOnly((s) => s.one<{ switched: string; total: string }>(countSwitchedAccounts(schema)));
  return { switched: Number(row.switched), total: Number(row.total) };
}

/** What the audit trail says of a scope: how many accounts were named, not which. */
function scopeFacts({ scope }: SwitchOrder): Record<string, unknown> {
  return scope.kind === 'accounts' ? { kind: scope.kind, accounts: scope.ids.length } : { ...scope };
}
