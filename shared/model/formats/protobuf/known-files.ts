/**
 * Files that serializers know without a reference: texts that declare the same messages as the originals, as far as records
 * carry them. Google's `google/protobuf/*.proto` come with the parser.
 */
export const knownFiles: Readonly<Record<string, string | undefined>> = {
  'confluent/meta.proto': 'syntax = "proto3"; package confluent;',
  'confluent/type/decimal.proto': `syntax = "proto3"; package confluent.type;
    message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }`,
  'google/protobuf/descriptor.proto': `syntax = "proto2"; package google.protobuf;
    message FileOptions { extensions 1000 to max; }
    message MessageOptions { extensions 1000 to max; }
    message FieldOptions { extensions 1000 to max; }
    message OneofOptions { extensions 1000 to max; }
    message EnumOptions { extensions 1000 to max; }
    message EnumValueOptions { extensions 1000 to max; }
    message ServiceOptions { extensions 1000 to max; }
    message MethodOptions { extensions 1000 to max; }`,
  'google/type/date.proto': `syntax = "proto3"; package google.type;
    message Date { int32 year = 1; int32 month = 2; int32 day = 3; }`,
  'google/type/decimal.proto': 'syntax = "proto3"; package google.type; message Decimal { string value = 1; }',
  'google/type/latlng.proto': `syntax = "proto3"; package google.type;
    message LatLng { double latitude = 1; double longitude = 2; }`,
  'google/type/money.proto': `syntax = "proto3"; package google.type;
    message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; }`,
  'google/type/timeofday.proto': `syntax = "proto3"; package google.type;
    message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }`,
};
