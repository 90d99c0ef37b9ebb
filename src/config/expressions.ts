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
 * What would let an operator's expression end or swallow the statement around it, or undefined. It is trusted, so
 * this guards against mistakes: it knows quotes, brackets, commas and comments, and leaves meaning to the server.
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
    // In parentheses of ours a list would be a row of values, which PostgreSQL takes for one.
    if (groups.mark === ',' && depth === 0) return 'must be one value, without a comma outside parentheses';
    if (groups.mark === '(' || groups.mark === '[') depth += 1;
    if (groups.mark === ')' || groups.mark === ']') depth -= 1;
    if (depth < 0) return 'closes a parenthesis that it did not open';
  }
  return depth === 0 ? undefined : 'leaves a parenthesis open';
}

/** A quote that stands alone here opened something that never ends: whole literals are tokens of their own. */
function faultOfMark(mark: string): string | undefined {
  if (mark === ';') return 'must not hold a semicolon outside quotes';
  if (mark === "'") return "leaves a quote (') open";
  if (mark === '"') return 'leaves a quote (") open, or quotes an empty name';
  if (mark === '$') return 'must not hold a $ outside quotes (no parameters, no dollar quotes)';
  return undefined;
}

/** Does an expression look anything up? */
export const hasSubquery = (sql: string): boolean =>
  [...sql.matchAll(TOKEN)].some(({ groups = {} }) => groups.word?.toLowerCase() === 'select');

/** Which of these aliases an expression mentions, as in `a.slug`: outside of texts, and also where it shadows one by its own. */
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

/**
 * The expression with the rows that it calls `from` under the name `to`: `k.token` becomes `n.token`, and with an empty `to`
 * the bare column. Texts and qualified names that only end in the alias stay as they are.
 */
export function withAlias(sql: string, from: string, to: string): string {
  const tokens = [...sql.matchAll(TOKEN)].map(({ 0: text, groups = {} }) => ({ text, groups }));
  const solid = tokens
    .map((_, at) => at)
    .filter((at) => tokens[at]!.groups.mark === undefined || tokens[at]!.text.trim() !== '');
  const mark = (at: number | undefined): string | undefined => (at === undefined ? undefined : tokens[at]!.groups.mark);
  const gone = new Set<number>();
  solid.forEach((at, place) => {
    const { word, name } = tokens[at]!.groups;
    const isAlias =
      (word?.toLowerCase() === from || name === `"${from}"`) &&
      mark(solid[place + 1]) === '.' &&
      mark(solid[place - 1]) !== '.';
    if (!isAlias) return;
    if (to === '') for (let skipped = at; skipped <= solid[place + 1]!; skipped += 1) gone.add(skipped);
    else tokens[at] = { text: to, groups: tokens[at]!.groups };
  });
  return tokens.map(({ text }, at) => (gone.has(at) ? '' : text)).join('');
}
