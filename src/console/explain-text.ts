import { forTerminal } from '../escaping.js';
import type { AccountKeyRow, ApiName, Explanation, KeyStory, Partner } from '../explain/document.js';
import { grouped } from '../format.js';
import { wrap } from './layout.js';

const SHOWN = 20;

/** Keys' stories as a person reads them, a paragraph each. */
export function explanationText({ keys, more }: Explanation): string {
  const stories = keys.map(storyText);
  const head =
    keys.length > 1 ? [`${grouped(keys.length)} keys have this fingerprint${more ? ', at least' : ''}:\n`] : [];
  return [...head, ...stories].join('\n');
}

function storyText(story: KeyStory): string {
  const { source, account_key: key } = story;
  return `${[
    wrap(
      `key ${named(story.key_id, story.name)}${story.fingerprint === null ? '' : `, fingerprint ${story.fingerprint}`}`,
      { rest: '  ' },
    ),
    field(
      'account',
      story.account_id === null ? 'none' : `${named(story.account_id, story.account)}${switchedText(story)}`,
    ),
    ...(source === null
      ? []
      : [
          field(
            'made in',
            `${apiText(source.api)}${source.stored_in === 'archive' ? '; the row is in the archive' : ''}`,
          ),
        ]),
    ...dateLines(source ?? key),
    field('outcome', outcomeText(story)),
    ...(story.next === null
      ? []
      : [field('today', `the rules now say ${reasoned(story.next)}; the next migrate looks again`)]),
    ...(key === null ? [] : [field('account key', accountKeyText(key))]),
    ...(story.batch === null ? [] : [field('batch', batchText(story.batch))]),
    ...partnerLines(story.shares_token_with),
    field('opened', slugsText(story.opens.before)),
    field('will open', slugsText(story.opens.after)),
    ...(story.opens.now === null ? [] : [field('opens now', slugsText(story.opens.now))]),
    ...(story.since.length === 0
      ? []
      : [
          '  since',
          ...story.since.map(({ at, text }) =>
            wrap(text, { first: `    ${at.padEnd(DATE)}  `, rest: ' '.repeat(DATE + 6) }),
          ),
        ]),
  ].join('\n')}\n`;
}

const LABEL = 15;
/** `2026-01-02 03:04:05.678901+00`. */
const DATE = 29;
const field = (label: string, text: string): string =>
  wrap(text, { first: `  ${label}`.padEnd(LABEL), rest: ' '.repeat(LABEL) });

const named = (id: string, name: string | null): string => (name === null ? id : `${id} "${forTerminal(name)}"`);

function switchedText({ switched, outcome }: KeyStory): string {
  if (switched === null || outcome === 'born') return '';
  if (!switched) return ', answered by its per-API keys';
  return outcome === 'move' || outcome === 'merge'
    ? ', answered from Settings'
    : ', switched; this key answers for itself';
}

const apiText = (api: ApiName | null): string =>
  api === null ? 'no API' : (api.slug ?? `API ${api.id}, which is not there`);

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
  `${outcome ?? 'unknown'}${reason === null ? '' : ` ${reason}`}`;

const outcomeText = (story: KeyStory): string => `${reasoned(story)}${story.settled ? '' : ' (planned)'}: ${story.why}`;

const accountKeyText = (key: AccountKeyRow): string =>
  `${named(key.key_id, key.name)}, ${key.origin_api === null ? 'born in Settings' : `made in ${apiText(key.origin_api)}`}${key.alive ? '' : ', dead'}`;

function batchText({
  batch_no: no,
  after_id: after,
  upto_id: upto,
  state,
  finished_at: finished,
}: NonNullable<KeyStory['batch']>): string {
  return `${no} (ids ${after === null ? '' : `above ${after} `}up to ${upto}), ${state.replace('_', ' ')}${finished === null ? '' : ` ${finished}`}`;
}

function partnerLines(partners: readonly Partner[]): string[] {
  if (partners.length === 0) return [];
  const left = partners.length - SHOWN;
  return [
    '  shares its token with',
    ...partners
      .slice(0, SHOWN)
      .map((p) =>
        wrap(
          `key ${named(p.key_id, p.name)} of ${p.account_id === null ? 'no account' : `account ${p.account_id}`}, ${apiText(p.api)}: ${reasoned(p)}`,
          { first: '    ', rest: '      ' },
        ),
      ),
    ...(left > 0 ? [`    and ${grouped(left)} more; --json lists them`] : []),
  ];
}

const slugsText = (slugs: readonly string[]): string =>
  slugs.length === 0 ? 'nothing' : slugs.map(forTerminal).join(' ');
