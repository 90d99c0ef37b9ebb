/** Columns a text takes; customers' wide letters do not come up in what is repainted. */
const columnsOf = (line: string): number => [...line].length;

/**
 * Paints a text over the one before, in place: up to its first line, and everything below cleared. A line longer
 * than the terminal is wide takes several rows.
 */
export function repainter(write: (text: string) => void, columns: () => number): (text: string) => void {
  let rows = 0;
  return (text) => {
    write(`${rows === 0 ? '' : `\u001b[${String(rows)}A\r\u001b[J`}${text}`);
    const width = Math.max(1, columns());
    rows = text.replace(/\n$/, '').split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(columnsOf(line) / width)), 0);
  };
}
