import type { KnownMessage } from '../known-messages.ts'

/**
 * What servers and tools say while a dump is loaded that is no fault of the dump, beside all that they say at any
 * time. What is not known here is said of the dump: a backup would count as damaged that is none.
 */
export const NOT_OF_DUMP: readonly KnownMessage[] = [
  {
    pattern: /exceeds temp_file_limit/,
    code: 'TOOL_FAILED',
    message: 'the PostgreSQL server allows no larger temporary files',
    hint: 'raise temp_file_limit on the server',
  },
  {
    pattern:
      /could not create locale|could not open collator for locale|ICU is not supported|collation "[^"\n]{1,63}" for encoding/,
    code: 'TOOL_FAILED',
    message: 'the PostgreSQL server has not a locale that the dump uses',
    hint: 'install the locale on the server',
  },
  {
    pattern: /could not open (?:dictionary|affix|stop-word|synonym|thesaurus) file/,
    code: 'TOOL_FAILED',
    message: 'the PostgreSQL server has not a file of text search that the dump uses',
    hint: 'copy it into the directory tsearch_data of the server',
  },
  {
    pattern:
      /could not load library|could not find function "[^"\n]{1,63}" in file|incompatible library|has no (?:installation script|update path)/,
    code: 'TOOL_FAILED',
    message: 'the PostgreSQL server has another version of a library or an extension than the dump needs',
    hint: 'install that version on the server',
  },
  {
    pattern: /tablespace ("[^"\n]{1,63}") does not exist/,
    code: 'TOOL_FAILED',
    message: 'the PostgreSQL server has no tablespace $1',
    hint: 'create it with CREATE TABLESPACE',
  },
  {
    pattern: /(?:terminating connection|canceling statement) due to (?:idle|transaction)/,
    code: 'TOOL_FAILED',
    message: 'the PostgreSQL server ended what took too long',
    hint: 'look for time-outs in the settings of the server',
  },
  {
    // one that was killed says nothing itself
    pattern:
      /worker process died|could not (?:fork|create worker|create communication)|Resource temporarily unavailable|Too many open files|Cannot allocate memory|Input\/output error/,
    code: 'TOOL_FAILED',
    message: 'a process of it was ended, or this machine ran out of resources',
    hint: "look for the machine's own reports, such as of memory that ran out",
    retryable: true,
  },
]
