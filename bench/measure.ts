/** All rounds of one way, and the one in the middle. */
export interface Measured {
  unit: 's' | 'ms' | 'MiB';
  rounds: number[];
  median: number;
}

/** One line of the table: what was measured against what, and what it must reach. */
export interface Comparison {
  what: string;
  ours: number;
  against: string;
  theirs: number;
  unit: Measured['unit'];
  ratio: number;
  /** How the ratio is read: ours over theirs must not be above, or theirs over ours not below. Null: for comparison. */
  must: { be: 'at most' | 'at least'; value: number } | null;
  reached: boolean | null;
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** Collects the rounds of every way by name. */
export class Notebook {
  private readonly rounds = new Map<string, { unit: Measured['unit']; values: number[] }>();

  constructor(private readonly say: (line: string) => void) {}

  add(name: string, value: number, unit: Measured['unit'] = 's'): void {
    const entry = this.rounds.get(name) ?? { unit, values: [] };
    entry.values.push(value);
    this.rounds.set(name, entry);
    this.say(`  ${name}: ${value.toFixed(unit === 'ms' ? 3 : 2)} ${unit}`);
  }

  has(...names: string[]): boolean {
    return names.every((name) => this.rounds.has(name));
  }

  of(name: string): Measured {
    const { unit, values } = this.rounds.get(name)!;
    return { unit, rounds: values, median: median(values) };
  }

  all(): Record<string, Measured> {
    return Object.fromEntries([...this.rounds.keys()].map((name) => [name, this.of(name)]));
  }
}

/** What the targets compare: ours against theirs. `at most`: ours ÷ theirs; `at least`: theirs ÷ ours. */
export interface Target {
  what: string;
  ours: string;
  theirs: string | number;
  be: 'at most' | 'at least';
  /** Without it nothing must be reached: a line to understand another one by. */
  value?: number;
}

/** The lines of the table for the targets whose ways were measured. */
export function compare(book: Notebook, targets: readonly Target[]): Comparison[] {
  return targets
    .filter((t) => book.has(t.ours, ...(typeof t.theirs === 'string' ? [t.theirs] : [])))
    .map((t) => {
      const ours = book.of(t.ours);
      const theirs = typeof t.theirs === 'string' ? book.of(t.theirs).median : t.theirs;
      const ratio = t.be === 'at most' ? ours.median / theirs : theirs / ours.median;
      return {
        what: t.what,
        ours: ours.median,
        against: typeof t.theirs === 'string' ? t.theirs : 'the limit',
        theirs,
        unit: ours.unit,
        ratio,
        must: t.value === undefined ? null : { be: t.be, value: t.value },
        reached: t.value === undefined ? null : t.be === 'at most' ? ratio <= t.value : ratio >= t.value,
      };
    });
}

/** The table as text: one line a comparison. */
export function tableOf(comparisons: readonly Comparison[]): string {
  const head = ['what', 'keylift', 'against', 'there', 'ratio', 'must be', ''];
  const digits = (value: number, unit: string): string => `${value.toFixed(unit === 'ms' ? 3 : 2)} ${unit}`;
  const rows = comparisons.map((c) => [
    c.what,
    digits(c.ours, c.unit),
    c.against,
    digits(c.theirs, c.unit),
    c.ratio.toFixed(2),
    c.must === null ? '' : `${c.must.be === 'at most' ? '≤' : '≥'} ${String(c.must.value)}`,
    c.reached === null ? '' : c.reached ? 'reached' : 'MISSED',
  ]);
  const widths = head.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(' | ')} |`;
  return [line(head), `|${widths.map((w) => '-'.repeat(w + 2)).join('|')}|`, ...rows.map(line)].join('\n');
}
