import type { Spell, Timeline } from '../facts/document.js';
import { elapsed, grouped } from '../../console/text.js';
import { html, join, type Html } from './html.js';
import { marks, short } from './scale.js';
import { clock } from './words.js';

const WIDTH = 1_000;
const LEFT = 46;
const TOP = 10;
const HEIGHT = 150;
/** Between two spells nothing was at work, for however long. */
const GAP = 26;
const LEAST_SPELL = 12;
const STAGES_AT = TOP + HEIGHT + 6;
const STAGES_HEIGHT = 16;
const CLOCK_AT = STAGES_AT + STAGES_HEIGHT + 16;

/** A spell with its place on the axis. */
interface Placed extends Spell {
  x: number;
  width: number;
}

const px = (value: number): string => String(Math.round(value * 100) / 100);

/** Keys a second as bars, waits as hatched bands, the stages below: one spell of work after the other. */
export function drawTimeline(timeline: Timeline): Html {
  const spells = place(timeline.spells);
  const rates = spells.map(({ rows, seconds }) =>
    rows.map((n, at) => n / widthOf(at, rows.length, { seconds, bucket: timeline.bucket_seconds })),
  );
  const scale = marks(Math.max(0, ...rates.flat()));
  const top = scale.at(-1)!;
  const y = (rate: number): number => TOP + HEIGHT - (top === 0 ? 0 : (rate / top) * HEIGHT);
  return html`<svg
    class="timeline"
    viewBox="0 0 ${WIDTH} ${CLOCK_AT + 6}"
    role="img"
    aria-label="keys a second over the time of the runs"
  >
    <defs>
      <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <line class="hatch" x1="0" y1="0" x2="0" y2="6" stroke-width="3" />
      </pattern>
    </defs>
    ${scale.map((mark) => html`<line class="grid" x1="${LEFT}" x2="${WIDTH}" y1="${px(y(mark))}" y2="${px(y(mark))}" /><text class="mark" x="${LEFT - 6}" y="${px(y(mark) + 4)}" text-anchor="end">${short(mark)}</text>`)}
    ${spells.map((spell, at) => bars(spell, { rates: rates[at]!, bucket: timeline.bucket_seconds, y }))}
    ${timeline.waits.listed.map((wait) => band(spells, { ...wait, draw: ({ x, width }) => html`<rect class="waiting" x="${px(x)}" y="${TOP}" width="${px(width)}" height="${HEIGHT}"><title>waiting ${elapsed(wait.seconds)}: ${wait.reason}</title></rect>` }))}
    ${timeline.stages.map(({ stage, at, seconds }) => band(spells, { from: new Date(Date.parse(at) - seconds * 1000).toISOString(), to: at, draw: (room) => stageBand(room, { stage, seconds }) }))}
    ${spells.map(edge)}
  </svg>`;
}

/** Spells in proportion to their time, a short one still seen. */
function place(spells: readonly Spell[]): Placed[] {
  const room = WIDTH - LEFT - GAP * (spells.length - 1);
  const raw = spells.map(({ seconds }) => Math.max(seconds, 0.001));
  const whole = raw.reduce((sum, n) => sum + n, 0);
  const lifted = raw.map((n) => Math.max(LEAST_SPELL, (n / whole) * room));
  const shrink = room / lifted.reduce((sum, n) => sum + n, 0);
  let x = LEFT;
  return spells.map((spell, at) => {
    const width = lifted[at]! * shrink;
    const placed = { ...spell, x, width };
    x += width + GAP;
    return placed;
  });
}

/** Seconds of bucket `at`: the last one ends with its spell. */
const widthOf = (at: number, count: number, { seconds, bucket }: { seconds: number; bucket: number }): number =>
  at === count - 1 ? Math.max(bucket * 0.1, seconds - at * bucket) : bucket;

function bars(
  { x, width, seconds, from }: Placed,
  { rates, bucket, y }: { rates: readonly number[]; bucket: number; y: (rate: number) => number },
): Html {
  const perSecond = width / Math.max(seconds, 0.001);
  return join(
    rates.flatMap((rate, at) => {
      if (rate <= 0) return [];
      const left = x + at * bucket * perSecond;
      const right = Math.min(x + width, left + bucket * perSecond);
      const moment = clock(new Date(Date.parse(from) + at * bucket * 1000).toISOString());
      return [
        html`<rect
          class="pace"
          x="${px(left)}"
          y="${px(y(rate))}"
          width="${px(Math.max(0.5, right - left - 0.5))}"
          height="${px(y(0) - y(rate))}"
          ><title>${moment}: ${grouped(Math.round(rate))} keys a second</title></rect
        >`,
      ];
    }),
  );
}

interface Room {
  x: number;
  width: number;
}

/** A stretch of time, drawn in every spell it reaches into. */
function band(
  spells: readonly Placed[],
  { from, to, draw }: { from: string; to: string; draw: (room: Room) => Html },
): Html {
  const [began, ended] = [Date.parse(from), Date.parse(to)];
  return join(
    spells.flatMap((spell) => {
      const start = Date.parse(spell.from);
      const perMs = spell.width / Math.max(1, spell.seconds * 1000);
      const left = Math.max(spell.x, spell.x + (began - start) * perMs);
      const right = Math.min(spell.x + spell.width, spell.x + (ended - start) * perMs);
      return right > left ? [draw({ x: left, width: Math.max(1, right - left) })] : [];
    }),
  );
}

const stageBand = ({ x, width }: Room, { stage, seconds }: { stage: string; seconds: number }): Html =>
  html`<rect class="stage" x="${px(x)}" y="${STAGES_AT}" width="${px(Math.max(1, width - 1))}" height="${STAGES_HEIGHT}"
      ><title>${stage}: ${elapsed(seconds)}</title></rect
    >
    ${width > stage.length * 7 + 6 ? html`<text class="stage-name" x="${px(x + width / 2)}" y="${STAGES_AT + 12}" text-anchor="middle">${stage}</text>` : null}`;

/** When a spell began, and its length. The date stands where there is room for it. */
function edge({ x, width, from, seconds }: Placed): Html {
  const told = width > 170 ? `${clock(from)}, ${elapsed(seconds)}` : width > 60 ? clock(from).slice(11) : '';
  return html`<line class="edge" x1="${px(x)}" x2="${px(x)}" y1="${TOP}" y2="${STAGES_AT + STAGES_HEIGHT}" /><text
      class="mark"
      x="${px(x)}"
      y="${CLOCK_AT}"
      >${told}</text
    >`;
}
