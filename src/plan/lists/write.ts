import type { ReadSession } from '../../database/session.js';
import type { Holds } from '../../ledger/holds.js';
import type { Installed } from '../../ledger/installed.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { holdsToBind } from '../holds.js';
import { nativeKeysTable } from '../native-keys.js';
import { dormantOutput, keysOutput, noticeOutput, type PlanFiles } from '../outputs.js';
import { allKeys, KEYS_HEADER } from './all-keys.js';
import { writeCsv, type CsvList, type WrittenList } from './csv-file.js';
import { DORMANT_HEADER, dormantKeys } from './dormant-keys.js';
import { NOTICE_HEADER, storeApis, widenedKeys, type Notice } from './notice.js';
import type { ListSources } from './verdicts-of-all.js';

/** The lists that `plan` wrote. */
export interface Lists {
  notice?: Notice;
  keys?: WrittenList;
  dormant?: WrittenList;
}

export interface ListOptions {
  holds: Holds;
  installed: Installed;
  stop: AbortSignal;
}

/**
 * Writes the lists that have a file, one after the other, in the snapshot of the session. No list has a token.
 *
 * @throws `notice_unwritable`, `list_unwritable`; an AbortError when `stop` is signalled
 */
export async function writeLists(
  session: ReadSession,
  schema: MappedSchema,
  { files, holds, installed, stop }: ListOptions & { files: Omit<PlanFiles, 'out'> },
): Promise<Lists> {
  const { source, values } = holdsToBind(schema, holds);
  const sources: ListSources = { holds: source, nativeKeysIn: nativeKeysTable(schema, installed) };
  const write = <Column extends string>(list: Pick<CsvList<Column>, 'output' | 'header' | 'select'>) =>
    writeCsv(session, { ...list, values, stop });
  const lists: Lists = {};
  const { notice, keys, dormant } = files;
  if (notice !== undefined) {
    const select = widenedKeys(schema, sources);
    const written = await write({ output: noticeOutput(notice), header: NOTICE_HEADER, select });
    lists.notice = { ...written, store_apis: await storeApis(session, schema) };
  }
  if (keys !== undefined) {
    lists.keys = await write({ output: keysOutput(keys), header: KEYS_HEADER, select: allKeys(schema, sources) });
  }
  if (dormant !== undefined) {
    const select = dormantKeys(schema, sources);
    lists.dormant = await write({ output: dormantOutput(dormant), header: DORMANT_HEADER, select });
  }
  return lists;
}
