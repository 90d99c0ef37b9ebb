import pg from 'pg';

const TEXT_ARRAY = 1009;
const { builtins } = pg.types;

/** Dates and times stay the server's text: a JavaScript Date drops microseconds. */
const TEMPORAL = new Set<number>([
  builtins.DATE,
  builtins.TIME,
  builtins.TIMETZ,
  builtins.TIMESTAMP,
  builtins.TIMESTAMPTZ,
  builtins.INTERVAL,
]);
/** date[], timestamp[], timestamptz[], interval[] */
const TEMPORAL_ARRAYS = new Set<number>([1182, 1115, 1185, 1187]);

/** Like pg's own parsers (int8 and numeric are strings, json is parsed), but dates and times are text. */
export const typeParsers = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (TEMPORAL.has(oid)) return (value: string) => value;
    // An array of text splits as an array of timestamps does and leaves its elements alone.
    return pg.types.getTypeParser(TEMPORAL_ARRAYS.has(oid) ? TEXT_ARRAY : oid, format as 'text');
  }) as typeof pg.types.getTypeParser,
};
