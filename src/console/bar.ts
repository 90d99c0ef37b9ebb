/** Eighths of a column: a bar of 40 columns shows 320 steps. */
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** How much of `total` is done, as a bar of exactly this many columns. */
export function bar(done: number, total: number, { columns, unicode }: { columns: number; unicode: boolean }): string {
  const share = total <= 0 ? 0 : Math.min(1, Math.max(0, done / total));
  const steps = Math.floor(share * columns * (unicode ? EIGHTHS.length : 1));
  if (!unicode) return `${'#'.repeat(steps)}${'-'.repeat(columns - steps)}`;
  const full = '█'.repeat(Math.floor(steps / EIGHTHS.length)) + (EIGHTHS[steps % EIGHTHS.length] ?? '');
  return full + '░'.repeat(columns - full.length);
}
