import { expect } from 'chai';

/** One family as a reader of OpenMetrics gets it: samples by their labels as written. */
export interface Read {
  type: string;
  unit: string | null;
  help: string;
  samples: Map<string, number>;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const SAMPLE = new RegExp(`^(${NAME})\\{(${LABEL}(?:,${LABEL})*)\\} (-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)$`);

/**
 * Reads OpenMetrics text by the grammar's parts that keylift uses, and fails on everything else: a family is told whole
 * and once, TYPE, UNIT and HELP before its samples, a unit ends the name, counters end in _total and are not negative,
 * no sample twice, and EOF is the last line.
 */
export function readOpenMetrics(text: string): Map<string, Read> {
  expect(text.endsWith('\n# EOF\n'), 'EOF is the end').to.equal(true);
  const families = new Map<string, Read>();
  let current = '';
  for (const line of text.slice(0, -'# EOF\n'.length).trimEnd().split('\n')) {
    const [, keyword, name, rest] = /^# (TYPE|UNIT|HELP) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === undefined) readSample(line, current, families.get(current));
    else {
      if (keyword === 'TYPE') {
        expect(families.has(name!), `${name!} is told once`).to.equal(false);
        families.set(name!, { type: rest!, unit: null, help: '', samples: new Map() });
        current = name!;
      }
      describeFamily({ keyword, name: name!, rest: rest! }, current, families.get(current));
    }
  }
  for (const [name, { samples, help }] of families) {
    expect(samples.size, `samples of ${name}`).to.be.greaterThan(0);
    expect(help, `help of ${name}`).not.to.equal('');
  }
  return families;
}

function describeFamily(
  { keyword, name, rest }: { keyword: string; name: string; rest: string },
  current: string,
  family: Read | undefined,
): void {
  expect(name, 'described before its samples, and in one place').to.equal(current);
  expect(name)
    .to.match(new RegExp(`^${NAME}$`))
    .and.not.match(/_(total|created|count|sum|bucket|info)$/);
  expect(family?.samples.size).to.equal(0);
  if (keyword === 'TYPE') expect(['gauge', 'counter']).to.include(rest);
  if (keyword === 'UNIT') {
    expect(name.endsWith(`_${rest}`), `${name} ends with its unit ${rest}`).to.equal(true);
    family!.unit = rest;
  }
  if (keyword === 'HELP') {
    expect(rest, 'escaped').to.match(/^(?:[^\\"]|\\[\\n"])+$/);
    family!.help = rest;
  }
}

function readSample(line: string, current: string, family: Read | undefined): void {
  const [, name, labels, value] = SAMPLE.exec(line) ?? [];
  expect(name, `a sample: ${line}`).to.equal(family?.type === 'counter' ? `${current}_total` : current);
  expect(family!.samples.has(labels!), `${line}: once`).to.equal(false);
  if (family!.type === 'counter') expect(Number(value), line).to.be.at.least(0);
  family!.samples.set(labels!, Number(value));
}
