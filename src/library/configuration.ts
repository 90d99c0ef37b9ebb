import { loadConfiguration } from '../config/load.js';
import { checkSettings } from '../config/parse.js';
import type { Settings } from '../config/settings.js';
import type { CommonOptions } from './options.js';

/**
 * The settings of a call, and the file they come from.
 *
 * @throws `config_unreadable`; `config_invalid` with every fault
 */
export async function settingsOf({
  configuration,
}: CommonOptions): Promise<{ settings: Settings; configFile: string | undefined }> {
  if (typeof configuration !== 'object') {
    return loadConfiguration({ flags: { config: configuration }, env: process.env, cwd: process.cwd() });
  }
  return { settings: checkSettings(configuration, { name: 'the configuration' }), configFile: undefined };
}
