import { allFailpoints } from '../test/fire/sites.js';

const BEGIN = '<!-- failpoints: generated from the sources -->';
const END = '<!-- /failpoints -->';

/** docs/failpoints.md with the list of today. */
export function withFailpoints(page: string): string {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`docs/failpoints.md lacks ${BEGIN} or ${END}`);
  return `${before}${BEGIN}\n\n${list()}\n\n${END}${after}`;
}

/** A row for each transaction, session and step, with its failpoints. */
function list(): string {
  const points = new Map<string, string[]>();
  for (const { name } of allFailpoints()) {
    const at = name.lastIndexOf(': ');
    const scope = name.slice(0, at);
    points.set(scope, [...(points.get(scope) ?? []), name.slice(at + 2)]);
  }
  const rows = [...points].map(([scope, where]) => `| \`${scope}\` | ${where.join(', ')} |`);
  return ['| transaction, session or step | failpoints |', '|---|---|', ...rows].join('\n');
}
