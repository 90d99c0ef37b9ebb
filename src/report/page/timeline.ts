import { elapsed, grouped } from '../../format.js';
import type { ActivePeriod, CompletedStage, Timeline, Wait } from '../facts/document.js';
import { px } from './bars.js';
import { html, join, type Html } from './html.js';
import { clock } from './labels.js';
import { marks, short } from './scale.js';

const WIDTH = 1_000;
const LEFT = 46;
const TOP = 10;
const HEIGHT = 150;
/** The space between two periods. It does not show how long no run was active. */
const GAP = 26;
const LEAST_PERIOD = 12;
const STAGES_AT = TOP + HEIGHT + 6;
const STAGES_HEIGHT = 16;
const CLOCK_AT = STAGES_AT + STAGES_HEIGHT + 16;

/** A section of the horizontal axis. */
interface Section {
  x: number;
  width: number;
}

type PlacedPeriod = ActivePeriod & Section;

/** Keys a second as bars, waits as hatched bands, the stages below. One active period after the other. */
export function drawTimeline(timeline: Timeline): Html {
  const periods = place(timeline.spells);
  const bucket = timeline.bucket_seconds;
  const rates = periods.map(({ rows, seconds }) =>
    rows.map((n, at) => n / widthOf(at, rows.length, { seconds, bucket })),
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
    ${scale.map((mark) => gridLine(mark, y(mark)))}
    ${periods.map((period, at) => bars(period, { rates: rates[at]!, bucket, y }))}
    ${timeline.waits.listed.map((wait) => waitBands(periods, wait))}
    ${timeline.stages.map((stage) => stageBands(periods, stage))} ${periods.map(edge)}
  </svg>`;
}

/** Periods in proportion to their time. A short one is still visible. */
function place(periods: readonly ActivePeriod[]): PlacedPeriod[] {
  const available = WIDTH - LEFT - GAP * (periods.length - 1);
  const raw = periods.map(({ seconds }) => Math.max(seconds, 0.001));
  const whole = raw.reduce((sum, n) => sum + n, 0);
  const widened = raw.map((n) => Math.max(LEAST_PERIOD, (n / whole) * available));
  const shrink = available / widened.reduce((sum, n) => sum + n, 0);
  let x = LEFT;
  return periods.map((period, at) => {
    const width = widened[at]! * shrink;
    const placed = { ...period, x, width };
    x += width + GAP;
    return placed;
  });
}

/** Seconds of bucket `at`. The last bucket ends with its period. */
const widthOf = (at: number, count: number, { seconds, bucket }: { seconds: number; bucket: number }): number =>
  at === count - 1 ? Math.max(bucket * 0.1, seconds - at * bucket) : bucket;

const gridLine = (mark: number, y: number): Html =>
  html`<line class="grid" x1="${LEFT}" x2="${WIDTH}" y1="${px(y)}" y2="${px(y)}" /><text
      class="mark"
      x="${LEFT - 6}"
      y="${px(y + 4)}"
      text-anchor="end"
      >${short(mark)}</text
    >`;

function bars(
  { x, width, seconds, from }: PlacedPeriod,
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

/** The sections of all periods that a stretch of time overlaps. */
function sections(periods: readonly PlacedPeriod[], from: number, to: number): Section[] {
  return periods.flatMap((period) => {
    const start = Date.parse(period.from);
    const perMs = period.width / Math.max(1, period.seconds * 1000);
    const left = Math.max(period.x, period.x + (from - start) * perMs);
    const right = Math.min(period.x + period.width, period.x + (to - start) * perMs);
    return right > left ? [{ x: left, width: Math.max(1, right - left) }] : [];
  });
}

const waitBands = (periods: readonly PlacedPeriod[], { from, to, seconds, reason }: Wait): Html =>
  join(
    sections(periods, Date.parse(from), Date.parse(to)).map(
      ({ x, width }) =>
        html`<rect class="waiting" x="${px(x)}" y="${TOP}" width="${px(width)}" height="${HEIGHT}"
          ><title>waiting ${elapsed(seconds)}: ${reason}</title></rect
        >`,
    ),
  );

function stageBands(periods: readonly PlacedPeriod[], stage: CompletedStage): Html {
  const to = Date.parse(stage.at);
  return join(sections(periods, to - stage.seconds * 1000, to).map((section) => stageBand(section, stage)));
}

function stageBand({ x, width }: Section, { stage, seconds }: CompletedStage): Html {
  const hasSpace = width > stage.length * 7 + 6;
  const name = html`<text class="stage-name" x="${px(x + width / 2)}" y="${STAGES_AT + 12}" text-anchor="middle">
    ${stage}
  </text>`;
  return html`<rect
      class="stage"
      x="${px(x)}"
      y="${STAGES_AT}"
      width="${px(Math.max(1, width - 1))}"
      height="${STAGES_HEIGHT}"
      ><title>${stage}: ${elapsed(seconds)}</title></rect
    >${hasSpace ? name : null}`;
}

/** The start of a period, and its length where there is space for it. */
function edge({ x, width, from, seconds }: PlacedPeriod): Html {
  const label = width > 170 ? `${clock(from)}, ${elapsed(seconds)}` : width > 60 ? clock(from).slice(11) : '';
  return html`<line class="edge" x1="${px(x)}" x2="${px(x)}" y1="${TOP}" y2="${STAGES_AT + STAGES_HEIGHT}" /><text
      class="mark"
      x="${px(x)}"
      y="${CLOCK_AT}"
      >${label}</text
    >`;
}
