/** `legacy.keys.table`, `requests[2].path`. */
export function keyPath(path_: readonly (string | number)[]): string {
  if (path_.length === 0) return '(the whole file)';
  return path_
    .map((step) => {
      if (typeof step === 'number') return `[${String(step)}]`;
      return /^[\w$-]{1,80}$/.test(step) ? `.${step}` : `[${JSON.stringify(step.slice(0, 80))}]`;
    })
    .join('')
    .replace(/^\./, '');
}
