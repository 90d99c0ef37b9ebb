import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { asEscapes } from '../escaping.js';
import { failWriting, type Output } from '../files/placement.js';
import { writeText } from '../files/write.js';
import { compare, type Difference } from './compare.js';
import { readUtf8 } from './files.js';
import { SNAPSHOT_DIRECTORY } from './fixture.js';
import { readJsonText } from './json-text.js';

/** The four snapshots of a case; each is `snapshots/<name>.json`. */
export const SNAPSHOT_NAMES = ['plan', 'settings', 'access', 'verify'] as const;

export type SnapshotName = (typeof SNAPSHOT_NAMES)[number];

/** The results of a case by snapshot, as JSON values. */
export type Captured = Record<SnapshotName, unknown>;

/** Compares captured values with the stored ones. A snapshot that is missing or cannot be read is a difference. */
export async function compareWithStored(directory: string, captured: Captured): Promise<Difference[]> {
  const differences = await Promise.all(
    SNAPSHOT_NAMES.map(async (name) => {
      const stored = await readSnapshot(directory, name);
      const actual = asJson(captured[name]);
      return stored.fault === undefined
        ? compare({ path: name, expected: stored.value, actual })
        : [
            {
              path: `${name} (${path.join(SNAPSHOT_DIRECTORY, `${name}.json`)}: ${stored.fault})`,
              expected: undefined,
              actual,
            },
          ];
    }),
  );
  return differences.flat();
}

/** Writes the four snapshots. A file with the same content does not change. */
export async function writeSnapshots(directory: string, captured: Captured): Promise<void> {
  const folder = path.join(directory, SNAPSHOT_DIRECTORY);
  await mkdir(folder, { recursive: true }).catch(failWriting(outputOf(folder)));
  for (const name of SNAPSHOT_NAMES) await writeWhole(snapshotFile(directory, name), formatSnapshot(captured[name]));
}

/**
 * Characters that an editor hides, combines or reorders. Snapshots contain them as JSON escapes, so that a reviewer
 * sees them and no tool that normalizes Unicode changes them.
 */
const UNSEEN = /[\p{Cf}\p{Zl}\p{Zp}\p{M}\u007f-\u00a0]/gu;

/** Indented JSON with sorted keys and a final newline. Equal values have equal texts on every machine. */
export function formatSnapshot(value: unknown): string {
  return `${escapeUnseen(JSON.stringify(sorted(asJson(value)), null, 2))}\n`;
}

/** Replaces the characters that an editor hides by JSON escapes. */
export const escapeUnseen = (json: string): string => json.replace(UNSEEN, asEscapes);

/** Returns faults as values, so that a merge conflict in a snapshot does not prevent its update. */
async function readSnapshot(
  directory: string,
  name: SnapshotName,
): Promise<{ value: unknown; fault: string | undefined }> {
  const { text, fault } = await readUtf8(snapshotFile(directory, name));
  if (fault !== undefined) return { value: undefined, fault };
  const reading = readJsonText(text);
  const [first] = reading.faults;
  return { value: reading.value, fault: first && [first.path, first.message].filter((part) => part !== '').join(' ') };
}

async function writeWhole(file: string, text: string): Promise<void> {
  if ((await readUtf8(file)).text === text) return;
  await writeText(outputOf(file), text, { readers: 'repository' });
}

const outputOf = (file: string): Output => ({ file, what: 'the snapshot', code: 'snapshot_unwritable' });

function snapshotFile(directory: string, name: SnapshotName): string {
  return path.join(directory, SNAPSHOT_DIRECTORY, `${name}.json`);
}

/** The value as JSON would store it, without `undefined` and class instances. */
function asJson(value: unknown): unknown {
  return value === undefined ? null : (JSON.parse(JSON.stringify(value)) as unknown);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([field, inner]) => [field, sorted(inner)]));
}
