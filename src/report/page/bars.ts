import { grouped } from '../../format.js';
import { html, type Html } from './html.js';

/** A part of a bar: its CSS class, its value and its label. */
export interface Part {
  kind: string;
  value: number;
  label: string;
}

const WIDTH = 1_000;
/** The narrowest part that is still visible. */
const LEAST = 4;

/** A length for an SVG attribute. */
export const px = (value: number): string => String(Math.round(value * 100) / 100);

/** Parts next to each other; a sum of `of` fills the whole width. */
export function stack(parts: readonly Part[], { of, height }: { of: number; height: number }): Html {
  const present = parts.filter(({ value }) => value > 0);
  const widths = widthsOf(
    present.map(({ value }) => value),
    of,
  );
  let x = 0;
  const drawn = present.map((part, at) => {
    const width = widths[at]!;
    const one = html`<rect class="${part.kind}" x="${px(x)}" y="0" width="${px(width)}" height="${height}"
      ><title>${part.label}: ${grouped(part.value)}</title></rect
    >`;
    x += width;
    return one;
  });
  const label = present.map((part) => `${part.label} ${grouped(part.value)}`).join(', ');
  return html`<svg
    class="stack"
    viewBox="0 0 ${WIDTH} ${height}"
    preserveAspectRatio="none"
    role="img"
    aria-label="${label === '' ? 'none' : label}"
  >
    ${drawn}
  </svg>`;
}

/** One value as a bar; `of` fills the whole width. */
export const bar = (
  value: number,
  { of, kind, label = grouped(value) }: { of: number; kind: string; label?: string },
): Html =>
  html`<svg class="stack" viewBox="0 0 ${WIDTH} 12" preserveAspectRatio="none" role="img" aria-label="${label}">
    <rect class="${kind}" x="0" y="0" width="${px(widthsOf([value], of)[0]!)}" height="12">
      <title>${label}</title>
    </rect>
  </svg>`;

/** Widths in proportion. Small ones are widened until they are visible, and the others shrink to make room. */
function widthsOf(values: readonly number[], of: number): number[] {
  if (of <= 0) return values.map(() => 0);
  const whole = (values.reduce((sum, n) => sum + n, 0) / of) * WIDTH;
  const raw = values.map((value) => Math.max(LEAST, (value / of) * WIDTH));
  const excess = raw.reduce((sum, n) => sum + n, 0) - Math.max(whole, LEAST * values.length);
  const spare = raw.reduce((sum, n) => sum + (n - LEAST), 0);
  return raw.map((n) => (spare > 0 ? n - ((n - LEAST) / spare) * Math.max(0, excess) : n));
}
