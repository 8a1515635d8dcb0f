import type { Message } from './protos.ts';
import type { ZetaSqlSession } from './zetasql.ts';

/** Descriptor pools that every request with types must name. */
export const BUILTIN_DESCRIPTORS: Message = { definitions: [{ builtin: {} }] };

/** AnalyzerOptionsProto as Spanner would set it: its time zone, messages in one line with `[at line:column]`. */
export function analyzerOptions(session: Pick<ZetaSqlSession, 'language'>, more: Message): Message {
  return {
    language_options: session.language,
    error_message_mode: 'ERROR_MESSAGE_ONE_LINE',
    default_timezone: 'America/Los_Angeles',
    ...more,
  };
}
