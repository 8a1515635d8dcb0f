import type { NativeServer } from './native-server.ts';
import { decodeMessage, encodeMessage, type Message } from './protos.ts';

/** What ZetaSQL has switched on beyond Spanner's GoogleSQL. */
const NOT_IN_SPANNER = [
  'FEATURE_GEOGRAPHY',
  'FEATURE_BIGNUMERIC_TYPE',
  'FEATURE_V_1_2_CIVIL_TIME',
  'FEATURE_RANGE_TYPE',
  'FEATURE_EXPERIMENTAL_MODULES',
  'FEATURE_ENCRYPTION',
  'FEATURE_V_1_3_ALLOW_DASHES_IN_TABLE_NAME',
  'FEATURE_V_1_3_ALLOW_SLASH_PATHS',
  'FEATURE_V_1_3_QUALIFY',
];

/**
 * The language as Spanner speaks it.
 *
 * ZetaSQL's internal mode: the external one has no FLOAT32. It calls FLOAT64 DOUBLE in its messages: see `explainError()`.
 */
export async function spannerLanguage(server: NativeServer): Promise<Message> {
  const request = encodeMessage('zetasql.local_service.LanguageOptionsRequest', { maximum_features: true });
  const bytes = await server.call('GetLanguageOptions', request);
  const language = decodeMessage('zetasql.LanguageOptionsProto', bytes);
  const features = (language.enabled_language_features as string[]).filter((name) => !NOT_IN_SPANNER.includes(name));
  return {
    ...language,
    enabled_language_features: features,
    product_mode: 'PRODUCT_INTERNAL',
    supported_statement_kinds: ['RESOLVED_QUERY_STMT'],
    reserved_keywords: [],
  };
}
