/** What a mapped value must be. */
export type Wanted = 'id' | 'token' | 'date' | 'condition' | 'text' | 'any';

const DATES = ['timestamp with time zone', 'timestamp without time zone', 'date'];

/** Why a type cannot be meant, with a way to make it one that can; undefined where it can. */
export function faultOfType({
  type,
  category,
  expression,
  wanted,
}: {
  type: string;
  category: string;
  expression: string;
  wanted: Wanted;
}): string | undefined {
  switch (wanted) {
    case 'date':
      return DATES.includes(type)
        ? undefined
        : `is ${type}, not a date and time${asDate({ type, category, expression })}`;
    case 'condition':
      return type === 'boolean' ? undefined : `is ${type}, not a boolean condition`;
    case 'token':
      if (category === 'S' || type === 'bytea') return undefined;
      return `is ${type}, neither text nor bytes; { "sql": ${JSON.stringify(`${expression}::text`)} } would make it text`;
    case 'id':
      return ['smallint', 'integer', 'bigint', 'numeric', 'uuid'].includes(type) || category === 'S'
        ? undefined
        : `is ${type}; an id is an integer, a uuid or text`;
    default:
      return undefined;
  }
}

function asDate({ type, category, expression }: { type: string; category: string; expression: string }): string {
  if (type === 'boolean')
    return `; { "sql": ${JSON.stringify(`CASE WHEN ${expression} THEN k.updated_at END`)} } would say since when`;
  if (category === 'N')
    return `; { "sql": ${JSON.stringify(`to_timestamp(${expression})`)} } would read it as seconds since 1970`;
  return category === 'S' ? `; { "sql": ${JSON.stringify(`${expression}::timestamptz`)} } would read it as one` : '';
}
