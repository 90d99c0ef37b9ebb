/** Numbers and times as people read them, the same in every locale: for terminals, the log and the HTML page. */

/** A number with a comma between thousands. */
export const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');

/** A duration that is short enough for a line: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`. */
export function elapsed(seconds: number): string {
  if (seconds < 10) return `${String(Math.round(seconds * 10) / 10)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${String(whole)} s`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${grouped(hours)} h ${String(minutes)} min` : `${String(minutes)} min ${String(whole % 60)} s`;
}

/** `1 key`, `2 keys`; `1 batch`, `2 batches` with the plural given. */
export const counted = (value: number, noun: string, plural = `${noun}s`): string =>
  `${grouped(value)} ${value === 1 ? noun : plural}`;

/** A short time: `0.42 ms`, `12.3 ms`, `1.5 s`. */
export const milliseconds = (seconds: number): string =>
  seconds < 1 ? `${(seconds * 1000).toFixed(seconds < 0.01 ? 2 : 1)} ms` : elapsed(seconds);

/** The time of key lookups and its limit, in seconds. */
export const lookupText = (p95: number, limit: number): string =>
  `95 of 100 key lookups take up to ${milliseconds(p95)}; the limit is ${milliseconds(limit)}`;
