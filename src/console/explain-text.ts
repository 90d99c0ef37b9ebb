import { forTerminal } from '../escaping.js';
import type { AccountKeyRow, ApiName, Explanation, KeyExplanation, SharingKey } from '../explain/document.js';
import { grouped } from '../format.js';
import { wrap } from './layout.js';

const SHARING_SHOWN = 20;

/** Everything about some keys, a paragraph each. */
export function explanationText({ keys, more }: Explanation): string {
  const head =
    keys.length > 1 ? [`${grouped(keys.length)} keys have this fingerprint${more ? ', at least' : ''}:\n`] : [];
  return [...head, ...keys.map(keyText)].join('\n');
}

function keyText(key: KeyExplanation): string {
  const { source, account_key: accountKey, next, batch, opens } = key;
  return `${[
    titleLine(key),
    field('account', key.account_id === null ? 'none' : `${named(key.account_id, key.account)}${switchText(key)}`),
    ...(source === null ? [] : [field('created in', `${apiText(source.api)}${ARCHIVED[source.stored_in]}`)]),
    ...dateLines(source ?? accountKey),
    field('outcome', `${reasoned(key)}${key.settled ? '' : ' (planned)'}: ${key.why}`),
    ...(next === null ? [] : [field('today', `by the rules: ${reasoned(next)}; the next migrate decides again`)]),
    ...(accountKey === null ? [] : [field('account key', accountKeyText(accountKey))]),
    ...(batch === null ? [] : [field('batch', batchText(batch))]),
    ...sharingLines(key.shares_token_with),
    field('opened', slugsText(opens.before)),
    field('will open', slugsText(opens.after)),
    ...(opens.now === null ? [] : [field('opens now', slugsText(opens.now))]),
    ...sinceLines(key),
  ].join('\n')}\n`;
}

const titleLine = ({ key_id: id, name, fingerprint }: KeyExplanation): string =>
  wrap(`key ${named(id, name)}${fingerprint === null ? '' : `, fingerprint ${fingerprint}`}`, { rest: '  ' });

const LABEL = 15;
/** `2026-01-02 03:04:05.678901+00`. */
const DATE = 29;
const field = (label: string, text: string): string =>
  wrap(text, { first: `  ${label}`.padEnd(LABEL), rest: ' '.repeat(LABEL) });

const named = (id: string, name: string | null): string => (name === null ? id : `${id} "${forTerminal(name)}"`);

const ARCHIVED = { legacy: '', archive: '; the row is in the archive' };

function switchText({ switched, outcome }: KeyExplanation): string {
  if (switched === null || outcome === 'born') return '';
  if (!switched) return ', answered by its per-API keys';
  return outcome === 'move' || outcome === 'merge'
    ? ', answered from Settings'
    : ', switched; this per-API key still answers';
}

const apiText = (api: ApiName | null): string =>
  api === null ? 'no API' : (api.slug ?? `API ${api.id}, which is missing`);

type Dated = Pick<AccountKeyRow, 'last_used_at' | 'revoked_at' | 'expires_at' | 'alive'> & {
  created_at: string | null;
};

function dateLines(row: Dated | null): string[] {
  if (row === null) return [];
  return [
    field('created', row.created_at ?? 'no date'),
    field('last used', row.last_used_at ?? 'never'),
    ...(row.revoked_at === null ? [] : [field('revoked', row.revoked_at)]),
    ...(row.expires_at === null ? [] : [field(row.alive ? 'expires' : 'expiry', row.expires_at)]),
    field('life', row.alive ? 'alive' : 'dead: it opens nothing'),
  ];
}

const reasoned = ({ outcome, reason }: { outcome: string | null; reason: string | null }): string =>
  `${outcome === 'born' ? 'native' : (outcome ?? 'unknown')}${reason === null ? '' : ` ${reason}`}`;

function accountKeyText({ key_id: id, name, origin_api: origin, alive }: AccountKeyRow): string {
  return `${named(id, name)}, created in ${origin === null ? 'Settings' : apiText(origin)}${alive ? '' : ', dead'}`;
}

function batchText(batch: NonNullable<KeyExplanation['batch']>): string {
  const { batch_no: no, after_id: after, upto_id: upto, state, finished_at: finished } = batch;
  const range = `ids ${after === null ? '' : `above ${after} `}up to ${upto}`;
  return `${no} (${range}), ${state.replace('_', ' ')}${finished === null ? '' : ` ${finished}`}`;
}

function sharingLines(keys: readonly SharingKey[]): string[] {
  if (keys.length === 0) return [];
  const left = keys.length - SHARING_SHOWN;
  return [
    '  shares its token with',
    ...keys.slice(0, SHARING_SHOWN).map((key) => wrap(sharingText(key), { first: '    ', rest: '      ' })),
    ...(left > 0 ? [`    and ${grouped(left)} more; --json lists them`] : []),
  ];
}

function sharingText(key: SharingKey): string {
  const account = key.account_id === null ? 'no account' : `account ${key.account_id}`;
  return `key ${named(key.key_id, key.name)} of ${account}, ${apiText(key.api)}: ${reasoned(key)}`;
}

const sinceLines = ({ since }: KeyExplanation): string[] =>
  since.length === 0
    ? []
    : [
        '  since',
        ...since.map(({ at, text }) => wrap(text, { first: `    ${at.padEnd(DATE)}  `, rest: ' '.repeat(DATE + 6) })),
      ];

const slugsText = (slugs: readonly string[]): string =>
  slugs.length === 0 ? 'nothing' : slugs.map(forTerminal).join(' ');
