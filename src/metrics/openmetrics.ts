import { forOpenMetrics } from '../escaping.js';

/** A number with its labels; names of labels and their values are keylift's own words, never a key's. */
export interface Sample {
  labels?: Readonly<Record<string, string>>;
  /** Null: nobody knows, and the sample is left out. */
  value: number | null;
}

/** Only what a Prometheus of any age reads, too: no `info`, no `stateset`. */
export interface Family {
  /** With the unit at its end; a counter's samples get `_total` behind it. */
  name: string;
  type: 'gauge' | 'counter';
  unit?: 'seconds';
  help: string;
  samples: readonly Sample[];
}

/** Families as OpenMetrics text, each sample with these labels before its own. A family without a sample is left out. */
export function openMetrics(families: readonly Family[], labels: Readonly<Record<string, string>>): string {
  const told = families
    .map((family) => ({ ...family, samples: family.samples.filter(({ value }) => value !== null) }))
    .filter(({ samples }) => samples.length > 0);
  return `${told.flatMap((family) => familyLines(family, labels)).join('\n')}\n# EOF\n`;
}

function familyLines({ name, type, unit, help, samples }: Family, common: Readonly<Record<string, string>>): string[] {
  const suffix = type === 'counter' ? '_total' : '';
  return [
    `# TYPE ${name} ${type}`,
    ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]),
    `# HELP ${name} ${forOpenMetrics(help)}`,
    ...samples.map(({ labels, value }) => `${name}${suffix}{${labelsText({ ...common, ...labels })}} ${String(value)}`),
  ];
}

const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${forOpenMetrics(value)}"`)
    .join(',');
