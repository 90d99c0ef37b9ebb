import { gainOf, judge, type HeldIds, type Judgement, type World } from '../support/rules.js';
import { compareInstants, isPast } from './values.js';

/** A per-API key. Dates as PostgreSQL prints them in UTC. */
export interface KeyRow {
  id: string;
  account: string | null;
  api: string | null;
  name: string | null;
  token: string | null;
  created: string | null;
  used: string | null;
  revoked: string | null;
  expires: string | null;
}

/** A key made in Settings, or an account key as Settings lists it. */
export interface AccountKeyRow {
  id: string;
  account: string;
  name: string | null;
  token: string;
  origin: string | null;
  created: string;
  revoked: string | null;
  expires: string | null;
}

export const isAlive = ({ revoked, expires }: Pick<KeyRow, 'revoked' | 'expires'>): boolean =>
  revoked === null && (expires === null || !isPast(expires));

export const isMoved = (judgement: Judgement | undefined): boolean =>
  judgement?.outcome === 'move' || judgement?.outcome === 'merge';

/** By creation, then by id; without a date last. */
export const byCreation = (
  a: { created: string | null; id: string },
  b: { created: string | null; id: string },
): number => compareInstants(a.created, b.created) || Number(BigInt(a.id) - BigInt(b.id));

/** The order of Settings, account by account. */
export const bySettings = (a: AccountKeyRow, b: AccountKeyRow): number =>
  Number(BigInt(a.account) - BigInt(b.account)) || byCreation(a, b);

/**
 * One world as the rules see it: per-API keys wherever they are kept, keys born in Settings, and nothing that could be
 * computed from them. Account keys are computed.
 */
export class ModelWorld {
  readonly accounts = new Set<string>();
  readonly apis = new Map<string, 'store' | 'custom'>();
  readonly keys = new Map<string, KeyRow>();
  readonly born = new Map<string, AccountKeyRow>();
  /** From finalize on: what was decided for good of the keys that moved. */
  frozen: Map<string, Judgement> | null = null;
  /** The latest use that anybody wrote: no key of this world was used later. */
  latestUse: string | null = null;
  /** Ids of keys whose use was written in Settings, or that were account keys with such a use. */
  readonly usedInSettings = new Set<string>();

  /** What the rules are about. */
  world(): World {
    const rows = [...this.keys.values()].sort(byCreation);
    return {
      keys: rows.map((row, place) => ({
        id: row.id,
        account: row.account,
        api: row.api,
        token: row.token,
        alive: isAlive(row),
        expiry: row.expires,
        place,
        dated: row.created !== null,
      })),
      apis: this.apis,
      accounts: this.accounts,
      born: [...this.born.values()].map(({ id, account, token, ...row }) => ({
        id,
        account,
        token,
        alive: isAlive(row),
      })),
    };
  }

  /** Every key's outcome. What finalize left behind is nobody's to move any more. */
  judged(held: HeldIds): Map<string, Judgement> {
    const { frozen } = this;
    if (frozen === null) return judge(this.world(), held);
    return new Map([...this.keys.keys()].map((id) => [id, frozen.get(id) ?? { outcome: 'stay' }]));
  }

  /** What Settings lists, in its order, account by account. */
  settings(held: HeldIds): AccountKeyRow[] {
    const judged = this.judged(held);
    const moved = [...this.keys.values()]
      .filter(({ id }) => judged.get(id)?.outcome === 'move')
      .map((row) => accountKeyOf(row));
    return [...moved, ...this.born.values()].sort(bySettings);
  }

  /** The account key's own row and those merged into it. */
  group(accountKey: string, held: HeldIds): KeyRow[] {
    const judged = this.judged(held);
    return [...this.keys.values()].filter(({ id }) => {
      const judgement = judged.get(id);
      return id === accountKey || (judgement?.outcome === 'merge' && judgement.into === accountKey);
    });
  }

  gain(held: HeldIds): number {
    return gainOf(this.world(), this.judged(held));
  }
}

export const accountKeyOf = ({ id, account, name, token, api, created, revoked, expires }: KeyRow): AccountKeyRow => ({
  id,
  account: account!,
  name,
  token: token!,
  origin: api,
  created: created!,
  revoked,
  expires,
});
