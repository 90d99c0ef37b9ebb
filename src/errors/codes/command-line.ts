import { entries } from '../entry.js';

/** Mistakes in arguments, in the configuration file and in files that a flag names. Nothing was changed. */
export const COMMAND_LINE_CODES = entries({
  throttle_query_invalid: {
    exit: 'usage',
    section: 'throttling',
    meaning: 'The query of --throttle-query fails, or does not answer with one number.',
    hint: 'Write one SELECT that answers within 1 s with one number: above 0 means wait. Nothing was changed.',
  },
  usage: {
    exit: 'usage',
    section: 'command-line-and-configuration',
    meaning: 'The command line has an unknown command, flag or value. The message names every fault.',
    hint: 'See keylift <command> --help.',
  },
  option_invalid: {
    exit: 'usage',
    section: 'command-line-and-configuration',
    meaning: 'An option of a function of the package is unknown or has a wrong value. The message names every fault.',
    hint: 'Correct the call; docs/package.md describes the options. Nothing was changed.',
  },
  config_unreadable: {
    exit: 'usage',
    section: 'command-line-and-configuration',
    meaning: 'The configuration file is missing, is a folder, is larger than 1 MiB or is not UTF-8.',
    hint: 'Name a file of UTF-8 JSON that this user may read.',
  },
  config_invalid: {
    exit: 'usage',
    section: 'command-line-and-configuration',
    meaning: 'The configuration file has faults. The message names each by its key.',
    hint: 'Correct the file; schemas/config.schema.json describes it. Nothing was changed.',
  },
  table_name_invalid: {
    exit: 'usage',
    section: 'command-line-and-configuration',
    meaning: 'A table name is not valid SQL.',
    hint: 'Write the name as in SQL, in quotes where SQL needs them: public."ApiKey".',
  },
  log_file_unwritable: {
    exit: 'usage',
    section: 'command-line-and-configuration',
    meaning: 'keylift cannot write the file of --log-file.',
    hint: 'Name a file in a folder that exists and that you may write.',
  },
  report_unwritable: {
    exit: 'usage',
    section: 'command-line-and-configuration',
    meaning: 'report cannot write its page. A page that existed is unchanged.',
    hint: 'Name a file in a folder that exists and that you may write.',
  },
  notice_unwritable: {
    exit: 'usage',
    section: 'command-line-and-configuration',
    meaning: 'plan cannot write the file of --notice. A file that existed is unchanged.',
    hint: 'Name a file in a folder that exists and that you may write.',
  },
  list_unwritable: {
    exit: 'usage',
    section: 'command-line-and-configuration',
    meaning: 'plan cannot write the file of --keys or --dormant. A file that existed is unchanged.',
    hint: 'Name a file in a folder that exists and that you may write.',
  },
  saved_plan_unwritable: {
    exit: 'usage',
    section: 'command-line-and-configuration',
    meaning: 'plan cannot write the file of --out. A file that existed is unchanged.',
    hint: 'Name a file in a folder that exists and that you may write.',
  },
  saved_plan_unreadable: {
    exit: 'usage',
    section: 'saved-plan',
    meaning: 'The file of --plan is missing, is not a file, is larger than 1 MiB or is not UTF-8.',
    hint: 'Name a file that plan --out wrote and that this user may read.',
  },
  saved_plan_invalid: {
    exit: 'usage',
    section: 'saved-plan',
    meaning: 'The file of --plan is not a saved plan. The message names each fault.',
    hint: 'Name a file that plan --out wrote, or save the plan again.',
  },
  metrics_unwritable: {
    exit: 'usage',
    section: 'metrics',
    meaning: 'keylift cannot write the file of metrics. A file that existed is unchanged.',
    hint: 'Name a file in a folder that exists and that you may write.',
  },
  key_unknown: {
    exit: 'usage',
    section: 'command-line-and-configuration',
    meaning: 'explain finds no key with this id or fingerprint.',
    hint: 'Give the id of the key, or the 12 hex digits that keylift shows, never a token.',
  },
  list_unreadable: {
    exit: 'usage',
    section: 'lists',
    meaning: 'A list of accounts or keys is missing, is not a file, is larger than 64 MiB or is not UTF-8.',
    hint: 'Name a CSV file in UTF-8 that this user may read; nothing was changed.',
  },
  list_invalid: {
    exit: 'usage',
    section: 'lists',
    meaning: 'A list of accounts or keys has faults. The message names each by its line.',
    hint: 'Correct the file and run the command again; nothing was changed.',
  },
  replay_unreadable: {
    exit: 'usage',
    section: 'replay',
    meaning: 'keylift cannot read the file of --replay.',
    hint: 'Name a file with one JSON object per line.',
  },
  probe_unreadable: {
    exit: 'usage',
    section: 'probe',
    meaning: 'keylift cannot read the file of --probe.',
    hint: 'Name a file of UTF-8 JSON that this user may read; no request was sent.',
  },
  probe_invalid: {
    exit: 'usage',
    section: 'probe',
    meaning: 'The probe file has faults, or a request expects another status after the switch and its key is unknown.',
    hint: 'Correct the file and run the command again; schemas/probe.schema.json describes it. No request was sent.',
  },
  gateway_tls_refused: {
    exit: 'usage',
    section: 'probe',
    meaning: "The TLS certificate of the probe's gateway is not accepted.",
    hint:
      'Name the file of the private certificate authority as "ca" in the probe file, or use the host name that the ' +
      'certificate is for.',
  },
  confirmation_missing: {
    exit: 'refused',
    section: 'confirmation',
    meaning: 'The command asks before it writes, and there is no terminal to answer from.',
    hint: 'Pass --yes to continue without the question.',
  },
  not_confirmed: {
    exit: 'refused',
    section: 'confirmation',
    meaning: 'The answer to the question was not yes. Nothing was changed.',
    hint: 'Run the command again and answer y, or pass --yes.',
  },
});
