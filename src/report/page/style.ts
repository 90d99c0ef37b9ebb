/** Colours by meaning, light and dark. Outcomes also differ in lightness. */
const COLOURS = `
:root {
  color-scheme: light dark; --paper: #ffffff; --raised: #f6f7f9; --ink: #1b1f24; --quiet: #5b6470;
  --line: #d9dde3; --move: #2563c9; --merge: #7fb0f0; --stay: #b3bac4; --hold: #d99a1c; --exception: #c8372d;
  --to_come: #e3e6ea; --pace: #3f7ad6; --waiting: #d99a1c; --good: #1a7f4b; --good-wash: #e6f4ec;
  --warn-wash: #fdf3dc; --warn: #8a5a00; --bad-wash: #fdeae8; --bad: #b3261e; --calm-wash: #eaf1fc;
  --calm: #1f4f9e; --s1: #dfeafa; --s2: #aecbf3; --s3: #6d9fe6; --s3-ink: #0b1c36;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --raised: #1d2127; --ink: #e6e9ed; --quiet: #9aa4b0; --line: #333a43; --move: #5b95ef;
    --merge: #2f5fa8; --stay: #5d6672; --hold: #e0ab3f; --exception: #ef6a5f; --to_come: #2b3139;
    --pace: #5b95ef; --waiting: #e0ab3f; --good: #5fcf95; --good-wash: #15301f; --warn-wash: #33280f;
    --warn: #f0c267; --bad-wash: #3a1a18; --bad: #ff8f85; --calm-wash: #17263d; --calm: #9cc1fa; --s1: #1b2b45;
    --s2: #274a80; --s3: #3c70bd; --s3-ink: #f2f6fc;
  }
}`;

const TEXT = `
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { margin: 0 0 1rem; font-size: 1.9rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 3rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); font-size: 1.3rem; }
h3 { margin: 1.75rem 0 .5rem; font-size: 1rem; }
p { margin: .4rem 0 .8rem; max-width: 48rem; }
small, .eyebrow, figcaption, time { color: var(--quiet); }
time { white-space: nowrap; font-variant-numeric: tabular-nums; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin: 1.25rem 0 0; }
a { color: var(--calm); }
figure { margin: .75rem 0; min-width: 0; }
figcaption { margin-top: .5rem; font-size: .88rem; }
footer {
  margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--quiet);
  font-size: .88rem;
}`;

const PARTS = `
.summary {
  margin: 1rem 0; padding: .7rem 1rem; max-width: none; border-left: 4px solid var(--calm); border-radius: 4px;
  background: var(--calm-wash);
}
.summary strong { color: var(--calm); font-size: 1.05rem; }
.summary p { margin: .15rem 0 0; }
.summary.good { border-color: var(--good); background: var(--good-wash); }
.summary.good strong { color: var(--good); }
.summary.warn { border-color: var(--warn); background: var(--warn-wash); }
.summary.warn strong { color: var(--warn); }
.summary.bad { border-color: var(--bad); background: var(--bad-wash); }
.summary.bad strong { color: var(--bad); }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .6rem; margin: 1.25rem 0;
}
.tiles div {
  padding: .6rem .8rem; border: 1px solid var(--line); border-radius: 6px; background: var(--raised);
}
.tiles dt { color: var(--quiet); font-size: .85rem; }
.tiles dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles small { display: block; font-size: .8rem; font-weight: 400; line-height: 1.2; }
.facts { margin: 1rem 0; font-size: .92rem; }
.facts div { display: flex; gap: .75rem; }
.facts dt { flex: 0 0 5rem; color: var(--quiet); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; }
.legend b { color: var(--ink); font-weight: 600; }
.dot { display: inline-block; width: .75em; height: .75em; margin-right: .45em; border-radius: 2px; }
.dot.move, .dot.pace { background: var(--move); }
.dot.merge { background: var(--merge); }
.dot.stay { background: var(--stay); }
.dot.hold, .dot.waiting { background: var(--hold); }
.dot.exception { background: var(--exception); }
.dot.to_come { background: var(--to_come); }
.pair {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.25rem;
  align-items: start;
}
.history { margin: 0; padding: 0; list-style: none; }
.history li {
  position: relative; padding: .22rem 0 .22rem 1.4rem; border-left: 2px solid var(--line); margin-left: .4rem;
}
.history li::before {
  content: ""; position: absolute; left: -.37rem; top: .72rem; width: .6rem; height: .6rem; border-radius: 50%;
  background: var(--calm);
}
.history .good::before { background: var(--good); }
.history .bad::before { background: var(--bad); }
.history b { font-weight: 500; }
.history time { margin-right: .6rem; }
.search input { width: min(28rem, 100%); }
input, button {
  padding: .4rem .6rem; border: 1px solid var(--line); border-radius: 5px; background: var(--raised);
  color: var(--ink); font: inherit;
}
#matches { margin-left: .6rem; color: var(--quiet); }`;

