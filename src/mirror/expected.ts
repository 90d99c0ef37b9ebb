import type { MappedSchema } from '../mapping/inspect.js';

/** A trigger of keylift as the catalog has it: its table, its name, and the function of schema keylift that it runs. */
export interface ExpectedTrigger {
  table: string;
  name: string;
  runs: string;
}

/** Which of keylift's steps are done; they decide which triggers exist. */
export interface TriggerSteps {
  changeLog: boolean;
  mirror: boolean;
  archive: boolean;
  mirrorOff: boolean;
}

type Named = readonly [name: string, runs: string];

const ON_EVERY_LEGACY_TABLE: readonly Named[] = [
  ['keylift_insert', 'mirror_insert'],
  ['keylift_update', 'mirror_update'],
  ['keylift_delete', 'mirror_delete'],
];

const OF_CHANGE_LOG: readonly Named[] = [
  ['keylift_log_insert', 'log_change'],
  ['keylift_log_update', 'log_change'],
  ['keylift_log_delete', 'log_change'],
];

const OF_TARGET_FOR_GOOD: readonly Named[] = [
  ['keylift_born', 'check_token'],
  ['keylift_truncate', 'refuse_truncate'],
  ['keylift_guard_insert', 'guard_insert'],
  ['keylift_guard_update', 'guard_update'],
  ['keylift_check_id', 'guard_native_id'],
];

const OF_TARGET_MIRRORED: readonly Named[] = [
  ['keylift_update', 'mirror_back_update'],
  ['keylift_delete', 'mirror_back_delete'],
];

const OF_TARGET_ARCHIVED: readonly Named[] = [
  ['keylift_archive_update', 'archive_update'],
  ['keylift_archive_delete', 'archive_delete'],
];

/** Every trigger that must exist after these steps, on the legacy table, its partitions and the new table. */
export function expectedTriggers({ legacy: l, partitions }: MappedSchema, steps: TriggerSteps): ExpectedTrigger[] {
  const on = (table: string, named: readonly Named[]): ExpectedTrigger[] =>
    named.map(([name, runs]) => ({ table, name, runs }));
  if (!steps.changeLog) return [];
  const truncate: readonly Named[] = steps.mirrorOff ? [] : [['keylift_truncate', 'refuse_truncate']];
  const mirrored = steps.mirror && !steps.mirrorOff;
  return [
    ...[l.keys, ...partitions.map((part) => part.table)].flatMap((table) => [
      ...on(table, mirrored ? ON_EVERY_LEGACY_TABLE : []),
      ...on(table, truncate),
    ]),
    ...on(l.keys, steps.mirror ? [] : OF_CHANGE_LOG),
    ...on(l.keys, steps.archive ? [['keylift_guard', 'refuse_store_key']] : []),
    ...on(l.target, OF_TARGET_FOR_GOOD),
    ...on(l.target, steps.mirror ? [] : [['keylift_moving', 'refuse_moving']]),
    ...on(l.target, mirrored ? OF_TARGET_MIRRORED : []),
    ...on(l.target, steps.archive ? OF_TARGET_ARCHIVED : []),
  ];
}
