/** A value as requests carry it: `google.protobuf.Value`, whichever library decoded it. */
export interface WireValue {
  readonly nullValue?: unknown;
  readonly numberValue?: number | null;
  readonly stringValue?: string | null;
  readonly boolValue?: boolean | null;
  readonly listValue?: { readonly values?: readonly WireValue[] | null } | null;
  readonly structValue?: unknown;
}
