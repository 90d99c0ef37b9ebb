import { forOpenMetrics } from '../escaping.js';

/** A number with its labels. keylift chooses the names and values of labels; they never come from a key. */
export interface Sample {
  labels?: Readonly<Record<string, string>>;
  /** Null if unknown; the sample is left out. */
  value: number | null;
}

/** Has only types that every version of Prometheus reads: no `info`, no `stateset`. */
export interface Family {
  /** Ends with the unit. Samples of a counter get the suffix `_total`. */
  name: string;
  type: 'gauge' | 'counter';
  unit?: 'seconds';
  help: string;
  samples: readonly Sample[];
}

/** Families as OpenMetrics text. Each sample also gets these labels. A family without a sample is left out. */
export function openMetrics(families: readonly Family[], labels: Readonly<Record<string, string>>): string {
  const shown = families
    .map((family) => ({ ...family, samples: family.samples.filter(({ value }) => value !== null) }))
    .filter(({ samples }) => samples.length > 0);
  return `${shown.flatMap((family) => familyLines(family, labels)).join('\n')}\n# EOF\n`;
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