const TABLES = `
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .92rem; }
th, td {
  padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
}
thead th { color: var(--quiet); font-weight: 500; font-size: .85rem; vertical-align: bottom; }
tbody th { font-weight: 500; overflow-wrap: anywhere; }
.numbers td, .numbers thead th:not(:first-child) {
  text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap;
}
.numbers td.text, .numbers thead th.text:not(:first-child) {
  padding-left: 1rem; text-align: left; white-space: normal;
}
td.bar { width: 30%; min-width: 7rem; vertical-align: middle; }
.nil { color: var(--quiet); }
.reasons td.bar { width: 14%; }
.reasons tbody th, .matrix tbody th { white-space: nowrap; }
tr.wrong td, tr.wrong th { color: var(--bad); font-weight: 600; }
.keys td { overflow-wrap: anywhere; max-width: 16rem; }
.keys td:nth-child(1), .keys td:nth-child(6) {
  font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: nowrap;
}
.keys td:nth-child(8) { white-space: nowrap; font-variant-numeric: tabular-nums; }
.matrix { width: auto; max-width: 100%; font-size: .85rem; }
.matrix td {
  min-width: 2.9rem; padding: .3rem .4rem; border: 1px solid var(--paper); text-align: right;
  font-variant-numeric: tabular-nums;
}
.matrix tbody th { padding-right: .6rem; border: 0; white-space: nowrap; font-weight: 400; }
.matrix thead th { height: 8.5rem; padding: 0 .4rem .3rem; border: 0; }
.matrix thead th span {
  writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; max-height: 8rem; overflow: hidden;
  text-overflow: ellipsis;
}
.matrix thead th:first-child { writing-mode: horizontal-tb; }
.s0 { background: var(--raised); color: var(--quiet); }
.s1 { background: var(--s1); }
.s2 { background: var(--s2); }
.s3 { background: var(--s3); color: var(--s3-ink); }`;

const DRAWINGS = `
svg { display: block; width: 100%; }
svg.stack { height: 12px; border-radius: 2px; }
figure > svg.stack { height: 28px; border-radius: 4px; }
rect.move { fill: var(--move); }
rect.merge { fill: var(--merge); }
rect.stay { fill: var(--stay); }
rect.hold { fill: var(--hold); }
rect.exception { fill: var(--exception); }
rect.to_come { fill: var(--to_come); }
rect.pace { fill: var(--pace); }
rect.waiting { fill: url(#hatch); }
.hatch { stroke: var(--waiting); }
rect.stage { fill: var(--raised); stroke: var(--line); }
.timeline text { fill: var(--quiet); font-size: 12px; }
.timeline .stage-name { fill: var(--ink); font-size: 11px; }
.grid { stroke: var(--line); }
.edge { stroke: var(--quiet); stroke-dasharray: 2 3; }`;

/** On paper: light colours, and no controls. */
const PAPER = `
@media (max-width: 40rem) {
  body { padding: 1.25rem 1rem 3rem; }
  .facts div { display: block; }
  td.bar, th.bar { display: none; }
}
@media print {
  :root {
    color-scheme: light; --paper: #fff; --raised: #f6f7f9; --ink: #000; --quiet: #444; --line: #ccc;
    --move: #2563c9; --merge: #7fb0f0; --stay: #b3bac4; --hold: #d99a1c; --exception: #c8372d;
    --to_come: #e3e6ea; --pace: #3f7ad6; --waiting: #d99a1c; --good: #1a7f4b; --good-wash: #e6f4ec;
    --warn: #8a5a00; --warn-wash: #fdf3dc; --bad: #b3261e; --bad-wash: #fdeae8; --calm: #1f4f9e;
    --calm-wash: #eaf1fc; --s1: #dfeafa; --s2: #aecbf3; --s3: #6d9fe6; --s3-ink: #0b1c36;
  }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 10.5px; }
  nav, label, button { display: none; }
  .scroll { overflow: visible; }
  #matches { margin: 0; }
  h2, h3 { break-after: avoid; }
  h2 { margin-top: 1.5rem; }
  figure, tr, .tiles div, .summary, .history li { break-inside: avoid; }
  thead { display: table-header-group; }
  .pair { grid-template-columns: 1fr; }
  .tiles { grid-template-columns: repeat(5, 1fr); }
  .matrix thead th { height: 7rem; }
  .matrix td { min-width: 2rem; padding: .2rem .25rem; }
}`;

export const STYLE = [COLOURS, TEXT, PARTS, TABLES, DRAWINGS, PAPER].join('');
