import { createHash } from 'node:crypto';
import type { HeldIds, Switched } from '../support/rules.js';
import type { Until } from './draws.js';

export const STAGES: readonly Until[] = ['expand', 'backfill', 'harden', 'verify', 'switch'];

const BUCKETS = 1_000_000;

/** Said of a share of all accounts, or of some by name. */
type Said = { switched: boolean } & ({ upto: number } | { accounts: ReadonlySet<string> });

/** An account's place among all: what makes a cohort stable. */
const bucketOf = (account: string): number => createHash('sha256').update(account).digest().readUInt32BE(0) % BUCKETS;

/** How far the operator has come: one for a database, whatever worlds live in it. */
export class ModelMigration {
  state: 'none' | 'active' | 'rolled_back' | 'finalized' = 'none';
  /** The last stage that was completed. */
  stage: Until | null = null;
  /** The list given last. */
  holds: HeldIds = { keyIds: [], accountIds: [] };
  /** Accounts taken back by name: held until the next `migrate`. */
  takenBack: readonly string[] = [];
  private said: Said[] = [];

  reached(stage: Until): boolean {
    return this.stage !== null && STAGES.indexOf(this.stage) >= STAGES.indexOf(stage);
  }

  /** Does the new table exist, with the checks of native tokens? */
  get expanded(): boolean {
    return this.state === 'active' && this.reached('expand');
  }

  /** Is the backfill done? */
  get copied(): boolean {
    return this.state === 'finalized' || (this.state === 'active' && this.reached('backfill'));
  }

  /** Has every key its account key, or a reason, and do the constraints hold? */
  get complete(): boolean {
    return this.state === 'finalized' || (this.state === 'active' && this.reached('harden'));
  }

  get held(): HeldIds {
    return { keyIds: this.holds.keyIds, accountIds: [...this.holds.accountIds, ...this.takenBack] };
  }

  sayShare(percent: number, switched: boolean): void {
    this.said.push({ upto: (percent / 100) * BUCKETS, switched });
  }

  sayAccounts(accounts: readonly string[], switched: boolean): void {
    this.said.push({ accounts: new Set(accounts), switched });
  }

  /** What was said last of an account counts. */
  isSwitched(account: string): boolean {
    const bucket = bucketOf(account);
    return (
      this.said.findLast((said) => ('upto' in said ? said.upto > bucket : said.accounts.has(account)))?.switched ??
      false
    );
  }

  switched(accounts: Iterable<string>): Switched {
    return new Set([...accounts].filter((account) => this.isSwitched(account)));
  }

  /** `all` is for accounts made later, too: a cohort of all, and nobody named out of it. */
  get mode(): 'none' | 'some' | 'all' {
    const shares = this.said.flatMap((said) => ('upto' in said ? [said.upto] : []));
    const ofShares = (bucket: number): boolean =>
      this.said.findLast((said) => 'upto' in said && said.upto > bucket)?.switched ?? false;
    const cohorts = [0, ...shares].filter((bucket) => bucket < BUCKETS).map(ofShares);
    const named = this.said
      .flatMap((said) => ('accounts' in said ? [...said.accounts] : []))
      .filter(
        (account) =>
          'accounts' in
          this.said.findLast((said) => ('upto' in said ? said.upto > bucketOf(account) : said.accounts.has(account)))!,
      )
      .map((account) => this.isSwitched(account));
    if (![...cohorts, ...named].includes(true)) return 'none';
    return [...cohorts, ...named].includes(false) ? 'some' : 'all';
  }

  /** A rollback: everybody is back, and no stage is done. */
  takeBack(): void {
    this.state = 'rolled_back';
    this.stage = null;
    this.said = [];
  }
}
