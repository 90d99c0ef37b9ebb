/**
 * How a recorded decision, the old rule and the new one can differ. `before` and `after` are what the rules say of the
 * rows as they are now: a recording is older than that, which is why some differences explain themselves.
 */
export interface Kind {
  /** Do the rules of the move, or what happened since, account for it? Only what they do not ends with exit code 4. */
  explained: boolean;
  /** One sentence for people. */
  why: string;
}

export const KINDS = {
  lost: { explained: false, why: 'the old rule lets this request in and the new one does not' },
  gained_custom: { explained: false, why: 'a custom API opens that the old rule keeps shut' },
  gained_foreign: { explained: false, why: 'the answer names an account that the token is not of' },
  revived: { explained: false, why: 'a dead key opens' },
  gained_store: { explained: false, why: 'a store API opens that widening does not open for this key' },
  unknown_key: {
    explained: false,
    why: 'it was let in, and no key has this token or id: a key that is gone, or another database',
  },
  unknown_api: {
    explained: false,
    why: 'it was let in, and no API has this slug: an API that is gone, or slugs written otherwise',
  },
  no_rule: { explained: false, why: 'it was let in, and neither rule lets a living or dead key in there' },
  widened: { explained: true, why: 'it was refused, and opens by widening: an account key opens every store API' },
  widened_before: { explained: true, why: 'it was let in by widening: recorded when its account was switched' },
  closed_since: { explained: true, why: 'it was let in, and the key was revoked or has expired since' },
  refused_otherwise: {
    explained: true,
    why: "it was refused though both rules let it in: by its account's subscription, or before the key was made",
  },
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof KINDS;

/** Worst first; the order of a report. */
export const KIND_NAMES = Object.keys(KINDS) as KindName[];
