import { DEFAULT_SETTINGS } from '../config/defaults.js';
import { quoteIdentifier } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import { legacyFragments, type LegacyFragments } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';

/** What a capture calls things by. */
export interface Names {
  legacy: LegacyFragments;
  tokenIsBytes: boolean;
  /** The accounts' kind over `o`, which the default tables have and no mapping names. */
  kind: string | null;
  /** Carried columns: the name as an SQL text, and quoted. */
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
