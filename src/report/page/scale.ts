/** Round axis marks from 0 to at least `most`: about `count` of them, in steps of 1, 2 or 5 times a power of ten. */
export function marks(most: number, count = 4): number[] {
  if (!(most > 0)) return [0];
  const raw = most / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= raw * (1 - 1e-9)) ?? 10);
  const steps = Math.ceil(most / step - 1e-9);
  return Array.from({ length: steps + 1 }, (_, at) => at * step);
}

/** 1,500,000 as `1.5M`, for an axis. */
export function short(value: number): string {
  if (value >= 1e6) return `${String(Math.round(value / 1e5) / 10)}M`;
  if (value >= 1e3) return `${String(Math.round(value / 100) / 10)}k`;
  return String(Math.round(value * 100) / 100);
}
