import { DEFAULT_SETTINGS } from '../config/defaults.js';
import { quoteIdentifier } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import { legacyFragments, type LegacyFragments } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';

/** The names that a capture uses in SQL. */
export interface Names {
  legacy: LegacyFragments;
  tokenIsBytes: boolean;
  /** The kind of an account over `o`. Only the default tables have it. */
  kind: string | null;
  /** Carried columns: the name as an SQL literal, and as a quoted identifier. */
  carry: { name: string; quoted: string }[];
}

export const NAMES_BY_DEFAULT: Names = {
  legacy: legacyFragments(DEFAULT_SETTINGS),
  tokenIsBytes: false,
  kind: 'o.kind',
  carry: [],
};

export const namesOf = ({ settings, legacy, types }: MappedSchema): Names => ({
  legacy,
  tokenIsBytes: types.tokenIsBytes,
  kind: hasKind(settings) ? 'o.kind' : null,
  carry: settings.legacy.keys.carry.map((name) => ({
    name: `'${name.replaceAll("'", "''")}'`,
    quoted: quoteIdentifier(name),
  })),
});

const hasKind = ({ legacy }: Settings): boolean => JSON.stringify(legacy) === JSON.stringify(DEFAULT_SETTINGS.legacy);
