import type { AccountDraw, ApiDraw, KeyDraw, TokenDraw, WorldDraw } from './draws.js';
import type { KeyRow } from './model.js';
import { ownToken, sharedToken } from './values.js';

/** Worlds of one database share no id and no token: theirs are the ids with their number as remainder. */
export const STRIDE = 1_000;
const NOWHERE = 900;
const FIRST_CUSTOM = 100;

/** Gives what was drawn for one world its ids and tokens. The store's APIs have the ids 1, 2, … and belong to all. */
export class Place {
  private serial = 0;

  constructor(
    readonly world: number,
    private readonly draw: Pick<WorldDraw, 'accounts' | 'customs'>,
    private readonly storeApis: number,
  ) {}

  private id(local: number): string {
    return String(local * STRIDE + this.world);
  }

  get accounts(): string[] {
    return Array.from({ length: this.draw.accounts }, (_, at) => this.id(at + 1));
  }

  /** Custom APIs with their owners. */
  get customs(): { id: string; owner: string }[] {
    return this.draw.customs.map((owner, at) => ({ id: this.id(FIRST_CUSTOM + at), owner: this.account(owner)! }));
  }

  account(drawn: AccountDraw): string | null {
    if (drawn === null) return null;
    return drawn === 'nowhere' ? this.id(NOWHERE) : this.id((drawn % this.draw.accounts) + 1);
  }

  api(drawn: ApiDraw): string | null {
    if (drawn === null) return null;
    if (drawn === 'nowhere') return this.id(NOWHERE);
    if ('store' in drawn) return this.storeApis === 0 ? this.id(NOWHERE) : String((drawn.store % this.storeApis) + 1);
    return this.draw.customs.length === 0
      ? this.id(NOWHERE)
      : this.id(FIRST_CUSTOM + (drawn.custom % this.draw.customs.length));
  }

  token(drawn: TokenDraw): string | null {
    if (drawn === 'own') return ownToken(this.world, (this.serial += 1));
    return typeof drawn === 'number' ? sharedToken(this.world, drawn) : drawn;
  }

  /** Another id: negative, as nobody else's. */
  newId(): string {
    return String(-((this.serial += 1) * STRIDE + this.world));
  }

  key(id: string, { account, api, token, name, created, used, revoked, expires }: KeyDraw): KeyRow {
    return {
      id,
      account: this.account(account),
      api: this.api(api),
      token: this.token(token),
      name,
      created,
      used,
      revoked,
      expires,
    };
  }

  keys(drawn: readonly KeyDraw[]): KeyRow[] {
    let local = 0;
    return drawn.map((key) => this.key(this.id((local += key.gap + 1)), key));
  }
}
