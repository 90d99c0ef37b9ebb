const TOKEN = new RegExp(
  [
    String.raw`(?<escape>\b[eE]'(?:[^'\\]|\\.|'')*')`,
    String.raw`(?<open>\b[eE]')`,
    String.raw`(?<string>'(?:[^']|'')*')`,
    String.raw`(?<name>"(?:[^"]|"")+")`,
    String.raw`(?<word>[A-Za-z_\u0080-\uFFFF][\w$\u0080-\uFFFF]*)`,
    String.raw`(?<comment>--|/\*|\*/)`,
    String.raw`(?<mark>[\s\S])`,
  ].join('|'),
  'g',
);

/**
 * What would make an operator's expression end or change the statement around it, or undefined. The operator is
 * trusted, so this guards against mistakes only: it knows quotes, brackets, commas and comments. The server checks the
 * rest.
 */
export function faultOfExpression(sql: string): string | undefined {
  if (sql.trim() === '') return 'must not be empty';
  if (sql.includes('\0')) return 'must not hold a NUL character';
  let depth = 0;
  for (const { groups = {} } of sql.matchAll(TOKEN)) {
    if (groups.comment !== undefined) return `must not hold a comment (${groups.comment})`;
    if (groups.open !== undefined) return "leaves a quote (') open";
    const fault = groups.mark === undefined ? undefined : faultOfMark(groups.mark);
    if (fault !== undefined) return fault;
    // keylift adds parentheses, in which PostgreSQL would take a list for a row value.
    if (groups.mark === ',' && depth === 0) return 'must be one value, without a comma outside parentheses';
    if (groups.mark === '(' || groups.mark === '[') depth += 1;
    if (groups.mark === ')' || groups.mark === ']') depth -= 1;
    if (depth < 0) return 'closes a parenthesis that it did not open';
  }
  return depth === 0 ? undefined : 'leaves a parenthesis open';
}

/** A complete literal is a token of its own, so a single quote is one that is never closed. */
function faultOfMark(mark: string): string | undefined {
  if (mark === ';') return 'must not hold a semicolon outside quotes';
  if (mark === "'") return "leaves a quote (') open";
  if (mark === '"') return 'leaves a quote (") open, or quotes an empty name';
  if (mark === '$') return 'must not hold a $ outside quotes (no parameters, no dollar quotes)';
  return undefined;
}

/** True if an expression contains a subquery. */
export const hasSubquery = (sql: string): boolean =>
  [...sql.matchAll(TOKEN)].some(({ groups = {} }) => groups.word?.toLowerCase() === 'select');

/**
 * The aliases that an expression uses, as in `a.slug`. Ignores literals. An alias that the expression shadows counts.
 */
export function aliasesIn(sql: string, aliases: readonly string[]): string[] {
  const tokens = [...sql.matchAll(TOKEN)]
    .map(({ groups = {} }) => groups)
    .filter(({ mark }) => mark === undefined || mark.trim() !== '');
  return aliases.filter((alias) =>
    tokens.some(
      ({ word, name }, at) =>
        (word?.toLowerCase() === alias || name === `"${alias}"`) &&
        tokens[at + 1]?.mark === '.' &&
        tokens[at - 1]?.mark !== '.',
    ),
  );
}

/** True if an expression reads this column of an alias, and nothing else of it. */
export function readsOnly(sql: string, alias: string, column: string): boolean {
  const tokens = [...sql.matchAll(TOKEN)]
    .map(({ groups = {} }) => groups)
    .filter(({ mark }) => mark === undefined || mark.trim() !== '');
  const nameOf = (at: number): string | undefined =>
    tokens[at]?.word?.toLowerCase() ?? tokens[at]?.name?.slice(1, -1).replaceAll('""', '"');
  return tokens.every((_, at) => nameOf(at) !== alias || (tokens[at + 1]?.mark === '.' && nameOf(at + 2) === column));
}

/**
 * Renames an alias in an expression: with `to` = `n`, `k.token` becomes `n.token`; with an empty `to` it becomes the
 * bare column. Literals, and qualified names that only end in the alias, stay as they are.
 */
export function withAlias(sql: string, from: string, to: string): string {
  const tokens = [...sql.matchAll(TOKEN)].map(({ 0: text, groups = {} }) => ({ text, groups }));
  const visible = tokens
    .map((_, at) => at)
    .filter((at) => tokens[at]!.groups.mark === undefined || tokens[at]!.text.trim() !== '');
  const mark = (at: number | undefined): string | undefined => (at === undefined ? undefined : tokens[at]!.groups.mark);
  const dropped = new Set<number>();
  visible.forEach((at, position) => {
    const { word, name } = tokens[at]!.groups;
    const isAlias =
      (word?.toLowerCase() === from || name === `"${from}"`) &&
      mark(visible[position + 1]) === '.' &&
      mark(visible[position - 1]) !== '.';
    if (!isAlias) return;
    if (to === '') for (let skipped = at; skipped <= visible[position + 1]!; skipped += 1) dropped.add(skipped);
    else tokens[at] = { text: to, groups: tokens[at]!.groups };
  });
  return tokens.map(({ text }, at) => (dropped.has(at) ? '' : text)).join('');
}
